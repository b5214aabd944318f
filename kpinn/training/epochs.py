"""How `PINN.fit` runs over points in memory: whole epochs inside one compiled function.

Keras's own loop costs milliseconds per epoch, which would dominate small problems that take a
full batch per epoch. Here one call runs all steps of an epoch, and many epochs where no callback
wants to act between them.
"""

import contextlib
import functools
import time

import keras
import numpy as np
import tensorflow as tf

from kpinn.backend.keras_private import step_counter
from kpinn.objective.compiled import ByShapes
from kpinn.optimizers.flat_optimizer import FlatOptimizer
from kpinn.optimizers.scipy.optimizer import ScipyOptimizer
from kpinn.optimizers.sequence import Sequence
from kpinn.optimizers.stages import current, enter, has_ended, stages
from kpinn.problem.refusals import refuse_parts
from kpinn.training import changes
from kpinn.training.checkpoints.callback import Checkpoint
from kpinn.training.compiling import with_xla_if_possible
from kpinn.training.flat import flat_step
from kpinn.training.guard import Guard
from kpinn.training.nonfinite import marks_of
from kpinn.training.replicas.evaluation import evaluate as evaluate_divided
from kpinn.training.replicas.steps import train_step
from kpinn.training.replicas.strategies import by_keras, is_divided
from kpinn.training.scipy_loop import fit_minimizer
from kpinn.training.state import state_of
from kpinn.training.waiting import may_change, wakes
from kpinn.training.workers.exchange import number_of_chief

BLOCK = 1000  # most epochs in one call
BLOCK_SECONDS = 0.2  # longest call with several epochs in it
SHOWN_SECONDS = 0.01  # the same with a progress bar, whose times would look odd


def compiled_epochs(pinn, schedule, first_step_resets):
    """What `compile_epochs` returns, made once for the compiled functions that there are now."""
    key = "epochs", schedule.key, first_step_resets, id(current(pinn.optimizer))
    make = functools.partial(compile_epochs, pinn, schedule, first_step_resets)
    return state_of(pinn).compiled.once(key, make)


def compile_epochs(pinn, schedule, first_step_resets):
    """The function that runs `epochs` times `steps` steps and returns the logs of each epoch.

    Args:
        pinn: the `PINN`.
        schedule: a `Schedule`.
        first_step_resets: whether metrics begin anew with each call's epochs.

    Returns:
        `run(data, seed, epoch, epochs, first_step, steps)`, which returns how many epochs it did,
        a tensor `(BLOCK, number of logs)` of which the first rows are theirs, and what
        `Marks.leave` says; and the names of the logs.
    """
    names = list(pinn.get_metrics_result())
    optimizer, marks = current(pinn.optimizer), marks_of(pinn)
    flat = isinstance(optimizer, FlatOptimizer)
    make_step = functools.partial(train_step, pinn) if is_divided(pinn) else pinn.train_step

    def run(data, seed, epoch, epochs, first_step, steps):
        first = tf.convert_to_tensor(step_counter(optimizer))
        marks.enter()

        def one_step(epoch, step):
            if flat and not (data.streams or schedule.parts(data)):
                flat_step(pinn, data, stale=tf.constant(False))
            else:
                make_step(schedule.batch(data, (seed, epoch, step)))
            return (step + 1,)

        def one_epoch(index, rows):
            if first_step_resets:
                pinn.reset_metrics()
            tf.while_loop(
                lambda step: (step < first_step + steps) & marks.goes_on(),
                functools.partial(one_step, epoch + index),
                [first_step],
            )
            row = [tf.cast(pinn.get_metrics_result()[name], tf.float64) for name in names]
            rows = tf.tensor_scatter_nd_update(rows, [[index]], [tf.stack(row)])
            return index + 1, rows

        def more(index, _):
            return (index < epochs) & ((index == 0) | marks.goes_on())

        rows = tf.zeros((BLOCK, len(names)), tf.float64)
        done, rows = tf.while_loop(more, one_epoch, [0, rows])
        return done, rows, marks.leave(first)

    if pinn.run_eagerly:
        return run, names
    return ByShapes(run, state_of(pinn).settings.jit_compile and not flat), names


