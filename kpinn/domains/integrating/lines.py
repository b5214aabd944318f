"""Where conditions hold along lines: the ends of the intervals, to rounding.

A condition is a function of rows `(n, numbers)`, the points of the unit cube, to values `(n,)`; it
holds where the value is at most zero. It is continuous, and smooth apart from kinks.
"""

import dataclasses

import numpy as np

from kpinn.domains.integrating.extrema import grid_places, hidden

CUBE, NOTHING = -1, -2  # in place of the index of a condition: the end of the cube, no interval
TINY = 1e-14  # an interval that is shorter is none
HALVINGS = 30  # of a way from inside to outside
EPSILON = np.finfo("float64").eps


@dataclasses.dataclass(frozen=True)
class Sections:
    """The intervals of the last number on which all conditions hold, for each of `n` lines.

    Attributes:
        lower, upper: `(n, most)`, NaN after the last interval of a line.
        causes: int8 `(n, 2 most)`, which condition ends an interval there: its index, or `CUBE`;
            `NOTHING` after the last. Two lines with the same causes are of the same kind.
    """

    lower: np.ndarray
    upper: np.ndarray
    causes: np.ndarray


def sections(conditions, lines, grid):
    """The parts of lines on which all conditions hold.

    Args:
        conditions: functions of rows.
        lines: `(n, numbers - 1)`, all numbers of a line but the last, which runs over [0, 1].
        grid: number of parts of about one length; between their ends sign changes are looked
            for, and pairs of them about an extremum.

    Returns:
        `Sections`.
    """
    found = [_roots(condition, lines, grid) for condition in conditions]
    line = np.concatenate([one[0] for one in found] or [np.zeros(0, int)])
    root = np.concatenate([one[1] for one in found] or [np.zeros(0)])
    cause = np.repeat(np.arange(len(found)), [len(one[0]) for one in found])
    order = np.lexsort((root, line))
    line, root, cause = line[order], root[order], cause[order]
    place = np.arange(len(line)) - np.searchsorted(line, line) + 1
    ends = np.ones((len(lines), 2 + max(place, default=0)))
    causes = np.full(ends.shape, CUBE, "int8")
    ends[:, 0] = 0.0
    ends[line, place], causes[line, place] = root, cause
    _unite(ends, causes)
    inside = _inside(conditions, lines, ends)
    before = np.pad(inside[:, :-1], ((0, 0), (1, 0)))
    after = np.pad(inside[:, 1:], ((0, 0), (0, 1)))
    starts, stops = inside & ~before, inside & ~after
    lower, upper = _packed(ends[:, :-1], starts, np.nan), _packed(ends[:, 1:], stops, np.nan)
    first, last = _packed(causes[:, :-1], starts, NOTHING), _packed(causes[:, 1:], stops, NOTHING)
    both = np.stack([first, last], axis=2)
    return Sections(lower, upper, both.reshape(len(lines), 2 * first.shape[1]))


def _roots(condition, lines, grid):
    """Lines `(m,)` and places `(m,)` where one condition changes its sign."""

    def on_line(line, place):
        return condition(np.column_stack([lines[line], place]))

    places = grid_places(grid)
    line = np.repeat(np.arange(len(lines)), grid + 1)
    values = on_line(line, np.tile(places, len(lines))).reshape(len(lines), grid + 1)
    holds = values <= 0
    line, cell = np.nonzero(holds[:, :-1] != holds[:, 1:])
    start, stop = places[cell], places[cell + 1]
    owner, place, lower, upper = (part.ravel() for part in hidden(on_line, values))
    line = np.concatenate([line, owner, owner])
    start, stop = np.concatenate([start, lower, place]), np.concatenate([stop, place, upper])
    return line, solve(lambda x, which: on_line(line[which], x), start, stop)


def solve(function, lower, upper):
    """Roots between bounds where `function(x) <= 0` changes.

    Args:
        function: from numbers and the indices of the entries that they belong to, `(k,)` each, to
            values `(k,)`; continuous in each entry.
        lower, upper: `(n,)`.

    Returns:
        Array `(n,)`.

    References:
        Chandrupatla, "A new hybrid quadratic/bisection algorithm for finding the zero of a
        nonlinear function without using derivatives" (1997).
    """
    x1, x2 = lower, upper
    every = np.arange(len(x1))
    f1, f2 = function(x1, every), function(x2, every)
    part = np.full(len(x1), 0.5)
    done = np.zeros(len(x1), bool)
    for _ in range(100):
        width = np.abs(x2 - x1)
        done |= (f1 == 0) | (width <= 2 * EPSILON)
        if done.all():
            break
        x = np.where(done, x1, x1 + part * (x2 - x1))
        f, left = f1.copy(), every[~done]
        f[left] = function(x[left], left)
        same = (f <= 0) == (f1 <= 0)
        x3, f3 = np.where(same, x1, x2), np.where(same, f1, f2)
        x2, f2 = np.where(same | done, x2, x1), np.where(same | done, f2, f1)
        x1, f1 = x, f
        with np.errstate(all="ignore"):
            xi, phi = (x1 - x2) / (x3 - x2), (f1 - f2) / (f3 - f2)
            quadratic = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
            step = f1 / (f2 - f1) * f3 / (f2 - f3)
            step += (x3 - x1) / (x2 - x1) * f1 / (f3 - f1) * f2 / (f3 - f2)
            least = np.minimum(EPSILON / np.abs(x2 - x1), 0.5)
        part = np.clip(np.where(quadratic, step, 0.5), least, 1 - least)
    return np.where(np.abs(f1) <= np.abs(f2), x1, x2)


def last(holds, inside, outside):
    """The last points on the ways from points where something holds to others, by bisection.

    Args:
        holds: from points `(n, d)` to bools `(n,)`.
        inside, outside: `(n, d)`.

    Returns:
        Array `(n, d)`; what is asked holds there.
    """
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        found = holds(middle)[:, None]
        inside, outside = np.where(found, middle, inside), np.where(found, outside, middle)
    return inside


def _unite(ends, causes):
    """Roots of several conditions at one place get one cause, whatever their order by rounding."""
    close = ends[:, 1:] - ends[:, :-1] < 10 * TINY
    for columns in (range(close.shape[1]), reversed(range(close.shape[1]))):
        for j in columns:
            least = np.minimum(causes[:, j], causes[:, j + 1])
            for k in (j, j + 1):
                causes[:, k] = np.where(close[:, j], least, causes[:, k])


def _inside(conditions, lines, ends):
    """Whether all conditions hold between neighbouring ends `(n, k)`: bools `(n, k - 1)`."""
    middles = 0.5 * (ends[:, 1:] + ends[:, :-1])
    rows = np.column_stack([np.repeat(lines, middles.shape[1], axis=0), middles.ravel()])
    inside = np.ones(len(rows), bool)
    for condition in conditions:
        inside &= condition(rows) <= 0
    inside = inside.reshape(middles.shape)
    nothing = ends[:, 1:] - ends[:, :-1] < TINY
    before = np.zeros(len(lines), bool)
    for j in range(inside.shape[1]):  # what has no length neither joins nor parts its neighbours
        inside[:, j] = before = np.where(nothing[:, j], before, inside[:, j])
    return inside


def _packed(values, mask, fill):
    """The masked entries of each row, moved to its beginning: `(n, most)`."""
    row, _ = np.nonzero(mask)
    place = np.arange(len(row)) - np.searchsorted(row, row)
    packed = np.full((len(values), max(place, default=-1) + 1), fill, values.dtype)
    packed[row, place] = values[mask]
    return packed
