"""The one place where a method is chosen and run."""

from kpinn.derivatives.black_box import black_box
from kpinn.derivatives.errors import UnsupportedError
from kpinn.derivatives.fallback import by_tapes, report_slow
from kpinn.derivatives.graphs.tracing import TraceError
from kpinn.derivatives.methods.stochastic import Stochastic, draw, randomized
from kpinn.derivatives.methods.taylor import Taylor
from kpinn.derivatives.names.factors import with_tensors
from kpinn.derivatives.propagation import propagate
from kpinn.derivatives.readout import at_points


def evaluate(function, points, requests, directions, method, context):
    """Runs a resolved method; see `derivatives`.

    Args:
        function: `(n, d) -> (n, m)`.
        points: tensor `(n, d)`.
        requests: list of `Request`.
        directions: dict from name to tensor `(n, d)`.
        method: what `resolve` returned.
        context: the `Context`.

    Returns:
        A dict from name to tensor.
    """
    space = context.space
    requests = [with_tensors(r, points) if r.factors else r for r in requests]
    if isinstance(method, Stochastic):
        requests, needed = randomized(requests, space, method)
        directions = directions | draw(needed, points, space, method, context.step)
        method = Taylor()
    run = _by_taylor if isinstance(method, Taylor) else black_box
    return at_points(run(function, points, requests, directions, method, context), points)


def _by_taylor(function, points, requests, directions, method, context):
    """`propagate`, and nested tapes over the function where it cannot go through an operation."""
    reports = []
    try:
        values = propagate(
            function, points, requests, directions, context.space, method, reports.append
        )
    except (UnsupportedError, TraceError) as error:
        arguments = function, points, requests, directions, "reverse", context
        return by_tapes(lambda: black_box(*arguments), error, reports, method.strict)
    if reports:
        report_slow(reports, method.strict)
    return values
