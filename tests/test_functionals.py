"""Levenberg-Marquardt on losses that are no mean squares."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from problems import Formula

import kpinn
from kpinn.optimizers import LevenbergMarquardt
from kpinn.training.flat import FlatFunctions

X = np.linspace(0.1, 1.4, 9)


class Wave(keras.layers.Layer):
    """u = sin(a x) + b."""

    def build(self, input_shape):
        self.a = self.add_weight(shape=(), name="a", initializer=keras.initializers.Constant(1.25))
        self.b = self.add_weight(shape=(), name="b", initializer=keras.initializers.Constant(-0.25))

    def call(self, x):
        return ops.sin(self.a * x) + self.b


def wave(*conditions, **settings):
    pinn = kpinn.PINN(keras.Sequential([keras.Input((1,)), Wave()]), "x", "u", conditions)
    pinn.compile(LevenbergMarquardt(), **settings)
    return pinn


def density(u, u_x):
    return u_x**2 * (1 + u**2)


def boundary(u):
    return ops.concatenate([u, u**2], axis=1)


def closed_form(x, a=1.25, b=-0.25):
    """Derivatives of (u, u_x) by (a, b), `(n, 2, 2)`, and the Hessians of the density."""
    u, u_x = np.sin(a * x) + b, a * np.cos(a * x)
    jacobian = np.zeros((len(x), 2, 2))
    jacobian[:, 0, 0], jacobian[:, 0, 1] = x * np.cos(a * x), 1.0
    jacobian[:, 1, 0] = np.cos(a * x) - a * x * np.sin(a * x)
    hessian = np.empty((len(x), 2, 2))
    hessian[:, 0, 0], hessian[:, 1, 1] = 2 * u_x**2, 2 * (1 + u**2)
    hessian[:, 0, 1] = hessian[:, 1, 0] = 4 * u * u_x
    return jacobian, hessian, u, u_x


def without_negative(hessian):
    values, vectors = np.linalg.eigh(hessian)
    return np.einsum("nik,nk,njk->nij", vectors, np.maximum(values, 0.0), vectors)


def products(pinn, points):
    """`J^T J` of the objective, and whether it gives residuals."""
    data = pinn.prepare(points, every=True)
    objective, theta = FlatFunctions(pinn.objective).on(data), pinn.objective.theta()
    start = tf.zeros((theta.shape[0],) * 2, theta.dtype)

    def add(total, rows, _):
        return total + tf.matmul(rows, rows, transpose_a=True)

    matrix = objective.fold_jacobian(theta, add, start).numpy()
    vector = tf.constant(np.arange(1.0, theta.shape[0] + 1))
    change = objective.jacobian_vector(theta, vector)
    again = objective.vector_jacobian(theta, change)
    np.testing.assert_allclose(again, matrix @ vector.numpy(), rtol=1e-10)
    return matrix


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_the_curvature_of_a_functional(run_eagerly):
    kpinn.set_float64()
    weight = np.linspace(0.5, 2.0, len(X))
    losses = {"density": kpinn.losses.Mean()}
    weights = {"density": 3.0, "boundary": 0.7}
    pinn = wave(density, boundary, loss=losses, loss_weights=weights, run_eagerly=run_eagerly)
    ends = np.array([0.0, 0.5])
    points = {"density": {"x": X}, "boundary": {"x": ends}}
    found = products(pinn, (points, None, {"density": weight}))
    jacobian, hessian, _, _ = closed_form(X)
    assert np.linalg.eigvalsh(hessian).min() < 0  # a part of it is left out
    each = np.einsum("nki,nkl,nlj->nij", jacobian, without_negative(hessian), jacobian)
    expected = 0.5 * 3.0 * np.mean(weight[:, None, None] * each, axis=0)
    jacobian, _, u, _ = closed_form(ends)
    rows = np.concatenate([jacobian[:, 0], 2 * u[:, None] * jacobian[:, 0]])
    expected += 0.7 * rows.T @ rows / 4
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("loss", "second"),
    [
        (keras.losses.LogCosh(), lambda r: 1 / np.cosh(r) ** 2),
        (keras.losses.Huber(delta=0.5), lambda r: 1.0 * (np.abs(r) < 0.5)),
        (keras.losses.MeanAbsoluteError(), lambda r: 0 * r),
    ],
)
def test_the_curvature_of_other_losses(loss, second):
    kpinn.set_float64()
    target = np.linspace(-0.5, 1.5, len(X))

    def value(u):
        return u

    found = products(wave(value, loss=loss), ({"x": X}, {"value": target}))
    jacobian, _, u, _ = closed_form(X)
    rows = jacobian[:, 0]
    expected = 0.5 * rows.T @ (second(u - target)[:, None] * rows) / len(X)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-15)


def ritz(network):
    """-u'' = pi^2 sin(pi x), u(0) = u(1) = 0, as the minimum of an energy."""

    def energy(x, u, u_x):
        return 0.5 * u_x**2 - np.pi**2 * ops.sin(np.pi * x) * u

    network = kpinn.layers.HardCondition(network, "x", distance=lambda x: x * (1 - x))
    return kpinn.PINN(network, "x", "u", [energy])


def powers(x):
    return ops.concatenate([x**k for k in range(5)], axis=1)


def test_a_linear_model_takes_one_step_to_the_solution_of_ritz():
    kpinn.set_float64()
    features = Formula(powers, trainable=False)
    network = keras.Sequential([keras.Input((1,)), features, keras.layers.Dense(1)])
    pinn, x = ritz(network), np.linspace(0.005, 0.995, 100)
    pinn.compile(LevenbergMarquardt(damping=1e-13), loss=kpinn.losses.Mean())
    pinn.fit({"x": x}, epochs=3, verbose=0)
    shapes = np.stack([x ** (k + 1) - x ** (k + 2) for k in range(5)])
    slopes = np.stack([(k + 1) * x**k - (k + 2) * x ** (k + 1) for k in range(5)])
    force = np.pi**2 * np.sin(np.pi * x)
    coefficients = np.linalg.solve(slopes @ slopes.T, shapes @ force)
    found = pinn.predict_fields({"x": x})["u"][:, 0]
    np.testing.assert_allclose(found, coefficients @ shapes, atol=1e-7)


def test_deep_ritz():
    kpinn.set_float64()
    keras.utils.set_random_seed(1)
    pinn = ritz(kpinn.networks.MLP(units=8, depth=2))
    nodes, weights = np.polynomial.legendre.leggauss(300)  # energies are minimised at their cost
    x = (1 + nodes) / 2
    pinn.compile(LevenbergMarquardt(), loss=kpinn.losses.Mean())
    history = pinn.fit(({"x": x}, None, 150 * weights), epochs=80, verbose=0)
    found = pinn.predict_fields({"x": x}, "u, u_x")
    assert np.abs(found["u"][:, 0] - np.sin(np.pi * x)).max() < 1e-7
    assert history.history["loss"][-1] == pytest.approx(-(np.pi**2) / 4, rel=1e-12)


@pytest.mark.parametrize("solver", ["kernel", "sketch"])
def test_solvers_that_need_residuals(solver):
    pinn = wave(density, loss=kpinn.losses.Mean())
    rank = 1 if solver == "sketch" else None
    pinn.compile(LevenbergMarquardt(solver, rank=rank), loss=kpinn.losses.Mean())
    with pytest.raises(ValueError, match=f"solver '{solver}' needs losses that are mean squares"):
        pinn.fit({"x": X}, verbose=0)


def test_losses_and_weights_without_a_curvature():
    def total(target, residual):
        return ops.mean((residual - target) ** 2)

    pinn = wave(density, loss=total)
    with pytest.raises(ValueError, match=r"has the shape \(\): its curvature needs one value per"):
        pinn.fit({"x": X}, verbose=0)
    pinn = wave(density, loss=kpinn.losses.Mean())
    pinn.loss_weights["density"].assign(-1.0)
    with pytest.raises(ValueError, match="loss weight of 'density' is negative"):
        pinn.fit({"x": X}, verbose=0)


@pytest.mark.parametrize("loss", [kpinn.losses.Mean, kpinn.losses.Product])
@pytest.mark.parametrize("reduction", [["sum"], np.ones(2), "total", 1])
def test_a_reduction_that_is_none(loss, reduction):
    with pytest.raises(ValueError, match="reduction .* is unknown: expected one of"):
        loss(reduction=reduction)
