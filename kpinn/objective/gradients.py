"""Gradients with respect to the parameters."""

import tensorflow as tf


def gradients_or_zeros(tape, value, variables):
    """A list of gradients; zeros for variables that the value does not depend on.

    Args:
        tape: the `tf.GradientTape` under which the value was computed.
        value: a scalar tensor.
        variables: list of Keras variables.
    """
    gradients = tape.gradient(value, [variable.value for variable in variables])
    return [
        tf.zeros_like(variable.value) if gradient is None else tf.convert_to_tensor(gradient)
        for gradient, variable in zip(gradients, variables, strict=True)
    ]
