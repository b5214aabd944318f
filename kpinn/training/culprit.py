"""What is not finite first, in a sentence: looked for after the event, outside the step."""

import contextlib
import dataclasses
import functools
import re

import numpy as np
import tensorflow as tf

from kpinn.derivatives.columns import as_columns
from kpinn.derivatives.errors import FAILURES, UnsupportedError
from kpinn.derivatives.graphs.interpreter import Run
from kpinn.derivatives.graphs.tracing import TraceError, bodies_of, traced
from kpinn.derivatives.keras_private import all_layers
from kpinn.optimizers.stages import current
from kpinn.problem.arguments import At, Quantity, Unknown, order
from kpinn.problem.points import sets_of, widths_of
from kpinn.training import changes
from kpinn.training.state import state_of, step_number

WHERE = (
    " It computes with where(), both of whose branches get a gradient: zero times infinity is NaN. "
    "Give the branch that is not taken a harmless argument too (the double where): "
    "where(x > 0, sqrt(where(x > 0, x, 1.0)), 0.0)."
)


def weights_that_are_not_finite(variables):
    """A sentence about the first of the variables that is not finite, or `None`."""
    for variable in variables:
        bad = np.count_nonzero(~np.isfinite(np.asarray(variable.numpy(), np.float64)))
        if bad:
            count = variable.numpy().size
            return (
                f"the weights {variable.path!r} are not finite ({bad} of {count}): an update of "
                "the optimizer, or something outside of the training has made them so."
            )
    return None


def cause(pinn, data):
    """A sentence: what is not finite first, at the present weights.

    Args:
        pinn: the `PINN`, whose weights are finite.
        data: the `Data` of the step.
    """
    objective = changes.objective(pinn)
    for look in (_arrays, _settings, _values, _losses, _gradients):
        with contextlib.suppress(Exception):  # what is to be told must not be hidden by this
            if found := look(pinn, objective, data):
                return found
    return (
        "a loss or a gradient is not finite, though both are when they are computed again: "
        "something in the step is random."
    )


def _bad_rows(values):
    """The numbers of the rows that are not finite; a scalar is one row."""
    values = np.atleast_1d(np.asarray(values, np.float64))
    return np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))


def _at(rows, arrays, problem):
    """`"NaN or infinite at 2 of 60 points, the first at x = 0"`."""
    names = [name for name in problem.space.coordinates if name in arrays]
    first = [f"{n} = {np.atleast_1d(np.asarray(arrays[n])[rows[0]])[0]:.6g}" for n in names]
    count = len(next(iter(arrays.values())))
    return f"NaN or infinite at {len(rows)} of {count} points, the first at {', '.join(first)}"


# What comes in -----------------------------------------------------------------------------


def _arrays(pinn, objective, data):
    problem = objective.problem
    for names, arrays in sets_of(problem, data.points):
        for name, array in arrays.items():
            if len(rows := _bad_rows(array)):
                kind = "condition" if len(names) == 1 else "conditions"
                owner = f"{kind} {', '.join(map(repr, names))}"
                return (
                    f"the array {name!r} of the points of {owner} is {_at(rows, arrays, problem)}."
                )
    for what, part in (("targets", data.targets), ("sample weights", data.sample_weight)):
        for name, array in part.items():
            if len(rows := _bad_rows(array)):
                return f"the {what} of condition {name!r} are not finite at {len(rows)} points."
    return None


def _settings(pinn, objective, data):
    return settings_that_are_not_finite(pinn)


def settings_that_are_not_finite(pinn):
    """A sentence about a loss weight or the learning rate, or `None`."""
    for name, weight in pinn.loss_weights.items():
        if not np.isfinite(weight.numpy()):
            return f"the loss weight of condition {name!r} is {float(weight.numpy())}."
    rate = float(tf.convert_to_tensor(current(pinn.optimizer).learning_rate))
    return None if np.isfinite(rate) else f"the learning rate is {rate}."


