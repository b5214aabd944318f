"""Gradients with respect to the parameters."""

import tensorflow as tf


def read_here(variable):
    """The TensorFlow variable of a Keras variable that is read here.

    One with a copy for each replica has the first one's between the steps of replicas.
    """
    value = variable.value
    copies = getattr(value, "values", None)
    inside = tf.distribute.has_strategy() and not tf.distribute.in_cross_replica_context()
    return value if copies is None or inside else copies[0]


def gradients_or_zeros(tape, value, variables):
    """A list of gradients; zeros for variables that the value does not depend on.

    Args:
        tape: the `tf.GradientTape` under which the value was computed.
        value: a scalar tensor.
        variables: list of Keras variables.
    """
    gradients = tape.gradient(value, [read_here(variable) for variable in variables])
    return [
        tf.zeros_like(variable.value) if gradient is None else tf.convert_to_tensor(gradient)
        for gradient, variable in zip(gradients, variables, strict=True)
    ]
