"""The rules of TensorFlow's operations, one line each where a definer will do."""

import functools
import itertools

import tensorflow as tf

from kpinn.derivatives import towers
from kpinn.derivatives.errors import UnsupportedError, describe
from kpinn.derivatives.jets import (
    Jet,
    add,
    algebra_of,
    aligned,
    channel_of,
    compose,
    compose_with_variables,
    full,
    multiply,
    shared_axes,
    value_of,
)
from kpinn.derivatives.jets import linear as each_channel
from kpinn.derivatives.rules import bilinear, composite, constant, elementwise, linear, register

# Without derivatives -----------------------------------------------------------------------

register(
    *("Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike", "BroadcastGradientArgs"),
    *("Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual", "ApproximateEqual"),
    *("IsNan", "IsInf", "IsFinite", "LogicalAnd", "LogicalOr", "LogicalNot", "Where"),
    *("Floor", "Ceil", "Rint", "Round", "Sign", "FloorDiv", "TruncateDiv"),
    *("ArgMax", "ArgMin", "LowerBound", "UpperBound", "InTopKV2", "StopGradient"),
    *("Assert", "PrintV2", "Print", "StringFormat", "AsString"),
)(constant())

# Linear ------------------------------------------------------------------------------------


def _axis(call, position):
    """A constant input, such as an axis; `None` if it is not known yet."""
    return tf.get_static_value(call.operation.inputs[position])


def _always(call, axes):
    return True


def _other_axes(position, source=0):
    """Whether the operation works along other axes than those of size 1."""

    def keeps(call, axes):
        found, rank = _axis(call, position), call.operation.inputs[source].shape.rank
        if found is None or rank is None:
            return False
        return not axes & {int(axis) % rank for axis in found.reshape(-1)}

    return keeps


def _whole_first_axes(call, axes):
    """Whether a strided slice takes all of these axes, such as the first of `x[:, 1:2]`."""
    masks = [call.attribute(name) for name in ("begin_mask", "end_mask")]
    others = ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    plain = not any(call.attribute(name) & ((2 << max(axes)) - 1) for name in others)
    strides = _axis(call, 3)
    every = plain and strides is not None and all(strides[axis] == 1 for axis in axes)
    return every and all(mask >> axis & 1 for axis in axes for mask in masks)


def _expands_behind(call, axes):
    axis = _axis(call, 1)
    return axis is not None and int(axis.reshape(-1)[0]) > max(axes)


register("Identity", "Neg", "Snapshot", "PlaceholderWithDefault")(linear(keeps=_always))
register("Transpose")(linear(keeps=lambda call, axes: False))
register("Sum", "Mean")(linear(keeps=_other_axes(1)))
register("StridedSlice")(linear(keeps=_whole_first_axes))
register("ExpandDims")(linear(keeps=_expands_behind))
register("ConcatV2")(linear(slice(0, -1), _other_axes(-1)))
register("AddN", "Pack", "ParallelConcat")(linear(slice(None)))
register("Split")(linear(slice(1, 2), _other_axes(0, 1)))
register(
    *("Reshape", "Squeeze", "Tile", "BroadcastTo", "Slice", "Unpack", "SplitV", "Reverse"),
    *("ReverseV2", "ReverseSequence", "Roll", "Cumsum", "Pad", "MirrorPad", "GatherV2", "GatherNd"),
    *("Gather", "MatrixDiag", "MatrixDiagPart", "MatrixBandPart", "Diag"),
    *("DiagPart", "DepthToSpace", "SpaceToDepth", "SpaceToBatchND", "BatchToSpaceND", "SegmentSum"),
    *("SegmentMean", "UnsortedSegmentSum", "AvgPool", "AvgPool3D", "ResizeBilinear"),
    *("ResizeNearestNeighbor", "ResizeBicubic", "ExtractImagePatches", "ScaleAndTranslate"),
    *("EnsureShape", "InvertPermutation", "DeepCopy", "CopyHost"),
)(linear())
register("ScatterNd")(linear(slice(1, 2)))
register("MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3")(linear(slice(0, 2)))
register("TensorScatterAdd", "TensorScatterSub", "TensorScatterUpdate")(linear(slice(0, 3, 2)))


@register("Cast")
def _cast(call, x):
    dtype = call.operation.outputs[0].dtype
    if dtype.is_complex:
        raise UnsupportedError(f"{describe(call.operation)} returns {dtype.name}")
    return call.emit_values(x) if dtype.is_bool else linear(keeps=_always)(call, x)


@register("IdentityN")
def _identity_n(call, *inputs):
    """Also the end of a custom gradient: the function itself is differentiated."""
    return list(inputs)


@register("CheckNumerics")
def _check_numerics(call, x):
    return [x.with_value(call.emit(x.value)[0])]


