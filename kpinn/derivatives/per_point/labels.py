"""Which point each entry of a tensor belongs to, and how operations carry that on.

Labels are an array that broadcasts to the shape of a tensor, as small as it can be: for an entry
that depends on parameters for point `i` only `i + 1`, and zero for one that does not depend on
them. A rule gives the labels of an operation's outputs from those of its inputs. It raises
`MixedError` where an entry would belong to several points; so does an operation without a rule.
"""

import contextlib

import numpy as np
import tensorflow as tf

from kpinn.derivatives.emission import emit
from kpinn.derivatives.errors import describe


class MixedError(Exception):
    """Points that influence each other, as far as can be known."""


def labels_of_points(count, rank):
    """Labels of a tensor with one row for each point."""
    return np.arange(1, count + 1).reshape([-1] + [1] * (rank - 1))


def carry(operation, labels):
    """Labels of the outputs of an operation.

    Args:
        operation: a `tf.Operation`.
        labels: dict from the positions of inputs to their labels; the others have none.

    Returns:
        A list with labels for each output.

    Raises:
        MixedError: if an entry belongs to several points, or that is not known.
    """
    tensors = [operation.inputs[i] for i in labels] + list(operation.outputs)
    if operation.type not in RULES or not all(t.shape.is_fully_defined() for t in tensors):
        raise MixedError(f"{describe(operation)} may mix the points")
    try:
        found = [_compact(each) for each in RULES[operation.type](operation, labels)]
    except MixedError:
        raise MixedError(f"{describe(operation)} may mix the points") from None
    return [_same(each, labels.values()) for each in found]


def _same(labels, known):
    """One array for equal labels, since a graph has many tensors."""
    return next((each for each in known if np.array_equal(each, labels)), labels)


def static(tensor):
    """The value of a tensor that is known when the graph is built, else `None`."""
    value, operation = tf.get_static_value(tensor), tensor.op
    if value is not None or operation.type not in _FOLDED:
        return value
    inputs = [static(each) for each in operation.inputs]
    if any(each is None for each in inputs):
        return None
    with tf.init_scope():
        outputs = emit(operation, [tf.constant(each) for each in inputs])
        return outputs[tensor.value_index].numpy()


# Arrays of labels --------------------------------------------------------------------------


def _compact(labels):
    """The labels of one entry along each axis where all entries that have one have the same."""
    for axis in range(labels.ndim):
        with contextlib.suppress(MixedError):
            labels = _join(labels, (axis,))
    return labels


def _combine(labels):
    """Entries that are computed from the entries of several tensors at the same place."""
    total = labels[0]
    for each in labels[1:]:
        if np.any((total != each) & (total != 0) & (each != 0)):
            raise MixedError
        total = np.maximum(total, each)
    return total


def _join(labels, axes):
    """Entries that are computed from all entries along some axes, which remain with size one."""
    axes = tuple(axis for axis in axes if labels.shape[axis] > 1)
    if not axes:
        return labels
    highest = labels.max(axis=axes, keepdims=True)
    if np.any((labels != highest) & (labels != 0)):
        raise MixedError
    return highest


def _with_rank(labels, rank):
    return labels.reshape([1] * (rank - labels.ndim) + list(labels.shape))


# Rules -------------------------------------------------------------------------------------


def _elementwise(operation, labels):
    rank = operation.outputs[0].shape.rank
    return [_combine([_with_rank(each, rank) for each in labels.values()])]


def _moved(operation, labels):
    """An operation that copies entries to other places, which is run on the labels."""
    inputs = []
    for i, tensor in enumerate(operation.inputs):
        if i in labels:
            inputs.append(np.broadcast_to(labels[i], tensor.shape).astype(float))
        elif tensor.dtype.is_floating:
            inputs.append(np.zeros(tensor.shape))
        else:
            inputs.append(static(tensor))
    if any(value is None for value in inputs):
        raise MixedError
    with tf.init_scope():
        outputs = emit(operation, [tf.constant(value) for value in inputs])
        return [output.numpy().astype(int) for output in outputs]


def _reduced(operation, labels):
    axes = static(operation.inputs[1])
    if axes is None or set(labels) != {0}:
        raise MixedError
    axes = tuple({int(axis) % operation.inputs[0].shape.rank for axis in np.ravel(axes)})
    joined = _join(labels[0], axes)
    return [joined if operation.get_attr("keep_dims") else joined.squeeze(axes)]


def _along_axis(operation, labels):
    """Along an axis that an input gives, which stays."""
    axis = static(operation.inputs[1])
    if axis is None or set(labels) != {0}:
        raise MixedError
    return [_join(labels[0], (int(axis) % labels[0].ndim,))]


def _along_last_axis(operation, labels):
    return [_join(labels[0], (labels[0].ndim - 1,))]


