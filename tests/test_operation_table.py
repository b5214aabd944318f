"""The table of operations: labels by point against what changes when a point does."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

import kpinn
from kpinn.derivatives.channels.channels_per_point import channels_per_point
from kpinn.derivatives.graphs.tracing import trace
from kpinn.derivatives.operations.labels import MixedError
from kpinn.derivatives.operations.table import TABLE, carry
from kpinn.derivatives.per_point.gradients import point_gradients
from kpinn.derivatives.per_point.keeps_rows import why_mixed

COUNT = 5  # points; no other axis of an input has this size
RNG = np.random.default_rng(0)


class Rows:
    """An input with points; numbers between 0.1 and 0.9, unless `make` does something with them."""

    def __init__(self, *shape, make=lambda x: x):
        self.shape, self.make = shape, make

    def draw(self):
        return self.make(RNG.uniform(0.1, 0.9, self.shape))


def definite(x):
    return x @ np.swapaxes(x, -1, -2) + 2.0 * np.eye(x.shape[-1])


def rows(*shape, **options):
    return Rows(COUNT, *shape, **options)


def weights(*shape):
    return RNG.uniform(0.1, 0.9, shape)


MATRICES = {"make": definite}
IMAGES, VOLUMES = rows(6, 4, 2), rows(6, 4, 3, 2, make=np.float32)
POOL = {"strides": [1, 2, 2, 1], "padding": "VALID", "ksize": [1, 2, 2, 1]}
POOL3D = {"strides": [1, 2, 2, 1, 1], "padding": "SAME", "ksize": [1, 2, 2, 1, 1]}
CONV = {"strides": [1, 1, 1, 1], "padding": "SAME"}
CONV3D = {"strides": [1] * 5, "padding": "SAME"}
POOLED, POOLED3D = rows(3, 2, 2), rows(3, 2, 3, 2, make=np.float32)
IDS = [1, 0, 2, 3, 4]
SIZE = {"align_corners": False, "half_pixel_centers": True}
TWICE = {"x": rows(3, 3), "y": rows(3, 3)}
CASES = {  # arguments of the raw operation
    "AddN": {"inputs": [rows(3), rows(3)]},
    "All": {"input": rows(3, make=lambda x: x > 0.2), "axis": 1},
    "Any": {"input": rows(3, make=lambda x: x > 0.7), "axis": 1},
    "ArgMax": {"input": rows(3), "dimension": 1},
    "ArgMin": {"input": rows(3), "dimension": 1},
    "AvgPool": {"value": IMAGES, **POOL},
    "AvgPool3D": {"input": VOLUMES, **POOL3D},
    "AvgPoolGrad": {"orig_input_shape": [COUNT, 6, 4, 2], "grad": POOLED, **POOL},
    "AvgPool3DGrad": {"orig_input_shape": [COUNT, 6, 4, 3, 2], "grad": POOLED3D, **POOL3D},
    "BatchMatMul": TWICE,
    "BatchMatMulV2": {"x": rows(3, 2), "y": rows(4, 3), "adj_x": True, "adj_y": True},
    "BatchMatMulV3": {"x": rows(2, 3), "y": weights(3, 4), "Tout": tf.float64},
    "BatchToSpaceND": {"input": rows(2, 3), "block_shape": [1], "crops": [[0, 0]]},
    "BiasAdd": {"value": rows(3), "bias": weights(3)},
    "BiasAddV1": {"value": rows(2, 3), "bias": weights(3)},
    "BroadcastTo": {"input": rows(1), "shape": [COUNT, 3]},
    "Cholesky": {"input": rows(3, 3, **MATRICES)},
    "ClipByValue": {"t": rows(3), "clip_value_min": 0.3, "clip_value_max": 0.7},
    "ConcatV2": {"values": [rows(3), rows(2)], "axis": 1},
    "Conv2D": {"input": IMAGES, "filter": weights(3, 3, 2, 3), **CONV},
    "Conv2DBackpropInput": {
        "input_sizes": [COUNT, 6, 4, 2],
        "filter": weights(3, 3, 2, 3),
        "out_backprop": rows(6, 4, 3),
        **CONV,
    },
    "Conv3D": {"input": rows(6, 4, 3, 2), "filter": weights(2, 2, 2, 2, 3), **CONV3D},
    "Conv3DBackpropInputV2": {
        "input_sizes": [COUNT, 6, 4, 3, 2],
        "filter": weights(2, 2, 2, 2, 3),
        "out_backprop": rows(6, 4, 3, 3),
        **CONV3D,
    },
    "CopyHost": {"input": rows(3), "debug_ops_spec": []},
    "Cross": {"a": rows(2, 3), "b": rows(2, 3)},
    "Cumprod": {"x": rows(3), "axis": -1},
    "Cumsum": {"x": rows(3), "axis": 1, "reverse": True},
    "CumulativeLogsumexp": {"x": rows(3), "axis": 1},
    "DepthToSpace": {"input": rows(2, 3, 8), "block_size": 2},
    "DepthwiseConv2dNative": {"input": IMAGES, "filter": weights(3, 3, 2, 2), **CONV},
    "DepthwiseConv2dNativeBackpropInput": {
        "input_sizes": [COUNT, 6, 4, 2],
        "filter": weights(3, 3, 2, 2),
        "out_backprop": rows(6, 4, 4),
        **CONV,
    },
    "Diag": {"diagonal": rows(3)},
    "DiagPart": {"input": rows(3, COUNT, 3)},
    "Einsum": {"inputs": [rows(3), rows(3, 2)], "equation": "ni,nij->nj"},
    "EnsureShape": {"input": rows(3), "shape": [None, 3]},
    "EuclideanNorm": {"input": rows(3), "axis": [1]},
    "ExpandDims": {"input": rows(3), "axis": 1},
    "ExtractImagePatches": {
        "images": IMAGES,
        "ksizes": [1, 2, 2, 1],
        "strides": [1, 1, 1, 1],
        "rates": [1, 1, 1, 1],
        "padding": "SAME",
    },
    "Gather": {"params": rows(3), "indices": [4, 0, 0]},
    "GatherNd": {"params": rows(3), "indices": [[1, 2], [0, 1]]},
    "GatherV2": {"params": rows(3), "indices": [2, 0], "axis": 1},
    "InTopKV2": {"predictions": rows(3, make=np.float32), "targets": [0, 1, 2, 1, 0], "k": 2},
    "L2Loss": {"t": rows(3)},
    "LogMatrixDeterminant": {"input": rows(3, 3, **MATRICES)},
    "LogSoftmax": {"logits": rows(3)},
    "LowerBound": {"sorted_inputs": rows(3, make=np.sort), "values": rows(3)},
    "MatMul": {"a": rows(3), "b": weights(3, 3), "transpose_b": True},
    "MatrixBandPart": {"input": rows(3, 3), "num_lower": 1, "num_upper": 0},
    "MatrixDeterminant": {"input": rows(3, 3)},
    "MatrixDiag": {"diagonal": rows(3)},
    "MatrixDiagPart": {"input": rows(3, 4)},
    "MatrixDiagPartV2": {"input": rows(3, 4), "k": [0, 1], "padding_value": 7.0},
    "MatrixDiagPartV3": {"input": rows(3, 4), "k": [-1, 1], "padding_value": 7.0},
    "MatrixDiagV2": {
        "diagonal": rows(3),
        "k": 1,
        "num_rows": -1,
        "num_cols": -1,
        "padding_value": 7.0,
    },
    "MatrixDiagV3": {
        "diagonal": rows(3),
        "k": -1,
        "num_rows": -1,
        "num_cols": -1,
        "padding_value": 7.0,
    },
    "MatrixInverse": {"input": rows(3, 3, **MATRICES)},
    "MatrixSetDiag": {"input": rows(3, 4), "diagonal": rows(3)},
    "MatrixSetDiagV2": {"input": rows(3, 4), "diagonal": rows(3), "k": 1},
    "MatrixSetDiagV3": {"input": rows(3, 4), "diagonal": rows(3), "k": 0},
    "MatrixSolve": {"matrix": rows(3, 3, **MATRICES), "rhs": rows(3, 3)},
    "MatrixTriangularSolve": {"matrix": rows(3, 3, **MATRICES), "rhs": rows(3, 3)},
    "Max": {"input": rows(3), "axis": 1},
    "MaxPool": {"input": IMAGES, **POOL},
    "MaxPool3D": {"input": VOLUMES, **POOL3D},
    "MaxPoolGrad": {"orig_input": IMAGES, "orig_output": POOLED, "grad": POOLED, **POOL},
    "MaxPool3DGrad": {"orig_input": VOLUMES, "orig_output": POOLED3D, "grad": POOLED3D, **POOL3D},
    "Mean": {"input": rows(3), "axis": [1], "keep_dims": True},
    "Min": {"input": rows(3, 2), "axis": [2, 1]},
    "MirrorPad": {"input": rows(3), "paddings": [[0, 0], [1, 1]], "mode": "REFLECT"},
    "Pack": {"values": [rows(3), rows(3)], "axis": 1},
    "Pad": {"input": rows(3), "paddings": [[0, 0], [1, 1]]},
    "PadV2": {"input": rows(3), "paddings": [[1, 0], [1, 1]], "constant_values": 7.0},
    "ParallelConcat": {"values": [Rows(1, 3), Rows(1, 3)], "shape": [2, 3]},
    "PlaceholderWithDefault": {"input": rows(3), "shape": [COUNT, 3]},
    "Polygamma": {"a": 2.0 + 0.0 * weights(3), "x": rows(3)},
    "Print": {"input": rows(3), "data": [], "summarize": 0, "message": "", "first_n": 0},
    "Prod": {"input": rows(3), "axis": -1},
    "ResizeBicubic": {"images": IMAGES, "size": [3, 3], **SIZE},
    "ResizeBilinear": {"images": IMAGES, "size": [7, 3], **SIZE},
    "ResizeNearestNeighbor": {"images": IMAGES, "size": [3, 3], **SIZE},
    "Reshape": {"tensor": rows(3, 2), "shape": [COUNT, 6]},
    "Reverse": {"tensor": rows(3), "dims": [True, True]},
    "ReverseSequence": {
        "input": rows(4),
        "seq_lengths": [4, 1, 2, 3, 2],
        "seq_dim": 1,
        "batch_dim": 0,
    },
    "ReverseV2": {"tensor": rows(3), "axis": [1]},
    "Roll": {"input": rows(3), "shift": [1], "axis": [1]},
    "ScaleAndTranslate": {
        "images": Rows(COUNT, 6, 4, 2, make=np.float32),
        "size": [4, 5],
        "scale": np.float32([0.7, 1.2]),
        "translation": np.float32([0.1, 0.2]),
    },
    "ScatterNd": {"indices": [[1], [0], [1], [2], [0]], "updates": rows(3), "shape": [4, 3]},
    "Select": {"condition": np.array([True, False, True, True, False]), "x": rows(3), "y": rows(3)},
    "SelectV2": {"condition": rows(3, make=lambda x: x > 0.5), "t": rows(3), "e": rows(3)},
    "Slice": {"input": rows(3), "begin": [1, 1], "size": [3, 2]},
    "Softmax": {"logits": rows(3)},
    "SoftmaxCrossEntropyWithLogits": {"features": rows(3), "labels": rows(3)},
    "SpaceToBatchND": {"input": rows(4, 3), "block_shape": [2], "paddings": [[0, 0]]},
    "SpaceToDepth": {"input": rows(4, 6, 2), "block_size": 2},
    "SparseMatMul": {
        "a": rows(3, make=np.float32),
        "b": np.float32(weights(3, 4)),
        "transpose_a": False,
    },
    "SparseTensorDenseMatMul": {
        "a_indices": [[0, 0], [1, 2], [0, 3], [3, 4]],
        "a_values": weights(4),
        "a_shape": [4, 5],
        "b": rows(3),
    },
    "Split": {"axis": 1, "value": rows(4), "num_split": 2},
    "SplitV": {"value": rows(4), "size_splits": [1, 3], "axis": 1, "num_split": 2},
    "Squeeze": {"input": rows(1, 3), "axis": [1]},
    "StridedSlice": {
        "input": rows(3),
        "begin": [0, 1],
        "end": [0, 2],
        "strides": [2, 1],
        "begin_mask": 1,
        "end_mask": 1,
        "shrink_axis_mask": 2,
    },
    "StridedSliceGrad": {
        "shape": [COUNT, 4],
        "begin": [0, 1],
        "end": [0, 3],
        "strides": [1, 1],
        "dy": rows(2),
        "begin_mask": 1,
        "end_mask": 1,
    },
    "Sum": {"input": rows(3), "axis": 1},
    "TensorScatterAdd": {"tensor": rows(3), "indices": [[0, 1], [3, 2]], "updates": weights(2)},
    "TensorScatterSub": {"tensor": rows(3), "indices": [[0, 1], [3, 2]], "updates": weights(2)},
    "TensorScatterUpdate": {
        "tensor": rows(3),
        "indices": [[i] for i in range(COUNT)],
        "updates": rows(3),
    },
    "Tile": {"input": rows(3), "multiples": [2, 2]},
    "TopKV2": {"input": rows(4), "k": 4},
    "Transpose": {"x": rows(3, 2), "perm": [1, 2, 0]},
    "Unpack": {"value": rows(3), "num": 3, "axis": 1},
    "UnsortedSegmentSum": {"data": rows(3), "segment_ids": IDS, "num_segments": 7},
    "UpperBound": {"sorted_inputs": rows(3, make=np.sort), "values": rows(3)},
}
WITHOUT_VALUES = (  # whose outputs do not depend on values, or which have none
    *("Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike", "BroadcastGradientArgs", "Const"),
    *("Placeholder", "ReadVariableOp", "Assert", "NoOp", "PrintV2", "StringFormat", "IdentityN"),
    *("TensorListElementShape", "TensorListLength", "AsString", "DeepCopy", "CopyHost"),
)


def of_each_element(kind):
    """Arguments of an operation on the elements of one input or two of the same shape."""
    names = [argument.name for argument in op_def_registry.get(kind).input_arg]
    low = 1.0 if kind == "Acosh" else 0.0
    is_logical = kind.startswith("Logical")
    one = rows(3, make=lambda x: x > 0.5 if is_logical else x + low)
    attributes = {"Cast": {"DstT": tf.float32}, "CheckNumerics": {"message": ""}}
    other = weights(3) > 0.5 if is_logical else weights(3)
    several = names[1:] and kind.endswith(("Grad", "ApproximateEqual"))
    return dict(zip(names, [one, one if several else other], strict=False)) | attributes.get(
        kind, {}
    )


def labelled():
    """Types with labels, and their arguments."""
    for kind, facts in TABLE.items():
        if not isinstance(facts.labels, str) and facts.rule and kind not in WITHOUT_VALUES:
            yield kind, CASES[kind] if kind in CASES else of_each_element(kind)


ARGUMENTS = dict(labelled())


def issued(kind, arguments):
    """The operation on placeholders for rows, and the positions of these among its inputs."""

    def placed(value):
        if isinstance(value, Rows):
            drawn = value.draw()
            return tf.compat.v1.placeholder(drawn.dtype, drawn.shape)
        return tf.constant(value) if isinstance(value, np.ndarray) else value

    with tf.Graph().as_default():
        arguments = {
            name: list(map(placed, value)) if _several(value) else placed(value)
            for name, value in arguments.items()
        }
        outputs = getattr(tf.raw_ops, kind)(**arguments)
        first = outputs[0] if isinstance(outputs, list | tuple) else outputs
        return first.op


def _several(value):
    return isinstance(value, list) and bool(value) and isinstance(value[0], Rows)


def evaluate(kind, arguments, drawn):
    """The outputs for drawn values of the rows."""
    values = iter(drawn)

    def placed(value):
        return tf.constant(next(values)) if isinstance(value, Rows) else value

    found = getattr(tf.raw_ops, kind)(
        **{
            name: list(map(placed, value)) if _several(value) else placed(value)
            for name, value in arguments.items()
        }
    )
    return [np.asarray(each) for each in (found if isinstance(found, list | tuple) else [found])]


def changes(kind, arguments, inputs, axes):
    """For each output a boolean array with, behind its own axes, the points that change it."""
    found = None
    for _ in range(4):
        drawn = [each.draw() for each in inputs]
        before, parts = evaluate(kind, arguments, drawn), []
        for point in range(COUNT):
            moved = [each.copy() for each in drawn]
            for value, each, axis in zip(moved, inputs, axes, strict=True):
                if axis is not None and point < value.shape[axis]:
                    place = (slice(None),) * axis + (point,)
                    value[place] = each.draw()[place]
            after = evaluate(kind, arguments, moved)
            pairs = zip(before, after, strict=True)
            parts.append([(a != b) & ~(_nan(a) & _nan(b)) for a, b in pairs])
        now = [np.stack(each, -1) for each in zip(*parts, strict=True)]
        found = now if found is None else [a | b for a, b in zip(found, now, strict=True)]
    return found


def _nan(value):
    return np.isnan(value) if value.dtype.kind == "f" else np.zeros(value.shape, bool)


def rows_of(arguments):
    """The rows among arguments, in the order of the inputs of the operation."""
    for value in arguments.values():
        if isinstance(value, Rows):
            yield value
        elif _several(value):
            yield from value


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_labels_are_the_points_that_change_an_output(kind):
    """For points along each axis: labels are right, or it is said that points are mixed."""
    arguments = ARGUMENTS[kind]
    inputs, operation = list(rows_of(arguments)), issued(kind, arguments)
    assert operation.type == kind and inputs
    positions = [i for i, t in enumerate(operation.inputs) if t.op.type == "Placeholder"]
    proved = []
    for axis in range(len(inputs[0].shape)):
        axes = [axis if axis < len(each.shape) else None for each in inputs]
        labels = {}
        for i, each, where in zip(positions, inputs, axes, strict=True):
            if where is not None:
                shape = [-1 if a == where else 1 for a in range(len(each.shape))]
                labels[i] = np.arange(1, each.shape[where] + 1).reshape(shape)
        try:
            found = carry(operation, labels)
        except MixedError:
            continue
        proved.append(axis)
        for label, points in zip(found, changes(kind, arguments, inputs, axes), strict=True):
            label = np.broadcast_to(label, points.shape[:-1])
            assert not np.any(points & (label[..., None] != np.arange(1, COUNT + 1)))
    together = ("L2Loss", "ScatterNd", "SparseTensorDenseMatMul", "ParallelConcat")  # the points
    assert 0 in proved or (proved and kind in together) or kind == "L2Loss"


def test_operations_with_a_rule_and_no_label():
    reasons = {k: f.labels for k, f in TABLE.items() if f.rule and isinstance(f.labels, str)}
    assert len(reasons) <= 15
    assert not any(
        "does not say" in reason or "has no rule" in reason for reason in reasons.values()
    )


# Jacobians -------------------------------------------------------------------------------------


def jacobians(function):
    """By point, one backward pass for each row, and what was reported; of weights `(2, 4)`."""
    points = tf.constant(RNG.uniform(0.1, 0.9, (COUNT, 2)))
    weights = tf.Variable(RNG.uniform(0.1, 0.9, (2, 4)))
    reports = []

    @tf.function(autograph=False)
    def compute():
        x = tf.identity(points)
        with tf.GradientTape(persistent=True) as tape, channels_per_point():
            found = function(tf.tanh(x @ weights))
        given = {"f": [x]}
        by_point = point_gradients(
            {"f": found}, [weights], given, tape, lambda *report: reports.append(report)
        )
        matrices = [column[0].matrix(COUNT, 8, found.dtype) for column in by_point["f"]]
        return tf.stack(matrices, 1)

    @tf.function(autograph=False)
    def one_row_after_the_other():
        with tf.GradientTape() as tape:
            found = function(tf.tanh(points @ weights))
        return tape.jacobian(found, weights, experimental_use_pfor=False)

    expected = one_row_after_the_other()
    return compute(), tf.reshape(expected, (*expected.shape[:2], -1)), reports


def matrices_of(h):
    """Positive definite ones, `(n, 2, 2)`."""
    square = tf.reshape(h, (-1, 2, 2))
    return square @ tf.linalg.matrix_transpose(square) + tf.eye(2, dtype=h.dtype)


def flat(h):
    return tf.reshape(h, (COUNT, -1))


def of_each_row(h):
    """An operation on the rows of a table that is picked from for each point."""
    return tf.tensor_scatter_nd_add(h, [[0, 1], [3, 2]], tf.constant([1.0, 2.0], h.dtype)) ** 2


APART = {
    "Cholesky": lambda h: flat(tf.linalg.cholesky(matrices_of(h))),
    "MatrixSolve": lambda h: flat(tf.linalg.solve(matrices_of(h), h[:, :2, None])),
    "MatrixTriangularSolve": lambda h: flat(
        tf.linalg.triangular_solve(matrices_of(h), h[:, :2, None])
    ),
    "MatrixInverse": lambda h: flat(tf.linalg.inv(matrices_of(h))),
    "MatrixDeterminant": lambda h: tf.linalg.det(matrices_of(h))[:, None],
    "LogMatrixDeterminant": lambda h: tf.linalg.slogdet(matrices_of(h))[1][:, None],
    "TopKV2": lambda h: tf.math.top_k(h, 2)[0],
    "Cross": lambda h: tf.linalg.cross(h[:, :3], h[:, 1:] ** 2),
    "PadV2": lambda h: tf.pad(h, [[1, 1], [0, 1]], constant_values=3.0)[1:-1] ** 2,
    "MatrixBandPart": lambda h: flat(tf.linalg.band_part(tf.reshape(h, (-1, 2, 2)), 0, 1)),
    "MatrixDiagV3": lambda h: flat(tf.linalg.diag(h) @ h[:, :, None]),
    "MatrixDiagPartV3": lambda h: tf.linalg.diag_part(matrices_of(h)),
    "MatrixSetDiagV3": lambda h: flat(tf.linalg.set_diag(matrices_of(h), h[:, 2:])),
    "CumulativeLogsumexp": lambda h: tf.math.cumulative_logsumexp(h, 1),
    "SoftmaxCrossEntropyWithLogits": lambda h: tf.nn.softmax_cross_entropy_with_logits(
        tf.nn.softmax(h[:, :2]), h[:, 2:]
    )[:, None],
    "TensorScatterAdd": of_each_row,
    "TensorScatterUpdate": lambda h: tf.tensor_scatter_nd_update(h, [[2, 1]], h[2:3, 0]) ** 2,
    "ScatterNd": lambda h: tf.scatter_nd([[4], [3], [2], [1], [0]], h[::-1], (COUNT, 4)) ** 2,
    "UnsortedSegmentSum": lambda h: tf.math.unsorted_segment_sum(h, [0, 1, 2, 3, 4], COUNT) ** 2,
    "SparseTensorDenseMatMul": lambda h: tf.sparse.sparse_dense_matmul(
        tf.sparse.eye(COUNT, dtype=h.dtype), h
    ),
    "SpaceToDepth": lambda h: flat(tf.nn.space_to_depth(tf.reshape(h, (-1, 2, 2, 1)), 2)),
    "ResizeBilinear": lambda h: flat(
        tf.cast(tf.image.resize(tf.reshape(h, (-1, 2, 2, 1)), (3, 3)), h.dtype)
    ),
    "ReverseSequence": lambda h: tf.reverse_sequence(h, [4, 1, 2, 3, 2], seq_axis=1) ** 2,
    "Polygamma": lambda h: tf.math.polygamma(tf.constant(2.0, h.dtype), h + 1.0),
    "two products": lambda h: tf.transpose(tf.reduce_sum(tf.transpose(h) ** 2, 0, keepdims=True)),
}
TOGETHER = {
    "mean of a transpose": lambda h: h * tf.transpose(tf.reduce_mean(tf.transpose(h), 1, True)),
    "Cholesky": lambda h: tf.linalg.cholesky(h @ tf.transpose(h) + tf.eye(COUNT, dtype=h.dtype)),
    "MatrixSolve": lambda h: tf.linalg.solve(
        tf.linalg.diag(tf.ones([COUNT], h.dtype)) + 0.1 * tf.linalg.diag(h[1:, 0], k=1), h
    ),
    "TopKV2": lambda h: tf.transpose(tf.math.top_k(tf.transpose(h), COUNT)[0]),
    "PadV2": lambda h: tf.pad(h, [[1, 0], [0, 0]], constant_values=3.0)[:-1],
    "ScatterNd": lambda h: tf.scatter_nd([[1], [0], [2], [3], [3]], h, (COUNT, 4)),
    "Roll": lambda h: tf.roll(h, 1, 0),
    "CumulativeLogsumexp": lambda h: tf.math.cumulative_logsumexp(h, 0),
}


@pytest.mark.parametrize("name", APART)
def test_jacobians_where_points_are_apart(name):
    found, expected, reports = jacobians(APART[name])
    assert not reports
    np.testing.assert_allclose(
        found, expected, rtol=1e-6 if "Resize" in name else 1e-11, atol=1e-12
    )


@pytest.mark.parametrize("name", TOGETHER)
def test_jacobians_where_points_are_not(name):
    found, expected, reports = jacobians(TOGETHER[name])
    assert len(reports) == 1 and reports[0][0] == "f"
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


# What users register ---------------------------------------------------------------------------


def bessel(x, order):
    """The tower of `exp(-|x|) I_0(x)`, of positive `x` and order one at most."""
    first = tf.math.bessel_i0e(x)
    return [first, tf.math.bessel_i1e(x) - first][: order + 1]


BESSEL = tf.math.bessel_i0e
OWN = {  # types, how they are registered, and a function of `(n, 4)`
    "elementwise": ("BesselI0e", lambda of: of.elementwise(bessel), BESSEL),
    "composite": ("BesselI0e", lambda of: of.composite(lambda x: tf.exp(-x) * x), BESSEL),
    "linear": (
        "SpaceToBatch",
        lambda of: of.linear(),
        lambda h: flat(
            tf.raw_ops.SpaceToBatch(
                input=tf.reshape(h, (COUNT, 2, 2, 1)), paddings=[[0, 0]] * 2, block_size=2
            )[:COUNT]
        ),
    ),
    "bilinear": ("Cross", lambda of: of.bilinear(), APART["Cross"]),
}


@pytest.mark.parametrize("name", OWN)
def test_what_a_definer_knows(name):
    kind, rule, function = OWN[name]
    TABLE.pop(kind, None)
    before = jacobians(function)
    assert len(before[2]) == 1
    kpinn.derivatives.register(kind)(rule(kpinn.derivatives))
    after = jacobians(function)
    assert not after[2]
    for found, expected, _ in (before, after):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("axis", (0, 1))
@pytest.mark.parametrize("definer", ("linear", "composite"))
def test_a_definer_finds_out_along_which_axis_points_are_mixed(definer, axis):
    rules = {"linear": (), "composite": (lambda x, _: tf.matmul(*_sums(x, axis)),)}
    TABLE.pop("Cumsum")
    kpinn.derivatives.register("Cumsum")(getattr(kpinn.derivatives, definer)(*rules[definer]))
    found, expected, messages = jacobians(lambda h: tf.cumsum(h, axis))
    assert len(messages) == (axis == 0)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def _sums(x, axis):
    """Matrices whose product is the cumulative sum of `x`."""
    triangle = tf.linalg.band_part(tf.ones([x.shape[axis]] * 2, x.dtype), -1, 0)
    return (triangle, x) if axis == 0 else (x, tf.transpose(triangle))


@pytest.mark.parametrize("along, reports", [({}, 1), ({"along": -1}, 0), ({"along": (0, 1)}, 1)])
def test_what_a_plain_rule_may_say(along, reports):
    TABLE.pop("LogSoftmax")
    kpinn.derivatives.register("LogSoftmax", **along)(lambda call, x: None)
    found, expected, messages = jacobians(tf.nn.log_softmax)
    assert len(messages) == reports
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def test_a_constant_with_a_gradient_in_tensorflow_is_reported():
    kpinn.derivatives.register("Softsign")(kpinn.derivatives.constant())
    found, expected, messages = jacobians(tf.nn.softsign)
    assert len(messages) == 1
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def test_unknown_facts_are_refused():
    with pytest.raises(TypeError, match="register got 'axis': expected facts such as along=-1"):
        kpinn.derivatives.register("Softsign", axis=-1)


def test_print_passes_derivatives_on():
    """It returns its input; its derivatives were taken for zero."""

    def printed(x):
        return tf.raw_ops.Print(input=x * x, data=[], summarize=0, message="", first_n=0)

    values = kpinn.derivatives(printed, {"x": [0.5]}, "u_x, u_xx")
    assert [float(values[name][0, 0]) for name in ("u_x", "u_xx")] == [1.0, 2.0]


# Which points values depend on -----------------------------------------------------------------


PROOFS = {
    "rows": (lambda x: tf.nn.softmax(tf.tanh(x)), True),
    "transposed": (lambda x: tf.transpose(tf.reduce_sum(tf.transpose(x), 0, keepdims=True)), True),
    "mean after a transpose": (
        lambda x: x - tf.transpose(tf.reduce_mean(tf.transpose(x), 1, keepdims=True)),
        False,
    ),
    "mean that is stopped": (lambda x: x - tf.stop_gradient(tf.reduce_mean(x, 0)), False),
    "below the mean": (lambda x: tf.where(x < tf.reduce_mean(x), x, 2.0 * x), False),
    "picked by a value": (lambda x: tf.gather(x, tf.argmax(x, 0)), False),
    "the same for all": (lambda x: x * tf.cast(tf.shape(x)[0], x.dtype), True),
    "signs": (lambda x: tf.sign(x) * tf.floor(x) + tf.cast(x > 0, x.dtype), True),
    "changed places": (lambda x: x[::-1], False),
}


@pytest.mark.parametrize("name", PROOFS)
def test_a_proof_that_points_are_apart(name):
    function, apart = PROOFS[name]
    mixed = why_mixed(trace(function, 2, tf.float64, 7, exactly=True).graph)
    assert (mixed is None) == apart
    assert apart or "mix the points" in mixed.reason or "row for each point" in mixed.reason


# Which channels are needed ---------------------------------------------------------------------


def test_a_product_of_two_matrices_that_depend_on_the_point():
    """The Laplacian of it needs first derivatives of both, which were left out."""

    def function(x):
        return tf.matmul(tf.tanh(x), tf.transpose(tf.sin(x)))

    point = np.array([[0.5, 0.3]])
    slope = 1.0 - np.tanh(point) ** 2
    terms = 2.0 * slope * (np.cos(point) - np.tanh(point) * np.sin(point))
    expected = np.sum(terms - np.tanh(point) * np.sin(point))
    values = kpinn.derivatives(function, point, "laplacian_u", "x y")
    np.testing.assert_allclose(values["laplacian_u"], [[expected]], rtol=1e-13)


def test_channels_that_nobody_needs_are_left_out():
    """Behind the last activation the Laplacian needs none of the first derivatives."""
    weights = tf.constant(RNG.uniform(0.1, 0.9, (3, 1)))

    def products(requests):
        def function(x):
            return kpinn.derivatives(lambda x: tf.tanh(x) @ weights, x, requests, "x y z")

        spec = tf.TensorSpec((None, 3), tf.float64)
        graph = tf.function(function, autograph=False).get_concrete_function(spec).graph
        return sum(operation.type == "MatMul" for operation in graph.get_operations())

    assert products("laplacian_u") == 2
    assert products("u, grad_u, laplacian_u") == 5


# What is refused -------------------------------------------------------------------------------


def batch_norm(is_training):
    def function(x):
        one = tf.ones([1], tf.float32)
        images = tf.cast(x, tf.float32)[:, :, None, None]
        how = {"mean": 0.0 * one, "variance": one, "is_training": is_training}
        found = tf.raw_ops.FusedBatchNormV3(x=images, scale=one, offset=one, **how)
        return found.y[:, :, 0, 0]

    return function


SUMS = {  # over the points
    "batch statistics": batch_norm(True),
    "segments": lambda x: x + tf.math.segment_max(x, tf.range(tf.shape(x)[0]) // 2)[:1],
    "unsorted segments": lambda x: (
        x + tf.math.unsorted_segment_sum(x, 0 * tf.range(tf.shape(x)[0]), 1)
    ),
    "gradient of a bias": lambda x: x * tf.raw_ops.BiasAddGrad(out_backprop=x),
    "l2 loss": lambda x: x * tf.nn.l2_loss(x),
    "any axis": lambda x: x * tf.reduce_sum(x, [-2, 1]),
    "product": lambda x: x * tf.einsum("ni,ni->", x, x),
    "top": lambda x: x * tf.math.top_k(x[:, 0], 1)[0],
    "determinant": lambda x: x * tf.linalg.det(tf.linalg.diag(x[:, 0])),
}


@pytest.mark.parametrize("method", ("taylor", "reverse"))
@pytest.mark.parametrize("name", SUMS)
def test_sums_over_points_are_refused(name, method):
    with pytest.raises(ValueError, match="over the points"):
        kpinn.derivatives(SUMS[name], np.float32([[0.5], [0.7]]), "u_x", "x", method=method)


def test_batch_statistics_that_are_given_are_not_refused():
    values = kpinn.derivatives(
        batch_norm(False), np.float32([[0.5], [0.7]]), "u_x", "x", method="reverse"
    )
    np.testing.assert_allclose(values["u_x"], [[1.0 / np.sqrt(1.0001)]] * 2, rtol=1e-6)
