"""Python and numpy on tensors, which gradients do not go through: right, or refused by name."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kpinn

POINTS = {"x": np.linspace(0.1, 0.9, 4)}
LOST = {  # of which tapes take the derivative for zero
    "numpy": lambda u: np.sin(u),
    "numpy()": lambda u: tf.constant(u.numpy()) ** 2,
    "float": lambda u: u * float(u[0, 0]),
    "math": lambda u: u * math.sin(u[0, 0]),
    "numpy mean": lambda u: u - np.mean(u),
    "item": lambda u: u * np.asarray(u).item(0),
    "numpy_function": lambda u: tf.ensure_shape(tf.numpy_function(np.sin, [u], u.dtype), u.shape),
    "py_function": lambda u: tf.ensure_shape(tf.py_function(tf.sin, [u], u.dtype), u.shape),
}
EAGER = {  # right in eager mode, and impossible in a graph
    "if": lambda u: 2.0 * u if tf.reduce_mean(u) > -10.0 else u,
    "max": lambda u: max(u[0, 0], -10.0) + u,
    "loop": lambda u: sum(row for row in u) + u,
    "look": lambda u: (u.numpy(), u**2)[1],
}
GOOD = {
    "ops": lambda u: ops.sin(u),
    "constant": lambda u: np.array([[2.0]]) * u + math.sin(1.0),
    "stopped": lambda u: tf.stop_gradient(u) * u,
    "shape": lambda u: u * float(u.shape[1]) + tf.zeros((u.shape[0], 1)),
}


def pinn_of(function, network=None, **settings):
    """A condition that calls a function of the field."""

    def equation(u, u_x):
        return u_x - function(u)

    network = kpinn.networks.MLP(units=2, depth=1) if network is None else network
    pinn = kpinn.PINN(network, "x", "u", conditions=[equation])
    pinn.compile(keras.optimizers.SGD(1e-3), **{"jit_compile": False} | settings)
    return pinn


def refused(call, what):
    with pytest.raises(ValueError, match=f"{what} .*Use keras.ops: ops.sin for numpy.sin"):
        call()


@pytest.mark.parametrize("name", LOST)
@pytest.mark.parametrize("eager", [False, True])
def test_a_condition_that_loses_gradients_is_refused_by_name(name, eager):
    pinn = pinn_of(LOST[name], run_eagerly=eager)
    before = pinn.get_weights()
    refused(lambda: pinn.fit(POINTS, verbose=0), "condition 'equation'")
    for weight, same in zip(pinn.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, same)


@pytest.mark.parametrize("name", EAGER)
def test_what_no_graph_can_do_is_refused_in_graphs_only(name):
    refused(lambda: pinn_of(EAGER[name]).fit(POINTS, verbose=0), "condition 'equation'")
    losses = pinn_of(EAGER[name], run_eagerly=True).fit(POINTS, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("eager", [False, True])
def test_what_gradients_go_through_trains(name, eager):
    pinn = pinn_of(GOOD[name], run_eagerly=eager)
    losses = pinn.fit(POINTS, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def use(pinn):
    """Ways to call conditions beside `fit` with arrays."""
    stream = tf.data.Dataset.from_tensors(({"x": np.ones((4, 1), "float32")},))
    return {
        "dataset": lambda: pinn.fit(stream, verbose=0),
        "generator": lambda: pinn.fit((each for each in stream), steps_per_epoch=1, verbose=0),
        "evaluate": lambda: pinn.evaluate(POINTS, verbose=0),
        "residuals": lambda: pinn.residuals(POINTS),
        "jacobian": lambda: kpinn.jacobian(pinn, POINTS),
        "export": lambda: pinn.export("never"),
    }


@pytest.mark.parametrize("how", use(None))
def test_every_way_to_call_a_condition_names_it(how):
    refused(use(pinn_of(LOST["numpy"]))[how], "condition 'equation'")


class Trained(kpinn.PINN):
    """A condition that reads an unknown by itself."""

    coordinates, fields = "x", "u"

    def __init__(self, network, how):
        super().__init__(network)
        self.how, self.k = how, self.unknown("k", 0.5)

    @kpinn.condition
    def equation(self, x, u):
        return u - self.how(self.k, x)


@pytest.mark.parametrize("eager", [False, True])
def test_unknowns_that_numpy_reads_would_stay_as_they_are(eager):
    def fit(how):
        pinn = Trained(kpinn.networks.MLP(units=2, depth=1), how)
        pinn.compile(keras.optimizers.SGD(0.1), run_eagerly=eager, jit_compile=False)
        pinn.fit(POINTS, verbose=0)
        return float(pinn.k.value)

    refused(lambda: fit(lambda k, x: np.sin(k)), "condition 'equation'")
    assert fit(lambda k, x: ops.sin(k) * ops.ones_like(x)) != 0.5
    if eager:  # of the coordinates, which are not trained
        assert fit(lambda k, x: k * np.float32(np.interp(x, [0.0, 1.0], [0.0, 1.0]))) != 0.5


# Networks, fields, functions and losses ----------------------------------------------------------


class Layer(keras.layers.Layer):
    """A dense layer and a function."""

    def __init__(self, function):
        super().__init__()
        self.function, self.dense = function, keras.layers.Dense(1)

    def build(self, shape):
        self.dense.build(shape)

    def call(self, inputs):
        return self.function(self.dense(inputs))


@pytest.mark.filterwarnings("ignore::kpinn.DerivativeFallbackWarning")
@pytest.mark.parametrize("eager", [False, True])
def test_networks_are_refused_by_name(eager):
    network = Layer(np.sin)
    fit = pinn_of(lambda u: u, network, run_eagerly=eager).fit
    refused(lambda: fit(POINTS, verbose=0), f"the network '{network.name}'")

    def value(u):
        return u - 1.0

    pinn = kpinn.PINN(network, "x", "u", conditions=[value])
    pinn.compile("sgd", run_eagerly=eager, jit_compile=False)
    refused(lambda: pinn.fit(POINTS, verbose=0), f"the network '{network.name}'")


@pytest.mark.filterwarnings("ignore::kpinn.DerivativeFallbackWarning")
def test_derived_fields_are_refused_by_name():
    class Derived(kpinn.PINN):
        coordinates, fields = "x", "u"

        @kpinn.field
        def flux(self, u):
            return np.sin(u)

        @kpinn.condition
        def equation(self, flux_x):
            return flux_x

    pinn = Derived(kpinn.networks.MLP(units=2, depth=1))
    pinn.compile("sgd", jit_compile=False)
    refused(lambda: pinn.fit(POINTS, verbose=0), "field 'flux'")


@pytest.mark.filterwarnings("ignore::kpinn.DerivativeFallbackWarning")
@pytest.mark.parametrize("method", ["taylor", "reverse", "forward"])
def test_derivatives_of_numpy_functions_are_not_zero(method):
    refused(lambda: kpinn.derivatives(np.sin, POINTS, "u_x", method=method), "the function")
    found = kpinn.derivatives(np.sin, POINTS, "u_x", method="finite_difference")["u_x"]
    np.testing.assert_allclose(found[:, 0], np.cos(POINTS["x"]), atol=1e-9)

    def looks(p):
        return (p.numpy(), p**2)[1]

    found = kpinn.derivatives(looks, POINTS, "u_x", method=method)["u_x"]
    np.testing.assert_allclose(found[:, 0], 2.0 * POINTS["x"], rtol=1e-12)


@pytest.mark.parametrize("autograph", [False, True])
def test_functions_of_tensorflow_leave_errors_and_functions_as_they_are(autograph):
    """AutoGraph would rewrite the engine, and make other errors of its own."""

    def derivative_of(function):
        def derivative(x):
            return kpinn.derivatives(function, {"x": x}, "u_x")["u_x"]

        return tf.function(derivative, autograph=autograph)

    x = tf.constant(POINTS["x"][:, None])
    found = derivative_of(lambda p: tf.sin(p) * tf.ones((p.shape[0] + 0, 1), p.dtype))(x)
    np.testing.assert_allclose(found, np.cos(x), rtol=1e-12)
    for function in (np.sin, lambda p: p - tf.reduce_mean(p)):
        with pytest.raises(ValueError, match="numpy|other points|depends on the others"):
            derivative_of(function)(x)
    with pytest.raises(ValueError, match="'u_q'"):
        tf.function(lambda x: kpinn.derivatives(tf.sin, {"x": x}, "u_q"), autograph=autograph)(x)


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("name", ["numpy", "numpy()", "numpy_function"])
def test_losses_are_refused_by_name(name, eager):
    def loss(target, residual):
        return ops.mean(LOST[name](residual) ** 2, axis=-1)

    pinn = pinn_of(lambda u: u, loss=loss, run_eagerly=eager)
    refused(lambda: pinn.fit(POINTS, verbose=0), "loss of 'equation'")


def test_losses_without_a_gradient_or_a_target():
    pinn = pinn_of(lambda u: u, loss=lambda target, residual: ops.mean(target, axis=-1))
    with pytest.raises(ValueError, match="loss of 'equation' does not depend on the residual"):
        pinn.fit(POINTS, verbose=0)
    pinn = pinn_of(lambda u: u, loss="cosine_similarity")
    with pytest.raises(ValueError, match="no meaning where targets are zero: pass targets"):
        pinn.fit(POINTS, verbose=0)
    pinn.fit((POINTS, np.ones(4)), verbose=0)


def test_metrics_are_refused_by_name():
    def metric(target, residual):
        return np.abs(residual)

    refused(
        lambda: pinn_of(lambda u: u, metrics=[metric]).fit(POINTS, verbose=0),
        "metrics of 'equation':",
    )
