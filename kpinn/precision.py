"""One switch for the precision."""

import keras


def set_float64():
    """Makes float64 the dtype of everything that is created afterwards.

    It sets both of Keras's settings, `floatx` (arrays, losses, metrics) and the dtype policy
    (layers): with only one of them, part of a model silently computes in float32. Call it before
    the first layer is made.
    """
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
