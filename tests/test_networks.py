"""Networks: their formulas, their new weights, and that all of kpinn works with them."""

import math
import pathlib
import sys
import warnings

import keras
import numpy as np
import pytest
import references
import tensorflow as tf
from mpmath import mp
from problems import inside, wave

import kpinn
from kpinn.layers import FactorizedDense, FourierFeatures, HardCondition, PeriodicEmbedding, Rescale
from kpinn.networks import MLP, SIREN, ModifiedMLP, Separable

sys.path.append(str(pathlib.Path(__file__).parents[1] / "benchmarks"))

from differences import derivative
from network_candidates import CANDIDATES

X = np.random.default_rng(0).uniform(-1.0, 1.0, (3, 2))
ORDERS = [[], [0], [1], [1, 1], [0, 1], [1, 1, 1]]


def name_of(axes):
    return "u_" + "".join("tx"[axis] for axis in axes) if axes else "u"


def set_dtype(floatx):
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)


def assert_close(actual, expected, tolerance):
    assert np.shape(actual) == np.shape(expected)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max())


# Formulas ----------------------------------------------------------------------------------


def tanh(x):
    return np.array([mp.tanh(each) for each in x])


def modified(point, *weights):
    """Wang et al. (2023), equations of the modified MLP, with layers in the order of Keras."""
    pairs = [weights[i : i + 2] for i in range(0, len(weights), 2)]
    (w1, b1), (w2, b2), *hidden, (w, b) = pairs
    u, v = tanh(point @ w1 + b1), tanh(point @ w2 + b2)
    for kernel, bias in hidden:
        z = tanh(point @ kernel + bias)
        point = z * u + (1 - z) * v
    return point @ w + b


def sines(point, *weights, frequencies=(7, 2, 2)):
    """Sitzmann et al. (2020), equation 4 with the factor of section 3.2."""
    pairs = [weights[i : i + 2] for i in range(0, len(weights), 2)]
    for (kernel, bias), frequency in zip(pairs, frequencies, strict=False):
        point = np.array([mp.sin(frequency * z) for z in point @ kernel + bias])
    return point @ pairs[-1][0] + pairs[-1][1]


def periodic(point, *weights):
    angle = mp.pi * point[1]
    inputs = np.array([point[0], mp.cos(angle), mp.sin(angle)])
    return references.mlp(weights)(inputs)


def separable(point, *weights):
    """Cho et al. (2023), equation 5, and a linear function of the products."""
    *weights, w, b = weights
    products, size = 1, len(weights) // len(point)
    for i, x in enumerate(point):
        factor = references.mlp(weights[i * size : (i + 1) * size])
        products = products * factor(np.array([(x - i) / 2]))
    return products @ w + b


def factorized(point, *weights):
    for i in range(0, len(weights) - 2, 3):
        log_scale, factor, bias = weights[i : i + 3]
        point = tanh(point @ (factor * np.array([mp.exp(s) for s in log_scale])) + bias)
    return point @ weights[-2] + weights[-1]


FORMULAS = {
    "modified": (lambda: ModifiedMLP(4, 3, 2), modified),
    "sines": (lambda: SIREN(4, 3, 2, first_frequency=7.0, frequency=2.0), sines),
    "periodic": (lambda: MLP(4, 2, 2, embedding=PeriodicEmbedding([None, 2.0])), periodic),
    "factorized": (lambda: MLP(4, 2, 2, dense=FactorizedDense), factorized),
    "separable": (lambda: Separable(4, 2, 3, 2, embedding=Rescale([-2, -1], [2, 3])), separable),
}


@pytest.mark.parametrize("floatx", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMULAS)
def test_values_and_derivatives_are_those_of_the_formula(name, floatx):
    set_dtype(floatx)
    build, formula = FORMULAS[name]
    network, points = build(), X.astype(floatx)
    network.build((None, 2))
    for variable in network.trainable_variables:
        variable.assign_add(0.1 * keras.random.normal(variable.shape))
    weights = [references.exact(weight.numpy()) for weight in network.weights]
    requests, method = ", ".join(map(name_of, ORDERS)), kpinn.Taylor(strict=True)
    values = kpinn.derivatives(network, points, requests, "t x", "u[2]", method)
    for axes in ORDERS:
        expected = references.partials(lambda p: formula(p, *weights), points, axes)
        assert values[name_of(axes)].dtype == floatx
        assert_close(values[name_of(axes)], expected, 2e-5 if floatx == "float32" else 2e-14)


# All of kpinn ------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="test_networks")
def burgers(u, u_t, u_x, u_xx):
    return u_t + u * u_x - 0.1 * u_xx


def hard():
    inputs = keras.Input((2,))
    return keras.Model(inputs, HardCondition(MLP(5, 2), "t x", wave, inside)(inputs))


