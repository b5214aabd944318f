"""Unknowns of inverse problems: scalar variables that are trained with the network."""

import keras
import numpy as np
from keras import ops

from kpinn.options import flag, number
from kpinn.options.configs import FromConfig


@keras.saving.register_keras_serializable(package="kpinn")
class AtLeast(FromConfig, keras.constraints.Constraint):
    """Keeps a variable at or above `minimum`."""

    def __init__(self, minimum):
        self.minimum = float(minimum)

    def __call__(self, w):
        return ops.maximum(w, ops.convert_to_tensor(self.minimum, w.dtype))

    def get_config(self):
        """The argument."""
        return {"minimum": self.minimum}


def add_unknown(layer, name, initial, positive, dtype):
    """Adds a scalar variable to a layer; see `PINN.unknown`."""
    positive = flag("positive", positive)
    interval = "(0, inf)" if positive else "(-inf, inf)"
    value = number(f"initial of unknown {name!r}", initial, interval)
    return layer.add_weight(
        name=name,
        shape=(),
        initializer=keras.initializers.Constant(np.float64(value)),  # Keras rounds a float
        constraint=AtLeast(1e-6 * value) if positive else None,
        trainable=True,
        dtype=dtype,
    )


def describe(name, variable):
    """Arguments of `PINN.unknown` that make an unknown again."""
    positive = isinstance(variable.constraint, AtLeast)
    return {"name": name, "initial": float(variable.numpy()), "positive": positive}
