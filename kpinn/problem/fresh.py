"""Points that each step draws anew: streams in the place of arrays."""

import tensorflow as tf

from kpinn.domains import Stream


def has_streams(x):
    """Whether points, or some sets of them, are a `Stream`."""
    return any(isinstance(part, Stream) for part in (x.values() if isinstance(x, dict) else [x]))


def streams_in(x):
    """Arrays in the place of streams, and which conditions have which stream.

    Args:
        x: a `Stream`, or a dict with some.

    Returns:
        The same with dicts of arrays; and a tuple of pairs of a stream and the names of its
        conditions, none for all. A stream that several conditions have gives them the same points,
        as do equal ones with a seed.
    """
    if isinstance(x, Stream):
        return x.points(), ((x, ()),)
    found, points = {}, {}
    for name, part in x.items():
        if isinstance(part, Stream):
            key = id(part) if part.seed is None else part
            stream, arrays, names = found.setdefault(key, (part, part.points(), []))
            names.append(name)
            part = arrays
        points[name] = part
    return points, tuple((stream, tuple(names)) for stream, _, names in found.values())


def drawn(data, run, epoch, step, part=(0, {})):
    """The `Data` of a step, in whose streamed sets are the points of this step.

    Args:
        data: a `Data`.
        run: scalar int tensor, by which calls of `fit` differ.
        epoch: scalar int tensor.
        step: scalar int tensor, its number in the epoch.
        part: a replica, and by condition how many points it draws for itself; all without.
    """
    points, (replica, sizes) = dict(data.points), part
    for number, (stream, names) in enumerate(data.streams):
        size = next((sizes[name] for name in names or sizes if name in sizes), None)
        own = () if size is None else (replica, size)
        new = stream.draw(run, number, epoch, step, *own)
        first = points if not names else points[names[0]]
        dtype = next(iter(first.values())).dtype
        new = {name: tf.cast(array, dtype) for name, array in new.items()}
        if not names:
            points = {key: new[key] for key in points}
        for name in names:
            points[name] = {key: new[key] for key in points[name]}
    return type(data)(points, data.targets, data.sample_weight)


def refuse_values(streams, targets, sample_weight):
    """Raises `ValueError` for targets or weights of points that are drawn anew.

    Args:
        streams: as in `Data`.
        targets, sample_weight: names of the conditions that have some for each point.
    """
    for what, given in (("targets", targets), ("sample_weight", sample_weight)):
        for stream, names in streams:
            for name in given & set(names) if names else given:
                raise ValueError(
                    f"{what} of {name!r} belong to points, and its points are {stream}, drawn anew "
                    "in each step: compute them in the condition, from its coordinates, or pass "
                    "arrays. A number for all points is a loss weight."
                )
