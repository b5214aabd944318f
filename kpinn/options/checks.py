"""Checks of arguments that several modules share: one line for each option.

Each returns the value, as a plain number where it is one, or raises a `ValueError` that names the
argument, the received value and what is allowed.
"""

import difflib
import inspect
import math
import numbers
import operator
import os
import reprlib

import keras
import numpy as np

_BELOW = {"(": operator.lt, "[": operator.le}
_ABOVE = {")": operator.lt, "]": operator.le}
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80


def positive_whole(name, value):
    """The value as an `int`.

    Args:
        name: what it is called in the error.
        value: a number.

    Raises:
        ValueError: unless it is a positive whole number.
    """
    return whole(name, value, 1)


def is_path(value):
    """Whether a value names a file or a folder of this machine."""
    is_name = isinstance(value, str | os.PathLike) and bool(str(value).strip())
    return is_name and "://" not in str(value)


def whole(name, value, least):
    """A whole number of at least `least` as an `int`."""
    found = _scalar(value)
    if found is None or not math.isfinite(found) or found != int(found) or found < least:
        kind = {0: "zero or a positive whole number", 1: "a positive whole number"}
        wanted = kind.get(least, f"a whole number of at least {least}")
        raise ValueError(f"{name} is {wanted}, not {shown(value)}.")
    return int(found)


def number(name, value, interval="(-inf, inf)"):
    """A real number in an interval, as a `float`.

    Args:
        name: what it is called in the error.
        value: a number.
        interval: such as `"[0, 1)"`, where a bracket includes the end and a parenthesis does not.
    """
    low, high = map(float, interval[1:-1].split(","))
    found = _scalar(value)
    above = found is not None and _BELOW[interval[0]](low, found)
    if not above or not _ABOVE[interval[-1]](found, high):
        usual = {"(-inf, inf)": "a finite number", "(0, inf)": "a positive number"}
        wanted = usual.get(interval, f"a number in {interval}")
        raise ValueError(f"{name} is {wanted}, not {shown(value)}.")
    return float(found)


def one_of(name, value, allowed):
    """One of a few texts, whole numbers or booleans, as it stands there."""
    for each in allowed:
        kind = numbers.Integral if type(each) is int else type(each)
        if isinstance(value, kind) and value == each and isinstance(value, bool) == (kind is bool):
            return each
    raise ValueError(
        f"{name} {shown(value)} is unknown: expected one of {', '.join(map(repr, allowed))}."
    )


def flag(name, value):
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} is True or False, not {shown(value)}.")
    return bool(value)


def text(name, value, example):
    """A string that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is a text such as {example!r}, not {shown(value)}.")
    return value


def names(name, value, example):
    """Names in one string or in a sequence of strings."""
    many = [value] if isinstance(value, str) else value
    are_names = isinstance(many, list | tuple) and all(isinstance(each, str) for each in many)
    if not are_names or not "".join(many).strip(" ,"):
        raise ValueError(f"{name} are names such as {example!r}, not {shown(value)}.")
    return value


def function(name, value, example):
    """Something that can be called."""
    if not callable(value):
        raise ValueError(f"{name} is a function, such as {example}, not {shown(value)}.")
    return value


def keras_layer(name, value):
    """A Keras model or layer."""
    if not isinstance(value, keras.layers.Layer):
        raise ValueError(
            f"{name} is {shown(value)}: expected a Keras model or layer from (n, d) to (n, m), "
            "such as kpinn.networks.MLP(units=20, depth=4)."
        )
    return value


def check_pinn(pinn):
    """Raises for what is no `kpinn.PINN`, known by what it has: its class is above all who ask."""
    if not hasattr(pinn, "objective"):
        raise ValueError(f"pinn is {shown(pinn)}: expected a kpinn.PINN.")


def of_keras(name, get, value):
    """What one of Keras's `get` functions makes of an identifier, such as `keras.losses.get`."""
    try:
        return get(value)
    except Exception as error:
        raise ValueError(f"{name} {shown(value)} is none that Keras knows: {error}") from error


def optional(check, name, value, *options):
    """`None`, or what another check of this module returns."""
    return None if value is None else check(name, value, *options)


def shown(value):
    """A value as errors show it: short, on one line."""
    return " ".join(_REPR.repr(value).split())


def did_you_mean(name, known):
    """The end of a sentence that proposes the nearest known name; empty if none is near."""
    lowered = {str(each).lower(): each for each in known}
    close = difflib.get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.7)
    return f" Did you mean {lowered[close[0]]!r}?" if close else ""


def _scalar(value):
    """A real number, of Python, numpy or TensorFlow, as one of Python; `None` for anything else."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return value if isinstance(value, int) else float(value)
    if isinstance(value, str | bytes | bool | np.bool_ | np.ma.MaskedArray):
        return None
    if getattr(value, "shape", None) != () or not hasattr(value, "__array__"):
        return None
    try:
        array = np.asarray(value)
    except (NotImplementedError, TypeError, ValueError):  # a tensor of a graph has no value yet
        return None
    return array.item() if array.dtype.kind in "iuf" else None


def argument_names(function, what, example):
    """Names of the arguments of a function that have no default value.

    Args:
        function: a callable that will be called by keywords.
        what: what it is called in the error.
        example: arguments as they should be, for the error.

    Raises:
        ValueError: for an argument that cannot be passed by its name.
    """
    names = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ValueError(f"{what} takes {parameter}: name each argument, such as {example}.")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise ValueError(
                f"{what} takes {parameter.name} by its position only: leave out the '/', so that "
                "it can be passed by its name."
            )
        if parameter.default is parameter.empty:
            names.append(parameter.name)
    return tuple(names)
