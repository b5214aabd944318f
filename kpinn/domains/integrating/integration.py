"""Measures and quadrature of patches: closed forms where there are, else the rule of `measures`."""

import dataclasses
import math
import weakref

import numpy as np

from kpinn.domains import sampling
from kpinn.domains.integrating.measures import cube_rule, cube_rules, legendre
from kpinn.domains.patches import shares
from kpinn.domains.sampling import tensor

CUT = {1: 64, 2: 400, 3: 1_000}  # nodes by numbers, of each smooth piece that is cut out
PANEL = 16  # nodes of Gauss's rule on one of several intervals of a number
MOST = 2**20  # nodes in a patch
TOGETHER = 64  # intervals that are cut, which are looked at together
PROBES = np.array([1e-9, 0.125, 0.375, 0.625, 0.875, 1 - 1e-9])  # in each interval of a number
KNOWN = weakref.WeakKeyDictionary()  # of patches that are cut: nodes for areas and volumes
STAYS = 1e-15  # relative change of an integral with more nodes that is rounding


class Measure(float):
    """A length, area or volume: a float, with an estimate of its error beside rounding.

    Attributes:
        error: zero for closed forms.
    """

    def __new__(cls, value, error=0.0):
        """A number and its error."""
        made = super().__new__(cls, value)
        made.error = float(error)
        return made

    @classmethod
    def total(cls, measures):
        """The sum of measures; their errors add up."""
        return cls(math.fsum(measures), sum(each.error for each in measures))

    def times(self, factor):
        """The measure times a number, or times another measure."""
        error = getattr(factor, "error", 0.0)
        return Measure(self * factor, self.error * abs(factor) + error * abs(self))


def measure(patches, what):
    """The measure of disjoint patches together, as a `Measure`."""
    return Measure.total([integral(patch, what) for patch in patches])


def flux(domain):
    """The volume of a domain by Gauss's theorem: the flux of `x / d` through its boundary."""
    space = domain.frame.spatial_axes
    center = (domain.lower + domain.upper)[space] / 2

    def outwards(rows, normals):
        return np.sum((rows[:, space] - center) * normals, axis=1) / len(space)

    return Measure.total([integral(patch, str(domain), outwards) for patch in domain.border])


def integral(patch, what, function=None):
    """The integral of a function over a patch, as a `Measure`; of 1 where there is none.

    Args:
        patch: `Patch`.
        what: it belongs to, for errors.
        function: `(rows, normals) -> (n,)`.

    Raises:
        ValueError: if a condition holds on a part of a patch of more than three dimensions.
    """
    if function is None and not patch.is_cut and not patch.density:
        return Measure(patch.measure)
    smooth = patch.smooth or patch
    if not patch.is_cut and patch.numbers:
        return _until_it_stays(smooth, function)
    if smooth not in KNOWN:
        KNOWN[smooth] = _nodes(smooth, CUT.get(patch.numbers, 1), what)
    unit, weights, error = KNOWN[smooth]
    return Measure(math.fsum(_weighted(smooth, unit, weights, function)), error)


