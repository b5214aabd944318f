"""Derivatives from values alone, with an estimate of their own error: a witness for exact methods.

Central differences have an error in even powers of the step. A sequence of steps, each half of the
one before, is extrapolated to the step zero; neighbouring entries of the table say how far it has
converged, for each point by itself.

References:
    C. J. F. Ridders, Accurate computation of F'(x) and F'(x) F''(x), Advances in Engineering
    Software 4 (1982), 75-76.
"""

import collections
import itertools
import math

import numpy as np
import tensorflow as tf

from kpinn.derivatives.methods.finite_difference import stencil

LEVELS = 18  # steps from a quarter of the scale down to two millionths of it
COLUMNS = 7  # of the table of extrapolation
FIRST = 0.25


def difference(function, points, axes, directions, scales, epsilon):
    """A partial derivative of all outputs of a function `(n, d) -> (n, m)`.

    Args:
        function: the function.
        points: tensor `(n, d)`.
        axes: the axes of the derivative, columns or names of directions; not empty.
        directions: dict from name to tensor `(n, d)`.
        scales: dict from axis to its scale.
        epsilon: machine epsilon of what the function computes in.

    Returns:
        Three arrays `(n, m)`: values, bounds for their errors (infinite where there is no value),
        the steps relative to the scales.
    """
    counts = collections.Counter(axes)
    stencils = [stencil(order, 2, "central") for order in counts.values()]
    table = list(itertools.product(*stencils))
    widths = {axis: _steps(scales[axis]) for axis in counts}
    shifted = []
    for level, node in itertools.product(range(LEVELS), table):
        place = points
        for axis, (offset, _) in zip(counts, node, strict=True):
            place = moved(place, axis, offset * widths[axis][level], directions)
        shifted.append(place)
    values = np.asarray(function(tf.concat(shifted, axis=0)), np.float64)
    values = values.reshape(LEVELS, len(table), *points.shape[:1], -1)
    weights = [math.prod(weight for _, weight in node) for node in table]
    powers = math.prod(widths[axis] ** order for axis, order in counts.items())
    return _limit(values, weights, powers, epsilon)


def difference_in_time(function, order, scale, epsilon):
    """The same at time zero for a function of one number, whose values are arrays."""
    offsets, weights = zip(*stencil(order, 2, "central"), strict=True)
    widths = _steps(scale)
    values = np.array([[function(offset * width) for offset in offsets] for width in widths])
    return _limit(values.astype(np.float64), weights, widths**order, epsilon)


def _limit(values, weights, powers, epsilon):
    """What `difference` returns, from values `(levels, nodes, ...)` and powers of the steps."""
    shape = values.shape[2:]
    values, powers = values.reshape(*values.shape[:2], -1), powers[:, None]
    weights = np.array(weights, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        differences = (weights[:, None] * values).sum(axis=1) / powers
        rounding = np.abs(weights).sum() / powers
        noise = 8.0 * epsilon * np.abs(values).max(axis=1) + _stairs(values)
        noise += _noise_in(differences, rounding)
        limit, error, level = _extrapolated(differences, noise * rounding)
    return [part.reshape(shape) for part in (limit, error, FIRST / 2.0**level)]


def moved(points, axis, distance, directions):
    """Points moved along an axis by a distance, a number or an array `(n, 1)`."""
    if isinstance(axis, str):
        return points + tf.cast(distance, points.dtype) * directions[axis]
    unit = tf.one_hot([axis], points.shape[1], dtype=points.dtype)
    return points + tf.cast(distance, points.dtype) * unit


def _steps(scale):
    """The steps for a coordinate: a power of two near `FIRST * scale`, halved again and again."""
    return FIRST * 2.0 ** np.round(np.log2(scale)) / 2.0 ** np.arange(LEVELS)


def _extrapolated(differences, rounding):
    """The limit for the step zero, a bound for its error, the level of the smallest step in it.

    Args:
        differences: array `(levels, ...)`, for one step after the other, each half of the last.
        rounding: what rounding alone may do to them, an array of that shape.
    """
    shape = differences.shape[1:]
    best, error = np.full(shape, np.nan), np.full(shape, np.inf)
    level = np.zeros(shape, int)
    lower, upper = _limits_of_finer(differences, rounding)
    column, last = differences, None
    for m in range(COLUMNS):
        for j in range(m + 1, LEVELS):
            found = np.abs(column[j] - column[j - 1])  # two chances would have to meet
            if last is not None:
                found = np.maximum(found, np.abs(column[j] - last[j]))
            outside = np.maximum(lower[j] - column[j], column[j] - upper[j])
            found = np.maximum(found + 2.0 * rounding[j], outside)
            better = np.isfinite(column[j]) & (found < error)
            best, error = np.where(better, column[j], best), np.where(better, found, error)
            level = np.where(better, j, level)
        last, column = column, _next_column(column, m + 1)
    return best, error, level


def _limits_of_finer(differences, rounding):
    """For each level the range in which the finer ones say that the limit is.

    A step far longer than the length over which the function changes gives differences that are
    small and agree with one another; the finer ones contradict them.
    """
    slack = np.zeros_like(differences)
    slack[1:] = np.abs(np.diff(differences, axis=0))
    slack = 2.0 * (np.maximum.accumulate(slack[::-1], axis=0)[::-1] + rounding)
    slack[~np.isfinite(slack)] = np.inf
    slack[-2:] = np.inf  # too few of them to tell rounding by chance from agreement
    known = np.where(np.isfinite(differences), differences, 0.0)
    lower = np.maximum.accumulate((known - slack)[::-1], axis=0)[::-1]
    upper = np.minimum.accumulate((known + slack)[::-1], axis=0)[::-1]
    return lower, upper


def _next_column(column, m):
    raised = np.full_like(column, np.nan)
    raised[m:] = column[m:] + (column[m:] - column[m - 1 : -1]) / (4.0**m - 1.0)
    return raised


def _noise_in(differences, scales):
    """The noise of the values, where noise of the size one does `scales` to the differences.

    The last of them, extrapolated twice, are true but for noise over a power of the step.
    """
    column = _next_column(_next_column(differences, 1), 2)
    last = np.abs(np.diff(column, axis=0) / scales[1:])[-5:]
    # The median: a kink that lies between two of these steps is no noise.
    return 4.0 * np.median(np.where(np.isfinite(last), last, 0.0), axis=0)


def _stairs(values):
    """The height of a step of values `(levels, nodes, n, m)` that rounding has made a staircase.

    There are none where neighbouring values are never the same.
    """
    gaps = np.diff(np.sort(values, axis=1), axis=1)
    least = np.min(np.where(gaps > 0, gaps, np.inf), axis=(0, 1))
    return np.where((gaps == 0).any(axis=(0, 1)) & np.isfinite(least), least, 0.0)
