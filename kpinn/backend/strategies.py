"""Outside of distribution strategies, where a variable has one copy."""

import concurrent.futures

import tensorflow as tf


def without_strategy(function):
    """Calls a function outside of any strategy, where variables have no copies for replicas.

    A strategy is the present one of a thread, so another thread has none.
    """
    if not tf.distribute.has_strategy():
        return function()
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(function).result()
