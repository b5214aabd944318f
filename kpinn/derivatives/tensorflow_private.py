"""The private names of TensorFlow that the engine needs."""

import inspect

import tensorflow as tf
from tensorflow.python import pywrap_tfe
from tensorflow.python.eager import record
from tensorflow.python.framework import ops
from tensorflow.python.ops import control_flow_util, gradients_util

from kpinn.derivatives.errors import UnsupportedError


def function_graph(graph, name):
    """The traced graph of a function that an operation of `graph` calls by name.

    Raises:
        UnsupportedError: for a function of TensorFlow 1, such as those of `tf.nn.ctc_loss`.
    """
    function = graph._get_function(name)
    if not hasattr(function, "graph"):
        raise UnsupportedError(f"{name} is a function of TensorFlow 1")
    return function.graph


def captured(tensor):
    """What stands for a tensor from outside, such as a variable's handle, in the present graph."""
    return tf.compat.v1.get_default_graph().capture(tensor)


def forget_gradient(operation):
    """Lets another gradient be registered for a type of operations."""
    ops.gradient_registry._registry.pop(operation, None)


def forget_custom_gradients(graph):
    """Forgets what `tf.custom_gradient` was given in a graph that nobody will differentiate.

    TensorFlow keeps it for ever, and with it the graph.
    """
    definition = graph.as_graph_def()
    bodies = [definition.node, *(function.node_def for function in definition.library.function)]
    for node in (node for nodes in bodies for node in nodes):
        name = node.attr["_gradient_op_type"].s.decode() if node.attr else ""
        if name.startswith("CustomGradient-"):
            forget_gradient(name)


def gradients_of(operation, upstream):
    """The gradients with respect to the inputs of an operation, a list; `None` for no gradient."""
    found = ops.get_gradient_function(operation)(operation, *upstream)
    return list(found) if isinstance(found, list | tuple) else [found]


def origin_of_gradient(name):
    """The module of the function that a registered gradient calls in the end.

    Args:
        name: under which it is registered, such as `"CustomGradient-12"`.
    """
    waiting, seen = [ops.gradient_registry.lookup(name)], []
    while waiting:
        function = waiting.pop()
        if not inspect.isfunction(function) or id(function) in seen:
            continue
        seen.append(id(function))
        if not function.__module__.endswith(".custom_gradient"):
            return function.__module__
        waiting += [cell.cell_contents for cell in function.__closure__ or ()]
    return ""


def compiled_by_xla():
    """Whether what is traced now is compiled by XLA."""
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


VariableWatcher = record.VariableWatcher  # a scope that lists the trainable variables read in it


def tapes_are_stopped():
    """Whether no gradient tape records what is computed now, as in `tf.init_scope`."""
    return bool(pywrap_tfe.TFE_Py_TapeSetIsStopped())


def is_watched(tensor):
    """Whether a tape or an accumulator that is open now follows an eager tensor."""
    return gradients_util.PossibleTapeGradientTypes([tensor]) != 0


def without_retracing_warning(function):
    """A `tf.function` whose traces are not counted together with those of other models.

    TensorFlow counts the traces of all functions that are made of the same code, and warns of "5
    out of the last 5 calls" after five models.

    Args:
        function: a `tf.function`, or one of Keras that calls it.
    """
    inner = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    for each in (function, *inner):
        if hasattr(each, "_omit_frequent_tracing_warning"):
            each._omit_frequent_tracing_warning = True
    return function


def made_by_accumulator(node):
    """Whether a `NodeDef` calls what a `tf.autodiff.ForwardAccumulator` made of an operation."""
    return "_jvp_" in node.attr["f"].func.name


def has_gradient(operation):
    """Whether gradients go through an operation, as far as is known before they are computed."""
    try:
        return ops.get_gradient_function(operation) is not None
    except LookupError:
        return False
