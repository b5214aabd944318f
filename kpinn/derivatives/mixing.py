"""Functions without a derivative at a point, for methods that do not see their operations.

Where points influence one another, a tape returns derivatives of a sum over them, and differences
move all at once. Where random numbers are drawn, differences compare one draw with another.
"""

from kpinn.derivatives.errors import RefusedError
from kpinn.derivatives.interpreter import needed_operations
from kpinn.derivatives.jets import Jet
from kpinn.derivatives.operations.control_flow import CALLS, CONTROL_FLOW
from kpinn.derivatives.operations.rules import drawing, mixing
from kpinn.derivatives.tensorflow_private import function_graph

# Operations whose outputs do not change with their inputs a little.
_STEPS = ("Ceil", "Floor", "OnesLike", "Rint", "Round", "Sign", "StopGradient", "ZerosLike")
_MOVING = Jet(None, ())  # stands for what depends on the points


def refuse_mixed(graph, random):
    """Raises `RefusedError` for a function that takes points together, or draws random numbers.

    Args:
        graph: that of the function `(n, d) -> (n, m)`, see `graph_of`; `None` for none.
        random: whether random numbers are refused.
    """
    if graph is not None:
        _walk(graph, {graph.inputs[0].name}, random)


def _walk(graph, moving, random):
    """Whether each output of a graph depends on the tensors named `moving`; loops are left out."""
    for operation in needed_operations(graph):
        if random and (message := drawing(operation)):
            raise RefusedError(message)
        inputs = [_MOVING if tensor.name in moving else None for tensor in operation.inputs]
        if not any(inputs) or operation.type in _STEPS:
            continue
        found = [tensor.dtype.is_floating for tensor in operation.outputs]
        if operation.type in CALLS:
            inner = function_graph(graph, operation.get_attr("f").name)
            pairs = zip(inner.inputs, inputs, strict=True)
            found = _walk(inner, {tensor.name for tensor, moves in pairs if moves}, random)
        elif operation.type not in CONTROL_FLOW and (message := mixing(operation, inputs)):
            raise RefusedError(message)
        pairs = zip(operation.outputs, found, strict=True)
        moving |= {tensor.name for tensor, moves in pairs if moves}
    return [tensor.name in moving for tensor in graph.outputs]
