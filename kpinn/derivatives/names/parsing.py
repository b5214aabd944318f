"""From a name such as `u_xx` or `laplacian_u` to a `Request`."""

import re

from kpinn.derivatives.names.name_errors import no_axis, no_meaning, no_number
from kpinn.derivatives.names.operators import OPERATORS, check_operator
from kpinn.derivatives.names.requests import Request, axis_order, size_of

# A derivative with respect to one of these is a derivative with respect to a coordinate, never
# along a direction of that name: otherwise `u_y` on coordinates "t x" could not be refused.
COORDINATE_LETTERS = frozenset("xyztr")


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
        check_operator(name, operator, field, space)
        return Request(name, field, operator)
    for field in sorted(space.fields, key=len, reverse=True):
        if name.startswith(field + "_"):
            axes = _parse_axes(name, name[len(field) + 1 :], space, directions)
            return Request(name, field, axes=tuple(sorted(axes, key=axis_order)))
    raise no_meaning(name, space, OPERATORS)


def _parse_axes(name, suffix, space, directions):
    if directions is not None:
        directions = sorted(each for each in directions if not is_of_coordinates(each, space))
    axes = []
    for part in suffix.split("_"):
        found = _parse_part(part, space, directions)
        if found is None:
            raise no_axis(name, part, directions, space)
        axes.extend(found)
    for axis in axes:
        if isinstance(axis, slice):
            is_parameter = any(space.coordinates[each] == axis for each in space.parameters)
            raise no_number(name, size_of(axis), is_parameter)
    return axes


def is_of_coordinates(part, space):
    """Whether a part of a name is made of coordinates, there or not, such as `y` or `x3`."""
    parts = {*COORDINATE_LETTERS, *map(re.escape, space.coordinates)}
    numbered = [re.fullmatch(r"([a-z]+)\d+", name) for name in space.coordinates]
    parts |= {rf"{match[1]}\d+" for match in numbered if match}
    return re.fullmatch(f"(?:{'|'.join(sorted(parts))})+", part) is not None


def _parse_part(part, space, directions):
    if part in space.coordinates:
        return [_axis(space.coordinates[part])]
    if part and all(letter in space.coordinates for letter in part):
        return [_axis(space.coordinates[letter]) for letter in part]
    repeated = part[:1] if len(set(part)) == 1 else part
    for direction in (repeated, part):  # "nn" is twice along "n", or once along "nn"
        if directions is None:
            known = direction.isidentifier() and not is_of_coordinates(direction, space)
        else:
            known = direction in directions
        if known:
            return [direction] * (len(part) // len(direction))
    return None


def _axis(columns):
    return columns.start if size_of(columns) == 1 else columns
