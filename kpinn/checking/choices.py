"""Operations that choose by the values that they get, and those that have kinks."""

import numpy as np

from kpinn.derivatives.jets import value_of


def choice(operation, inputs):
    """What an operation decides by the values that it gets, as an array; `None` if nothing."""
    make = CHOICES.get(operation.type)
    return make and make(*(np.asarray(value_of(value)) for value in inputs))


def _sign(x, *_):
    return np.sign(x)


def _larger(a, b):
    return np.sign(np.subtract(a, b))


def _largest(x, axes, *_):
    return np.argmax(x, int(np.ravel(axes)[-1]))


def _smallest(x, axes, *_):
    return np.argmin(x, int(np.ravel(axes)[-1]))


_COMPARISONS = ("Greater", "GreaterEqual", "Less", "LessEqual")
CHOICES = {
    **dict.fromkeys(("Relu", "LeakyRelu", "Abs", "Sign"), _sign),
    **dict.fromkeys(("Maximum", "Minimum", *_COMPARISONS), _larger),
    **dict.fromkeys(("Max", "ArgMax"), _largest),
    **dict.fromkeys(("Min", "ArgMin"), _smallest),
    **dict.fromkeys(("Round", "Rint"), np.round),
    "Floor": np.floor,
    "Ceil": np.ceil,
    "FloorMod": lambda a, b: np.floor(np.divide(a, b)),
    "Relu6": lambda x: np.sign(x) + np.sign(x - 6.0),
    "ClipByValue": lambda x, low, high: np.sign(x - low) + np.sign(x - high),
}
# Continuous with jumps in the derivative.
KINKED = ("Relu", "Relu6", "LeakyRelu", "Abs", "Maximum", "Minimum", "ClipByValue", "Max", "Min")
KINKED += ("MaxPool", "TopKV2")
