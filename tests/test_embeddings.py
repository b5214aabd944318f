"""Layers in front of networks, and factorised weights."""

import json
import math

import keras
import numpy as np
import pytest
import references
import tensorflow as tf
from keras import ops
from mpmath import mp

import kpinn
from kpinn.layers import FactorizedDense, FourierFeatures, PeriodicEmbedding, Rescale

RNG = np.random.default_rng(0)
X = RNG.uniform(-1.0, 1.0, (3, 2))
ORDERS = [[], [0], [1], [1, 1], [0, 1], [1, 1, 1], [0, 1, 1]]


def name_of(axes):
    return "u_" + "".join("tx"[axis] for axis in axes) if axes else "u"


def strict(layer, points, requests, fields="u", coordinates="t x"):
    """Derivatives by Taylor coefficients, where no operation may lack a rule."""
    method = kpinn.Taylor(strict=True)
    values = kpinn.derivatives(layer, points, requests, coordinates, fields, method)
    return {name: value.numpy() for name, value in values.items()}


def assert_close(actual, expected, tolerance):
    largest = np.abs(expected).max()
    assert np.shape(actual) == np.shape(expected)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * max(largest, 1e-3))


# Formulas ----------------------------------------------------------------------------------


def cosines(point, frequencies):
    """The formula of Tancik et al., equation 5, without amplitudes."""
    angles = 2 * mp.pi * (point @ frequencies)
    return np.array([*map(mp.cos, angles), *map(mp.sin, angles)])


def harmonics(point, period, count):
    angles = [2 * mp.pi * k * point / mp.mpf(period) for k in range(1, count + 1)]
    return [*map(mp.cos, angles), *map(mp.sin, angles)]


def factorized(point, log_scale, factor, bias):
    """The formula of Wang et al. (2022), W = diag(exp(s)) V, with kernels as Keras has them."""
    kernel = factor @ np.diag([mp.exp(s) for s in log_scale])
    return np.array([mp.tanh(z) for z in point @ kernel + bias])


FORMULAS = {
    "one period": (
        lambda: PeriodicEmbedding([None, 2.0]),
        lambda p: np.array([p[0], *harmonics(p[1], 2.0, 1)]),
    ),
    "harmonics": (
        lambda: PeriodicEmbedding([0.7, 3.0], harmonics=3),
        lambda p: np.array([*harmonics(p[0], 0.7, 3), *harmonics(p[1], 3.0, 3)]),
    ),
    "period of a column": (
        lambda: PeriodicEmbedding({1: 2.5}, harmonics=2),
        lambda p: np.array([p[0], *harmonics(p[1], 2.5, 2)]),
    ),
    "even": (
        lambda: PeriodicEmbedding([None, 2.0], harmonics=2, even=True),
        lambda p: np.array([p[0], *harmonics(p[1], 2.0, 2)[:2]]),
    ),
    "fourier": (lambda: FourierFeatures(6, scale=0.5), cosines),
    "fourier, two scales": (lambda: FourierFeatures(8, scale=[0.1, 1.0]), cosines),
    "factorized": (lambda: FactorizedDense(3, "tanh", bias_initializer="normal"), factorized),
    "rescale": (
        lambda: Rescale([0.0, -0.1], [10.0, 0.7]),
        lambda p: np.array(
            [p[0] / 5 - 1, (p[1] - (mp.mpf(0.7) - mp.mpf(0.1)) / 2) * 2 / (mp.mpf(0.7) + 0.1)]
        ),
    ),
    "rescale all": (lambda: Rescale(-2, 4), lambda p: (p - 1) / 3),
}


@pytest.mark.parametrize("floatx", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMULAS)
def test_values_and_derivatives_are_those_of_the_formula(name, floatx):
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    build, formula = FORMULAS[name]
    layer, points = build(), X.astype(floatx)
    size = layer(points).shape[1]
    weights = [references.exact(weight.numpy()) for weight in layer.weights]
    values = strict(layer, points, ", ".join(map(name_of, ORDERS)), f"u[{size}]")
    for axes in ORDERS:
        expected = references.partials(lambda p: formula(p, *weights), points, axes)
        tolerance = 5e-6 if floatx == "float32" else 1e-14
        assert values[name_of(axes)].dtype == floatx
        assert_close(values[name_of(axes)], expected, tolerance)


