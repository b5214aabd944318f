"""Extrema of the other sign that hide between the points of a grid."""

import math

import numpy as np

from kpinn.domains.sampling import tensor

PARTS = {1: 16, 2: 6, 3: 4}  # of a window, by dimension, in each of which one point is tried
INSET = 1e-13  # of the ends of the grid from those of the cube, where values are zero too often
SMALL = 1e-9  # width of the last window over that of the first: the root of rounding


def grid_places(parts):
    """`parts + 1` places in the unit interval, none of which is a number that people like."""
    even = np.linspace(0, 1, parts + 1)
    return np.clip(even + 0.0618 * even * (1 - even), INSET, 1 - INSET)


def hidden(function, values):
    """Where a function has the other sign than on the points of a grid around.

    Args:
        function: from owners `(m,)` and points `(m, d)` of the unit cube to `(m,)`.
        values: its values on the grid of `grid_places`, `(owners, k, ..., k)`.

    Returns:
        Owners `(m,)`, points `(m, d)` at which `function <= 0` is otherwise than at the grid
        points around, and the lower and upper ends of the windows around them, `(m, d)`.
    """
    found = [_dips(function, values, 1.0), _dips(function, values, -1.0)]
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _dips(function, values, sign):
    """Positive local minima of `sign * function` that are not positive between the points."""
    values = sign * values
    lowest = values > 0
    rises = np.zeros(values.shape)
    for axis in range(1, values.ndim):
        step = np.diff(values, axis=axis)
        before = [(0, 0)] * values.ndim
        after = list(before)
        before[axis], after[axis] = (1, 0), (0, 1)
        lowest &= (np.pad(step, after) >= 0) & (np.pad(step, before) <= 0)
        rises += np.maximum(np.abs(np.pad(step, after)), np.abs(np.pad(step, before)))
    owner, *cell = np.nonzero(lowest & (values <= 1.1 * rises))
    last = values.shape[1] - 1
    cell = np.stack(cell, axis=1)
    places = grid_places(last)
    lower, upper = places[np.maximum(cell - 1, 0)], places[np.minimum(cell + 1, last)]
    index, point = _search(function, owner, lower, upper, sign)
    return owner[index], point, lower[index], upper[index]


def _search(function, owner, lower, upper, sign):
    """Indices of the windows in which the sign changes, and a point of each, by finer grids."""
    dimension = lower.shape[1]
    parts = PARTS[dimension]
    steps = np.linspace(0, 1, parts + 1)[1:-1]
    mesh = tensor([steps] * dimension)
    index, found = np.arange(len(owner)), []
    for _ in range(math.ceil(math.log(SMALL) / math.log(2 / parts))):
        if not len(index):
            break
        points = lower[:, None] + (upper - lower)[:, None] * mesh
        repeated = np.repeat(owner[index], len(mesh))
        values = sign * function(repeated, points.reshape(-1, dimension)).reshape(-1, len(mesh))
        best = np.argmin(values, axis=1)
        rows, width = np.arange(len(index)), (upper - lower) / parts
        place, value = points[rows, best], values[rows, best]
        changed = value <= 0 if sign > 0 else value < 0
        found.append((index[changed], place[changed]))
        go_on = ~changed & (value <= values.max(axis=1) - value)  # it may fall by that at most
        index = index[go_on]
        lower, upper = (place - width)[go_on], (place + width)[go_on]
    found.append((np.zeros(0, int), np.zeros((0, dimension))))
    index, point = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return index, point
