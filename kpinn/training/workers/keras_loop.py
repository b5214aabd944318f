"""Keras's own loop under several workers, where a subclass has a `train_step` of its own.

Keras 3.15 fails there with every model, in two places: it takes the mean over the first axis of
logs, which are numbers, and it adds batches of unequal size to learn their shape. Here logs are
vectors of one number, and shapes are known. `tests/test_workers.py` says when that is over.
"""

import tensorflow as tf

from kpinn.training.workers.exchange import worker_of


def needs_help(model):
    """Whether a model was made under a strategy with several workers."""
    return worker_of(model.distribute_strategy)[1] > 1


def with_vectors(model, step):
    """A step as Keras's loop takes it, whose logs Keras averages over the workers.

    Args:
        model: the model.
        step: `model.train_step` or `model.test_step`.
    """
    if not needs_help(model):
        return step

    def step_of_vectors(batch):
        return tf.nest.map_structure(lambda log: tf.reshape(log, (1,)), step(batch))

    return step_of_vectors
