"""The product rule of each channel of an algebra, and products of jets."""

import functools
import operator

import tensorflow as tf

from kpinn.derivatives.channels.jets import Jet, linear


def multiply(a, b, product=tf.multiply):
    """A product of two operands, of which one at least is a jet.

    Args:
        a: jet or tensor.
        b: jet or tensor.
        product: any function that is linear in each of two tensors.
    """
    if not isinstance(a, Jet):
        return linear(lambda channel: product(a, channel), b)
    if not isinstance(b, Jet):
        return linear(lambda channel: product(channel, b), a)
    rules = [product_rule(a.algebra, k) for k in range(len(a.algebra))]
    parts = a.channels, b.channels, a.algebra.factors, product
    return Jet(a.algebra, tuple(sum_of_rule(rule, *parts) for rule in rules))


def product_rule(algebra, k):
    """The product rule of channel `k`: pairs of a factor and all `(i, j, constant)`."""
    if k == 0:
        return [(None, [(0, 0, 1)])]
    return [(None, [(0, k, 1), (k, 0, 1)]), *nilpotent_rule(algebra, k)]


def nilpotent_rule(algebra, k):
    """The part of it for nilpotent jets."""
    return [(factor, _both_orders(rows)) for factor, rows in algebra.products[k]]


def square_rule(algebra, k):
    """The product rule for a nilpotent jet and itself, each product once."""
    return [
        (factor, [(i, j, c if i == j else 2 * c) for i, j, c in rows])
        for factor, rows in algebra.products[k]
    ]


def _both_orders(rows):
    found = []
    for i, j, constant in rows:
        found += [(i, j, constant)] if i == j else [(i, j, constant), (j, i, constant)]
    return found


def sum_of_rule(rule, a, b, factors, product=tf.multiply):
    """The sum of `factor * constant * a_i b_j`, `None` if it is zero."""
    return total_of(
        times(factors.get(factor), sum_of_products(rows, a, b, product)) for factor, rows in rule
    )


def sum_of_products(rows, a, b, product=tf.multiply):
    """The sum of `constant * a_i b_j`, `None` if it is zero."""
    return total_of(
        scaled(constant, product(a[i], b[j]))
        for i, j, constant in rows
        if a[i] is not None and b[j] is not None
    )


def scaled(constant, term):
    """A term times an exact number."""
    return term if constant == 1 else float(constant) * term


def times(factor, term):
    """A term times a factor of an algebra: a scalar, `(n, 1)`, or `None` for one."""
    if factor is None or term is None:
        return term
    if factor.shape.rank:
        factor = tf.reshape(factor, [-1] + [1] * (term.shape.rank - 1))
    return tf.cast(factor, term.dtype) * term


def total_of(terms):
    """The sum of terms, `None` if all are."""
    terms = [term for term in terms if term is not None]
    return functools.reduce(operator.add, terms) if terms else None
