"""Regularizers of weights and of activities and `add_loss` are part of the loss, as in Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kpinn

INSIDE, ENDS = np.linspace(0.1, 0.9, 4), np.array([0.0, 1.0])
POINTS = {"equation": {"x": INSIDE}, "ends": {"x": ENDS}}
FLAT = {"lbfgs": kpinn.optimizers.LBFGS, "scipy": kpinn.optimizers.ScipyMinimize}


class Adds(keras.layers.Layer):
    """A layer with a loss of its own."""

    def call(self, inputs):
        self.add_loss(0.1 * ops.sum(inputs**2))
        return inputs


def stack(*layers):
    return keras.Sequential([keras.Input((1,)), *layers, keras.layers.Dense(1)])


def dense(**options):
    return keras.layers.Dense(3, "tanh", **options)


NETWORKS = {
    "activity": lambda: stack(dense(activity_regularizer=keras.regularizers.L2(0.1))),
    "activity layer": lambda: stack(dense(), keras.layers.ActivityRegularization(l2=0.1)),
    "add_loss": lambda: stack(dense(), Adds()),
    "weights": lambda: stack(dense(kernel_regularizer="l2")),
    "nested": lambda: kpinn.layers.HardCondition(
        stack(dense(activity_regularizer="l2")), "x", distance=lambda x: x
    ),
}


def equation(u, u_x):
    return u_x - u


def ends(u):
    return u - 1.0


def pinn_of(network, optimizer, method="auto", **settings):
    pinn = kpinn.PINN(network, "x", "u", conditions=[equation, ends], method=method)
    pinn.compile(optimizer, **{"jit_compile": False} | settings)
    return pinn


def by_keras(network):
    """What Keras adds to the loss of a model that is called on all the points."""
    network(np.concatenate([INSIDE, ENDS])[:, None].astype("float32"))
    return float(sum(network.losses))


def extra(logs):
    return logs["loss"] - logs["equation"] - logs["ends"]


@pytest.mark.parametrize(
    ("name", "method"),
    [*((name, "taylor") for name in NETWORKS), ("nested", "reverse"), ("add_loss", "forward")],
)
def test_the_loss_has_them_once_per_step(name, method):
    network = NETWORKS[name]()
    pinn = pinn_of(network, keras.optimizers.SGD(0.0), method)
    expected = by_keras(network)
    logs = pinn.fit(POINTS, epochs=2, steps_per_epoch=2, verbose=0).history
    assert extra({key: values[-1] for key, values in logs.items()}) == pytest.approx(
        expected, rel=1e-4
    )
    found = pinn.evaluate(POINTS, return_dict=True, verbose=0)
    assert extra(found) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("how", [{"run_eagerly": True}, {"steps_per_execution": 1}], ids=str)
def test_their_gradient_trains(how):
    """A step of gradient descent is that of the sum of all, taken by a tape over Keras's call."""
    network = NETWORKS["activity"]()
    pinn = pinn_of(network, keras.optimizers.SGD(0.1), **how)
    x = tf.constant(np.concatenate([INSIDE, ENDS])[:, None], tf.float32)
    with tf.GradientTape() as tape:
        network(x)
        added = sum(network.losses)
        terms = pinn.problem.residuals(pinn.prepare(POINTS).points)
        loss = added + sum(tf.reduce_mean(residual**2) for residual in terms.values())
    gradients = tape.gradient(loss, [v.value for v in network.trainable_variables])
    expected = [
        variable.numpy() - 0.1 * gradient.numpy()
        for variable, gradient in zip(network.trainable_variables, gradients, strict=True)
    ]
    pinn.fit(POINTS, verbose=0)
    for variable, value in zip(network.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", FLAT)
def test_optimizers_with_a_line_search_take_them(name):
    network = NETWORKS["add_loss"]()
    pinn = pinn_of(network, FLAT[name]())
    logs = pinn.fit(POINTS, epochs=4, verbose=0).history
    assert extra({key: values[-1] for key, values in logs.items()}) > 0.0
    final = {key: values[-1] for key, values in logs.items()}
    assert extra(final) == pytest.approx(by_keras(network), rel=1e-3)


@pytest.mark.parametrize("name", ["activity", "add_loss", "weights"])
def test_least_squares_have_none(name):
    for optimizer in (kpinn.optimizers.LevenbergMarquardt(), kpinn.optimizers.SPRING()):
        pinn = pinn_of(NETWORKS[name](), optimizer)
        with pytest.raises(ValueError, match="regularization losses .* which are no residuals"):
            pinn.fit(POINTS, verbose=0)
    with pytest.raises(ValueError, match="regularization losses"):
        kpinn.jacobian(pinn, POINTS)


def test_datasets_and_mini_batches():
    pinn = pinn_of(NETWORKS["activity"](), "adam")
    stream = tf.data.Dataset.from_tensors(pinn.prepare(POINTS).points).repeat(2)
    for given, settings in ((stream, {}), (POINTS, {"batch_size": 2})):
        logs = pinn.fit(given, verbose=0, **settings).history
        assert extra({key: values[-1] for key, values in logs.items()}) > 0.0


def test_layers_that_conditions_call_are_refused_by_name():
    class Coefficient(kpinn.PINN):
        coordinates, fields = "x", "u"

        def __init__(self, network):
            super().__init__(network)
            self.coefficient = stack(dense(activity_regularizer="l2", name="conductivity"))

        @kpinn.condition
        def equation(self, x, u):
            return self.coefficient(x) * u

    pinn = Coefficient(kpinn.networks.MLP(units=2, depth=1))
    pinn.compile("adam", jit_compile=False)
    with pytest.raises(ValueError, match="layer 'conductivity' adds a loss"):
        pinn.fit({"x": INSIDE}, verbose=0)


def test_two_networks_are_one_functional_model():
    inputs = keras.Input((1,))
    for make in (kpinn.networks.MLP, kpinn.networks.ModifiedMLP, kpinn.networks.SIREN):
        parts = [make(units=2, depth=1)(inputs) for _ in range(2)]
        model = keras.Model(inputs, keras.layers.Concatenate()(parts))
        assert model.output_shape == (None, 2)
    assert kpinn.networks.MLP(units=2, depth=1, name="mine").name == "mine"