NETWORKS = {
    "mlp": lambda: MLP(5, 2),
    "periodic": lambda: MLP(5, 2, embedding=PeriodicEmbedding([None, 2.0], harmonics=2)),
    "fourier": lambda: MLP(
        5, 2, embedding=[Rescale([0, -1], [1, 1]), FourierFeatures(8, [0.5, 1.0])]
    ),
    "fourier, trained": lambda: MLP(5, 2, embedding=FourierFeatures(8, 0.5, trainable=True)),
    "factorized": lambda: MLP(5, 2, dense=FactorizedDense),
    "modified": lambda: ModifiedMLP(5, 2),
    "modified, factorized, periodic": lambda: ModifiedMLP(
        5, 2, dense=FactorizedDense, embedding=PeriodicEmbedding([None, 2.0])
    ),
    "sines": lambda: SIREN(5, 2),
    "separable": lambda: Separable(5, 2, 3, embedding=Rescale([0, -1], [1, 1])),
    "hard": hard,
}
POINTS = kpinn.domains.Box(t=(0, 1), x=(-1, 1)).sample(6, seed=0)


def make(name):
    network = NETWORKS[name]()
    pinn = kpinn.PINN(network, "t x", "u", conditions=[burgers], method=kpinn.Taylor(strict=True))
    pinn.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    return pinn


def by_tape(pinn):
    """TensorFlow's Jacobian of the residuals, one backward pass per row, divided by sqrt(n)."""
    with tf.GradientTape(persistent=True) as tape:
        points = {name: tf.constant(values) for name, values in POINTS.items()}
        residual = pinn.residuals_at(("burgers",), points)["burgers"] / math.sqrt(6)
        rows = [residual[i, 0] for i in range(6)]
    values = [variable.value for variable in pinn.trainable_variables]
    gradients = [tape.gradient(row, values, unconnected_gradients="zero") for row in rows]
    return np.array([np.concatenate([part.numpy().ravel() for part in row]) for row in gradients])


