"""What to say of a name that means nothing, or that its points lack."""

import difflib

from kpinn.derivatives.names.operators import OPERATORS
from kpinn.derivatives.names.parsing import is_of_coordinates, parse
from kpinn.options import did_you_mean
from kpinn.problem.arguments import At


def refuse_typing_error(names, name):
    """Raises `ValueError` for the name of an `Array` that looks like another one misspelt.

    A name that begins with no field is not that of a derivative: `k_x` and `grad_k` are arrays.
    So is `u_ref`, which a derivative with respect to coordinates cannot be.
    """
    try:
        found = parse(name, names.space).directions
        message, close = f"{name!r} is an array of the points?", _misspelt_axes(names, found)
    except ValueError as error:
        message, close = str(error), _misspelt(names, name)
    if close is not None:
        hint = f" Did you mean {close!r}?" if close else ""
        unknowns = ", ".join(names.unknowns) or "none"
        raise ValueError(f"{message}{hint} Unknowns: {unknowns}.") from None


def _misspelt(names, name):
    """What a name without meaning was meant to be, empty if it is only known to be wrong."""
    prefix, _, rest = name.partition("_")
    if prefix in OPERATORS:
        wrong = not rest or rest in names.space.fields
        return "" if wrong else _close(f"{prefix}_", rest, _long(names.space.fields))
    if any(name.startswith(f"{field}_") for field in names.space.fields):
        return _misspelt_derivative(names, name)
    coordinates = set(names.space.coordinates)
    if rest and (rest in coordinates or set(rest.replace("_", "")) <= coordinates):
        return _close("", prefix, _long(names.space.fields), f"_{rest}")
    known = [*coordinates, *names.space.fields, *names.unknowns]
    for field in names.space.fields:
        known += [f"{operator}_{field}" for operator in OPERATORS]
        known += [f"{field}_{coordinate}" for coordinate in names.space.coordinates]
    return _close("", name, known)


def _misspelt_derivative(names, name):
    """The same for a name that begins with a field, such as `u_y` or `u_ref`."""
    field = max((f for f in names.space.fields if name.startswith(f"{f}_")), key=len)
    parts = name[len(field) + 1 :].split("_")
    if all(is_of_coordinates(part, names.space) for part in parts):
        close = _close("", name, [f"{field}_{each}" for each in names.space.coordinates])
        return close or ""
    return _misspelt_axes(names, parts)


def _misspelt_axes(names, parts):
    """The coordinate of a long name that one of some names was meant to be."""
    names = _long(names.space.coordinates)
    found = [_close("", part, names) for part in parts if part.strip("0123456789") not in names]
    return next((close for close in found if close), None)


def missing(names, argument, widths):
    """What to tell a user whose points lack an `Array`, or have one in the place of `At`."""
    if isinstance(argument, At):
        return (
            f"asks for {argument.name!r}, the function that gives fields at other points, and its "
            "points have an array of that name: give the array another one."
        )
    hint = ""
    if argument.request is not None:
        shapes = " or ".join(f"(n, {size})" for size in sorted(names.space.bases))
        directions = ", ".join(argument.request.directions)
        hint = f" (nor is {directions!r} a direction of shape {shapes})"
    return (
        f"asks for {argument.name!r}, which is neither known nor an array of its points{hint}. "
        f"Its points have {', '.join(widths) or 'nothing'}; there are {names.describe()}. "
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
