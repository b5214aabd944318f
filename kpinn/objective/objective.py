"""What a PINN minimises, as functions of its parameters."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from kpinn.derivatives.channels.channels_per_point import channels_only
from kpinn.derivatives.graphs.tracing import TraceError, traced
from kpinn.derivatives.per_point.copies import at_once
from kpinn.objective.affine import is_affine, last_affine
from kpinn.objective.compiled import Compiled
from kpinn.objective.curvature import all_squares, roots_of
from kpinn.objective.gradients import gradients_or_zeros, read_here
from kpinn.objective.jacobian import (
    chunks_of,
    curvature_vector,
    matrix_of,
    parts_of,
    residual_jvp,
    residual_vector,
    residual_vjp,
    stacked,
)
from kpinn.objective.losses import Losses
from kpinn.objective.many_points import by_parts
from kpinn.objective.weighted_residuals import check_squares, check_weights, weighted_residuals
from kpinn.optimizers.flat import assign, join, split
from kpinn.problem.points import is_shared
from kpinn.problem.problem import Problem

CHUNK = 2**26  # most bytes for a chunk of rows: more is no faster


@dataclasses.dataclass(frozen=True, eq=False)
class Objective:
    """A problem and its losses: the value, the residual vector and all their derivatives.

    The parameters are one vector `theta`, the entries of the variables in their order. A method
    that takes `theta` sets the variables to it first, and is compiled; the functions are kept in
    `compiled`, which lives as long as what they depend on.

    Attributes:
        problem: the `Problem`.
        losses: the `Losses`.
        variables: list of the trained variables.
        regularization: function from points to a list of the losses of layers.
        compiled: the `Compiled`.
        found: called with the trainable variables that the loss reads, while it is traced.
        takes_all: whether every condition needs all of its points at once: a layer adds losses, or
            rows of the network may need each other.
    """

    problem: Problem
    losses: Losses
    variables: list
    regularization: Callable
    compiled: Compiled
    found: Callable = lambda variables: None
    takes_all: bool = False

    # The parameters --------------------------------------------------------------------------

    @property
    def dtype(self):
        """The dtype of the parameters."""
        return self.problem.dtype

    def values(self, chosen=None):
        """The parameters as a list of tensors that tapes can watch.

        Args:
            chosen: numbers of variables, by default all.
        """
        numbers = range(len(self.variables)) if chosen is None else chosen
        return [read_here(self.variables[number]) for number in numbers]

    @property
    def size(self):
        """The number of parameters."""
        return sum(math.prod(variable.shape) for variable in self.variables)

    def positions(self, chosen):
        """Where in `theta` the entries of variables are, given their numbers; an array of ints."""
        stops = np.cumsum([math.prod(variable.shape) for variable in self.variables])
        starts = [0, *stops]
        parts = [np.arange(starts[number], stops[number]) for number in chosen]
        return np.concatenate([np.zeros(0, int), *parts])

    def theta(self, dtype=None):
        """The present parameters, `(p,)`."""
        return join(self.values(), dtype or self.dtype)

    def assign(self, theta):
        """Sets the parameters."""
        assign(self.variables, theta)

    # What the loss is ------------------------------------------------------------------------

    @property
    def is_squares(self):
        """Whether the loss of each condition is a mean square."""
        return all_squares(self.losses)

    def is_affine(self, data, chosen=None):
        """Whether the weighted residuals are proved to be affine in the parameters.

        Args:
            data: a `Data`, of which only the shapes count.
            chosen: tuple of numbers of variables, by default all.
        """
        specs = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), data)
        shapes = tuple(tuple(spec.shape) for spec in tf.nest.flatten(specs))

        def residuals(data):
            with channels_only():  # of which more is known than of the operations of gradients
                return residual_vector(self, data)

        return self._is_affine(("affine", shapes, chosen), residuals, specs, chosen)

    def has_affine_network(self):
        """Whether the outputs of the network are proved to be affine in the parameters."""
        return self._is_affine("affine network", self.problem.network, self._points_spec)

    def last_layer(self):
        """Numbers of the last variables of the network in which its outputs are affine together.

        They are proved to be, and have no bounds.
        """

        def find():
            try:
                return last_affine(_graph(self.problem.network, self._points_spec), self.variables)
            except TraceError:
                return ()

        return self.compiled.once("last layer", find)

    def is_not_separable(self, data):
        """Why the residuals are not affine in the last layer of the network; empty if they are."""
        if not (last := self.last_layer()):
            return "the network does not end with a layer that is linear in its weights"
        if not self.is_squares:
            return "a loss is not a mean square"
        return "" if self.is_affine(data, last) else "a condition is not linear in the network"

    def _is_affine(self, key, function, specs, chosen=None):
        def prove():
            try:
                return is_affine(_graph(function, specs), self.values(chosen))
            except TraceError:
                return False

        return self.compiled.once(key, prove)

    @property
    def _points_spec(self):
        return tf.TensorSpec((None, self.problem.space.input_size), self.dtype)

    def check_squares(self, data):
        """Raises `ValueError` unless the loss is a sum of squares of residuals."""
        check_squares(self, data)

    def check_weights(self, data):
        """Raises `ValueError` for negative weights."""
        check_weights(self, data)

    def loss_weights(self):
        """The weights of the conditions, a tensor."""
        return tf.stack([weight.value for weight in self.losses.weights.values()])

    # At the present parameters, in eager mode or in any graph --------------------------------

    def loss(self, data, step=0):
        """The loss, and the loss and the residual of each condition.

        Args:
            data: a `Data`.
            step: number of the training step, on which random directions depend.

        Returns:
            A scalar tensor, and dicts from condition to scalar tensor and to tensor `(n, k)`.
        """
        residuals = self.problem.residuals(data.points, step)
        terms = self.losses.terms(residuals, data.targets, data.sample_weight, data.share)
        regularization = self.regularization(data.points)
        return self.losses.total(terms, regularization, data.share), terms, residuals

    def drawn(self, data):
        """The `Data` of a step with the points of its streams, where they are not drawn yet."""
        return data

    def outputs(self, data):
        """The residuals as a dict from condition to tensor `(n, k)`."""
        return self.problem.residuals(data.points)

    def gradient(self, tape, value):
        """A list of gradients, see `gradients_or_zeros`."""
        self.found(tape.watched_variables())
        return gradients_or_zeros(tape, value, self.variables)

    def row(self, loss, terms):
        """The loss and the loss of each condition as one tensor; zeros for those left out."""
        zero = tf.zeros((), self.dtype)
        return tf.stack([loss, *(terms.get(name, zero) for name in self.problem.conditions)])

    # At given parameters, compiled -----------------------------------------------------------

    def value(self, theta, data):
        """The loss and the loss of each condition, `(1 + number of conditions,)`."""

        def value(data):
            return self.row(*self.loss(data)[:2])

        return self._at(theta, "value", value, data)

    def _at(self, theta, key, function, data, *vectors):
        """A function of a `Data` and of vectors at given parameters; a subclass divides it."""

        def at(theta, data, *vectors):
            self.assign(theta)
            return function(data, *vectors)

        return self.compiled(key, at)(theta, data, *vectors)

    def value_and_gradient(self, theta, data):
        """The same, and the gradient `(p,)`."""

        def value_and_gradient(data):
            with tf.GradientTape() as tape:
                loss, terms, _ = self.loss(data)
            return self.row(loss, terms), join(self.gradient(tape, loss), self.dtype)

        return self._at(theta, "gradient", by_parts(self, value_and_gradient), data)

    def hessian_vector(self, theta, data, vector):
        """The Hessian of the loss times a vector, `(p,)`.

        It is the gradient of the product of the gradient with the vector. A forward accumulator
        over a tape would be no faster, takes longer to compile, and XLA would compile it in each
        step where a condition has one of its own.
        """

        def product(data, vector):
            with tf.GradientTape() as outer:
                with tf.GradientTape() as tape:
                    loss, _, _ = self.loss(data)
                parts = zip(self.gradient(tape, loss), split(vector, self.variables), strict=True)
                slope = tf.add_n([tf.reduce_sum(gradient * each) for gradient, each in parts])
            return join(self.gradient(outer, slope))

        return self._at(theta, "hessian", product, data, vector)

    # Sums of squares, and the curvature of other losses in their form -------------------------

    def residuals(self, theta, data):
        """`value`, and the weighted residuals `(m,)`, whose squares add up to the loss."""

        def residuals(data):
            differences, weighted, _ = weighted_residuals(self, data)
            terms = self.losses.terms(differences, {}, data.sample_weight, data.share)
            vector = stacked(weighted, data)
            return self.row(tf.reduce_sum(vector**2), terms), vector

        return self._at(theta, "residuals", residuals, data)

    def fold_jacobian(self, theta, data, function, result, merge=None, chosen=None):
        """Goes through the Jacobian by chunks of rows; see `FlatObjective`.

        Args:
            theta, function, result, merge: see `FlatObjective`.
            data: a `Data`.
            chosen: tuple of numbers of the variables that it is for, by default all.
        """
        return self._folded(self._parts(theta, data, chosen), function, result, chosen)

    def _folded(self, parts, function, result, chosen):
        most = CHUNK // (self.size * self.dtype.size)
        matrices, residuals = [], []
        for part in parts:
            for chunk in chunks_of(part, most):
                rows = math.prod(chunk.residual.shape)
                if matrices and sum(r.shape[0] for r in residuals) + rows > most:
                    result = function(result, tf.concat(matrices, 0), tf.concat(residuals, 0))
                    matrices, residuals = [], []
                matrices.append(self.rows(chunk, chosen))
                residuals.append(tf.reshape(chunk.residual, (-1,)))
        return function(result, tf.concat(matrices, 0), tf.concat(residuals, 0))

    def _parts(self, theta, data, chosen):
        """A list of `Part`: what the rows of the Jacobian are made of."""

        def parts(theta, data, roots):
            self.assign(theta)
            return parts_of(self, data, roots=roots, chosen=chosen)

        def roots(theta, data):
            self.assign(theta)
            return roots_of(self, data)

        # XLA's eigenvalues are slow. The parts read their own graph, also in eager mode.
        found = None if self.is_squares else self.compiled.graph("roots", roots)(theta, data)
        key = "parts", chosen
        return self.compiled.graph(key, parts, self.compiled.jit)(theta, data, found)

    def rows(self, part, chosen=None):
        """The rows `(n k, p)` of a `Part`, for these variables."""

        def rows(part):
            return matrix_of(part, self.values(chosen))

        return self.compiled(("rows", chosen), rows)(part)

    def jacobian_vector(self, theta, data, vector):
        """The Jacobian times a vector `(p,)`, `(m,)`."""

        def product(data, vector):
            return residual_jvp(self, data, vector, self._vector)

        return self._at(theta, "jvp", product, data, vector)

    def vector_jacobian(self, theta, data, vector):
        """A vector `(m,)` times the Jacobian, `(p,)`."""

        def product(data, vector):
            return residual_vjp(self, data, vector, self._vector)

        return self._at(theta, "vjp", product, data, vector)

    @property
    def _vector(self):
        return residual_vector if self.is_squares else curvature_vector

    # Sizes of gradients, for weights ----------------------------------------------------------

    def gradient_norms(self, data):
        """By condition the norm of the gradient of its loss, without weights, as floats."""

        def norms(data):
            with tf.GradientTape(persistent=True) as tape:
                terms = self.loss(data)[1]
            return {name: tf.norm(join(self.gradient(tape, t))) for name, t in terms.items()}

        found = self.compiled.graph("gradient norms", norms)(data)
        return {name: float(norm) for name, norm in found.items()}

    def evaluated(self, data):
        """The names of the conditions that have points, in the order of their residuals."""
        names, points = self.problem.conditions, data.points
        return [name for name in names if is_shared(points) or name in points]

    def mean_squared_rows(self, data):
        """By condition the mean squared norm of the rows of its Jacobian, without weights."""
        parts = self.parts(weighted=False)(data)
        square = self.compiled.graph(
            "squares", lambda part: tf.reduce_sum(matrix_of(part, self.values()) ** 2)
        )
        found = {}
        for name, part in zip(self.evaluated(data), parts, strict=True):
            most = CHUNK // (self.size * part.residual.dtype.size)
            total = sum(float(square(chunk)) for chunk in chunks_of(part, most))
            found[name] = total / math.prod(part.residual.shape)
        return found

    def parts(self, weighted=True):
        """The function from a `Data` to a list of `Part`, at the present parameters; no XLA."""
        return self.compiled.graph(("parts", weighted), lambda data: parts_of(self, data, weighted))


def _graph(function, specs):
    """The graph of a function, made outside of any other, where tapes record."""
    return at_once(lambda: traced(function, specs).graph)
