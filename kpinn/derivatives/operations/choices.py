"""What operations decide by the values that they get: arrays that change across a kink or a jump.

A choice is a function of the inputs of an operation, as arrays.
"""

import numpy as np


def sign(x, *_):
    """Of one input."""
    return np.sign(x)


def larger(a, b):
    """Which of two inputs is the larger one."""
    return np.sign(np.subtract(a, b))


def largest(x, axes, *_):
    """Which element is the largest one, along the last of some axes."""
    return np.argmax(x, int(np.ravel(axes)[-1]))


def smallest(x, axes, *_):
    """Which element is the smallest one."""
    return np.argmin(x, int(np.ravel(axes)[-1]))


def within(x, low, high):
    """On which side of two bounds an input is."""
    return np.sign(x - low) + np.sign(x - high)


def quotient(a, b):
    """How often a divisor fits."""
    return np.floor(np.divide(a, b))
