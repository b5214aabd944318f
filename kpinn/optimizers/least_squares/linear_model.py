"""What Levenberg-Marquardt needs of the residuals: a linear model of them, and who makes it.

A step minimises `|J s + r|^2 + damping |s|^2`, for several values of the damping. A `LinearModel`
is what is left of the Jacobian `J` and the residuals `r` for that; a `Solver` makes one in each
step. The solvers are in the modules `dense`, `row_space` and `sketch`; the table of
`levenberg_marquardt` has their names.
"""

import abc
import typing

import tensorflow as tf


class LinearModel(typing.Protocol):
    """Residuals that are linear in the parameters."""

    @property
    def scale(self):
        """About the largest squared norm of a column of `J`, a scalar."""

    def smallest_damping(self):
        """The smallest damping that the model can tell from zero, a scalar."""

    def solve(self, damping):
        """The minimum of `|J s + r|^2 + damping |s|^2`.

        Args:
            damping: a positive scalar.

        Returns:
            `s` `(p,)`; what `|J s + r|^2` is less than `|r|^2`; and a function from `(m,)` to the
            solution `(p,)` of `(J^T J + damping) s = J^T vector`. All are NaN where the damping is
            too small for the model.
        """


class Start(typing.NamedTuple):
    """Where a step begins.

    Attributes:
        loss: scalar.
        is_stationary: scalar bool, whether there is no way down.
        residuals: `(m,)`; `None` where the loss is no sum of squares.
        gradient: half the gradient `(p,)` of such a loss, else `None`.
    """

    loss: tf.Tensor
    is_stationary: tf.Tensor
    residuals: tf.Tensor | None
    gradient: tf.Tensor | None


class Memory(typing.NamedTuple):
    """What a solver needs: `bytes`, what they are `of`, and what to do if they are too many."""

    bytes: int
    of: str
    advice: str


class Solver(abc.ABC):
    """Base class: a subclass has `memory` and `model`, and what else differs from here.

    Args:
        rank: of a solver that `takes_rank` the size of what it makes of the Jacobian, or `None`.
    """

    takes_rank = False
    needs_residuals = False  # whether the loss has to be a sum of squares

    def __init__(self, rank=None):
        self.rank = rank

    @abc.abstractmethod
    def memory(self, parameters, residuals=None):
        """The `Memory` for so many parameters and residuals; before the first step for `None`.

        Raises:
            ValueError: if the rank does not fit the number of parameters.
        """

    def initial_state(self):
        """Its own part of the state before the first step: a dict of tensors."""
        return {}

    @abc.abstractmethod
    def model(self, objective, theta, start, state):
        """The `LinearModel` of a step.

        Args:
            objective: a `FlatObjective`.
            theta: tensor `(p,)`.
            start: the `Start` at `theta`.
            state: dict of tensors: the `damping` and the `scale` of the last step, zeros before
                the first, and its own part.
        """

    def next_state(self, state, theta, start, accepted):
        """Its part of the state after a step, and whether a step that failed may be tried again.

        Args:
            state, theta, start: those that `model` had.
            accepted: scalar bool, whether the step was taken.
        """
        return {}, False
