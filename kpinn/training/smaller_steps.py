"""A smaller step after a rollback."""

import keras

from kpinn.backend.keras_private import schedule_of
from kpinn.optimizers.flat_optimizer import FlatOptimizer
from kpinn.options.configs import FromConfig
from kpinn.training.changes import forget_compiled


@keras.saving.register_keras_serializable(package="kpinn")
class Halved(FromConfig, keras.optimizers.schedules.LearningRateSchedule):
    """Half of what a schedule says.

    Args:
        schedule: the schedule.
    """

    inner = ("schedule",)

    def __init__(self, schedule):
        self.schedule = schedule

    def __call__(self, step):
        """Half of it."""
        return 0.5 * self.schedule(step)

    def get_config(self):
        """The arguments."""
        return {"schedule": keras.saving.serialize_keras_object(self.schedule)}


def make_smaller(pinn, optimizer):
    """Halves the learning rate; an optimizer without one forgets what it has learnt of the loss."""
    if isinstance(optimizer, FlatOptimizer):
        optimizer.restart(pinn.objective.theta())
    if not isinstance(optimizer, FlatOptimizer) or optimizer.has_rate:
        halve(pinn, optimizer)


def halve(pinn, optimizer):
    """Halves the learning rate of an optimizer."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    rate = optimizer.get_config()["learning_rate"]
    if isinstance(rate, float):
        optimizer.learning_rate = 0.5 * rate
    else:
        optimizer.learning_rate = Halved(schedule_of(optimizer))
        forget_compiled(pinn)  # which holds the schedule
