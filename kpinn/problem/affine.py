"""In which of its arguments a condition is affine, read off its traced graph.

A factor is a dict from *monomials* to numbers. A monomial is a sorted tuple of pairs: the name of a
tensor of the graph that depends on no field, and 1, or -1 where it divides.
"""

import dataclasses
import functools

import tensorflow as tf

from kpinn.derivatives.graphs.interpreter import values_of
from kpinn.derivatives.graphs.tracing import TraceError, traced
from kpinn.derivatives.operations.control_flow import CONTROL_FLOW
from kpinn.derivatives.operations.rules import refusal
from kpinn.derivatives.per_point.custom_gradients import has_custom_gradient

_KEEPS = ("Identity", "IdentityN", "Snapshot")
ONE = ()  # the monomial of a factor that is a number


@dataclasses.dataclass(frozen=True, eq=False)
class Affine:
    """The affine part of a condition.

    Attributes:
        factors: dict from argument to its factor.
        graph: the traced graph.
        arguments: names of the arguments, in the order of the inputs of the graph.
    """

    factors: dict
    graph: object = None
    arguments: tuple = ()

    def name(self, tensor):
        """The argument that a tensor is, by name; `None` for others."""
        inputs = {t.name: a for a, t in zip(self.arguments, self.graph.inputs, strict=False)}
        return inputs.get(tensor)

    def values(self, monomials, known):
        """The values of monomials.

        Args:
            monomials: iterable of monomials.
            known: dict from arguments that are no fields to tensors.

        Returns:
            A list of tensors.
        """
        names = list(dict.fromkeys(name for monomial in monomials for name, _ in monomial))
        inputs = [known.get(argument) for argument in self.arguments]
        tensors = [self.graph.get_tensor_by_name(name) for name in names]
        found = dict(zip(names, values_of(self.graph, inputs, tensors), strict=True))
        return [_product(found, monomial) for monomial in monomials]


def _product(values, monomial):
    parts = [values[name] if p > 0 else tf.math.reciprocal(values[name]) for name, p in monomial]
    return functools.reduce(tf.multiply, parts)


def affine(function, shapes, names, known, dtype):
    """Arguments in which a condition is affine, with factors that are known before the fields.

    Args:
        function: takes a dict of tensors by name and returns a tensor.
        shapes: dict from each argument to its shape, with `None` for the number of points.
        names: the arguments in question.
        known: the arguments that do not depend on fields.
        dtype: their dtype.

    Returns:
        An `Affine`; without factors if the function cannot be traced.
    """
    arguments = tuple(shapes)

    def call(*tensors):
        return function(dict(zip(arguments, tensors, strict=True)))

    try:
        graph = traced(call, *(tf.TensorSpec(shapes[name], dtype) for name in arguments)).graph
    except TraceError:
        return Affine({})
    inputs = dict(zip(arguments, graph.inputs, strict=False))
    search = _Search()
    for tensor in (*(inputs[name] for name in known), *(inner for _, inner in graph.captures)):
        search.known[tensor.name] = _itself(tensor)
    search.forms |= {inputs[name].name: {name: {ONE: 1.0}} for name in names}
    for operation in graph.get_operations():
        search.follow(operation)
    if len(graph.outputs) != 1:
        return Affine({})
    form, shape = search.forms.get(graph.outputs[0].name, {}), graph.outputs[0].shape.as_list()
    fits = [n for n in names if n in form and inputs[n].shape.as_list() == shape]
    return Affine({n: form[n] for n in fits if n not in search.mixed}, graph, arguments)


