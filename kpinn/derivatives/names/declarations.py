"""Names of coordinates and fields as they are declared, and which cannot be told apart."""

import copy
import re

from kpinn.derivatives.names.parsing import parse

MOST = 2**22  # columns
_DECLARATION = re.compile(r"^([A-Za-z][A-Za-z0-9_]*)(?:\[(\d+)\])?$")


def split_names(names):
    """Splits `"u, u_x u_xx"` (or a sequence of names) into a tuple of names."""
    if isinstance(names, str):
        names = re.split(r"[,\s]+", names.strip())
    return tuple(name for name in names if name)


def declare(names, what, start=0):
    """Turns `"t x[100]"` into `{"t": slice(0, 1), "x": slice(1, 101)}`.

    Args:
        names: names as a string or a sequence, each with an optional number of components.
        what: "coordinate", "field" or "parameter", for the error message.
        start: the first column.

    Returns:
        A dict from name to the slice of its columns, in the order of the names.

    Raises:
        ValueError: for a malformed, repeated or missing name.
    """
    columns = {}
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
        if start > MOST:
            raise ValueError(f"{what} {item!r} makes more than {MOST} columns.")
    if not columns:
        raise ValueError(f"no {what} is named: expected at least one, such as {what}s='x'.")
    return columns


def check_names(space):
    """Raises `ValueError` for coordinates and fields whose names cannot be told apart."""
    letters = {name for name in space.coordinates if len(name) == 1}
    for name in space.coordinates:
        what = space.kind(name)
        if "_" in name:
            raise ValueError(
                f"{what} {name!r} has an underscore, which separates the coordinates in "
                f"names like 'u_x_x': rename it, for example to {name.replace('_', '')!r}."
            )
        if len(name) > 1 and set(name) <= letters:
            raise ValueError(
                f"{what} {name!r} cannot be told from the coordinates "
                f"{', '.join(name)} one after the other: rename it."
            )
    for name in space.fields:
        others = copy.copy(space)
        others.fields = {other: part for other, part in space.fields.items() if other != name}
        check_new_name(name, others)


def check_new_name(name, space):
    """Raises `ValueError` if `name` already means something in a space."""
    if name in space.coordinates or name in space.fields:
        raise ValueError(f"{name!r} is the name of a {space.kind(name)} and of something else.")
    try:
        request = parse(name, space, directions=())
    except ValueError:
        return
    raise ValueError(
        f"{name!r} already means a derivative of {request.field!r}: choose another name."
    )
