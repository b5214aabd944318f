"""Keras's version and backend, checked before anything else of kpinn is imported; its precision."""

import re

import keras

OLDEST_KERAS = (3, 15, 1)  # the first without a known way for a file to run code, see SECURITY.md


def check_keras(version):
    """Raises `ImportError` for a version of Keras that is too old, a text such as `"3.15.1"`."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if numbers < OLDEST_KERAS:
        oldest = ".".join(map(str, OLDEST_KERAS))
        raise ImportError(
            f"kpinn needs Keras {oldest} or later, but {version} is installed, in which a file "
            "that is loaded may run code or read other files: python -m pip install "
            f"'keras>={oldest}'."
        )


check_keras(keras.__version__)
if keras.config.backend() != "tensorflow":
    raise ImportError(
        f"kpinn needs Keras's TensorFlow backend, but it is {keras.config.backend()!r}: set the "
        "environment variable KERAS_BACKEND=tensorflow before Python starts."
    )


def set_float64() -> None:
    """Makes float64 the dtype of everything that is created afterwards.

    It sets both of Keras's settings, `floatx` (arrays, losses, metrics) and the dtype policy
    (layers): with only one of them, part of a model silently computes in float32. Call it before
    the first layer is made.
    """
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
