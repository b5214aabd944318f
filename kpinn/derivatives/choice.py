"""Which requests `"auto"` computes by gradient tapes: those that cost less, where tapes are right.

Taylor coefficients take a pass through the function for each channel, tapes one for each gradient
and those that it is a gradient of: two for the gradient of a field in any number of dimensions `d`,
and `2 d + 2` in place of `(d + 1) (d + 2) / 2` for a Hessian, but as many for a Laplacian.
"""

from kpinn.derivatives.channels.channels_per_point import wants_channels_only
from kpinn.derivatives.channels.plan import Plan
from kpinn.derivatives.declarations import is_declared
from kpinn.derivatives.names.requests import partials
from kpinn.derivatives.tapes import agree
from kpinn.derivatives.tensorflow_private import tapes_are_stopped

# Passes of tapes cost more, since they have more operations on each element: measured by
# `python benchmarks/derivatives.py`, see docs/derivatives.md.
PASS = 1.25
HIGHEST = 2  # order of derivatives by tapes


def chosen(function, graph, requests, space):
    """The requests that are to be computed by gradient tapes, a list.

    Args:
        function: `(n, d) -> (n, m)`.
        graph: that of a trace of it.
        requests: list of `Request`.
        space: their `Space`.
    """
    if wants_channels_only() or is_declared(function) or tapes_are_stopped():
        return []
    found = cheaper(requests, space)
    return found if found and agree(graph) else []


def cheaper(requests, space):
    """The requests that cost less by tapes: none, those up to some order, or all."""
    orders = {r.name: max(len(axes) for _, axes in partials(r, space)) for r in requests}
    best, least = [], channels(requests, space)
    for highest in sorted({order for order in orders.values() if 0 < order <= HIGHEST}):
        some = [request for request in requests if orders[request.name] <= highest]
        rest = [request for request in requests if orders[request.name] > highest]
        cost = PASS * passes(some, space) + channels(rest, space)
        if cost <= least:
            best, least = some, cost
    return best


def channels(requests, space):
    """The passes that requests take by Taylor coefficients."""
    return len(Plan.of(requests, space).algebra) if requests else 0


def passes(requests, space):
    """The passes that requests take by tapes: a gradient costs what it is the gradient of."""
    wanted = {key for request in requests for key in partials(request, space)}
    differentiated = {(column, axes[:k]) for column, axes in wanted for k in range(len(axes))}
    return bool(requests) + sum(2 ** len(axes) for _, axes in differentiated)
