"""Keras's backend, checked before anything else of kpinn is imported, and its precision."""

import keras

if keras.config.backend() != "tensorflow":
    raise ImportError(
        f"kpinn needs Keras's TensorFlow backend, but it is {keras.config.backend()!r}: set the "
        "environment variable KERAS_BACKEND=tensorflow before Python starts."
    )


def set_float64():
    """Makes float64 the dtype of everything that is created afterwards.

    It sets both of Keras's settings, `floatx` (arrays, losses, metrics) and the dtype policy
    (layers): with only one of them, part of a model silently computes in float32. Call it before
    the first layer is made.
    """
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