class Callbacks:
    """Keras's list of callbacks, with the hooks of a whole epoch in one call."""

    def __init__(self, pinn, callbacks, verbose, epochs, steps):
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = keras.callbacks.CallbackList(
                callbacks,
                add_history=True,
                add_progbar=verbose != 0,
                verbose=verbose,
                epochs=epochs,
                steps=steps,
                model=pinn,
            )
        self.list, self.pinn, self.last_step = callbacks, pinn, steps - 1
        found = [each for each in callbacks.callbacks if isinstance(each, Checkpoint)]
        self.most_epochs = found[0].epochs_until_save if found else lambda epoch: BLOCK

    def block_seconds(self):
        """How long a call may take for several epochs: not at all if a callback could act."""
        kinds = {type(c) for c in self.list.callbacks if not vars(type(c)).get("only_watches")}
        if kinds <= {keras.callbacks.History}:
            return BLOCK_SECONDS
        shown = kinds <= {keras.callbacks.History, keras.callbacks.ProgbarLogger}
        return SHOWN_SECONDS if shown else 0.0

    def begin(self, epoch):
        self.list.on_epoch_begin(epoch)

    def end(self, epoch, logs, validate):
        if validate is not None:
            logs = logs | validate(epoch)
        self.list.on_epoch_end(epoch, logs)
        return logs

    def idle(self, epoch, logs, validate):
        """An epoch without a step, which has begun: the logs are those of the last."""
        self.list.on_train_batch_begin(0)
        self.list.on_train_batch_end(self.last_step, logs)
        return self.end(epoch, logs, validate)


def runs_on_arrays(pinn):
    """Whether points in memory are trained on here, rather than in Keras's own loop.

    Keras's loop is for a user's own `train_step`, whose logs only it understands.
    """
    usual = not state_of(pinn).own_step and not by_keras(pinn)
    return isinstance(pinn.optimizer, ScipyOptimizer | Sequence) or usual


def fit(
    pinn,
    data,
    schedule,
    epochs,
    verbose,
    callbacks,
    initial_epoch,
    validation_data,
    validation_freq,
    validation_steps=None,
):
    """Trains on points in memory; see `PINN.fit`.

    Args:
        pinn: the `PINN`, compiled and built.
        data: a `Data` of tensors.
        schedule: a `Schedule`.
        epochs: number of the last epoch.
        verbose: as in Keras.
        callbacks: Keras callbacks.
        initial_epoch: number of epochs that are done.
        validation_data: `None` or a dataset.
        validation_freq: epochs from one validation to the next.
        validation_steps: batches of a validation; by default all.
    """
    _check_schedule(pinn, schedule, data)
    validate = validation(pinn, validation_data, validation_freq, validation_steps)
    callbacks = Callbacks(pinn, callbacks, verbose, epochs, schedule.steps)
    pinn.stop_training = False
    state = state_of(pinn)
    state.training_data, state.loop = data, "calls"
    state.replaying, state.order_seed, state.last_logs = False, seed(), {}
    callbacks.list.on_train_begin()
    epoch, logs = initial_epoch, {}
    for optimizer, last in stages(pinn.optimizer, epochs):
        if epoch < last and not pinn.stop_training:
            enter(pinn.optimizer, optimizer)
            stage = pinn, schedule, callbacks, last, epoch, validate
            logs = with_xla_if_possible(pinn, functools.partial(_fit_stage, *stage))
            epoch = last
    callbacks.list.on_train_end(logs)


def _check_schedule(pinn, schedule, data):
    parts = {name: p.size for name, p in schedule.parts(data).items() if p.size < p.count}
    refuse_parts(pinn.problem, data, parts, schedule.batch_size, schedule.shuffle)
    for optimizer, _ in stages(pinn.optimizer, 0):
        scipy = isinstance(optimizer, ScipyOptimizer)
        if scipy and (schedule.steps, schedule.batch_size) != (1, None):
            raise ValueError(
                f"{type(optimizer).__name__} takes all points in the one step of an epoch: leave "
                "out batch_size and steps_per_epoch."
            )


def _fit_stage(pinn, schedule, callbacks, epochs, initial_epoch, validate):
    optimizer = current(pinn.optimizer)
    if isinstance(optimizer, ScipyOptimizer):
        callbacks.begin(initial_epoch)  # which may bring fresh points
        data, state_of(pinn).minimizing = state_of(pinn).training_data, True
        try:
            return fit_minimizer(pinn, data, callbacks, epochs, initial_epoch, validate)
        finally:
            state_of(pinn).minimizing = False
    if isinstance(optimizer, FlatOptimizer):
        with finished(pinn):
            return fit_epochs(pinn, schedule, callbacks, epochs, initial_epoch, validate)
    logs = fit_epochs(pinn, schedule, callbacks, epochs, initial_epoch, validate)
    optimizer.finalize_variable_values(pinn.trainable_variables)
    return logs


