"""Checks of a PINN before it trains. Nothing is left to be found out by a wrong result."""

import functools

import tensorflow as tf

from kpinn.derivatives.black_box import stopped_message
from kpinn.derivatives.errors import refuse_complex, refuse_complex_output
from kpinn.derivatives.graphs import python_calls
from kpinn.derivatives.graphs.stop_gradient import stopped_moments
from kpinn.derivatives.graphs.tracing import graph_of, trace_or_none
from kpinn.derivatives.per_point.independence import refuse_together
from kpinn.problem.arguments import Quantity, Unknown
from kpinn.problem.points import minus_target, sets_of, widths_of


def refuse_wrong_derivatives(problem, lowest_order):
    """Raises `ValueError` if nested tapes are wrong for a condition; see `stop_gradient`.

    Args:
        problem: the `Problem`.
        lowest_order: 2 where values matter, 1 where gradients of derivatives matter too.
    """
    for name, function in problem.conditions.items():
        order = function.order(problem.derived)
        if function.method in ("reverse", "forward") and order >= lowest_order:
            graph = graph_of(problem.network, problem.space.input_size, problem.dtype)
            if stopped := stopped_moments(graph):
                what = f"condition {name!r} (derivatives of order {order})"
                raise ValueError(stopped_message(stopped, function.method, what))


def refuse_network(problem):
    """Raises `ValueError` for a network that takes points together, or returns complex numbers.

    Args:
        problem: the `Problem`.
    """
    points = tf.fill((2, problem.space.input_size), tf.constant(0.5, problem.dtype))
    traced = trace_or_none(problem.network, points.shape[1], points.dtype, 2)
    if traced is not None:
        refuse_complex_output(traced.graph.outputs[0])
        refuse_together(problem.network, traced, points)


def refuse_parts(problem, data, parts, batch_size):
    """Raises `ValueError` for a condition that takes together points which a step has in part.

    Args:
        problem: the `Problem`.
        data: a `Data`.
        parts: names of the conditions of whose points a step has a part.
        batch_size: as it was given.
    """
    for names, arrays in sets_of(problem, data.points):
        count = next(iter(arrays.values())).shape[0]
        for name in filter(parts.__contains__, names):
            if problem.takes_together(name, widths_of(arrays)):
                raise ValueError(
                    f"condition {name!r} takes its points together, as a mean over them does, so "
                    f"that its residuals at a part of them are others: batch_size={batch_size} "
                    f"cannot be used for its {count} points. Leave batch_size out, or pass a "
                    "dataset, whose elements are whole sets of points."
                )


def refuse_python(problem, data, eager):
    """Raises `ValueError` for conditions and fields that gradients do not go through.

    Each is traced by itself.

    Args:
        problem: the `Problem`.
        data: a `Data`.
        eager: whether the training will run them as they are, without a graph.
    """
    if eager:
        spec = tf.TensorSpec((2, problem.space.input_size), problem.dtype)
        python_calls.refuse_python("the network", problem.network, [spec], [True], eager)
    for names, arrays in sets_of(problem, data.points):
        widths, count = widths_of(arrays), next(iter(arrays.values())).shape[0]
        for function in (*(problem.conditions[n] for n in names), *problem.derived.values()):
            arguments = problem.arguments_at(function, widths)
            shapes = [problem.names.shape(argument, widths) for argument in arguments]
            shapes = [[count if size is None else size for size in shape] for shape in shapes]
            specs = [tf.TensorSpec(shape, problem.dtype) for shape in shapes]
            moving = [isinstance(argument, Quantity | Unknown) for argument in arguments]
            call = functools.partial(_called, function, [argument.name for argument in arguments])
            python_calls.refuse_python(function.label, call, specs, moving, eager)


def _called(function, names, *tensors):
    return function(dict(zip(names, tensors, strict=True)))


def refuse_untrained(variables):
    """Raises `ValueError` for variables that a loss reads, and that would stay as they are."""
    if variables:
        names = dict.fromkeys(repr(variable.name) for variable in variables)
        raise ValueError(
            f"the loss depends on {', '.join(names)}, which this model "
            "does not train, so that it would stay at its first value. Make it an unknown "
            "(self.unknown('k', 1.0)); set a layer, model or keras.Variable as an attribute of the "
            "PINN, which trains it then; make what is to stay as it is trainable=False; or, if a "
            "train_step of yours trains it, pass it to pinn.declare_trained."
        )


def check_start(data, residuals):
    """Raises `ValueError` for residuals that are not finite or do not fit their targets."""
    for name, residual in residuals.items():
        residual = tf.convert_to_tensor(residual)
        bad = int(tf.math.count_nonzero(~tf.reduce_all(tf.math.is_finite(residual), axis=1)))
        if bad:
            raise ValueError(
                f"condition {name!r} is NaN or infinite at {bad} of {residual.shape[0]} points "
                "before the first step: look at the points where it divides, takes a root or a "
                "logarithm."
            )
        minus_target(name, residual, data.targets.get(name))


def checked_residual(name, residual, points, dtype):
    """What a condition returned, as a tensor `(n, k)`.

    Args:
        name: name of the condition.
        residual: what it returned.
        points: a tensor `(n, d)`.
        dtype: dtype of the network.

    Raises:
        ValueError: for anything but one tensor `(n, k)` or `(n,)`.
    """
    if residual is None or isinstance(residual, dict | list | tuple):
        raise ValueError(
            f"condition {name!r} returned {type(residual).__name__}: expected one tensor (n, 1) "
            "or (n, k); put several equations side by side with ops.concatenate([a, b], axis=1)."
        )
    residual = tf.convert_to_tensor(residual)
    refuse_complex(residual.dtype, f"the residual of condition {name!r}", "two columns")
    residual = tf.cast(residual, dtype)
    check_shape(name, residual.shape, points.shape[0])
    return residual[:, None] if residual.shape.rank == 1 else residual


def check_shape(name, shape, count):
    """Raises `ValueError` for a residual that is not `(n, k)` or `(n,)` for `count` points."""
    shape = tf.TensorShape(shape)
    if not _fits(shape, count):
        raise ValueError(
            f"condition {name!r} returned the shape {tuple(shape)} for {count or 'n'} points: "
            "expected (n, 1) or (n, k). An array (n,) that meets a (n, 1) is broadcast to (n, n): "
            "give it the shape (n, 1); a constant does not depend on the points: multiply it by "
            "ops.ones_like of a field."
        )


def _fits(shape, count):
    if shape.rank not in (1, 2) or (None not in (shape[0], count) and shape[0] != count):
        return False
    if shape.rank == 1 or None in (shape[1], count):
        return True
    return shape[1] != count or count <= 64  # by chance k may be n for a few points
