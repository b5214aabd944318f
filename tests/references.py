"""References that share nothing with kpinn: networks and their derivatives in mpmath.

A function takes a point (a numpy array of `mpf`) and returns its outputs (the same). Derivatives
are central differences of step 2^-100 on numbers of 220 digits, so that even the gradient of a
fourth derivative with respect to a weight has 50 right digits.
"""

import functools

import mpmath
import numpy as np
from mpmath import mp

DIGITS = 220
STEP = mpmath.mpf(2) ** -100


def _precise(function):
    @functools.wraps(function)
    def call(*args, **kwargs):
        with mp.workdps(DIGITS):
            return function(*args, **kwargs)

    return call


def exact(array):
    """A numpy array of the same numbers as `mpf`."""
    return np.vectorize(mp.mpf, otypes=[object])(np.asarray(array, dtype=object))


# Activations -------------------------------------------------------------------------------


def _float32(number):
    """A constant that TensorFlow rounds to float32 before it casts it to the dtype of its input."""
    return mp.mpf(float(np.float32(number)))


def _sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def _softplus(x):
    return mp.log1p(mp.exp(x))


def _elu(x, alpha=1, scale=1):
    return scale * (x if x > 0 else alpha * mp.expm1(x))


def _clip(x, low, high):
    return min(max(x, mp.mpf(low)), mp.mpf(high))


def _sparse_plus(x):
    return (x + 1) ** 2 / 4 if -1 < x < 1 else max(x, mp.mpf(0))


ELEMENTWISE = {
    "celu": _elu,
    "cos": mp.cos,
    "elu": _elu,
    "exponential": mp.exp,
    "gelu": lambda x: x * mp.erfc(-x * _float32("0.7071067811865476")) / 2,
    "hard_shrink": lambda x: x if abs(x) > 0.5 else mp.mpf(0),
    "hard_sigmoid": lambda x: _clip(x / 6 + mp.mpf(1) / 2, 0, 1),
    "hard_silu": lambda x: x * _clip(x / 6 + mp.mpf(1) / 2, 0, 1),
    "hard_tanh": lambda x: _clip(x, -1, 1),
    "leaky_relu": lambda x: x if x > 0 else x * _float32("0.2"),
    "linear": lambda x: x,
    "log_sigmoid": lambda x: -_softplus(-x),
    "mish": lambda x: x * mp.tanh(_softplus(x)),
    "relu": lambda x: max(x, mp.mpf(0)),
    "relu6": lambda x: _clip(x, 0, 6),
    "selu": lambda x: _elu(x, mp.mpf("1.6732632423543772848"), mp.mpf("1.0507009873554804934")),
    "sigmoid": _sigmoid,
    "silu": lambda x: x * _sigmoid(x),
    "sin": mp.sin,
    "soft_shrink": lambda x: x - _clip(x, -0.5, 0.5),
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + abs(x)),
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": lambda x: _clip((x + 1) / 2, 0, 1),
    "squareplus": lambda x: (x + mp.sqrt(x * x + 4)) / 2,
    "tanh": mp.tanh,
    "tanh_shrink": lambda x: x - mp.tanh(x),
    "threshold": lambda x: x if x > 0.5 else mp.mpf(0),
}


def _softmax(x):
    powers = np.array([mp.exp(each) for each in x])
    return powers / powers.sum()


WHOLE = {
    "glu": lambda x: x[: len(x) // 2] * np.array([_sigmoid(b) for b in x[len(x) // 2 :]]),
    "log_softmax": lambda x: x - mp.log(sum(mp.exp(each) for each in x)),
    "softmax": _softmax,
}


def activation(name):
    """The activation of that name, from vector to vector."""
    if name in WHOLE:
        return WHOLE[name]
    return lambda x: np.array([ELEMENTWISE[name](each) for each in x])


# Networks ----------------------------------------------------------------------------------


def _normalize(x, groups, epsilon):
    normalized = []
    for group in np.split(x, groups):
        mean = group.sum() / len(group)
        variance = ((group - mean) ** 2).sum() / len(group)
        normalized.append((group - mean) / mp.sqrt(variance + mp.mpf(epsilon)))
    return np.concatenate(normalized)


def mlp(weights, name="tanh", groups=None, epsilon=1e-3):
    """Dense layers with activations between them, from weights in the order of Keras.

    Args:
        weights: `[kernel, bias, kernel, bias, ...]`; with `groups`, `gamma` and `beta` after each
            bias but the last.
        name: name of the activation.
        groups: groups of the normalization before each activation, one for a
            `LayerNormalization`; `None` for no normalization.
        epsilon: of the normalization.
    """
    weights = [exact(weight) for weight in weights]
    each = 2 if groups is None else 4
    hidden = [weights[i : i + each] for i in range(0, len(weights) - 2, each)]
    act = activation(name)

    def function(point):
        for kernel, bias, *scales in hidden:
            point = point @ kernel + bias
            if scales:
                point = scales[0] * _normalize(point, groups, epsilon) + scales[1]
            point = act(point)
        return point @ weights[-2] + weights[-1]

    return function


# Derivatives -------------------------------------------------------------------------------


def remember(function):
    """The function with its values kept: differences ask for the same points many times."""
    known = {}

    def call(point):
        key = tuple(point)
        if key not in known:
            known[key] = function(point)
        return known[key]

    return call


def partial(function, point, axes):
    """One derivative at one point; an axis is a column or a vector."""
    if not axes:
        return function(point)
    axis, *rest = axes
    shift = STEP * exact(np.eye(len(point))[axis] if isinstance(axis, int) else axis)
    upper, lower = (partial(function, point + s, rest) for s in (shift, -shift))
    return (upper - lower) / (2 * STEP)


@_precise
def partials(function, points, axes):
    """One derivative at points `(n, d)`: float64 `(n, m)`."""
    function = remember(function)
    return np.array([partial(function, exact(point), axes) for point in points], dtype=float)


def difference(step, axis):
    """The operator of the three-point second difference, to use in place of a derivative."""

    def operator(function, point):
        shift = exact(step * np.eye(len(point))[axis])
        return (function(point + shift) - 2 * function(point) + function(point - shift)) / step**2

    return operator


@_precise
def loss_gradient(build, weights, points, operator):
    """The gradient of `mean(operator ** 2)` over points and outputs with respect to weights.

    Args:
        build: from weights to a function, such as `mlp`.
        weights: list of arrays.
        points: `(n, d)`.
        operator: axes of a derivative, or a callable `(function, point) -> outputs`.

    Returns:
        A list of float64 arrays of the shapes of the weights.
    """
    points = exact(points)

    def loss(weights):
        function = remember(build(weights))
        if callable(operator):
            values = np.array([operator(function, point) for point in points])
        else:
            values = np.array([partial(function, point, operator) for point in points])
        return (values**2).sum() / values.size

    weights = [exact(weight) for weight in weights]
    gradient = [np.zeros(weight.shape) for weight in weights]
    for which, weight in enumerate(weights):
        for index in np.ndindex(weight.shape):
            kept = weight[index]
            losses = []
            for step in (STEP, -STEP):
                weight[index] = kept + step
                losses.append(loss(weights))
            weight[index] = kept
            gradient[which][index] = float((losses[0] - losses[1]) / (2 * STEP))
    return gradient
