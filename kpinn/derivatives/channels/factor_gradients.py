"""Gradients of functions of each element with respect to the factors of an algebra."""

import tensorflow as tf

from kpinn.derivatives.channels.powers import powers
from kpinn.derivatives.channels.product_rules import (
    nilpotent_rule,
    square_rule,
    sum_of_products,
    total_of,
)


def factor_gradients(jet, coefficients, upstream, factors):
    """The gradients of factors in a function with Taylor coefficients.

    Args:
        jet: the argument of the function.
        coefficients: list of its Taylor coefficients.
        upstream: dict from channel to the gradient with respect to it.
        factors: dict from name to factor.

    Returns:
        A list of tensors.
    """
    slopes = _slopes(jet, coefficients, upstream)
    return [_summed(slopes.get(name), factor) for name, factor in factors.items()]


def _slopes(jet, coefficients, upstream):
    """For each factor the gradient at each entry, of a function with Taylor coefficients."""
    algebra, terms = jet.algebra, {}
    first, *others = powers(jet, algebra.order - 1)
    for k, gradient in upstream.items():
        for m, power in enumerate([first, *others], start=2):
            rule = square_rule if m == 2 else nilpotent_rule
            for name, rows in rule(algebra, k):
                part = sum_of_products(rows, first, power) if name is not None else None
                if part is not None and coefficients[m] is not None:
                    terms.setdefault(name, []).append(gradient * coefficients[m] * part)
    return {name: total_of(parts) for name, parts in terms.items()}


def _summed(slope, factor):
    """The gradient of a factor from that at each entry."""
    if slope is None:
        return tf.zeros_like(factor)
    slope = tf.cast(slope, factor.dtype)
    if not factor.shape.rank:
        return tf.reduce_sum(slope)
    return tf.reshape(tf.reduce_sum(slope, list(range(1, slope.shape.rank))), tf.shape(factor))
