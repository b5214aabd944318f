"""Layers that are others in training, such as dropout, and have no derivative at a point then."""

import keras

from kpinn.derivatives.graphs.tracing import bodies_of, graph_of
from kpinn.derivatives.inference import inference
from kpinn.derivatives.keras_private import all_layers
from kpinn.derivatives.operations.rules import differs_in_training

_SIZES = {  # of what they do
    keras.layers.AlphaDropout: "rate",
    keras.layers.Dropout: "rate",
    keras.layers.GaussianDropout: "rate",
    keras.layers.GaussianNoise: "stddev",
    keras.layers.SpatialDropout1D: "rate",
    keras.layers.SpatialDropout2D: "rate",
    keras.layers.SpatialDropout3D: "rate",
}


def refuse_random_layers(network, problem):
    """Raises `ValueError` for layers of a network that would do nothing in training.

    Args:
        network: a Keras layer.
        problem: the `Problem`.
    """
    names = [layer.name for layer in all_layers(network) if layer.trainable and _acts(layer)]
    if names and _acts_in_training(network, problem):
        raise ValueError(
            f"the network has {', '.join(names)}: dropout, noise and batch statistics have no "
            "pointwise derivative, and without them the layer does nothing in training. Leave the "
            "layer out, or set trainable = False to use it as in inference."
        )


def _acts(layer):
    """Whether a layer is one that draws random numbers or keeps statistics."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return True
    return any(isinstance(layer, kind) and getattr(layer, size) for kind, size in _SIZES.items())


def _acts_in_training(network, problem):
    """Whether such a layer is called as in training at all: a wrapper may say that it is not."""
    function = inference(network, problem.names.network, training=True)
    graph = graph_of(function, problem.space.input_size, problem.dtype)
    return graph is None or any(differs_in_training(n) for body in bodies_of(graph) for n in body)
