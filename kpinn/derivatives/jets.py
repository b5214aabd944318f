"""Jets: the channels of an `Algebra`, and how they go through sums, products and functions.

A channel is a tensor of the rank of the value, `None` for one that is zero everywhere, or one with
size 1 along axes where the value is longer, if it is the same there: the derivative of a coordinate
is the same row for all points, and so are those of the first dense layer.
"""

import dataclasses
import functools
import operator
from collections.abc import Callable

import tensorflow as tf

from kpinn.derivatives.algebra import Algebra


@dataclasses.dataclass(frozen=True, eq=False)
class Jet:
    """A tensor and its derivatives.

    Attributes:
        algebra: the `Algebra` that says what the channels mean.
        channels: tuple of tensors or `None`; the first is the value.
        again: `(k, after) -> tensor`, which computes channel `k` of the derivatives again, once
            the tensor `after` is known; `None` where that is not possible.
    """

    algebra: Algebra
    channels: tuple
    again: Callable | None = None

    @property
    def value(self):
        """The tensor itself."""
        return self.channels[0]

    @property
    def shape(self):
        """Static shape of the value."""
        return self.value.shape

    @property
    def dtype(self):
        """The dtype."""
        return self.value.dtype

    def with_value(self, value):
        """The same derivatives with another first channel."""
        return Jet(self.algebra, (value, *self.channels[1:]))


def value_of(operand):
    """The value of a jet, or the tensor itself."""
    return operand.value if isinstance(operand, Jet) else operand


def channel_of(operand, k):
    """Channel `k` of a jet, or of a tensor, whose derivatives are zero."""
    if isinstance(operand, Jet):
        return operand.channels[k]
    return operand if k == 0 else None


def algebra_of(operands):
    """The algebra of the jets among the operands, `None` if there is no jet."""
    return next((o.algebra for o in operands if isinstance(o, Jet)), None)


def shared_axes(channel, value):
    """Axes along which a channel has size 1 and the value has not."""
    pairs = enumerate(zip(channel.shape, value.shape, strict=True))
    return {axis for axis, (part, whole) in pairs if part == 1 and whole != 1}


def full(jet):
    """The jet with all channels in the shape of the value; `None` stays `None`."""
    if not isinstance(jet, Jet):
        return jet
    return Jet(jet.algebra, tuple(None if c is None else _full(c, jet.value) for c in jet.channels))


def zeros_like(value):
    """Zeros; for a new list of tensors, which is empty and XLA has no zeros of, the list itself."""
    if value.dtype == tf.variant and not tf.executing_eagerly() and value.op.type in _NEW_LISTS:
        return value
    return tf.zeros_like(value)


_NEW_LISTS = ("EmptyTensorList", "TensorListReserve")


def dense(jet):
    """The jet with a tensor in the shape of the value for every channel."""
    zero = zeros_like(jet.value)
    return Jet(jet.algebra, tuple(zero if c is None else c for c in full(jet).channels))


def _full(channel, value):
    return tf.broadcast_to(channel, tf.shape(value)) if shared_axes(channel, value) else channel


def aligned(operands):
    """The operands with the rank of the longest, so that channels broadcast as values do."""
    rank = max(value_of(operand).shape.rank for operand in operands)
    return [_with_rank(operand, rank) for operand in operands]


def _with_rank(operand, rank):
    missing = rank - value_of(operand).shape.rank
    # A number broadcasts as it is. Widened, TensorFlow's optimizer of graphs would push it into a
    # BiasAdd before it, as `BiasAdd([[3.0]], bias)`, which fails.
    if not missing or value_of(operand).shape.rank == 0 and not isinstance(operand, Jet):
        return operand

    def widen(tensor):
        return tensor[(tf.newaxis,) * missing + (...,)]

    return linear(widen, operand) if isinstance(operand, Jet) else widen(operand)


# Arithmetic --------------------------------------------------------------------------------


def linear(function, jet):
    """A linear function of one tensor, channel by channel."""
    return Jet(jet.algebra, tuple(None if c is None else function(c) for c in jet.channels))


