"""Gradients of a user's own, by `tf.custom_gradient`, beside those of the operations.

Taylor coefficients, and what is merged with them, go through the operations; gradient tapes use the
custom rule. Where both are the same, nobody has to know.
"""

import numpy as np
import tensorflow as tf

from kpinn.derivatives.errors import FAILURES
from kpinn.derivatives.graphs.interpreter import values_of
from kpinn.derivatives.graphs.tracing import bodies_of
from kpinn.derivatives.graphs.walker import CALLS
from kpinn.derivatives.per_point import probe
from kpinn.derivatives.per_point.copies import at_once
from kpinn.derivatives.tensorflow_private import function_graph, origin_of_gradient

_KNOWN = ("tensorflow.python.ops.nn_impl",)  # silu, whose gradient is its derivative


def nodes_of(graph):
    """Those nodes of a traced graph whose gradient is a user's own."""
    return [node for body in bodies_of(graph) for node in body if is_custom(node)]


def is_custom(node):
    """Whether the gradient of a node is a user's own.

    Args:
        node: a `tf.Operation.node_def`.
    """
    if "_gradient_op_type" not in node.attr:
        return False
    mark = node.attr["_gradient_op_type"].s
    # Functions that TensorFlow has differentiated bear the name of what it has made of them.
    return b"PartitionedCall" not in mark and origin_of_gradient(mark.decode()) not in _KNOWN


def has_custom_gradient(operation):
    """Whether a `tf.custom_gradient` ends in an operation, or in a function that it calls."""
    if operation.type not in CALLS:
        return is_custom(operation.node_def)
    called = function_graph(operation.graph, operation.get_attr("f").name)
    return any(map(has_custom_gradient, called.get_operations()))


def look_at(traced, count):
    """Compares custom gradients with those of the operations, on numbers.

    Args:
        traced: the `ConcreteFunction` of a function of points `(n, d)`.
        count: number of points that it is tried with.

    Returns:
        Why it takes points together, `None` if it does not, and a text if a custom gradient is not
        the derivative, else `None`.
    """
    nodes = nodes_of(traced.graph)
    captures = [outer for outer, _ in traced.graph.captures]
    if any(map(tf.is_symbolic_tensor, captures)):
        return None, None
    points = traced.graph.inputs[0]
    draws = probe.drawn(np.random.default_rng(0), count, points.shape[1])
    names = ", ".join(dict.fromkeys(f"{node.op} ({node.name})" for node in nodes))
    try:
        if probe.gradients_reach(traced, draws, points.dtype):
            return _together(names), None
        differ = at_once(lambda: any(_differ(traced, draw()) for draw in draws))
    except FAILURES:  # without a gradient, there is nothing to compare
        return None, None
    return None, _warning(names) if differ else None


def _differ(traced, rows):
    rows = tf.constant(rows, traced.graph.inputs[0].dtype)

    def plain(points):
        return values_of(traced.graph, [points], traced.graph.outputs)[0]

    own, found = (_gradients(function, rows, traced.variables) for function in (traced, plain))
    for one, other in zip(own, found, strict=True):
        finite = np.isfinite(one) & np.isfinite(other)
        one, other = np.where(finite, one, 0.0), np.where(finite, other, 0.0)
        size = max(np.abs(one).max(initial=0.0), np.abs(other).max(initial=0.0))
        tolerance = 10.0 * np.finfo(rows.dtype.as_numpy_dtype).eps ** 0.5
        if np.abs(one - other).max(initial=0.0) > tolerance * size:
            return True
    return False


def _gradients(function, rows, variables):
    """Those of a weighted sum with respect to the points and the variables, arrays."""
    trained = [v for v in variables if v.trainable and v.dtype.is_floating]
    with tf.GradientTape() as tape:
        tape.watch(rows)
        values = function(rows)
        weights = np.random.default_rng(0).uniform(0.5, 1.5, values.shape)
        total = tf.reduce_sum(tf.cast(weights, values.dtype) * values)
    gradients = tape.gradient(total, [rows, *trained], unconnected_gradients="zero")
    return [np.asarray(tf.convert_to_tensor(g), np.float64) for g in gradients]


def _together(names):
    return (
        f"the tf.custom_gradient that ends in {names} takes gradients together over the points: "
        "the gradient of a point reaches other points. Such a function has no derivative at a "
        "point by gradient tapes. Let it treat each row by itself, or declare the function by "
        "kpinn.derivatives.independent."
    )


def _warning(names):
    return (
        f"the tf.custom_gradient that ends in {names} is not the derivative of the values. "
        "Derivatives by 'taylor', and the gradients of a loss through them, are those of the "
        "values; gradient tapes use the custom gradient. Leave it out of the network, or apply it "
        "in a condition, where it is kept."
    )
