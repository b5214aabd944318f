"""Variable projection: the last layer of a network is eliminated from a damped step.

The last layer is linear, and its best weights for given hidden layers are one least-squares
problem. A damped step treats them as all others, and creeps; here they are free in each step, and
after it they are the best ones for the new hidden layers, so that what is left is a smaller problem
in the hidden layers alone (Golub & Pereyra 1973). Kaufman's approximation (1975) neglects how the
columns of the last layer turn.

The columns of the last layer are nearly dependent. `HELD` keeps them from steps that are far larger
than what they gain: with parameters of 1e6 the sum is known to ten digits only.
"""

import functools
import typing

import numpy as np
import scipy.linalg
import tensorflow as tf

from kpinn.optimizers.least_squares import on_device
from kpinn.optimizers.least_squares.dense import above_each_other, reflect
from kpinn.optimizers.least_squares.factorizations import (
    one_thread,
    smallest_damping,
    solve_triangle,
)
from kpinn.optimizers.least_squares.row_space import collect
from kpinn.optimizers.least_squares.spectrum import least_squares, norms_of

HELD = 1e-9  # the root of the damping of the last layer, for columns of norm one
ROUNDS = 3  # of damped steps to the best last layer


class Projection(typing.NamedTuple):
    """A `LinearModel` with a damping of the parameters before the last layer.

    Its steps are not bent, so that `solve` returns no function of another right side.
    It is a triangular factor of `[J r]` with the columns of the last layer first. The lower corner
    is a factor of the other columns without what the last layer can do in their place.

    Attributes:
        triangle: `(p + 1, p + 1)`.
        order: the parameters in the order of its columns, an array of ints `(p,)`.
        free: how many of them are those of the last layer.
    """

    triangle: tf.Tensor
    order: np.ndarray
    free: int

    @property
    def scale(self):
        """The largest squared norm of a column of the lower corner."""
        corner = self.triangle[self.free : -1, self.free : -1]
        return tf.reduce_max(tf.reduce_sum(corner**2, axis=0))

    def smallest_damping(self):
        """See `LinearModel.smallest_damping`."""
        return smallest_damping(self.scale, False)

    def solve(self, damping):
        """The step, and what `|J s + r|^2` is less than `|r|^2`."""
        dtype, arguments = self.triangle.dtype, (self.triangle, damping)
        if on_device.stays_on_device():
            step, decrease = _solve_on_device(*arguments, self.free)
        else:
            solve = functools.partial(_solve, free=self.free)
            step, decrease = tf.numpy_function(solve, arguments, [dtype, dtype], stateful=False)
        step = tf.ensure_shape(step, self.order.shape)
        return tf.gather(step, np.argsort(self.order)), tf.ensure_shape(decrease, ())


def projection(objective, theta):
    """The `Projection` of the Jacobian of an objective, from its rows in blocks.

    Args:
        objective: a `FlatObjective` with residuals and a last layer.
        theta: tensor `(p,)`.
    """
    size, last = theta.shape[0], objective.last_layer()
    order = np.concatenate([last, np.setdiff1d(np.arange(size), last)])

    def fold(triangle, matrix, residuals):
        return reflect(triangle, tf.gather(matrix, order, axis=1), residuals)

    start = tf.zeros((size + 1, size + 1), theta.dtype)
    triangle = objective.fold_jacobian(theta, fold, start, above_each_other)
    if on_device.stays_on_device():
        return Projection(_held_on_device(triangle, len(last)), order, len(last))
    held = functools.partial(_held, free=len(last))
    triangle = tf.numpy_function(held, [triangle], theta.dtype, stateful=False)
    return Projection(tf.ensure_shape(triangle, (size + 1, size + 1)), order, len(last))


def best_last_layer(objective, theta):
    """The parameters with about the best ones of the last layer, if they are better, and the loss.

    Args:
        objective: a `FlatObjective` with residuals and a last layer.
        theta: tensor `(p,)`.
    """
    matrix, residuals = collect(objective.fold_last_layer, theta)
    last = objective.last_layer()
    step = functools.partial(least_squares, rounds=ROUNDS, held=HELD)
    step = tf.numpy_function(step, [matrix, residuals], theta.dtype, stateful=False)
    moved = tf.tensor_scatter_nd_add(theta, last[:, None], tf.ensure_shape(step, last.shape))
    before, after = (tf.reduce_sum(r**2) for r in (residuals, objective.residuals(moved)))
    better = (after < before) | ~tf.math.is_finite(before)
    return tf.where(better, moved, theta), tf.where(better, after, before)


def projection_bytes(rows, columns, free):
    """The bytes of a `Projection` and of the columns of the last layer, with what LAPACK copies."""
    return 8 * (8 * (columns + 1) ** 2 + 5 * rows * free)


def _held(triangle, free):
    """The triangle with the damping of the first columns."""
    dtype, triangle = triangle.dtype, np.asarray(triangle, np.float64)
    below = np.zeros((free, len(triangle)))
    below[:, :free] = np.diag(HELD * norms_of(triangle[:, :free]))
    with one_thread():
        return np.linalg.qr(np.concatenate([triangle, below]), mode="r").astype(dtype)


def _held_on_device(triangle, free):
    """As `_held`, for tensors."""
    norms = tf.norm(triangle[:, :free], axis=0)
    below = tf.linalg.diag(HELD * tf.where(norms > 0.0, norms, 1.0))
    below = tf.pad(below, [[0, 0], [0, triangle.shape[1] - free]])
    return on_device.triangle_of(tf.concat([triangle, below], axis=0))


def _solve_on_device(triangle, damping, free):
    """As `_solve`, for tensors."""
    wide = tf.cast(triangle, tf.float64)
    upper, right = wide[:-1, :-1], wide[:-1, -1]
    corner, damping = upper[free:, free:], tf.cast(damping, tf.float64)
    rest, decrease, _ = on_device.solve_triangle(corner, right[free:], damping)
    given = right[:free] + tf.linalg.matvec(upper[:free, free:], rest)
    first = -tf.linalg.triangular_solve(upper[:free, :free], given[:, None], lower=False)[:, 0]
    decrease += tf.reduce_sum(right[:free] ** 2)
    return tuple(tf.cast(p, triangle.dtype) for p in (tf.concat([first, rest], axis=0), decrease))


def _solve(triangle, damping, free):
    """The step, the last layer first, and the decrease."""
    dtype, triangle = triangle.dtype, np.asarray(triangle, np.float64)
    upper, right = triangle[:-1, :-1], triangle[:-1, -1]
    with one_thread():
        rest, decrease, _ = solve_triangle(upper[free:, free:], right[free:], float(damping))
        given = right[:free] + upper[:free, free:] @ rest
        first = -scipy.linalg.solve_triangular(upper[:free, :free], given, check_finite=False)
    decrease += right[:free] @ right[:free]
    return np.concatenate([first, rest]).astype(dtype), np.asarray(decrease, dtype)
