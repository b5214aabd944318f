"""Gradients of a user's own, by `tf.custom_gradient`, beside those of the operations."""


def look_at(traced, count, epsilon):
    return None, None
