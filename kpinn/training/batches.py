"""How `PINN.fit` runs in Keras's own loop: over streams, or with a user's `train_step`."""

import contextlib

import keras
import numpy as np
import tensorflow as tf

from kpinn.optimizers.flat_optimizer import NONFINITE, FlatOptimizer
from kpinn.optimizers.stages import current
from kpinn.training import changes, recovery
from kpinn.training.arguments import listed
from kpinn.training.compiling import with_xla_if_possible
from kpinn.training.epochs import finished
from kpinn.training.guard import Guard
from kpinn.training.nonfinite import NONE, all_finite, marks_of, outside
from kpinn.training.state import state_of


def fit_by_keras(pinn, x, callbacks, **arguments):
    """Trains in Keras's own loop; returns its `History`."""
    arguments["callbacks"] = _with_own(pinn, callbacks)
    state_of(pinn).training_data, state_of(pinn).replaying = None, False
    state_of(pinn).loop = "batches"

    def run():
        flat = isinstance(pinn.optimizer, FlatOptimizer)
        with finished(pinn) if flat else contextlib.nullcontext():
            return keras.Model.fit(pinn, x, **arguments)

    return with_xla_if_possible(pinn, run, x)


def _with_own(pinn, callbacks):
    """Callbacks as Keras takes them, before them a `Watch` and after them a `_Notice`."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        own = Watch(callbacks.callbacks[:]), _Notice()
        for each in own:
            each.set_model(pinn)
        callbacks.callbacks[:] = [own[0], *callbacks.callbacks, own[1]]
        return callbacks
    callbacks = listed(callbacks)
    return [Watch(callbacks), *callbacks, _Notice()]


class _Notice(keras.callbacks.Callback):
    """Sees in Keras's own loop what the callbacks before it have changed."""

    def on_train_batch_begin(self, batch, logs=None):
        changes.objective(self.model)
        marks_of(self.model)  # now: a function that makes variables is traced twice


class Watch(keras.callbacks.Callback):
    """Judges each execution of Keras's own loop, before other callbacks see it.

    Args:
        callbacks: the others.
    """

    def __init__(self, callbacks):
        super().__init__()
        self.callbacks, self.guard, self.epoch = callbacks, None, 0

    def on_train_begin(self, logs=None):
        """Nothing is wrong yet."""
        changes.objective(self.model)
        self.guard = None

    def on_epoch_begin(self, epoch, logs=None):
        """Remembers the epoch, and in the first one the weights, which may be restored ones."""
        self.epoch = epoch
        if self.guard is None:
            self.guard = Guard(self.model, self.callbacks)

    def on_train_batch_end(self, batch, logs=None):
        """Raises, stops or goes back, if the batch was not finite."""
        guard, marks = self.guard, marks_of(self.model)
        weights, bad = _weights(self.model), is_bad(self.model, logs or {})
        if not bad and all_finite(weights):
            guard.weights = weights
            marks.enter()
            return
        place = f"epoch {self.epoch + 1}, step {batch + 1}"
        guard.raise_unless_stopped(recovery.after_batch(guard, place))


def is_bad(pinn, logs):
    """Whether a step was not finite, as far as it says so itself."""
    marks = marks_of(pinn)
    if marks.flat and int(current(pinn.optimizer).status.value.numpy()) == NONFINITE:
        return True
    if outside(pinn) and not np.isfinite(float(logs.get("loss", 0.0))):
        return True
    return int(marks.step.numpy()) != NONE


def _weights(pinn):
    def weights():
        return [tf.identity(variable.value) for variable in pinn.trainable_variables]

    return state_of(pinn).compiled.graph("weights", weights)()


def train_on_batch(pinn, make_step):
    """What `make_step()` returns; raises `NonFiniteError` if that step was not finite."""
    guard = Guard(pinn, ())
    marks_of(pinn)  # before the step is traced
    logs = make_step()
    if is_bad(pinn, {}):
        guard.raise_unless_stopped(recovery.after_batch(guard, "the batch"))
    return logs