@register("PreventGradient")
def _prevent_gradient(call, x):
    message = call.attribute("message")
    raise ValueError(message.decode() if isinstance(message, bytes) else message)


def _padded(position):
    """The rule of operations that are linear but for a number that they fill up with."""

    def rule(call, x, *others):
        others, x = list(others), full(x)
        (value,) = call.emit_values(x, *others)
        others[position - 1] = tf.zeros_like(value_of(others[position - 1]))
        return [each_channel(lambda c: call.emit(c, *others)[0], x).with_value(value)]

    return rule


register("PadV2", "MatrixDiagPartV2", "MatrixDiagPartV3")(_padded(2))
register("MatrixDiagV2", "MatrixDiagV3")(_padded(4))

# Sums and choices --------------------------------------------------------------------------


@register("AddV2", "Add")
def _add(call, a, b):
    return [add(a, b)]


@register("Sub")
def _subtract(call, a, b):
    return [add(a, b, tf.subtract)]


@register("BiasAdd", "BiasAddV1")
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


@register("SelectV2")
def _select(call, condition, a, b):
    return [choose(condition, a, b)]


@register("Select")
def _select_rows(call, condition, a, b):
    missing = value_of(a).shape.rank - condition.shape.rank
    return [choose(tf.reshape(condition, [-1] + [1] * missing) if missing else condition, a, b)]


@register("Maximum")
def _maximum(call, a, b):
    return [_extreme(a, b, tf.greater)]


@register("Minimum")
def _minimum(call, a, b):
    return [_extreme(a, b, tf.less)]


def _extreme(a, b, beats):
    """At a tie the mean of both, so that `max(a, b) + min(a, b) = a + b` holds there too."""
    first, second = beats(value_of(a), value_of(b)), beats(value_of(b), value_of(a))
    mean = each_channel(lambda channel: 0.5 * channel, add(a, b))
    return choose(first, a, choose(second, b, mean))


@register("ClipByValue")
def _clip(call, x, low, high):
    return [_extreme(_extreme(x, high, tf.less), low, tf.greater)]


@register("Max", "Min")
def _extremum(call, x, axes):
    """The mean over the elements that are largest, as TensorFlow's gradient has it."""
    x, (value,) = full(x), call.emit_values(x, axes)
    keep = call.attribute("keep_dims")
    reduce = tf.reduce_max if call.operation.type == "Max" else tf.reduce_min
    chosen = tf.cast(x.value == reduce(x.value, axes, keepdims=True), x.dtype)
    weights = tf.stop_gradient(chosen / tf.reduce_sum(chosen, axes, keepdims=True))
    picked = each_channel(lambda c: tf.reduce_sum(weights * c, axes, keepdims=keep), x)
    return [picked.with_value(value)]


@register("EuclideanNorm")
def _norm(call, x, axes):
    how = {"axis": axes, "keepdims": call.attribute("keep_dims")}
    squares = compose(full(x), towers.square)
    total = each_channel(lambda c: tf.reduce_sum(c, **how), squares)
    return [compose(total, towers.sqrt).with_value(call.emit_values(x, axes)[0])]


@register("Prod")
def _product(call, x, axes):
    """One factor after the other, along axes of known sizes."""
    found = _axis(call, 1)
    rank = x.shape.rank
    if found is None or rank is None or any(x.shape[int(a)] is None for a in found.reshape(-1)):
        raise UnsupportedError(f"{describe(call.operation)} is over an axis of unknown size")
    value, x = call.emit_values(x, axes)[0], full(x)
    for axis in sorted({int(a) % rank for a in found.reshape(-1)}, reverse=True):
        factors = [_taken(x, i, axis) for i in range(x.shape[axis])]
        x = functools.reduce(multiply, factors) if factors else value
        if call.attribute("keep_dims"):
            x = each_channel(lambda c, axis=axis: tf.expand_dims(c, axis), x)
    return [x.with_value(value) if isinstance(x, Jet) else x]


def _taken(x, i, axis):
    return each_channel(lambda channel: tf.gather(channel, i, axis=axis), x)


@register("Cumprod")
def _cumulative_product(call, x, axis):
    return [_accumulated(call, x, axis, multiply)]


@register("CumulativeLogsumexp")
def _cumulative_logsumexp(call, x, axis):
    """`log(exp(a) + exp(b)) = a + softplus(b - a)`."""

    def combine(a, b):
        return add(a, compose(add(b, a, tf.subtract), towers.softplus))

    return [_accumulated(call, x, axis, combine)]


