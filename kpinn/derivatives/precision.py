"""The dtype in which a function is differentiated, and how precise it is."""

import keras
import tensorflow as tf

from kpinn.derivatives.keras_private import all_layers

EPSILON = {
    tf.float64: 2.0**-52,
    tf.float32: 2.0**-23,
    tf.float16: 2.0**-10,
    tf.bfloat16: 2.0**-7,
}


def input_dtype(function, points):
    """The dtype to differentiate in: that of the model's variables, else of the points."""
    if isinstance(function, keras.layers.Layer):
        variables = function.trainable_variables or function.variables
        variables = [v for v in variables if tf.as_dtype(v.dtype).is_floating]  # no seeds
        return tf.as_dtype(variables[0].dtype if variables else function.variable_dtype)
    arrays = list(points.values()) if isinstance(points, dict) else [points]
    kinds = [getattr(array, "dtype", None) for array in arrays]
    kinds = [kind for kind in kinds if kind is not None and getattr(kind, "kind", "f") in "fiub"]
    known = list(map(tf.as_dtype, kinds))
    floating = [kind for kind in known if kind.is_floating]
    if not floating:
        return tf.as_dtype(keras.config.floatx())
    return max(floating, key=lambda kind: kind.size)


def computing_layers(network):
    """The layers of a network that compute: a list without models and inputs.

    Args:
        network: a Keras layer or model.
    """
    idle = keras.Model | keras.layers.InputLayer  # they have a dtype and compute nothing
    return [layer for layer in all_layers(network) if not isinstance(layer, idle)]


def epsilon(function, dtype):
    """Machine epsilon of the least precise dtype that the function computes in."""
    dtypes = [dtype]
    if isinstance(function, keras.layers.Layer):
        dtypes += [tf.as_dtype(part.compute_dtype) for part in computing_layers(function)]
    return max(EPSILON[dtype] for dtype in dtypes if dtype in EPSILON)
