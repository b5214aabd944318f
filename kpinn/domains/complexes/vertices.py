"""Vertices that are given by coordinates, as `x=[0, 1, 0], y=[0, 0, 1]`."""

import re
from collections.abc import Mapping

import numpy as np

from kpinn.domains.frames import TIMES, Frame, check_name, check_spatial_name
from kpinn.options import names
from kpinn.options.arrays import float_array


def vertices_by_name(shape, coordinates, example):
    """Vertices in space as a `Frame` and an array `(n, axes)`.

    Args:
        shape: what they belong to, for errors.
        coordinates: `{name: array (n,)}`, or `(n, d)` for a vector coordinate.
        example: how it is written, for errors.

    Raises:
        ValueError: if there is none, a name is not usable or that of time, values are not finite,
            or their numbers differ.
    """
    if not isinstance(coordinates, Mapping) or not coordinates:
        raise ValueError(f"{shape} needs vertices by coordinate, as in {example}.")
    columns = {}
    for name, values in coordinates.items():
        check_spatial_name(shape, name)
        columns[name] = column(f"`{name}` of {shape}", values)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{shape} needs as many values of each coordinate, got {lengths}.")
    frame = Frame({name: values.shape[1] for name, values in columns.items()})
    return frame, np.concatenate(list(columns.values()), axis=1)


def column(label, values):
    """Values of a coordinate as an array `(n, d)`, or an error which says what they are."""
    array = float_array(label, values)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or not array.size:
        raise ValueError(f"{label} must be an array (n,) or (n, d), got {np.shape(values)}.")
    if not np.all(np.isfinite(array)):
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise ValueError(f"{label} must be finite, and has {array[row].tolist()} at {row}.")
    return array


def check_dimensions(shape, frame, allowed):
    """Raises `ValueError` for a shape in a space of another dimension."""
    if frame.width not in allowed:
        raise ValueError(
            f"{shape} lies in {' or '.join(map(str, allowed))} dimensions, got {frame.width}: "
            f"{frame.coordinates}."
        )


def named_axes(shape, coordinates, allowed):
    """The `Frame` of names such as `"x y z"`, or `"x[3]"` for a vector coordinate.

    Args:
        shape: what has them, for errors.
        coordinates: text, or a sequence of texts.
        allowed: the numbers of dimensions that there may be.

    Raises:
        ValueError: for other names, those of time, and other dimensions.
    """
    text = names(f"The coordinates of {shape}", coordinates, "x y")
    parts = (text if isinstance(text, str) else " ".join(text)).replace(",", " ").split()
    sizes = {}
    for part in parts:
        found = re.fullmatch(r"(\w+)(?:\[(\d+)\])?", part)
        name = check_name(found[1] if found else part)
        if name in TIMES or name in sizes:
            why = "is time, and it lies in space" if name in TIMES else "is there twice"
            raise ValueError(f"{shape} has the coordinates {coordinates!r}: {name!r} {why}.")
        sizes[name] = int(found[2] or 1)
    frame = Frame(sizes)
    check_dimensions(shape, frame, allowed)
    return frame


def names_by_number(argument, given, count, what, taken=()):
    """`{number: names}` from `{name: number or several}`.

    Args:
        argument: what the dict is called in errors.
        given: the dict, or None.
        count: how many numbers there are.
        what: has the numbers: an edge or a face.
        taken: names that other parts have.

    Raises:
        ValueError: for other names, and for numbers that there are not.
    """
    found = {}
    if given is not None and not isinstance(given, Mapping):
        raise ValueError(
            f"`{argument}` is a dict such as {{'inlet': 0, 'wall': [1, 3]}}, not {given!r}."
        )
    for name, numbers in (given or {}).items():
        if not isinstance(name, str) or name in taken or name.startswith(f"{what} "):
            raise ValueError(
                f"A name in `{argument}` is a text that is not taken (taken: {[*taken]}, "
                f"'{what} 0' ...), got {name!r}."
            )
        several = np.atleast_1d(
            np.asarray(list(numbers) if isinstance(numbers, range) else numbers)
        )
        if several.dtype.kind not in "iu" or several.ndim > 1 or not several.size:
            raise ValueError(f"{name!r} in `{argument}` is a number or several, got {numbers!r}.")
        for number in several.tolist():
            if not 0 <= number < count:
                raise ValueError(
                    f"There is no {what} {number} for the name {name!r}: they are numbered from 0 "
                    f"to {count - 1}."
                )
            found.setdefault(number, set()).add(name)
    return found
