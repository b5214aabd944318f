"""The one table: a type of operations, and all that kpinn knows of it.

The interpreter, the Jacobian by points, the checks of what mixes points and the search for kinks
read it. The modules of this folder fill it, and users do by `kpinn.derivatives.register`.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from kpinn.derivatives.errors import describe
from kpinn.derivatives.operations.labels import MixedError, UnknownError, compact, joined


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is known of a type of operations.

    Attributes:
        rule: `(call, *inputs) -> outputs`, how jets go through it; `None` for TensorFlow's own
            gradients.
        along: the axes along which it takes entries together, see `labels.py`: `()` for none;
            `None` where that is not known.
        labels: `(operation, labels) -> labels`, which point each entry of an output depends on;
            or a text, why that is not known.
        meets: how an input that all points share meets the points, see `products.py`; `None` where
            the gradient of each point is not known.
        is_constant: whether its outputs have no derivatives.
        is_linear: whether it is linear in its jets taken together, so that a channel of an output
            needs but the same channel of the inputs.
        is_bilinear: whether it is if one input is a jet only.
        is_reshaping: whether it returns the entries of its first input in their order.
        by_tapes: whether gradient tapes give the derivatives that its rule gives, at all orders, at
            kinks and at large values too; or a function of the `tf.Operation` and the list of the
            positions of inputs that depend on the points.
        has_kinks: whether its first derivatives jump.
        choice: what it decides by the values of its inputs, a function of arrays; `None` if it
            decides nothing, or that is not known.
    """

    rule: Callable | None = None
    along: object = None
    labels: Callable | str = "does not say which points its outputs depend on"
    meets: str | None = None
    is_constant: bool = False
    is_linear: bool = False
    is_bilinear: bool = False
    is_reshaping: bool = False
    by_tapes: Callable | bool = False
    has_kinks: bool = False
    choice: Callable | None = None


TABLE = {}
_NOTHING = Facts(labels="has no rule")
BROADCASTING = {"along": (), "meets": "copies"}  # facts of functions of the elements of several
_NAMES = frozenset(field.name for field in dataclasses.fields(Facts)) - {"rule"}


def facts_of(operation):
    """The `Facts` of an operation; of one that is not in the table, that nothing is known."""
    return TABLE.get(operation.type, _NOTHING)


def register(*types, **facts):
    """Adds types of operations to the table; see the page on rules.

    Args:
        *types: names such as `"Erfinv"`, as `tf.Operation.type` gives them.
        **facts: what is known beside the rule. `along` is for rules without a definer: the axes
            along which the operation takes entries together, `()` for none, `-1` for the last one,
            `(-2, -1)` for matrices. With it Jacobians know which points an output depends on;
            without, each of their rows takes a backward pass.

    Returns:
        A function that takes what a definer returned, or a rule `(call, *inputs) -> outputs`, so
        that it can be used as a decorator.

    Raises:
        TypeError: for a type that is not a name, a rule that is not callable, or unknown facts.

    Example:

        kpinn.derivatives.register("Erfinv")(kpinn.derivatives.elementwise(erfinv_tower))
    """
    if not types or not all(isinstance(name, str) for name in types):
        raise TypeError(f"register takes names of operations, such as 'Erfinv', not {types}.")
    if unknown := set(facts) - _NAMES:
        names = ", ".join(map(repr, sorted(unknown)))
        raise TypeError(f"register got {names}: expected facts such as along=-1.")
    if "along" in facts:
        facts = {"labels": joined(facts["along"])} | facts

    def add(rule):
        if not isinstance(rule, Facts) and not callable(rule):
            raise TypeError(f"a rule is a function (call, *inputs), not {rule!r}.")
        known = rule if isinstance(rule, Facts) else Facts(rule)
        TABLE.update(dict.fromkeys(types, dataclasses.replace(known, **facts)))
        return rule

    return add


def carry(operation, labels):
    """Labels of the outputs of an operation.

    Args:
        operation: a `tf.Operation`.
        labels: dict from the positions of inputs to their labels; the others have none.

    Returns:
        A list with labels for each output.

    Raises:
        MixedError: if an entry belongs to several points.
        UnknownError: if that is not known.
    """
    rule = facts_of(operation).labels
    if isinstance(rule, str):
        raise UnknownError(f"{describe(operation)} {rule}, and may mix the points")
    tensors = [operation.inputs[i] for i in labels] + list(operation.outputs)
    if not all(tensor.shape.is_fully_defined() for tensor in tensors):
        raise UnknownError(f"{describe(operation)} has an unknown shape, and may mix the points")
    try:
        pairs = zip(rule(operation, labels), operation.outputs, strict=True)
        found = [compact(_fitting(each, tensor.shape)) for each, tensor in pairs]
    except (MixedError, ValueError) as error:  # the latter where what users say of axes is wrong
        kind = type(error) if isinstance(error, MixedError) else UnknownError
        mixed = kind(f"{describe(operation)} may mix the points")
        mixed.operation = operation
        raise mixed from None
    return [_same(each, labels.values()) for each in found]


def _fitting(labels, shape):
    """The labels; raises `UnknownError` if they are not those of a tensor of this shape."""
    if any(part not in (1, whole) for part, whole in zip(labels.shape, shape, strict=True)):
        raise UnknownError
    return labels


def follow(operation, inputs):
    """`carry` for `walk`: labels of all inputs and outputs, `None` for those that have none."""
    labels = {i: each for i, each in enumerate(inputs) if each is not None}
    if not labels:
        return [None] * len(operation.outputs)
    return [each if each.any() else None for each in carry(operation, labels)]


def _same(labels, known):
    """One array for equal labels, since a graph has many tensors."""
    return next((each for each in known if np.array_equal(each, labels)), labels)