@pytest.mark.parametrize("name", FORMULAS)
def test_layer_contract(name, tmp_path):
    """Config round trip, symbolic shapes, saving, training: what Keras checks of its own."""
    inputs, layer = keras.Input((2,)), FORMULAS[name][0]()
    outputs = layer(inputs)
    assert outputs.shape == (None, layer(X).shape[1])
    config = json.loads(json.dumps(layer.get_config()))
    again = type(layer).from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    again.build((None, 2))
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(X), layer(X))

    model = keras.Model(inputs, keras.layers.Dense(1)(outputs))
    model.compile("adam", "mse", jit_compile=False)
    model.fit(X, X[:, :1], epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))


def test_all_in_one_exported_model(tmp_path):
    inputs = keras.Input((2,))
    outputs = [build()(inputs) for build, _ in FORMULAS.values()]
    model = keras.Model(inputs, keras.layers.Concatenate()(outputs))
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    served = exported.serve(tf.constant(X, "float32"))
    np.testing.assert_allclose(served, model.predict(X, verbose=0), rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PeriodicEmbedding([None, None]), "at least one that is"),
        (lambda: PeriodicEmbedding([]), "at least one that is"),
        (lambda: PeriodicEmbedding([1.0, -2.0]), "each of periods is a positive number, not -2.0"),
        (lambda: PeriodicEmbedding([1.0, math.nan]), "each of periods is a positive number"),
        (lambda: PeriodicEmbedding({-1: 2.0}), "a column of periods is zero or a positive whole"),
        (lambda: PeriodicEmbedding({1: None}), "each of periods is a positive number, not None"),
        (lambda: PeriodicEmbedding(2.0), "expected a list"),
        (lambda: PeriodicEmbedding(keras.Input((2,))), "periods=<KerasTensor.*expected a list"),
        (lambda: FourierFeatures(6, keras.Input((2,))), "scale is a positive number, not <Keras"),
        (lambda: PeriodicEmbedding("2"), "periods='2': expected a list"),
        (lambda: PeriodicEmbedding(["2"]), "each of periods is a positive number, not '2'"),
        (lambda: PeriodicEmbedding({1: "2"}), "each of periods is a positive number, not '2'"),
        (lambda: PeriodicEmbedding([True]), "each of periods is a positive number, not True"),
        (lambda: PeriodicEmbedding({1.5: 2.0}), "a column of periods is zero or a positive"),
        (lambda: PeriodicEmbedding([2.0], harmonics=0), "harmonics is a positive whole number"),
        (lambda: PeriodicEmbedding([2.0])(X), "do not fit points with 2 columns"),
        (lambda: PeriodicEmbedding({2: 2.0})(X), "do not fit points with 2 columns"),
        (lambda: PeriodicEmbedding([2.0])(X[:, 0]), "expected points"),
        (lambda: FourierFeatures(0), "units is a positive whole number"),
        (lambda: FourierFeatures(5), "expected a multiple of 2"),
        (lambda: FourierFeatures(6, [1.0, 2.0]), "expected a multiple of 4"),
        (lambda: FourierFeatures(6, 0.0), "scale is a positive number, not 0.0"),
        (lambda: FourierFeatures(6, []), "scale is an empty list"),
        (lambda: FourierFeatures(6, "2"), "scale is a positive number, not '2'"),
        (lambda: FourierFeatures(4, ["1", "2"]), "scale is a positive number, not '1'"),
        (lambda: FactorizedDense(0), "units is a positive whole number"),
        (lambda: FactorizedDense(2, stddev=-1.0), r"stddev is a number in \[0, inf\)"),
        (lambda: Rescale([0, 1], [1, 1]), "each lower one below the upper"),
        (lambda: Rescale(0, math.inf), "finite numbers"),
        (lambda: Rescale([0, 1], [1, 2, 3]), "do not fit"),
        (lambda: Rescale("a", 2), "lower is not an array of real numbers"),
        (lambda: Rescale("-1", 2), "lower is not an array of real numbers"),
        (lambda: Rescale(-1, ["1", "2"]), "upper is not an array of real numbers"),
        (lambda: Rescale(False, True), "lower is not an array of real numbers"),
        (lambda: Rescale([0, 1, 2], 5)(X), "do not fit points with 2 columns"),
    ],
)
def test_arguments_that_cannot_work(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# Periods -----------------------------------------------------------------------------------


def test_a_periodic_network_is_periodic_with_all_derivatives():
    kpinn.set_float64()
    embedding = PeriodicEmbedding([None, 0.75], harmonics=3)
    network = kpinn.networks.MLP(units=6, depth=2, embedding=embedding)
    network.build((None, 2))
    requests = "u, u_x, u_xx, u_xxx, u_t, u_tx"
    here = strict(network, X, requests)
    for steps in (1, -4):
        there = strict(network, X + [0.0, 0.75 * steps], requests)
        for name, values in here.items():
            assert np.abs(values).max() > 1e-3
            assert_close(there[name], values, 1e-12)
    in_time = strict(network, X + [0.75, 0.0], "u")["u"]
    assert np.abs(in_time - here["u"]).max() > 1e-3


def test_an_even_network_is_mirrored_at_both_walls():
    kpinn.set_float64()
    embedding = PeriodicEmbedding([None, 2.0], harmonics=2, even=True)
    network = kpinn.networks.MLP(units=6, depth=2, embedding=embedding)
    network.build((None, 2))
    odd = kpinn.layers.HardCondition(network, "t x", distance=lambda x: ops.sin(np.pi * x))
    for wall in (0.0, 1.0, -3.0):
        before, behind = ([[0.3, wall + side * 0.2]] for side in (-1, 1))
        requests = "u, u_x, u_xx, u_xxx, u_t"
        found = [strict(network, np.array(place), requests) for place in (before, behind)]
        negated = [strict(odd, np.array(place), requests) for place in (before, behind)]
        for name, values in found[0].items():
            sign = -1.0 if name in ("u_x", "u_xxx") else 1.0
            assert abs(values[0, 0]) > 1e-3
            assert_close(found[1][name], sign * values, 1e-12)
            assert_close(negated[1][name], -sign * negated[0][name], 1e-12)
        at_wall = strict(network, np.array([[0.3, wall]]), "u_x, u_xxx")
        assert max(abs(value[0, 0]) for value in at_wall.values()) < 1e-12
        at_wall = strict(odd, np.array([[0.3, wall]]), "u, u_xx")
        assert max(abs(value[0, 0]) for value in at_wall.values()) < 1e-12


# Frequencies -------------------------------------------------------------------------------


def test_frequencies_are_normal_with_the_scales():
    layer = FourierFeatures(6_000, scale=[0.5, 3.0, 20.0])
    layer.build((None, 4))
    for part, scale in zip(
        np.split(layer.frequencies.numpy(), 3, axis=1), layer.scale, strict=True
    ):
        assert part.mean() == pytest.approx(0.0, abs=5 * scale / np.sqrt(4_000))
        assert part.std() == pytest.approx(scale, rel=0.05)
        fourth = np.mean((part / scale) ** 4)  # 3 for a normal distribution, 1.8 for a uniform one
        assert fourth == pytest.approx(3.0, abs=0.5)


def test_frequencies_follow_the_seed():
    def drawn(**arguments):
        layer = FourierFeatures(4, **arguments)
        layer.build((None, 2))
        return layer.frequencies.numpy()

    np.testing.assert_array_equal(drawn(seed=1), drawn(seed=1))
    assert np.abs(drawn(seed=1) - drawn(seed=2)).min() > 0
    assert np.abs(drawn() - drawn()).min() > 0
    keras.utils.set_random_seed(3)
    first = drawn()
    keras.utils.set_random_seed(3)
    np.testing.assert_array_equal(drawn(), first)


@pytest.mark.parametrize("trainable", [False, True])
def test_frequencies_are_trained_if_asked(trainable):
    layer = FourierFeatures(4, trainable=trainable)
    model = keras.Sequential([layer, keras.layers.Dense(1)])
    model.build((None, 2))
    before = layer.frequencies.numpy()
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    model.fit(X, X[:, :1], verbose=0)
    assert bool(np.abs(layer.frequencies.numpy() - before).max() > 0) == trainable
    assert len(model.trainable_variables) == (3 if trainable else 2)


# Factors -----------------------------------------------------------------------------------


def test_the_new_product_is_the_kernel_of_a_dense_layer():
    kpinn.set_float64()
    initializer = keras.initializers.GlorotNormal(seed=1)
    dense = keras.layers.Dense(5, kernel_initializer=initializer)
    layer = FactorizedDense(5, kernel_initializer=initializer)
    np.testing.assert_allclose(layer(X), dense(X), rtol=1e-14)
    np.testing.assert_allclose(layer.kernel, dense.kernel, rtol=1e-14)
    scales = dense.kernel.numpy() / layer.factor.numpy()
    np.testing.assert_allclose(np.log(scales), [layer.log_scale.numpy()] * 2, rtol=1e-13)


def test_scales_have_their_mean_and_deviation():
    layer = FactorizedDense(10_000, mean=0.5, stddev=0.2, use_bias=False)
    layer.build((None, 1))
    assert layer.log_scale.numpy().mean() == pytest.approx(0.5, abs=0.01)
    assert layer.log_scale.numpy().std() == pytest.approx(0.2, rel=0.05)
    assert layer.bias is None and len(layer.trainable_variables) == 2