def _matrix_product(operation, labels):
    prefix = "adj_" if operation.type.startswith("Batch") else "transpose_"
    names = ("x", "y") if prefix == "adj_" else ("a", "b")
    found = []
    for i, each in labels.items():
        turned = operation.get_attr(prefix + names[i])
        contracted = (-1, -2)[i] if not turned else (-2, -1)[i]
        joined = _join(each, (contracted,))
        found.append(np.swapaxes(joined, -1, -2) if turned else joined)
    rank = operation.outputs[0].shape.rank
    return [_combine([_with_rank(each, rank) for each in found])]


def einsum_terms(operation):
    """The letters of the inputs and of the output.

    Raises:
        MixedError: for an ellipsis or a letter that is repeated within an input.
    """
    inputs, output = operation.get_attr("equation").decode().replace(" ", "").split("->")
    inputs = inputs.split(",")
    if "." in output or any(len(set(letters)) < len(letters) for letters in inputs):
        raise MixedError
    return inputs, output


def _einsum(operation, labels):
    inputs, output = einsum_terms(operation)
    found = []
    for i, each in labels.items():
        letters = inputs[i]
        gone = [axis for axis, letter in enumerate(letters) if letter not in output]
        joined = _join(each, gone).squeeze(tuple(gone))
        kept = [letter for letter in letters if letter in output]
        order = sorted(range(len(kept)), key=lambda k: output.index(kept[k]))
        sizes = dict(zip(kept, joined.shape, strict=True))
        found.append(joined.transpose(order).reshape([sizes.get(letter, 1) for letter in output]))
    return [_combine(found)]


def _by_sample(*positions):
    """Along the first axis each entry from the same one of some inputs, as convolutions do."""

    def rule(operation, labels):
        output = operation.outputs[0].shape
        if not set(labels) <= set(positions):
            raise MixedError
        if any(operation.inputs[i].shape[0] != output[0] for i in labels):
            raise MixedError
        joined = [_join(each, range(1, each.ndim)) for each in labels.values()]
        return [_combine([each.reshape([-1] + [1] * (output.rank - 1)) for each in joined])]

    return rule


ELEMENTWISE = frozenset(
    """
    Abs Acos Acosh Add AddN AddV2 Asin Asinh Atan Atan2 Atanh Cast Ceil CheckNumerics ClipByValue
    Cos Cosh Digamma Div DivNoNan Elu EluGrad Erf Erfc Erfinv Exp Expm1 Floor FloorDiv FloorMod
    Identity Inv InvGrad LeakyRelu LeakyReluGrad Lgamma Log Log1p Maximum Minimum Mod Mul MulNoNan
    Neg Pow PreventGradient RealDiv Reciprocal ReciprocalGrad Relu ReluGrad Relu6 Relu6Grad Rint
    Round Rsqrt RsqrtGrad SelectV2 Selu SeluGrad Sigmoid SigmoidGrad Sign Sin Sinh Snapshot Softplus
    SoftplusGrad Softsign SoftsignGrad Sqrt SqrtGrad Square SquaredDifference Sub Tan Tanh TanhGrad
    Xdivy Xlog1py Xlogy
    """.split()
)
# What shapes and axes are computed by, which `tf.get_static_value` knows in part.
_FOLDED = """
    AddV2 BroadcastGradientArgs Cast ConcatOffset ConcatV2 DynamicStitch ExpandDims Fill FloorDiv
    FloorMod GatherV2 Maximum Mul Neg Pack Prod Range Reshape Shape Slice StridedSlice Sub Sum
    """.split()
MATRIX_PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
CONVOLUTIONS = ("Conv2D", "Conv3D", "DepthwiseConv2dNative")
BACKWARD_CONVOLUTIONS = ("Conv2DBackpropInput", "Conv3DBackpropInputV2")
BACKWARD_CONVOLUTIONS += ("DepthwiseConv2dNativeBackpropInput",)
_MOVES = """
    BroadcastTo ConcatV2 EnsureShape ExpandDims GatherNd GatherV2 MatrixDiag MatrixDiagPart
    MirrorPad Pack Pad Reshape ReverseV2 Roll Slice Split SplitV Squeeze StridedSlice
    StridedSliceGrad Tile Transpose Unpack
    """
RULES = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(MATRIX_PRODUCTS, _matrix_product),
    **dict.fromkeys(_MOVES.split(), _moved),
    **dict.fromkeys(CONVOLUTIONS, _by_sample(0)),
    **dict.fromkeys(BACKWARD_CONVOLUTIONS, _by_sample(2)),
    **dict.fromkeys(("AvgPool", "AvgPool3D", "MaxPool", "MaxPool3D"), _by_sample(0)),
    **dict.fromkeys(("AvgPoolGrad", "AvgPool3DGrad"), _by_sample(1)),
    **dict.fromkeys(("MaxPoolGrad", "MaxPoolGradGrad"), _by_sample(0, 1, 2)),
    **dict.fromkeys(("EuclideanNorm", "Max", "Mean", "Min", "Prod", "Sum"), _reduced),
    **dict.fromkeys(("Cumprod", "Cumsum"), _along_axis),
    **dict.fromkeys(("LogSoftmax", "Softmax"), _along_last_axis),
    "BiasAdd": lambda operation, labels: [labels[0]],
    "Einsum": _einsum,
}
