"""Whether a traced function keeps the rows of its input: row `i` of each tensor is of point `i`.

A factor for each point multiplies the rows of tensors in the network. That is right where each
tensor on the way from the points to the outputs has them along its first axis, in their order.
Nothing is kept that is not proved to be here.
"""

import tensorflow as tf

from kpinn.derivatives.point_labels import ELEMENTWISE
from kpinn.derivatives.tensorflow_private import function_graph

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_REDUCTIONS = ("EuclideanNorm", "Max", "Mean", "Min", "Prod", "Sum")
_WITHOUT_VALUES = ("Shape", "ZerosLike", "OnesLike", "Size", "Rank")


def keeps_rows(graph):
    """Whether all tensors of a graph that depend on its first input keep its rows.

    Args:
        graph: the graph of a `ConcreteFunction`, whose first input is `(n, d)`.
    """
    return _walk(graph, {graph.inputs[0].name})


def _walk(graph, rows):
    for operation in graph.get_operations():
        moving = [i for i, tensor in enumerate(operation.inputs) if tensor.name in rows]
        if not moving or operation.type in _WITHOUT_VALUES:
            continue
        if operation.type in _CALLS:
            inner = function_graph(graph, operation.get_attr("f").name)
            if not _walk(inner, {inner.inputs[i].name for i in moving}):
                return False
        elif operation.type not in RULES or not RULES[operation.type](operation, moving):
            return False
        rows |= {tensor.name for tensor in operation.outputs}
    return True


def _elementwise(operation, moving):
    """Of tensors of the same rank: otherwise rows are not along the first axis of the longest."""
    rank = operation.outputs[0].shape.rank
    return rank is not None and all(operation.inputs[i].shape.rank == rank for i in moving)


def _matrix_product(operation, moving):
    return moving == [0] and not operation.get_attr("transpose_a")


def _batch_matrix_product(operation, moving):
    ranks = {operation.inputs[i].shape.rank for i in moving} | {operation.outputs[0].shape.rank}
    return len(ranks) == 1 and None not in ranks and min(ranks) > 2


def _einsum(operation, moving):
    inputs, _, output = operation.get_attr("equation").decode().replace(" ", "").partition("->")
    first = {inputs.split(",")[i][:1] for i in moving}
    return first == {output[:1]} and output[:1].isalpha()


def _not_along(position):
    """Of operations along axes that an input gives."""

    def rule(operation, moving):
        axes = tf.get_static_value(operation.inputs[position])
        rank = operation.inputs[moving[0]].shape.rank
        if axes is None or rank is None or position % len(operation.inputs) in moving:
            return False
        return 0 not in {int(axis) % rank for axis in axes.reshape(-1)}

    return rule


def _of_last_axis(operation, moving):
    return operation.inputs[0].shape.rank not in (None, 1)


def _expanded(operation, moving):
    axis = tf.get_static_value(operation.inputs[1])
    rank = operation.inputs[0].shape.rank
    return axis is not None and rank is not None and int(axis.reshape(-1)[0]) % (rank + 1) > 0


def _stacked(operation, moving):
    rank = operation.outputs[0].shape.rank
    return rank is not None and operation.get_attr("axis") % rank > 0


def _unstacked(operation, moving):
    rank = operation.inputs[0].shape.rank
    return rank is not None and operation.get_attr("axis") % rank > 0


def _squeezed(operation, moving):
    axes, rank = operation.get_attr("squeeze_dims"), operation.inputs[0].shape.rank
    return bool(axes) and rank is not None and all(axis % rank > 0 for axis in axes)


def _sliced(operation, moving):
    """The whole of the first axis: `x[:, 1:2]`."""
    masks = [operation.get_attr(name) for name in ("begin_mask", "end_mask")]
    others = ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    strides = tf.get_static_value(operation.inputs[3])
    if moving != [0] or strides is None or strides[0] != 1:
        return False
    return all(m & 1 for m in masks) and not any(operation.get_attr(name) & 1 for name in others)


def _reshaped(operation, moving):
    """Where only the first axis has an unknown size, and the others hold as many entries."""
    before, after = operation.inputs[0].shape, operation.outputs[0].shape
    if moving != [0] or not before.rank or not after.rank:
        return False
    inner = before[1:].num_elements()
    return before[0] is after[0] is None and inner is not None and inner == after[1:].num_elements()


def _transposed(operation, moving):
    order = tf.get_static_value(operation.inputs[1])
    return moving == [0] and order is not None and order[0] == 0


RULES = {
    **dict.fromkeys(ELEMENTWISE | {"StopGradient"}, _elementwise),
    **dict.fromkeys(_REDUCTIONS, _not_along(1)),
    **dict.fromkeys(("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), _batch_matrix_product),
    **dict.fromkeys(("LogSoftmax", "Softmax"), _of_last_axis),
    "BiasAdd": _of_last_axis,
    "ConcatV2": _not_along(-1),
    "Einsum": _einsum,
    "ExpandDims": _expanded,
    "IdentityN": lambda operation, moving: True,
    "MatMul": _matrix_product,
    "Pack": _stacked,
    "Reshape": _reshaped,
    "Split": _not_along(0),
    "SplitV": _not_along(2),
    "Squeeze": _squeezed,
    "StridedSlice": _sliced,
    "Transpose": _transposed,
    "Unpack": _unstacked,
}
