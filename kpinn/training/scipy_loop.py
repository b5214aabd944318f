"""How `PINN.fit` hands a PINN to scipy: compiled functions of the parameters, and the epochs."""

import numpy as np
import tensorflow as tf

from kpinn.objective.functions_of_theta import gradients_or_zeros, loss_and_terms, lower_bounds
from kpinn.optimizers.flat import assign, epsilon, join, split
from kpinn.optimizers.scipy.minimize import BOUNDED_METHODS, Evaluations, minimize
from kpinn.optimizers.scipy.optimizer import Record

KEPT = 50  # evaluations whose losses are remembered until scipy has accepted a point


def fit_minimizer(pinn, data, callbacks, epochs, initial_epoch, validate):
    """Trains by a `ScipyOptimizer`.

    Args:
        pinn: the `PINN`, compiled and built.
        data: a `Data` of tensors.
        callbacks: a `Callbacks`.
        epochs: number of the last epoch.
        initial_epoch: number of epochs that are done.
        validate: `None` or a function from epoch to a dict of validation logs.

    Returns:
        The logs of the last epoch.
    """
    optimizer, variables = pinn._at_work(), list(pinn.trainable_variables)
    bounds = bounds_of(pinn)
    start = join([variable.value for variable in variables], tf.float64).numpy()
    start = start if bounds is None else np.clip(start, *bounds)
    record = Record(epsilon(variables[0].dtype), bounds)
    report = Epochs(pinn, data, callbacks, initial_epoch, validate)
    optimizer.result = None
    try:
        _minimize(pinn, data, record, start, epochs - initial_epoch, report)
    finally:  # after Ctrl-C too
        assign(variables, start if record.theta is None else record.theta)
        optimizer.result = record.result
    return report.logs


def _minimize(pinn, data, record, start, iterations, report):
    losses = Losses(pinn, data)
    evaluate = Evaluations(losses.value_and_gradient, record, hessian_product(pinn, data))

    def accepted(theta):
        report(theta, losses.terms(theta))

    minimize(evaluate, start, pinn._at_work(), iterations, accepted)


class Epochs:
    """Reports accepted iterations to the callbacks as epochs, of which the first has begun.

    Attributes:
        logs: of the last epoch.
    """

    def __init__(self, pinn, data, callbacks, epoch, validate):
        self.pinn, self.data, self.callbacks = pinn, data, callbacks
        self.epoch, self.validate, self.logs = epoch, validate, {}
        self._begun = True  # the first one

    def __call__(self, theta, terms):
        """Sets the weights, and ends an epoch whose loss and terms are known.

        Raises:
            StopIteration: if a callback wants to stop.
        """
        assign(list(self.pinn.trainable_variables), theta)
        self.pinn._at_work().iterations.assign_add(1)
        terms = dict(zip(("loss", *self.pinn.conditions), terms.tolist(), strict=True))
        if not self._begun:
            self.callbacks.begin(self.epoch)
        self._begun = False
        self.callbacks.list.on_train_batch_begin(0)
        logs = self._logs(terms)
        self.callbacks.list.on_train_batch_end(0, logs)
        self.logs = self.callbacks.end(self.epoch, logs, self.validate)
        self.epoch += 1
        if self.pinn.stop_training:
            raise StopIteration

    def _logs(self, terms):
        pinn = self.pinn
        logs = terms | {name: float(v.numpy()) for name, v in pinn.unknowns.items()}
        if pinn._plain.metrics is not None:
            pinn.reset_metrics()
            test = pinn.cached("test", lambda: tf.function(pinn.test_step, autograph=False))
            test(self.data)
            logs = {name: float(v) for name, v in pinn.get_metrics_result().items()} | logs
        return logs


# Functions of the flat parameters ----------------------------------------------------------


def _bound(pinn, data, key, function):
    """`function(data, *arguments)` compiled, as a function of flat parameters and arguments.

    It takes numpy arrays and returns a float64 one. The PINN keeps it until `compile`.
    """
    variables = list(pinn.trainable_variables)

    def call(theta, data, *arguments):
        assign(variables, theta)
        return tf.cast(function(data, *arguments), tf.float64)

    def compiled():
        run = tf.autograph.experimental.do_not_convert(call)
        return run if pinn.run_eagerly else tf.function(run, jit_compile=pinn._plain.jit_compile)

    key = ("minimizing", key, tuple(id(variable) for variable in variables))
    kept = pinn.cached(key, compiled)

    def evaluate(theta, *arguments):
        arguments = [tf.constant(argument, tf.float64) for argument in arguments]
        return kept(tf.constant(theta, tf.float64), data, *arguments).numpy()

    return evaluate


class Losses:
    """The loss, its terms and its gradient, by one compiled function.

    Args:
        pinn: the `PINN`.
        data: a `Data`.
    """

    def __init__(self, pinn, data):
        self.count = 1 + len(pinn.conditions)
        variables, self._recent = list(pinn.trainable_variables), {}

        def objective(data):
            with tf.GradientTape() as tape:
                loss, terms, _ = loss_and_terms(pinn, data)
            gradients = gradients_or_zeros(tape, loss, variables)
            return join([loss, *terms.values(), *gradients], tf.float64)

        self._evaluate = _bound(pinn, data, "objective", objective)

    def value_and_gradient(self, theta):
        """The loss and its gradient `(p,)`."""
        values = self._values(theta)
        return values[0], values[self.count :]

    def terms(self, theta):
        """The loss, and the loss of each condition."""
        return self._values(theta)[: self.count]

    def _values(self, theta):
        key = theta.tobytes()
        if key not in self._recent:
            self._recent[key] = self._evaluate(theta)
            while len(self._recent) > KEPT:
                self._recent.pop(next(iter(self._recent)))
        return self._recent[key]


def hessian_product(pinn, data):
    """`(theta, vector) -> H v`, the Hessian of the loss times a vector `(p,)`.

    It is the gradient of the product of the gradient with the vector. A forward accumulator over
    a tape would be no faster, takes longer to compile, and XLA would compile it in each step where
    a condition has one of its own.

    Args:
        pinn: the `PINN`.
        data: a `Data`.
    """

    variables = list(pinn.trainable_variables)

    def product(data, vector):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as tape:
                loss, _, _ = loss_and_terms(pinn, data)
            gradients = gradients_or_zeros(tape, loss, variables)
            parts = zip(gradients, split(vector, variables), strict=True)
            slope = tf.add_n([tf.reduce_sum(g * v) for g, v in parts])
        return join(gradients_or_zeros(outer, slope, variables))

    return _bound(pinn, data, "hessian", product)


def bounds_of(pinn):
    """Bounds `(lower, upper)` of the flat parameters, or `None` if no unknown is positive."""
    optimizer, lower = pinn._at_work(), lower_bounds(pinn, tf.float64)
    if lower is None:
        return None
    if optimizer.method not in BOUNDED_METHODS:
        raise ValueError(
            f"a positive unknown needs bounds, which {optimizer.method} does not have: use one of "
            f"{', '.join(BOUNDED_METHODS)}."
        )
    return lower.numpy(), np.full(lower.shape, np.inf)