@contextlib.contextmanager
def finished(pinn):
    """Begins a run of a `FlatOptimizer`, and ends it at the last accepted parameters."""
    optimizer, objective = current(pinn.optimizer), pinn.objective
    optimizer.begin(objective.theta(), state_of(pinn).start_loss)
    try:
        yield
    except BaseException:  # Ctrl-C too, which may come between two trial values
        objective.assign(optimizer.last_theta)
        optimizer.end("interrupted")
        raise
    optimizer.end("stopped" if pinn.stop_training else "iteration_limit")


def validation(pinn, dataset, frequency, steps):
    """`None`, or a function from an epoch to its validation logs."""
    if dataset is None:
        return None

    def validate(epoch):
        if (epoch + 1) % frequency if isinstance(frequency, int) else epoch + 1 not in frequency:
            return {}
        changes.notice(pinn)
        evaluate = evaluate_divided if is_divided(pinn) else keras.Model.evaluate
        logs = evaluate(pinn, dataset, steps=steps, verbose=0, return_dict=True)
        return {f"val_{name}": value for name, value in logs.items()}

    return validate


def fit_epochs(pinn, schedule, callbacks, epochs, initial_epoch, validate):
    """Trains by an optimizer that makes steps.

    Args:
        pinn: the `PINN`, compiled and built, which has the points.
        schedule: a `Schedule`.
        callbacks: a `Callbacks`.
        epochs: number of the last epoch.
        initial_epoch: number of epochs that are done.
        validate: `None` or a function from epoch to a dict of validation logs.
    """
    block, longest = 1, 0.0 if validate else callbacks.block_seconds()
    epoch, logs = initial_epoch, state_of(pinn).last_logs
    guard = Guard(pinn, callbacks.list.callbacks)
    waits = has_ended(pinn.optimizer)  # in a run that goes on
    while epoch < epochs and not pinn.stop_training:
        count = min(block, epochs - epoch, BLOCK, callbacks.most_epochs(epoch))
        count = number_of_chief(pinn.distribute_strategy, count)  # clocks and callbacks differ
        callbacks.begin(epoch)
        if waits and not wakes(pinn):
            logs, epoch = callbacks.idle(epoch, logs, validate), epoch + 1
            continue
        schedule.follow(state_of(pinn).training_data)
        per_call = _steps_per_call(pinn, schedule)
        whole = per_call == schedule.steps
        start = time.perf_counter()
        for first in range(0, schedule.steps, per_call):
            steps = min(per_call, schedule.steps - first)
            if first == 0 and not whole:
                pinn.reset_metrics()
            callbacks.list.on_train_batch_begin(first)
            changes.objective(pinn)  # another one, if a callback has changed what conditions read
            make = functools.partial(compiled_epochs, pinn, schedule, whole)
            numbers = state_of(pinn).order_seed, epoch, count, first, steps
            count, rows, names, error = guard.call(make, schedule, numbers)
            logs = dict(zip(names, rows[count - 1].tolist(), strict=True))
            if count == 1:
                guard.raise_unless_stopped(error)
                callbacks.list.on_train_batch_end(first + steps - 1, logs)
            if pinn.stop_training:
                break
        if whole and time.perf_counter() - start < longest / 2:
            block = min(2 * block, BLOCK)
        if count > 1:
            state_of(pinn).replaying = True
            _replay(callbacks, epoch, rows[: count - 1], names)
            state_of(pinn).replaying = False
            guard.raise_unless_stopped(error)
            callbacks.list.on_train_batch_end(callbacks.last_step, logs)
        logs = callbacks.end(epoch + count - 1, logs, validate)
        epoch += count
        waits = has_ended(pinn.optimizer)
        if waits and not may_change(callbacks.list.callbacks):
            break
    return logs


def _steps_per_call(pinn, schedule):
    """Steps in one call of the compiled function."""
    given = state_of(pinn).settings.steps_per_execution
    return schedule.steps if given == "auto" else min(given, schedule.steps)


def _replay(callbacks, epoch, rows, names):
    """Reports the epochs of a block but for its last; the first has begun already."""
    for offset, row in enumerate(rows):
        logs = dict(zip(names, row.tolist(), strict=True))
        callbacks.list.on_train_batch_end(callbacks.last_step, logs)
        callbacks.end(epoch + offset, logs, None)
        callbacks.begin(epoch + offset + 1)
        callbacks.list.on_train_batch_begin(0)


def seed():
    """From the generator that `keras.utils.set_random_seed` seeds; the same on all workers."""
    return int(np.random.randint(2**31 - 1))
