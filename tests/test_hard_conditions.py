"""Hard conditions: they hold exactly, and their derivatives are those of the product."""

import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from problems import inside, wave

import kpinn
from kpinn.layers import HardCondition

RNG = np.random.default_rng(0)
X = RNG.uniform(-1.0, 1.0, (3, 2))


def strict(layer, requests):
    """Derivatives by Taylor coefficients, where no operation may lack a rule."""
    method = kpinn.Taylor(strict=True)
    values = kpinn.derivatives(layer, X, requests, "t x", method=method)
    return {name: value.numpy() for name, value in values.items()}


@keras.saving.register_keras_serializable(package="tests")
def heat(u_t, u_xx):
    return u_t - u_xx


def mlp(outputs=1, **arguments):
    return kpinn.networks.MLP(units=4, depth=2, outputs=outputs, **arguments)


@pytest.mark.parametrize("floatx", ["float32", "float64"])
def test_a_hard_condition_holds_exactly(floatx):
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    layer = HardCondition(mlp(bias_initializer="normal"), "t x", wave, inside)
    x = np.linspace(-1, 1, 21)[:, None].astype(floatx)
    start = np.hstack([np.zeros_like(x), x])
    np.testing.assert_array_equal(layer(start), wave(tf.constant(x)))
    wall = np.hstack([x, np.ones_like(x)])
    np.testing.assert_array_equal(layer(wall), wave(tf.ones_like(x)))
    within = np.full((1, 2), 0.5, floatx)
    assert np.abs(layer(within) - wave(tf.constant(within[:, 1:]))).min() > 1e-3


