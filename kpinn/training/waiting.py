"""Epochs in which an optimizer that can go no further waits for other points or weights."""

import keras
import tensorflow as tf

from kpinn.optimizers.flat_optimizer import RUNNING
from kpinn.optimizers.stages import current
from kpinn.training import changes
from kpinn.training.flat import flat_functions


def may_change(callbacks):
    """Whether one of the callbacks could change what is minimised.

    Those of Keras do not, but for `LambdaCallback`; any other may say `changes_loss = False`.
    """
    return any(getattr(each, "changes_loss", not _of_keras(each)) for each in callbacks)


def _of_keras(callback):
    kind = type(callback)
    is_own = kind.__module__.startswith("keras.") and kind is not keras.callbacks.LambdaCallback
    return is_own or kind.__module__.startswith("kpinn.training.")


def wakes(pinn):
    """Whether the loss or the weights are others than when the optimizer ended; it goes on then."""
    objective, optimizer = changes.objective(pinn), current(pinn.optimizer)
    functions = flat_functions(pinn)
    changed = optimizer.stale | functions.weights_changed()
    changed |= tf.reduce_any(objective.theta() != optimizer.last_theta)
    if changed:
        optimizer.stale.assign(True)
        optimizer.status.assign(RUNNING)
    return bool(changed)
