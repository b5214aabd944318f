"""Names such as `u_xx` or `laplacian_u`, and what they mean over given coordinates and fields.

Pure Python: a name becomes a `Request`, a `Request` a list of partial derivatives. A partial
derivative is a sorted tuple of *axes*; an axis is the column of a coordinate (`int`) or the name
of a direction whose vectors come with the points (`str`).
"""

import copy
import dataclasses
import functools
import itertools
import re

from kpinn.derivatives.factors import factors_of

TIME_NAMES = ("t", "time")
# A derivative with respect to one of these is a derivative with respect to a coordinate, never
# along a direction of that name: otherwise `u_y` on coordinates "t x" could not be refused.
COORDINATE_LETTERS = frozenset("xyztr")
SUMS = ("laplacian", "biharmonic")  # operators that are sums of derivatives of each component
OPERATORS = ("grad", "laplacian", "hessian", "biharmonic", "div", "curl", "jac")
_DECLARATION = re.compile(r"^([A-Za-z][A-Za-z0-9_]*)(?:\[(\d+)\])?$")


def split_names(names):
    """Splits `"u, u_x u_xx"` (or a sequence of names) into a tuple of names."""
    if isinstance(names, str):
        names = re.split(r"[,\s]+", names.strip())
    return tuple(name for name in names if name)


def declare(names, what):
    """Turns `"t x[100]"` into `{"t": slice(0, 1), "x": slice(1, 101)}`.

    Args:
        names: names as a string or a sequence, each with an optional number of components.
        what: "coordinate" or "field", for the error message.

    Returns:
        A dict from name to the slice of its columns, in the order of the names.

    Raises:
        ValueError: for a malformed, repeated or missing name.
    """
    columns, start = {}, 0
    for item in split_names(names):
        match = _DECLARATION.match(item)
        if not match or match[2] == "0":
            raise ValueError(
                f"{what} {item!r} is not a name: expected letters and digits such as 'x', or "
                f"'x[3]' for a {what} with three components."
            )
        name, size = match[1], int(match[2] or 1)
        if name in columns:
            raise ValueError(f"{what} {name!r} is named twice in {names!r}.")
        columns[name] = slice(start, start + size)
        start += size
    if not columns:
        raise ValueError(f"no {what} is named: expected at least one, such as {what}s='x'.")
    return columns


def _size(columns):
    return columns.stop - columns.start


@dataclasses.dataclass(frozen=True)
class Request:
    """One requested quantity: a field, a derivative of it, or an operator on it.

    Attributes:
        name: the name it was asked for by, `"u_xx"`.
        field: the field, `"u"`.
        operator: `None` for a field or a partial derivative, one of `OPERATORS`, or
            `"combination"`.
        axes: for a partial derivative the axes, sorted; `()` for the field itself.
        terms: for a combination the pairs of a factor, a number or a `Factor`, and a `Request`.
    """

    name: str
    field: str
    operator: str | None = None
    axes: tuple = ()
    terms: tuple = ()

    def shape(self, space):
        """Shape of its value without the number of points."""
        size, dimension = space.size(self.field), len(space.spatial)
        shapes = {
            "grad": (dimension,),
            "hessian": (dimension, dimension),
            "jac": (size, dimension),
            "div": (1,),
            "curl": (1,) if dimension == 2 else (3,),
        }
        return shapes.get(self.operator, (size,))

    @property
    def directions(self):
        """Names of the directions that it needs."""
        inner = [axis for _, request in self.terms for axis in request.directions]
        return tuple(dict.fromkeys(inner + [a for a in self.axes if isinstance(a, str)]))


