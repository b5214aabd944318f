"""Rules of operations that are linear, or have no derivatives."""

import tensorflow as tf

from kpinn.derivatives.errors import RefusedError, UnsupportedError, describe
from kpinn.derivatives.jets import full, value_of
from kpinn.derivatives.jets import linear as each_channel
from kpinn.derivatives.operations.rules import constant, linear, register, static_input

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


def _always(call, axes):
    return True


def _other_axes(position, source=0):
    """Whether the operation works along other axes than those of size 1."""

    def keeps(call, axes):
        found, rank = static_input(call, position), call.operation.inputs[source].shape.rank
        if found is None or rank is None:
            return False
        return not axes & {int(axis) % rank for axis in found.reshape(-1)}

    return keeps


def _whole_first_axes(call, axes):
    """Whether a strided slice takes all of these axes, such as the first of `x[:, 1:2]`."""
    masks = [call.attribute(name) for name in ("begin_mask", "end_mask")]
    others = ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    plain = not any(call.attribute(name) & ((2 << max(axes)) - 1) for name in others)
    strides = static_input(call, 3)
    every = plain and strides is not None and all(strides[axis] == 1 for axis in axes)
    return every and all(mask >> axis & 1 for axis in axes for mask in masks)


def _expands_behind(call, axes):
    axis = static_input(call, 1)
    return axis is not None and int(axis.reshape(-1)[0]) > max(axes)


register("Identity", "Neg", "Snapshot", "PlaceholderWithDefault")(linear(keeps=_always))
register("Sum", "Mean")(linear(keeps=_other_axes(1)))
register("StridedSlice")(linear(keeps=_whole_first_axes))
register("ExpandDims")(linear(keeps=_expands_behind))
register("ConcatV2")(linear(slice(0, -1), _other_axes(-1)))
register("AddN", "Pack", "ParallelConcat")(linear(slice(None)))
register("Split")(linear(slice(1, 2), _other_axes(0, 1)))
register(
    *("Reshape", "Squeeze", "Tile", "BroadcastTo", "Slice", "Unpack", "SplitV", "Reverse"),
    *("ReverseV2", "ReverseSequence", "Roll", "Cumsum", "Pad", "MirrorPad", "GatherV2", "GatherNd"),
    *("Gather", "Transpose", "MatrixDiag", "MatrixDiagPart", "MatrixBandPart", "Diag"),
    *("DiagPart", "DepthToSpace", "SpaceToDepth", "SpaceToBatchND", "BatchToSpaceND", "SegmentSum"),
    *("SegmentMean", "UnsortedSegmentSum", "AvgPool", "AvgPool3D", "ResizeBilinear"),
    *("ResizeNearestNeighbor", "ResizeBicubic", "ExtractImagePatches", "ScaleAndTranslate"),
    *("EnsureShape", "DeepCopy", "CopyHost"),
)(linear())
register("ScatterNd")(linear(slice(1, 2)))
# Lists of tensors, as loops carry them: each channel has a list of its own.
register("TensorListFromTensor", "TensorListGather", "TensorListGetItem", "TensorListPopBack")(
    linear()
)
register("TensorListResize", "TensorListStack")(linear())
register("TensorListPushBack", "TensorListScatterIntoExistingList")(linear(slice(0, 2)))
register("TensorListSetItem")(linear(slice(0, 3, 2)))
register("TensorListElementShape", "TensorListLength")(constant())
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
    raise RefusedError(message.decode() if isinstance(message, bytes) else message)


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
