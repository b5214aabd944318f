"""What the derivatives of a PINN cost, before it is trained.

The unit is one pass of the points through the network. Taylor coefficients take one pass per
channel, finite differences one per point of the stencil. A gradient tape costs as much again as
what it differentiates, so that the gradient of a derivative of order `k` takes `2^k` passes. What
the parameters' gradient takes on top is in proportion to all of them.
"""

import warnings

import tensorflow as tf

from kpinn.derivatives import choice
from kpinn.derivatives.api import evaluate
from kpinn.derivatives.context import Context
from kpinn.derivatives.errors import DerivativeFallbackWarning
from kpinn.derivatives.graphs.tracing import graph_of
from kpinn.derivatives.methods.finite_difference import FiniteDifference, evaluations
from kpinn.derivatives.methods.stochastic import Stochastic, randomized
from kpinn.derivatives.methods.taylor import Auto, Taylor
from kpinn.derivatives.names.factors import Factor
from kpinn.derivatives.names.requests import partials
from kpinn.problem import merging

_HEAD = ("condition", "asks the network for", "method", "passes", "differences", "tapes")


def describe(problem, widths):
    """The text of `PINN.describe`.

    Args:
        problem: the `Problem`.
        widths: dict from array to its number of columns, as far as it is known.
    """
    rows, notes = [_HEAD], []
    conditions = list(problem.conditions.values())
    groups = [[function] for function in conditions]
    methods = {str(function.method) for function in conditions}
    if len(conditions) > 1 and len(methods) == 1:
        groups.append(conditions)
    for functions in groups:
        rows.append(_row(problem, functions, widths, notes))
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([line.rstrip() for line in lines] + list(dict.fromkeys(notes)))


def listed(problem):
    """What `PINN.summary` prints below the layers: conditions with their arguments, unknowns."""
    lines = [" Conditions:"]
    for name, function in problem.conditions.items():
        lines.append(f"   {name}({', '.join(each.name for each in function.arguments)})")
    for name, shape in problem.names.unknowns.items():
        lines.append(f" Unknown: {name}{list(shape) if shape else ''}")
    return "\n".join(lines)


def _row(problem, functions, widths, notes):
    method, separate = functions[0].method, merging.requests(functions, {})
    scheme = method if isinstance(method, FiniteDifference) else FiniteDifference()
    parts, differences = problem.by_part(separate), 0
    for part, asked in parts:
        wanted = {key for request in asked for key in partials(request, part.space)}
        differences += evaluations(wanted, scheme)
    by_tapes = sum(choice.passes(asked, part.space) for part, asked in parts)
    title = functions[0].name if len(functions) == 1 else "all on the same points"
    if isinstance(method, Taylor):
        name, passes = _exact(problem, functions, widths, title, notes)
    elif isinstance(method, Stochastic):
        name, passes = "stochastic", 0
        for part, asked in parts:
            estimates, _ = randomized(asked, part.space, method)
            passes += choice.channels(estimates, part.space) * method.draws
    elif isinstance(method, FiniteDifference):
        name, passes = "finite_difference", differences
    else:
        name, passes = method, by_tapes
    asked = ", ".join(request.name for request in separate) or "nothing"
    return (title, asked, name, *map(str, (passes, differences, by_tapes)))


def _exact(problem, functions, widths, title, notes):
    """Name of the method and passes; adds notes on what is propagated as one, and on fallbacks."""
    found, method = {}, functions[0].method
    try:
        found = merging.merges(problem, functions, widths)
    except ValueError:  # arrays that only come with the points
        notes.append("shapes of further arrays are known after fit: nothing is merged until then")
    for merge in found.values():
        for request in merge.combinations:
            terms = " ".join(f"{_text(factor)} {term.name}" for factor, term in request.terms)
            notes.append(f"{title}: {terms} as one operator")
    notes.extend(_fallbacks(problem, merging.requests(functions, {}), method))
    names, passes = set(), 0
    for part, asked in problem.by_part(merging.requests(functions, found)):
        few = _by_tapes(part, asked, problem.dtype) if isinstance(method, Auto) else []
        rest = [request for request in asked if request not in few]
        names |= {"taylor"} if rest else set()
        names |= {"reverse"} if few else set()
        passes += choice.channels(rest, part.space) + choice.passes(few, part.space)
    return ", ".join(sorted(names, reverse=True)) or "taylor", passes


def _by_tapes(part, requests, dtype):
    """The requests that `"auto"` computes by tapes, a list."""
    graph = graph_of(part.function, part.space.input_size, dtype)
    return [] if graph is None else choice.chosen(part.function, graph, requests, part.space)


def _text(factor):
    """A factor with its sign: `-0.01`, `+2 diffusivity / x`.

    What a condition computes has no name and stands as `(...)`.
    """
    if not isinstance(factor, Factor):
        return f"{factor:+.4g}"
    text = "-" if factor.number < 0 else "+"
    if abs(factor.number) != 1:
        text += f"{abs(factor.number):.4g} "
    names = [(name if isinstance(name, str) else "(...)", power) for name, power in factor.name]
    over = "".join(f" / {name}" for name, power in names if power < 0)
    return text + (" ".join(name for name, power in names if power > 0) or "1") + over


def _fallbacks(problem, requests, method):
    """Messages of what a trace of the network's derivatives warns of, or raises."""
    space = problem.names.network
    names = {name for request in requests for name in request.directions}
    vectors = {name: tf.TensorSpec((None, space.input_size), problem.dtype) for name in names}

    def values(points, directions):
        found = {}
        for part, asked in problem.by_part(requests):
            context = Context(part.space, problem.epsilon, problem.scales)
            found |= evaluate(part.function, points, asked, directions, method, context)
        return found

    points = tf.TensorSpec((None, space.input_size), problem.dtype)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if requests:
            tf.function(values, autograph=False).get_concrete_function(points, vectors)
    return [str(w.message) for w in caught if issubclass(w.category, DerivativeFallbackWarning)]
