"""Whether a function keeps the rows of its input: row `i` of each tensor is of point `i`.

A factor for each point multiplies the rows of tensors in the network. That is right where each
tensor on the way from the points to the outputs has them along its first axis, in their order.
Nothing is kept that is not proved to be, from a trace for a few points and `point_labels`.
"""

import numpy as np

from kpinn.derivatives.interpreter import needed_operations
from kpinn.derivatives.per_point.labels import MixedError, carry, labels_of_points
from kpinn.derivatives.tracing import TraceError, trace

COUNT = 7  # points in the trace; a number that sizes of layers seldom have
_PASSED = ("Identity", "IdentityN", "StopGradient")


def keeps_rows(function, size, dtype):
    """Whether all tensors that depend on the points keep their rows.

    Args:
        function: `(n, size) -> (n, m)`.
        size: number of columns of its input.
        dtype: dtype of its input.
    """
    try:
        graph = trace(function, size, dtype, COUNT, exactly=True).graph
        _walk(graph, {graph.inputs[0].name: labels_of_points(COUNT, 2)})
    except (MixedError, TraceError):
        return False
    return True


def _walk(graph, labels):
    """Carries labels of tensors by name through a graph; raises `MixedError`."""
    for operation in needed_operations(graph):
        given = {i: labels[t.name] for i, t in enumerate(operation.inputs) if t.name in labels}
        if not given or not any(t.dtype.is_floating for t in operation.outputs):
            continue
        if operation.type in _PASSED:
            found = [given.get(i) for i in range(len(operation.outputs))]
        else:
            found = carry(operation, given)
        for tensor, each in zip(operation.outputs, found, strict=True):
            if each is not None:
                _check(tensor, each)
                labels[tensor.name] = each


def _check(tensor, labels):
    """Raises `MixedError` where an entry of row `i` depends on another point."""
    if not tensor.shape.rank or tensor.shape[0] != COUNT:
        raise MixedError
    if np.any((labels != labels_of_points(COUNT, tensor.shape.rank)) & (labels != 0)):
        raise MixedError
