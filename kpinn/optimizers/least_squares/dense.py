"""Damped linear least squares for more residuals than parameters.

The rows of `[J r]` are folded into a square matrix of `p + 1` columns, their products or their
triangular factor; see `factorizations`.
"""

import concurrent.futures
import functools
import typing
from collections.abc import Callable

import numpy as np
import scipy.linalg
import tensorflow as tf

from kpinn.optimizers.least_squares import on_device
from kpinn.optimizers.least_squares.factorizations import (
    BLOCK,
    cholesky,
    needs_triangle,
    one_thread,
    smallest_damping,
    solve_triangle,
    solve_twice,
)
from kpinn.optimizers.least_squares.linear_model import Memory, Solver

SMALL = 400  # columns, below which blocks do not pay


class Dense(Solver):
    """Solves with a matrix of the size of the parameters; any loss whose curvature is known."""

    def memory(self, parameters, residuals=None):
        """See `Solver.memory`."""
        needed = 6 * 8 * (parameters + 1) ** 2  # the matrix, and what LAPACK copies
        return Memory(needed, f"{parameters} parameters", "pass solver='sketch' with a small rank")

    def model(self, objective, theta, start, state):
        """See `Solver.model`."""
        transposed = functools.partial(objective.vector_jacobian, theta)
        damping, scale = state["damping"], state["scale"]
        fold = objective.fold_jacobian
        return dense_model(fold, transposed, theta, damping, scale, start.gradient)


class DenseModel(typing.NamedTuple):
    """A `LinearModel`: what is left of the rows.

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
        """See `LinearModel.smallest_damping`."""
        return smallest_damping(self.scale, self.products)

    def solve(self, damping):
        """See `LinearModel.solve`."""
        size, given = self.matrix.shape[0] - 1, (self.matrix, self.products, damping)
        if on_device.stays_on_device():
            small, right = self.matrix[:-1, :-1], self.matrix[:-1, -1]
            found = on_device.solve(small, right, *given[1:], of_gradient=True)
        else:
            found = tf.numpy_function(_solve, given, [self.matrix.dtype] * 3, stateful=False)
        step, decrease, upper = found
        upper = tf.ensure_shape(upper, (size, size))

        def again(vector):
            return solve_twice(upper, self.transposed(vector))

        return tf.ensure_shape(step, (size,)), tf.ensure_shape(decrease, ()), again


def dense_model(fold_jacobian, transposed, theta, damping, scale, gradient=None):
    """The `DenseModel` of a Jacobian, of the kind that a damping needs.

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

        def add(total, rows, _):
            return total + products_of(rows)

        matrix = fold_jacobian(theta, add, start, tf.add)
        matrix = tf.pad(tf.concat([matrix, gradient[:, None]], axis=1), [[0, 1], [0, 0]])
        return DenseModel(matrix, tf.constant(True), transposed)
    products = ~needs_triangle(damping, scale, theta.dtype)
    start = tf.zeros((theta.shape[0] + 1,) * 2, theta.dtype)
    matrix = tf.cond(
        products,
        lambda: fold_jacobian(theta, _add_products, start, tf.add),
        lambda: fold_jacobian(theta, reflect, start, above_each_other),
    )
    return DenseModel(matrix, products, transposed)


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


def reflect(triangle, matrix, residuals):
    """The triangular factor `(p + 1, p + 1)` of one above rows `(k, p)` and `(k,)`."""
    rows = tf.concat([matrix, residuals[:, None]], axis=1)
    if on_device.stays_on_device():
        return on_device.triangle_of(tf.concat([triangle, rows], axis=0))
    folded = tf.numpy_function(_triangle, [triangle, rows], triangle.dtype, stateful=False)
    return tf.ensure_shape(folded, triangle.shape)


def above_each_other(one, other):
    """The triangular factor of two triangles `(p + 1, p + 1)`."""
    return reflect(one, other[:, :-1], other[:, -1])


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
