"""Python and numpy on values that should be tensors: what gradients do not go through.

In a graph such a function cannot be traced, or has an operation that calls Python. In eager mode it
runs, and a tape takes its derivative for zero, without a word.
"""

import contextlib

import numpy as np
import tensorflow as tf

from kpinn.derivatives.errors import RefusedError
from kpinn.derivatives.graphs.tracing import TraceError, bodies_of, traced
from kpinn.derivatives.graphs.walker import walk
from kpinn.derivatives.operations.control_flow import CONTROL_FLOW

PYTHON = ("EagerPyFunc", "PyFunc", "PyFuncStateless")
ADVICE = (
    "gradients go through operations of Keras and TensorFlow only. Use keras.ops: ops.sin for "
    "numpy.sin or math.sin, ops.where for an if; tf.print to look at values"
)
STEP = 1e-2  # of the differences, in parts of the values


@contextlib.contextmanager
def named(what):
    """Where a function of a user is called; says whose it is that takes a tensor for a value.

    Args:
        what: what the function is called in the error.

    Raises:
        ValueError: in the place of TensorFlow's error for a tensor of a graph without a value.
    """
    try:
        yield
    except (NotImplementedError, TypeError, AttributeError) as error:
        lines = str(error).splitlines()
        found = [line for line in lines if "ymbolic" in line or "eager execution" in line]
        if not found:
            raise
        reason = found[0].replace("\x1b[1m", "").replace("\x1b[0m", "").partition(". ")[0]
        raise ValueError(f"{what} uses Python or numpy on tensors ({reason}): {ADVICE}.") from error


def refuse_python(what, function, specs, moving, eager, values=None):
    """Raises `ValueError` for a function of a user that gradients do not go through.

    Args:
        what: what it is called in the error.
        function: takes tensors and returns one.
        specs: list of a `tf.TensorSpec` of each.
        moving: list of bools, whether gradients with respect to each are needed.
        eager: whether it will run as it is, without a graph.
        values: list of tensors to call it with; by default random ones.
    """
    try:
        graph = traced(function, *specs).graph
    except TraceError as error:
        places = [i for i, moves in enumerate(moving) if moves]
        values = values or [_random(spec) for spec in specs]

        def of_moving(tensors):
            found = dict(zip(places, tensors, strict=True))
            return function(*(found.get(i, value) for i, value in enumerate(values)))

        if not eager or is_detached(of_moving, [values[i] for i in places]):
            cause = str(error.__cause__)
            known = f"{what} cannot be traced ({cause}): {ADVICE}."
            raise ValueError(cause if ADVICE in cause else known) from error
        return
    inputs = [t.name for t, moves in zip(graph.inputs, moving, strict=False) if moves]
    if operation := calls_python(graph, inputs):
        raise ValueError(f"{what} calls Python on tensors, by {operation}: {ADVICE}.")


def calls_python(graph, names):
    """The operation by which Python is called on what depends on inputs; `None` if there is none.

    Args:
        graph: a traced graph.
        names: names of the inputs in question, tensors of the graph.
    """

    def interpretation(operation, inputs):
        if any(inputs):
            inner = operation.type in CONTROL_FLOW and hidden
            if inner or operation.type in PYTHON:
                raise RefusedError(operation.type)
        return [any(inputs)] * len(operation.outputs)

    bodies = bodies_of(graph)
    hidden = any(node.op in PYTHON for nodes in bodies[1:] for node in nodes)
    if not hidden and not any(node.op in PYTHON for node in bodies[0]):
        return None
    try:
        walk(graph, dict.fromkeys(names, True), interpretation)
    except RefusedError as error:
        return str(error)
    return None


def is_detached(function, tensors):
    """Whether a function changes with what it reads in a way that tapes do not see.

    The slope along a random direction by a tape is compared with differences.

    Args:
        function: takes a list of tensors and returns one, in eager mode. Trained variables that it
            reads are moved too, and are as before in the end.
        tensors: list of tensors of real numbers.
    """
    generator = np.random.default_rng(0)
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = tf.convert_to_tensor(function(tensors))
        weights = tf.constant(generator.normal(size=value.shape), value.dtype)
        total = tf.reduce_sum(weights * value)
    variables = list(tape.watched_variables())
    count, sources = len(tensors), [*tensors, *map(tf.convert_to_tensor, variables)]
    directions = [_direction(source, generator) for source in sources]
    gradients = tape.gradient(total, [*tensors, *variables], unconnected_gradients="zero")
    pairs = zip(map(tf.convert_to_tensor, gradients), directions, strict=True)
    slope = sum(float(tf.reduce_sum(gradient * along)) for gradient, along in pairs)

    def at(step):
        moved = [source + step * along for source, along in zip(sources, directions, strict=True)]
        with _assigned(variables, moved[count:]):
            return float(tf.reduce_sum(weights * function(moved[:count])))

    coarse, fine = ((at(h) - at(-h)) / (2.0 * h) for h in (STEP, STEP / 2.0))
    size = float(tf.reduce_sum(tf.abs(weights * value)))
    rounding = float(np.finfo(value.dtype.as_numpy_dtype).eps) * size / STEP
    allowed = 3.0 * abs(coarse - fine) + 20.0 * rounding + 1e-3 * abs(slope)
    return abs(fine - slope) > allowed  # no, where something is not finite


@contextlib.contextmanager
def _assigned(variables, values):
    """Other values of variables, for a while."""
    before = [tf.identity(variable) for variable in variables]
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


def _random(spec):
    return tf.constant(np.random.default_rng(0).uniform(0.5, 1.5, spec.shape), spec.dtype)


def _direction(tensor, generator):
    """A random direction, of the size of the values."""
    size = tf.reduce_mean(tf.abs(tensor))
    size = tf.where(size > 0, size, tf.ones_like(size))
    return size * tf.constant(generator.normal(size=tensor.shape), tensor.dtype)
