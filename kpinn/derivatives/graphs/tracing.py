"""Functions as traced graphs."""

import contextlib

import tensorflow as tf

from kpinn.derivatives.channels.channels_per_point import channels_only


class TraceError(Exception):
    """A function that cannot be traced with a symbolic input."""


def traced(function, *specs):
    """The `ConcreteFunction` of a function of tensors, for a `tf.TensorSpec` of each.

    Raises:
        TraceError: from what the function raises when it is traced.
    """
    try:
        return tf.function(function, autograph=False).get_concrete_function(*specs)
    except Exception as error:  # the user's comes again when it is called
        message = f"the function cannot be traced ({type(error).__name__}: {error})"
        raise TraceError(message) from error


def trace(function, size, dtype, count=None, exactly=False):
    """The `ConcreteFunction` of `function: (n, size) -> (n, m)`.

    It is traced for any number of points, and if it is for a fixed number only, for `count`. No
    trace is kept for the next call: an attribute of a layer or a variable of Python may have
    changed by then, and a trace takes about as long as one eager propagation. It is not made in
    `tf.init_scope`, which would stop the tapes that a function uses itself.

    Args:
        function: what is traced.
        size: number of columns of its input.
        dtype: dtype of its input.
        count: number of points.
        exactly: whether to trace for that number only.

    Raises:
        TraceError: from what the function raises when it is traced.
    """

    def call(points):
        with channels_only():
            return function(points)

    if not exactly and count is not None:
        with contextlib.suppress(TraceError):
            return traced(call, tf.TensorSpec((None, size), dtype))
    return traced(call, tf.TensorSpec((count, size), dtype))


def trace_or_none(function, size, dtype, count=None, exactly=False):
    """What `trace` returns, or `None` for a function that cannot be traced."""
    try:
        return trace(function, size, dtype, count, exactly)
    except TraceError:
        return None


def graph_of(function, size, dtype, count=None):
    """The graph of `trace`, or `None` for a function that cannot be traced."""
    traced = trace_or_none(function, size, dtype, count)
    return None if traced is None else traced.graph


def bodies_of(graph):
    """The lists of the nodes of a graph and of each function that it calls."""
    definition = graph.as_graph_def()
    return [definition.node, *(function.node_def for function in definition.library.function)]
