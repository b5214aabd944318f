"""Jets with channels in the shape of the value."""

import tensorflow as tf

from kpinn.derivatives.channels.jets import Jet, shared_axes


def full(jet):
    """The jet with all channels in the shape of the value; `None` stays `None`."""
    if not isinstance(jet, Jet):
        return jet
    return Jet(jet.algebra, tuple(None if c is None else _full(c, jet.value) for c in jet.channels))


def _full(channel, value):
    return tf.broadcast_to(channel, tf.shape(value)) if shared_axes(channel, value) else channel


def dense(jet):
    """The jet with a tensor in the shape of the value for every channel."""
    zero = zeros_like(jet.value)
    return Jet(jet.algebra, tuple(zero if c is None else c for c in full(jet).channels))


def zeros_like(value):
    """Zeros; for a new list of tensors, which is empty and XLA has no zeros of, the list itself."""
    if value.dtype == tf.variant and not tf.executing_eagerly() and value.op.type in _NEW_LISTS:
        return value
    return tf.zeros_like(value)


_NEW_LISTS = ("EmptyTensorList", "TensorListReserve")