class Space:
    """The coordinates (columns of the input) and the fields (columns of the output).

    Args:
        coordinates: `"t x"`, or `"t x[3]"` with a vector-valued coordinate.
        fields: `"u p"`, or `"v[2] p"` with a vector field.

    Raises:
        ValueError: for names that cannot be told apart.
    """

    def __init__(self, coordinates, fields):
        self.coordinates = declare(coordinates, "coordinate")
        self.fields = declare(fields, "field")
        self.spatial = tuple(
            itertools.chain.from_iterable(
                range(columns.start, columns.stop)
                for name, columns in self.coordinates.items()
                if name not in TIME_NAMES
            )
        )
        self._check_names()

    def _check_names(self):
        letters = {name for name in self.coordinates if len(name) == 1}
        for name in self.coordinates:
            if "_" in name:
                raise ValueError(
                    f"coordinate {name!r} has an underscore, which separates the coordinates in "
                    f"names like 'u_x_x': rename it, for example to {name.replace('_', '')!r}."
                )
            if len(name) > 1 and set(name) <= letters:
                raise ValueError(
                    f"coordinate {name!r} cannot be told from the coordinates "
                    f"{', '.join(name)} one after the other: rename it."
                )
        for name in self.fields:
            others = copy.copy(self)
            others.fields = {other: part for other, part in self.fields.items() if other != name}
            others.check_new_name(name)

    def check_new_name(self, name):
        """Raises `ValueError` if `name` already means something in this space."""
        for what, names in (("coordinate", self.coordinates), ("field", self.fields)):
            if name in names:
                raise ValueError(f"{name!r} is the name of a {what} and of something else.")
        try:
            request = parse(name, self, directions=())
        except ValueError:
            return
        raise ValueError(
            f"{name!r} already means a derivative of {request.field!r}: choose another name."
        )

    @property
    def input_size(self):
        """Number of columns of the coordinates."""
        return sum(map(_size, self.coordinates.values()))

    @property
    def output_size(self):
        """Number of columns of the fields."""
        return sum(map(_size, self.fields.values()))

    def size(self, field):
        """Number of components of `field`."""
        return _size(self.fields[field])

    def check_output(self, shape, points_shape):
        """Raises `ValueError` for a function whose output has not one column per component."""
        if shape.rank != 2 or shape[1] != self.output_size:
            raise ValueError(
                f"the function returned the shape {tuple(shape)} for points of shape "
                f"{tuple(points_shape)}: expected (n, {self.output_size}), one column per "
                f"component of the fields. There are {self.describe()}."
            )

    def describe(self):
        """A sentence that lists the names, for error messages."""

        def listed(columns):
            return ", ".join(
                name if _size(part) == 1 else f"{name}[{_size(part)}]"
                for name, part in columns.items()
            )

        return f"coordinates: {listed(self.coordinates)}; fields: {listed(self.fields)}"


def parse(name, space, directions=None):
    """Reads one name.

    Args:
        name: `"u"`, `"u_xx"`, `"u_x1_x1"`, `"u_n"`, `"laplacian_u"`, ...
        space: the `Space` with the coordinates and fields.
        directions: names of the directions that there are; `None` if they are not known yet, so
            that any name that cannot be a coordinate may be one.

    Returns:
        A `Request`.

    Raises:
        ValueError: if the name has no meaning; the message lists what there is.
    """
    if name in space.fields:
        return Request(name, name)
    operator, _, field = name.partition("_")
    if operator in OPERATORS and operator not in space.fields:
        return _parse_operator(name, operator, field, space)
    for field in sorted(space.fields, key=len, reverse=True):
        if name.startswith(field + "_"):
            axes = _parse_axes(name, name[len(field) + 1 :], space, directions)
            return Request(name, field, axes=tuple(sorted(axes, key=axis_order)))
    raise ValueError(
        f"{name!r} is neither a field nor a derivative of one. There are {space.describe()}; "
        f"derivatives are named like {_example(space)}, operators are "
        f"{', '.join(f'{operator}_' for operator in OPERATORS)} before a field."
    )


def parse_all(requests, space, directions=None):
    """Reads what `kpinn.derivatives` accepts as requests.

    Args:
        requests: names, as a string or sequence; or a dict from any name to one request, or to a
            linear combination of requests such as `{"u_t": 1.0, "u_xx": -0.1}`, with numbers,
            tensors or each a `Factor`.
        space: the `Space`.
        directions: see `parse`.

    Returns:
        A list of `Request`.

    Raises:
        ValueError: for a name without meaning, or terms that cannot be added.
    """
    if not isinstance(requests, dict):
        requests = {name: name for name in split_names(requests)}
    if not requests:
        raise ValueError("no request: expected names such as 'u, u_x'.")
    found = []
    for name, what in requests.items():
        if isinstance(what, dict):
            found.append(combination(name, what, space, directions))
        else:
            found.append(dataclasses.replace(parse(what, space, directions), name=name))
    return found


def combination(name, terms, space, directions=None):
    """The `Request` for a linear combination of requests on one field.

    Raises:
        ValueError: for terms on several fields, without numbers, or of other shapes than the field.
    """
    pairs = []
    for term, factor in terms.items():
        request = parse(term, space, directions)
        if request.operator not in (None, *SUMS):
            raise ValueError(
                f"{name!r} adds up {term!r}: only derivatives, laplacian_ and biharmonic_ have the "
                "shape of the field and can be added."
            )
        pairs.extend((part, request) for part in factors_of(name, term, factor))
    fields = {request.field for _, request in pairs}
    if len(fields) != 1:
        raise ValueError(f"{name!r} adds up terms of {sorted(fields)}: expected one field.")
    return Request(name, fields.pop(), "combination", terms=tuple(pairs))


