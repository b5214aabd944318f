"""Functions without a derivative at a point, for methods that do not see their operations.

Where points influence one another, a tape returns derivatives of a sum over them, and differences
move all at once. Where random numbers are drawn, differences compare one draw with another.
"""

from kpinn.derivatives.channels.jets import Jet
from kpinn.derivatives.errors import RefusedError
from kpinn.derivatives.graphs.walker import walk
from kpinn.derivatives.operations import facts_of
from kpinn.derivatives.operations.control_flow import CONTROL_FLOW
from kpinn.derivatives.operations.rules import drawing, mixing

_MOVING = Jet(None, ())  # stands for what depends on the points


def refuse_mixed(graph, random):
    """Raises `RefusedError` for a function that takes points together, or draws random numbers.

    Args:
        graph: that of the function `(n, d) -> (n, m)`, see `graph_of`; `None` for none.
        random: whether random numbers are refused.
    """

    def interpretation(operation, inputs):
        if random and (message := drawing(operation)):
            raise RefusedError(message)
        if not any(inputs) or facts_of(operation).is_constant:
            return [None] * len(operation.outputs)
        is_plain = operation.type not in CONTROL_FLOW  # loops and branches are left out
        if is_plain and (message := mixing(operation, inputs)):
            raise RefusedError(message)
        return [_MOVING if tensor.dtype.is_floating else None for tensor in operation.outputs]

    if graph is not None:
        walk(graph, {graph.inputs[0].name: _MOVING}, interpretation)
