"""How jets go through operations, and which operations they must not go through.

A rule is a function `(call, *inputs) -> outputs`, of jets and tensors; at least one input is a jet.
Most rules are made by a definer, which knows more of an operation than its rule and returns its
`Facts`: `constant`, `linear`, `bilinear`, `elementwise`, `composite`.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from kpinn.derivatives.channels.compositions import compose
from kpinn.derivatives.channels.full_channels import full, zeros_like
from kpinn.derivatives.channels.jets import Jet, channel_of, shared_axes, value_of
from kpinn.derivatives.channels.product_rules import multiply
from kpinn.derivatives.errors import UnsupportedError, describe
from kpinn.derivatives.graphs.tracing import traced
from kpinn.derivatives.graphs.walker import walk
from kpinn.derivatives.operations.known_rows import as_channel, picked
from kpinn.derivatives.operations.labels import elementwise as each_element
from kpinn.derivatives.operations.labels import probed
from kpinn.derivatives.operations.table import BROADCASTING, Facts, follow


def static_input(call, position):
    """A constant input, such as an axis; `None` if it is not known before the graph runs."""
    return tf.get_static_value(call.operation.inputs[position])


# Definers ----------------------------------------------------------------------------------


def constant():
    """The rule of operations whose outputs have no derivatives, such as comparisons.

    Example:

        kpinn.derivatives.register("MyMask")(kpinn.derivatives.constant())
    """

    def rule(call, *inputs):
        return call.emit_values(*inputs)

    return Facts(rule, is_constant=True)


def linear(positions=slice(0, 1), keeps=None):
    """The rule of operations that are linear in some of their inputs taken together.

    Args:
        positions: a slice of the inputs.
        keeps: `(call, axes) -> bool`: whether the operation may be applied to channels of size 1
            along `axes`, in place of repeating them; by default never.

    Example:

        kpinn.derivatives.register("MyShift")(kpinn.derivatives.linear())
    """

    def rule(call, *inputs):
        inputs, moving = list(inputs), range(len(inputs))[positions]
        _refuse_others(call, inputs, moving)
        if not (keeps and _keep(call, inputs, moving, keeps)):
            inputs = [full(value) for value in inputs]
        channels = [_channel(call, inputs, moving, k) for k in range(len(call.algebra))]
        count = len(channels[0])
        parts = [[c if c is None else c[i] for c in channels] for i in range(count)]
        return [Jet(call.algebra, tuple(part)) for part in parts]

    return Facts(rule, labels=probed, is_linear=True)


def picking(positions=slice(0, 1), keeps=None):
    """`linear` for operations that pick elements, after which whole channels may be zero.

    The derivative of a column of the points with respect to another one is: left out, it is no NaN
    behind a function with an infinite slope, such as the root at zero.
    """
    facts = linear(positions, keeps)

    def rule(call, *inputs):
        jets, moving = facts.rule(call, *inputs), range(len(inputs))[positions]
        if keeps is None or not keeps(call, {0}):
            return jets
        rows = [picked(call, inputs, moving, k) for k in range(1, len(call.algebra))]
        found = []
        for i, jet in enumerate(jets):
            pairs = zip(jet.channels[1:], rows, strict=True)
            found.append(Jet(jet.algebra, (jet.value, *(as_channel(c, r[i]) for c, r in pairs))))
        return found

    return dataclasses.replace(facts, rule=rule)


def _refuse_others(call, inputs, moving):
    for i, value in enumerate(inputs):
        if isinstance(value, Jet) and i not in moving:
            raise UnsupportedError(
                f"input {i} of {describe(call.operation)} depends on the coordinates"
            )


def _keep(call, inputs, moving, keeps):
    """Whether the channels may stay as they are: all of the same size 1, along allowed axes."""
    jets = [inputs[i] for i in moving]
    if any(value_of(value).shape.rank is None for value in jets):
        return False
    for k in range(1, len(call.algebra)):
        present = [(channel_of(v, k), value_of(v)) for v in jets if channel_of(v, k) is not None]
        axes = [shared_axes(channel, value) for channel, value in present]
        if any(axes) and (len(present) < len(jets) or axes.count(axes[0]) < len(axes)):
            return False
        if any(axes) and not keeps(call, axes[0]):
            return False
    return True


def _channel(call, inputs, moving, k):
    """Outputs of the operation on channel `k`, `None` if it is zero."""
    parts = list(inputs)
    if all(channel_of(inputs[i], k) is None for i in moving):
        return None
    for i in moving:
        channel = channel_of(inputs[i], k)
        parts[i] = zeros_like(value_of(inputs[i])) if channel is None else channel
    return call.emit(*parts)


def bilinear(first=0, second=1):
    """The rule of operations that are linear in each of two inputs: products.

    Args:
        first: position of one factor among the inputs.
        second: position of the other.

    Example:

        kpinn.derivatives.register("MyProduct")(kpinn.derivatives.bilinear())
    """

    def rule(call, *inputs):
        inputs = [full(value) for value in inputs]
        _refuse_others(call, inputs, (first, second))

        def product(a, b):
            parts = list(inputs)
            parts[first], parts[second] = a, b
            return call.emit(*parts)[0]

        return [multiply(inputs[first], inputs[second], product)]

    return Facts(rule, labels=probed, is_bilinear=True)


def elementwise(tower):
    """The rule of functions of each element.

    Args:
        tower: `(x, order) -> [f(x), f'(x), f''(x) / 2!, ..., f^(order)(x) / order!]`; an entry
            may be `None` where the derivative is zero everywhere. It may not depend on variables:
            their gradients would be lost. Use `composite` for that. Entries have the shape of `x`.

    Example:

        kpinn.derivatives.register("Erfinv")(kpinn.derivatives.elementwise(erfinv_tower))
    """

    def rule(call, x):
        return [compose(x, tower, call.needed)]

    return Facts(rule, labels=each_element, **BROADCASTING)


def composite(function):
    """The rule of operations that are made of others.

    Args:
        function: from the inputs of the operation, as tensors, to its output (or a list of
            them), in TensorFlow. It is traced, and propagated through in place of the operation.

    Example:

        kpinn.derivatives.register("Xdivy")(kpinn.derivatives.composite(tf.math.divide_no_nan))
    """

    def rule(call, *inputs):
        return call.run.through(function, inputs)

    def labels(operation, given):
        specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in operation.inputs]
        graph = traced(function, *specs).graph
        values = {graph.inputs[i].name: each for i, each in given.items()}
        found = walk(graph, values, follow)
        ranks = [tensor.shape.rank for tensor in operation.outputs]
        pairs = zip(found, ranks, strict=True)
        return [np.zeros([1] * r, int) if each is None else each for each, r in pairs]

    return Facts(rule, labels=labels)


# Where tapes are as good -------------------------------------------------------------------


def of_first(operation, moving):
    """For `by_tapes`: where only the first input depends on the points."""
    return moving == [0]


# What must not be differentiated -----------------------------------------------------------

_RANDOM = ("Random", "StatelessRandom", "StatelessTruncated", "StatelessParameterized")
_RANDOM += ("TruncatedNormal", "ParameterizedTruncated", "Multinomial", "StatelessMultinomial")
_NOT_RANDOM = ("RandomShuffleQueue", "StatelessRandomGet")
_WRITES = ("Assign", "ResourceApply", "ResourceScatter", "Scatter")
_PYTHON = ("EagerPyFunc", "PyFunc", "PyFuncStateless")


def refusal(operation, inputs):
    """Why an operation has no pointwise derivative; `None` if it may have one."""
    kind = operation.type
    if message := drawing(operation):
        return message
    if kind.startswith(_WRITES) and any(t.dtype == tf.resource for t in operation.inputs):
        return (
            f"{describe(operation)} changes a variable, as dropout, noise and batch normalization "
            "do in training: such a function has no derivative. Call the layer with "
            "training=False."
        )
    if _quantizes(operation):
        return (
            f"{describe(operation)} rounds to {operation.outputs[0].dtype.name}, as quantized "
            "layers do: the derivative through it is zero. Use the layer as it was before."
        )
    if not any(isinstance(value, Jet) for value in inputs):
        return None
    if _makes_integers(operation):
        return (
            f"{describe(operation)} turns values that depend on the coordinates into "
            f"{operation.outputs[0].dtype.name}, as embeddings and discretization do: the "
            "derivative through it is zero. Feed such a layer from something else, or cast after "
            "tf.stop_gradient."
        )
    if kind in _PYTHON:
        return (
            f"{describe(operation)} calls Python on values that depend on the coordinates, which "
            "TensorFlow cannot differentiate twice: write it in TensorFlow, or use "
            "method='finite_difference'."
        )
    return None


def differs_in_training(node):
    """Whether a node draws random numbers or changes a variable, as layers do in training only."""
    return node.op.startswith(("Assign", "StatelessRandom", "Random", "StatelessTruncated"))


def drawing(operation):
    """Why an operation draws random numbers; `None` if it does not."""
    kind = operation.type
    if not kind.startswith(_RANDOM) or kind.startswith(_NOT_RANDOM) or _is_constant(operation):
        return None
    return (
        f"{describe(operation)} draws random numbers, as dropout and noise do in training: such a "
        "function has no pointwise derivative. Call the layer with training=False, or leave it out."
    )


def _is_constant(operation):
    """Whether the numbers are the same in every call: of a given seed, and a given shape."""
    if operation.type == "Const":
        return True
    plain = operation.type.startswith("Stateless") and operation.inputs
    return bool(plain) and all(_is_constant(tensor.op) for tensor in operation.inputs)


def _quantizes(operation):
    """Whether it returns numbers of eight bits; what went into them is rounded before, often."""
    if operation.type == "Cast":
        types = operation.inputs[0].dtype, operation.outputs[0].dtype
        return types[0].is_floating and types[0].size > types[1].size == 1 and not types[1].is_bool
    return operation.type.startswith(("FakeQuant", "QuantizeAndDequantize", "QuantizeV2"))


def _makes_integers(operation):
    if operation.type == "Cast":
        return operation.outputs[0].dtype.is_integer
    return operation.type == "Bucketize"
