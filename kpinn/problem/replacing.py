"""Other points and sample weights in the place of those that `fit` trains on."""

import dataclasses

from kpinn.problem.points import Data, is_shared


def replaced(old, new):
    """The `Data` old with the sets of points of new, their targets and sample weights.

    Raises:
        ValueError: if one has a set for all conditions and the other a set for each, or one of
            the sets is a stream.
    """
    if new.streams:
        raise ValueError(
            f"{new.streams[0][0]} cannot replace points while fit goes on: give streams to fit."
        )
    if is_shared(new.points) != is_shared(old.points):
        shared, each = "one set of points for all conditions", "a set of points for each condition"
        before, now = (shared, each) if is_shared(old.points) else (each, shared)
        raise ValueError(f"fit began with {before}, and the new points are {now}.")
    _refuse_streams(old, new.points, "points")
    if is_shared(new.points):
        return new
    kept = [{n: v for n, v in part.items() if n not in new.points} for part in old.parts]
    parts = (before | after for before, after in zip(kept, new.parts, strict=True))
    return Data(*parts, old.streams)


def with_weights(old, sample_weight):
    """The `Data` old with other sample weights of some conditions, a dict of tensors.

    Raises:
        ValueError: if one of them has a stream of points.
    """
    _refuse_streams(old, sample_weight, "weights")
    return dataclasses.replace(old, sample_weight=old.sample_weight | sample_weight)


def _refuse_streams(old, names, what):
    for stream, streamed in old.streams:
        for name in names if not streamed else set(names) & set(streamed):
            raise ValueError(
                f"{what} of {name!r} cannot be replaced: its points are {stream}, drawn anew in "
                "each step. Give fit arrays, such as those of sample, to choose them by a callback."
            )
