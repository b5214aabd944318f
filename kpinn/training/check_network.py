"""Whether a network fits the coordinates and fields of a PINN."""

import keras
import tensorflow as tf

from kpinn.derivatives.api import inference, input_dtype
from kpinn.derivatives.keras_private import all_layers
from kpinn.options import flag, keras_layer

HALF_PRECISION = ("float16", "bfloat16")


def check_network(network, space, allow_mixed_precision):
    """Builds a network and checks that it fits the names of a `Space`.

    Returns:
        The name of the dtype of its variables.

    Raises:
        ValueError: if it is no Keras layer, computes in half precision, or has other columns.
    """
    keras_layer("network", network)
    flag("allow_mixed_precision", allow_mixed_precision)
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
