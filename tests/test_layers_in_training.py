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


OF_A_RATE = {
    "attention": lambda rate: Attention(dropout=rate),
    "dropout": LAYERS.Dropout,
    "alpha dropout": LAYERS.AlphaDropout,
    "gaussian dropout": LAYERS.GaussianDropout,
    "noise": LAYERS.GaussianNoise,
    "spatial dropout": lambda rate: images(LAYERS.SpatialDropout2D(rate)),
    "nested": lambda rate: nested(LAYERS.Dropout(rate)),
}
AS_IN_INFERENCE = {
    "called so": lambda: AsInInference(LAYERS.Dropout(0.5)),
    "statistics": lambda: AsInInference(LAYERS.BatchNormalization()),
    "frozen": lambda: LAYERS.Dropout(0.5, trainable=False),
}
REFUSED = "dropout, noise and batch statistics have no pointwise"


def trained(layer):
    network = keras.Sequential([LAYERS.Dense(8, "tanh"), layer, LAYERS.Dense(1)])

    def slope(u_x):
        return u_x - 1.0

    pinn = kpinn.PINN(network, "t x", "u", conditions=[slope])
    pinn.compile(jit_compile=False)
    return pinn.fit(POINTS, verbose=0)


@pytest.mark.parametrize("name", OF_A_RATE)
def test_layers_that_do_something_are_refused(name):
    assert np.isfinite(trained(OF_A_RATE[name](0.0)).history["loss"]).all()
    with pytest.raises(ValueError, match=REFUSED):
        trained(OF_A_RATE[name](0.1))


@pytest.mark.parametrize("name", AS_IN_INFERENCE)
def test_layers_that_are_as_in_inference_are_taken(name):
    assert np.isfinite(trained(AS_IN_INFERENCE[name]()).history["loss"]).all()


def test_batch_statistics_are_refused():
    with pytest.raises(ValueError, match=REFUSED):
        trained(LAYERS.BatchNormalization())
