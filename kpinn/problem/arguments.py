"""What the arguments of conditions are: every name is resolved once, to one of four kinds.

`Coordinate`, `Unknown`, `Quantity` (a field, a derivative or an operator) or `Array` (what comes
with the points). An `Array` whose name reads as a derivative along a direction is that derivative
where the points have the direction, see `Names.at`. A name that is a coordinate, an unknown or a
quantity is never looked up among the arrays of the points.
"""

import dataclasses
import difflib

from kpinn.derivatives.names.operators import OPERATORS
from kpinn.derivatives.names.parsing import parse
from kpinn.derivatives.names.requests import Request
from kpinn.derivatives.names.space import Space


@dataclasses.dataclass(frozen=True)
class Coordinate:
    """Columns of the points."""

    name: str
    columns: slice = dataclasses.field(hash=False)


@dataclasses.dataclass(frozen=True)
class Unknown:
    """A scalar that is trained with the network."""

    name: str


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


class Names:
    """The names of a problem, and what they mean.

    Args:
        coordinates: names of the coordinates, `"t x[3]"`.
        fields: names of the fields of the network, `"v[2] p"`.
        derived: dict from derived field to its number of components.
        unknowns: names of the unknowns.

    Attributes:
        space: the `Space` of all fields.
        network: the `Space` of the fields of the network.
        derived: dict from derived field to its `Space`.
        unknowns: tuple of names.
    """

    def __init__(self, coordinates, fields, derived, unknowns):
        self.network = Space(coordinates, fields)
        declared = [
            f"{name}[{part.stop - part.start}]" for name, part in self.network.fields.items()
        ]
        declared += [f"{name}[{size}]" for name, size in derived.items()]
        self.space = Space(coordinates, declared)
        self.derived = {name: Space(coordinates, f"{name}[{k}]") for name, k in derived.items()}
        self.unknowns = tuple(unknowns)

    def argument(self, name):
        """What a name means, as far as the points are not needed to know it."""
        if name in self.space.coordinates:
            return Coordinate(name, self.space.coordinates[name])
        if name in self.unknowns:
            return Unknown(name)
        try:
            request = parse(name, self.space)
        except ValueError:
            return Array(name)
        kind = Array if request.directions else Quantity
        return kind(name, request, request.field in self.derived)

    def at(self, argument, widths):
        """What an argument means at points with arrays of these widths, by name.

        Raises:
            ValueError: for an `Array` that the points do not have.
        """
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
        sizes = {self.space.input_size, len(self.space.spatial)}
        return [n for n, k in widths.items() if k in sizes and n not in self.space.coordinates]

    def shape(self, argument, widths):
        """The shape of an argument without the number of points; `None` for an unknown."""
        if isinstance(argument, Coordinate):
            return (argument.columns.stop - argument.columns.start,)
        if isinstance(argument, Unknown):
            return None
        if isinstance(argument, Array):
            return (widths[argument.name],)
        return argument.request.shape(self.space)

    # For errors --------------------------------------------------------------------------------

    def describe(self):
        """All names."""
        return f"{self.space.describe()}; unknowns: {', '.join(self.unknowns) or 'none'}"

    def refuse_typing_error(self, name):
        """Raises `ValueError` for the name of an `Array` that looks like another one misspelt."""
        try:
            parse(name, self.space)
            return
        except ValueError as error:
            message = str(error)
        known = [*self.space.coordinates, *self.space.fields, *self.unknowns]
        for field in self.space.fields:
            known += [f"{operator}_{field}" for operator in OPERATORS]
            known += [f"{field}_{coordinate}" for coordinate in self.space.coordinates]
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        prefix, _, suffix = name.partition("_")
        letters = set(suffix.replace("_", ""))
        of_coordinates = suffix in self.space.coordinates or letters <= set(self.space.coordinates)
        begins_with_field = any(name.startswith(f"{f}_") for f in self.space.fields)
        if close or begins_with_field or prefix in OPERATORS or (suffix and of_coordinates):
            hint = f" Did you mean {close[0]!r}?" if close else ""
            unknowns = ", ".join(self.unknowns) or "none"
            raise ValueError(f"{message}{hint} Unknowns: {unknowns}.") from None

    def missing(self, argument, widths):
        """What to tell a user whose points lack an `Array`."""
        hint = ""
        if argument.request is not None:
            sizes = {len(self.space.spatial), self.space.input_size} - {0}
            shapes = " or ".join(f"(n, {size})" for size in sorted(sizes))
            directions = ", ".join(argument.request.directions)
            hint = f" (nor is {directions!r} a direction of shape {shapes})"
        return (
            f"asks for {argument.name!r}, which is neither known nor an array of its points{hint}. "
            f"Its points have {', '.join(widths) or 'nothing'}; there are {self.describe()}."
        )


def order(request):
    """The order of the derivatives that a request is made of."""
    orders = {None: len(request.axes), "laplacian": 2, "hessian": 2, "biharmonic": 4}
    return orders.get(request.operator, 1)
