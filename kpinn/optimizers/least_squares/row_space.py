"""Damped linear least squares for fewer residuals than parameters.

The step that minimises `|J s + r|^2 + damping |s|^2` is a combination of the rows of `J`:
`s = -J^T (J J^T + damping)^-1 r`. So it takes a factorisation of the size of the residuals, not of
the parameters. The products `J J^T` lose what is below their rounding (see `factorizations`); for
small dampings there is `J = R Q` instead, where `R` is a triangle and the rows of `Q` are
orthonormal: `s = Q^T y` for the `y` that minimises `|R y + r|^2 + damping |y|^2`.
"""

import typing

import numpy as np
import scipy.linalg
import tensorflow as tf

from kpinn.optimizers.least_squares import on_device
from kpinn.optimizers.least_squares.factorizations import (
    cholesky,
    needs_triangle,
    one_thread,
    smallest_damping,
    solve_triangle,
    solve_twice,
)
from kpinn.optimizers.least_squares.linear_model import Memory, Solver


class RowSpace(Solver):
    """Solves with a matrix of the size of the residuals: the neural tangent kernel."""

    needs_residuals = True

    def memory(self, parameters, residuals=None):
        """See `Solver.memory`."""
        return Memory(
            row_space_bytes(residuals or 0, parameters),
            f"{residuals} residuals and {parameters} parameters",
            "pass fewer points or batch_size to fit",
        )

    def model(self, objective, theta, start, state):
        """See `Solver.model`."""
        products = ~needs_triangle(state["damping"], state["scale"], theta.dtype)
        return row_space_model(*collect(objective.fold_jacobian, theta), products)


class RowSpaceModel(typing.NamedTuple):
    """A `LinearModel`: `J = small basis`, or, by products, `J = basis` and `J J^T = small`.

    Attributes:
        basis: `(m, p)`, in its rows the directions of which steps are made.
        small: `(m, m)`, products or a triangle.
        residuals: `(m,)`.
        scale: the largest squared norm of a column of `J`.
        products: scalar bool, which of them.
    """

    basis: tf.Tensor
    small: tf.Tensor
    residuals: tf.Tensor
    scale: tf.Tensor
    products: tf.Tensor

    def smallest_damping(self):
        """See `LinearModel.smallest_damping`."""
        return smallest_damping(self.scale, self.products)

    def solve(self, damping):
        """See `LinearModel.solve`."""
        given = self.small, self.residuals, self.products, damping
        if on_device.stays_on_device():
            found = on_device.solve(*given)
        else:
            found = tf.numpy_function(_solve, given, [self.small.dtype] * 3, stateful=False)
        weights, decrease, upper = found
        upper = tf.ensure_shape(upper, self.small.shape)
        step = self._combined(tf.ensure_shape(weights, self.residuals.shape))

        def again(vector):
            right = tf.cond(
                self.products,
                lambda: vector,
                lambda: tf.linalg.matvec(self.small, vector, transpose_a=True),
            )
            return self._combined(solve_twice(upper, right))

        return step, tf.ensure_shape(decrease, ()), again

    def _combined(self, weights):
        return tf.linalg.matvec(self.basis, weights, transpose_a=True)


def row_space_model(matrix, residuals, products):
    """The `RowSpaceModel` of a Jacobian.

    Args:
        matrix: `(m, p)`.
        residuals: `(m,)`.
        products: scalar bool, whether by products or by an orthogonal factorisation.
    """
    basis, small = tf.cond(
        products,
        lambda: (matrix, tf.matmul(matrix, matrix, transpose_b=True)),
        lambda: _factors(matrix),
    )
    scale = tf.reduce_max(tf.reduce_sum(matrix**2, axis=0))
    return RowSpaceModel(basis, small, residuals, scale, products)


def collect(fold_jacobian, theta):
    """The Jacobian `(m, p)` and the residuals `(m,)` as tensors."""
    chunks = fold_jacobian(theta, lambda found, *chunk: [*found, chunk], [])
    matrices, residuals = zip(*chunks, strict=True)
    return tf.concat(matrices, axis=0), tf.concat(residuals, axis=0)


def row_space_bytes(rows, columns):
    """The bytes of a `RowSpaceModel` and of what it is made of: LAPACK has copies in float64."""
    return 8 * rows * (4 * columns + 6 * rows)


def _factors(matrix):
    rows, columns = matrix.shape
    if on_device.stays_on_device():
        return on_device.rows_of(matrix)
    basis, small = tf.numpy_function(_reduce, [matrix], [matrix.dtype] * 2, stateful=False)
    return tf.ensure_shape(basis, (rows, columns)), tf.ensure_shape(small, (rows, rows))


def _reduce(matrix):
    """An upper triangle `(m, m)` times orthonormal rows `(m, p)`, the rows first."""
    rows, columns = matrix.shape
    wide = np.zeros((rows, max(rows, columns)), order="F")  # zeros take no part in a step
    wide[:, :columns] = matrix
    if not np.isfinite(wide).all():
        wide.fill(np.nan)  # LAPACK may not end with infinity
    with one_thread():
        small, basis = scipy.linalg.rq(wide, overwrite_a=True, mode="economic", check_finite=False)
    return [np.ascontiguousarray(part, matrix.dtype) for part in (basis[:, :columns], small)]


def _solve(small, residuals, products, damping):
    method, dtype = _solve_products if products else solve_triangle, small.dtype
    small, residuals = np.asarray(small, np.float64), np.asarray(residuals, np.float64)
    with one_thread():
        found = method(small, residuals, float(damping))
    return tuple(np.asarray(part, dtype) for part in found)


def _solve_products(products, residuals, damping):
    upper = cholesky(products, damping)
    weights = -scipy.linalg.cho_solve((upper, False), residuals, check_finite=False)
    change = products @ weights
    return weights, -change @ (change + 2.0 * residuals), upper
