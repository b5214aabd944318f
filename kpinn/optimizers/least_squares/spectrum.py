"""Least squares by singular values, for networks that are linear in their parameters.

Random features are nearly dependent: their Jacobian has singular values down to rounding. A step
that takes all of them solves the system to the last digit with huge parameters of both signs, whose
sum is then known to a few digits only. Here a step takes as many of the largest ones as lower the
residuals by `FORCING`, or all where that is not enough, and the next step begins from new
residuals: the parameters stay small, and the residuals fall to the rounding of small numbers. No
product of the Jacobian with itself is made, which would square its condition number.
"""

import typing
from collections.abc import Callable

import numpy as np
import scipy.linalg
import tensorflow as tf

from kpinn.optimizers.flat import epsilon
from kpinn.optimizers.least_squares.dense import reflect
from kpinn.optimizers.least_squares.factorizations import one_thread

FORCING = 1e-4  # of the norm of the residuals, what a step leaves of it
ROUNDS = 30  # of steps with the same Jacobian


class Spectrum(typing.NamedTuple):
    """A `LinearModel` by the singular values of the Jacobian with columns of norm one.

    Attributes:
        values: the singular values `(p,)`, the largest first.
        weights: the parts of the residuals along their directions, `(p,)`.
        rest: the squared norm of what is left of the residuals.
        basis: the directions as steps of the parameters, the rows of a matrix `(p, p)`.
        rounding: about the rounding of the squared norm of `J theta`.
        transposed: `(m,) -> (p,)`, a vector times `J`.
    """

    values: tf.Tensor
    weights: tf.Tensor
    rest: tf.Tensor
    basis: tf.Tensor
    rounding: tf.Tensor
    transposed: Callable

    @property
    def scale(self):
        """The largest squared singular value."""
        return self.values[0] ** 2

    def smallest_damping(self):
        """See `LinearModel.smallest_damping`."""
        return self.scale * 1e-30

    def solve(self, damping):
        """See `LinearModel.solve`; the damping is in the metric of the columns."""
        squares = self.values**2 + damping
        step = -self._combined(self.values * self.weights / squares)
        decrease = tf.reduce_sum(self.weights**2 * (1.0 - (damping / squares) ** 2))

        def again(vector):
            parts = tf.linalg.matvec(self.basis, self.transposed(vector))
            return self._combined(parts / squares)

        return step, decrease, again

    def truncated(self):
        """The step along the largest singular values, and what it lowers `|J s + r|^2` by."""
        known = self.values > epsilon(self.values.dtype) * self.values[0]
        squares = self.weights**2
        before = tf.cumsum(squares, reverse=True) + self.rest  # each of them is taken
        taken = known & (before > FORCING**2 * before[0])
        parts = tf.where(taken, self.weights / tf.where(taken, self.values, 1.0), 0.0)
        decrease = tf.reduce_sum(tf.where(taken, squares, 0.0))
        return -self._combined(parts), decrease

    def _combined(self, parts):
        return tf.linalg.matvec(self.basis, parts, transpose_a=True)


def spectrum(objective, theta):
    """The `Spectrum` of the Jacobian of an objective, from its rows in blocks.

    Args:
        objective: a `FlatObjective` with residuals.
        theta: tensor `(p,)`.
    """
    size = theta.shape[0]
    start = tf.zeros((size + 1, size + 1), theta.dtype)
    triangle = objective.fold_jacobian(theta, reflect, start)
    found = tf.numpy_function(_factors, [triangle, theta], 5 * [theta.dtype], stateful=False)
    shapes = (size,), (size,), (), (size, size), ()
    parts = [tf.ensure_shape(part, shape) for part, shape in zip(found, shapes, strict=True)]
    return Spectrum(*parts, lambda vector: objective.vector_jacobian(theta, vector))


def _factors(triangle, theta):
    """What a `Spectrum` consists of, from the triangle of `[J r]`."""
    upper, right = (np.asarray(p, np.float64) for p in (triangle[:-1, :-1], triangle[:-1, -1]))
    if not np.isfinite(triangle).all():  # LAPACK may not end
        upper, right = np.zeros_like(upper), np.full_like(right, np.nan)
    norms = _norms(upper)
    with one_thread():
        left, values, basis = scipy.linalg.svd(upper / norms, check_finite=False)
    rest, part = float(triangle[-1, -1]) ** 2, np.finfo(triangle.dtype).eps * norms * theta
    found = values, left.T @ right, rest, basis / norms, part @ part
    return tuple(np.asarray(part, triangle.dtype) for part in found)


def _norms(matrix):
    norms = np.linalg.norm(matrix, axis=0)
    return np.where(norms > 0.0, norms, 1.0)


def affine_bytes(rows, columns):
    """The bytes of `affine_step`: the matrix, its copy with columns of norm one, and a factor."""
    return 8 * columns * (4 * rows + 6 * columns)


def affine_step(matrix, residuals):
    """The step `(p,)` to the minimum of `|J s + r|^2`, by as many truncated ones as it takes.

    Args:
        matrix: tensor `(m, p)`.
        residuals: tensor `(m,)`.
    """
    step = tf.numpy_function(least_squares, [matrix, residuals], matrix.dtype, stateful=False)
    return tf.ensure_shape(step, (matrix.shape[1],))


def least_squares(matrix, residuals, rounds=ROUNDS):
    """`affine_step` of arrays, by so many truncated steps at most."""
    dtype = matrix.dtype
    matrix, residuals = np.asarray(matrix, np.float64), np.asarray(residuals, np.float64)
    if not (np.isfinite(matrix).all() and np.isfinite(residuals).all()):
        return np.full(matrix.shape[1], np.nan, dtype)
    norms = _norms(matrix)
    with one_thread():
        orthogonal, upper = scipy.linalg.qr(matrix / norms, mode="economic", check_finite=False)
        left, values, basis = scipy.linalg.svd(upper, full_matrices=False, check_finite=False)
        known = int(np.sum(values > np.finfo(dtype).eps * values[0]))
        best, now = (np.zeros(matrix.shape[1]), residuals), residuals
        for _ in range(rounds):
            weights = left.T @ (orthogonal.T @ now)
            count = _needed(weights[:known], now @ now)
            step = basis[:count].T @ (weights[:count] / values[:count]) / norms
            theta = best[0] - step
            now = residuals + matrix @ theta
            if not now @ now < (best[1] @ best[1]):
                break
            best = theta, now
    return np.asarray(best[0], dtype)


def _needed(weights, total):
    """How many of the largest singular values a step takes, at least one."""
    left = np.maximum(total - np.cumsum(weights**2), 0.0)
    enough = left <= FORCING**2 * total
    return 1 + int(np.argmax(enough)) if enough.any() else len(weights)
