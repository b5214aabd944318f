"""The scope of a strategy, in which variables are made with a copy for each replica."""

import contextlib

import tensorflow as tf


@contextlib.contextmanager
def within(strategy, divided):
    """A block in which a strategy is the present one.

    Args:
        strategy: a `tf.distribute.Strategy`.
        divided: whether metrics are updated once for all replicas, where Keras would do it in each.
    """
    creator = _updated_once if divided else lambda create, **arguments: create(**arguments)
    device = strategy.extended.worker_devices[0]
    with strategy.scope(), tf.device(device), tf.variable_creator_scope(creator):
        yield


def _updated_once(create, **arguments):
    """A variable of a metric, which Keras wants to be another one in each replica."""
    if arguments.get("synchronization") == tf.VariableSynchronization.ON_READ:
        arguments["synchronization"] = tf.VariableSynchronization.AUTO
    return create(**arguments)
