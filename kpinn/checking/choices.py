"""Operations that choose by the values that they get, and those that have kinks."""

import numpy as np

from kpinn.derivatives.jets import value_of


def choice(operation, inputs):
    """What an operation decides by the values that it gets, as an array; `None` if nothing."""
    make = CHOICES.get(operation.type)
    return make and make(*(np.asarray(value_of(value)) for value in inputs))


def _larger(a, b):
    return np.sign(np.subtract(a, b))


def _place_of(extremum):
    return lambda x, axes, *_: extremum(x, int(np.ravel(axes)[-1]))


_COMPARISONS = ("Greater", "GreaterEqual", "Less", "LessEqual")
CHOICES = {
    **dict.fromkeys(("Relu", "LeakyRelu", "Abs", "Sign"), np.sign),
    **dict.fromkeys(("Maximum", "Minimum", *_COMPARISONS), _larger),
    **dict.fromkeys(("Max", "ArgMax"), _place_of(np.argmax)),
    **dict.fromkeys(("Min", "ArgMin"), _place_of(np.argmin)),
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