def _accumulated(call, x, axis, combine):
    """One slice after the other, along an axis of known size."""
    (value,), found, rank = call.emit_values(x, axis), _axis(call, 1), x.shape.rank
    if found is None or x.shape[int(found)] is None:
        raise UnsupportedError(f"{describe(call.operation)} is over an axis of unknown size")
    axis, x = int(found) % rank, full(x)
    parts = [_taken(x, i, axis) for i in range(x.shape[axis])]
    if call.attribute("reverse"):
        parts.reverse()
    results = list(itertools.accumulate(parts, combine))
    if call.attribute("exclusive"):
        results = [each_channel(tf.zeros_like, results[0]), *results[:-1]]
    if call.attribute("reverse"):
        results.reverse()
    return _stacked(results, axis).with_value(value)


def _stacked(jets, axis):
    channels = []
    for parts in zip(*(jet.channels for jet in jets), strict=True):
        filled = [
            tf.zeros_like(j.value) if p is None else p for j, p in zip(jets, parts, strict=True)
        ]
        none = all(part is None for part in parts)
        channels.append(None if none else tf.stack(filled, axis))
    return Jet(jets[0].algebra, tuple(channels))


@register("TopKV2")
def _top(call, x, count):
    x, (value, indices) = full(x), call.emit_values(x, count)
    batch = x.value.shape.rank - 1
    picked = each_channel(lambda c: tf.gather(c, indices, axis=-1, batch_dims=batch), x)
    return [picked.with_value(value), indices]


@register("MaxPool", "MaxPool3D")
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


# Products ----------------------------------------------------------------------------------


@register("Mul")
def _multiply(call, a, b):
    return [multiply(*aligned((a, b)))]


