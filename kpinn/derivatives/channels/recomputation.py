"""Channels that are computed again for gradients, in place of being kept."""

import tensorflow as tf

from kpinn.derivatives.channels.compositions import compose
from kpinn.derivatives.channels.jets import Jet
from kpinn.derivatives.channels.powers import sources
from kpinn.derivatives.channels.product_rules import nilpotent_rule


def composed_again(jet, tower, k, after):
    """Channel `k` of `compose(jet, tower)` once more, once the tensor `after` is known."""
    first = tf.reshape(after, [-1])[:1]
    # Zero, which no compiler knows: it would take the channel from where it was computed first,
    # and keep it until then.
    zero = tf.stop_gradient(tf.reduce_sum(tf.minimum(first * first, 0)))
    channels = [None] * len(jet.channels)
    for i in _factors_of(jet.algebra, k):
        channels[i] = None if jet.channels[i] is None else jet.channels[i] + zero
    return compose(Jet(jet.algebra, (jet.value, *channels[1:])), tower, {k}).channels[k]


def _factors_of(algebra, k):
    """Channel `k` and all whose products are part of channel `k` of a power."""
    found, waiting = set(), [k]
    while waiting:
        k = waiting.pop()
        if k not in found:
            found.add(k)
            waiting.extend(sources(nilpotent_rule, algebra, [k]))
    return found
