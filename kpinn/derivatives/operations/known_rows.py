"""Channels that are known when the graph is built.

The derivative of a coordinate is one row of zeros and ones for all points. What columns are picked
from it is known too: where it is zero, so is the channel, and everything that follows from it.
"""

import numpy as np
import tensorflow as tf

from kpinn.derivatives.operations.labels import UnknownError, run_on_arrays, static
from kpinn.derivatives.operations.table import facts_of
from kpinn.derivatives.tensorflow_private import is_watched


def known_row(tensor):
    """The row that all rows of a tensor are, an array `(1, ...)`; `None` if it is not known."""
    if not tensor.shape.rank:
        return None
    if not tf.is_symbolic_tensor(tensor):
        return None if tensor.shape[0] != 1 or is_watched(tensor) else tensor.numpy()
    operation = tensor.op
    if operation.type == "BroadcastTo":
        (source, _) = operation.inputs
        return known_row(source) if source.shape[1:] == tensor.shape[1:] else None
    if operation.type == "Const":
        return static(tensor) if tensor.shape[0] == 1 else None
    if facts_of(operation).along == ():
        rows = [_operand(each, tensor.shape.rank) for each in operation.inputs]
    elif operation.type == "StridedSlice" and tensor.shape[0] == 1:  # a constant with a new axis
        rows = [static(each) for each in operation.inputs]
    else:
        return None
    return None if any(row is None for row in rows) else run(operation, rows)[tensor.value_index]


def _operand(tensor, rank):
    """An operand of a function of elements: one that has no rows, or whose rows are known."""
    return known_row(tensor) if tensor.shape.rank == rank else static(tensor)


def run(operation, arrays):
    """The outputs of an operation on arrays; `None` for each if it cannot be run."""
    try:
        return run_on_arrays(operation, arrays)
    except UnknownError:
        return [None] * len(operation.outputs)


def picked(call, inputs, moving, k):
    """What an operation that picks elements makes of a row that is known, or `None`s."""
    (position,), nothing = moving, [None] * len(call.operation.outputs)
    channel = inputs[position].channels[k]
    row = None if channel is None else known_row(channel)
    if row is None:
        return nothing
    sources = call.operation.inputs
    arrays = [row if i == position else static(each) for i, each in enumerate(sources)]
    return nothing if any(each is None for each in arrays) else run(call.operation, arrays)


def as_channel(channel, row):
    """A channel whose rows are known: `None` if they are zero, else such that they stay known."""
    if row is None or channel is None:
        return channel
    if not np.any(row):
        return None
    constant = tf.constant(row, channel.dtype)
    return constant if channel.shape[0] == 1 else tf.broadcast_to(constant, tf.shape(channel))
