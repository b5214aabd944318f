"""The private names of TensorFlow that training needs: one function each, with a test."""

import contextlib

import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.ops import stateful_random_ops


def eager_generator():
    """The generator of the seeds of `tf.random` in eager mode, `None` without `set_seed`."""
    return getattr(context.context(), "_rng", None)


def set_eager_generator(generator):
    """Sets it; operations that are kept for a seed have drawn from it, and are forgotten."""
    context.context()._rng = generator
    context.context().clear_kernel_cache()


def existing_global_generator():
    """TensorFlow's global generator, `None` if nothing has asked for it yet."""
    return stateful_random_ops.global_generator


def forget_global_generator():
    """Lets TensorFlow make another global generator when it is asked for."""
    stateful_random_ops.global_generator = None


@contextlib.contextmanager
def updates_between_replicas():
    """A block in which an optimizer of Keras updates once, with a gradient that is summed already.

    It is for the cross-replica context. Keras asks to be called in each replica, from where it
    comes there (`merge_call`) to update; and does without where a strategy has no such call.
    """
    extended = tf.distribute.get_strategy().extended
    extended._use_merge_call = lambda: False
    try:
        yield
    finally:
        del extended._use_merge_call


@contextlib.contextmanager
def outside_of_strategies():
    """A block in eager mode that no distribution strategy is in, whichever scope it stands in."""
    with tf.Graph().as_default(), context.eager_mode():
        yield
