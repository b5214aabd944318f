"""Candidates for the points of `fit`: which conditions share them, which ones are taken."""

import numpy as np

from kpinn.problem.points import is_shared, sets_of

TINY = 1e-300


def refuse_bound(callback, data):
    """Raises `ValueError` for conditions whose points cannot be others.

    Args:
        callback: who draws them, with a `sampler`.
        data: the `Data` of `fit`.
    """
    names = callback.model.conditions
    streamed = set(names) - set(data.in_memory(names))
    bound = {name: "targets" for name in data.targets}
    bound |= {name: "sample weights" for name in data.sample_weight}
    bound |= {n: "one residual for them all" for n, f in names.items() if f.over_set}
    bound |= {name: "points of a stream" for name in streamed}
    candidates = callback.model.prepare(callback.sampler(0)).points if bound else {}
    for name, what in bound.items():
        if is_shared(candidates) or name in candidates:
            other = "give fit arrays in place of the stream"
            if name not in streamed:
                other = "use Resample, whose sampler may return targets and sample weights"
            raise ValueError(
                f"{type(callback).__name__} draws points of {name!r}, which has {what}: they "
                "belong to the points of fit. Leave the condition out of what the sampler "
                f"returns, or {other}."
            )


def together(problem, candidates, points):
    """Lists of conditions that have the same points, and the same candidates for others.

    Args:
        problem: the `Problem`.
        candidates: as `points` in `Data`.
        points: those of `fit`, likewise.
    """
    before, after = (
        [names for names, _ in sets_of(problem, each)] for each in (points, candidates)
    )
    both = ([name for name in names if name in others] for names in after for others in before)
    return [names for names in both if names]


def arrays_of(points, names):
    """The arrays that conditions have in common, as numpy arrays by name."""
    arrays = points if is_shared(points) else points[names[0]]
    return {name: np.asarray(array) for name, array in arrays.items()}


def count(points, names):
    """The number of points that conditions have in common."""
    return len(next(iter(arrays_of(points, names).values())))


def replace(pinn, sets, weights=None):
    """Trains on other points.

    Args:
        pinn: the `PINN`.
        sets: list of pairs of names of conditions and their arrays.
        weights: sample weights by condition.
    """
    points = {name: arrays for names, arrays in sets for name in names}
    if is_shared(pinn.training_points):
        ((_, points),) = sets
    pinn.replace_points(points, None, weights)


def taken(arrays, rows):
    """Some rows of arrays by name."""
    return {name: array[rows] for name, array in arrays.items()}


def joined(first, second):
    """Arrays by name, one behind the other; those that the first one has."""
    return {name: np.concatenate([array, second[name]]) for name, array in first.items()}


def check_enough(callback, candidates, count):
    """Raises `ValueError` for fewer candidates than are to be taken."""
    if candidates < count:
        raise ValueError(
            f"the sampler of {type(callback).__name__} gives {candidates} candidates for {count} "
            "points: expected several times as many."
        )


def sizes_of(callback, residuals):
    """The sizes of residuals at candidates `(n,)`: the root of the sum of squares over conditions.

    Each is divided by its mean square, so that none is drowned by the others.

    Args:
        callback: who asks.
        residuals: list of arrays `(n, k)`.
    """
    every = [np.float64(r) for r in residuals]
    if not all(np.isfinite(r).all() for r in every):
        raise ValueError(
            f"{type(callback).__name__}: the residual is not finite at some of the candidates that "
            "the sampler gives: expected points at which every condition is."
        )
    every = [r / max(np.max(np.abs(r)), TINY) for r in every]  # whose squares are no zeros
    return np.sqrt(sum(np.sum(r**2, axis=1) / max(np.mean(r**2), TINY) for r in every))


def probabilities(sizes, exponent, constant):
    """`|r|^exponent / mean(|r|^exponent) + constant`, with a sum of one."""
    dense = (sizes / max(np.max(sizes), TINY)) ** exponent
    # Without a constant those without a residual are drawn too, after all others.
    weights = dense / max(np.mean(dense), TINY) + max(constant, TINY)
    return weights / weights.sum()
