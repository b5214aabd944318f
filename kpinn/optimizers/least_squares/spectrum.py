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

from kpinn.optimizers.least_squares.dense import above_each_other, reflect
from kpinn.optimizers.least_squares.factorizations import one_thread

FORCING = 1e-4  # of the norm of the residuals, what a step leaves of it
ROUNDS = 30  # of steps with the same Jacobian


class Spectrum(typing.NamedTuple):
    """A `LinearModel` by the singular values of the Jacobian with columns of norm one.

    Attributes:
        values: the singular values `(p,)`, the largest first.
        weights: the parts of the residuals along their directions, `(p,)`.
        basis: the directions as steps of the parameters, the rows of a matrix `(p, p)`.
        truncated: the step along the largest of them, `(p,)`.
        decrease: what that step lowers `|J s + r|^2` by.
        rounding: about the rounding of the squared norm of `J theta`.
        transposed: `(m,) -> (p,)`, a vector times `J`.
    """

    values: tf.Tensor
    weights: tf.Tensor
    basis: tf.Tensor
    truncated: tf.Tensor
    decrease: tf.Tensor
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
    triangle = objective.fold_jacobian(theta, reflect, start, above_each_other)
    found = tf.numpy_function(_factors, [triangle, theta], 6 * [theta.dtype], stateful=False)
    shapes = (size,), (size,), (size, size), (size,), (), ()
    parts = [tf.ensure_shape(part, shape) for part, shape in zip(found, shapes, strict=True)]
    return Spectrum(*parts, lambda vector: objective.vector_jacobian(theta, vector))


def _factors(triangle, theta):
    """What a `Spectrum` consists of, from the triangle of `[J r]`."""
    upper, right = (np.asarray(p, np.float64) for p in (triangle[:-1, :-1], triangle[:-1, -1]))
    if not np.isfinite(triangle).all():  # LAPACK may not end
        upper, right = np.zeros_like(upper), np.full_like(right, np.nan)
    norms, epsilon = norms_of(upper), np.finfo(triangle.dtype).eps
    with one_thread():
        left, values, basis = scipy.linalg.svd(upper / norms, check_finite=False)
        basis, weights = basis / norms, left.T @ right
        count = _taken(values, weights, weights @ weights + float(triangle[-1, -1]) ** 2, epsilon)
        step = -(weights[:count] / values[:count]) @ basis[:count]
    decrease, part = np.sum(weights[:count] ** 2), epsilon * norms * theta
    found = values, weights, basis, step, decrease, part @ part
    return tuple(np.asarray(part, triangle.dtype) for part in found)


def _taken(values, weights, total, epsilon):
    """How many of the largest singular values a step takes.

    Args:
        values: the singular values, the largest first.
        weights: the parts of the residuals along their directions.
        total: the squared norm of the residuals.
        epsilon: of the dtype; smaller parts of the largest singular value are rounding.
    """
    known = int(np.sum(values > epsilon * values[0]))
    left = total - np.cumsum(weights[:known] ** 2)
    enough = left <= FORCING**2 * total
    return 1 + int(np.argmax(enough)) if enough.any() else known


def norms_of(matrix):
    """The norms of columns, one for columns of zeros."""
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


def least_squares(matrix, residuals, rounds=ROUNDS, held=0.0):
    """`affine_step` of arrays, by so many steps at most.

    Args:
        matrix: array `(m, p)`.
        residuals: array `(m,)`.
        rounds: most steps; each begins from the residuals of the last one.
        held: in place of truncated steps those with a damping, the square of this, for columns
            of norm one.
    """
    dtype = matrix.dtype
    matrix, residuals = np.asarray(matrix, np.float64), np.asarray(residuals, np.float64)
    if not (np.isfinite(matrix).all() and np.isfinite(residuals).all()):
        return np.full(matrix.shape[1], np.nan, dtype)
    norms = norms_of(matrix)
    with one_thread():
        orthogonal, upper = scipy.linalg.qr(matrix / norms, mode="economic", check_finite=False)
        left, values, basis = scipy.linalg.svd(upper, full_matrices=False, check_finite=False)
        best, now = (np.zeros(matrix.shape[1]), residuals), residuals
        for _ in range(rounds):
            weights = left.T @ (orthogonal.T @ now)
            if held:
                parts = values * weights / (values**2 + held**2)
            else:
                count = _taken(values, weights, now @ now, np.finfo(dtype).eps)
                parts = np.zeros_like(values)
                parts[:count] = weights[:count] / values[:count]
            theta = best[0] - basis.T @ parts / norms
            now = residuals + matrix @ theta
            if not now @ now < best[1] @ best[1]:
                break
            best = theta, now
    return np.asarray(best[0], dtype)
