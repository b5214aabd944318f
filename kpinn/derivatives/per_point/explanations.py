"""What is said of a function that takes points together: by which operation, and the ways out."""

import numpy as np
import tensorflow as tf

from kpinn.derivatives.errors import FAILURES, describe
from kpinn.derivatives.per_point import probe
from kpinn.derivatives.per_point.copies import at_once

ADVICE = (
    "Such a function has no derivative at a point, and gives other values at other sets of points. "
    "Let a row of the output depend on the same row of the input only. A mean over the points, or "
    "a value at one of them, belongs into a condition, which gets all of its points; the value at "
    "a fixed point is network(tf.constant([[0.0, 0.0]])). Rows that share something by design are "
    "declared by kpinn.derivatives.independent."
)
_WHAT = {
    "sums over the points": ("Sum", "SegmentSum", "UnsortedSegmentSum", "BiasAddGrad", "L2Loss"),
    "takes a mean over the points": ("Mean", "SegmentMean"),
    "takes an extremum over the points": ("Max", "Min", "ArgMax", "ArgMin"),
    "accumulates over the points": ("Cumsum", "Cumprod", "CumulativeLogsumexp"),
    "takes rows of other points": (
        *("StridedSlice", "Slice", "GatherV2", "GatherNd", "Gather", "ReverseV2", "Reverse"),
        *("Roll", "Split", "SplitV", "Unpack", "Pad", "PadV2", "MirrorPad", "ConcatV2"),
        *("TensorScatterUpdate", "ScatterNd", "TensorScatterAdd", "ResourceGather"),
    ),
    "brings entries of different points into one row": ("Reshape", "Transpose", "Squeeze"),
    "multiplies and sums over the points": (
        *("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum"),
        *("SparseTensorDenseMatMul", "SparseMatMul"),
    ),
    "convolves over the points": ("Conv2D", "Conv3D", "DepthwiseConv2dNative", "AvgPool"),
    "puts the points in order": ("TopKV2", "Unique", "UniqueV2", "LowerBound", "UpperBound"),
    "is normalized over the points": ("Softmax", "LogSoftmax"),
    "takes statistics over the points": (
        *("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"),
    ),
}
_BY_TYPE = {kind: what for what, kinds in _WHAT.items() for kind in kinds}


def explained(operation, reason=None):
    """The message of a refusal.

    Args:
        operation: the `tf.Operation` that takes points together; `None` where it is not known.
        reason: where the proof that points keep apart has ended.
    """
    if operation is None:
        where = f" ({reason})" if reason else ""
        return f"the value at a point changes when other points do{where}. {ADVICE}"
    what = _BY_TYPE.get(operation.type, "takes entries together over the points")
    where = describe(operation)
    return f"{where} {what}, so that the value at a point depends on other points. {ADVICE}"


def culprit(copy, epsilon):
    """The first operation of a `Copy` whose rows follow other rows of the input, in numbers."""
    generator, shape = np.random.default_rng(0), copy.graph.inputs[0].shape
    tensors = [
        tensor
        for operation in copy.graph.get_operations()
        for tensor in operation.outputs
        if tensor.dtype.is_floating and tensor.shape.rank and tensor.shape[0] == copy.count
    ]

    def found():
        values = copy.function.prune(copy.graph.inputs[0], tensors)
        parts = (_first(values, tensors, draw, epsilon) for draw in probe.drawn(generator, *shape))
        return next((part for part in parts if part is not None), None)

    try:
        return at_once(found)
    except FAILURES:
        return None


def _first(values, tensors, draw, epsilon):
    rows = draw()

    def arrays(points):
        found = values(tf.constant(points, tensors[0].graph.inputs[0].dtype))
        return [np.asarray(value, np.float64) for value in found]

    before, places = arrays(rows), []
    for changed in probe.subsets(len(rows)):
        after = arrays(np.where(changed[:, None], draw(), rows))
        for place, (one, two) in enumerate(zip(before, after, strict=True)):
            if probe.differs(two[~changed], one[~changed], probe.ROUNDING * epsilon):
                places.append(place)
                break
    return tensors[min(places)].op if places else None
