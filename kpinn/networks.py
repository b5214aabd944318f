"""Networks for PINNs. Any Keras model from `(n, d)` to `(n, m)` is one, too."""

import keras
import tensorflow as tf

from kpinn.derivatives.api import inference, input_dtype
from kpinn.derivatives.keras_private import all_layers
from kpinn.derivatives.requests import Space

HALF_PRECISION = ("float16", "bfloat16")


def MLP(units=20, depth=4, outputs=1, activation="tanh", name="mlp", **kwargs):
    """A multilayer perceptron: a plain `keras.Sequential` of `keras.layers.Dense`.

    Args:
        units: units of each hidden layer.
        depth: number of hidden layers.
        outputs: number of columns of the output.
        activation: activation of the hidden layers; smooth, for higher derivatives.
        name: name of the model.
        **kwargs: further arguments of the hidden layers, by default
            `kernel_initializer="glorot_normal"`; `dtype` and the initializer are those of the
            last layer too.

    Returns:
        A `keras.Sequential` from `(n, d)` to `(n, outputs)`.

    Raises:
        ValueError: for sizes below one.

    Example:

        network = kpinn.networks.MLP(units=20, depth=8)
    """
    for what, value in (("units", units), ("depth", depth), ("outputs", outputs)):
        if int(value) != value or value < 1:
            raise ValueError(f"{what} is a positive whole number, not {value!r}.")
    kwargs.setdefault("kernel_initializer", "glorot_normal")
    initializer = keras.initializers.get(kwargs.pop("kernel_initializer"))
    layers = [
        keras.layers.Dense(
            units, activation=activation, kernel_initializer=initializer.clone(), **kwargs
        )
        for _ in range(depth)
    ]
    last = keras.layers.Dense(
        outputs, kernel_initializer=initializer.clone(), dtype=kwargs.get("dtype")
    )
    return keras.Sequential([*layers, last], name=name)


def check_network(network, coordinates, fields, allow_mixed_precision):
    """Builds a network and checks that it fits the names.

    Returns:
        The name of the dtype of its variables.

    Raises:
        ValueError: if it is no Keras layer, computes in half precision, or has other columns.
    """
    if not isinstance(network, keras.layers.Layer):
        raise ValueError(
            f"network is {type(network).__name__}: expected a Keras model or layer from (n, d) to "
            "(n, m), such as kpinn.networks.MLP(units=20, depth=4)."
        )
    space = Space(coordinates, fields)
    if not network.built and isinstance(network, keras.Sequential):
        network.build((None, space.input_size))
    dtype = input_dtype(network, {})
    points = tf.fill((2, space.input_size), tf.constant(0.5, dtype))
    outputs = _try(network, points, space)
    if not allow_mixed_precision:
        _refuse_half_precision(network)
    if tuple(outputs.shape) != (2, space.output_size):
        raise ValueError(
            f"network {network.name!r} returns (n, {', '.join(map(str, outputs.shape[1:]))}): "
            f"expected (n, {space.output_size}). There are {space.describe()}."
        )
    return input_dtype(network, {}).name


def _try(network, points, space):
    try:
        return inference(network, space)(points)
    except Exception as error:
        raise ValueError(
            f"network {network.name!r} cannot be called on points of shape "
            f"(n, {space.input_size}), one column per coordinate. There are {space.describe()}. "
            f"It said: {error}"
        ) from error


def _refuse_half_precision(network):
    for layer in all_layers(network):
        if layer.compute_dtype in HALF_PRECISION:
            raise ValueError(
                f"layer {layer.name!r} computes in {layer.compute_dtype}, where second "
                "derivatives keep hardly any digit: use float32 or float64, or pass "
                "allow_mixed_precision=True if you know that it suffices."
            )
