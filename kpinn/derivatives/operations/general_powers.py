"""Rules of `x ** y`.

With nilpotent parts `n` and `m`, `(x + n) ** (y + m)` is the sum of `binomial(y + m, k) n^k` times
`x ** (y - k) exp(m log x)`. Where `x` is zero the logarithm counts as zero, as in TensorFlow's
gradient: there a power times it is zero, or has no derivative. Where `x` is negative there is no
logarithm, and no derivative with respect to `y`; whole powers have one with respect to `x`.
"""

import math

import tensorflow as tf

from kpinn.derivatives.channels.compositions import compose, compose_with_variables
from kpinn.derivatives.channels.full_channels import full
from kpinn.derivatives.channels.jets import Jet, add, value_of
from kpinn.derivatives.channels.powers import powers
from kpinn.derivatives.channels.product_rules import nilpotent_rule, sum_of_rule, total_of
from kpinn.derivatives.operations import taylor_series
from kpinn.derivatives.operations.rules import static_input
from kpinn.derivatives.operations.table import BROADCASTING, register


def _is_whole(operation, moving):
    """Whether the exponent is the same whole number for all, from two on."""
    exponent = tf.get_static_value(operation.inputs[1])
    if moving != [0] or exponent is None or exponent.size != 1:
        return False
    number = float(exponent.reshape(()))
    return number >= 2 and number == round(number)


@register("Pow", by_tapes=_is_whole, **BROADCASTING)
def _power(call, x, y):
    exponent = static_input(call, 1)  # not the value of `y`, which may be that of a variable
    if exponent is not None and exponent.size == 1:
        number = float(exponent.reshape(()))
        return [compose(_broadcast(x, y), taylor_series.power(number))]
    if not isinstance(y, Jet):
        return [compose_with_variables(_broadcast(x, y), _powers_of(y))]
    return [_of_both(full(x), full(y), call.emit_values(x, y)[0])]


def _broadcast(jet, other):
    """The jet in a shape that holds the other operand too."""
    rank = other.shape.rank
    if rank in (None, 0) or other.shape == jet.shape:
        return jet
    return add(jet, tf.zeros_like(other))


def _powers_of(exponents):
    """The tower of `x ** r` for a tensor `r`: binomial coefficients times powers."""

    def tower(x, order):
        factors = [part[0] for part in _binomials(exponents, order)]
        return [_times_power(factor, x, exponents - k) for k, factor in enumerate(factors)]

    return tower


def _binomials(y, order):
    """For each `k` up to an order, the Taylor coefficients of `binomial(y + m, k)` in `m`."""
    found = [[tf.ones_like(y)]]
    for k in range(order):
        last, shifted = [*found[-1], tf.zeros_like(y)], y - k
        terms = [shifted * last[0]]
        terms += [shifted * last[i] + last[i - 1] for i in range(1, len(last))]
        found.append([term / (k + 1) for term in terms])
    return found


def _times_power(factor, x, exponent):
    """`factor * x ** exponent`: no NaN at zero where it is zero, or the power is one."""
    plain = tf.equal(x, 0) & (tf.equal(factor, 0) | tf.equal(exponent, 0))
    return factor * tf.pow(tf.where(plain, tf.ones_like(x), x), exponent)


def _of_both(x, y, value):
    """`x ** y` for a jet `y`."""
    algebra, base = y.algebra, value_of(x)
    logarithm = tf.math.log(tf.where(tf.equal(base, 0), tf.ones_like(base), base))
    logarithms = [logarithm**i / math.factorial(i) for i in range(algebra.order + 1)]
    binomials = _binomials(value_of(y), algebra.order)
    of_x = _powers(x, algebra) if isinstance(x, Jet) else [None]
    of_y, sums = _powers(y, algebra), [[] for _ in range(len(algebra))]
    for k, first in enumerate(of_x):
        for i, second in enumerate(of_y[: algebra.order + 1 - k]):
            if k + i:
                parts = zip(binomials[k], reversed(logarithms[: i + 1]), strict=False)
                factor = total_of(part * log for part, log in parts)
                coefficient = _times_power(factor, base, value_of(y) - k)
                for channel, product in enumerate(_product(first, second, algebra)):
                    if product is not None:  # what does not move counts for nothing
                        sums[channel].append(tf.math.multiply_no_nan(coefficient, product))
    return Jet(algebra, (value, *map(total_of, sums[1:])))


def _powers(jet, algebra):
    """The powers of the nilpotent part from the zeroth on, which is `None`."""
    return [None, *powers(jet, algebra.order)]


def _product(first, second, algebra):
    """The channels of a product of two powers, of which `None` is one."""
    if first is None or second is None:
        return first if second is None else second
    rules = [nilpotent_rule(algebra, channel) for channel in range(1, len(algebra))]
    return [None, *(sum_of_rule(rule, first, second, algebra.factors) for rule in rules)]