def _until_it_stays(patch, function):
    """The integral over a whole patch, with ever more nodes."""
    pieces = _count(patch)
    values, n = [math.nan], min(PANEL**patch.numbers, 1 + MOST // (4 * pieces))
    while n * pieces <= MOST or len(values) < 3:
        unit, weights = _gauss(patch, n)
        weights = weights * patch.measure * _density(patch, unit)
        values.append(math.fsum(_weighted(patch, unit, weights, function)))
        if abs(values[-1] - values[-2]) <= STAYS * patch.measure:
            return Measure(values[-1])
        n *= 2**patch.numbers
    return Measure(values[-1], abs(values[-1] - values[-2]))


def _weighted(patch, unit, weights, function):
    return weights if function is None else weights * function(*_placed(patch, unit))


def rule(patches, n, what):
    """A quadrature of about `n` nodes in all patches.

    Args:
        patches: tuple of `Patch`, disjoint.
        n: number of nodes, about.
        what: they are, for errors.

    Returns:
        Rows `(m, axes)`, normals `(m, spatial axes)` or None, and weights `(m,)`.
    """
    counts, found = sampling.allocate(n, shares(patches)).tolist(), []
    for patch, k in zip(patches, counts, strict=True):
        smooth = patch.smooth or patch
        unit, weights, _ = _nodes(smooth, max(k // _count(smooth), 1), what)
        found.append((*_placed(smooth, unit), weights))
    rows, normals, weights = zip(*found, strict=True)
    bare = any(each is None for each in normals)
    return np.concatenate(rows), None if bare else np.concatenate(normals), np.concatenate(weights)


def _placed(patch, unit):
    return patch.place(unit, np), None if patch.normal is None else patch.normal(unit, np)


def _nodes(patch, n, what):
    """Unit nodes `(m, numbers)`, weights `(m,)` of the measure, and the error of their sum."""
    numbers = patch.numbers
    if not patch.is_cut or not numbers:
        unit, weights = _gauss(patch, n)
        holds = [condition(unit, np) <= 0 for condition in patch.conditions]
        weights, error = weights * np.all(holds, axis=0), 0.0
    elif numbers > 3:
        raise ValueError(
            f"There is no quadrature for {what}, which has {numbers} dimensions and curved or cut "
            "pieces. Estimate integrals by points: domain.sample(n, 'halton', extras='w')."
        )
    else:
        unit, weights, error = _cut(patch, n)
    return unit, weights * _density(patch, unit) * patch.measure, error * patch.measure


def _cut(patch, n):
    """Nodes where all conditions hold, their weights, and the error of the sum.

    Intervals in which a patch is smooth are looked at one by one; many are not cut.
    """
    if not patch.breaks:
        found = cube_rule([_plain(condition) for condition in patch.conditions], patch.numbers, n)
        return found.points, found.weights, found.error
    lower, widths = _intervals(patch)
    units, weights, errors = [np.empty((0, patch.numbers))], [np.empty(0)], 0.0
    is_inside, is_cut = _state(patch, lower, widths)
    whole = dataclasses.replace(patch, keep=(), cut=(), breaks={}, periodic=())
    nodes, shares_of_nodes = _gauss(whole, max(n, 2**patch.numbers))
    sizes = np.prod(widths, axis=1)
    for k in np.flatnonzero(is_inside):
        units.append(lower[k] + widths[k] * nodes)
        weights.append(sizes[k] * shares_of_nodes)
    cut = np.flatnonzero(is_cut)
    for start in range(0, len(cut), TOGETHER):
        k = cut[start : start + TOGETHER]
        conditions = [_within(c, lower[k], widths[k]) for c in patch.conditions]
        order = max(n, CUT[patch.numbers] // 4)
        owner, inner, share, error = cube_rules(conditions, patch.numbers, len(k), order)
        units.append(lower[k][owner] + widths[k][owner] * inner)
        weights.append(sizes[k][owner] * share)
        errors += sizes[k] @ error
    return np.concatenate(units), np.concatenate(weights), errors


def _state(patch, lower, widths):
    """Which intervals of a patch lie inside by all conditions, and which are cut, `(m,)` each.

    The conditions are about distances: where they are farther from zero than points are from
    each other, there is no zero between these.
    """
    k = patch.numbers
    probes = tensor([PROBES] * k)
    unit = (lower[:, None] + widths[:, None] * probes).reshape(-1, k)
    grid = patch.place(unit, np).reshape(len(lower), *[len(PROBES)] * k, -1)
    steps = [np.diff(grid, axis=axis) for axis in range(1, k + 1)]
    apart = [np.linalg.norm(step, axis=-1).reshape(len(lower), -1).max(axis=1) for step in steps]
    values = [c(unit, np).reshape(len(lower), -1) for c in patch.conditions]
    inside = np.all([v.max(axis=1) < -np.sum(apart, axis=0) for v in values], axis=0)
    outside = np.any([v.min(axis=1) > np.sum(apart, axis=0) for v in values], axis=0)
    return inside, ~inside & ~outside


def _intervals(patch):
    """Lower ends and widths of the boxes that the breaks of a patch make, `(m, numbers)`."""
    return tensor([ends[:-1] for ends in patch.ends]), tensor([np.diff(e) for e in patch.ends])


def _count(patch):
    """How many intervals the breaks of a patch make."""
    return math.prod(map(len, patch.breaks.values()))


def _density(patch, unit):
    return 1.0 if patch.density is None else patch.density(unit, np)


def _plain(condition):
    return lambda unit: condition(unit, np)


def _within(condition, lower, widths):
    """A condition on numbers in one of several intervals, which the first column says."""

    def within(rows):
        which = rows[:, 0].astype(int)
        return condition(lower[which] + widths[which] * rows[:, 1:], np)

    return within


def _gauss(patch, n):
    """A product of about `n` nodes on the unit cube: Gauss's rule, the trapezoidal one in turns.

    Where the patch has breaks, as many in each interval between them.
    """
    if not patch.numbers:
        return np.empty((1, 0)), np.ones(1)
    order = max(2 if patch.breaks else 1, round(n ** (1 / patch.numbers)))
    order = order // PANEL * PANEL or order
    straight, turning = _panels(order), (np.arange(order) / order, np.full(order, 1 / order))
    rules = [turning if i in patch.periodic else straight for i in range(patch.numbers)]
    for number, ends in patch.breaks.items():
        widths = np.diff(ends, prepend=0.0)[:, None]
        nodes, weights = straight
        rules[number] = (ends[:, None] - widths * (1 - nodes)).ravel(), (widths * weights).ravel()
    nodes, weights = zip(*rules, strict=True)
    return tensor(nodes), np.prod(tensor(weights), axis=1)


def _panels(order):
    """Gauss's rule on [0, 1], or on equal pieces of it where there are many nodes."""
    pieces = max(1, order // PANEL)
    nodes, weights = legendre(order if pieces == 1 else PANEL)
    nodes = (nodes + np.arange(pieces)[:, None]).ravel() / pieces
    return nodes, np.tile(weights / pieces, pieces)