# Values ------------------------------------------------------------------------------------


def _each(pinn, problem, data):
    """Of each condition its name, function, arrays and the values of its arguments by name."""
    for names, arrays in sets_of(problem, data.points):
        for name in names:
            function = problem.conditions[name]
            arrays = as_columns(arrays, problem.space, problem.dtype)
            asked = problem.arguments_at(function, widths_of(arrays))
            asked = sorted(asked, key=_order)
            values = problem.values(asked, arrays, function.method, step=step_number(pinn))
            if any(isinstance(each, At) for each in asked):
                function, asked = _without_at(function, asked, values[At.name])
            yield name, function, arrays, {each.name: values[each.name] for each in asked}


def _without_at(function, asked, at):
    """A condition that has its `at` already, and what else it asks for."""
    asked = tuple(each for each in asked if not isinstance(each, At))
    given = functools.partial(function.function, **{At.name: at})
    return dataclasses.replace(function, function=given, arguments=asked), asked


def _order(argument):
    return order(argument.request) if isinstance(argument, Quantity) else -1


def _values(pinn, objective, data):
    """The first field, derivative or residual."""
    problem = objective.problem
    for name, function, arrays, values in _each(pinn, problem, data):
        for asked, value in values.items():
            if len(rows := _bad_rows(value)):
                source = _first_in_network(pinn, problem, arrays)
                return f"{asked!r} of condition {name!r} is {_at(rows, arrays, problem)}.{source}"
        if len(rows := _bad_rows(function(values))):
            operation = _first_operation(_positional(function, values), values)
            source = f" {operation.type} ({operation.name}) is the first." if operation else ""
            where = "not finite" if function.over_set else _at(rows, arrays, problem)
            return (
                f"the residual of condition {name!r} is {where}, where it "
                f"divides, takes a root, a logarithm or a power.{source}"
            )
    return None


def _first_in_network(pinn, problem, arrays):
    """A sentence about the operation and the layer of the network, empty if it is finite."""
    columns = [arrays[name] for name in problem.space.coordinates]
    columns = [tf.reshape(tf.cast(c, problem.dtype), (len(c), -1)) for c in columns]
    points = {"points": tf.concat(columns, axis=1)}
    operation = _first_operation(problem.network, points)
    if operation is None:
        return ""
    known = {layer.name for layer in all_layers(pinn.network)}
    layers = [
        name
        for part in operation.name.split("/")[:-1]
        for name in (re.sub(r"_\d+$", "", part), part)
        if name in known
    ]
    layer = f" in layer {layers[-1]!r}" if layers else ""
    return f" {operation.type}{layer} ({operation.name}) is the first."


def _positional(function, values):
    """A condition as a function of the tensors in the order of a dict."""
    return lambda *tensors: function(dict(zip(values, tensors, strict=True)))


class _FoundError(Exception):
    """Ends a `_Watched` run; its argument is the operation."""


class _Watched(Run):
    """A run of a graph on tensors, up to the first operation that makes what is not finite."""

    def outputs(self, operation, inputs, needed):
        outputs = super().outputs(operation, inputs, needed)
        if not _all_finite(outputs) and _all_finite(inputs):
            raise _FoundError(operation)
        return outputs


def _all_finite(values):
    tensors = [v for v in values or () if isinstance(v, tf.Tensor) and v.dtype.is_floating]
    return all(bool(tf.reduce_all(tf.math.is_finite(tensor))) for tensor in tensors)


def _first_operation(function, values):
    """The first operation of a function of tensors that is not finite, or `None`."""
    values = [tf.convert_to_tensor(value) for value in values.values()]
    try:
        graph = traced(function, *(tf.TensorSpec(v.shape, v.dtype) for v in values)).graph
        _Watched(None, None).start(graph, values)
    except _FoundError as found:
        return found.args[0]
    except (UnsupportedError, TraceError, *FAILURES):  # there is no more to say
        pass
    return None


