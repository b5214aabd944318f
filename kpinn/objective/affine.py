"""Whether residuals are affine in the parameters, proved from the one table of operations."""

import typing

from kpinn.derivatives.errors import describe
from kpinn.derivatives.graphs.walker import walk
from kpinn.derivatives.operations import facts_of
from kpinn.derivatives.per_point.custom_gradients import has_custom_gradient
from kpinn.objective.gradients import read_here

SHAPES = ("Rank", "Shape", "ShapeN", "Size")  # what they return depends on no value
QUOTIENTS = ("DivNoNan", "RealDiv")
LOST = ("PreventGradient", "StopGradient")  # linear in value, but without their derivative


class _NotAffineError(Exception):
    """A tensor that is not affine in the variables, as far as can be known."""


class _Handle(typing.NamedTuple):
    """Stands for the handle of a variable."""


_AFFINE = "affine"


def is_affine(graph, variables):
    """Whether the outputs of a graph are proved to be affine in variables.

    What can be proved is exact: no number is looked at.

    Args:
        graph: that of a `ConcreteFunction`.
        variables: list of `tf.Variable`, all others are constants.
    """
    handles = {id(variable.handle) for variable in variables}
    known = {inner.name: _Handle() for outer, inner in graph.captures if id(outer) in handles}
    try:
        walk(graph, known, _follow, graph.outputs)
    except _NotAffineError:
        return False
    return True


def last_affine(graph, variables):
    """Numbers of the last variables that a graph reads in which its outputs are affine together.

    Args:
        graph: that of a `ConcreteFunction`.
        variables: list of Keras variables, in the order of their layers. Those with bounds are left
            out.
    """
    captured, found = {id(outer) for outer, _ in graph.captures}, []
    for number, variable in reversed(list(enumerate(variables))):
        if id(read_here(variable).handle) not in captured or variable.constraint is not None:
            continue
        if is_affine(graph, [read_here(variables[k]) for k in (number, *found)]):
            found.insert(0, number)
        elif found:
            break
    return tuple(found)


def _follow(operation, inputs):
    """What stands for the outputs of an operation; `None` for what no variable is in."""
    moving = [i for i, each in enumerate(inputs) if each is not None]
    nothing = [None] * len(operation.outputs)
    if not moving or operation.type in SHAPES:
        return nothing
    if isinstance(inputs[moving[0]], _Handle):
        if operation.type == "ReadVariableOp":
            return [_AFFINE]
        raise _NotAffineError(f"{describe(operation)} reads parameters in another way")
    real = all(tensor.dtype.is_floating for tensor in operation.outputs)
    if not (real and _is_linear(operation, moving)) or has_custom_gradient(operation):
        raise _NotAffineError(f"{describe(operation)} is not linear in trained parameters")
    return [_AFFINE] * len(operation.outputs)


def _is_linear(operation, moving):
    """Whether an operation is linear in its inputs at some positions, taken together."""
    facts = facts_of(operation)
    if operation.type in LOST or facts.has_kinks or facts.choice:
        return False
    if operation.type in QUOTIENTS:
        return moving == [0]
    is_sum = facts.is_linear or (operation.type == "Einsum" and len(operation.inputs) == 1)
    return is_sum or (facts.is_bilinear and len(moving) == 1)
