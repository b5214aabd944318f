"""How much memory the variables of a model from a file may take."""

import contextlib
import contextvars
import math

import keras
import tensorflow as tf

from kpinn.derivatives.errors import FAILURES
from kpinn.derivatives.precision import input_dtype
from kpinn.optimizers.flat_optimizer import FlatOptimizer
from kpinn.optimizers.stages import stages

WEIGHTS = 2**29  # bytes of a network in a file
OPTIMIZER = 2**31  # bytes of the state of its optimizer
_ALLOWED = contextvars.ContextVar("kpinn_memory", default=None)


@contextlib.contextmanager
def memory(most):
    """A block in which loaded models may have variables of so many bytes, optimizers too."""
    token = _ALLOWED.set(most)
    try:
        yield
    finally:
        _ALLOWED.reset(token)


@contextlib.contextmanager
def limited_variables(most):
    """A block in which new variables take no more than `most` bytes, or what `memory` says.

    The size of each is known before it is made.
    """
    most, taken = _ALLOWED.get() or most, 0

    def creator(next_creator, **kwargs):
        nonlocal taken
        taken += _bytes(kwargs.get("initial_value"))
        _refuse(taken, most)
        return next_creator(**kwargs)

    with tf.variable_creator_scope(creator):
        yield


def check_call(network, columns):
    """Raises `ValueError` for a network whose values at two points take too much memory.

    It is traced, in which nothing is computed; whoever calls it finds out what else is wrong.

    Args:
        network: anything; only a Keras layer is looked at.
        columns: number of columns of the points.
    """
    if not isinstance(network, keras.layers.Layer):
        return
    call = tf.function(lambda points: network(points, training=False), autograph=False)
    try:
        if isinstance(network, keras.Sequential) and not network.built:
            network.build((None, columns))
        points = tf.TensorSpec((2, columns), input_dtype(network, {}))
        graph = call.get_concrete_function(points).graph
    except FAILURES:
        return
    tensors = [tensor for each in graph.get_operations() for tensor in each.outputs]
    _refuse(max(map(_tensor_bytes, tensors), default=0), _ALLOWED.get() or WEIGHTS)


def check_optimizer(optimizer, variables):
    """Raises `ValueError` for an optimizer whose state takes too much memory."""
    most, total = _ALLOWED.get() or OPTIMIZER, 0
    size = sum(math.prod(variable.shape) for variable in variables)
    for each, _ in stages(optimizer, 0):
        if isinstance(each, FlatOptimizer) and variables:
            with tf.Graph().as_default():  # in which nothing is computed
                theta = tf.zeros((size,), variables[0].dtype)
                total += sum(map(_tensor_bytes, each.initial_state(theta).values()))
    _refuse(total, most)


def _refuse(taken, most):
    if taken > most:
        raise ValueError(
            f"its variables or values take {taken} bytes or more, which is more than {most}: if "
            f"the file is yours, load it by kpinn.load_model(path, memory={taken}) or more."
        )


def _bytes(initial):
    """Those of an initial value, a tensor or a function that returns one."""
    if not callable(initial):
        return _tensor_bytes(tf.convert_to_tensor(initial))
    with tf.Graph().as_default():
        try:
            return _tensor_bytes(tf.convert_to_tensor(initial()))
        except FAILURES:  # an initializer of a user that needs values
            return 0


def _tensor_bytes(tensor):
    known = tensor.shape.rank is not None and None not in tensor.shape
    return math.prod(tensor.shape) * tensor.dtype.size if known else 0
