"""Requests by gradient tapes over the operations of a traced graph, in place of a propagation."""

from kpinn.derivatives.errors import UnsupportedError
from kpinn.derivatives.graphs.interpreter import Run
from kpinn.derivatives.graphs.walker import walk
from kpinn.derivatives.methods.reverse import reverse
from kpinn.derivatives.names.requests import partials
from kpinn.derivatives.operations import facts_of
from kpinn.derivatives.operations.rules import refusal
from kpinn.derivatives.readout import read_out


def by_tapes(graph, points, requests, directions, space):
    """Values of requests; as in a propagation, custom gradients are those of the operations.

    Args:
        graph: that of a function `(n, d) -> (n, m)`.
        points: tensor `(n, d)`.
        requests: list of `Request`.
        directions: dict from name to vectors `(n, d)`.
        space: their `Space`.

    Returns:
        A dict from name to tensor.
    """

    def function(points):
        (outputs,) = Run(None, None).start(graph, [points])
        space.check_output(outputs.shape, points.shape)
        return outputs

    wanted = {key for request in requests for key in partials(request, space)}
    values = reverse(function, points, wanted, directions)
    return {request.name: read_out(request, space, values) for request in requests}


class _OtherwiseError(Exception):
    """An operation whose derivatives tapes may have otherwise."""


def agree(graph):
    """Whether tapes give what Taylor coefficients give, at kinks and at large values too.

    Args:
        graph: that of a function `(n, d) -> (n, m)`.
    """
    try:
        walk(graph, {graph.inputs[0].name: True}, _follow)
    except (_OtherwiseError, UnsupportedError):
        return False
    return True


def _follow(operation, inputs):
    """`True` for the outputs that depend on the points."""
    moving, facts = [i for i, each in enumerate(inputs) if each], facts_of(operation)
    if refusal(operation, ()):
        raise _OtherwiseError
    floating = [tensor.dtype.is_floating for tensor in operation.outputs]
    if not moving or (facts.is_constant and not any(floating)):
        return [None] * len(operation.outputs)
    known = facts.by_tapes(operation, moving) if callable(facts.by_tapes) else facts.by_tapes
    if not known or not all(floating):
        raise _OtherwiseError
    return [True] * len(operation.outputs)
