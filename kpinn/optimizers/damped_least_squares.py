"""Damped linear least squares: `min |J s + r|^2 + damping |s|^2` for several values of the damping.

The rows of `[J r]` are folded into a square factor of `p + 1` columns, in one of two ways. Their
products, `[J r]^T [J r]`, are a matrix product and a Cholesky factorisation, but square the
condition number: below a damping of about the rounding of the largest squared singular value they
know nothing. The triangular factor of Householder reflections takes three times as long and loses
nothing; the directions that only it sees are those that take an error from 1e-8 to 1e-14.
"""

import functools
import math
import typing

import numpy as np
import scipy.linalg
import tensorflow as tf
import threadpoolctl

BLOCK = 32  # columns of a block of reflections
ROUNDINGS = 1e5  # of the largest squared column norm: a smaller damping is not for products


class Factor(typing.NamedTuple):
    """What is left of the rows.

    Attributes:
        matrix: `(p + 1, p + 1)`, products or an upper triangle.
        products: scalar bool, which of them.
    """

    matrix: tf.Tensor
    products: tf.Tensor

    @property
    def scale(self):
        """The largest squared norm of a column of `J`."""
        matrix = self.matrix[:, :-1]
        squares = tf.reduce_max(tf.reduce_sum(matrix**2, axis=0))
        return tf.where(self.products, tf.reduce_max(tf.linalg.diag_part(matrix)), squares)

    def smallest_damping(self):
        """The smallest damping that the factor can tell from zero."""
        rounding = tf.constant(100 * epsilon(self.matrix.dtype), self.scale.dtype)
        return self.scale * tf.where(self.products, rounding, 1e-30)

    def solve(self, damping):
        """The minimum of `|J s + r|^2 + damping |s|^2`.

        Args:
            damping: a positive scalar.

        Returns:
            `s` `(p,)`; what `|J s + r|^2` is less than `|r|^2`; and a function that solves
            `(J^T J + damping) s = right` for a vector `(p,)`. All are NaN where the damping is too
            small for the factor.
        """
        step, decrease, upper = tf.numpy_function(
            _solve, [self.matrix, self.products, damping], [self.matrix.dtype] * 3, stateful=False
        )
        size = self.matrix.shape[0] - 1
        upper = tf.ensure_shape(upper, (size, size))

        def again(right):
            half = tf.linalg.triangular_solve(upper, right[:, None], lower=False, adjoint=True)
            return tf.linalg.triangular_solve(upper, half, lower=False)[:, 0]

        return tf.ensure_shape(step, (size,)), tf.ensure_shape(decrease, ()), again


def epsilon(dtype):
    """The rounding of a dtype."""
    return float(np.finfo(dtype.as_numpy_dtype).eps)


def needs_triangle(damping, scale, dtype):
    """Whether a damping is too small beside the scale of the Jacobian for products."""
    return damping < ROUNDINGS * epsilon(dtype) * scale


def factorize(fold_jacobian, theta, damping, scale):
    """The `Factor` of a Jacobian, of the kind that a damping needs.

    Args:
        fold_jacobian: of an `Objective`.
        theta: tensor `(p,)`.
        damping: scalar, the value that is tried first.
        scale: scalar, about the largest squared norm of a column.
    """
    products = ~needs_triangle(damping, scale, theta.dtype)
    start = tf.zeros((theta.shape[0] + 1,) * 2, theta.dtype)
    matrix = tf.cond(
        products,
        lambda: fold_jacobian(theta, _add_products, start),
        lambda: fold_jacobian(theta, _reflect, start),
    )
    return Factor(matrix, products)


def _add_products(products, matrix, residuals):
    rows = tf.concat([matrix, residuals[:, None]], axis=1)
    return products + tf.matmul(rows, rows, transpose_a=True)


def _reflect(triangle, matrix, residuals):
    rows = tf.concat([matrix, residuals[:, None]], axis=1)
    folded = tf.numpy_function(_triangle, [triangle, rows], triangle.dtype, stateful=False)
    return tf.ensure_shape(folded, triangle.shape)


def _triangle(triangle, rows):
    if triangle.any():
        rows = np.concatenate([triangle, rows])
    rows = np.asarray(rows, np.float64, order="F")
    with _one_thread():
        (upper,) = scipy.linalg.qr(rows, overwrite_a=True, mode="r", check_finite=False)
    size = triangle.shape[1]
    found = np.zeros((size, size), triangle.dtype)
    found[: min(size, len(upper))] = upper[:size]
    return found


def _solve(matrix, products, damping):
    method, dtype = _solve_products if products else _solve_triangle, matrix.dtype
    matrix = np.asarray(matrix, np.float64)
    with _one_thread():
        found = method(matrix[:-1, :-1], matrix[:-1, -1], float(damping))
    return tuple(np.asarray(part, dtype) for part in found)


def _solve_products(products, gradient, damping):
    damped = np.array(products, order="F")
    damped.flat[:: len(damped) + 1] += damping
    upper, failed = scipy.linalg.lapack.dpotrf(damped, overwrite_a=1)
    if failed:
        upper.fill(np.nan)
        return upper[0], math.nan, upper
    step = -scipy.linalg.cho_solve((upper, False), gradient, check_finite=False)
    return step, -step @ (2.0 * gradient + products @ step), upper


def _solve_triangle(triangle, right, damping):
    size = len(triangle)
    below = np.zeros((size, size), order="F")
    np.fill_diagonal(below, math.sqrt(damping))
    upper, reflectors, blocks, _ = scipy.linalg.lapack.dtpqrt(
        size, min(BLOCK, size), np.array(triangle, order="F"), below, overwrite_a=1, overwrite_b=1
    )
    column = np.array(right[:, None], order="F")
    rotated, _, _ = scipy.linalg.lapack.dtpmqrt(
        size, reflectors, blocks, column, np.zeros_like(column), trans="T"
    )
    step = -scipy.linalg.solve_triangular(upper, rotated[:, 0], check_finite=False)
    change = triangle @ step
    return step, -change @ (change + 2.0 * right), np.triu(upper)


@functools.cache
def _libraries():
    return threadpoolctl.ThreadpoolController()


def _one_thread():
    """BLAS on one thread: several would wait for each other where TensorFlow's threads run."""
    return _libraries().limit(limits=1, user_api="blas")
