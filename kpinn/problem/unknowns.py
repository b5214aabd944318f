"""Unknowns of inverse problems: variables that are trained with the network."""

import functools
import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kpinn.optimizers.flat import join
from kpinn.options import flag, number, shown
from kpinn.options.arrays import float_array, numbers
from kpinn.options.configs import FromConfig

SHOWN = 20  # most entries of an unknown that the logs show one by one


@keras.saving.register_keras_serializable(package="kpinn")
class Within(FromConfig, keras.constraints.Constraint):
    """Keeps a variable between bounds: what goes beyond one ends on it.

    Keras's optimizers call it after each step. Those that look for a step by the loss or by a
    linear model of it are told the bounds, see `bounds`.

    Args:
        lower: a number or an array that fits the variable, with minus infinity for no bound.
        upper: the same, with infinity.
    """

    def __init__(self, lower=-math.inf, upper=math.inf):
        self.lower, self.upper = np.asarray(lower, "float64"), np.asarray(upper, "float64")

    def __call__(self, w):
        lower, upper = (ops.convert_to_tensor(end, w.dtype) for end in (self.lower, self.upper))
        return ops.minimum(ops.maximum(w, lower), upper)

    def get_config(self):
        """The arguments."""
        return {"lower": self.lower.tolist(), "upper": self.upper.tolist()}


def add_unknown(layer, name, initial, limits, dtype):
    """Adds a variable to a layer; see `PINN.unknown`.

    Args:
        layer: a Keras layer.
        name: name of the variable.
        initial: a number, or an array or nested list of numbers.
        limits: dict of `positive`, `lower` and `upper`.
        dtype: name of the dtype.
    """
    positive = flag("positive", limits["positive"])
    value = _first_value(name, initial, "(0, inf)" if positive else "(-inf, inf)")
    ends = _ends(name, value, **limits)
    _check_between(name, value, ends, dtype)
    free = np.isinf(ends).all()
    return layer.add_weight(
        name=name,
        shape=value.shape,
        initializer=keras.initializers.Constant(value[()]),  # Keras rounds a float
        constraint=None if free else Within(*ends),
        trainable=True,
        dtype=dtype,
    )


def bounds(variables, dtype):
    """The lower and the upper bounds of variables as one vector `(p,)`, `None` if there are none.

    Args:
        variables: list of variables, those of an `Objective`.
        dtype: dtype of the bounds, which are rounded as the variables are.
    """
    found = [v.constraint if isinstance(v.constraint, Within) else None for v in variables]
    if not any(found):
        return None
    pairs = [(each or Within(), v) for each, v in zip(found, variables, strict=True)]
    return tuple(
        join(
            [tf.broadcast_to(tf.constant(getattr(w, end), v.dtype), v.shape) for w, v in pairs],
            dtype,
        )
        for end in ("lower", "upper")
    )


def describe(name, variable):
    """Arguments of `PINN.unknown` that make an unknown again."""
    found = {"name": name, "initial": variable.numpy().tolist()}
    if isinstance(variable.constraint, Within):
        initial = ops.convert_to_numpy(variable.constraint(variable.value)).tolist()
        return found | {"initial": initial} | variable.constraint.get_config()
    return found


def readings(name, variable):
    """What the logs show of an unknown: dict from a label to a function of its value.

    A scalar is shown by its name, an array by its entries, `k[0]` or `k[0,1]`, or by its norm if
    there are many of them.
    """
    if math.prod(variable.shape) > SHOWN:
        return {f"{name}[norm]": ops.norm}
    places = entries(name, variable)
    return {label: functools.partial(_entry, place) for label, place in places.items()}


def entries(name, variable):
    """Dict from the label of each entry of an unknown, such as `"k[0,1]"`, to its place."""
    places = np.ndindex(*variable.shape)
    return {f"{name}[{','.join(map(str, i))}]" if i else name: i for i in places}


def on_bounds(variable):
    """Which entries of an unknown are on a bound, an array of its shape."""
    value, within = variable.numpy(), variable.constraint
    if not isinstance(within, Within):
        return np.zeros(value.shape, bool)
    lower, upper = (np.asarray(end, value.dtype) for end in (within.lower, within.upper))
    return (value <= lower) | (value >= upper)


def _entry(place, value):
    return value[place] if place else value


def _first_value(name, initial, interval):
    """The first value as an array of float64, without axes for a scalar."""
    label = f"initial of unknown {name!r}"
    if not _is_array(initial):
        return np.asarray(number(label, initial, interval))
    return numbers(label, initial, interval)


def _is_array(value):
    return isinstance(value, list | tuple) or (
        hasattr(value, "__array__") and getattr(value, "shape", ()) != ()
    )


def _ends(name, value, positive, lower, upper):
    """The bounds, a pair of arrays like the value; infinite where there is none."""
    if positive and lower is not None:
        raise ValueError(
            f"lower of unknown {name!r} is {shown(lower)} and it is positive, which is a lower "
            "bound too: pass one of the two."
        )
    if positive:
        lower = 1e-6 * value
    given = {"lower": (lower, -math.inf), "upper": (upper, math.inf)}
    return tuple(
        _end(f"{end} of unknown {name!r}", none if bound is None else bound, value.shape)
        for end, (bound, none) in given.items()
    )


def _end(label, bound, shape):
    bound = float_array(label, bound)
    try:
        return np.broadcast_to(bound, shape)
    except ValueError:
        raise ValueError(
            f"{label} has the shape {bound.shape}: expected a number, or an array {shape} as the "
            "first value is."
        ) from None


def _check_between(name, value, ends, dtype):
    """Raises `ValueError` unless bounds and first value are in order, as they will be rounded."""
    lower, value, upper = (np.asarray(each).astype(dtype) for each in (ends[0], value, ends[1]))
    if not (np.all(lower < upper) and np.all((lower <= value) & (value <= upper))):
        low, first, high = (shown(each.tolist()) for each in (lower, value, upper))
        raise ValueError(
            f"unknown {name!r} begins with initial={first} and has lower={low}, upper={high}: "
            "expected a lower bound below the upper one, and the first value between them."
        )