register("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "SparseMatMul")(bilinear())
register("Conv2D", "Conv3D", "DepthwiseConv2dNative")(bilinear())
register("Conv2DBackpropInput", "Conv3DBackpropInputV2")(bilinear(1, 2))
register("DepthwiseConv2dNativeBackpropInput")(bilinear(1, 2))
register("Cross", "MulNoNan")(bilinear())
register("SparseTensorDenseMatMul")(bilinear(1, 3))


@register("MatMul")
def _matrix_product(call, a, b):
    """One channel after the other; the rows of a channel that is the same for all points stay."""
    if isinstance(b, Jet) or call.attribute("transpose_a"):
        return bilinear()(call, a, b)
    if any(c is not None and 1 in shared_axes(c, a.value) for c in a.channels):
        a = full(a)
    return [each_channel(lambda channel: call.emit(channel, b)[0], a)]


@register("Einsum")
def _einsum(call, *inputs):
    if len(inputs) > 2:
        raise UnsupportedError(f"{describe(call.operation)} has {len(inputs)} factors")
    return (linear() if len(inputs) == 1 else bilinear())(call, *inputs)


@register("RealDiv", "Div")
def _divide(call, a, b):
    if not isinstance(b, Jet):
        a, b = aligned((a, b))
        return [each_channel(lambda channel: channel / b, a)]
    quotient = multiply(*aligned((a, compose(b, towers.reciprocal))))
    return [quotient.with_value(call.emit_values(a, b)[0])]


@register("DivNoNan")
def _divide_or_zero(call, a, b):
    zero, one = tf.equal(value_of(b), 0), tf.ones_like(value_of(b))
    safe = choose(zero, one, b) if isinstance(b, Jet) else tf.where(zero, one, b)
    quotient = multiply(*aligned((a, _reciprocal(safe))))
    return [choose(zero, tf.zeros_like(quotient.value), quotient)]


def _reciprocal(b):
    return compose(b, towers.reciprocal) if isinstance(b, Jet) else tf.math.reciprocal(b)


@register("FloorMod", "Mod")
def _modulo(call, a, b):
    """`a - floor(a / b) b`; the factor has no derivative."""
    count = tf.floor(value_of(a) / value_of(b))
    whole = multiply(*aligned((count, b))) if isinstance(b, Jet) else count * b
    return [add(a, whole, tf.subtract).with_value(call.emit_values(a, b)[0])]


@register("SquaredDifference")
def _squared_difference(call, a, b):
    return [compose(add(a, b, tf.subtract), towers.square)]


@register("Pow")
def _power(call, a, b):
    exponent = _axis(call, 1)  # not the value of `b`, which may be that of a variable
    if exponent is not None and exponent.size == 1:
        number = float(exponent.reshape(()))
        return [compose(_broadcast(a, b), towers.power(number))]
    if not isinstance(b, Jet):
        return [compose_with_variables(_broadcast(a, b), _powers_of(b))]
    logarithm = compose(a, towers.log) if isinstance(a, Jet) else tf.math.log(a)
    power = compose(multiply(*aligned((b, logarithm))), towers.exp)
    return [power.with_value(call.emit_values(a, b)[0])]


def _broadcast(jet, other):
    """The jet in a shape that holds the other operand too."""
    rank = other.shape.rank
    if rank in (None, 0) or other.shape == jet.shape:
        return jet
    return add(jet, tf.zeros_like(other))


def _powers_of(exponents):
    """The tower of `x ** r` for a tensor `r`: binomial coefficients times powers."""

    def tower(x, order):
        y, factor = [tf.pow(x, exponents)], tf.ones_like(exponents)
        for k in range(1, order + 1):
            factor = factor * (exponents - (k - 1)) / k
            gone = tf.equal(factor, 0) & tf.equal(x, 0)  # 0 * inf would be no number
            y.append(factor * tf.pow(tf.where(gone, tf.ones_like(x), x), exponents - k))
        return y

    return tower


# Functions of each element -----------------------------------------------------------------

for _name, _tower in {
    "Abs": towers.absolute,
    "Acos": towers.acos,
    "Acosh": towers.acosh,
    "Asin": towers.asin,
    "Asinh": towers.asinh,
    "Atan": towers.atan,
    "Atanh": towers.atanh,
    "Cos": towers.cos,
    "Cosh": towers.cosh,
    "Digamma": towers.digamma,
    "Elu": towers.elu,
    "Erf": towers.erf,
    "Erfc": towers.erfc,
    "Exp": towers.exp,
    "Expm1": towers.expm1,
    "Inv": towers.reciprocal,
    "Lgamma": towers.lgamma,
    "Log": towers.log,
    "Log1p": towers.log1p,
    "Reciprocal": towers.reciprocal,
    "Relu": towers.relu,
    "Relu6": towers.relu6,
    "Rsqrt": towers.rsqrt,
    "Selu": towers.selu,
    "Sigmoid": towers.sigmoid,
    "Sin": towers.sin,
    "Sinh": towers.sinh,
    "Softplus": towers.softplus,
    "Softsign": towers.softsign,
    "Sqrt": towers.sqrt,
    "Square": towers.square,
    "Tan": towers.tan,
    "Tanh": towers.tanh,
}.items():
    register(_name)(elementwise(_tower))


@register("LeakyRelu")
def _leaky_relu(call, x):
    return [compose(x, towers.leaky_relu(call.attribute("alpha")))]


# Made of others ----------------------------------------------------------------------------


def _exponentials(x):
    """`exp(x - shift)` and its sum over the last axis, on jets.

    Any shift will do. It is the mean of `x`, derivatives included, with the softmax as weights but
    for the largest value in place of its own mean: derivatives of the sum are then small, and
    little is lost by the quotient.
    """
    x = full(x)
    weights = tf.nn.softmax(x.value)

    def mean(channel):
        return tf.stop_gradient(tf.reduce_sum(weights * channel, axis=-1, keepdims=True))

    largest = tf.stop_gradient(tf.reduce_max(x.value, axis=-1, keepdims=True))
    shift = each_channel(mean, x).with_value(largest)
    powers = compose(add(x, shift, tf.subtract), towers.exp)
    return shift, powers, each_channel(lambda c: tf.reduce_sum(c, axis=-1, keepdims=True), powers)


@register("Softmax")
def _softmax(call, x):
    _, powers, total = _exponentials(x)
    return [multiply(powers, compose(total, towers.reciprocal)).with_value(call.emit(x.value)[0])]


@register("LogSoftmax")
def _log_softmax(call, x):
    shift, _, total = _exponentials(x)
    logarithm = add(add(x, shift, tf.subtract), compose(total, towers.log), tf.subtract)
    return [logarithm.with_value(call.emit(x.value)[0])]


@register("Atan2")
def _angle(call, y, x):
    """The arc tangent of the smaller side over the larger one; the rest is constant."""
    (angle,) = call.run.through(_angle_but_for_a_constant, [y, x])
    return [angle.with_value(call.emit_values(y, x)[0])]


def _angle_but_for_a_constant(y, x):
    steep = tf.abs(y) > tf.abs(x)
    return tf.atan(tf.where(steep, -x, y) / tf.where(steep, y, x))


def _where_both_are_zero(function):
    """`x * function(y)`, and zero where both are: its derivatives there do not exist."""

    def product(x, y):
        value = function(y)
        return x * tf.where(tf.equal(x, 0) & tf.math.is_inf(value), tf.zeros_like(value), value)

    return product


register("Xdivy")(composite(_where_both_are_zero(tf.math.reciprocal)))
register("Xlogy")(composite(_where_both_are_zero(tf.math.log)))
register("Xlog1py")(composite(_where_both_are_zero(tf.math.log1p)))
register("L2Loss")(composite(lambda x: tf.reduce_sum(x * x) / 2.0))
