"""Taylor coefficients of functions of one variable.

A *tower* is a function `(x, order) -> [f(x), f'(x), f''(x) / 2!, ..., f^(order)(x) / order!]`, with
`None` for what is zero everywhere. Where `y' = w` for a series `w`, `y_k = w_(k-1) / k`; the series
of a product is the Cauchy product; that of a power follows from `p y' = r p' y` (Knuth, "The art of
computer programming 2", section 4.7).
"""

import math

import tensorflow as tf


def _integral(first, derivative, order):
    """The series of `y` from its first coefficient and the series of `y'`."""
    return [first, *(derivative[k - 1] / k for k in range(1, order + 1))]


def _power_series(base, exponent, first, order):
    """The series of `p ** r`, from that of `p` and its first coefficient."""
    series = [first]
    for k in range(1, order + 1):
        terms = [
            (exponent * j - (k - j)) * base[j] * series[k - j]
            for j in range(1, min(k, len(base) - 1) + 1)
        ]
        series.append(sum(terms) / (k * base[0]))
    return series


def tanh(x, order):
    """`w = 1 - y y`."""
    y = [tf.tanh(x)]
    for k in range(order):
        y.append(-_square(y, k) / (k + 1) if k else 1.0 - y[0] * y[0])
    return y


def _square(y, k):
    """Coefficient `k` of the square of a series, each product once."""
    total = sum(2.0 * y[i] * y[k - i] for i in range((k + 1) // 2))
    return total if k % 2 else total + y[k // 2] * y[k // 2]


def sigmoid(x, order):
    """`w = y - y y`, the first one without cancellation."""
    y = [tf.sigmoid(x)]
    for k in range(order):
        y.append((y[k] - _square(y, k)) / (k + 1) if k else y[0] * tf.sigmoid(-x))
    return y


def softplus(x, order):
    """`y' = sigmoid`."""
    return _integral(tf.math.softplus(x), sigmoid(x, order - 1) if order else [], order)


def exp(x, order):
    """`y' = y`."""
    y = [tf.exp(x)]
    return [y[0] / math.factorial(k) if k > 1 else y[0] for k in range(order + 1)]


def expm1(x, order):
    """`y' = exp`."""
    return [tf.math.expm1(x), *exp(x, order)[1:]]


def sin(x, order):
    """A cycle of four."""
    return _cyclic([tf.sin(x), tf.cos(x)] if order else [tf.sin(x)], order, -1.0)


def cos(x, order):
    """A cycle of four."""
    return _cyclic([tf.cos(x), -tf.sin(x)] if order else [tf.cos(x)], order, -1.0)


def sinh(x, order):
    """A cycle of two."""
    return _cyclic([tf.sinh(x), tf.cosh(x)], order, 1.0)


def cosh(x, order):
    """A cycle of two."""
    return _cyclic([tf.cosh(x), tf.sinh(x)], order, 1.0)


def _cyclic(first, order, sign):
    """`y'' = sign y` from `y` and `y'`."""
    y = first[: order + 1]
    for k in range(2, order + 1):
        y.append(y[k - 2] * (sign / (k * (k - 1))))
    return y


def log(x, order):
    """`y' = 1 / x`."""
    return _integral(tf.math.log(x), reciprocal(x, order - 1) if order else [], order)


def log1p(x, order):
    """`y' = 1 / (1 + x)`."""
    return _integral(tf.math.log1p(x), reciprocal(1.0 + x, order - 1) if order else [], order)


def reciprocal(x, order):
    """`y_k = -y_(k-1) / x`."""
    y = [tf.math.reciprocal(x)]
    for _ in range(order):
        y.append(-y[-1] * y[0])
    return y


def sqrt(x, order):
    """The power 1/2, with infinite derivatives at zero."""
    first = tf.sqrt(x)
    return [first, *_falling(0.5 * tf.math.reciprocal(first), x, 0.5, order)]


def rsqrt(x, order):
    """The power -1/2."""
    first = tf.math.rsqrt(x)
    return [first, *_falling(-0.5 * first / x, x, -0.5, order)]


def _falling(first, x, exponent, order):
    """A power series from the coefficient of order one: `k y_k = (r - k + 1) y_(k-1) / x`."""
    y = [first]
    for k in range(2, order + 1):
        y.append(((exponent - k + 1) / k) * y[-1] / x)
    return y[:order]


def square(x, order):
    """A polynomial."""
    return [x * x, 2.0 * x, tf.ones_like(x)][: order + 1] + [None] * (order - 2)


def power(exponent):
    """The tower of `x ** exponent` for a number `exponent`: `binomial(r, k) x ** (r - k)`."""
    exponent = float(exponent)
    is_natural = exponent >= 0 and exponent == int(exponent)

    def tower(x, order):
        powers = _few_powers(x, int(exponent)) if is_natural and exponent <= 8 else None
        y = []
        for k in range(order + 1):
            factor = math.prod(exponent - j for j in range(k)) / math.factorial(k)
            if factor == 0.0:  # also where `x ** (r - k)` is infinite
                y.append(None)
            else:
                rest = powers[int(exponent) - k] if powers else tf.pow(x, _like(exponent - k, x))
                y.append(rest if factor == 1.0 else factor * rest)
        return y

    return tower


def _few_powers(x, highest):
    """`[1, x, x x, ...]`, by multiplications: `tf.pow` takes much longer."""
    found = [tf.ones_like(x), x][: highest + 1]
    while len(found) <= highest:
        found.append(found[-1] * x)
    return found


def _like(number, x):
    return tf.constant(number, x.dtype)


def tan(x, order):
    """`w = 1 + y y`."""
    y = [tf.tan(x)]
    for k in range(order):
        y.append(_square(y, k) / (k + 1) if k else 1.0 + y[0] * y[0])
    return y


def asin(x, order):
    """`w = (1 - x x) ** (-1/2)`."""
    return _arc(tf.asin(x), [(1.0 - x) * (1.0 + x), -2.0 * x, -tf.ones_like(x)], -0.5, 1.0, order)


def acos(x, order):
    """`w = -(1 - x x) ** (-1/2)`."""
    return _arc(tf.acos(x), [(1.0 - x) * (1.0 + x), -2.0 * x, -tf.ones_like(x)], -0.5, -1.0, order)


def atan(x, order):
    """`w = 1 / (1 + x x)`."""
    return _arc(tf.atan(x), [1.0 + x * x, 2.0 * x, tf.ones_like(x)], -1.0, 1.0, order)


def asinh(x, order):
    """`w = (1 + x x) ** (-1/2)`."""
    return _arc(tf.asinh(x), [1.0 + x * x, 2.0 * x, tf.ones_like(x)], -0.5, 1.0, order)


def acosh(x, order):
    """`w = (x x - 1) ** (-1/2)`."""
    return _arc(tf.acosh(x), [(x - 1.0) * (x + 1.0), 2.0 * x, tf.ones_like(x)], -0.5, 1.0, order)


def atanh(x, order):
    """`w = 1 / (1 - x x)`."""
    return _arc(tf.atanh(x), [(1.0 - x) * (1.0 + x), -2.0 * x, -tf.ones_like(x)], -1.0, 1.0, order)


def _arc(first, base, exponent, sign, order):
    if order == 0:
        return [first]
    power = _power_series(base, exponent, sign * tf.pow(base[0], _like(exponent, first)), order - 1)
    return _integral(first, power, order)


def _gaussian(x, factor, order):
    """The series of `factor * exp(-x x)`: `k g_k = -2 (x g_(k-1) + g_(k-2))`."""
    g = [factor * tf.exp(-x * x)]
    for k in range(1, order + 1):
        g.append((-2.0 / k) * (x * g[k - 1] + g[k - 2] if k > 1 else x * g[k - 1]))
    return g


def erf(x, order):
    """`y' = 2 / sqrt(pi) exp(-x x)`."""
    return _erf(tf.math.erf(x), x, 2.0 / math.sqrt(math.pi), order)


def erfc(x, order):
    """`y' = -2 / sqrt(pi) exp(-x x)`."""
    return _erf(tf.math.erfc(x), x, -2.0 / math.sqrt(math.pi), order)


def _erf(first, x, factor, order):
    return _integral(first, _gaussian(x, factor, order - 1) if order else [], order)


def lgamma(x, order):
    """`y' = digamma`."""
    return _integral(tf.math.lgamma(x), digamma(x, order - 1) if order else [], order)


def digamma(x, order):
    """Polygamma functions."""
    return [tf.math.digamma(x), *polygamma(0)(x, order)[1:]]


def polygamma(first):
    """The tower of the polygamma function of order `first`."""

    def tower(x, order):
        orders = [tf.cast(first + k, x.dtype) for k in range(order + 1)]
        return [tf.math.polygamma(a, x) / math.factorial(k) for k, a in enumerate(orders)]

    return tower


# Functions of pieces -----------------------------------------------------------------------


def softsign(x, order):
    """`x / (1 + |x|)`: `y_k = (-sgn x)^(k-1) (1 + |x|)^(-k-1)`."""
    base = tf.math.reciprocal(1.0 + tf.abs(x))
    y = [tf.nn.softsign(x), base * base]
    while len(y) <= order:
        y.append(-tf.sign(x) * base * y[-1])
    return y[: order + 1]


def elu(x, order, scale=1.0, alpha=1.0, value=tf.nn.elu):
    """`x` for positive `x`, `exp(x) - 1` for others; with a scale, and one for the others alone."""
    positive, y = x > 0, [value(x)]
    below = exp(tf.minimum(x, 0.0), order)
    for k in range(1, order + 1):
        above = tf.fill(tf.shape(x), _like(scale, x)) if k == 1 else tf.zeros_like(x)
        y.append(tf.where(positive, above, scale * alpha * below[k]))
    return y


SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def selu(x, order):
    """As TensorFlow defines it (Klambauer et al., 2017)."""
    return elu(x, order, SELU_SCALE, SELU_ALPHA, tf.nn.selu)


def piecewise_linear(value, slope):
    """The tower of a function of straight pieces, from functions for its value and slope."""

    def tower(x, order):
        return [value(x), slope(x)][: order + 1] + [None] * (order - 1)

    return tower


def _indicator(condition, x):
    return tf.cast(condition, x.dtype)


relu = piecewise_linear(tf.nn.relu, lambda x: _indicator(x > 0, x))
relu6 = piecewise_linear(tf.nn.relu6, lambda x: _indicator((x > 0) & (x < 6), x))
absolute = piecewise_linear(tf.abs, tf.sign)


def leaky_relu(alpha):
    """The tower of the leaky ReLU."""
    return piecewise_linear(
        lambda x: tf.nn.leaky_relu(x, alpha),
        lambda x: tf.where(x > 0, tf.ones_like(x), _like(alpha, x)),
    )
