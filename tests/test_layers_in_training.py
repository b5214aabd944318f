"""Layers that are others in training are refused by `fit` where they do something."""

import keras
import numpy as np
import pytest

import kpinn

LAYERS = keras.layers
RNG = np.random.default_rng(0)
POINTS = {"t": RNG.uniform(size=6), "x": RNG.uniform(size=6)}


class AsInInference(LAYERS.Layer):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, x):
        return self.layer(x, training=False)


class Attention(LAYERS.Layer):
    """Over the four tokens of a point."""

    def __init__(self, **options):
        super().__init__()
        self.attention = LAYERS.MultiHeadAttention(2, 3, **options)

    def build(self, shape):
        self.attention.build((None, 4, 2), (None, 4, 2))
        self.built = True

    def call(self, x, training=None):
        tokens = keras.ops.reshape(x, (-1, 4, 2))
        return keras.ops.reshape(self.attention(tokens, tokens, training=training), (-1, 8))


def images(layer):
    return keras.Sequential([LAYERS.Reshape((2, 2, 2)), layer, LAYERS.Flatten()])


def nested(layer):
    return keras.Sequential([LAYERS.Dense(8, "tanh"), layer])


TAKEN = {
    "attention": Attention,
    "dropout": lambda: LAYERS.Dropout(0.0),
    "alpha dropout": lambda: LAYERS.AlphaDropout(0.0),
    "gaussian dropout": lambda: LAYERS.GaussianDropout(0.0),
    "noise": lambda: LAYERS.GaussianNoise(0.0),
    "spatial dropout": lambda: images(LAYERS.SpatialDropout2D(0.0)),
    "nested": lambda: nested(LAYERS.Dropout(0.0)),
    "as in inference": lambda: AsInInference(LAYERS.Dropout(0.5)),
    "statistics as in inference": lambda: AsInInference(LAYERS.BatchNormalization()),
    "frozen": lambda: LAYERS.Dropout(0.5, trainable=False),
}
REFUSED = {
    "attention": lambda: Attention(dropout=0.1),
    "dropout": lambda: LAYERS.Dropout(0.1),
    "alpha dropout": lambda: LAYERS.AlphaDropout(0.1),
    "gaussian dropout": lambda: LAYERS.GaussianDropout(0.1),
    "noise": lambda: LAYERS.GaussianNoise(0.1),
    "spatial dropout": lambda: images(LAYERS.SpatialDropout2D(0.1)),
    "nested": lambda: nested(LAYERS.Dropout(0.1)),
    "statistics": LAYERS.BatchNormalization,
}


def trained(layer):
    network = keras.Sequential([LAYERS.Dense(8, "tanh"), layer, LAYERS.Dense(1)])

    def slope(u_x):
        return u_x - 1.0

    pinn = kpinn.PINN(network, "t x", "u", conditions=[slope])
    pinn.compile(jit_compile=False)
    return pinn.fit(POINTS, verbose=0)


@pytest.mark.parametrize("name", TAKEN)
def test_layers_that_do_nothing_are_taken(name):
    assert np.isfinite(trained(TAKEN[name]()).history["loss"]).all()


@pytest.mark.parametrize("name", REFUSED)
def test_layers_that_do_something_are_refused(name):
    with pytest.raises(ValueError, match="dropout, noise and batch statistics have no pointwise"):
        trained(REFUSED[name]())
