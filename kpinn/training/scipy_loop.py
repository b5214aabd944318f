"""How `PINN.fit` hands a PINN to scipy: the objective in numpy, and the epochs."""

import numpy as np
import tensorflow as tf

from kpinn.optimizers.flat import assign, epsilon
from kpinn.optimizers.result import ResultCode
from kpinn.optimizers.scipy.minimize import BOUNDED_METHODS, Evaluations, minimize
from kpinn.optimizers.scipy.optimizer import Record
from kpinn.optimizers.stages import current
from kpinn.problem.unknowns import bounds, readings
from kpinn.training import changes, recovery
from kpinn.training.guard import policy_of
from kpinn.training.state import state_of

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
    optimizer, objective = current(pinn.optimizer), pinn.objective
    ends = _bounds(objective, optimizer)
    start = objective.theta(tf.float64).numpy()
    start = start if ends is None else np.clip(start, *ends)
    record = Record(epsilon(objective.variables[0].dtype), ends)
    report = Epochs(pinn, data, callbacks, initial_epoch, validate)
    functions = Functions(objective, data)
    evaluate = Evaluations(functions.value_and_gradient, record, functions.hessian_product)

    def accepted(theta):
        losses = functions.losses(theta)
        if not np.isfinite(losses[0]):  # SLSQP reports a trial point
            theta, losses = record.theta, functions.losses(record.theta)
        report(theta, losses)

    optimizer.result = None
    try:
        minimize(evaluate, start, optimizer, epochs - initial_epoch, accepted)
    finally:  # after Ctrl-C too
        assign(objective.variables, start if record.theta is None else record.theta)
        optimizer.result = record.result
    if optimizer.result.code == ResultCode.NONFINITE:
        recovery.after_minimizer(pinn, policy_of(pinn, callbacks.list.callbacks), record, data)
    return report.logs


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
        current(self.pinn.optimizer).iterations.assign_add(1)
        terms = dict(zip(("loss", *self.pinn.conditions), terms.tolist(), strict=True))
        if not self._begun:
            self.callbacks.begin(self.epoch)
            changes.notice(self.pinn)
        self._begun = False
        self.callbacks.list.on_train_batch_begin(0)
        logs = self._logs(terms)
        self.callbacks.list.on_train_batch_end(0, logs)
        self.logs = self.callbacks.end(self.epoch, logs, self.validate)
        changes.notice(self.pinn)
        self.epoch += 1
        if self.pinn.stop_training:
            raise StopIteration

    def _logs(self, terms):
        pinn = self.pinn
        logs = terms | {
            label: float(read(variable.numpy()))
            for name, variable in pinn.unknowns.items()
            for label, read in readings(name, variable).items()
        }
        if state_of(pinn).settings.metrics is not None:
            pinn.reset_metrics()
            pinn.objective.compiled.graph("test", pinn.test_step)(self.data)
            logs = {name: float(v) for name, v in pinn.get_metrics_result().items()} | logs
        return logs


# The objective in numpy --------------------------------------------------------------------


class Functions:
    """The loss and its derivatives at float64 arrays `(p,)`; the last losses are remembered.

    Args:
        objective: the `Objective`.
        data: a `Data`.
    """

    def __init__(self, objective, data):
        self.objective, self.data, self._recent = objective, data, {}

    def value_and_gradient(self, theta):
        """The loss and its gradient `(p,)`."""
        losses, gradient = self._values(theta)
        return losses[0], gradient

    def losses(self, theta):
        """The loss, and the loss of each condition."""
        return self._values(theta)[0]

    def _values(self, theta):
        key = theta.tobytes()
        if key not in self._recent:
            values = self.objective.value_and_gradient(_tensor(theta), self.data)
            self._recent[key] = tuple(map(_array, values))
            while len(self._recent) > KEPT:
                self._recent.pop(next(iter(self._recent)))
        return self._recent[key]

    def hessian_product(self, theta, vector):
        """The Hessian of the loss times a vector, `(p,)`."""
        return _array(self.objective.hessian_vector(_tensor(theta), self.data, _tensor(vector)))


def _tensor(array):
    return tf.constant(array, tf.float64)


def _array(tensor):
    return tensor.numpy().astype(np.float64)


def _bounds(objective, optimizer):
    """Bounds `(lower, upper)` of the flat parameters, or `None` if no unknown has any."""
    found = bounds(objective.variables, tf.float64)
    if found is not None and optimizer.method not in BOUNDED_METHODS:
        raise ValueError(
            "an unknown has bounds (positive, lower or upper), which "
            f"{optimizer.method} does not keep: use one of {', '.join(BOUNDED_METHODS)}."
        )
    return found and tuple(bound.numpy() for bound in found)
