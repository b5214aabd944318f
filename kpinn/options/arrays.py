"""Plain data: arrays, lists of numbers, and dicts of those."""

from collections.abc import Mapping

import keras
import numpy as np

from kpinn.options.checks import number

COMPLEX = "its numbers are complex: pass their real and imaginary parts as two arrays"
_MASKED = "it is masked, and its mask would be lost: pass the others, x[~x.mask].data"


def real_array(label, values):
    """Plain data as a numpy array, with all the digits and the dtype that it has.

    Args:
        label: what it is called in errors.
        values: an array, a nested list of numbers, or anything that numpy takes.

    Raises:
        ValueError: for what has no real numbers, or something beside them that would be lost.
    """
    try:
        if _is_masked(values):
            raise TypeError(_MASKED)
        array = np.asarray(values)
        if array.dtype.kind == "c":
            raise TypeError(COMPLEX)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"its dtype is {array.dtype}")
    except Exception as error:  # that of a ragged list, or of the object's own conversion
        reason = str(error).rstrip(".")
        raise ValueError(f"{label} is not an array of real numbers: {reason}.") from error
    return array


def float_array(label, values):
    """Real numbers as an array of float64; truth values are none.

    Args:
        label: what it is called in errors.
        values: a number, an array or a nested list of numbers.

    Raises:
        ValueError: for anything else.
    """
    array = real_array(label, values)
    if array.dtype.kind == "b":
        raise ValueError(f"{label} is not an array of real numbers: its dtype is bool.")
    return array.astype("float64")


def numbers(label, values, interval):
    """Real numbers in an interval as an array of float64.

    Args:
        label: what it is called in errors.
        values: a number, an array or a nested list of numbers.
        interval: such as `"(0, inf)"`, see `kpinn.options.number`.

    Raises:
        ValueError: for anything else, and if there is none.
    """
    array = float_array(label, values)
    if not array.size:
        raise ValueError(f"{label} is an empty array: expected some numbers.")
    for each in array.ravel():
        number(label, each, interval)
    return array


def check_finite(name, values, dtype):
    """Raises `ValueError` for data with NaN or infinity; tensors are taken as they are.

    Args:
        name: what it is called in the error.
        values: plain data, tensors, or a list with tensors.
        dtype: of numpy, in which it has to be finite.
    """
    many = values if isinstance(values, list | tuple) else [values]
    if not any(map(keras.ops.is_tensor, many)):
        with np.errstate(over="ignore"):  # too large for the dtype
            array = real_array(repr(name), values).astype(dtype)
        if bad := int(np.sum(~np.isfinite(array))):
            raise ValueError(f"{name!r} has NaN or infinity in {bad} of {array.size} values.")


def listed(values):
    """A list, a tuple or a one-dimensional array as a list; `None` for anything else."""
    if isinstance(values, list | tuple):
        return list(values)
    if not hasattr(values, "__array__") or isinstance(values, np.ma.MaskedArray):
        return None
    try:
        array = np.asarray(values)
    except (NotImplementedError, TypeError, ValueError):  # a tensor of a graph has no value yet
        return None
    return list(array) if array.ndim == 1 else None


def one_or_several(name, value, check, *options):
    """A number, or several in a list, as such.

    Args:
        name: of the argument.
        value: as it was given.
        check: of each number, such as `kpinn.options.number`, with its `options`.

    Raises:
        ValueError: for an empty list, and as the check.
    """
    many = listed(value)
    if many is None:
        return check(name, value, *options)
    if not many:
        raise ValueError(f"{name} is an empty list: expected some numbers.")
    return [check(name, each, *options) for each in many]


def as_dict(values):
    """A mapping of arrays, or a table of pandas, as a dict; anything else as it is."""
    is_table = hasattr(values, "columns") and hasattr(values, "items")
    return dict(values.items()) if is_table or isinstance(values, Mapping) else values


def without_lists(name, values):
    """Arrays, or dicts of arrays, with arrays in the place of lists of numbers.

    Keras takes none, and TensorFlow rounds their numbers to float32. A list of arrays stays one.

    Args:
        name: what they are called in errors.
        values: an array, a list, or nested dicts of these.
    """
    if isinstance(values, dict):
        return {key: without_lists(repr(key), part) for key, part in values.items()}
    is_list = isinstance(values, list | tuple) and not any(hasattr(v, "shape") for v in values)
    return real_array(name, values) if is_list else values


def _is_masked(values):
    if isinstance(values, list | tuple):
        return any(map(_is_masked, values))
    return isinstance(values, np.ma.MaskedArray)
