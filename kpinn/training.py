"""How `PINN.fit` runs over points in memory: whole epochs inside one compiled function.

Keras's own loop costs milliseconds per epoch, which would dominate small problems that take a
full batch per epoch. Here one call runs all steps of an epoch, and many epochs where no callback
wants to act between them.
"""

import time

import keras
import numpy as np
import tensorflow as tf

from kpinn.data import batch, sizes
from kpinn.keras_private import made_under_strategy, restored_epoch
from kpinn.optimizers.flat import join, split
from kpinn.optimizers.scipy_minimize import (
    BOUNDED_METHODS,
    Evaluations,
    ScipyMinimize,
    minimize,
)

BLOCK = 1000  # most epochs in one call
BLOCK_SECONDS = 0.2  # longest call with several epochs in it
SHOWN_SECONDS = 0.01  # the same with a progress bar, whose times would look odd


class Schedule:
    """How many steps an epoch has, and which points each step takes.

    Args:
        data: a `Data`.
        batch_size: `None` for all points in each step.
        steps_per_epoch: by default one for full batches, else what the largest set needs.
        shuffle: whether the points of a mini-batch are drawn in a new order in each epoch.
    """

    def __init__(self, data, batch_size, steps_per_epoch, shuffle):
        self.sizes, self.batch_size, self.shuffle = sizes(data), batch_size, shuffle
        needed = 1 if batch_size is None else -(-self.sizes[-1] // batch_size)
        self.steps = needed if steps_per_epoch is None else int(steps_per_epoch)
        if self.steps < 1:
            raise ValueError(f"steps_per_epoch is at least 1, not {steps_per_epoch}.")

    @property
    def key(self):
        """What a compiled function depends on."""
        return self.batch_size and (self.batch_size, self.shuffle, *self.sizes)

    def orders(self, seed, epoch):
        """For each number of points the order in which an epoch takes them."""
        orders = {}
        for size in self.sizes if self.batch_size else ():
            orders[size] = tf.range(size)
            if self.shuffle:
                keys = tf.random.stateless_uniform((size,), tf.stack([seed, epoch + size]))
                orders[size] = tf.argsort(keys)
        return orders

    def rows(self, orders, step):
        """Row numbers of one step; smaller sets begin again when they are used up."""
        rows = {}
        for size, order in orders.items():
            count = min(self.batch_size, size)
            rows[size] = tf.gather(order, (step * count + tf.range(count)) % size)
        return rows


def compile_epochs(pinn, schedule, first_step_resets):
    """The function that runs `epochs` times `steps` steps and returns the logs of each epoch.

    Args:
        pinn: the `PINN`.
        schedule: a `Schedule`.
        first_step_resets: whether metrics begin anew with each call's epochs.

    Returns:
        `run(data, seed, epoch, epochs, first_step, steps)`, which returns a tensor
        `(BLOCK, number of logs)` of which the first `epochs` rows count.
    """
    names = list(pinn.get_metrics_result())

    def run(data, seed, epoch, epochs, first_step, steps):
        def one_step(step, orders):
            chosen = data if not orders else batch(data, schedule.rows(orders, step))
            pinn.train_step(chosen)

        def one_epoch(index, rows):
            if first_step_resets:
                pinn.reset_metrics()
            orders = schedule.orders(seed, epoch + index)
            tf.while_loop(
                lambda step: step < first_step + steps,
                lambda step: (one_step(step, orders), step + 1)[1:],
                [first_step],
            )
            row = [tf.cast(pinn.get_metrics_result()[name], tf.float64) for name in names]
            rows = tf.tensor_scatter_nd_update(rows, [[index]], [tf.stack(row)])
            return index + 1, rows

        rows = tf.zeros((BLOCK, len(names)), tf.float64)
        return tf.while_loop(lambda index, _: index < epochs, one_epoch, [0, rows])[1]

    run = tf.autograph.experimental.do_not_convert(run)
    if not pinn.run_eagerly:
        run = tf.function(run, jit_compile=pinn.jit_compile)
    return run, names


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

    def block_seconds(self):
        """How long a call may take for several epochs: not at all if a callback could act."""
        kinds = {type(callback) for callback in self.list.callbacks}
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


def runs_on_arrays(pinn, base):
    """Whether points in memory are trained on here, rather than in Keras's own loop.

    Keras's loop is for a user's own `train_step`, whose logs only it understands, and for
    distribution strategies.
    """
    own_step = type(pinn).train_step is base.train_step and not made_under_strategy(pinn)
    return isinstance(pinn.optimizer, ScipyMinimize) or own_step


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
    minimizes = isinstance(pinn.optimizer, ScipyMinimize)
    if minimizes and (schedule.steps, schedule.batch_size) != (1, None):
        raise ValueError(
            "ScipyMinimize takes all points in the one step of an epoch: leave out batch_size and "
            "steps_per_epoch."
        )
    validate = _validation(pinn, validation_data, validation_freq, validation_steps)
    callbacks = Callbacks(pinn, callbacks, verbose, epochs, schedule.steps)
    pinn.stop_training = False
    callbacks.list.on_train_begin()
    initial_epoch = restored_epoch(pinn) or initial_epoch
    logs = {}
    if minimizes and epochs > initial_epoch:
        logs = fit_minimizer(pinn, data, callbacks, epochs, initial_epoch, validate)
    elif not minimizes:
        logs = fit_epochs(pinn, data, schedule, callbacks, epochs, initial_epoch, validate)
        pinn.optimizer.finalize_variable_values(pinn.trainable_variables)
    callbacks.list.on_train_end(logs)
    ran = minimizes and epochs > initial_epoch
    if ran and verbose and pinn.optimizer.result.code != "iteration_limit":
        print(pinn.optimizer.result.message)


def _validation(pinn, dataset, frequency, steps):
    """`None`, or a function from an epoch to its validation logs."""
    if dataset is None:
        return None

    def validate(epoch):
        if (epoch + 1) % frequency if isinstance(frequency, int) else epoch + 1 not in frequency:
            return {}
        logs = keras.Model.evaluate(pinn, dataset, steps=steps, verbose=0, return_dict=True)
        return {f"val_{name}": value for name, value in logs.items()}

    return validate


def fit_epochs(pinn, data, schedule, callbacks, epochs, initial_epoch, validate):
    """Trains by the Keras optimizer.

    Args:
        pinn: the `PINN`, compiled and built.
        data: a `Data` of tensors.
        schedule: a `Schedule`.
        callbacks: a `Callbacks`.
        epochs: number of the last epoch.
        initial_epoch: number of epochs that are done.
        validate: `None` or a function from epoch to a dict of validation logs.
    """
    per_call = pinn._plain.steps_per_execution
    per_call = schedule.steps if per_call == "auto" else min(per_call, schedule.steps)
    whole = per_call == schedule.steps
    run, names = pinn.cached(
        ("epochs", schedule.key, whole), lambda: compile_epochs(pinn, schedule, whole)
    )
    block, longest = 1, callbacks.block_seconds() if whole and validate is None else 0.0
    seed, epoch, logs = _seed(), initial_epoch, {}
    while epoch < epochs and not pinn.stop_training:
        count = min(block, epochs - epoch, BLOCK)
        callbacks.begin(epoch)
        start = time.perf_counter()
        for first in range(0, schedule.steps, per_call):
            steps = min(per_call, schedule.steps - first)
            if first == 0 and not whole:
                pinn.reset_metrics()
            callbacks.list.on_train_batch_begin(first)
            arguments = (seed, epoch, count, first, steps)
            rows = run(data, *(tf.constant(a, tf.int32) for a in arguments)).numpy()
            logs = dict(zip(names, rows[count - 1].tolist(), strict=True))
            if count == 1:
                callbacks.list.on_train_batch_end(first + steps - 1, logs)
            if pinn.stop_training:
                break
        if time.perf_counter() - start < longest / 2:
            block = min(2 * block, BLOCK)
        if count > 1:
            _replay(callbacks, epoch, rows[: count - 1], names)
            callbacks.list.on_train_batch_end(callbacks.last_step, logs)
        logs = callbacks.end(epoch + count - 1, logs, validate)
        epoch += count
    return logs


def _replay(callbacks, epoch, rows, names):
    """Reports the epochs of a block but for its last; the first has begun already."""
    for offset, row in enumerate(rows):
        logs = dict(zip(names, row.tolist(), strict=True))
        callbacks.list.on_train_batch_end(callbacks.last_step, logs)
        callbacks.end(epoch + offset, logs, None)
        callbacks.begin(epoch + offset + 1)
        callbacks.list.on_train_batch_begin(0)


def _seed():
    """From the generator that `keras.utils.set_random_seed` seeds."""
    return int(np.random.randint(2**31 - 1))


# The minimizer -----------------------------------------------------------------------------


def compile_objective(pinn):
    """`(theta, data) -> [loss, terms, gradient]`, one float64 vector per evaluation."""
    variables = list(pinn.trainable_variables)

    def objective(theta, data):
        for variable, value in zip(variables, split(theta, variables), strict=True):
            variable.assign(value)
        with tf.GradientTape() as tape:
            terms = pinn._objective.terms(pinn(data.points), data.targets, data.sample_weight)
            loss = pinn._objective.total(terms, pinn.losses)
        gradients = gradients_or_zeros(tape, loss, variables)
        return join([loss, *terms.values(), *gradients], tf.float64)

    objective = tf.autograph.experimental.do_not_convert(objective)
    if not pinn.run_eagerly:
        objective = tf.function(objective, jit_compile=pinn.jit_compile)
    return objective


def gradients_or_zeros(tape, loss, variables):
    """Gradients; zeros for variables that the loss does not depend on, such as the last bias."""
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    return [
        tf.zeros_like(variable.value) if gradient is None else tf.convert_to_tensor(gradient)
        for gradient, variable in zip(gradients, variables, strict=True)
    ]


def fit_minimizer(pinn, data, callbacks, epochs, initial_epoch, validate):
    """Trains by a `ScipyMinimize`; see `fit_epochs` for the arguments."""
    objective = pinn.cached("objective", lambda: compile_objective(pinn))
    variables = list(pinn.trainable_variables)
    names = ["loss", *pinn.conditions]
    recent = {}

    def evaluate(theta):
        values = objective(tf.constant(theta), data).numpy()
        recent[theta.tobytes()] = values[: len(names)]
        while len(recent) > 50:
            recent.pop(next(iter(recent)))
        return values[0], values[len(names) :]

    def assign(theta):
        for variable, value in zip(variables, split(tf.constant(theta), variables), strict=True):
            variable.assign(value)

    logs, epoch = {}, initial_epoch

    def accepted(theta):
        nonlocal logs, epoch
        if theta.tobytes() not in recent:
            evaluate(theta)
        terms = dict(zip(names, recent[theta.tobytes()].tolist(), strict=True))
        assign(theta)
        pinn.optimizer.iterations.assign_add(1)
        callbacks.begin(epoch)
        callbacks.list.on_train_batch_begin(0)
        logs = _logs_at_point(pinn, data, terms)
        callbacks.list.on_train_batch_end(0, logs)
        logs = callbacks.end(epoch, logs, validate)
        epoch += 1
        if pinn.stop_training:
            raise StopIteration

    start = join([v.value for v in variables], tf.float64).numpy()
    evaluations = Evaluations(evaluate, tf.as_dtype(variables[0].dtype).as_numpy_dtype)
    bounds, iterations = _bounds(pinn), epochs - initial_epoch
    try:
        result = minimize(evaluations, start, pinn.optimizer, iterations, accepted, bounds)
    finally:  # after Ctrl-C too
        assign(start if evaluations.theta is None else evaluations.theta)
    pinn.optimizer.result = result
    return logs


def _logs_at_point(pinn, data, terms):
    """Logs for weights whose losses are known already."""
    logs = terms | {name: float(v.numpy()) for name, v in pinn.unknowns.items()}
    if pinn._plain.metrics is not None:
        pinn.reset_metrics()
        pinn.cached("test", lambda: tf.function(pinn.test_step, autograph=False))(data)
        logs = {name: float(v) for name, v in pinn.get_metrics_result().items()} | logs
    return logs


def _bounds(pinn):
    """Bounds of the flat parameters, if an unknown is positive."""
    bounds = []
    for variable in pinn.trainable_variables:
        minimum = getattr(variable.constraint, "minimum", None)
        bounds += [(minimum, None)] * int(np.prod(variable.shape, dtype=int))
    if all(lower is None for lower, _ in bounds):
        return None
    if pinn.optimizer.method not in BOUNDED_METHODS:
        raise ValueError(
            f"a positive unknown needs bounds, which {pinn.optimizer.method} does not have: use "
            f"one of {', '.join(BOUNDED_METHODS)}."
        )
    return bounds
