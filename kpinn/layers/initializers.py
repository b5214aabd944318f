"""Initializers of Keras for several kernels."""

import keras


def another(initializer):
    """The same initializer with other draws; a function or an array as it is."""
    is_own = isinstance(initializer, keras.initializers.Initializer)
    return initializer.clone() if is_own else initializer