def test_derivatives_of_a_hard_condition():
    """u = g + d N: u_t = d_t N + d N_t, and so on, with g and d by hand."""
    kpinn.set_float64()
    network = mlp(bias_initializer="normal")
    values = strict(HardCondition(network, "t x", wave, inside), "u, u_t, u_x, u_xx, u_tx")
    of_network = strict(network, "u, u_t, u_x, u_xx, u_tx")
    n, n_t, n_x, n_xx, n_tx = of_network.values()
    t, x = X[:, :1], X[:, 1:]
    d, d_t, d_x, d_xx, d_tx = t * (1 - x**2), 1 - x**2, -2 * t * x, -2 * t, -2 * x
    sine, cosine = np.sin(np.pi * x), np.cos(np.pi * x)
    expected = {
        "u": -sine + d * n,
        "u_t": d_t * n + d * n_t,
        "u_x": -np.pi * cosine + d_x * n + d * n_x,
        "u_xx": np.pi**2 * sine + d_xx * n + 2 * d_x * n_x + d * n_xx,
        "u_tx": d_tx * n + d_t * n_x + d_x * n_t + d * n_tx,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(values[name], value, rtol=0, atol=1e-13)


FIELDS = {
    "one function for all": (
        {"value": lambda t, x: ops.concatenate([t, x, t * x], axis=1), "distance": lambda x: x},
        lambda t, x, n: np.hstack([t, x, t * x]) + x * n,
    ),
    "numbers": ({"value": 1 / 3, "distance": 0.1}, lambda t, x, n: 1 / 3 + 0.1 * n),
    "by field": (
        {"fields": "v[2] p", "value": {"p": 1 / 3}, "distance": {"v": lambda t: t}},
        lambda t, x, n: np.hstack([t * n[:, :2], 1 / 3 + n[:, 2:]]),
    ),
    "a vector": (
        {
            "fields": "v[2] p",
            "value": {"v": lambda t, x: ops.concatenate([t, x], axis=1)},
            "distance": lambda t, x: t * x,
        },
        lambda t, x, n: np.hstack([[1, 1, 0] * np.hstack([t, x, t])]) + t * x * n,
    ),
    "arguments with defaults": (
        {"distance": lambda x, power=3: x**power},
        lambda t, x, n: x**3 * n,
    ),
}


@pytest.mark.parametrize("name", FIELDS)
def test_several_fields(name):
    kpinn.set_float64()
    arguments, formula = FIELDS[name]
    network = mlp(3)
    layer = HardCondition(network, "t x", **arguments)
    expected = formula(X[:, :1], X[:, 1:], network(X).numpy())
    np.testing.assert_allclose(layer(X), expected, rtol=1e-15, atol=1e-15)


def test_a_coordinate_with_several_components():
    kpinn.set_float64()
    network, points = mlp(), RNG.uniform(-0.5, 0.5, (4, 3))

    def ball(x):
        return 1 - ops.sum(x**2, axis=1, keepdims=True)

    layer = HardCondition(network, "x[3]", distance=ball)
    expected = (1 - np.sum(points**2, axis=1, keepdims=True)) * network(points).numpy()
    np.testing.assert_allclose(layer(points), expected, rtol=1e-14)


def test_it_computes_in_the_dtype_of_its_network():
    network = mlp(dtype="float64")
    layer = HardCondition(network, "t x", distance=lambda x: x)
    np.testing.assert_allclose(layer(X), X[:, 1:] * network(X).numpy(), rtol=1e-15)
    assert layer(X).dtype == "float64"


def test_a_pinn_with_a_hard_condition_is_saved(tmp_path):
    value = {"u": wave, "v": 2.0}
    network = HardCondition(mlp(2), "t x", value, {"u": inside}, fields="u v")
    pinn = kpinn.PINN(network, "t x", "u v", conditions=[heat])
    pinn.save(tmp_path / "pinn.keras")
    again = keras.saving.load_model(tmp_path / "pinn.keras")
    points = {"t": X[:, 0], "x": X[:, 1]}
    expected = pinn.predict_fields(points, "u, u_xx, v_t")
    for name, values in again.predict_fields(points, "u, u_xx, v_t").items():
        np.testing.assert_array_equal(values, expected[name])
    assert json.dumps(again.network.get_config()) == json.dumps(network.get_config())


def test_derivatives_are_checked_where_functions_cannot_be_saved():
    layer = HardCondition(mlp(), "t x", wave, lambda t, x: t * (1 - x**2))
    report = kpinn.check_derivatives(layer, {"t": X[:, 0], "x": X[:, 1]}, "u, u_t, u_xx")
    assert report.ok, report


def test_functions_that_cannot_be_saved_say_so():
    layer = HardCondition(mlp(), "t x", {"u": wave}, {"u": lambda x: x}, fields="u")
    with pytest.raises(ValueError, match="distance of 'u' is a function that cannot be saved.*reg"):
        layer.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "value and distance are missing"),
        ({"distance": lambda y: y}, "distance takes 'y', which is no coordinate.*t, x"),
        ({"value": lambda *x: x}, "value takes .x: name each argument"),
        ({"distance": lambda **x: x}, "distance takes ..x: name each argument"),
        ({"value": "zero"}, "value is 'zero': expected a function or a number"),
        ({"distance": {"u": 1.0}}, "distance has 'u', which is no field"),
        ({"distance": {"w": 1.0}, "fields": "u"}, "distance has 'w', which is no field.*'u'"),
        ({"distance": {"u": lambda z: z}, "fields": "u"}, "distance of 'u' takes 'z'"),
        ({"distance": 1.0, "coordinates": "t t"}, "named twice"),
        ({"distance": 1.0, "network": tf.sin}, "expected a Keras model or layer"),
    ],
)
def test_hard_conditions_without_meaning(arguments, message):
    arguments = {"network": mlp(), "coordinates": "t x"} | arguments
    with pytest.raises(ValueError, match=message):
        HardCondition(**arguments)


@pytest.mark.parametrize(
    ("arguments", "points", "message"),
    [
        (
            {"value": lambda x: x[:, 0]},
            X,
            r"value returned the shape \(3,\) for .*: expected \(n, 1\)",
        ),
        ({"distance": lambda x: ops.tile(x, (1, 2))}, X, r"distance returned the shape \(3, 2\)"),
        ({"distance": {"u": 1.0}, "fields": "u v"}, X, r"expected \(n, 2\)"),
        ({"distance": 1.0}, X[:, :1], r"expected \(n, 2\), one column per component"),
    ],
)
def test_values_of_a_wrong_shape(arguments, points, message):
    with pytest.raises(ValueError, match=re.compile(message, re.DOTALL)):
        HardCondition(mlp(), "t x", **arguments)(points)