# Losses and gradients ----------------------------------------------------------------------


def _losses(pinn, objective, data):
    loss, terms, residuals = objective.loss(data, step_number(pinn))
    for name, term in terms.items():
        if not np.isfinite(float(term)):
            most = float(tf.reduce_max(tf.abs(residuals[name])))
            return (
                f"the loss of condition {name!r} is {float(term)}, though its residual is finite "
                f"(up to {most:.3g}): it is too large for {residuals[name].dtype.name}, or the "
                "loss divides or takes a root or a logarithm."
            )
    if not np.isfinite(float(loss)):
        return f"the loss is {float(loss)}, though that of each condition is finite."
    return None


def _gradients(pinn, objective, data):
    """The first condition whose loss has a gradient that is not finite."""
    problem, losses = objective.problem, objective.losses
    variables = list(pinn.trainable_variables)
    for name, function, arrays, values in _each(pinn, problem, data):

        def gradient(name=name, arrays=arrays):
            with tf.GradientTape() as tape:
                residual = problem.residuals({name: arrays}, step_number(pinn))
                term = losses.terms(residual, data.targets, data.sample_weight)[name]
            values = [variable.value for variable in variables]
            return tape.gradient(term, values, unconnected_gradients="zero")

        found = _as_compiled(pinn, gradient)
        bad = [v.path for v, g in zip(variables, found, strict=True) if len(_bad_rows(g))]
        if bad:
            asked = _argument_to_blame(pinn, name, function, values, data)
            what = f"{asked!r} of condition {name!r}" if asked else f"{bad[0]!r}, in {name!r}"
            hint = WHERE if asked and _chooses(function, values) else ""
            return f"the gradient with respect to {what} is not finite, though the loss is.{hint}"
    size = tf.norm([tf.norm(g) for g in _all_gradients(objective, data)])
    return (
        f"the gradient is finite, but the square of its norm, which is {float(size):.3g}, is not "
        f"in {problem.dtype.name}."
        if float(size) > 1e18
        else None
    )


def _as_compiled(pinn, function):
    """What a function returns, compiled as the step is: XLA has its own gradients."""
    jit = state_of(pinn).settings.jit_compile
    return tf.function(function, jit_compile=jit, autograph=False)() if jit else function()


def _all_gradients(objective, data):
    with tf.GradientTape() as tape:
        loss = objective.loss(data)[0]
    return [tf.cast(g, tf.float64) for g in objective.gradient(tape, loss)]


def _argument_to_blame(pinn, name, function, values, data):
    """The argument of a condition with respect to which its loss has no finite gradient."""
    values = {key: tf.convert_to_tensor(value) for key, value in values.items()}
    problem, losses = pinn.problem, pinn.objective.losses
    asked = problem.conditions[name].arguments
    trained = [each.name for each in asked if isinstance(each, Unknown | Quantity)]
    floating = {name: values[name] for name in trained}  # or depends on what is

    def gradients():
        with tf.GradientTape() as tape:
            tape.watch(floating)
            residual = tf.convert_to_tensor(function(values | floating))
            residual = residual[:, None] if residual.shape.rank == 1 else residual
            term = losses.terms({name: residual}, data.targets, data.sample_weight)[name]
        return tape.gradient(term, floating, unconnected_gradients="zero")

    found = _as_compiled(pinn, gradients)
    return next((key for key, gradient in found.items() if len(_bad_rows(gradient))), None)


def _chooses(function, values):
    """Whether a condition computes with `where`."""
    values = {key: tf.convert_to_tensor(value) for key, value in values.items()}
    specs = [tf.TensorSpec(value.shape, value.dtype) for value in values.values()]
    graph = traced(_positional(function, values), *specs).graph
    return any(node.op.startswith("Select") for body in bodies_of(graph) for node in body)
