"""Gauss-Newton steps with momentum, for mini-batches and fresh points."""

import keras
import tensorflow as tf

from kpinn.optimizers.flat import within
from kpinn.optimizers.flat_optimizer import (
    CONVERGED,
    NONFINITE,
    RUNNING,
    FlatOptimizer,
    Progress,
    check_memory,
)
from kpinn.optimizers.least_squares.bounds import restricted
from kpinn.optimizers.least_squares.factorizations import needs_triangle
from kpinn.optimizers.least_squares.row_space import collect, row_space_bytes, row_space_model
from kpinn.options import number, optional, positive_whole

MEMORY = 2**31  # bytes


@keras.saving.register_keras_serializable(package="kpinn")
class SPRING(FlatOptimizer):
    """SPRING: Gauss-Newton steps on few residuals, which remember the steps before.

    For large networks, where the points of a step (a mini-batch, or fresh points) are fewer than
    the parameters. Such a step knows the directions that its residuals see; in the others it goes
    on as the steps before did. With the residuals `r`, whose squares sum to the loss, and their
    Jacobian `J` a step is `-learning_rate * direction`, where

        direction = momentum * last + J^T (J J^T + damping)^-1 (r - momentum * J last).

    Every step is taken, whether the loss falls or not: `LevenbergMarquardt`, which makes sure, is
    better where all points fit into each step.

    Args:
        learning_rate: length of a step, in parts of the direction; or a Keras schedule. With more
            than about `2 * (1 - momentum)` steps may grow without bound.
        damping: in parts of the largest squared column norm of `J`.
        momentum: how much of the last direction stays, from 0 to below 1.
        max_norm: most norm of a step, or `None`. Without it a network rarely survives the first
            steps, which are long.
        memory: most bytes for the matrices.
        name: name of the optimizer.

    Raises:
        ValueError: for numbers out of range; in `fit`, for losses that are not mean squares, and
            for more residuals in a step than the memory allows.

    Example:

        pinn.compile(kpinn.optimizers.SPRING())
        pinn.fit(points, epochs=20, batch_size=500)

    References:
        G. Goldshlager, N. Abrahamsen and L. Lin, A Kaczmarz-inspired approach to accelerate the
        optimization of neural network wavefunctions, Journal of Computational Physics 516 (2024),
        113351.
        A. Guzman-Cordero, F. Dangel, G. Goldshlager and M. Zeinhofer, Improving energy natural
        gradient descent through Woodbury, momentum, and randomization (2025), arXiv:2505.12149.
    """

    least_squares, has_rate = True, True

    def __init__(
        self,
        learning_rate=0.2,
        damping=1e-10,
        momentum=0.9,
        max_norm=0.1,
        memory=MEMORY,
        name="spring",
    ):
        super().__init__(name)
        is_schedule = callable(learning_rate)
        rate = learning_rate
        self.learning_rate = rate if is_schedule else number("learning_rate", rate, "(0, inf)")
        self.damping = number("damping", damping, "(0, inf)")
        self.momentum = number("momentum", momentum, "[0, 1)")
        self.max_norm = optional(number, "max_norm", max_norm, "(0, inf)")
        self.memory = positive_whole("memory", memory)

    def get_config(self):
        """The arguments."""
        rate = super(FlatOptimizer, self).get_config()["learning_rate"]
        names = ("damping", "momentum", "max_norm", "memory")
        options = {name: getattr(self, name) for name in names}
        return super().get_config() | options | {"learning_rate": rate}

    def initial_state(self, theta):
        """The last direction; zeros before the first step."""
        return {"direction": tf.zeros_like(theta)}

    def step(self, objective, theta, state, stale):
        """One iteration; see `FlatOptimizer.step`."""
        before = objective.residuals(theta)
        count, size = before.shape[0], theta.shape[0]
        what = f"{count} residuals and {size} parameters"
        advice = "pass fewer points or batch_size to fit"
        check_memory(self, row_space_bytes(count, size), what, advice)
        objective, free = restricted(objective, theta, before)
        direction = self._direction(objective, theta, free * state["direction"])
        moved = within(theta - self._length(direction) * direction, objective.bounds)
        loss = tf.reduce_sum(objective.residuals(moved) ** 2)
        finite = tf.math.is_finite(loss)
        status = tf.where(finite, RUNNING, NONFINITE)
        still = (loss == 0.0) & tf.reduce_all(moved == theta) & ~stale
        status = tf.where(still, CONVERGED, status)
        theta = tf.where(finite, moved, theta)
        direction = tf.where(finite, direction, state["direction"])
        loss = tf.where(finite, loss, tf.reduce_sum(before**2))
        return theta, {"direction": direction}, Progress(loss, tf.constant(3), status)

    def _direction(self, objective, theta, last):
        """The projection of the last direction onto those that solve the damped system."""
        matrix, residuals = collect(objective.fold_jacobian, theta)
        last = tf.cast(self.momentum, theta.dtype) * last
        missing = residuals - tf.linalg.matvec(matrix, last)
        part, one = tf.constant(self.damping, theta.dtype), tf.ones((), theta.dtype)
        model = row_space_model(matrix, missing, ~needs_triangle(part, one, theta.dtype))
        damping = tf.where(model.scale > 0.0, part * model.scale, one)
        step, _, _ = model.solve(damping)
        return last - step

    def _length(self, direction):
        """The learning rate, less where a step would be longer than `max_norm`."""
        rate = tf.cast(self.learning_rate, direction.dtype)
        if self.max_norm is None:
            return rate
        return tf.minimum(rate, tf.math.divide_no_nan(self.max_norm, tf.norm(direction)))
