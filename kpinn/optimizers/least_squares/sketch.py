"""Damped linear least squares for many residuals and many parameters, on random sums of rows.

Each row of `[J r]` goes, with a random sign, into one of `rows` sums, which are the rows of a
smaller system: `E[(S J)^T S J] = J^T J` for the matrix `S` of signs. The sums have the same number
of rows, but for one, which makes them less random than where each row is drawn alone.
"""

import typing
from collections.abc import Callable

import tensorflow as tf

from kpinn.optimizers.least_squares.row_space import Kernel, kernel


class Signs(typing.NamedTuple):
    """A count sketch: a matrix with one entry, 1 or -1, in each column.

    Attributes:
        buckets: `(m,)`, int32, the row of the entry.
        values: `(m,)`, the entry.
        rows: number of rows, an int.
    """

    buckets: tf.Tensor
    values: tf.Tensor
    rows: int

    def add(self, total, matrix, start):
        """Adds the sketch of the rows `start` to `start + k` of a matrix `(k, p)` to a total."""
        chosen = slice(start, start + tf.shape(matrix)[0])
        signed = self.values[chosen, None] * matrix
        return tf.tensor_scatter_nd_add(total, self.buckets[chosen, None], signed)

    def times(self, vector):
        """The sketch of a vector `(m,)`."""
        total = tf.zeros((self.rows, 1), vector.dtype)
        return self.add(total, vector[:, None], 0)[:, 0]


def draw_signs(count, rows, number, dtype):
    """The `Signs` for `count` rows; another number gives others, the same number the same."""
    keys = tf.random.stateless_uniform((count,), tf.stack([number, 0]))
    halves = tf.random.stateless_uniform((count,), tf.stack([number, 1]), maxval=2, dtype=tf.int32)
    return Signs(tf.argsort(keys, stable=True) % rows, tf.cast(2 * halves - 1, dtype), rows)


class Sketch(typing.NamedTuple):
    """A linear model whose steps are those of a sketch of it.

    Attributes:
        sums: the `Kernel` of the sketch.
        signs: the `Signs`.
        times: `(p,) -> (m,)`, the Jacobian times a vector.
        residuals: `(m,)`, all of them.
    """

    sums: Kernel
    signs: Signs
    times: Callable
    residuals: tf.Tensor

    @property
    def scale(self):
        """The largest squared norm of a column of the sketch."""
        return self.sums.scale

    def smallest_damping(self):
        """The smallest damping that the sketch can tell from zero."""
        return self.sums.smallest_damping()

    def solve(self, damping):
        """See `damped_least_squares.Factor.solve`; the decrease is that of all residuals."""
        step, _, again = self.sums.solve(damping)
        change = self.times(step)
        decrease = -tf.reduce_sum(change * (change + 2.0 * self.residuals))
        return step, decrease, lambda vector: again(self.signs.times(vector))


def sketch(objective, theta, residuals, signs, products):
    """The `Sketch` of the residuals of an objective.

    Args:
        objective: a `FlatObjective`.
        theta: tensor `(p,)`.
        residuals: `(m,)`, those at `theta`.
        signs: the `Signs` for `m` rows.
        products: scalar bool, as for `kernel`.
    """

    def add(found, matrix, _):
        total, start = found
        return signs.add(total, matrix, start), start + tf.shape(matrix)[0]

    start = tf.zeros((signs.rows, theta.shape[0]), theta.dtype), tf.constant(0)
    total, _ = objective.fold_jacobian(theta, add, start)
    return Sketch(
        kernel(total, signs.times(residuals), products),
        signs,
        lambda vector: objective.jacobian_vector(theta, vector),
        residuals,
    )
