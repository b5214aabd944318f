"""How much memory the variables of a model from a file may take."""

import contextlib
import contextvars
import math

import tensorflow as tf

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
            f"its variables take {taken} bytes or more, which is more than {most}: if the file is "
            f"yours, load it by kpinn.load_model(path, memory={taken}) or more."
        )


def _bytes(initial):
    """Those of an initial value, a tensor or a function that returns one."""
    if not callable(initial):
        return _tensor_bytes(tf.convert_to_tensor(initial))
    with tf.Graph().as_default():
        try:
            return _tensor_bytes(tf.convert_to_tensor(initial()))
        except Exception:  # an initializer of a user that needs values
            return 0


def _tensor_bytes(tensor):
    known = tensor.shape.rank is not None and None not in tensor.shape
    return math.prod(tensor.shape) * tensor.dtype.size if known else 0
