"""Rules of products, quotients and powers."""

import tensorflow as tf

from kpinn.derivatives.channels.channels_per_point import wants_channels_per_point
from kpinn.derivatives.channels.compositions import compose
from kpinn.derivatives.channels.full_channels import full
from kpinn.derivatives.channels.jets import Jet, add, aligned, shared_axes, value_of
from kpinn.derivatives.channels.jets import linear as each_channel
from kpinn.derivatives.channels.product_rules import multiply
from kpinn.derivatives.channels.recomputation import composed_again
from kpinn.derivatives.errors import UnsupportedError, describe
from kpinn.derivatives.operations import choices, taylor_series
from kpinn.derivatives.operations.labels import (
    by_sample,
    einsum,
    matrix_product,
    of_einsum,
    of_matrix_product,
)
from kpinn.derivatives.operations.rules import bilinear, linear, of_first
from kpinn.derivatives.operations.selections import choose
from kpinn.derivatives.operations.table import BROADCASTING, register
from kpinn.derivatives.tensorflow_private import compiled_by_xla


@register("Mul", is_bilinear=True, by_tapes=True, **BROADCASTING)
def _multiply(call, a, b):
    return [multiply(*aligned((a, b)))]


_MATRICES = {"along": of_matrix_product, "labels": matrix_product}
register("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", meets="batches", **_MATRICES)(bilinear())
register("SparseMatMul", **_MATRICES)(bilinear())
_CONVOLUTION = {"along": by_sample(0), "meets": "samples"}
_BACKWARDS = {"along": by_sample(2), "meets": "samples"}
register("Conv2D", "Conv3D", "DepthwiseConv2dNative", **_CONVOLUTION)(bilinear())
register("Conv2DBackpropInput", "Conv3DBackpropInputV2", **_BACKWARDS)(bilinear(1, 2))
register("DepthwiseConv2dNativeBackpropInput", **_BACKWARDS)(bilinear(1, 2))
register("Cross", along=-1)(bilinear())
register("MulNoNan", **BROADCASTING)(bilinear())
register("SparseTensorDenseMatMul")(bilinear(1, 3))


@register("MatMul", is_bilinear=True, meets="matrices", by_tapes=of_first, **_MATRICES)
def _matrix_product(call, a, b):
    """One channel after the other; the rows of a channel that is the same for all points stay."""
    if isinstance(b, Jet) or call.attribute("transpose_a"):
        return bilinear().rule(call, a, b)
    if any(c is not None and 1 in shared_axes(c, a.value) for c in a.channels):
        a = full(a)
    if compiled_by_xla() and not call.attribute("transpose_b") and not wants_channels_per_point():
        return [_product_for_xla(a, b, call.run.recompute)]
    return [each_channel(lambda channel: call.emit(channel, b)[0], a)]


NARROW = range(2, 5)  # numbers of columns for which XLA is slow at products with the transpose


def _product_for_xla(a, b, recompute):
    """A product of a jet and a matrix, with another gradient where that is better.

    Channels that are computed again follow from what the activation before keeps for its own
    gradient. Without XLA, which joins operations on each element, that would save nothing.
    """
    narrow = b.shape[1] in NARROW

    def product(k, channel):
        origin = a.origin if recompute and k else None
        if channel is None:
            return None
        if not narrow and origin is None:
            return tf.matmul(channel, b)

        @tf.custom_gradient
        def function(channel, b):
            def gradient(upstream):
                kept = composed_again(*origin, k, upstream) if origin else channel
                of_b = tf.matmul(kept, upstream, transpose_a=True)
                if narrow:
                    columns = range(b.shape[1])
                    return sum(upstream[:, j : j + 1] * b[:, j] for j in columns), of_b
                return tf.matmul(upstream, b, transpose_b=True), of_b

            return tf.matmul(channel, b), gradient

        return function(channel, b)

    return Jet(a.algebra, tuple(product(k, channel) for k, channel in enumerate(a.channels)))


@register("Einsum", along=of_einsum, labels=einsum, is_bilinear=True, meets="einsum")
def _einsum(call, *inputs):
    if len(inputs) > 2:
        raise UnsupportedError(f"{describe(call.operation)} has {len(inputs)} factors")
    return (linear() if len(inputs) == 1 else bilinear()).rule(call, *inputs)


@register("RealDiv", "Div", by_tapes=of_first, **BROADCASTING)
def _divide(call, a, b):
    if not isinstance(b, Jet):
        a, b = aligned((a, b))
        return [each_channel(lambda channel: channel / b, a)]
    quotient = multiply(*aligned((a, compose(b, taylor_series.reciprocal))))
    return [quotient.with_value(call.emit_values(a, b)[0])]


@register("DivNoNan", **BROADCASTING)
def _divide_or_zero(call, a, b):
    zero, one = tf.equal(value_of(b), 0), tf.ones_like(value_of(b))
    safe = choose(zero, one, b) if isinstance(b, Jet) else tf.where(zero, one, b)
    quotient = multiply(*aligned((a, _reciprocal(safe))))
    return [choose(zero, tf.zeros_like(quotient.value), quotient)]


def _reciprocal(b):
    return compose(b, taylor_series.reciprocal) if isinstance(b, Jet) else tf.math.reciprocal(b)


@register("TruncateMod", "Mod", **BROADCASTING)
@register("FloorMod", choice=choices.quotient, **BROADCASTING)
def _modulo(call, a, b):
    """`a - q b` with `q = a / b` rounded, which has no derivative."""
    (value,), divisor = call.emit_values(a, b), value_of(b)
    count = tf.round((value_of(a) - value) / divisor)
    whole = multiply(*aligned((count, b))) if isinstance(b, Jet) else count * b
    return [add(a, whole, tf.subtract).with_value(value)]


@register("SquaredDifference", **BROADCASTING)
def _squared_difference(call, a, b):
    return [compose(add(a, b, tf.subtract), taylor_series.square)]
