"""Functions that draw random numbers: differences would compare one draw with another."""

from kpinn.derivatives.errors import RefusedError
from kpinn.derivatives.graphs.walker import walk
from kpinn.derivatives.operations.rules import drawing


def refuse_random(graph):
    """Raises `RefusedError` for a function that draws random numbers.

    Args:
        graph: that of the function `(n, d) -> (n, m)`, see `graph_of`; `None` for none.
    """

    def interpretation(operation, inputs):
        if message := drawing(operation):
            raise RefusedError(message)
        return [None] * len(operation.outputs)

    if graph is not None:
        walk(graph, {}, interpretation)