@pytest.mark.parametrize("name", NETWORKS)
def test_the_jacobian_takes_one_backward_pass(name):
    kpinn.set_float64()
    pinn = make(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error", kpinn.DerivativeFallbackWarning)
        matrix, _ = kpinn.jacobian(pinn, POINTS)
    assert_close(matrix, by_tape(pinn), 1e-12)
    assert np.all(np.abs(matrix).max(axis=0) > 0)  # every parameter acts


@pytest.mark.parametrize("name", NETWORKS)
def test_trained_and_saved(name, tmp_path):
    pinn = make(name)
    history = pinn.fit(POINTS, epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0]
    pinn.save(tmp_path / "pinn.keras")
    loaded = keras.saving.load_model(tmp_path / "pinn.keras")
    np.testing.assert_array_equal(loaded.network(X), pinn.network(X))


@pytest.mark.parametrize("floatx", ["float32", "float64"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_by_itself(name, floatx, tmp_path):
    set_dtype(floatx)
    network, x = NETWORKS[name](), X.astype(floatx)
    network.build((None, 2))
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert loaded(x).dtype == floatx
    np.testing.assert_array_equal(loaded(x), network(x))

    theta, apply = kpinn.destructure(network)
    assert theta.dtype == floatx
    np.testing.assert_array_equal(apply(theta, x), network(x))
    moved = apply(1.1 * theta, x)
    network.set_weights([(1.1 if v.trainable else 1) * v.numpy() for v in network.weights])
    np.testing.assert_allclose(moved, network(x), rtol=1e-4 if floatx == "float32" else 1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_exported(name, tmp_path):
    pinn = make(name)
    pinn.export(tmp_path / "model")
    served = tf.saved_model.load(tmp_path / "model").signatures
    points = {name: tf.constant(values, "float32") for name, values in POINTS.items()}
    expected = pinn.predict_fields(POINTS, "u, u_xx")
    results = served["serving_default"](**points) | served["derivatives"](**points)
    for field in ("u", "u_xx"):
        np.testing.assert_allclose(results[field], expected[field], rtol=1e-4, atol=1e-5)


PROPOSED = [name for name in CANDIDATES if "`" not in name or "0.3)`, Pirate" in name]


@pytest.mark.slow
@pytest.mark.parametrize("name", PROPOSED)
def test_what_the_benchmark_compares_has_exact_derivatives_and_jacobians(name):
    kpinn.set_float64()
    network, taylor = CANDIDATES[name](4, []), kpinn.Taylor(strict=True)
    pinn = kpinn.PINN(network, "t x", "u", conditions=[burgers], method=taylor)
    network.build((None, 2))
    for variable in network.trainable_variables:
        variable.assign_add(0.1 * keras.random.normal(variable.shape))
    with warnings.catch_warnings():
        warnings.simplefilter("error", kpinn.DerivativeFallbackWarning)
        matrix, _ = kpinn.jacobian(pinn, POINTS)
    assert_close(matrix, by_tape(pinn), 1e-12)

    points = {name: 0.8 * values for name, values in POINTS.items()}
    found = pinn.predict_fields(points, "u_t, u_tx, u_xx")
    for request, names in {"u_t": "t", "u_tx": "tx", "u_xx": "xx"}.items():
        axes = [(name, 0) for name in names]
        expected = derivative(lambda p: pinn.predict_fields(p)["u"], points, axes, 4e-3)
        assert_close(found[request], expected, 2e-3 if "splines" in name else 1e-6)


@pytest.mark.parametrize("name", ["modified, factorized, periodic", "hard"])
def test_compiled_by_xla(name):
    pinn = make(name)
    expected = pinn.residuals(POINTS)["burgers"]
    compiled = tf.function(pinn.residuals_at, jit_compile=True, autograph=False)
    points = {name: tf.constant(values, "float32") for name, values in POINTS.items()}
    found = compiled(("burgers",), points)["burgers"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


# New weights -------------------------------------------------------------------------------


@pytest.mark.parametrize("inputs", [1, 3])
@pytest.mark.parametrize(("first_frequency", "frequency"), [(30.0, 30.0), (4.0, 1.0)])
def test_sines_have_the_published_statistics(inputs, first_frequency, frequency):
    """Sitzmann et al., theorem 1.8: arguments are normal, sines have the arcsine distribution.

    With uniform phases the arguments `z` of the second sines have the variance 1. From then on a
    layer turns the variance `v` into `2 E(sin(z)^2) = 1 - exp(-2 v)`.
    """
    network = SIREN(512, 6, 512, first_frequency=first_frequency, frequency=frequency)
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (400, inputs)).astype("float32")
    network.build((None, inputs))
    (first, *hidden), last = network.layers[:-1], network.layers[-1]
    fastest = np.abs(first.kernel.numpy()).max()
    assert 0.98 / inputs < fastest <= 1 / inputs

    quarters = np.quantile(np.array(first(x)), [0.25, 0.5, 0.75])
    assert quarters == pytest.approx([-(0.5**0.5), 0, 0.5**0.5], abs=0.1)
    x, variance = np.array(first(x)), 1.0
    for layer in hidden:
        arguments = frequency * (x @ layer.kernel.numpy() + layer.bias.numpy())
        assert np.mean(arguments**2) == pytest.approx(variance, rel=0.12)
        assert np.mean(arguments**4) / np.mean(arguments**2) ** 2 == pytest.approx(3.0, abs=0.35)
        x = np.array(layer(x))
        np.testing.assert_allclose(x, np.sin(arguments), atol=1e-4)
        variance = 1 - math.exp(-2 * variance)
    outputs = frequency * (x @ last.kernel.numpy())
    assert np.mean(outputs**2) == pytest.approx(variance, rel=0.12)


def test_new_networks_are_those_of_the_seed():
    for build in NETWORKS.values():
        keras.utils.set_random_seed(5)
        first = build()(X)
        keras.utils.set_random_seed(5)
        np.testing.assert_array_equal(build()(X), first)
        assert np.abs(build()(X) - first).max() > 1e-4


def test_layers_have_different_weights():
    network = ModifiedMLP(units=4, depth=4)
    network.build((None, 4))
    kernels = [weight.numpy() for weight in network.weights if weight.shape == (4, 4)]
    assert len(kernels) == 6
    assert min(np.abs(a - b).max() for i, a in enumerate(kernels) for b in kernels[:i]) > 0.01


# Arguments ---------------------------------------------------------------------------------


def test_arguments_of_the_hidden_layers():
    network = MLP(4, 2, kernel_initializer="zeros", dtype="float64")
    np.testing.assert_array_equal(network(X), np.zeros((3, 1)))
    assert {layer.compute_dtype for layer in network.layers} == {"float64"}
    network = SIREN(4, 2, 3, dtype="float64", name="waves")
    assert network(X).dtype == "float64" and network.name == "waves"
    network = ModifiedMLP(4, 2, 3, activation="sigmoid", dtype="float64", use_bias=False)
    assert network(X).dtype == "float64"
    assert len(network.weights) == 4 + 2  # two encodings, two hidden ones, the last with a bias


@pytest.mark.parametrize("build", [MLP, ModifiedMLP, SIREN, Separable])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": 0}, "units is a positive whole number, not 0"),
        ({"depth": 1.5}, "depth is a positive whole number, not 1.5"),
        ({"outputs": -1}, "outputs is a positive whole number"),
        ({"embedding": 2.0}, "embedding has 2.0: expected a Keras layer"),
        ({"embedding": [Rescale(0, 1), "tanh"]}, "embedding has 'tanh'"),
        (
            {"embedding": Rescale(0, 1, name="unit"), "dtype": "float64"},
            "'unit' computes in float32",
        ),
    ],
)
def test_arguments_that_cannot_work(build, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(**arguments)


@pytest.mark.parametrize("name", ["first_frequency", "frequency"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_frequencies_that_cannot_work(name, value):
    with pytest.raises(ValueError, match=f"^{name} is a positive number"):
        SIREN(**{name: value})


@pytest.mark.parametrize("make", [MLP, ModifiedMLP, Separable])
def test_an_initializer_may_be_a_function(make):
    network = make(
        units=3, depth=2, kernel_initializer=lambda shape, dtype=None: keras.ops.ones(shape)
    )
    network.build((None, 2))
    kernels = [weight for weight in network.get_weights() if weight.ndim == 2]
    assert all(np.ptp(kernel) == 0.0 and kernel.max() > 0.0 for kernel in kernels)
