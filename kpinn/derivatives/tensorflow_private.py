"""The private names of TensorFlow that the engine needs."""

import tensorflow as tf


def function_graph(graph, name):
    """The traced graph of a function that an operation of `graph` calls by name."""
    return graph._get_function(name).graph


def captured(tensor):
    """What stands for a tensor from outside, such as a variable's handle, in the present graph."""
    return tf.compat.v1.get_default_graph().capture(tensor)
