"""The loss of a PINN as functions of its flat parameters, for optimizers that see them whole.

Each function is compiled by itself, by XLA where the PINN is; what an optimizer does around them
is not, since matrix factorisations are slower there.
"""

import math

import numpy as np
import tensorflow as tf

from kpinn.keras_private import loss_tracker
from kpinn.objective.curvature import all_squares, roots_of
from kpinn.objective.jacobian import (
    CHUNK,
    chunks_of,
    curvature_vector,
    factors_of,
    matrix_of,
    residual_jvp,
    residual_vector,
    residual_vjp,
)
from kpinn.objective.weighted_residuals import weighted_residuals
from kpinn.optimizers.flat import assign, join
from kpinn.optimizers.flat_optimizer import FlatObjective


class Evaluator:
    """Compiled functions of the parameters and the points, and the losses that they found.

    The parameters of the PINN are those of the last evaluation.

    Args:
        pinn: the `PINN`, compiled.
    """

    def __init__(self, pinn):
        self.pinn, self.variables = pinn, list(pinn.trainable_variables)
        self.dtype = pinn._plain.problem.dtype
        self.names = list(pinn.conditions)
        self.recent = tf.Variable(
            tf.fill((1 + len(self.names),), tf.constant(np.nan, self.dtype)), trainable=False
        )
        self.weights = tf.Variable(self._loss_weights(), trainable=False)
        self.squares = all_squares(pinn)
        self._value = self._compiled(self._make_value)
        self._value_and_gradient = self._compiled(self._make_value_and_gradient)
        self._residuals = self._compiled(self._make_residuals)
        self._factors = self._graph(self._make_factors)  # it reads its own graph
        self._roots = tf.function(self._make_roots, autograph=False)  # XLA's eigh is slow
        self._rows = self._compiled(self._make_rows)
        self._vector = residual_vector if self.squares else curvature_vector
        self._jvp = self._compiled(self._make_jvp)
        self._vjp = self._compiled(self._make_vjp)

    def _compiled(self, function):
        return function if self.pinn.run_eagerly else self._graph(function)

    def _graph(self, function):
        return tf.function(function, autograph=False, jit_compile=self.pinn._plain.jit_compile)

    def _loss_weights(self):
        return tf.stack([weight.value for weight in self.pinn.loss_weights.values()])

    def weights_changed(self):
        """Whether loss weights are others than when this was asked last, scalar bool."""
        weights = self._loss_weights()
        changed = tf.reduce_any(weights != self.weights)
        self.weights.assign(weights)
        return changed

    def assign(self, theta):
        """Puts parameters into the PINN."""
        assign(self.variables, theta)

    def theta(self):
        """The parameters of the PINN, `(p,)`."""
        return join([variable.value for variable in self.variables], self.dtype)

    def objective(self, data):
        """The `FlatObjective` of a `Data`."""

        def residuals(theta):
            return self._kept(self._residuals(theta, data))

        def value(theta):
            row = self._value(theta, data)
            return self._kept((row, row[0]))

        return FlatObjective(
            value_and_gradient=lambda theta: self._kept(self._value_and_gradient(theta, data)),
            residuals=residuals if self.squares else None,
            fold_jacobian=lambda theta, function, start: self._fold(theta, data, function, start),
            jacobian_vector=lambda theta, vector: self._jvp(theta, data, vector),
            vector_jacobian=lambda theta, vector: self._vjp(theta, data, vector),
            lower=lower_bounds(self.pinn, self.dtype),
            value=value,
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
        same = tf.reduce_all(self.theta() == theta) & (self.recent[0] == loss)
        return tf.cond(same, self.recent.read_value, lambda: self._value(theta, data))

    def _kept(self, outputs):
        self.recent.assign(outputs[0])
        rest = outputs[1:]
        return rest[0] if len(rest) == 1 else rest

    def _fold(self, theta, data, function, result):
        matrices, residuals, most = [], [], CHUNK // (theta.shape[0] * theta.dtype.size)
        roots = None if self.squares else self._roots(theta, data)
        for part in self._factors(theta, data, roots):
            for chunk in chunks_of(part, most):
                rows = math.prod(chunk.residual.shape)
                if matrices and sum(r.shape[0] for r in residuals) + rows > most:
                    result = function(result, tf.concat(matrices, 0), tf.concat(residuals, 0))
                    matrices, residuals = [], []
                matrices.append(self._rows(chunk))
                residuals.append(tf.reshape(chunk.residual, (-1,)))
        return function(result, tf.concat(matrices, 0), tf.concat(residuals, 0))

    # What is compiled --------------------------------------------------------------------------

    def _make_value(self, theta, data):
        self.assign(theta)
        return self._row(*loss_and_terms(self.pinn, data)[:2])

    def _make_value_and_gradient(self, theta, data):
        with tf.GradientTape() as tape:
            row = self._make_value(theta, data)
            loss = row[0]
        gradients = gradients_or_zeros(tape, loss, self.variables)
        return row, loss, join(gradients, self.dtype)

    def _make_residuals(self, theta, data):
        self.assign(theta)
        differences, residuals, _ = weighted_residuals(self.pinn, data)
        terms = self.pinn._objective.terms(differences, {}, data.sample_weight)
        vector = join(list(residuals.values()))
        return self._row(tf.reduce_sum(vector**2), terms), vector

    def _make_factors(self, theta, data, roots):
        self.assign(theta)
        return factors_of(self.pinn, data, roots=roots)

    def _make_roots(self, theta, data):
        self.assign(theta)
        return roots_of(self.pinn, data)

    def _make_rows(self, part):
        return matrix_of(part, [variable.value for variable in self.variables])

    def _make_jvp(self, theta, data, vector):
        self.assign(theta)
        return residual_jvp(self.pinn, data, vector, self._vector)

    def _make_vjp(self, theta, data, vector):
        self.assign(theta)
        return residual_vjp(self.pinn, data, vector, self._vector)

    def _row(self, loss, terms):
        zero = tf.zeros((), self.dtype)
        return tf.stack([loss, *(terms.get(name, zero) for name in self.names)])


def loss_and_terms(pinn, data, without=()):
    """The loss, and the loss and the residual of each condition.

    Args:
        pinn: the `PINN`.
        data: a `Data`.
        without: names of conditions that are not part of the loss.

    Returns:
        A scalar tensor, and dicts from condition to scalar tensor and to tensor `(n, k)`.
    """
    residuals = pinn(data.points)
    terms = pinn._objective.terms(residuals, data.targets, data.sample_weight)
    weighted = {name: term for name, term in terms.items() if name not in without}
    return pinn._objective.total(weighted, pinn.losses), terms, residuals


def gradient_norms(pinn, data):
    """By condition the norm of the gradient of its loss, without weights, as floats.

    Args:
        pinn: the `PINN`, compiled.
        data: a `Data`.
    """
    variables = list(pinn.trainable_variables)

    def norms(data):
        with tf.GradientTape(persistent=True) as tape:
            terms = loss_and_terms(pinn, data)[1]
        return {
            name: tf.norm(join(gradients_or_zeros(tape, term, variables)))
            for name, term in terms.items()
        }

    compute = pinn.cached("gradient norms", lambda: tf.function(norms, autograph=False))
    return {name: float(norm) for name, norm in compute(data).items()}


def gradients_or_zeros(tape, loss, variables):
    """Gradients; zeros for variables that the loss does not depend on, such as the last bias."""
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    return [
        tf.zeros_like(variable.value) if gradient is None else tf.convert_to_tensor(gradient)
        for gradient, variable in zip(gradients, variables, strict=True)
    ]


def lower_bounds(pinn, dtype):
    """The lower bounds `(p,)` of the parameters, `None` if there are none."""
    variables = pinn.trainable_variables
    bounds = [getattr(variable.constraint, "minimum", None) for variable in variables]
    if all(bound is None for bound in bounds):
        return None
    filled = [
        tf.fill(variable.shape, tf.constant(-np.inf if bound is None else bound, dtype))
        for variable, bound in zip(variables, bounds, strict=True)
    ]
    return join(filled)


def evaluator_of(pinn):
    """The `Evaluator` of a PINN, which keeps it until `compile`."""
    return pinn.cached("evaluator", lambda: Evaluator(pinn))


def train_step(pinn, data, stale):
    """One step of a `FlatOptimizer`; the metrics have the losses after it.

    Args:
        pinn: the `PINN`.
        data: a `Data`.
        stale: scalar bool; whether the points are others than in the last step.

    Returns:
        The logs.
    """
    evaluator = evaluator_of(pinn)
    stale |= evaluator.weights_changed()
    theta, loss = pinn._at_work().take_step(evaluator.objective(data), evaluator.theta(), stale)
    losses = evaluator.losses(theta, loss, data)
    evaluator.assign(theta)
    trackers = [loss_tracker(pinn), *pinn._objective.trackers.values()]
    for tracker, value in zip(trackers, tf.unstack(losses), strict=True):
        tracker.reset_state()
        tracker.update_state(value)
    if pinn._plain.metrics is not None:
        pinn._objective.update_metrics(pinn(data.points), data.targets)
    return pinn.get_metrics_result()
