"""What several workers must have in common, each of which runs the same script."""

import hashlib

import tensorflow as tf

from kpinn.training.replicas.sums import sum_over_replicas

PARTS = 2**40  # of a digest: sums over replicas are exact


def agreed(pinn, number):
    """A whole number, which all workers take from the first one."""

    def of_replica(replica):
        return tf.constant(number if replica == 0 else 0, tf.int64)

    return int(sum_over_replicas(pinn.distribute_strategy, of_replica))


def check_points(pinn, data):
    """Raises `ValueError` for points, targets or weights that are others on another worker."""
    digest = hashlib.sha256()
    for tensor in tf.nest.flatten(data):
        digest.update(tensor.numpy().tobytes())
    own = int.from_bytes(digest.digest()[:8], "big") % PARTS
    strategy = pinn.distribute_strategy
    total = sum_over_replicas(strategy, lambda replica: tf.constant(own, tf.int64))
    if int(total) != own * strategy.num_replicas_in_sync:
        raise ValueError(
            "the points are others than those of another worker: each step is divided among them, "
            "so that all need the same. Give sample() a seed, or call "
            "keras.utils.set_random_seed first."
        )
