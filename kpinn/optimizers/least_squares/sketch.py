"""Damped linear least squares for many residuals and many parameters, on random sums of rows.

Each row of `[J r]` goes, with a random sign, into one of `rows` sums, which are the rows of a
smaller system: `E[(S J)^T S J] = J^T J` for the matrix `S` of signs. The sums have the same number
of rows, but for one, which makes them less random than where each row is drawn alone.
"""

import typing
from collections.abc import Callable

import tensorflow as tf

from kpinn.optimizers.least_squares.factorizations import needs_triangle
from kpinn.optimizers.least_squares.linear_model import Memory, Solver
from kpinn.optimizers.least_squares.row_space import (
    RowSpaceModel,
    collect,
    row_space_bytes,
    row_space_model,
)
from kpinn.options import optional, positive_whole

DRAWS = 5  # sketches without progress, after which there is none


class Sketch(Solver):
    """Solves for random sums of the residuals, others in each step, where there are fewer of them.

    Args:
        rank: number of sums, by default half the number of parameters.
    """

    takes_rank, needs_residuals = True, True

    def __init__(self, rank=None):
        super().__init__(optional(positive_whole, "rank", rank))

    def memory(self, parameters, residuals=None):
        """See `Solver.memory`."""
        rows = self._sums(parameters)
        what = f"{rows} sums of residuals and {parameters} parameters"
        return Memory(row_space_bytes(rows, parameters), what, "pass a smaller rank")

    def initial_state(self):
        """How many sketches there were, and how many of the last ones without progress."""
        return {"draws": tf.constant(0), "failures": tf.constant(0)}

    def model(self, objective, theta, start, state):
        """See `Solver.model`."""
        products = ~needs_triangle(state["damping"], state["scale"], theta.dtype)
        if not self._has_more(start, theta):
            return row_space_model(*collect(objective.fold_jacobian, theta), products)
        count, rows = start.residuals.shape[0], self._sums(theta.shape[0])
        signs = draw_signs(count, rows, state["draws"], theta.dtype)
        return sketched_model(objective, theta, start.residuals, signs, products)

    def next_state(self, state, theta, start, accepted):
        """See `Solver.next_state`; another sketch may make progress where one did not."""
        failures = tf.where(accepted, 0, (state["failures"] + 1) % DRAWS)
        another = ~accepted & (failures > 0) & self._has_more(start, theta)
        return {"draws": state["draws"] + 1, "failures": failures}, another

    def _sums(self, parameters):
        """The number of rows of a sketch."""
        rows = max(1, parameters // 2) if self.rank is None else self.rank
        if rows > parameters:
            raise ValueError(
                f"rank={rows} is more than the {parameters} parameters, for which "
                "solver='dense' needs no sketch."
            )
        return rows

    def _has_more(self, start, theta):
        """Whether there are more residuals than sums; shapes alone say it."""
        return start.residuals.shape[0] > self._sums(theta.shape[0])


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


class SketchedModel(typing.NamedTuple):
    """A `LinearModel` whose steps are those of a sketch of it.

    Attributes:
        sums: the `RowSpaceModel` of the sketch.
        signs: the `Signs`.
        times: `(p,) -> (m,)`, the Jacobian times a vector.
        residuals: `(m,)`, all of them.
    """

    sums: RowSpaceModel
    signs: Signs
    times: Callable
    residuals: tf.Tensor

    @property
    def scale(self):
        """The largest squared norm of a column of the sketch."""
        return self.sums.scale

    def smallest_damping(self):
        """See `LinearModel.smallest_damping`."""
        return self.sums.smallest_damping()

    def solve(self, damping):
        """See `LinearModel.solve`; the decrease is that of all residuals."""
        step, _, again = self.sums.solve(damping)
        change = self.times(step)
        decrease = -tf.reduce_sum(change * (change + 2.0 * self.residuals))
        return step, decrease, lambda vector: again(self.signs.times(vector))


def sketched_model(objective, theta, residuals, signs, products):
    """The `SketchedModel` of the residuals of an objective.

    Args:
        objective: a `FlatObjective`.
        theta: tensor `(p,)`.
        residuals: `(m,)`, those at `theta`.
        signs: the `Signs` for `m` rows.
        products: scalar bool, as for `row_space_model`.
    """

    def add(found, matrix, _):
        total, start = found
        return signs.add(total, matrix, start), start + tf.shape(matrix)[0]

    start = tf.zeros((signs.rows, theta.shape[0]), theta.dtype), tf.constant(0)
    total, _ = objective.fold_jacobian(theta, add, start)
    return SketchedModel(
        row_space_model(total, signs.times(residuals), products),
        signs,
        lambda vector: objective.jacobian_vector(theta, vector),
        residuals,
    )