def _example(space):
    field, coordinate = next(iter(space.fields), "u"), next(iter(space.coordinates))
    joint = "" if len(coordinate) == 1 else "_"
    return f"'{field}_{coordinate}' or '{field}_{coordinate}{joint}{coordinate}'"


def axis_order(axis):
    """The key by which axes are sorted: columns first, then directions."""
    return (isinstance(axis, str), axis)


def _parse_axes(name, suffix, space, directions):
    letters = COORDINATE_LETTERS.union(name for name in space.coordinates if len(name) == 1)
    if directions is not None:
        directions = sorted(each for each in directions if not set(each) <= letters)
    axes = []
    for part in suffix.split("_"):
        found = _parse_part(part, space, letters, directions)
        if found is None:
            raise ValueError(
                f"{name!r} asks for a derivative with respect to {part!r}, which is not made of "
                f"coordinates{' or directions' if directions else ''}. There are "
                f"{space.describe()}"
                + (f"; directions: {', '.join(directions)}" if directions else "")
                + "."
            )
        axes.extend(found)
    for axis in axes:
        if isinstance(axis, slice):
            raise ValueError(
                f"{name!r}: the coordinate has {_size(axis)} components, so that a derivative "
                "with respect to it is not one number: ask for grad_, laplacian_ or a direction. "
                "If it is a direction itself, name the coordinates: coordinates='x y'."
            )
    return axes


def _parse_part(part, space, letters, directions):
    if part in space.coordinates:
        return [_axis(space.coordinates[part])]
    if part and all(letter in space.coordinates for letter in part):
        return [_axis(space.coordinates[letter]) for letter in part]
    repeated = part[:1] if len(set(part)) == 1 else part
    for direction in (repeated, part):  # "nn" is twice along "n", or once along "nn"
        if directions is None:
            known = direction.isidentifier() and direction[0] not in letters
        else:
            known = direction in directions
        if known:
            return [direction] * (len(part) // len(direction))
    return None


def _axis(columns):
    return columns.start if _size(columns) == 1 else columns


def _parse_operator(name, operator, field, space):
    if field not in space.fields:
        raise ValueError(
            f"{name!r}: {field!r} is not a field, and {operator}_ takes a field. There are "
            f"{space.describe()}."
        )
    dimension, size = len(space.spatial), space.size(field)
    if dimension == 0:
        raise ValueError(
            f"{name!r} is an operator over the spatial coordinates, but there are none beside "
            f"time: {space.describe()}."
        )
    if operator in ("grad", "hessian") and size != 1:
        raise ValueError(f"{name!r} takes a scalar field; for {field!r} use jac_{field}.")
    if operator == "div" and size != dimension:
        raise ValueError(
            f"{name!r} takes a field with one component per spatial coordinate ({dimension}), "
            f"but {field!r} has {size}."
        )
    if operator == "curl" and (size, dimension) not in ((2, 2), (3, 3)):
        raise ValueError(
            f"{name!r} takes a field with two components in two spatial dimensions or three in "
            f"three, but {field!r} has {size} in {dimension}."
        )
    return Request(name, field, operator)


# From an operator to the partial derivatives that it is made of -----------------------------


@functools.lru_cache(maxsize=1024)
def _operator_axes(operator, spatial):
    if operator in ("grad", "jac", "div", "curl"):
        return tuple((i,) for i in spatial)
    if operator == "laplacian":
        return tuple((i, i) for i in spatial)
    if operator == "hessian":
        return tuple(itertools.combinations_with_replacement(spatial, 2))
    pairs = itertools.combinations_with_replacement(spatial, 2)  # biharmonic
    return tuple((i, i, j, j) for i, j in pairs)


def partials(request, space):
    """The partial derivatives that a request is made of, as pairs `(column, axes)`."""
    if request.terms:
        return [key for _, term in request.terms for key in partials(term, space)]
    columns = range(space.fields[request.field].start, space.fields[request.field].stop)
    if request.operator is None:
        return [(column, request.axes) for column in columns]
    every = _operator_axes(request.operator, space.spatial)
    if request.operator == "div":
        return list(zip(columns, every, strict=True))
    if request.operator == "curl":
        return [(c, a) for (c, a) in itertools.product(columns, every) if not _same(c, a, space)]
    return list(itertools.product(columns, every))


def _same(column, axes, space):
    start = next(part.start for part in space.fields.values() if part.start <= column < part.stop)
    return space.spatial.index(axes[0]) == column - start
