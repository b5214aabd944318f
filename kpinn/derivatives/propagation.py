"""The exact derivatives of a function by one propagation of jets."""

import tensorflow as tf

from kpinn.derivatives.channels.plan import Plan
from kpinn.derivatives.errors import RefusedError, refuse_complex_output
from kpinn.derivatives.graphs.interpreter import Run
from kpinn.derivatives.graphs.tracing import trace
from kpinn.derivatives.per_point.independence import refuse_together
from kpinn.derivatives.per_point.keeps_rows import keeps_rows


def propagate(function, points, requests, directions, space, report, recompute=False):
    """Values of requests by Taylor coefficients.

    Args:
        function: `(n, d) -> (n, m)`.
        points: tensor `(n, d)`.
        requests: list of `Request`.
        directions: dict from name to vectors `(n, d)`.
        space: their `Space`.
        report: called with the description of an operation that has no rule.
        recompute: see `Taylor`.

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
        plan = Plan.of(requests, space).on(points)
        if plan.scales_rows() and not keeps_rows(function, size, points.dtype):
            plan = Plan.of(requests, space, apart=True).on(points)
        run = Run(plan.algebra, report, recompute)
        return plan, run.start(traced.graph, [plan.seeds(points, directions)], plan.needed)

    try:
        plan, (outputs,) = through()
    except RefusedError:
        raise
    except (ValueError, tf.errors.InvalidArgumentError):
        if points.shape[0] is None:
            raise
        # A shape that the function works out from a number of points that it does not know.
        plan, (outputs,) = through(exactly=True)
    space.check_output(outputs.shape, points.shape)
    return {request.name: plan.read(request, space, outputs) for request in requests}
