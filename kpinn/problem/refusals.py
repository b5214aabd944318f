"""Checks of a PINN before it trains. Nothing is left to be found out by a wrong result."""

import functools
import keyword
import re

import numpy as np
import tensorflow as tf

from kpinn.derivatives.api import join_points
from kpinn.derivatives.black_box import stopped_message
from kpinn.derivatives.declarations import is_declared
from kpinn.derivatives.errors import refuse_complex, refuse_complex_output
from kpinn.derivatives.graphs import python_calls
from kpinn.derivatives.graphs.stop_gradient import stopped_moments
from kpinn.derivatives.graphs.tracing import graph_of, trace_or_none
from kpinn.derivatives.per_point.independence import refuse_together
from kpinn.options import shown
from kpinn.problem import misspelt
from kpinn.problem.arguments import At, Quantity, Unknown
from kpinn.problem.points import minus_target, sets_of, widths_of

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


def refuse_names(problem):
    """Raises `ValueError` for names without meaning, and derived fields that go in a circle."""
    for kind, functions in (("field", problem.derived), ("condition", problem.conditions)):
        for name, function in functions.items():
            for argument in function.arrays:
                try:
                    misspelt.refuse_typing_error(problem.names, argument.name)
                except ValueError as error:
                    raise ValueError(f"{kind} {name!r}: {error}") from None
                if kind == "field":
                    raise ValueError(
                        f"field {name!r} asks for {argument.name!r}, which is no coordinate, "
                        "field, derivative or unknown. A derived field is a function of the "
                        f"coordinates. There are {problem.names.describe()}."
                    )
    for name in problem.derived:
        _refuse_circle(problem, name, ())


def _refuse_circle(problem, name, trail):
    if name in trail:
        raise ValueError(
            f"derived fields depend on each other in a circle: {' -> '.join((*trail, name))}."
        )
    for argument in problem.derived[name].arguments:
        if isinstance(argument, Quantity) and argument.derived:
            _refuse_circle(problem, argument.request.field, (*trail, name))