def add(a, b, combine=tf.add):
    """`a + b`, or `a - b` with `combine=tf.subtract`."""
    algebra = algebra_of((a, b))
    a, b = aligned((a, b))
    pairs = [(channel_of(a, k), channel_of(b, k)) for k in range(len(algebra))]
    return Jet(algebra, tuple(add_channels(x, y, combine) for x, y in pairs))


def add_channels(a, b, combine):
    """`combine(a, b)` of two channels, addition or subtraction; `None` is zero."""
    if b is None:
        return a
    if a is None:
        return -b if combine is tf.subtract else b
    return combine(a, b)


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
    rules = [_rule(a.algebra, k) for k in range(len(a.algebra))]
    parts = a.channels, b.channels, a.algebra.factors, product
    return Jet(a.algebra, tuple(sum_of_rule(rule, *parts) for rule in rules))


def _rule(algebra, k):
    """The product rule of channel `k`: pairs of a factor and all `(i, j, constant)`."""
    if k == 0:
        return [(None, [(0, 0, 1)])]
    return [(None, [(0, k, 1), (k, 0, 1)]), *nilpotent_rule(algebra, k)]


def nilpotent_rule(algebra, k):
    """The part of it for nilpotent jets."""
    return [(factor, _both_orders(rows)) for factor, rows in algebra.products[k]]


def _both_orders(rows):
    found = []
    for i, j, constant in rows:
        found += [(i, j, constant)] if i == j else [(i, j, constant), (j, i, constant)]
    return found


def _square_rule(algebra, k):
    """The product rule for a nilpotent jet and itself, each product once."""
    return [
        (factor, [(i, j, c if i == j else 2 * c) for i, j, c in rows])
        for factor, rows in algebra.products[k]
    ]


def sum_of_rule(rule, a, b, factors, product=tf.multiply):
    """The sum of `factor * constant * a_i b_j`, `None` if it is zero."""
    return _sum(
        times(factors.get(factor), _sum_of_products(rows, a, b, product)) for factor, rows in rule
    )


def _sum_of_products(rows, a, b, product=tf.multiply):
    """The sum of `constant * a_i b_j`, `None` if it is zero."""
    return _sum(
        _scaled(constant, product(a[i], b[j]))
        for i, j, constant in rows
        if a[i] is not None and b[j] is not None
    )


def _scaled(constant, term):
    return term if constant == 1 else float(constant) * term


def times(factor, term):
    """A term times a factor of an algebra: a scalar, `(n, 1)`, or `None` for one."""
    if factor is None or term is None:
        return term
    if factor.shape.rank:
        factor = tf.reshape(factor, [-1] + [1] * (term.shape.rank - 1))
    return tf.cast(factor, term.dtype) * term


def _sum(terms):
    terms = [term for term in terms if term is not None]
    return functools.reduce(operator.add, terms) if terms else None


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
        outputs = _taylor_sums(jet, tower(jet.value, algebra.order), needed)
        found[:] = [k for k, c in enumerate(outputs) if c is not None]

        def gradient(*upstream):
            pairs = zip(found, upstream, strict=True)
            upstream = {k: _with_shape(u, outputs[k].shape) for k, u in pairs}
            coefficients = tower(jet.value, algebra.order + 1)
            parts = _transposed_product(inner, _taylor_sums(jet, _derived(coefficients)), upstream)
            gradients = [_reduced(parts[k], c) for k, c in zip(given, channels, strict=True)]
            slopes = _factor_slopes(jet, coefficients, upstream)
            return gradients + [_summed(slopes.get(name), f) for name, f in factors.items()]

        return [outputs[k] for k in found], gradient

    tensors = [*(jet.channels[k] for k in given), *(algebra.factors[f] for f in algebra.scaling)]
    outputs = _from_parts(algebra, found, function(*tensors))
    return dataclasses.replace(outputs, again=functools.partial(_composed_again, jet, tower))


def _composed_again(jet, tower, k, after):
    """Channel `k` of `compose(jet, tower)` from the derivatives of the jet, after a tensor."""
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
            waiting.extend(_sources(nilpotent_rule, algebra, [k]))
    return found


def compose_with_variables(jet, tower):
    """`compose` for a tower that depends on other tensors, whose gradients it keeps."""
    return Jet(jet.algebra, tuple(_taylor_sums(jet, tower(jet.value, jet.algebra.order))))


