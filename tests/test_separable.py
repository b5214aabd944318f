"""Separable networks: new weights, what their derivatives cost, and training."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kpinn
from kpinn.derivatives.channels.channels_per_point import channels_per_point
from kpinn.layers import Rescale
from kpinn.networks import Separable


@pytest.fixture(autouse=True)
def double():
    kpinn.set_float64()
    keras.utils.set_random_seed(0)


@pytest.mark.parametrize("sizes", [(20, 2, 10), (40, 3, 40), (64, 1, 5)])
@pytest.mark.parametrize("columns", [2, 5, 10])
def test_new_products_neither_vanish_nor_explode(columns, sizes):
    network = Separable(*sizes)
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (1_000, columns))
    outputs, products = np.asarray(network(x)), np.asarray(network.layers[0](x))
    assert 0.5 < np.mean(products**2) < np.e
    assert 0.5 < np.median(np.abs(products)) < 1.5
    assert 0.05 < products.std(axis=0).mean() < 1.0  # they change from point to point
    assert 0.02 < outputs.std() < 2.0


def test_columns_have_weights_of_their_own():
    network = Separable(units=4, depth=2, rank=3)
    network.build((None, 3))
    kernels = [w.numpy() for w in network.weights if w.shape == (4, 4)]
    assert len(kernels) == 3
    assert min(np.abs(a - b).max() for i, a in enumerate(kernels) for b in kernels[:i]) > 0.01


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("rescaled", [False, True])
@pytest.mark.parametrize("columns", [3, 10])
def test_a_laplacian_takes_three_channels_of_each_perceptron(columns, rescaled, shared):
    """A layer for the value, and from the second one on a first and a second derivative too."""
    embedding = Rescale(-3.0, 5.0) if rescaled else None
    network = Separable(units=4, depth=2, rank=3, embedding=embedding)
    network.build((None, columns))
    products = network.layers[-2]

    @tf.function(autograph=False)
    def laplacian(x):
        with contextlib.nullcontext() if shared else channels_per_point():
            fields = f"u[{products.rank}]"
            inner = keras.Sequential(network.layers[:-1])
            return kpinn.derivatives(inner, x, "laplacian_u", f"x[{columns}]", fields)

    graph = laplacian.get_concrete_function(tf.TensorSpec((7, columns), tf.float64)).graph
    count = sum(operation.type == "MatMul" for operation in graph.get_operations())
    assert count == columns * (2 + 3 + 3)


def test_a_laplacian_is_the_trace_of_the_hessian():
    network = Separable(units=6, depth=2, rank=4, outputs=2)
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (5, 4))
    requests = "laplacian_u, hessian_u, laplacian_v, hessian_v"
    found = kpinn.derivatives(network, x, requests, "x[4]", "u v")
    for field in "uv":
        trace = np.trace(found[f"hessian_{field}"], axis1=1, axis2=2)[:, None]
        np.testing.assert_allclose(found[f"laplacian_{field}"], trace, atol=1e-13)
        assert np.abs(trace).max() > 1e-3


def test_several_fields_are_trained():
    """A harmonic pair in three coordinates, with values on the walls."""
    box = kpinn.domains.Box(x=([0.0] * 3, [1.0] * 3))

    def exact(x):
        u = x[:, :1] * x[:, 1:2] + x[:, 2:]
        return ops.concatenate([u, x[:, :1] ** 2 - x[:, 2:] ** 2], axis=1)

    def inside(laplacian_u, laplacian_v):
        return ops.concatenate([laplacian_u, laplacian_v], axis=1)

    def walls(x, u, v):
        return ops.concatenate([u, v], axis=1) - exact(x)

    network = Separable(units=4, depth=1, rank=4, outputs=2, embedding=Rescale(0.0, 1.0))
    pinn = kpinn.PINN(network, "x[3]", "u v", [inside, walls])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), jit_compile=False)
    points = {"inside": box.sample(150, seed=0), "walls": box.boundary("x").sample(250, seed=0)}
    pinn.fit(points, epochs=30, verbose=0)
    new = box.sample(200, seed=1)
    found = np.concatenate(list(pinn.predict_fields(new, "u, v").values()), axis=1)
    assert np.abs(found - exact(new["x"])).max() < 5e-3


def test_misuse():
    with pytest.raises(ValueError, match="rank is a positive whole number, not 0"):
        Separable(rank=0)
    with pytest.raises(ValueError, match=r"got an input of the shape \(None, 2, 3\)"):
        kpinn.layers.Separable().build((None, 2, 3))
