"""The exact derivatives of a function by one propagation of jets, or by less costly tapes."""

import tensorflow as tf

from kpinn.derivatives.channels.plan import Plan
from kpinn.derivatives.choice import chosen
from kpinn.derivatives.errors import RefusedError, refuse_complex_output
from kpinn.derivatives.graphs.interpreter import Run
from kpinn.derivatives.graphs.tracing import trace
from kpinn.derivatives.methods.taylor import Auto
from kpinn.derivatives.per_point.independence import refuse_together
from kpinn.derivatives.per_point.keeps_rows import keeps_rows
from kpinn.derivatives.tapes import by_tapes


def propagate(function, points, requests, directions, space, method, report):
    """Values of requests by Taylor coefficients, and by tapes where the method chooses.

    Args:
        function: `(n, d) -> (n, m)`.
        points: tensor `(n, d)`.
        requests: list of `Request`.
        directions: dict from name to vectors `(n, d)`.
        space: their `Space`.
        method: a `Taylor`.
        report: called with the description of an operation that has no rule.

    Returns:
        A dict from name to tensor.

    Raises:
        UnsupportedError: for an operation that cannot be propagated through.
        ValueError: for one that must not be.
    """

    def through(**how):
        size, count = points.shape[1], points.shape[0]
        traced = trace(function, size, points.dtype, count, **how)
        refuse_complex_output(traced.graph.outputs[0])
        refuse_together(function, traced, points)
        few = chosen(function, traced.graph, requests, space) if isinstance(method, Auto) else []
        rest = [request for request in requests if request not in few]
        values = by_tapes(traced.graph, points, few, directions, space) if few else {}
        if rest:
            plan = _plan(function, points, rest, space)
            run = Run(plan.algebra, report, method.recompute)
            (outputs,) = run.start(traced.graph, [plan.seeds(points, directions)], plan.needed)
            space.check_output(outputs.shape, points.shape)
            values |= {request.name: plan.read(request, space, outputs) for request in rest}
        return {request.name: values[request.name] for request in requests}

    try:
        return through()
    except RefusedError:
        raise
    except (ValueError, tf.errors.InvalidArgumentError):
        if points.shape[0] is None:
            raise
    # A shape that the function works out from a number of points that it does not know.
    return through(exactly=True)


def _plan(function, points, requests, space):
    plan = Plan.of(requests, space).on(points)
    if plan.scales_rows() and not keeps_rows(function, points.shape[1], points.dtype):
        plan = Plan.of(requests, space, apart=True).on(points)
    return plan
