"""The private name of Keras that the engine needs."""


def all_layers(layer):
    """A layer and all layers in it."""
    return list(layer._flatten_layers())
