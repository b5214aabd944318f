"""A traced function in float64: its operations are issued again, with copies of its variables."""

import tensorflow as tf

from kpinn.derivatives.emission import emit
from kpinn.derivatives.errors import UnsupportedError, describe
from kpinn.derivatives.interpreter import Call, Run
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
    """A function `(n, d) -> (n, m)` in float64.

    Args:
        traced: its `ConcreteFunction` in another dtype.

    Attributes:
        copies: dict from the identity of a variable to its copy in float64.

    It cannot be called if the function writes variables.
    """

    def __init__(self, traced):
        super().__init__()
        self.traced = traced  # keeps the graph alive
        variables = {id(variable.handle): variable for variable in traced.graph.variables}
        self.copies = {
            id(v): tf.Variable(_raised(v), trainable=v.trainable, name=v.name.split(":")[0])
            for v in variables.values()
            if v.dtype.is_floating
        }
        self.captured = {
            inner.name: variables[id(outer)] if id(outer) in variables else _raised(outer)
            for outer, inner in traced.graph.captures
        }

    def __call__(self, points):
        graph = self.traced.graph
        copies = {id(v): self.copies.get(id(v), v) for v in graph.variables}
        self.read = {key: tf.convert_to_tensor(variable) for key, variable in copies.items()}
        return self.walk(graph, self.captured | {graph.inputs[0].name: points})[0]

    def issued(self, operation, inputs):
        if operation.type.startswith(WRITES):
            raise UnsupportedError(f"{describe(operation)} changes a variable")
        if operation.type == "Const":
            return [tf.constant(_as_float64(tf.make_ndarray(operation.get_attr("value"))))]
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


def _as_float64(array):
    return array.astype("float64") if tf.as_dtype(array.dtype) in SHORTER else array
