"""Steps whose loss and gradient the replicas compute, and whose update is made once."""

import tensorflow as tf

from kpinn.backend.keras_private import loss_tracker
from kpinn.optimizers.flat_optimizer import FlatOptimizer
from kpinn.optimizers.stages import current
from kpinn.problem.points import counts
from kpinn.training.flat import flat_step
from kpinn.training.nonfinite import apply_finite
from kpinn.training.state import state_of, step_number


def train_step(pinn, data):
    """One step of the optimizer, as `PINN.train_step`, between the steps of replicas.

    Args:
        pinn: the `PINN`.
        data: the `Data` of the whole step.

    Returns:
        The logs.
    """
    optimizer, objective = current(pinn.optimizer), pinn.objective
    if isinstance(optimizer, FlatOptimizer):
        return flat_step(pinn, data, stale=tf.constant(True))
    number, compares = step_number(pinn), state_of(pinn).settings.metrics is not None

    def of_share(share):
        with tf.GradientTape() as tape:
            loss, terms, residuals = objective.loss(share, objective.step(number, share))
            scaled = optimizer.scale_loss(loss)
        gradients = objective.gradient(tape, scaled)
        whole = objective.placed(residuals, share) if compares else {}
        return objective.row(loss, terms), gradients, whole

    row, gradients, residuals = objective.divided(of_share, data)
    apply_finite(pinn, row[0], gradients, data)
    return _logs(pinn, data, row, residuals)


def test_step(pinn, data):
    """One step of `evaluate`, as `PINN.test_step`; see `train_step`."""
    objective, number = pinn.objective, step_number(pinn)
    compares = state_of(pinn).settings.metrics is not None

    def of_share(share):
        loss, terms, residuals = objective.loss(share, objective.step(number, share))
        whole = objective.placed(residuals, share) if compares else {}
        return objective.row(loss, terms), whole

    return _logs(pinn, data, *objective.divided(of_share, data))


def _logs(pinn, data, row, residuals):
    """Updates the trackers and metrics by the losses and residuals of a whole step."""
    logs, problem = state_of(pinn).settings.logs, pinn.problem
    names = pinn.objective.evaluated(data)
    sizes, losses = (
        counts(names, data),
        dict(zip(problem.conditions, tf.unstack(row[1:]), strict=True)),
    )
    first = next(iter(tf.nest.flatten(data.points))).shape[0]
    loss_tracker(pinn).update_state(row[0], sample_weight=first)
    for name in names:
        count = 1 if problem.conditions[name].over_set else sizes[name]
        logs.trackers[name].update_state(losses[name], sample_weight=count)
    logs.update(residuals, data.targets)
    absent = logs.names([name for name in problem.conditions if name not in names])
    found = pinn.get_metrics_result()
    return {name: value for name, value in found.items() if name not in absent}
