"""Unknowns of inverse problems: scalar variables that are trained with the network."""

import math

import keras
from keras import ops

from kpinn.configs import construct


@keras.saving.register_keras_serializable(package="kpinn")
class AtLeast(keras.constraints.Constraint):
    """Keeps a variable at or above `minimum`."""

    def __init__(self, minimum):
        self.minimum = float(minimum)

    def __call__(self, w):
        return ops.maximum(w, ops.cast(self.minimum, w.dtype))

    def get_config(self):
        """The argument."""
        return {"minimum": self.minimum}

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        return construct(cls, config)


def add_unknown(layer, name, initial, positive, dtype):
    """Adds a scalar variable to a layer; see `PINN.unknown`."""
    try:
        value = float(initial)
    except (TypeError, ValueError) as error:
        raise ValueError(f"unknown {name!r} begins at a number, not {initial!r}.") from error
    if not math.isfinite(value) or (positive and value <= 0):
        wanted = "positive" if positive else "finite"
        raise ValueError(f"unknown {name!r} begins at {value}, which is not {wanted}.")
    return layer.add_weight(
        name=name,
        shape=(),
        initializer=keras.initializers.Constant(value),
        constraint=AtLeast(1e-6 * value) if positive else None,
        trainable=True,
        dtype=dtype,
    )


def describe(name, variable):
    """Arguments of `PINN.unknown` that make an unknown again."""
    positive = isinstance(variable.constraint, AtLeast)
    return {"name": name, "initial": float(variable.numpy()), "positive": positive}
