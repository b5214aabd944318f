"""Whether points keep apart: row `i` of the outputs is computed from row `i` of the inputs.

It is proved from a trace for a few points, through which the rules of the table carry labels that
say which point an entry depends on.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from kpinn.derivatives.context import COMMON
from kpinn.derivatives.errors import UnsupportedError, describe
from kpinn.derivatives.graphs.tracing import TraceError, trace
from kpinn.derivatives.graphs.walker import walk
from kpinn.derivatives.operations import facts_of
from kpinn.derivatives.operations.labels import MixedError, UnknownError, labels_of_points
from kpinn.derivatives.operations.table import follow

COUNT = 7  # points in the trace; a number that sizes of layers seldom have


def keeps_rows(function, size, dtype):
    """Whether all tensors whose derivatives are not zero have a row for each point, in their order.

    A factor for each point multiplies the rows of tensors in a network: that is right where each
    tensor on the way from the points to the outputs has them along its first axis.

    Args:
        function: `(n, size) -> (n, m)`.
        size: number of columns of its input.
        dtype: dtype of its input.
    """

    def interpretation(operation, inputs):
        if facts_of(operation).is_constant or not _is_floating(operation):
            return [None] * len(operation.outputs)
        return _checked(operation.outputs, follow(operation, inputs), COUNT)

    try:
        graph = trace(function, size, dtype, COUNT, exactly=True).graph
        walk(graph, _labels_of_input(graph), interpretation)
    except (MixedError, TraceError, UnsupportedError):
        return False
    return True


@dataclasses.dataclass(frozen=True)
class Mixed:
    """Why a point of the outputs may depend on others.

    Attributes:
        reason: a text.
        operation: the `tf.Operation` that takes points together; `None` where that is not known.
    """

    reason: str
    operation: tf.Operation | None = None


def why_mixed(graph):
    """Why a point of the outputs may depend on others, a `Mixed`; `None` if it is proved not to.

    Values count, and not their derivatives only: what is subtracted by `x - stop_gradient(mean(x))`
    is of all points.

    Args:
        graph: that of a function `(n, d) -> (n, ...)`, traced for a fixed number of points.
    """
    labels = _labels_of_input(graph)
    try:
        _checked(graph.outputs, walk(graph, labels, _follow), graph.inputs[0].shape[0])
    except (UnknownError, UnsupportedError) as error:
        return Mixed(str(error))
    except MixedError as error:
        return Mixed(str(error), _origin(error.operation, labels, graph.inputs[0].shape[0]))
    return None


def _follow(operation, inputs):
    """`follow`, but for what is the same for all points by intention."""
    if COMMON in operation.name:
        return [None] * len(operation.outputs)
    return follow(operation, inputs)


def _origin(operation, labels, count):
    """The first operation on the way to one that mixes points whose rows are not theirs."""
    while True:
        rows = [t for t in operation.inputs if not _is_own(labels.get(t.name), t, count)]
        if not rows or rows[0].op.type == "Placeholder" or _joins(operation):
            return operation
        operation = rows[0].op


def _joins(operation):
    """Whether it takes entries of its inputs together, and not those at the same place only."""
    facts = facts_of(operation)
    return facts.along not in (None, ()) and not facts.is_reshaping


def _is_own(labels, tensor, count):
    """Whether each entry with points is in the row of its point."""
    if labels is None:
        return True
    own = labels_of_points(count, tensor.shape.rank) if tensor.shape.rank else 0
    return tensor.shape[:1] == [count] and not np.any((labels != own) & (labels != 0))


def _labels_of_input(graph):
    points = graph.inputs[0]
    return {points.name: labels_of_points(points.shape[0], points.shape.rank)}


def _is_floating(operation):
    return any(tensor.dtype.is_floating for tensor in operation.outputs)


def _checked(tensors, labels, count):
    """The labels of tensors; raises `MixedError` where an entry is not in the row of its point."""
    for tensor, each in zip(tensors, labels, strict=True):
        if not _is_own(each, tensor, count):
            reason = f"{describe(tensor.op)} does not have a row for each point, in order"
            error = MixedError(reason)
            error.operation = tensor.op
            raise error
    return labels
