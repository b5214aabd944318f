"""What the arguments of conditions are: every name is resolved once, to one of four kinds.

`Coordinate`, `Unknown`, `Quantity` (a field, a derivative or an operator) or `Array` (what comes
with the points). An `Array` whose name reads as a derivative along a direction is that derivative
where the points have the direction, see `Names.at`. A name that is a coordinate, an unknown or a
quantity is never looked up among the arrays of the points.
"""

import dataclasses
import difflib

from kpinn.derivatives.names.operators import OPERATORS
from kpinn.derivatives.names.parsing import is_of_coordinates, parse
from kpinn.derivatives.names.requests import Request
from kpinn.derivatives.names.space import Space
from kpinn.options import did_you_mean


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
        """Raises `ValueError` for the name of an `Array` that looks like another one misspelt.

        A name that begins with no field is not that of a derivative: `k_x` and `grad_k` are arrays.
        So is `u_ref`, which a derivative with respect to coordinates cannot be.
        """
        try:
            found = parse(name, self.space).directions
            message, close = f"{name!r} is an array of the points?", self._misspelt_axes(found)
        except ValueError as error:
            message, close = str(error), self._misspelt(name)
        if close is not None:
            hint = f" Did you mean {close!r}?" if close else ""
            unknowns = ", ".join(self.unknowns) or "none"
            raise ValueError(f"{message}{hint} Unknowns: {unknowns}.") from None

    def _misspelt(self, name):
        """What a name without meaning was meant to be, empty if it is only known to be wrong."""
        prefix, _, rest = name.partition("_")
        if prefix in OPERATORS:
            wrong = not rest or rest in self.space.fields
            return "" if wrong else _close(f"{prefix}_", rest, _long(self.space.fields))
        if any(name.startswith(f"{field}_") for field in self.space.fields):
            return self._misspelt_derivative(name)
        coordinates = set(self.space.coordinates)
        if rest and (rest in coordinates or set(rest.replace("_", "")) <= coordinates):
            return _close("", prefix, _long(self.space.fields), f"_{rest}")
        known = [*coordinates, *self.space.fields, *self.unknowns]
        for field in self.space.fields:
            known += [f"{operator}_{field}" for operator in OPERATORS]
            known += [f"{field}_{coordinate}" for coordinate in self.space.coordinates]
        return _close("", name, known)

    def _misspelt_derivative(self, name):
        """The same for a name that begins with a field, such as `u_y` or `u_ref`."""
        field = max((f for f in self.space.fields if name.startswith(f"{f}_")), key=len)
        parts = name[len(field) + 1 :].split("_")
        if all(is_of_coordinates(part, self.space) for part in parts):
            close = _close("", name, [f"{field}_{each}" for each in self.space.coordinates])
            return close or ""
        return self._misspelt_axes(parts)

    def _misspelt_axes(self, parts):
        """The coordinate of a long name that one of some names was meant to be."""
        names = _long(self.space.coordinates)
        found = [_close("", part, names) for part in parts if part.strip("0123456789") not in names]
        return next((close for close in found if close), None)

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
            f"Its points have {', '.join(widths) or 'nothing'}; there are {self.describe()}. "
            "Derivatives begin with a field, as u_x, operators stand before one, as grad_u; every "
            f"other name is an array that comes with the points: pass {argument.name!r} beside the "
            f"coordinates, unless it is misspelt.{did_you_mean(argument.name, widths)}"
        )


def _long(names):
    """Names that one can misspell and be understood."""
    return [name for name in names if len(name) > 2]


def _close(before, part, names, after=""):
    """The name that a part of a name is close to, with what stands around it; else `None`."""
    found = difflib.get_close_matches(part, names, n=1, cutoff=0.8)
    return f"{before}{found[0]}{after}" if found else None


def order(request):
    """The order of the derivatives that a request is made of."""
    orders = {None: len(request.axes), "laplacian": 2, "hessian": 2, "biharmonic": 4}
    return orders.get(request.operator, 1)
