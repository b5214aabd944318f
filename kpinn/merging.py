"""Derivatives that a condition needs only in a sum with known factors are propagated as one.

`u_t + u u_x - nu u_xx` is affine in `u_t` and `u_xx` with constant factors. So it is its own value
with zeros in their place plus the operator `u_t - nu u_xx` of the network, which takes one channel
less than its terms. Whether a condition is affine is read off its traced graph; whatever is not
proved there stays as it is.
"""

import dataclasses

import tensorflow as tf

from kpinn.derivatives.requests import SUMS, combination
from kpinn.derivatives.taylor import Plan

_KEEPS = ("Identity", "IdentityN", "Snapshot")


@dataclasses.dataclass(frozen=True)
class Merge:
    """What a condition gets in place of some arguments.

    Attributes:
        arguments: names of the arguments that are replaced by zeros.
        combinations: tuple of `Request`, whose values are added to the residual.
    """

    arguments: frozenset = frozenset()
    combinations: tuple = ()

    def residual(self, function, values):
        """The residual of a condition from a dict of values."""
        zeros = {name: self._zero(name, values) for name in self.arguments}
        residual = function(values | zeros)
        for request in self.combinations:
            residual = residual + values[request.name]
        return residual

    def _zero(self, name, values):
        owner = next(r for r in self.combinations if name in {t.name for _, t in r.terms})
        return tf.zeros_like(values[owner.name])


NOTHING = Merge()


def wanted(functions, found):
    """The names that conditions are called with, and the combinations in place of others."""
    of = [(function, found.get(function.name, NOTHING)) for function in functions]
    names = [name for f, merge in of for name in f.arguments if name not in merge.arguments]
    return names, [request for _, merge in of for request in merge.combinations]


def merges(problem, functions, arrays):
    """The merges of conditions on one set of points, if they save channels.

    Args:
        problem: the `Problem`.
        functions: conditions.
        arrays: dict from name to tensor, the arrays of the points.

    Returns:
        A dict from the name of a condition to its `Merge`.
    """
    found = {f.name: _merge(problem, f, problem.shapes(f, arrays)) for f in functions}
    if count(problem, functions, found) < count(problem, functions, {}):
        return found
    return {}


def count(problem, functions, found):
    """Number of channels for the conditions' requests on the network, with given merges."""
    space = problem.network_space
    return len(Plan.of(requests(problem, functions, found), space).algebra)


def requests(problem, functions, found):
    """What conditions ask of the network, with given merges: a list of `Request`."""
    asked = {}
    for function in functions:
        merge = found.get(function.name, NOTHING)
        asked |= {request.name: request for request in merge.combinations}
        for name in function.arguments:
            request = None if name in merge.arguments else problem.network_request(name)
            if request is not None:
                asked[name] = request
    return list(asked.values())


def _merge(problem, function, shapes):
    groups = {}
    candidates = {name: problem.network_request(name) for name in function.arguments}
    candidates = {n: r for n, r in candidates.items() if r is not None and _is_sum(r)}
    for name, factor in linear_terms(function, shapes, candidates, problem.dtype).items():
        groups.setdefault(candidates[name].field, {})[name] = factor
    combinations = [
        combination(f"{function.name}: {field}", terms, problem.space)
        for field, terms in groups.items()
        if len(terms) > 1
    ]
    merged = {term.name for request in combinations for _, term in request.terms}
    return Merge(frozenset(merged), tuple(combinations))


def _is_sum(request):
    return request.operator in SUMS or (request.operator is None and bool(request.axes))


def linear_terms(function, shapes, names, dtype):
    """Arguments in which a condition is affine, with constant factors.

    Args:
        function: takes a dict of tensors by name and returns a tensor.
        shapes: dict from argument to its shape without the number of points; `None` for a scalar.
        names: the arguments in question.
        dtype: their dtype.

    Returns:
        A dict from name to factor; empty if the function cannot be traced.
    """
    arguments = list(function.arguments)
    specs = [
        tf.TensorSpec(() if shapes[name] is None else (None, *shapes[name]), dtype)
        for name in arguments
    ]

    def call(*tensors):
        return function(dict(zip(arguments, tensors, strict=True)))

    try:
        graph = tf.function(call, autograph=False).get_concrete_function(*specs).graph
    except Exception:  # an error of the user's comes again when the condition is called
        return {}
    inputs = dict(zip(arguments, graph.inputs, strict=False))
    forms, mixed = {inputs[name].name: {name: 1.0} for name in names}, set()
    for operation in graph.get_operations():
        _follow(operation, forms, mixed)
    if len(graph.outputs) != 1:
        return {}
    form = forms.get(graph.outputs[0].name, {})
    shape = graph.outputs[0].shape.as_list()
    return {
        name: form[name]
        for name in names
        if name in form and name not in mixed and inputs[name].shape.as_list() == shape
    }


def _follow(operation, forms, mixed):
    """Extends `forms`, linear parts by tensor, and `mixed`, names that are used in another way."""
    parts = [forms.get(tensor.name, {}) for tensor in operation.inputs]
    if not any(parts):
        return
    form = _form(operation, parts)
    if form is None:
        mixed |= {name for part in parts for name in part}
    else:
        forms[operation.outputs[0].name] = form


def _form(operation, parts):
    """The linear part of an output; `None` if the operation is not one of a few linear ones."""
    kind, inputs = operation.type, operation.inputs
    if kind in _KEEPS and len(inputs) == 1:
        return parts[0]
    if kind == "Neg":
        return _scaled(parts[0], -1.0)
    same = all(
        tensor.shape == operation.outputs[0].shape
        for tensor, part in zip(inputs, parts, strict=True)
        if part
    )
    if kind in ("AddV2", "Sub") and same:
        return _sum(parts[0], _scaled(parts[1], 1.0 if kind == "AddV2" else -1.0))
    if kind in ("Mul", "RealDiv") and same:
        factors = [_number(tensor) for tensor in inputs]
        if factors[1] is not None and (kind == "Mul" or factors[1]):
            return _scaled(parts[0], factors[1] if kind == "Mul" else 1.0 / factors[1])
        if kind == "Mul" and factors[0] is not None:
            return _scaled(parts[1], factors[0])
    return None


def _number(tensor):
    value = tf.get_static_value(tensor)
    return float(value.reshape(())) if value is not None and value.size == 1 else None


def _scaled(form, factor):
    return {name: factor * value for name, value in form.items()}


def _sum(a, b):
    return {name: a.get(name, 0.0) + b.get(name, 0.0) for name in a | b}
