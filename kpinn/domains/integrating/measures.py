"""Quadrature over the part of a unit cube in which conditions hold.

The integral is iterated: the outer numbers are cut where the intervals of the last one change
their number or what ends them, and where their ends have kinks; between the cuts everything is
smooth, and Gauss's rule converges fast. An end at which an interval closes has a square root,
which a substitution takes away.

References:
    Saye, "High-order quadrature methods for implicitly defined surfaces and volumes in
    hyperrectangles" (2015), which cuts at critical points of polynomials; here the conditions are
    any continuous functions, and the cuts are found by search.
"""

import dataclasses
import functools

import numpy as np

from kpinn.domains.integrating.extrema import grid_places, hidden
from kpinn.domains.integrating.lines import NOTHING, TINY, sections
from kpinn.domains.sampling import tensor

ORDERS = (14, 21)  # of two rules that agree where a piece is smooth
AGREE = {2: 2e-14, 3: 1e-12}  # by numbers, as the next three
SHARP = {2: 1e-15, 3: 1e-12}  # how exactly cuts are placed
SHORT = {2: TINY, 3: 1e-11}  # what is shorter is left out
GRIDS = {1: (256, 181), 2: (64, 45), 3: (24, 17)}  # by numbers: of the rule and of its check
DEPTH = {2: 24, 3: 6}  # most halvings of a piece
MOST = 4  # changes of the kind between neighbours of the grid; what is more comes of rounding
STRONG = 1e-3  # smallest change of slope that is a kink


@dataclasses.dataclass(frozen=True)
class Rule:
    """A quadrature rule.

    Attributes:
        points: nodes `(m, numbers)` in the unit cube.
        weights: `(m,)`; their sum is the measure of the set.
        error: how much the measure or a first moment changes at another resolution: an estimate.
    """

    points: np.ndarray
    weights: np.ndarray
    error: float


def cube_rule(conditions, numbers, n=400):
    """A quadrature rule for the points of the unit cube in which all conditions hold.

    Args:
        conditions: functions of rows `(m, numbers)` to values `(m,)`: at most zero where they
            hold, continuous, and smooth apart from kinks.
        numbers: 1, 2 or 3.
        n: number of nodes of one smooth piece; where there are `k` pieces there are `k n`.

    Returns:
        `Rule`. Polynomials, and smooth functions if `n` is large, are integrated to about 1e-13
        over sets with edges that are smooth apart from corners. A part of the set, or a hole,
        that is far smaller than a grid of 1 / 64 (1 / 24 with three numbers) may be overlooked.
    """
    plain = [lambda rows, of=condition: of(rows[:, 1:]) for condition in conditions]
    _, points, weights, (error,) = cube_rules(plain, numbers, 1, n)
    return Rule(points, weights, float(error))


def cube_rules(conditions, numbers, count, n=400):
    """The rules of `cube_rule` for several sets at once, which takes fewer and larger calls.

    Args:
        conditions: as there, of rows `(m, 1 + numbers)`: the first column is the number of the set.
        numbers: 1, 2 or 3.
        count: of sets.
        n: number of nodes of one smooth piece.

    Returns:
        Numbers of the sets `(m,)`, nodes `(m, numbers)`, weights `(m,)`, and errors `(count,)`.
    """
    order = max(2, round(n ** (1 / numbers)))
    fine, coarse = GRIDS[numbers]
    sets = np.arange(count)[:, None].astype("float64")
    rule = _rule(_Set(tuple(conditions), numbers, fine), sets, order)
    check = _rule(_Set(tuple(conditions), numbers, coarse), sets, order + 3)
    errors = np.abs(_moments(*rule, count) - _moments(*check, count)).max(axis=1)
    return *rule, errors


@dataclasses.dataclass(frozen=True)
class _Set:
    """Sets in unit cubes; a prefix `(owners, 1 + numbers that are known)` begins with the set."""

    conditions: tuple
    numbers: int
    grid: int

    def left(self, prefix):
        """How many numbers a prefix leaves."""
        return self.numbers + 1 - prefix.shape[1]


def _moments(owner, points, weights, owners):
    """The measure, first and second moments of each owner, `(owners, 1 + 2 columns)`."""
    powers = np.column_stack([np.ones(len(points)), points, points**2]) * weights[:, None]
    sums = np.zeros((owners, powers.shape[1]))
    np.add.at(sums, owner, powers)
    return sums