def _uses(needed, k):
    return k == 0 or needed is None or k in needed


def _from_parts(algebra, positions, tensors):
    channels = [None] * len(algebra)
    for k, tensor in zip(positions, tensors, strict=True):
        channels[k] = tensor
    return Jet(algebra, tuple(channels))


def _taylor_sums(jet, coefficients, needed=None):
    """The channels of the sum of `coefficient * n^m`, `None` for those that are not needed."""
    value, *coefficients = coefficients
    sums = [[] for _ in jet.channels]
    found = powers(jet, len(coefficients), needed)
    for coefficient, power in zip(coefficients, found, strict=True):
        for k, channel in enumerate(power):
            if channel is not None and coefficient is not None and _uses(needed, k):
                sums[k].append(coefficient * channel)
    return [value, *(_sum(terms) for terms in sums[1:])]


def _derived(tower):
    """The Taylor coefficients of `f'` from those of `f`."""
    return [None if c is None else m * c for m, c in enumerate(tower[1:], start=1)]


def _transposed_product(algebra, factor, upstream):
    """For the product of a jet with `factor`, the gradient with respect to each channel."""
    terms = [[] for _ in factor]
    for k, gradient in upstream.items():
        for name, rows in _rule(algebra, k):
            scaled = times(algebra.factors.get(name), gradient)
            for i, j, constant in rows:
                if factor[i] is not None:
                    terms[j].append(_scaled(constant, factor[i] * scaled))
    return [_sum(parts) for parts in terms]


def _factor_slopes(jet, coefficients, upstream):
    """For each factor the gradient at each entry, of a function with Taylor coefficients."""
    algebra, terms = jet.algebra, {}
    if not algebra.scaling:
        return {}
    first, *others = powers(jet, algebra.order - 1)
    for k, gradient in upstream.items():
        for m, power in enumerate([first, *others], start=2):
            rule = _square_rule if m == 2 else nilpotent_rule
            for name, rows in rule(algebra, k):
                part = _sum_of_products(rows, first, power) if name is not None else None
                if part is not None and coefficients[m] is not None:
                    terms.setdefault(name, []).append(gradient * coefficients[m] * part)
    return {name: _sum(parts) for name, parts in terms.items()}


def _summed(slope, factor):
    """The gradient of a factor from that at each entry."""
    if slope is None:
        return tf.zeros_like(factor)
    slope = tf.cast(slope, factor.dtype)
    if not factor.shape.rank:
        return tf.reduce_sum(slope)
    return tf.reshape(tf.reduce_sum(slope, list(range(1, slope.shape.rank))), tf.shape(factor))


def _with_shape(gradient, shape):
    """A gradient with its shape, without which some of TensorFlow come."""
    return tf.ensure_shape(gradient, shape) if gradient.shape.rank is None else gradient


def _reduced(gradient, tensor):
    """A gradient summed over the axes along which the tensor was broadcast."""
    if gradient is None:
        return tf.zeros_like(tensor)
    axes = sorted(shared_axes(tensor, gradient))
    return tf.reduce_sum(gradient, axes, keepdims=True) if axes else gradient


def powers(jet, highest, needed=None):
    """The powers `n, n^2, ..., n^highest` of the nilpotent part: lists of channels.

    Channels that those of `needed` do not depend on are `None`.
    """
    algebra, first = jet.algebra, [None, *jet.channels[1:]]
    rules = [_square_rule if m == 2 else nilpotent_rule for m in range(2, highest + 1)]
    wanted = [needed]
    for rule in rules[:0:-1]:
        wanted.append(None if needed is None else needed | _sources(rule, algebra, wanted[-1]))
    found = [first][:highest]
    for rule, used in zip(rules, reversed(wanted), strict=False):
        parts = first, found[-1], algebra.factors
        sums = [
            sum_of_rule(rule(algebra, k), *parts) if _uses(used, k) else None
            for k in range(1, len(algebra))
        ]
        found.append([None, *sums])
    return found


def _sources(rule, algebra, channels):
    """The channels of the second operand of products whose `channels` are wanted."""
    rules = (rule(algebra, k) for k in channels)
    return {j for each in rules for _, rows in each for _, j, _ in rows}
