"""Measures and quadrature of patches: closed forms where there are, else the rule of `measures`."""

import functools
import math

import numpy as np

from kpinn.domains import sampling
from kpinn.domains.measures import cube_rule
from kpinn.domains.patches import shares

CUT = {1: 64, 2: 400, 3: 1_000}  # nodes by numbers, of each smooth piece that is cut out
PANEL = 16  # nodes of Gauss's rule on one of several intervals of a number
MOST = 2**20  # nodes in a patch
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
    unit, weights, error = _nodes(smooth, CUT.get(patch.numbers, 1), what)
    return Measure(math.fsum(_weighted(smooth, unit, weights, function)), error)


def _until_it_stays(patch, function):
    """The integral over a whole patch, with ever more nodes."""
    values, n = [math.nan], PANEL**patch.numbers
    while n <= MOST:
        unit, weights = _gauss(patch.numbers, n)
        weights = weights * patch.measure * _density(patch, unit)
        values.append(math.fsum(_weighted(patch, unit, weights, function)))
        if abs(values[-1] - values[-2]) <= STAYS * patch.measure:
            return Measure(values[-1])
        n *= 2**patch.numbers
    return Measure(values[-1], abs(values[-1] - values[-2]))


def _weighted(patch, unit, weights, function):
    return weights if function is None else weights * function(*_placed(patch, unit))


def rule(patches, n, what):
    """A quadrature of about `n` nodes in all patches: rows `(m, axes)` and weights `(m,)`."""
    counts = sampling.allocate(n, shares(patches)).tolist()
    found = []
    for patch, k in zip(patches, counts, strict=True):
        smooth = patch.smooth or patch
        unit, weights, _ = _nodes(smooth, max(k, 1), what)
        found.append((smooth.place(unit, np), weights))
    return tuple(np.concatenate(each) for each in zip(*found, strict=True))


def _placed(patch, unit):
    return patch.place(unit, np), None if patch.normal is None else patch.normal(unit, np)


def _nodes(patch, n, what):
    """Unit nodes `(m, numbers)`, weights `(m,)` of the measure, and the error of their sum."""
    numbers = patch.numbers
    if not patch.is_cut or not numbers:
        unit, weights = _gauss(numbers, n)
        holds = [condition(unit, np) <= 0 for condition in patch.conditions]
        weights, error = weights * np.all(holds, axis=0), 0.0
    elif numbers > 3:
        raise ValueError(
            f"There is no quadrature for {what}, which has {numbers} dimensions and curved or cut "
            "pieces. Estimate integrals by points: domain.sample(n, 'halton', extras='w')."
        )
    else:
        conditions = [functools.partial(_value, condition) for condition in patch.conditions]
        found = cube_rule(conditions, numbers, n)
        unit, weights, error = found.points, found.weights, found.error
    return unit, weights * _density(patch, unit) * patch.measure, error * patch.measure


def _density(patch, unit):
    return 1.0 if patch.density is None else patch.density(unit, np)


def _value(condition, unit):
    return condition(unit, np)


def _gauss(numbers, n):
    """The product of Gauss's rules, of about `n` nodes together, on the unit cube."""
    if not numbers:
        return np.empty((1, 0)), np.ones(1)
    order = max(1, round(n ** (1 / numbers)))
    panels = max(1, order // PANEL)
    nodes, weights = np.polynomial.legendre.leggauss(order if panels == 1 else PANEL)
    nodes = ((nodes + 1) / 2 + np.arange(panels)[:, None]).ravel() / panels
    weights = np.tile(weights / 2 / panels, panels)
    unit = np.stack([each.ravel() for each in np.meshgrid(*[nodes] * numbers)], axis=1)
    factors = [each.ravel() for each in np.meshgrid(*[weights] * numbers)]
    return unit, np.prod(factors, axis=0)
