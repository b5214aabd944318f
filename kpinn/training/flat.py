"""How a PINN is trained by a `FlatOptimizer`, which sees all parameters as one vector."""

import numpy as np
import tensorflow as tf

from kpinn.backend.keras_private import loss_tracker
from kpinn.optimizers.flat_optimizer import NONFINITE, FlatObjective
from kpinn.optimizers.stages import current
from kpinn.problem.unknowns import bounds
from kpinn.training.nonfinite import marks_of
from kpinn.training.state import state_of


class FlatFunctions:
    """The functions that a `FlatOptimizer` calls, and the losses that the last one found.

    The parameters of the PINN are those of the last evaluation.

    Args:
        objective: the `Objective`.
    """

    def __init__(self, objective):
        self.objective = objective
        count = 1 + len(objective.problem.conditions)
        unknown = tf.fill((count,), tf.constant(np.nan, objective.dtype))
        self.recent = tf.Variable(unknown, trainable=False)
        self.weights = tf.Variable(objective.loss_weights(), trainable=False)

    def weights_changed(self):
        """Whether loss weights are others than when this was asked last, scalar bool."""
        weights = self.objective.loss_weights()
        changed = tf.reduce_any(weights != self.weights)
        self.weights.assign(weights)
        return changed

    def on(self, data):
        """The `FlatObjective` of a `Data`."""
        objective = self.objective

        def value_and_gradient(theta):
            row, gradient = objective.value_and_gradient(theta, data)
            return self._kept(row)[0], gradient

        def residuals(theta):
            row, vector = objective.residuals(theta, data)
            self._kept(row)
            return vector

        return FlatObjective(
            value_and_gradient=value_and_gradient,
            residuals=residuals if objective.is_squares else None,
            fold_jacobian=lambda theta, *rest: objective.fold_jacobian(theta, data, *rest),
            jacobian_vector=lambda theta, v: objective.jacobian_vector(theta, data, v),
            vector_jacobian=lambda theta, v: objective.vector_jacobian(theta, data, v),
            bounds=bounds(objective.variables, objective.dtype),
            value=lambda theta: self._kept(objective.value(theta, data))[0],
            is_affine=lambda: objective.is_squares and objective.is_affine(data),
            has_affine_network=lambda: objective.is_squares and objective.has_affine_network(),
            last_layer=lambda: objective.positions(objective.last_layer()),
            fold_last_layer=lambda theta, *rest: objective.fold_jacobian(
                theta, data, *rest, chosen=objective.last_layer()
            ),
            is_not_separable=lambda: objective.is_not_separable(data),
        )

    def losses(self, theta, loss, data):
        """The loss and the loss of each condition at parameters, which the PINN has then.

        Args:
            theta: tensor `(p,)`.
            loss: the loss there, to know whether the last evaluation was that.
            data: the `Data`.

        Returns:
            A tensor `(1 + number of conditions,)`.
        """
        same = tf.reduce_all(self.objective.theta() == theta) & (self.recent[0] == loss)
        return tf.cond(same, self.recent.read_value, lambda: self.objective.value(theta, data))

    def _kept(self, row):
        self.recent.assign(row)
        return row


def flat_functions(pinn):
    """The `FlatFunctions` of a PINN, made once for its objective, outside of any graph."""
    with tf.init_scope():
        return pinn.objective.compiled.once("flat", lambda: FlatFunctions(pinn.objective))


def flat_step(pinn, data, stale):
    """One step of a `FlatOptimizer`; the metrics have the losses after it.

    Args:
        pinn: the `PINN`.
        data: a `Data`.
        stale: scalar bool; whether the points are others than in the last step.

    Returns:
        The logs.
    """
    functions, logs = flat_functions(pinn), state_of(pinn).settings.logs
    passing = stale
    stale |= functions.weights_changed()
    theta = functions.objective.theta()
    optimizer, marks = current(pinn.optimizer), marks_of(pinn)
    theta, loss = optimizer.take_step(functions.on(data), theta, stale, passing)
    if marks.sightings is not None:
        bad = optimizer.status.value == NONFINITE
        tf.cond(bad, lambda: marks.sightings.keep(data), lambda: None)
    losses = functions.losses(theta, loss, data)
    functions.objective.assign(theta)
    trackers = [loss_tracker(pinn), *logs.trackers.values()]
    for tracker, value in zip(trackers, tf.unstack(losses), strict=True):
        tracker.reset_state()
        tracker.update_state(value)
    if state_of(pinn).settings.metrics is not None:
        logs.update(functions.objective.outputs(data), data.targets)
    return pinn.get_metrics_result()