def _rule(of, prefix, order):
    """Nodes of the numbers that a prefix leaves: owners `(m,)`, points `(m, left)`, weights."""
    if of.left(prefix) == 1:
        found = sections(of.conditions, prefix, of.grid)
        owner, place = np.nonzero(~np.isnan(found.lower))
        lower, upper = found.lower[owner, place], found.upper[owner, place]
        points, weights = _gauss(lower, upper, order)
        return np.repeat(owner, order), points.reshape(-1, 1), weights.ravel()
    owner, lower, upper, bent = _pieces(of, prefix)
    values, weights = _nodes(lower, upper, bent, order)
    owner = np.repeat(owner, order)
    inner = np.column_stack([prefix[owner], values.ravel()])
    child, points, inner_weights = _rule(of, inner, order)
    points = np.column_stack([values.ravel()[child], points])
    return owner[child], points, weights.ravel()[child] * inner_weights


# Rules on intervals ------------------------------------------------------------------------


@functools.cache
def legendre(order):
    """Gauss's rule on [0, 1]: nodes and weights `(order,)`."""
    points, weights = np.polynomial.legendre.leggauss(order)
    return 0.5 * (points + 1), 0.5 * weights


def _gauss(lower, upper, order):
    points, weights = legendre(order)
    width = (upper - lower)[:, None]
    return lower[:, None] + width * points, width * weights


def _bend(lower, upper, s):
    """A map from [0, 1] whose slope at both ends is zero: it makes square roots smooth."""
    return lower + (upper - lower) * np.sin(0.5 * np.pi * s) ** 2


def _nodes(lower, upper, bent, order):
    """Gauss's rule on intervals, through `_bend` where `bent` holds: `(m, order)` twice."""
    s, weights = legendre(order)
    plain, plain_weights = _gauss(lower, upper, order)
    slope = 0.5 * np.pi * np.sin(np.pi * s)
    width = (upper - lower)[:, None]
    bent = bent[:, None]
    points = np.where(bent, _bend(lower[:, None], upper[:, None], s), plain)
    return points, np.where(bent, width * weights * slope, plain_weights)


# Cuts where the kind of the inner sets changes ---------------------------------------------


def _kinds(of, prefix):
    """The kind of the set that a prefix leaves, as bytes; empty for the empty set."""
    if of.left(prefix) == 1:
        causes = sections(of.conditions, prefix, of.grid).causes
        nothing = np.int8(NOTHING).tobytes()
        kinds = [row.tobytes().rstrip(nothing) for row in causes]
    else:
        owner, _, _, pieces = _events(of, prefix)
        kinds = [b""] * len(prefix)
        for i, kind in zip(owner, pieces, strict=True):
            kinds[i] += kind + b"|"
    found = np.empty(len(kinds), object)
    found[:] = kinds
    return found


def _events(of, prefix):
    """Intervals of the next number on which the kind stays: owners, lower, upper, kinds."""
    owner, place = _scanned(of, prefix)
    kind = _kinds(of, np.column_stack([prefix[owner], place]))
    (i,) = np.nonzero((kind[1:] != kind[:-1]) & (owner[1:] == owner[:-1]))
    cuts = _sharpened(of, prefix, (owner[i], place[i], place[i + 1], kind[i], kind[i + 1]))
    first = np.append(True, owner[1:] != owner[:-1])
    owner = np.concatenate([owner[first], cuts[0]])
    lower = np.concatenate([np.zeros(len(prefix)), cuts[1]])
    kind = np.concatenate([kind[first], cuts[2]])
    order = np.lexsort((lower, owner))
    owner, lower, kind = owner[order], lower[order], kind[order]
    upper = np.append(lower[1:], 1.0)
    upper[np.append(owner[1:] != owner[:-1], True)] = 1.0
    keep = (upper - lower > SHORT[of.numbers]) & (kind != b"")
    return owner[keep], lower[keep], upper[keep], kind[keep]


def _scanned(of, prefix):
    """Owners and places of the next number at which the kind is looked at, sorted.

    A grid, and where a condition has an extremum of the other sign between the points of a grid
    of all numbers that are left.
    """
    left = of.left(prefix)
    places = grid_places(of.grid)
    mesh = tensor([places] * left)
    grid = np.column_stack([np.repeat(prefix, len(mesh), 0), np.tile(mesh, (len(prefix), 1))])
    owners = [np.repeat(np.arange(len(prefix)), len(places))]
    found = [np.tile(places, len(prefix))]
    for condition in of.conditions:
        values = condition(grid).reshape(len(prefix), *[len(places)] * left)
        owner, place, _, _ = hidden(
            lambda owner, x, of=condition: of(np.column_stack([prefix[owner], x])), values
        )
        owners.append(owner)
        found.append(place[:, 0])
    owner, place = np.concatenate(owners), np.concatenate(found)
    order = np.lexsort((place, owner))
    return owner[order], place[order]


