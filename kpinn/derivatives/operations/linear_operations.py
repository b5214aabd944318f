"""Rules of operations that are linear, or have no derivatives."""

import numpy as np
import tensorflow as tf

from kpinn.derivatives.channels.full_channels import full
from kpinn.derivatives.channels.jets import Jet, value_of
from kpinn.derivatives.channels.jets import linear as each_channel
from kpinn.derivatives.errors import RefusedError, UnsupportedError, describe
from kpinn.derivatives.operations import choices
from kpinn.derivatives.operations.labels import (
    by_sample,
    given_by,
    looked_up,
    moved,
    of_first_input,
    one_by_one,
    probed,
    searched,
    unaffected,
)
from kpinn.derivatives.operations.rules import constant, linear, picking, static_input
from kpinn.derivatives.operations.table import BROADCASTING, register

# Without derivatives -----------------------------------------------------------------------

register("Greater", "GreaterEqual", "Less", "LessEqual", along=(), choice=choices.larger)(
    constant()
)
register(
    *("Equal", "NotEqual", "ApproximateEqual", "LogicalAnd", "LogicalOr", "LogicalNot"),
    *("IsNan", "IsInf", "IsFinite", "StopGradient", "AsString"),
    along=(),
)(constant())
register("FloorDiv", "TruncateDiv", **BROADCASTING)(constant())
register("Floor", choice=np.floor, **BROADCASTING)(constant())
register("Ceil", choice=np.ceil, **BROADCASTING)(constant())
register("Rint", "Round", choice=np.round, **BROADCASTING)(constant())
register("Sign", choice=choices.sign, **BROADCASTING)(constant())
register("ArgMax", along=given_by(1), choice=choices.largest)(constant())
register("ArgMin", along=given_by(1), choice=choices.smallest)(constant())
register("All", "Any", along=given_by(1))(constant())
register("LowerBound", "UpperBound", along=searched)(constant())
register("InTopKV2", along=by_sample(0, 1))(constant())
register("Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike", labels=unaffected)(constant())
register("BroadcastGradientArgs", labels=unaffected)(constant())
register("Where", labels="returns as many rows as it finds")(constant())
register("Const", "Placeholder", "ReadVariableOp", labels=unaffected)(constant())
register("Assert", "NoOp", "PrintV2", "StringFormat", labels=unaffected)(constant())

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


def _whole_slices(call, axes):
    """Whether a slice takes all of these axes."""
    begin, size = static_input(call, 1), static_input(call, 2)
    known = begin is not None and size is not None
    return known and all(begin[axis] == 0 and size[axis] == -1 for axis in axes)


def _picks_behind(call, axes):
    """Whether elements are picked along an axis that comes after these."""
    if call.operation.type == "Unpack":
        axis = call.attribute("axis")
    else:
        found = static_input(call, 2)
        axis = None if found is None or call.attribute("batch_dims") else int(found)
    rank = call.operation.inputs[0].shape.rank
    return axis is not None and rank is not None and axis % rank > max(axes)


def _expands_behind(call, axes):
    axis = static_input(call, 1)
    return axis is not None and int(axis.reshape(-1)[0]) > max(axes)


