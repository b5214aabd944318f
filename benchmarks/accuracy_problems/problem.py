"""What a problem of the ladder is made of."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from kpinn.domains import Box

PI = math.pi


def begin(u, u0):
    """At the begin of a window `u` is what the last window ends with."""
    return u - u0


@dataclasses.dataclass(frozen=True)
class Evolution:
    """How a problem is solved in short windows of time, one after the other, see `march.py`.

    The equation does not change with time, so that a window knows its own time only, from zero.

    Attributes:
        equation: the condition inside.
        start: from places `(n, 1)` to all fields at t = 0, `(n, m)`.
        rate: the number by which the equation was divided.
        windows: their number.
        fields: names of the fields.
        period: of the place, `None` if the fields do not repeat.
        repeats: whether the interval is a whole period, not a half, at whose ends the fields are
            reflected.
        distance: factor of the fields, for those that are odd.
        begin: the condition at the begin of a window.
        walls: further conditions.
        data: from the time at which a window begins, and its length, to the points of `walls`.
    """

    equation: Callable
    start: Callable
    rate: float
    windows: int
    fields: str = "u"
    period: float | None = None
    repeats: bool = False
    distance: Callable | None = None
    begin: Callable = begin
    walls: Sequence = ()
    data: Callable | None = None


@dataclasses.dataclass(frozen=True)
class Problem:
    """A problem, what it is trained on and what it is compared with.

    Attributes:
        name: its name.
        box: its domain.
        make: makes the `kpinn.PINN`, a new one with each call.
        points: from a seed to what `fit` takes.
        target: the error to reach.
        exact: from coordinates, by name, to a dict of the fields that are compared, `(n, 1)`.
        grid: coordinates `(n, 1)`, by name, at which they are; the domain and its reflection.
        unknowns: of an inverse problem the exact values, which are compared instead.
        loss_weights: by condition.
        fresh: from a seed to new points during the training, of some conditions; by default
            `points`.
        evolution: how it is solved in windows of time, if it can be.
    """

    name: str
    box: Box
    make: Callable
    points: Callable
    target: float
    exact: Callable
    grid: Mapping
    unknowns: Mapping | None = None
    loss_weights: Mapping | None = None
    fresh: Callable | None = None
    evolution: Evolution | None = None

    def fresh_points(self, seed):
        """New points, drawn with other seeds than the first ones."""
        return (self.fresh or self.points)(1_000_000 + seed)

    def candidates(self, seed, count=5):
        """Several times as many new points, to choose from."""
        draws = [self.fresh_points(count * seed + i) for i in range(count)]
        return merged(draws)

    def error(self, pinn):
        """The relative L2 error of the fields, or the largest relative error of the unknowns."""
        if self.unknowns:
            found = {name: float(variable.numpy()) for name, variable in pinn.unknowns.items()}
            return max(abs(found[name] / exact - 1) for name, exact in self.unknowns.items())
        exact = self.exact(**self.grid)
        found = pinn.predict_fields(self.grid, ", ".join(exact))
        squares = sum(np.sum((found[name] - exact[name]) ** 2) for name in exact)
        return math.sqrt(squares / sum(np.sum(values**2) for values in exact.values()))


def merged(draws):
    """Arrays, or dicts of arrays, one behind the other."""
    if isinstance(draws[0], dict):
        return {name: merged([draw[name] for draw in draws]) for name in draws[0]}
    return np.concatenate(draws)


def computed_once(exact):
    """The same function, which keeps its last result: the grid is always the same."""
    kept = {}

    def function(**coordinates):
        if not all(kept.get(name) is array for name, array in coordinates.items()):
            kept.update(coordinates, result=exact(**coordinates))
        return kept["result"]

    return function


def bubble(x, y):
    """Zero on the boundary of the unit square."""
    return 16 * x * (1 - x) * y * (1 - y)