def _sharpened(of, prefix, brackets):
    """Owners, places and kinds after them of all changes in brackets, to rounding."""
    owner, lower, upper, before, after = brackets
    parts = 12 if of.left(prefix) == 2 else 4
    source = np.arange(len(owner))
    width = 1 / of.grid
    while width > SHARP[of.numbers] and len(owner):
        width /= parts
        steps = np.linspace(0, 1, parts + 1)
        places = lower[:, None] + (upper - lower)[:, None] * steps
        places[:, -1] = upper
        rows = np.column_stack([np.repeat(prefix[owner], parts - 1, 0), places[:, 1:-1].ravel()])
        kinds = np.empty(places.shape, object)
        kinds[:, 0], kinds[:, -1] = before, after
        kinds[:, 1:-1] = _kinds(of, rows).reshape(len(owner), -1)
        i, j = np.nonzero(kinds[:, 1:] != kinds[:, :-1])
        keep = np.arange(len(i)) - np.searchsorted(source[i], source[i]) < MOST
        i, j = i[keep], j[keep]
        source, owner = source[i], owner[i]
        lower, upper, before, after = places[i, j], places[i, j + 1], kinds[i, j], kinds[i, j + 1]
    return owner, upper, after


# Smooth pieces -----------------------------------------------------------------------------


def _pieces(of, prefix):
    """Intervals of the next number on which the inner sets depend smoothly on it.

    Returns:
        Owners, lower and upper ends `(m,)`, and whether `_bend` is needed there.
    """
    owner, lower, upper, _ = _events(of, prefix)
    found = []
    outermost = of.left(prefix) == 3
    for _ in range(DEPTH[of.numbers] + 1):
        for bent in (False, True):
            bends = np.full(len(owner), bent)
            smooth = _is_smooth(of, prefix, (owner, lower, upper), bends)
            found.append((owner[smooth], lower[smooth], upper[smooth], bends[smooth]))
            owner, lower, upper = owner[~smooth], lower[~smooth], upper[~smooth]
        if not len(owner):
            break
        cut = 0.5 * (lower + upper) if outermost else _split_points(of, prefix[owner], lower, upper)
        owner = np.concatenate([owner, owner])
        lower, upper = np.concatenate([lower, cut]), np.concatenate([cut, upper])
    found.append((owner, lower, upper, np.ones(len(owner), bool)))
    owner, lower, upper, bent = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((lower, owner))
    return owner[order], lower[order], upper[order], bent[order]


def _is_smooth(of, prefix, intervals, bent):
    """Whether two rules agree for what the inner sets are like: bools `(m,)`."""
    owner, lower, upper = intervals
    if not len(owner):
        return np.zeros(0, bool)
    integrals = []
    for order in ORDERS:
        values, weights = _nodes(lower, upper, bent, order)
        features = _features(of, np.repeat(prefix[owner], order, 0), values.ravel())
        features = features.reshape(len(owner), order, -1)
        integrals.append(np.einsum("ij,ijk->ik", weights, features))
    most = max(one.shape[1] for one in integrals)
    first, second = (np.pad(one, ((0, 0), (0, most - one.shape[1]))) for one in integrals)
    return np.abs(first - second).max(axis=1, initial=0.0) <= AGREE[of.numbers]


def _features(of, prefix, values):
    """Numbers that say what the inner sets are like, `(n, features)`: ends or moments."""
    rows = np.column_stack([prefix, values])
    if of.left(rows) == 1:
        found = sections(of.conditions, rows, of.grid)
        return np.nan_to_num(np.concatenate([found.lower, found.upper], axis=1))
    return _moments(*_rule(of, rows, ORDERS[0]), len(rows))


def _split_points(of, prefix, lower, upper):
    """A place in each interval where the ends of the inner intervals have a kink, or the middle.

    It is where second differences are largest, on ever finer grids; those of a kink fall like
    the step, those of what is smooth like its square. Square roots at both ends are bent away.
    """
    start, stop = np.zeros(len(lower)), np.ones(len(lower))

    def ends(s):
        values = _bend(lower[:, None], upper[:, None], s)
        found = _features(of, np.repeat(prefix, s.shape[1], 0), values.ravel())
        return found.reshape(*s.shape, -1)

    for _ in range(9):
        s = start[:, None] + (stop - start)[:, None] * np.linspace(0, 1, 17)
        second = np.abs(np.diff(ends(s), n=2, axis=1)).max(axis=2, initial=0.0)
        best = np.argmax(second, axis=1)
        rows = np.arange(len(lower))
        start, stop = s[rows, best], s[rows, best + 2]
    place, step = 0.5 * (start + stop), 1e-5
    near = ends(np.clip(place[:, None] + step * np.array([-2, -1, 1, 2]), 0, 1))
    slopes = (near[:, [1, 3]] - near[:, [0, 2]]) / step
    change = np.abs(slopes[:, 1] - slopes[:, 0]) / (1 + np.abs(slopes).max(axis=1))
    kink = (change.max(axis=1, initial=0.0) > STRONG) & (np.abs(place - 0.5) < 0.4999)
    return _bend(lower, upper, np.where(kink, place, 0.5))
