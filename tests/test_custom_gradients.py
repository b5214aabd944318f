"""Gradients of a user's own: kept in conditions, compared with the derivative in networks."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kpinn
from kpinn.derivatives.tensorflow_private import gradients_of, origin_of_gradient

POINTS = np.random.default_rng(0).uniform(0.2, 0.9, (6, 2))
ARRAYS = {"t": POINTS[:, :1], "x": POINTS[:, 1:]}


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


@tf.custom_gradient
def reversed_gradient(x):
    return tf.identity(x), lambda upstream: -upstream


class Reversing(keras.layers.Layer):
    def call(self, x):
        return reversed_gradient(x)


@ops.custom_gradient
def threefold(x):
    return x * 1.0, lambda upstream, *args, **kwargs: 3.0 * upstream


called = tf.function(lambda k: reversed_gradient(k), autograph=False)
quantized = tf.quantization.fake_quant_with_min_max_args


# In conditions ---------------------------------------------------------------------------------


FACTORS = {  # of `k`, in the factor of a derivative
    "reversed": reversed_gradient,
    "of a product": lambda k: reversed_gradient(k * 2.0),
    "in a layer": Reversing(dtype="float64"),
    "in a function": called,
    "of keras": threefold,
    "passed through": tf.grad_pass_through(tf.exp),
    "stopped": tf.stop_gradient,
    "straight through": lambda k: k + tf.stop_gradient(tf.round(k) - k),
    "quantized": lambda k: tf.cast(quantized(tf.cast(k, tf.float32)), tf.float64),
    "computed again": tf.recompute_grad(tf.sin),
    "silu": tf.nn.silu,
    "clipped": lambda k: tf.clip_by_value(k, 0.0, 0.5),
}


def gradients(pinn):
    variables = [variable.value for variable in pinn.trainable_variables]
    with tf.GradientTape() as tape:
        points = {name: tf.constant(array) for name, array in ARRAYS.items()}
        loss = tf.reduce_mean(pinn.call(points)["heat"] ** 2)
    found = tape.gradient(loss, variables, unconnected_gradients="zero")
    return tf.concat([tf.reshape(each, (-1,)) for each in found], axis=0)


def heat_with(factor, of_field=None):
    def heat(u_t, u_xx, k):
        return u_t - factor(k) * (of_field or tf.identity)(u_xx)

    pinn = kpinn.PINN(kpinn.networks.MLP(units=4, depth=1), "t x", "u", conditions=[heat])
    pinn.unknown("k", 0.7)
    return pinn


@pytest.mark.parametrize("name", FACTORS)
def test_factors_keep_their_gradient(name):
    """Compiled conditions merge derivatives; in eager mode they do not."""
    pinn = heat_with(FACTORS[name])
    compiled = tf.function(lambda: gradients(pinn), autograph=False)()
    np.testing.assert_allclose(compiled, gradients(pinn), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("of_field", [reversed_gradient, threefold, tf.stop_gradient, called])
def test_derivatives_keep_the_gradient_of_what_they_go_through(of_field):
    pinn = heat_with(tf.identity, of_field)
    compiled = tf.function(lambda: gradients(pinn), autograph=False)()
    np.testing.assert_allclose(compiled, gradients(pinn), rtol=1e-10, atol=1e-12)


@tf.custom_gradient
def twice_the_derivative(x):
    return tf.sin(x), lambda upstream: 2.0 * upstream * tf.cos(x)


@tf.custom_gradient
def with_a_mean_of_gradients(x):
    return tf.sin(x), lambda upstream: upstream * tf.cos(x) + tf.reduce_mean(upstream)


@tf.custom_gradient
def with_a_mean_of_values(x):
    return tf.sin(x), lambda upstream: upstream * tf.reduce_mean(tf.cos(x))


@pytest.mark.parametrize(
    "function, reports",
    [(twice_the_derivative, 0), (with_a_mean_of_gradients, 1), (with_a_mean_of_values, 1)],
)
def test_rows_of_a_jacobian(function, reports):
    """A gradient that mixes points has been taken for one that keeps them apart."""

    def bent(u):
        return function(u)

    pinn = kpinn.PINN(kpinn.networks.MLP(units=3, depth=1), "t x", "u", conditions=[bent])
    pinn.compile(jit_compile=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        matrix, _ = kpinn.jacobian(pinn, ARRAYS)
    assert len(caught) == reports
    variables = pinn.trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        points = {name: tf.constant(array) for name, array in ARRAYS.items()}
        rows = tf.unstack(pinn.call(points)["bent"][:, 0] / np.sqrt(len(POINTS)))
    expected = [np.concatenate([np.ravel(g) for g in tape.gradient(r, variables)]) for r in rows]
    np.testing.assert_allclose(matrix, expected, rtol=1e-12, atol=1e-14)


# In networks -----------------------------------------------------------------------------------


@tf.custom_gradient
def right(x):
    return tf.sin(x), lambda upstream: upstream * tf.cos(x)


class Scaled(keras.layers.Layer):
    """With a gradient of its own on the way to its weight only."""

    def build(self, shape):
        self.factor = self.add_weight(shape=(1,), initializer="ones")

    def call(self, x):
        return x[:, :1] * reversed_gradient(self.factor.value)


WRONG = {
    "reversed": lambda: lambda x: reversed_gradient(x[:, :1]),
    "twice": lambda: lambda x: twice_the_derivative(x[:, :1]),
    "on a weight": Scaled,
    "in a function": lambda: lambda x: called(x[:, :1]),
    "passed through": lambda: lambda x: tf.grad_pass_through(tf.exp)(x[:, :1]),
}
RIGHT = {
    "sine": lambda: lambda x: right(x[:, :1]),
    "silu": lambda: kpinn.networks.MLP(units=3, depth=1, activation="silu"),
    "computed again": lambda: lambda x: tf.recompute_grad(tf.sin)(x[:, :1]),
}


def warnings_of(function, requests, method="taylor"):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for request in requests:
            kpinn.derivatives(function, POINTS, request, "t x", method=method)
    return [str(each.message) for each in caught]


@pytest.mark.parametrize("requests", [("u", "u", "u_x"), ("u_xx", "u")], ids=str)
@pytest.mark.parametrize("name", WRONG)
def test_a_gradient_that_is_not_the_derivative_is_warned_of_once(name, requests):
    found = warnings_of(WRONG[name](), requests)
    assert len(found) == 1
    assert "is not the derivative of the values" in found[0]


@pytest.mark.parametrize("name", RIGHT)
def test_a_gradient_that_is_the_derivative_is_not_warned_of(name):
    function = RIGHT[name]()
    for method in ("taylor", "reverse"):
        assert not warnings_of(function, ["u, u_x"], method)


def test_a_training_warns_once():
    network = keras.Sequential([keras.layers.Dense(3, "tanh"), Reversing(), keras.layers.Dense(1)])

    def value(u, x):
        return u - x

    with pytest.warns(kpinn.CustomGradientWarning, match="is not the derivative") as caught:
        pinn = kpinn.PINN(network, "t x", "u", conditions=[value])
        pinn.compile(jit_compile=False)
        pinn.fit(ARRAYS, epochs=2, verbose=0)
    assert len(caught) == 1


@pytest.mark.parametrize("method", ["taylor", "reverse", "forward", "finite_difference"])
@pytest.mark.parametrize("function", [with_a_mean_of_gradients, with_a_mean_of_values])
def test_a_gradient_that_takes_points_together_is_refused(function, method):
    with pytest.raises(ValueError, match="takes gradients together over the points"):
        kpinn.derivatives(lambda x: function(x[:, :1]), POINTS, "u_x", "t x", method=method)


def test_the_private_names():
    graph = tf.function(reversed_gradient).get_concrete_function(tf.TensorSpec((2,))).graph
    (end,) = [each for each in graph.get_operations() if each.type == "IdentityN"]
    assert origin_of_gradient(end.get_attr("_gradient_op_type").decode()) == __name__
    with graph.as_default():
        *_, found = gradients_of(end, [tf.identity(each) for each in end.outputs])
    assert found.op.type == "Neg"
