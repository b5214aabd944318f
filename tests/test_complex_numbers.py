"""Complex numbers: refused where an imaginary part would be lost, right where they end real."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kpinn

POINTS = np.random.default_rng(0).uniform(0.2, 0.9, (5, 2))
ARRAYS = {"x": POINTS[:, :1], "y": POINTS[:, 1:]}
METHODS = ("taylor", "reverse", "forward", "finite_difference")


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


def turning(p):
    return tf.exp(tf.complex(tf.zeros_like(p[:, :1]), 3.0 * p[:, :1]))


@pytest.mark.parametrize("request_", ["u", "u_x"])
@pytest.mark.parametrize("method", METHODS)
def test_a_complex_output_is_refused(method, request_):
    with pytest.raises(ValueError, match="the output of the function is complex128.*two fields"):
        kpinn.derivatives(turning, POINTS, request_, "x y", method=method)


class Turning(keras.layers.Layer):
    def build(self, shape):
        self.dense = keras.layers.Dense(1)
        self.dense.build(shape)
        self.built = True

    def call(self, p):
        return tf.cast(self.dense(p), tf.complex128) * turning(p)


def test_a_complex_network_is_refused_at_construction():
    def value(u):
        return u

    with pytest.raises(ValueError, match="the output of the function is complex128"):
        kpinn.PINN(Turning(), "x y", "u", conditions=[value])


class Wave(kpinn.PINN):
    coordinates, fields = "x y", "u"

    @kpinn.field
    def amplitude(self, u, x):
        return tf.complex(u, x)

    @kpinn.condition
    def modulus(self, amplitude):
        return tf.abs(amplitude)


def curved(u_x, u_yy):
    return tf.cast(u_x - u_yy, tf.complex128)


def of_condition():
    return kpinn.PINN(kpinn.networks.MLP(units=3, depth=1), "x y", "u", conditions=[curved])


def of_field():
    return Wave(kpinn.networks.MLP(units=3, depth=1))


PATHS = {
    "residuals": lambda pinn, path: pinn.residuals(ARRAYS),
    "predict": lambda pinn, path: pinn.predict(ARRAYS),
    "evaluate": lambda pinn, path: pinn.evaluate(ARRAYS, verbose=0),
    "fit": lambda pinn, path: pinn.fit(ARRAYS, verbose=0),
    "jacobian": lambda pinn, path: kpinn.jacobian(pinn, ARRAYS),
    "export": lambda pinn, path: pinn.export(path / "model"),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "make, message",
    [
        (of_condition, "the residual of condition 'curved' is complex128"),
        (of_field, "the derived field 'amplitude' is complex128"),
    ],
)
def test_complex_residuals_and_fields_are_refused(make, message, path, tmp_path):
    pinn = make()
    pinn.compile(jit_compile=False)
    with pytest.raises(ValueError, match=message):
        PATHS[path](pinn, tmp_path)


def test_complex_derived_fields_are_refused_by_name():
    with pytest.raises(ValueError, match="the derived field 'amplitude' is complex128"):
        of_field().predict_fields(ARRAYS, "amplitude_x")
    assert not kpinn.check_derivatives(of_field(), ARRAYS).ok


@pytest.mark.parametrize("points", [POINTS + 0j, [[1j, 0.0]], tf.constant(POINTS + 1j)], ids=type)
def test_complex_points_are_refused(points):
    with pytest.raises(ValueError, match="not an array of real numbers.*real and imaginary parts"):
        kpinn.derivatives(tf.sin, points, "u", "x y", "u[2]")


def test_complex_factors_are_refused():
    with pytest.raises(ValueError, match="a factor of 'h' is complex128"):
        kpinn.derivatives(
            lambda p: tf.sin(p[:, :1]),
            POINTS,
            {"h": {"u_x": tf.constant(1j), "u_y": 1.0}},
            "x y",
        )


X = POINTS[:, :1]
INSIDE = {  # functions, and their derivatives of order `k`
    "real": (lambda p: tf.math.real(turning(p)), lambda k: 3**k * np.cos(3 * X + k * np.pi / 2)),
    "imag": (lambda p: tf.math.imag(turning(p)), lambda k: 3**k * np.sin(3 * X + k * np.pi / 2)),
    "modulus": (
        lambda p: tf.abs(tf.complex(tf.ones_like(p[:, :1]), p[:, :1])),
        lambda k: [(1 + X**2) ** 0.5, X * (1 + X**2) ** -0.5, (1 + X**2) ** -1.5][k],
    ),
    "product with a conjugate": (
        lambda p: tf.math.real(turning(p) * tf.math.conj(turning(p / 3.0))),
        lambda k: 2**k * np.cos(2 * X + k * np.pi / 2),
    ),
    "angle": (lambda p: tf.math.angle(turning(p)), lambda k: [3 * X, 3 + 0 * X, 0 * X][k]),
    "transform": (
        lambda p: tf.math.imag(tf.signal.rfft(tf.sin(p[:, :1] * np.arange(1.0, 5.0))))[:, 1:2],
        lambda k: sum(
            -np.sin(np.pi / 2 * j) * (j + 1) ** k * np.sin((j + 1) * X + k * np.pi / 2)
            for j in range(4)
        ),
    ),
}


@pytest.mark.filterwarnings("ignore::kpinn.DerivativeFallbackWarning")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", INSIDE)
def test_complex_numbers_inside(name, method):
    function, derivative = INSIDE[name]
    found = kpinn.derivatives(function, POINTS, "u, u_x, u_xx", "x y", method=method)
    for k, value in enumerate(found.values()):
        np.testing.assert_allclose(value, derivative(k), rtol=1e-5, atol=1e-5)
