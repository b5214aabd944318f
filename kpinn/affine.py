"""In which of its arguments a condition is affine, read off its traced graph.

A factor is a dict from *monomials* to numbers. A monomial is a sorted tuple of pairs: the name of a
tensor of the graph that depends on no field, and 1, or -1 where it divides.
"""

import dataclasses

import tensorflow as tf

from kpinn.derivatives.control_flow import CONTROL_FLOW
from kpinn.derivatives.interpreter import values_of
from kpinn.derivatives.rules import refusal

_KEEPS = ("Identity", "IdentityN", "Snapshot")
_READS = ("ReadVariableOp",)
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
    total = None
    for name, power in monomial:
        value = values[name] if power > 0 else tf.math.reciprocal(values[name])
        total = value if total is None else total * value
    return total


def affine(function, shapes, names, known, dtype):
    """Arguments in which a condition is affine, with factors that are known before the fields.

    Args:
        function: takes a dict of tensors by name and returns a tensor.
        shapes: dict from argument to its shape without the number of points; `None` for a scalar.
        names: the arguments in question.
        known: the arguments that do not depend on fields.
        dtype: their dtype.

    Returns:
        An `Affine`; without factors if the function cannot be traced.
    """
    arguments = tuple(function.arguments)
    specs = [
        tf.TensorSpec(() if shapes[name] is None else (None, *shapes[name]), dtype)
        for name in arguments
    ]

    def call(*tensors):
        return function(dict(zip(arguments, tensors, strict=True)))

    try:
        graph = tf.function(call, autograph=False).get_concrete_function(*specs).graph
    except Exception:  # an error of the user's comes again when the condition is called
        return Affine({})
    inputs = dict(zip(arguments, graph.inputs, strict=False))
    captured = {inner.name for _, inner in graph.captures}
    search = _Search({inputs[name].name for name in known} | captured)
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
        known: names of tensors that do not depend on fields.
        simple: dict from such a name to `(number, name or None)` of what it is a multiple of.
        forms: dict from the name of a tensor to its linear part: dict from argument to factor.
        mixed: arguments that are used in another way.
    """

    def __init__(self, known):
        self.known, self.simple, self.forms, self.mixed = known, {}, {}, set()

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

    def _is_known(self, operation):
        pure = operation.type in _READS or not operation.op_def.is_stateful
        plain = operation.type not in CONTROL_FLOW and refusal(operation, ()) is None
        return pure and plain and all(tensor.name in self.known for tensor in operation.inputs)

    def _add_known(self, operation):
        self.known |= {tensor.name for tensor in operation.outputs}
        inputs = [self._multiple(tensor) for tensor in operation.inputs]
        found = None
        if operation.type in _KEEPS and len(inputs) == 1:
            found = inputs[0]
        elif operation.type == "Neg":
            found = -inputs[0][0], inputs[0][1]
        elif operation.type == "Mul" and None in (inputs[0][1], inputs[1][1]):
            found = inputs[0][0] * inputs[1][0], inputs[0][1] or inputs[1][1]
        elif operation.type == "RealDiv" and inputs[1][1] is None and inputs[1][0]:
            found = inputs[0][0] / inputs[1][0], inputs[0][1]
        if found is not None and (found[1] is None or _same_shape(operation, found[1])):
            self.simple[operation.outputs[0].name] = found

    def _multiple(self, tensor):
        """A tensor without fields as `(number, name)`; the name is `None` for a number."""
        value = tf.get_static_value(tensor)
        if value is not None and value.size == 1:
            return float(value.reshape(())), None
        return self.simple.get(tensor.name, (1.0, tensor.name))

    def _form(self, operation, parts):
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
        if kind in ("Mul", "RealDiv") and same and not (parts[0] and parts[1]):
            i = 0 if parts[0] else 1
            if kind == "Mul" or i == 0:
                return self._times(parts[i], inputs[1 - i], 1 if kind == "Mul" else -1)
        return None

    def _times(self, form, tensor, power):
        """A form times a tensor without fields, or divided by it; `None` for other tensors."""
        number, name = self._multiple(tensor)
        if power < 0 and not number:
            return None
        if name is None:
            return _scaled(form, number**power)
        if name not in self.known or not _is_factor(tensor):
            return None
        return _scaled(form, number**power, ((name, power),))


def _same_shape(operation, name):
    return operation.outputs[0].shape == operation.graph.get_tensor_by_name(name).shape


def _is_factor(tensor):
    """Whether a tensor is a scalar, or has one value for each point."""
    shape = tensor.shape
    return shape.num_elements() == 1 or (shape.rank == 2 and shape[0] is None and shape[1] == 1)


def _scaled(form, number, monomial=ONE):
    return {
        name: {tuple(sorted(m + monomial)): number * value for m, value in factor.items()}
        for name, factor in form.items()
    }


def _sum(a, b):
    return {name: _added(a.get(name, {}), b.get(name, {})) for name in a | b}


def _added(a, b):
    return {m: a.get(m, 0.0) + b.get(m, 0.0) for m in a | b}
