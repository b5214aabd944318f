"""Rules of sums, and of operations that choose elements or take one after the other."""

import itertools

import tensorflow as tf

from kpinn.derivatives.channels.compositions import compose
from kpinn.derivatives.channels.full_channels import full
from kpinn.derivatives.channels.jets import Jet, add, algebra_of, aligned, channel_of, value_of
from kpinn.derivatives.channels.jets import linear as each_channel
from kpinn.derivatives.channels.product_rules import multiply
from kpinn.derivatives.errors import UnsupportedError, describe
from kpinn.derivatives.operations import choices, taylor_series
from kpinn.derivatives.operations.labels import by_sample, combine, given_by, of_first_input
from kpinn.derivatives.operations.rules import of_first, static_input
from kpinn.derivatives.operations.table import BROADCASTING, register


@register("AddV2", "Add", is_linear=True, by_tapes=True, **BROADCASTING)
def _add(call, a, b):
    return [add(a, b)]


@register("Sub", is_linear=True, by_tapes=True, **BROADCASTING)
def _subtract(call, a, b):
    return [add(a, b, tf.subtract)]


_BIAS = {"labels": of_first_input, "is_linear": True, "meets": "bias", "by_tapes": of_first}


@register("BiasAdd", "BiasAddV1", **_BIAS)
def _bias_add(call, x, bias):
    if isinstance(bias, Jet):
        raise UnsupportedError(f"the bias of {describe(call.operation)} is not one of weights")
    return [x.with_value(call.emit(x.value, bias)[0])]


def choose(condition, a, b):
    """`tf.where(condition, a, b)` of two operands."""
    algebra = algebra_of((a, b))
    condition, a, b = aligned((condition, a, b))
    zero = tf.zeros([], (a if isinstance(a, Jet) else b).dtype)
    channels = []
    for k in range(len(algebra)):
        parts = channel_of(a, k), channel_of(b, k)
        if parts == (None, None):
            channels.append(None)
        else:
            channels.append(tf.where(condition, *(zero if c is None else c for c in parts)))
    return Jet(algebra, tuple(channels))


@register("SelectV2", is_linear=True, **BROADCASTING)
def _select(call, condition, a, b):
    return [choose(condition, a, b)]


def _labels_of_rows(operation, labels):
    """The condition may have one entry for each row."""
    rank = operation.outputs[0].shape.rank
    return [
        combine(
            [each.reshape([*each.shape, *[1] * (rank - each.ndim)]) for each in labels.values()]
        )
    ]


@register("Select", labels=_labels_of_rows, is_linear=True)
def _select_rows(call, condition, a, b):
    missing = value_of(a).shape.rank - condition.shape.rank
    return [choose(tf.reshape(condition, [-1] + [1] * missing) if missing else condition, a, b)]


_LARGER = {"has_kinks": True, "choice": choices.larger, **BROADCASTING}


@register("Maximum", **_LARGER)
def _maximum(call, a, b):
    return [_extreme(a, b, tf.greater)]


@register("Minimum", **_LARGER)
def _minimum(call, a, b):
    return [_extreme(a, b, tf.less)]


def _extreme(a, b, beats):
    """At a tie the mean of both, so that `max(a, b) + min(a, b) = a + b` holds there too."""
    first, second = beats(value_of(a), value_of(b)), beats(value_of(b), value_of(a))
    mean = each_channel(lambda channel: 0.5 * channel, add(a, b))
    return choose(first, a, choose(second, b, mean))


@register("ClipByValue", along=(), has_kinks=True, choice=choices.within)
def _clip(call, x, low, high):
    return [_extreme(_extreme(x, high, tf.less), low, tf.greater)]


@register("Max", along=given_by(1), is_linear=True, has_kinks=True, choice=choices.largest)
@register("Min", along=given_by(1), is_linear=True, has_kinks=True, choice=choices.smallest)
def _extremum(call, x, axes):
    """The mean over the elements that are largest, as TensorFlow's gradient has it."""
    x, (value,) = full(x), call.emit_values(x, axes)
    keep = call.attribute("keep_dims")
    reduce = tf.reduce_max if call.operation.type == "Max" else tf.reduce_min
    chosen = tf.cast(x.value == reduce(x.value, axes, keepdims=True), x.dtype)
    weights = tf.stop_gradient(chosen / tf.reduce_sum(chosen, axes, keepdims=True))
    picked = each_channel(lambda c: tf.reduce_sum(weights * c, axes, keepdims=keep), x)
    return [picked.with_value(value)]


@register("EuclideanNorm", along=given_by(1))
def _norm(call, x, axes):
    how = {"axis": axes, "keepdims": call.attribute("keep_dims")}
    squares = compose(full(x), taylor_series.square)
    total = each_channel(lambda c: tf.reduce_sum(c, **how), squares)
    return [compose(total, taylor_series.sqrt).with_value(call.emit_values(x, axes)[0])]


@register("Prod", along=given_by(1))
def _product(call, x, axes):
    """Along axes of known sizes."""
    found = static_input(call, 1)
    rank = x.shape.rank
    if found is None or rank is None or any(x.shape[int(a)] is None for a in found.reshape(-1)):
        raise UnsupportedError(f"{describe(call.operation)} is over an axis of unknown size")
    value, x = call.emit_values(x, axes)[0], full(x)
    for axis in sorted({int(a) % rank for a in found.reshape(-1)}, reverse=True):
        if not x.shape[axis]:
            return [value]
        x = _product_along(x, axis)
        if not call.attribute("keep_dims"):
            x = each_channel(lambda c, axis=axis: tf.squeeze(c, axis), x)
    return [x.with_value(value)]