register("Identity", **BROADCASTING, is_reshaping=True, by_tapes=True)(linear(keeps=_always))
register("Neg", by_tapes=True, **BROADCASTING)(linear(keeps=_always))
register("Snapshot", **BROADCASTING)(linear(keeps=_always))
register("PlaceholderWithDefault", along=())(linear(keeps=_always))
register("DeepCopy", "CopyHost", along=())(linear())
register("Sum", "Mean", along=given_by(1), by_tapes=True)(linear(keeps=_other_axes(1)))
register("Cumsum", along=given_by(1))(linear())
register("AddN", along=(), by_tapes=True)(linear(slice(None)))
_SEGMENTS = "returns as many rows as its numbers of segments ask for"
register("SegmentSum", "SegmentMean", along=0, labels=_SEGMENTS)(linear())
register("UnsortedSegmentSum", along=0, labels=probed)(linear())
# What copies entries to other places.
_PLACES = {"labels": moved, "by_tapes": True}
register("StridedSlice", **_PLACES)(picking(keeps=_whole_first_axes))
register("ExpandDims", is_reshaping=True, **_PLACES)(linear(keeps=_expands_behind))
register("ConcatV2", **_PLACES)(linear(slice(0, -1), _other_axes(-1)))
register("Split", **_PLACES)(picking(slice(1, 2), _other_axes(0, 1)))
register("Slice", **_PLACES)(picking(keeps=_whole_slices))
register("SplitV", **_PLACES)(picking(keeps=_other_axes(2)))
register("Unpack", **_PLACES)(picking(keeps=_picks_behind))
register("GatherV2", labels=looked_up)(picking(keeps=_picks_behind))
register("Pack", **_PLACES)(linear(slice(None)))
register("ParallelConcat", labels=moved)(linear(slice(None)))
register("Reshape", "Squeeze", is_reshaping=True, **_PLACES)(linear())
register("BroadcastTo", meets="copies", **_PLACES)(linear())
register(
    *("Tile", "Reverse", "ReverseSequence", "Pad", "MirrorPad"),
    *("GatherNd", "Gather", "Transpose", "MatrixDiag", "MatrixDiagPart", "Diag"),
    *("MatrixBandPart", "DiagPart", "DepthToSpace", "SpaceToDepth", "SpaceToBatchND"),
    *("BatchToSpaceND", "EnsureShape"),
    labels=moved,
)(linear())
register("ReverseV2", along=given_by(1), labels=moved)(linear())
register("Roll", along=given_by(2), labels=moved)(linear())
register("MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3", labels=moved)(linear(slice(0, 2)))
register("TensorScatterUpdate", labels=moved)(linear(slice(0, 3, 2)))
register("TensorScatterAdd", "TensorScatterSub")(linear(slice(0, 3, 2)))
register("ScatterNd")(linear(slice(1, 2)))
# Images.
register(
    *("AvgPool", "AvgPool3D", "ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic"),
    *("ExtractImagePatches", "ScaleAndTranslate"),
    along=by_sample(0),
)(linear())
# Lists of tensors, as loops carry them: each channel has a list of its own.
_LISTS = "works on lists of tensors, whose entries have no labels"
register("TensorListFromTensor", "TensorListGather", "TensorListGetItem", labels=_LISTS)(linear())
register("TensorListPopBack", "TensorListResize", "TensorListStack", labels=_LISTS)(linear())
register("TensorListPushBack", "TensorListScatterIntoExistingList", labels=_LISTS)(
    linear(slice(0, 2))
)
register("TensorListSetItem", labels=_LISTS)(linear(slice(0, 3, 2)))
register("TensorListElementShape", "TensorListLength", labels=unaffected)(constant())


@register("Cast", **BROADCASTING, is_linear=True, is_reshaping=True)
def _cast(call, x):
    dtype = call.operation.outputs[0].dtype
    if dtype.is_complex:
        raise UnsupportedError(f"{describe(call.operation)} returns {dtype.name}")
    return call.emit_values(x) if dtype.is_bool else linear(keeps=_always).rule(call, x)


@register("IdentityN", labels=one_by_one, is_reshaping=True, by_tapes=True)
def _identity_n(call, *inputs):
    """Also the end of a custom gradient: the function itself is differentiated."""
    return list(inputs)


@register("CheckNumerics", is_linear=True, **BROADCASTING)
def _check_numerics(call, x):
    return [x.with_value(call.emit(x.value)[0])]


@register("Print", labels=of_first_input)
def _print(call, x, *data):
    (value,) = call.emit_values(x, *data)
    return [x.with_value(value) if isinstance(x, Jet) else value]


@register("PreventGradient", **BROADCASTING)
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


_FILLED = {"labels": moved, "is_linear": True}
register("PadV2", "MatrixDiagPartV2", "MatrixDiagPartV3", **_FILLED)(_padded(2))
register("MatrixDiagV2", "MatrixDiagV3", **_FILLED)(_padded(4))
