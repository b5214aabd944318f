"""The private names of Keras that the engine needs."""

from keras.src.backend.common import stateless_scope


def all_layers(layer):
    """A layer and all layers in it."""
    return list(layer._flatten_layers())


def in_stateless_scope():
    """Whether variables have other values for now, as in `Layer.stateless_call`."""
    return stateless_scope.in_stateless_scope()
