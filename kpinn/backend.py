"""Keras's backend, checked before anything else of kpinn is imported."""

import keras

if keras.config.backend() != "tensorflow":
    raise ImportError(
        f"kpinn needs Keras's TensorFlow backend, but it is {keras.config.backend()!r}: set the "
        "environment variable KERAS_BACKEND=tensorflow before Python starts."
    )
