"""What the arguments of conditions are: every name is resolved once, to one of five kinds.

`Coordinate`, `Unknown`, `Quantity` (a field, a derivative or an operator), `At` (the function that
gives these at other points) or `Array` (what comes with the points). An `Array` whose name reads as
a derivative along a direction is that derivative where the points have the direction, see
`Names.at`. A name that is a coordinate, an unknown or a quantity is never looked up among the
arrays of the points.
"""

import dataclasses

from kpinn.derivatives.names.parsing import parse
from kpinn.derivatives.names.requests import Request


@dataclasses.dataclass(frozen=True)
class Coordinate:
    """Columns of the points."""

    name: str
    columns: slice = dataclasses.field(hash=False)


@dataclasses.dataclass(frozen=True)
class Unknown:
    """What is trained with the network, of a shape of its own."""

    name: str
    shape: tuple


@dataclasses.dataclass(frozen=True)
class Quantity:
    """A field, or what is made of its derivatives.

    Attributes:
        name: the argument.
        request: the `Request`.
        derived: whether its field is a derived one, and not one of the network.
    """

    name: str
    request: Request
    derived: bool


@dataclasses.dataclass(frozen=True)
class Array:
    """What comes with the points: an array, or the directions of a derivative.

    Attributes:
        name: the argument.
        request: the derivative that it is where the points have its directions; `None` for a name
            that is none.
        derived: as in `Quantity`.
    """

    name: str
    request: Request | None = None
    derived: bool = False


@dataclasses.dataclass(frozen=True)
class At:
    """A function that gives fields at other points, see `kpinn.problem.elsewhere`."""

    name: str = "at"


class Names:
    """The names of a problem, and what they mean.

    Args:
        network: the `Space` of the fields of the network.
        derived: dict from derived field to its number of components.
        unknowns: dict from name to variable.

    Attributes:
        space: the `Space` of all fields.
        network: the `Space` of the fields of the network.
        derived: dict from derived field to its `Space`.
        unknowns: dict from name to shape.
    """

    def __init__(self, network, derived, unknowns):
        self.network = network
        declared = [
            f"{name}[{part.stop - part.start}]" for name, part in self.network.fields.items()
        ]
        declared += [f"{name}[{size}]" for name, size in derived.items()]
        self.space = network.with_fields(declared)
        self.derived = {name: network.with_fields(f"{name}[{k}]") for name, k in derived.items()}
        self.unknowns = {name: tuple(variable.shape) for name, variable in unknowns.items()}

    def argument(self, name):
        """What a name means, as far as the points are not needed to know it."""
        if name in self.space.coordinates:
            return Coordinate(name, self.space.coordinates[name])
        if name in self.unknowns:
            return Unknown(name, self.unknowns[name])
        try:
            request = parse(name, self.space)
        except ValueError:
            return At() if name == At.name else Array(name)
        kind = Array if request.directions else Quantity
        return kind(name, request, request.field in self.derived)

    def at(self, argument, widths):
        """What an argument means at points with arrays of these widths, by name.

        Raises:
            ValueError: for an `Array` that the points do not have; for one that is named `at`.
        """
        if isinstance(argument, At) and argument.name in widths:
            raise ValueError
        if not isinstance(argument, Array):
            return argument
        try:
            return self.quantity(argument.name, widths)
        except ValueError:
            if argument.name not in widths:
                raise
            return Array(argument.name)

    def quantity(self, name, widths):
        """The `Quantity` that a name is at points; `ValueError` for anything else."""
        request = parse(name, self.space, self.directions(widths))
        return Quantity(name, request, request.field in self.derived)

    def directions(self, widths):
        """Names of the arrays that may be directions, as wide as there are coordinates."""
        bases = self.space.bases
        return [n for n, k in widths.items() if k in bases and n not in self.space.coordinates]

    def shape(self, argument, widths):
        """The shape of an argument, `None` for the number of points, which an unknown lacks.

        That of `At` is the shape of what stands for it, see `elsewhere.stand_in`.
        """
        if isinstance(argument, Unknown):
            return argument.shape
        if isinstance(argument, Coordinate):
            return None, argument.columns.stop - argument.columns.start
        if isinstance(argument, At):
            return None, 1
        if isinstance(argument, Array):
            return None, widths[argument.name]
        return None, *argument.request.shape(self.space)

    def describe(self):
        """All names."""
        return f"{self.space.describe()}; unknowns: {', '.join(self.unknowns) or 'none'}"


def order(request):
    """The order of the derivatives that a request is made of."""
    orders = {None: len(request.axes), "laplacian": 2, "hessian": 2, "biharmonic": 4}
    return orders.get(request.operator, 1)
