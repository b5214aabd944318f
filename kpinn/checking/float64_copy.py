"""A traced function in float64: its operations are issued again, with copies of its variables."""

import tensorflow as tf

from kpinn.derivatives.errors import UnsupportedError, describe
from kpinn.derivatives.graphs.emission import emit
from kpinn.derivatives.graphs.interpreter import Call, Run
from kpinn.derivatives.operations.control_flow import CONTROL_FLOW

SHORTER = (tf.float32, tf.float16, tf.bfloat16)
WRITES = ("Assign", "ResourceApply", "ResourceScatter")


class Values(Run):
    """A run of a graph on tensors, in which nothing is refused."""

    def __init__(self):
        super().__init__(algebra=None, report=None)

    def outputs(self, operation, inputs, *rest):
        if operation.type == "ReadVariableOp":
            return [self._variable(inputs[0])]
        if operation.type in CONTROL_FLOW:
            return CONTROL_FLOW[operation.type](Call(self, operation, *rest), *inputs)
        inputs = [value.handle if isinstance(value, tf.Variable) else value for value in inputs]
        return self.issued(operation, inputs)

    def issued(self, operation, inputs):
        """The outputs of an operation that is issued again."""
        return emit(operation, inputs)


class Float64Copy(Values):
    """A function `(n, d) -> (n, m)` in float64, from its `ConcreteFunction` in another dtype.

    It cannot be called if the function writes variables.

    Attributes:
        copies: dict from the identity of a variable to its copy in float64.
    """

    def __init__(self, traced):
        super().__init__()
        self.traced = traced  # keeps the graph alive
        floating = [variable for variable in traced.graph.variables if variable.dtype.is_floating]
        self.copies = {id(v): tf.Variable(_raised(v), trainable=v.trainable) for v in floating}

    def __call__(self, points):
        graph, values = self.traced.graph, {self.traced.graph.inputs[0].name: points}
        variables = {id(variable.handle): variable for variable in graph.variables}
        for variable in graph.variables:
            self.read[id(variable)] = _raised(self.copies.get(id(variable), variable))
        for outer, inner in graph.captures:
            values[inner.name] = variables.get(id(outer), _raised(outer))
        return self.walk(graph, values)[0]

    def issued(self, operation, inputs):
        if operation.type.startswith(WRITES):
            raise UnsupportedError(f"{describe(operation)} changes a variable")
        scope = operation.name.rpartition("/")[0]
        with tf.name_scope(f"{scope}/" if scope else ""):  # the names of the layers are kept
            if operation.type == "SquaredDifference":  # whose stops in tf.nn.moments a run passes
                sources = [tensor.op.type for tensor in operation.inputs]
                pairs = zip(inputs, sources, strict=True)
                inputs = [tf.stop_gradient(v) if s == "StopGradient" else v for v, s in pairs]
            return [_raised(value) for value in emit(_Raised(operation), inputs)]


class _Raised:
    """A `tf.Operation` whose attributes name float64 for every shorter dtype."""

    def __init__(self, operation):
        self._operation = operation

    def __getattr__(self, name):
        return getattr(self._operation, name)

    def get_attr(self, name):
        value = self._operation.get_attr(name)
        return tf.float64 if isinstance(value, tf.DType) and value in SHORTER else value


def _raised(tensor):
    tensor = tf.convert_to_tensor(tensor)
    return tf.cast(tensor, tf.float64) if tensor.dtype in SHORTER else tensor
