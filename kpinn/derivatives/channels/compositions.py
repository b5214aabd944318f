"""Functions of each element of a jet."""

import dataclasses

import tensorflow as tf

from kpinn.derivatives.channels.factor_gradients import factor_gradients
from kpinn.derivatives.channels.jets import Jet, shared_axes
from kpinn.derivatives.channels.powers import taylor_sums
from kpinn.derivatives.channels.product_rules import product_rule, scaled, times, total_of


def compose(jet, tower, needed=None):
    """A function of each element.

    With the nilpotent part `n` of the jet, `f(z + n)` is the sum of `f^(m)(z) / m! n^m`. Its
    gradient is the product with the jet of `f'`, transposed, so that only `z` has to be kept.

    Args:
        jet: the argument.
        tower: `(z, order) -> [f(z), f'(z), f''(z) / 2!, ...]`, with `None` for what is zero
            everywhere. It must not depend on other variables.
        needed: the channels that are used, for which the others are left out.
    """
    algebra = jet.algebra
    given = [k for k, channel in enumerate(jet.channels) if channel is not None]
    found = []

    @tf.custom_gradient
    def function(*tensors):
        channels, factors = tensors[: len(given)], tensors[len(given) :]
        factors = dict(zip(algebra.scaling, factors, strict=True))
        inner = algebra.with_factors(algebra.factors | factors)
        jet = _from_parts(inner, given, channels)
        outputs = taylor_sums(jet, tower(jet.value, algebra.order), needed)
        found[:] = [k for k, c in enumerate(outputs) if c is not None]

        def gradient(*upstream):
            pairs = zip(found, upstream, strict=True)
            upstream = {k: _with_shape(u, outputs[k].shape) for k, u in pairs}
            coefficients = tower(jet.value, algebra.order + 1)
            parts = _transposed_product(inner, taylor_sums(jet, _derived(coefficients)), upstream)
            gradients = [_reduced(parts[k], c) for k, c in zip(given, channels, strict=True)]
            if factors:
                gradients += factor_gradients(jet, coefficients, upstream, factors)
            return gradients

        return [outputs[k] for k in found], gradient

    tensors = [*(jet.channels[k] for k in given), *(algebra.factors[f] for f in algebra.scaling)]
    outputs = _from_parts(algebra, found, function(*tensors))
    return dataclasses.replace(outputs, origin=(jet, tower))


def compose_with_variables(jet, tower):
    """`compose` for a tower that depends on other tensors, whose gradients it keeps."""
    return Jet(jet.algebra, tuple(taylor_sums(jet, tower(jet.value, jet.algebra.order))))


def _from_parts(algebra, positions, tensors):
    channels = [None] * len(algebra)
    for k, tensor in zip(positions, tensors, strict=True):
        channels[k] = tensor
    return Jet(algebra, tuple(channels))


def _derived(tower):
    """The Taylor coefficients of `f'` from those of `f`."""
    return [None if c is None else m * c for m, c in enumerate(tower[1:], start=1)]


def _transposed_product(algebra, factor, upstream):
    """For the product of a jet with `factor`, the gradient with respect to each channel."""
    terms = [[] for _ in factor]
    for k, gradient in upstream.items():
        for name, rows in product_rule(algebra, k):
            weighted = times(algebra.factors.get(name), gradient)
            for i, j, constant in rows:
                if factor[i] is not None:
                    terms[j].append(scaled(constant, factor[i] * weighted))
    return [total_of(parts) for parts in terms]


def _with_shape(gradient, shape):
    """A gradient with its shape, without which some of TensorFlow come."""
    return tf.ensure_shape(gradient, shape) if gradient.shape.rank is None else gradient


def _reduced(gradient, tensor):
    """A gradient summed over the axes along which the tensor was broadcast."""
    if gradient is None:
        return tf.zeros_like(tensor)
    axes = sorted(shared_axes(tensor, gradient))
    return tf.reduce_sum(gradient, axes, keepdims=True) if axes else gradient
