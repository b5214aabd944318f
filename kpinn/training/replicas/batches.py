"""The loop of `fit` over datasets and generators, each of whose batches is divided."""

import contextlib
import random

from kpinn.optimizers.flat_optimizer import FlatOptimizer
from kpinn.optimizers.stages import current
from kpinn.training import changes
from kpinn.training.epochs import Callbacks, compiled_epochs, finished, seed, validation
from kpinn.training.guard import Guard
from kpinn.training.replicas.evaluation import Batches
from kpinn.training.state import state_of


class WholeBatch:
    """What a `Schedule` is for points in memory, where a step takes a batch as it is."""

    key, steps = "batch", 1

    def parts(self, data):
        """None: all points are taken."""
        return {}

    def batch(self, data, numbers):
        """The batch."""
        return data


def fit_batches(pinn, stream, steps_per_epoch, shuffle, **settings):
    """Trains on batches.

    Args:
        pinn: the `PINN`, compiled and built.
        stream: a dataset or generator.
        steps_per_epoch: by default as many as it has.
        shuffle: whether the batches of a `PyDataset` come in another order in each epoch.
        **settings: the other arguments of `keras.Model.fit`.
    """
    state, epochs = state_of(pinn), settings["epochs"]
    validated = [settings.get(f"validation_{name}") for name in ("data", "freq", "steps")]
    validate = validation(pinn, *validated)
    callbacks = Callbacks(pinn, settings["callbacks"], settings["verbose"], epochs, 1)
    pinn.stop_training, state.loop, state.replaying = False, "calls", False
    state.training_data, state.order_seed, state.last_logs = None, seed(), {}
    shuffled = random.shuffle if shuffle else None  # as in Keras; alike on all workers
    batches = Batches(pinn, stream, steps_per_epoch, shuffled)
    others = callbacks.list.callbacks[:]
    callbacks.list.on_train_begin()
    logs, flat = {}, isinstance(current(pinn.optimizer), FlatOptimizer)
    with finished(pinn) if flat else contextlib.nullcontext():
        guard = Guard(pinn, others)
        for epoch in range(settings["initial_epoch"], epochs):
            callbacks.begin(epoch)
            pinn.reset_metrics()
            is_read_again = getattr(callbacks.list, "is_reading", False)
            for step, batch in enumerate(batches.of_epoch()):
                if is_read_again:
                    continue
                logs = _step(pinn, guard, callbacks, batch, (epoch, step))
                if pinn.stop_training:
                    break
            logs = callbacks.end(epoch, logs, None if is_read_again else validate)
            if pinn.stop_training:
                break
    if not flat:
        pinn.optimizer.finalize_variable_values(pinn.trainable_variables)
    callbacks.list.on_train_end(logs)
    return pinn.history


def _step(pinn, guard, callbacks, batch, place):
    """One step, which callbacks hear of; returns the logs."""
    epoch, step = place
    callbacks.list.on_train_batch_begin(step)
    changes.objective(pinn)
    state_of(pinn).training_data, schedule = batch, WholeBatch()
    numbers = state_of(pinn).order_seed, epoch, 1, step, 1

    def make():
        return compiled_epochs(pinn, schedule, False)

    _, rows, names, error = guard.call(make, schedule, numbers)
    state_of(pinn).training_data = None
    guard.raise_unless_stopped(error)
    logs = dict(zip(names, rows[0].tolist(), strict=True))
    callbacks.list.on_train_batch_end(step, logs)
    return logs