def refuse_same_names(names):
    """Raises `ValueError` for conditions that cannot be told apart, by their names."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated or "loss" in names:
        raise ValueError(
            f"{repeated or 'loss'} cannot name a condition: each needs a name of its own for the "
            "logs, and 'loss' is their sum."
        )


def refuse_new_unknown(problem, name):
    """Raises `ValueError` for a name that means something already."""
    if not isinstance(name, str) or not _NAME.match(name) or keyword.iskeyword(name):
        raise ValueError(
            f"unknown {shown(name)}: its name is that of an argument of a condition, such as "
            "'viscosity', of letters and digits."
        )
    problem.space.check_new_name(name)
    if name in problem.unknowns or name in problem.conditions or name == "loss":
        raise ValueError(f"unknown {name!r}: the name is taken.")


def refuse_wrong_derivatives(problem, lowest_order):
    """Raises `ValueError` if nested tapes are wrong for a condition; see `stop_gradient`.

    Args:
        problem: the `Problem`.
        lowest_order: 2 where values matter, 1 where gradients of derivatives matter too.
    """
    for name, function in problem.conditions.items():
        order = function.order(problem.derived)
        if function.method in ("reverse", "forward") and order >= lowest_order:
            refuse_stopped(problem, function.method, order, f"condition {name!r}")


def refuse_stopped(problem, method, order, what):
    """Raises `ValueError` if the network has derivatives that nested tapes get wrong.

    Args:
        problem: the `Problem`.
        method: `"forward"` or `"reverse"`.
        order: that of the derivatives.
        what: who asks for them.
    """
    graph = graph_of(problem.network, problem.space.input_size, problem.dtype)
    if order and (stopped := stopped_moments(graph)):
        what = f"{what} (derivatives of order {order})"
        raise ValueError(stopped_message(stopped, method, what))


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


def refuse_parts(problem, data, parts, batch_size, shuffle):
    """Raises `ValueError` for a condition that takes together points which a step has in part.

    So it does for a network that does.

    Args:
        problem: the `Problem`.
        data: a `Data`.
        parts: dict from the conditions of whose points a step has a part to its size.
        batch_size: as it was given.
        shuffle: whether a part is drawn.
    """
    for names, arrays in sets_of(problem, data.points):
        count = next(iter(arrays.values())).shape[0]
        for name in filter(parts.__contains__, names):
            refuse_torn(problem, arrays, parts[name], shuffle)
            if problem.takes_together(name, widths_of(arrays)):
                raise ValueError(
                    f"condition {name!r} takes its points together, as a mean over them does, so "
                    f"that its residuals at a part of them are others: batch_size={batch_size} "
                    f"cannot be used for its {count} points. Leave batch_size out, or pass a "
                    "dataset, whose elements are whole sets of points."
                )


def refuse_torn(problem, arrays, size, shuffle=False):
    """Raises `ValueError` for a network declared independent whose rows need those beside them.

    Its values are compared at twice `size` points and at a part of them.

    Args:
        problem: the `Problem`.
        arrays: dict from name to tensor `(n, k)`.
        size: points of a part.
        shuffle: whether a part is drawn, or has points that follow each other.
    """
    if not is_declared(problem.network):
        return
    points = join_points(arrays, problem.space)[: 2 * size]
    order = np.roll(np.arange(points.shape[0]), -size)
    if shuffle:
        order = np.random.default_rng(0).permutation(order)
    rows, count = order[:size], next(iter(arrays.values())).shape[0]
    whole = np.asarray(problem.network(points), np.float64)[rows]
    part = np.asarray(problem.network(tf.gather(points, rows)), np.float64)
    tolerance = 1e3 * float(np.finfo(problem.dtype.as_numpy_dtype).eps)
    if not np.allclose(whole, part, tolerance, tolerance * np.abs(whole).max(), equal_nan=True):
        raise ValueError(
            f"the network is declared independent, and its rows depend on those beside them: with "
            f"batch_size={size} of {count} points{', shuffled,' if shuffle else ''} its values are "
            "others. Choose a batch_size that has whole groups of rows, in fit with shuffle=False; "
            "or train on a dataset whose elements have whole groups."
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
            moving = [isinstance(argument, At | Quantity | Unknown) for argument in arguments]
            names = [argument.name for argument in arguments]
            call = functools.partial(_called, problem.stand_in(function, widths), names)
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


def checked_residual(function, residual, points, dtype):
    """What a condition returned, as a tensor `(n, k)`, that of one over a set `(1, k)`.

    Args:
        function: the condition, a `Function`.
        residual: what it returned.
        points: a tensor `(n, d)`.
        dtype: dtype of the network.

    Raises:
        ValueError: for anything but one tensor `(n, k)` or `(n,)`; over a set `(1, k)`, `(k,)` or
            a number.
    """
    name = function.name
    if residual is None or isinstance(residual, dict | list | tuple) or callable(residual):
        raise ValueError(
            f"condition {name!r} returned {type(residual).__name__}: expected one tensor (n, 1) "
            "or (n, k); put several equations side by side with ops.concatenate([a, b], axis=1)."
        )
    residual = tf.convert_to_tensor(residual)
    refuse_complex(residual.dtype, f"the residual of condition {name!r}", "two columns")
    residual = tf.cast(residual, dtype)
    if function.over_set:
        return _residual_of_set(name, residual)
    check_shape(name, residual.shape, points.shape[0])
    return residual[:, None] if residual.shape.rank == 1 else residual


def _residual_of_set(name, residual):
    shape = residual.shape
    if shape.rank is None or shape.rank > 2 or (shape.rank == 2 and shape[0] != 1):
        raise ValueError(
            f"condition {name!r} is over a whole set and returned the shape {shape}: expected one "
            "residual, a number, (k,) or (1, k), such as ops.sum(w * u) - 1.0."
        )
    return tf.reshape(residual, (1, -1)) if shape.rank < 2 else residual


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
