"""Damped linear least squares: `min |J s + r|^2 + damping |s|^2` for several values of the damping.

A linear model of the residuals has a `scale`, a `smallest_damping()` and `solve(damping)`. `Factor`
is the one for more residuals than parameters, and says what these are; others are in `kernel`,
`sketch` and `conjugate_gradients`.

The rows of `[J r]` are folded into a square factor of `p + 1` columns, in one of two ways. Their
products, `[J r]^T [J r]`, are a matrix product and a Cholesky factorisation, but square the
condition number: below a damping of about the rounding of the largest squared singular value they
know nothing. The triangular factor of Householder reflections takes longer and loses nothing; the
directions that only it sees are those that take an error from 1e-8 to 1e-14.
"""

import concurrent.futures
import functools
import math
import typing
from collections.abc import Callable

import numpy as np
import scipy.linalg
import tensorflow as tf
import threadpoolctl

from kpinn.optimizers.flat import epsilon

BLOCK = 32  # columns of a block of reflections
SMALL = 400  # columns, below which blocks do not pay
ROUNDINGS = 1e5  # of the largest squared column norm: a smaller damping is not for products


class Factor(typing.NamedTuple):
    """What is left of the rows.

    Attributes:
        matrix: `(p + 1, p + 1)`, products or an upper triangle.
        products: scalar bool, which of them.
        transposed: `(m,) -> (p,)`, a vector times `J`.
    """

    matrix: tf.Tensor
    products: tf.Tensor
    transposed: Callable

    @property
    def scale(self):
        """The largest squared norm of a column of `J`."""
        squares = tf.cond(
            self.products,
            lambda: tf.linalg.diag_part(self.matrix),
            lambda: tf.reduce_sum(self.matrix**2, axis=0),
        )
        return tf.reduce_max(squares[:-1])

    def smallest_damping(self):
        """The smallest damping that the factor can tell from zero."""
        return smallest_damping(self.scale, self.products)

    def solve(self, damping):
        """The minimum of `|J s + r|^2 + damping |s|^2`.

        Args:
            damping: a positive scalar.

        Returns:
            `s` `(p,)`; what `|J s + r|^2` is less than `|r|^2`; and a function from `(m,)` to the
            solution `(p,)` of `(J^T J + damping) s = J^T vector`. All are NaN where the damping is
            too small for the factor.
        """
        step, decrease, upper = tf.numpy_function(
            _solve, [self.matrix, self.products, damping], [self.matrix.dtype] * 3, stateful=False
        )
        size = self.matrix.shape[0] - 1
        upper = tf.ensure_shape(upper, (size, size))

        def again(vector):
            return solve_twice(upper, self.transposed(vector))

        return tf.ensure_shape(step, (size,)), tf.ensure_shape(decrease, ()), again


def needs_triangle(damping, scale, dtype):
    """Whether a damping is too small beside the scale of the Jacobian for products."""
    return damping < ROUNDINGS * epsilon(dtype) * scale


def smallest_damping(scale, products):
    """The smallest damping that products, or a triangle, can tell from zero."""
    rounding = tf.constant(100 * epsilon(scale.dtype), scale.dtype)
    return scale * tf.where(products, rounding, 1e-30)


def solve_twice(upper, right):
    """The solution of `upper^T upper x = right` for a vector."""
    half = tf.linalg.triangular_solve(upper, right[:, None], lower=False, adjoint=True)
    return tf.linalg.triangular_solve(upper, half, lower=False)[:, 0]


