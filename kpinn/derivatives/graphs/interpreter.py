"""Propagates jets through a traced graph: its operations are issued again, channel by channel.

It runs while the caller's own function is traced (or eagerly), so that what remains is a graph of
plain TensorFlow operations, in which variables keep their gradients.
"""

import collections
import dataclasses

import tensorflow as tf

from kpinn.derivatives.channels.algebra import Algebra
from kpinn.derivatives.channels.jets import Jet, value_of
from kpinn.derivatives.errors import LostError, RefusedError, UnsupportedError, describe
from kpinn.derivatives.graphs.emission import emit
from kpinn.derivatives.graphs.walker import depending, needed_operations, walk
from kpinn.derivatives.operations import facts_of
from kpinn.derivatives.operations.control_flow import CONTROL_FLOW
from kpinn.derivatives.operations.rules import refusal
from kpinn.derivatives.operations.without_rule import generic
from kpinn.derivatives.tensorflow_private import function_graph

_NUMPY = ("PyFunc", "PyFuncStateless")  # which have no gradient; `EagerPyFunc` has one


def values_of(graph, inputs, tensors):
    """The values of some tensors of a traced graph.

    Args:
        graph: the graph of a `ConcreteFunction`.
        inputs: a tensor for each of its arguments; anything for those that are not needed.
        tensors: tensors of the graph.
    """
    return Run(None, None).start(graph, inputs, outputs=tensors)


@dataclasses.dataclass
class Run:
    """One propagation.

    Attributes:
        algebra: the `Algebra` of the jets.
        report: called with the description of each operation that has no rule.
        recompute: whether gradients compute channels again, see `kpinn.Taylor`.
        read: the values of variables that were read, by identity.
    """

    algebra: Algebra
    report: object
    recompute: bool = False
    read: dict = dataclasses.field(default_factory=dict)

    def start(self, graph, inputs, needed=None, outputs=None):
        """The outputs of a traced graph for other inputs; variables are read here, before loops.

        Args:
            graph: the graph of a `ConcreteFunction`.
            inputs: a `Jet` or tensor for each of its arguments, without what it captures.
            needed: the channels of the outputs that are used; by default all.
            outputs: tensors of the graph; by default its outputs.

        Returns:
            A list of jets and tensors.

        Raises:
            UnsupportedError: for an operation that cannot be propagated through.
            RefusedError: for one that must not be.
        """
        names = [tensor.name for tensor in graph.inputs[: len(inputs)]]
        values = dict(zip(names, inputs, strict=True))
        variables = {id(variable.handle): variable for variable in graph.variables}
        for variable in variables.values():
            self.read[id(variable)] = tf.convert_to_tensor(variable)
        for outer, inner in graph.captures:
            values[inner.name] = variables.get(id(outer), outer)
        return self.walk(graph, values, needed, outputs)

    def through(self, function, inputs):
        """The outputs of a function of tensors that is traced first."""
        specs = [tf.TensorSpec(value_of(v).shape, value_of(v).dtype) for v in inputs]
        traced = tf.function(function, autograph=False).get_concrete_function(*specs)
        return self.start(traced.graph, inputs)

    def walk(self, graph, values, needed=None, outputs=None):
        """The outputs of a graph, or other tensors, from the values of its placeholders by name."""
        jets = {name for name, value in values.items() if isinstance(value, Jet)}
        channels = _needed_channels(graph, outputs, needed, jets)

        def interpretation(operation, inputs):
            if _is_stopped_mean(operation):
                return inputs
            is_known = needed is not None and operation.outputs and operation.graph is graph
            wanted = channels[operation.outputs[0].name] if is_known else None
            return self.outputs(operation, inputs, wanted)

        return walk(graph, values, interpretation, outputs)

    def outputs(self, operation, inputs, needed):
        """Outputs of one operation."""
        message = refusal(operation, inputs)
        if message:
            raise (LostError if operation.type in _NUMPY else RefusedError)(message)
        if operation.type == "ReadVariableOp":
            return [self._variable(inputs[0])]
        call = Call(self, operation, needed)
        if operation.type in CONTROL_FLOW:
            return CONTROL_FLOW[operation.type](call, *inputs)
        inputs = [value.handle if isinstance(value, tf.Variable) else value for value in inputs]
        if not any(isinstance(value, Jet) for value in inputs):
            return call.emit(*inputs)
        if any(value_of(value).shape.rank is None for value in inputs):
            raise UnsupportedError(f"{describe(operation)} takes a tensor of unknown rank")
        if rule := facts_of(operation).rule:
            return rule(call, *inputs)
        self.report(f"{describe(operation)} has no rule")
        return generic(call, *inputs)

    def _variable(self, variable):
        if id(variable) in self.read:
            return self.read[id(variable)]
        raise UnsupportedError(f"{variable} is read, which is no tf.Variable")


@dataclasses.dataclass(frozen=True)
class Call:
    """What a rule gets beside the inputs.

    Attributes:
        run: the propagation.
        operation: the `tf.Operation`: its `type`, `name` and `get_attr`.
        needed: the channels of its first output that are used; `None` for all.
    """

    run: Run
    operation: tf.Operation
    needed: frozenset | None

    @property
    def algebra(self):
        """The `Algebra` of the jets."""
        return self.run.algebra

    def attribute(self, name):
        """An attribute of the operation."""
        return self.operation.get_attr(name)

    def emit(self, *inputs):
        """Issues the operation on tensors; returns the list of its outputs."""
        return emit(self.operation, inputs)

    def emit_values(self, *inputs):
        """Issues the operation on the values of jets."""
        return emit(self.operation, [value_of(value) for value in inputs])

    def function(self, attribute):
        """The graph of the function that an attribute of the operation names."""
        return self.named_function(self.attribute(attribute).name)

    def named_function(self, name):
        """The graph of a function by name."""
        return function_graph(self.operation.graph, name)

    def walk(self, graph, inputs):
        """The outputs of such a graph, with the variables among its inputs put back."""
        names = [tensor.name for tensor in graph.inputs]
        return self.run.walk(graph, dict(zip(names, inputs, strict=True)))


def _needed_channels(graph, outputs, wanted, jets):
    """For each tensor the channels that are used, `None` for all, from those of the outputs.

    `jets` is the set of the names of placeholders that stand for jets.
    """
    if wanted is None:
        return {}
    operations = needed_operations(graph, outputs)
    moving = depending(operations, jets)
    found = collections.defaultdict(frozenset)
    found |= {tensor.name: wanted for tensor in graph.outputs}
    for operation in reversed(operations):
        of_outputs = [found[tensor.name] for tensor in operation.outputs]
        facts, names = facts_of(operation), [tensor.name for tensor in operation.inputs]
        single = facts.is_bilinear and sum(name in moving for name in names) == 1
        every = not (facts.is_linear or single) or None in of_outputs
        for name in names:
            known = found[name]
            found[name] = None if every or known is None else known.union(*of_outputs)
    return found


def _is_stopped_mean(operation):
    """Whether a `StopGradient` is that inside `tf.nn.moments`, which is passed through.

    `tf.nn.moments` computes `mean((x - stop_gradient(mean(x)))^2)`, which is neutral for a first
    derivative and wrong for all others.
    """
    if operation.type != "StopGradient" or operation.inputs[0].op.type != "Mean":
        return False
    source, stopped = operation.inputs[0].op.inputs[0].name, operation.outputs[0]
    users = [user for user in stopped.consumers() if user.type == "SquaredDifference"]
    pairs = [{tensor.name for tensor in user.inputs} for user in users]
    return {source, stopped.name} in pairs
