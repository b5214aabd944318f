"""Conjugate gradients, and Levenberg-Marquardt without a matrix."""

import functools

import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf
from problems import heat_points, small_heat

import kpinn
from kpinn.optimizers import LevenbergMarquardt
from kpinn.optimizers.least_squares.conjugate_gradients import ProductsModel, conjugate_gradients

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 7, 40])
def test_systems_are_solved(size, dtype):
    factor = RNG.normal(size=(size, size))
    matrix, right = factor @ factor.T + 0.1 * np.eye(size), RNG.normal(size=size)
    product = functools.partial(tf.linalg.matvec, tf.constant(matrix, dtype))
    tolerance = 10 * float(np.finfo(dtype).eps)
    found = conjugate_gradients(product, tf.constant(right, dtype), 20 * size, tolerance)
    expected = np.linalg.solve(matrix, right)
    allowed = 1e-3 if dtype == "float32" else 1e-9
    assert np.linalg.norm(found - expected) < allowed * np.linalg.norm(expected)


def test_it_ends_after_as_many_iterations_as_there_are_eigenvalues():
    matrix = np.diag(np.repeat([1.0, 5.0, 30.0], 20))
    right, calls = tf.constant(RNG.normal(size=60)), []

    def product(vector):
        calls.append(vector)
        return tf.linalg.matvec(tf.constant(matrix), vector)

    found = conjugate_gradients(product, right, 50, 1e-10)
    np.testing.assert_allclose(found, right / np.diag(matrix), rtol=1e-9)
    assert len(calls) == 3


def test_a_negative_curvature_and_a_zero_end_it():
    negative = conjugate_gradients(lambda v: -v, tf.constant([1.0, 2.0]), 10, 1e-6)
    np.testing.assert_array_equal(negative, [0.0, 0.0])
    zero = conjugate_gradients(lambda v: v, tf.constant([0.0, 0.0]), 10, 1e-6)
    np.testing.assert_array_equal(zero, [0.0, 0.0])


@pytest.mark.parametrize("shape", [(30, 8), (5, 8)])
def test_the_linear_model(shape):
    matrix, residuals, damping = RNG.normal(size=shape), RNG.normal(size=shape[0]), 0.3
    times = functools.partial(tf.linalg.matvec, tf.constant(matrix))
    transposed = functools.partial(tf.linalg.matvec, tf.constant(matrix.T))
    gradient = transposed(tf.constant(residuals))
    model = ProductsModel(times, transposed, gradient, 100, 1e-13)
    step, decrease, solve = model.solve(tf.constant(damping, tf.float64))
    stacked = np.concatenate([matrix, np.sqrt(damping) * np.eye(8)])
    right = np.concatenate([-residuals, np.zeros(8)])
    np.testing.assert_allclose(step, np.linalg.lstsq(stacked, right)[0], rtol=1e-9)
    after = matrix @ step.numpy() + residuals
    assert float(decrease) == pytest.approx(residuals @ residuals - after @ after, rel=1e-9)
    largest = np.linalg.norm(matrix, 2) ** 2
    assert 0.1 * largest < float(model.scale) <= largest * (1 + 1e-12)
    normal = matrix.T @ matrix + damping * np.eye(8)
    vector = RNG.normal(size=shape[0])
    np.testing.assert_allclose(
        solve(tf.constant(vector)), np.linalg.solve(normal, vector @ matrix), rtol=1e-9
    )


def trained(solver, epochs):
    pinn = small_heat(LevenbergMarquardt(solver))
    losses = pinn.fit(heat_points(), epochs=epochs, verbose=0).history["loss"]
    return pinn, losses


def test_without_a_matrix_the_loss_falls_far():
    kpinn.set_float64()
    pinn, losses = trained("cg", 30)
    assert losses[-1] < 1e-3 * losses[0]
    assert all(np.diff(losses) <= 0)
    theta, _ = kpinn.destructure(pinn)
    matrix, residuals = kpinn.jacobian(pinn, heat_points())
    assert np.sum(residuals**2) == pytest.approx(losses[-1], rel=1e-9)
    linear = scipy.optimize.lsq_linear(matrix, -residuals)
    assert linear.cost < 0.5 * losses[-1]
    assert theta.shape == (matrix.shape[1],)


def test_the_solver_is_checked():
    with pytest.raises(
        ValueError,
        match="solver 'qr' is unknown: .* 'kernel', 'sketch', 'cg'",
    ):
        LevenbergMarquardt("qr")
    assert LevenbergMarquardt("cg").get_config()["solver"] == "cg"
    with pytest.raises(ValueError, match="pass solver='cg', which has no matrix"):
        trained_small = small_heat(LevenbergMarquardt(memory=100))
        trained_small.fit(heat_points(), verbose=0)
