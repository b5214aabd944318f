"""Derivatives of fractional order in time: of Caputo, and of Riemann and Liouville."""

import numpy as np
import scipy  # not scipy.special, which is slow to load, and loads when it is first named
import tensorflow as tf
from keras import ops

from kpinn.options import number, positive_whole

ORDER = "(0, 1)"


def caputo(function, t, order, nodes=20, start=0.0):
    """Caputo's derivative of an order between 0 and 1, by Gauss and Jacobi's rule.

    `1 / gamma(1 - order)` times the integral of `u'(s) (t - s)^(-order)` from the start to `t`,
    with the singular factor in the weights: to rounding with few nodes where `u'` is smooth. Where
    it is not, at the start for most equations of this kind, take `caputo_l1`.

    Args:
        function: from times `(n, q)` to `u'` at these, `(n, q)`.
        t: `(n, 1)`, not before the start.
        order: a number.
        nodes: number of nodes `q`.
        start: a number.

    Returns:
        Tensor `(n, 1)`.

    Raises:
        ValueError: for an order that is not between 0 and 1, or less than one node.

    Example:

        def equation(t, u_xx, at):
            return caputo(lambda s: at("u_t", t=s), t, 0.5) - u_xx
    """
    order = number("order", order, ORDER)
    count, start = positive_whole("nodes", nodes), number("start", start)
    places, weights = scipy.special.roots_jacobi(count, -order, 0.0)  # (1 - y)^(-order) on (-1, 1)
    length = (t - start) / 2.0
    slopes = function(start + length * (1.0 + places[None]))
    total = ops.sum(weights[None] * slopes, axis=1, keepdims=True)
    return length ** (1.0 - order) * total / scipy.special.gamma(1.0 - order)


def caputo_l1(function, t, order, steps=100, start=0.0):
    """Caputo's derivative of an order between 0 and 1, by the L1 scheme.

    The derivative of the line through values at equal steps: its error is of the order
    `2 - order` in the step where `u''` is bounded.

    Args:
        function: from times `(n, steps + 1)` to `u` at these, in the same shape.
        t: `(n, 1)`, after the start.
        order: a number, or a scalar tensor, such as an unknown.
        steps: number of equal steps from the start to `t`.
        start: a number.

    Returns:
        Tensor `(n, 1)`.

    Raises:
        ValueError: for an order that is not between 0 and 1, or less than one step.

    Example:

        def equation(t, u_xx, order, at):  # the order is an unknown
            return caputo_l1(lambda s: at("u", t=s), t, order) - u_xx

    References:
        Z. Sun and X. Wu, A fully discrete difference scheme for a diffusion-wave system, Applied
        Numerical Mathematics 56 (2006), 193-209.
    """
    order, k, step, values = _steps(function, t, order, steps, start)
    factors = (k[1:] ** (1.0 - order) - k[:-1] ** (1.0 - order))[None]
    total = ops.sum(factors * (values[:, :-1] - values[:, 1:]), axis=1, keepdims=True)
    return total * step ** (-order) / ops.exp(tf.math.lgamma(2.0 - order))


def gruenwald_letnikov(function, t, order, steps=100, start=0.0):
    """Riemann and Liouville's derivative of an order between 0 and 1, by differences.

    That of Caputo, plus `u(start) (t - start)^(-order) / gamma(1 - order)`. The error is of first
    order in the step where `u(start)` is zero.

    Args:
        function, t, order, steps, start: as of `caputo_l1`.

    Returns:
        Tensor `(n, 1)`.

    Raises:
        ValueError: as `caputo_l1`.

    Example:

        def equation(t, u_xx, at):
            return gruenwald_letnikov(lambda s: at("u", t=s), t, 0.5) - u_xx

    References:
        I. Podlubny, Fractional Differential Equations (1999), section 7.4.
    """
    order, k, step, values = _steps(function, t, order, steps, start)
    factors = ops.concatenate([ops.ones_like(k[:1]), ops.cumprod(1.0 - (order + 1.0) / k[1:])])
    return ops.sum(factors[None] * values, axis=1, keepdims=True) * step ** (-order)


def _steps(function, t, order, steps, start):
    """The order as a tensor, numbers `(q,)` of steps back from `t`, the step, values at them."""
    count, start = positive_whole("steps", steps), number("start", start)
    t = tf.convert_to_tensor(t)
    if tf.is_tensor(order):
        order = tf.cast(order, t.dtype)
    else:
        order = tf.constant(number("order", order, ORDER), t.dtype)  # not by way of float32
    k = tf.constant(np.arange(count + 1.0), t.dtype)
    step = (t - start) / count
    return order, k, step, function(t - step * k[None])
