"""`kpinn.check_derivatives`: defects are found and named, right models are left in peace."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kpinn
from kpinn.__main__ import main
from kpinn.derivatives.rules import RULES, elementwise
from kpinn.derivatives.witness import witness

RNG = np.random.default_rng(3)
POINTS = {"t": RNG.uniform(0, 1, 40), "x": RNG.uniform(-1, 1, 40)}


class Applied(keras.layers.Layer):
    """A layer that calls a function."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def call(self, inputs):
        return self.function(inputs)


class Scaled(keras.layers.Layer):
    """A layer with a weight that no gradient reaches."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

    def call(self, inputs):
        return inputs * tf.stop_gradient(self.scale)


class Training(keras.layers.Layer):
    """A layer that is always in training."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, inputs):
        return self.inner(inputs, training=True)


@tf.custom_gradient
def bent(x):
    return tf.sin(x), lambda upstream: 2.0 * upstream * tf.cos(x)


def half_stopped(x):
    return tf.concat([tf.stop_gradient(x[:, :1]), x[:, 1:]], axis=1)


def attention(x):
    """Each point looks at all points, without a reduction that the engine would refuse."""
    return x + 0.1 * tf.linalg.matmul(tf.ones_like(x @ tf.transpose(x)), x)


def shifted_softmax(x):
    powers = tf.exp(x - tf.stop_gradient(tf.reduce_max(x, axis=1, keepdims=True)))
    return powers / tf.reduce_sum(powers, axis=1, keepdims=True)


def network(*layers, activation="tanh"):
    """A network with layers in the middle."""
    first = keras.layers.Dense(6, activation, name="first")
    last = keras.layers.Dense(6, activation, name="last")
    return keras.Sequential([keras.Input((2,)), first, *layers, last, keras.layers.Dense(1)])


def applied(function, name):
    return network(Applied(function, name=name))


def found(report, severity):
    return [finding for finding in report.findings if finding.severity == severity]


# Right models ------------------------------------------------------------------------------


def constrained():
    inner = network()
    return lambda x: x[:, :1] * inner(x) + tf.sin(x[:, 1:])


