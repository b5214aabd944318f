"""Whether points keep apart: row `i` of the outputs is computed from row `i` of the inputs.

It is proved from a trace for a few points, through which the rules of the table carry labels that
say which point an entry depends on. What is not proved is taken for mixed.
"""

import numpy as np

from kpinn.derivatives.errors import UnsupportedError, describe
from kpinn.derivatives.graphs.tracing import TraceError, trace
from kpinn.derivatives.graphs.walker import walk
from kpinn.derivatives.operations import facts_of
from kpinn.derivatives.operations.labels import MixedError, labels_of_points
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
        _outputs(trace(function, size, dtype, COUNT, exactly=True).graph, interpretation)
    except (MixedError, TraceError, UnsupportedError):
        return False
    return True


def why_mixed(graph):
    """Why a point of the outputs may depend on others; `None` if it is proved not to.

    Values count, and not their derivatives only: what is subtracted by `x - stop_gradient(mean(x))`
    is of all points.

    Args:
        graph: that of a function `(n, d) -> (n, ...)`, traced for a fixed number of points.
    """
    try:
        _checked(graph.outputs, _outputs(graph, follow), graph.inputs[0].shape[0])
    except (MixedError, UnsupportedError) as error:
        return str(error)
    return None


def _outputs(graph, interpretation):
    points = graph.inputs[0]
    values = {points.name: labels_of_points(points.shape[0], points.shape.rank)}
    return walk(graph, values, interpretation)


def _is_floating(operation):
    return any(tensor.dtype.is_floating for tensor in operation.outputs)


def _checked(tensors, labels, count):
    """The labels of tensors; raises `MixedError` where an entry is not in the row of its point."""
    for tensor, each in zip(tensors, labels, strict=True):
        rank = tensor.shape.rank
        own = labels_of_points(count, rank) if rank and tensor.shape[0] == count else None
        if each is not None and (own is None or np.any((each != own) & (each != 0))):
            raise MixedError(f"{describe(tensor.op)} does not have a row for each point, in order")
    return labels
