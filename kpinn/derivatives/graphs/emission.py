"""Operations of a traced graph, issued again on other inputs through `tf.raw_ops`."""

import dataclasses
import inspect

import tensorflow as tf

from kpinn.derivatives.errors import UnsupportedError, describe

# Names in the definitions of a few operations that differ in `tf.raw_ops`.
_OTHER_NAMES = {
    "reduction_indices": "axis",
    "squeeze_dims": "axis",
    "split_dim": "axis",
    "dim": "axis",
    "t": "x",
    "e": "y",
    "input": "condition",
}


@dataclasses.dataclass(frozen=True)
class Signature:
    """How `tf.raw_ops` wants to be called for a type of operation.

    Attributes:
        function: the raw operation.
        inputs: for each input its name, and the name of the attribute with the number of its
            tensors, empty for a single tensor.
        attributes: pairs of the name in the graph and the name of the argument, without those
            that follow from the inputs.
    """

    function: object
    inputs: tuple
    attributes: tuple


_signatures = {}


def signature(operation):
    """The `Signature` of a `tf.Operation`; `None` if `tf.raw_ops` lacks its type."""
    if operation.type not in _signatures:
        _signatures[operation.type] = _signature(operation.op_def)
    return _signatures[operation.type]


def _signature(definition):
    function = getattr(tf.raw_ops, definition.name, None)
    if function is None:
        return None
    parameters = inspect.signature(function).parameters

    def known(name):
        return name if name in parameters else _OTHER_NAMES[name]

    inputs, inferred = [], set()
    for argument in definition.input_arg:
        inputs.append((known(argument.name), argument.number_attr or argument.type_list_attr))
        inferred |= {argument.type_attr, argument.number_attr, argument.type_list_attr}
    attributes = [a.name for a in definition.attr if a.name not in inferred]
    return Signature(function, tuple(inputs), tuple((name, known(name)) for name in attributes))


def emit(operation, inputs):
    """Issues an operation again.

    Args:
        operation: the `tf.Operation`.
        inputs: a tensor for each of `operation.inputs`.

    Returns:
        The list of its outputs.

    Raises:
        UnsupportedError: for an operation that is not in `tf.raw_ops`.
    """
    if operation.type == "Const":
        return [tf.constant(tf.make_ndarray(operation.get_attr("value")))]
    how = signature(operation)
    if how is None:
        raise UnsupportedError(f"{describe(operation)} is not in tf.raw_ops")
    arguments, start = {}, 0
    for name, several in how.inputs:
        if several:
            count = operation.get_attr(several)
            count = count if isinstance(count, int) else len(count)
            arguments[name], start = list(inputs[start : start + count]), start + count
        else:
            arguments[name], start = inputs[start], start + 1
    arguments |= {name: operation.get_attr(attribute) for attribute, name in how.attributes}
    outputs = how.function(**arguments)
    if outputs is None or isinstance(outputs, tf.Operation):
        return []
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def has_functions(operation):
    """Whether functions are among its attributes, such as the branches of `tf.cond`."""
    return any(attribute.type in ("func", "list(func)") for attribute in operation.op_def.attr)