class _Search:
    """What is known of the tensors of a graph.

    Attributes:
        known: dict from the name of a tensor that does not depend on fields to a number and a
            monomial, whose product it is.
        forms: dict from the name of a tensor to its linear part: dict from argument to factor.
        mixed: arguments that are used in another way.
    """

    def __init__(self):
        self.known, self.forms, self.mixed = {}, {}, set()

    def follow(self, operation):
        """Looks at the next operation."""
        parts = [self.forms.get(tensor.name, {}) for tensor in operation.inputs]
        if not any(parts):
            if operation.type != "Placeholder" and self._is_known(operation):
                self._add_known(operation)
            return
        form = self._form(operation, parts)
        if form is None:
            self.mixed |= {name for part in parts for name in part}
        else:
            self.forms[operation.outputs[0].name] = form

    def _add_known(self, operation):
        for tensor in operation.outputs:
            self.known[tensor.name] = _itself(tensor)
        product = self._product(operation) if operation.outputs else None
        if product:
            self.known[operation.outputs[0].name] = product

    def _is_known(self, operation):
        if has_custom_gradient(operation):  # which would be lost where it is issued again
            return False
        pure = operation.type == "ReadVariableOp" or not operation.op_def.is_stateful
        plain = operation.type not in CONTROL_FLOW and refusal(operation, ()) is None
        return pure and plain and all(tensor.name in self.known for tensor in operation.inputs)

    def _product(self, operation):
        """A known tensor as a number and a monomial of its inputs; `None` for no product."""
        kind, tensors = operation.type, (*operation.inputs, *operation.outputs)
        value = tf.get_static_value(operation.outputs[0])
        if value is not None and value.size == 1:
            return float(value.reshape(())), ONE
        inputs = [self.known[tensor.name] for tensor in operation.inputs]
        if not all(_is_factor(tensor) for tensor in tensors):
            return None
        if kind == "Neg" or (kind in _KEEPS and len(inputs) == 1):
            number, monomial = inputs[0]
            return -number if kind == "Neg" else number, monomial
        if kind in ("Mul", "RealDiv"):
            return _times(inputs[0], inputs[1], 1 if kind == "Mul" else -1)
        return None

    def _form(self, operation, parts):
        """The linear part of an output; `None` if the operation is not one of a few linear ones."""
        kind, inputs = operation.type, operation.inputs
        if has_custom_gradient(operation):
            return None
        if kind in _KEEPS and len(inputs) == 1:
            return parts[0]
        if kind == "Neg":
            return _scaled(parts[0], (-1.0, ONE))
        same = all(
            tensor.shape == operation.outputs[0].shape
            for tensor, part in zip(inputs, parts, strict=True)
            if part
        )
        if kind in ("AddV2", "Sub") and same:
            return _sum(parts[0], _scaled(parts[1], (1.0 if kind == "AddV2" else -1.0, ONE)))
        if kind in ("Mul", "RealDiv") and same and (parts[0] or kind == "Mul"):
            form, other = (parts[0], inputs[1]) if parts[0] else (parts[1], inputs[0])
            if other.name in self.known and _is_factor(other):
                return _scaled(form, self.known[other.name], 1 if kind == "Mul" else -1)
        return None


def _is_factor(tensor):
    """Whether a tensor is a scalar, or has one value for each point."""
    shape = tensor.shape
    return shape.num_elements() == 1 or (shape.rank == 2 and shape[0] is None and shape[1] == 1)


def _itself(tensor):
    return 1.0, ((tensor.name, 1),)


def _times(a, b, power=1):
    """`a * b ** power` for pairs of a number and a monomial, or `None` for a division by zero."""
    if power < 0 and not b[0]:
        return None
    return a[0] * b[0] ** power, tuple(sorted(a[1] + tuple((name, p * power) for name, p in b[1])))


def _scaled(form, value, power=1):
    """A form times a number and a monomial, or divided by them; `None` for a division by zero."""
    found = {}
    for name, factor in form.items():
        terms = [_times((number, monomial), value, power) for monomial, number in factor.items()]
        if None in terms:
            return None
        found[name] = {monomial: number for number, monomial in terms}
    return found


def _sum(a, b):
    return {name: _added(a.get(name, {}), b.get(name, {})) for name in a | b}


def _added(a, b):
    return {m: a.get(m, 0.0) + b.get(m, 0.0) for m in a | b}