RIGHT = {
    "tanh": network,
    "silu": lambda: network(activation="silu"),
    "LayerNormalization": lambda: network(keras.layers.LayerNormalization()),
    "Dropout": lambda: network(keras.layers.Dropout(0.5)),
    "function of a model": constrained,
    "a stop that cancels": lambda: applied(shifted_softmax, "shifted"),
    "function": lambda: lambda x: tf.sin(3.0 * x[:, :1]) * tf.exp(-x[:, 1:]),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_models_are_ok(name):
    report = kpinn.check_derivatives(
        RIGHT[name](), {n: x.astype("float32") for n, x in POINTS.items()}
    )
    assert report.ok, str(report)
    assert not found(report, "warning"), str(report)
    assert list(report.errors) == ["u", "u_t", "u_x", "u_tt", "u_tx", "u_xx"]
    for derivative, errors in report.errors.items():
        if derivative != "u":
            assert errors["taylor, differences"] < 1e-7
            assert errors["gradient: taylor, differences"] < 1e-7
            assert errors["as used"] < 1e-4
    assert "in float64 on a copy of the model, which computes in float32" in str(report)


def test_the_weights_of_the_model_stay():
    for dtype in ("float32", "float64"):
        keras.config.set_dtype_policy(dtype)
        model = network()
        before = [weight.copy() for weight in model.get_weights()]
        kpinn.check_derivatives(model, POINTS, "u_x")
        for one, other in zip(before, model.get_weights(), strict=True):
            assert np.array_equal(one, other)


class Wave(kpinn.PINN):
    """A derived field, an unknown and a direction."""

    coordinates = "t x y"
    fields = "u"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.unknown("speed", 1.3)

    @kpinn.field
    def flux(self, x, u_x, speed):
        return speed * (1.0 + x**2) * u_x

    @kpinn.condition
    def wave(self, u_tt, flux_x, f):
        return u_tt - flux_x - f

    @kpinn.condition
    def wall(self, flux, u_n):
        return flux + u_n

    @kpinn.condition(method=kpinn.FiniteDifference(accuracy=4))
    def smooth(self, laplacian_u):
        return laplacian_u


BOX = kpinn.domains.Box(t=(0, 1), x=(-1, 1), y=(-1, 1))


def wave_points():
    inside = BOX.sample(30, seed=0)
    return {
        "wave": inside | {"f": np.zeros((30, 1))},
        "wall": BOX.boundary("x y").sample(20, seed=0),
        "smooth": inside,
    }


def test_a_pinn_with_derived_fields_unknowns_and_directions_is_ok():
    pinn = Wave(kpinn.networks.MLP(units=6, depth=2))
    report = kpinn.check_derivatives(pinn, wave_points())
    assert report.ok, str(report)
    names = {"u_tt", "flux_x", "u_x", "flux", "u_n", "laplacian_u"}
    assert set(report.errors) == names
    assert all(report.errors[n]["taylor, differences"] < 1e-7 for n in names - {"flux"})
    assert report.errors["flux"]["gradient: taylor, differences"] < 1e-7
    assert 1e-5 < report.errors["laplacian_u"]["as used"] < 0.1  # a finite difference in float32


def test_a_pinn_takes_points_as_fit_does():
    pinn = kpinn.PINN(network(), "t x", "u", conditions=[heat], method="reverse")
    for points in (POINTS, {"heat": POINTS}, (POINTS, {"heat": np.zeros((40, 1))})):
        report = kpinn.check_derivatives(pinn, points)
        assert report.ok and set(report.errors) == {"u_t", "u_xx"}
        assert report.errors["u_xx"]["as used"] < 1e-4
    report = kpinn.check_derivatives(pinn, POINTS, "laplacian_u, u_tx")
    assert report.ok and set(report.errors) == {"laplacian_u", "u_tx"}


def heat(u_t, u_xx):
    return u_t - u_xx


# Defects -----------------------------------------------------------------------------------

STOPPED = r"StopGradient in layer 'frozen' \(.*frozen.*\) holds back the derivative"
MIXED = r"takes a sum, mean or extremum over the points.*In layer 'centred"
DEFECTS = {  # a model, a severity and what is said
    "stop_gradient": (lambda: applied(half_stopped, "frozen"), "error", STOPPED),
    "stopped weight": (
        lambda: network(Scaled(name="held")),
        "error",
        "gradient of its mean square .* for .*held/scale. StopGradient in layer 'held'",
    ),
    "custom gradient": (
        lambda: applied(bent, "bending"),
        "warning",
        "'reverse' and 'taylor' differ, and differences agree with 'taylor'. IdentityN in layer "
        "'bending' .* ends a tf.custom_gradient",
    ),
    "relu": (
        lambda: network(activation="relu"),
        "warning",
        "zero at all points.* linear .*Relu in layer 'first' .*Relu in layer 'last'.*smooth",
    ),
    "dropout": (
        lambda: network(Training(keras.layers.Dropout(0.5, name="drop"), name="noisy")),
        "error",
        "there are no derivatives .*In layer 'noisy/drop'",
    ),
    "batch statistics": (
        lambda: network(Training(keras.layers.BatchNormalization(name="norm"), name="batch")),
        "error",
        "there are no derivatives .*In layer 'batch/norm'",
    ),
    "batch mean": (
        lambda: applied(lambda x: x - tf.reduce_mean(x, axis=0), "centred"),
        "error",
        MIXED,
    ),
    "attention": (
        lambda: applied(attention, "looking"),
        "error",
        "change when other points are left out.* does this: .*MatMul.* in layer 'looking'",
    ),
    "not a number": (
        lambda: applied(tf.sqrt, "rooted"),
        "error",
        "it is NaN or infinite at .* points. The first .*: Sqrt in layer 'rooted'",
    ),
    "no rule": (
        lambda: applied(tf.math.bessel_i0e, "bessel"),
        "warning",
        "BesselI0e .* has no rule.* slower. .In layer 'bessel'",
    ),
    "cancellation": (
        lambda: applied(lambda x: (x + 1e5) - 1e5, "cancelled"),
        "warning",
        "'taylor' in float32 keeps [12]\\..* digits of it: use float64",
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_defects_are_named_with_their_layer(name):
    make, severity, message = DEFECTS[name]
    report = kpinn.check_derivatives(make(), POINTS, "u_t, u_xx")
    assert report.ok == (severity != "error"), str(report)
    pytest.raises  # noqa: B018
    import re

    assert any(re.search(message, f.message) for f in found(report, severity)), str(report)