def factorize(fold_jacobian, transposed, theta, damping, scale, gradient=None):
    """The `Factor` of a Jacobian, of the kind that a damping needs.

    Args:
        fold_jacobian: of a `FlatObjective`.
        transposed: `(m,) -> (p,)`, a vector times the Jacobian.
        theta: tensor `(p,)`.
        damping: scalar, the value that is tried first.
        scale: scalar, about the largest squared norm of a column.
        gradient: what takes the place of `J^T r` where there are no residuals, by products alone.
    """
    if gradient is not None:
        start = tf.zeros((theta.shape[0],) * 2, theta.dtype)
        matrix = fold_jacobian(theta, lambda total, rows, _: total + products_of(rows), start)
        matrix = tf.pad(tf.concat([matrix, gradient[:, None]], axis=1), [[0, 1], [0, 0]])
        return Factor(matrix, tf.constant(True), transposed)
    products = ~needs_triangle(damping, scale, theta.dtype)
    start = tf.zeros((theta.shape[0] + 1,) * 2, theta.dtype)
    matrix = tf.cond(
        products,
        lambda: fold_jacobian(theta, _add_products, start),
        lambda: fold_jacobian(theta, _reflect, start),
    )
    return Factor(matrix, products, transposed)


def _add_products(products, matrix, residuals):
    return products + products_of(tf.concat([matrix, residuals[:, None]], axis=1))


def products_of(rows):
    """`rows^T rows`, from the blocks on and above the diagonal, each once."""
    size = rows.shape[1]
    if size < SMALL:
        return tf.matmul(rows, rows, transpose_a=True)
    left, right = rows[:, : size // 2], rows[:, size // 2 :]
    across = tf.matmul(left, right, transpose_a=True)
    above = tf.concat([products_of(left), across], axis=1)
    below = tf.concat([tf.transpose(across), products_of(right)], axis=1)
    return tf.concat([above, below], axis=0)


def _reflect(triangle, matrix, residuals):
    rows = tf.concat([matrix, residuals[:, None]], axis=1)
    folded = tf.numpy_function(_triangle, [triangle, rows], triangle.dtype, stateful=False)
    return tf.ensure_shape(folded, triangle.shape)


def _triangle(triangle, rows):
    """The triangular factor of a triangle above rows; halves of many rows in two threads."""
    halves = np.array_split(rows, 2 if len(rows) >= 2 * triangle.shape[1] else 1)
    with one_thread():
        found = list(_threads().map(_upper, halves))
        if triangle.any():
            found.append(np.asarray(triangle, np.float64))
        return np.ascontiguousarray(functools.reduce(_above_each_other, found), triangle.dtype)


def _upper(rows):
    """The triangular factor of rows, `(p + 1, p + 1)`."""
    size = rows.shape[1]
    upper = np.linalg.qr(np.asarray(rows, np.float64), mode="r")
    return np.pad(upper, [(0, size - len(upper)), (0, 0)])


def _above_each_other(one, other):
    """The triangular factor of two triangles."""
    size, one, other = len(one), np.array(one, order="F"), np.array(other, order="F")
    block = min(BLOCK, size)
    return scipy.linalg.lapack.dtpqrt(size, block, one, other, overwrite_a=1, overwrite_b=1)[0]


@functools.cache
def _threads():
    return concurrent.futures.ThreadPoolExecutor(2)


def _solve(matrix, products, damping):
    method, dtype = _solve_products if products else solve_triangle, matrix.dtype
    matrix = np.asarray(matrix, np.float64)
    with one_thread():
        found = method(matrix[:-1, :-1], matrix[:-1, -1], float(damping))
    return tuple(np.asarray(part, dtype) for part in found)


def _solve_products(products, gradient, damping):
    upper = cholesky(products, damping)
    step = -scipy.linalg.cho_solve((upper, False), gradient, check_finite=False)
    return step, -step @ (2.0 * gradient + products @ step), upper


def cholesky(products, damping):
    """The upper factor of an array of products with a damping; NaN where it has none."""
    damped = np.array(products, order="F")
    damped.flat[:: len(damped) + 1] += damping
    upper, failed = scipy.linalg.lapack.dpotrf(damped, overwrite_a=1)
    if failed:
        upper.fill(np.nan)
    return upper


def solve_triangle(triangle, right, damping):
    """The minimum `x` of `|triangle x + right|^2 + damping |x|^2`, for arrays.

    Returns:
        `x`; what `|triangle x + right|^2` is less than `|right|^2`; and the upper triangle whose
        products are those of `triangle`, with the damping.
    """
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


def one_thread():
    """BLAS on one thread: several would wait for each other where TensorFlow's threads run."""
    return _libraries().limit(limits=1, user_api="blas")