def _product_along(x, axis):
    """Halves times halves: as many products as the logarithm of the number of factors."""
    while (count := x.shape[axis]) > 1:
        half = count // 2
        first, second, rest = _split(x, [half, half, count % 2], axis)
        product = multiply(first, second)
        x = _joined([product, rest], axis) if count % 2 else product
    return x


@register("Cumprod", along=given_by(1))
def _cumulative_product(call, x, axis):
    return [_accumulated(call, x, axis, multiply)]


@register("CumulativeLogsumexp", along=given_by(1))
def _cumulative_logsumexp(call, x, axis):
    """`log(exp(a) + exp(b)) = a + softplus(b - a)`."""

    def combine(a, b):
        return add(a, compose(add(b, a, tf.subtract), taylor_series.softplus))

    return [_accumulated(call, x, axis, combine)]


def _accumulated(call, x, axis, combine):
    """All slices up to each, along an axis of known size, in logarithmically many steps.

    After each step an entry holds twice as many slices, itself and those before it (Hillis and
    Steele, "Data parallel algorithms", Communications of the ACM 29, 1986).
    """
    (value,), found, rank = call.emit_values(x, axis), static_input(call, 1), x.shape.rank
    if found is None or x.shape[int(found)] is None:
        raise UnsupportedError(f"{describe(call.operation)} is over an axis of unknown size")
    axis, x = int(found) % rank, full(x)
    count = x.shape[axis]
    x = _reversed(x, axis) if call.attribute("reverse") else x
    reach = 1
    while reach < count:
        before, _ = _split(x, [count - reach, reach], axis)
        start, after = _split(x, [reach, count - reach], axis)
        x, reach = _joined([start, combine(before, after)], axis), 2 * reach
    if call.attribute("exclusive") and count:
        start, (before, _) = _split(x, [1, count - 1], axis)[0], _split(x, [count - 1, 1], axis)
        x = _joined([each_channel(tf.zeros_like, start), before], axis)
    x = _reversed(x, axis) if call.attribute("reverse") else x
    return x.with_value(value)


def _reversed(x, axis):
    return each_channel(lambda channel: tf.reverse(channel, [axis]), x)


def _split(x, sizes, axis):
    """A jet in parts along an axis."""
    parts = [None if c is None else tf.split(c, sizes, axis) for c in x.channels]
    return [
        Jet(x.algebra, tuple(part if part is None else part[i] for part in parts))
        for i in range(len(sizes))
    ]


def _joined(jets, axis):
    """Jets side by side along an axis."""
    channels = []
    for parts in zip(*(jet.channels for jet in jets), strict=True):
        pairs = zip(jets, parts, strict=True)
        filled = [tf.zeros_like(jet.value) if part is None else part for jet, part in pairs]
        none = all(part is None for part in parts)
        channels.append(None if none else tf.concat(filled, axis))
    return Jet(jets[0].algebra, tuple(channels))


@register("TopKV2", along=-1, is_linear=True, has_kinks=True)
def _top(call, x, count):
    x, (value, indices) = full(x), call.emit_values(x, count)
    batch = x.value.shape.rank - 1
    picked = each_channel(lambda c: tf.gather(c, indices, axis=-1, batch_dims=batch), x)
    return [picked.with_value(value), indices]


@register("MaxPool", "MaxPool3D", along=by_sample(0), is_linear=True, has_kinks=True)
def _max_pool(call, x):
    """The first of the largest elements of a window, found among strided slices of all windows.

    TensorFlow's own operation for that, the gradient of the gradient, lacks a kernel in float64
    under XLA.
    """
    x, (value,) = full(x), call.emit_values(x)
    taken, chosen = tf.zeros(tf.shape(value), tf.bool), []
    for part in _offsets(call, x.value, tf.shape(value), x.dtype.min):
        chosen.append(tf.equal(part, value) & ~taken)
        taken |= chosen[-1]

    def pick(channel):
        parts = _offsets(call, channel, tf.shape(value), 0.0)
        return tf.add_n(
            [tf.where(c, p, tf.zeros_like(p)) for c, p in zip(chosen, parts, strict=True)]
        )

    return [each_channel(pick, x).with_value(value)]


def _offsets(call, x, shape, filling):
    """For each offset in a window the elements there, of the shape of the output."""
    sizes, strides = call.attribute("ksize"), call.attribute("strides")
    padded = tf.pad(x, _paddings(call, tf.shape(x), shape), constant_values=filling)
    for offset in itertools.product(*map(range, sizes)):
        ends = [
            o + (shape[i] - 1) * s + 1 for i, (o, s) in enumerate(zip(offset, strides, strict=True))
        ]
        yield tf.strided_slice(padded, offset, tf.stack(ends), strides)


def _paddings(call, before, after):
    """What a pooling operation pads, `(rank, 2)`."""
    kind = call.attribute("padding")
    if kind == b"VALID":
        return tf.zeros((len(call.attribute("ksize")), 2), tf.int32)
    if kind == b"EXPLICIT":
        return tf.reshape(tf.constant(call.attribute("explicit_paddings")), (-1, 2))
    reach = (after - 1) * call.attribute("strides") + call.attribute("ksize")
    total = tf.maximum(reach - before, 0)
    return tf.stack([total // 2, total - total // 2], axis=1)
