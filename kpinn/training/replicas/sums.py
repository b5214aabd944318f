"""The sum of what all replicas compute, and the only place where they are run."""

import numpy as np
import tensorflow as tf


def sum_over_replicas(strategy, function):
    """The sum over the replicas of nested tensors with static shapes, in one all-reduce.

    Args:
        strategy: a `tf.distribute.Strategy`, in whose cross-replica context this is called.
        function: called in each replica with its number, an int where it is known.

    Returns:
        What one replica returns, summed.
    """
    made = []

    def of_replica():
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        known = tf.get_static_value(number) if tf.is_tensor(number) else number
        found = function(number if known is None else int(known))
        made.append(found)
        return {dtype: _joined(tensors) for dtype, tensors in _by_dtype(found).items()}

    parts = strategy.run(of_replica)
    with tf.device(strategy.extended.worker_devices[0]):
        totals = {dtype: strategy.reduce("SUM", part, axis=None) for dtype, part in parts.items()}
    return _filled(made[0], totals)


def _joined(tensors):
    return tf.concat([tf.reshape(tensor, (-1,)) for tensor in tensors], axis=0)


def _by_dtype(tree):
    found = {}
    for tensor in tf.nest.flatten(tree):
        if tensor is not None:
            found.setdefault(tensor.dtype.name, []).append(tensor)
    return found


def _filled(tree, totals):
    """The tree with the parts of the totals in the place of its tensors."""
    sizes = {
        dtype: [int(np.prod(tensor.shape)) for tensor in tensors]
        for dtype, tensors in _by_dtype(tree).items()
    }
    parts = {dtype: iter(tf.split(totals[dtype], found)) for dtype, found in sizes.items()}

    def part(tensor):
        if tensor is None:
            return None
        return tf.reshape(next(parts[tensor.dtype.name]), tensor.shape)

    return tf.nest.map_structure(part, tree)
