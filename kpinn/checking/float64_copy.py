"""The same function in float64: of a Keras layer a copy, of anything else its traced graph.

A layer is made again from its configuration with every dtype replaced, and gets the same weights.
Where that fails, or computes something else, the traced graph is issued again operation by
operation with float64 in the place of each shorter dtype.
"""

import contextlib
import random

import keras
import numpy as np
import tensorflow as tf

from kpinn.derivatives.api import inference
from kpinn.derivatives.context import EPSILON
from kpinn.derivatives.emission import emit
from kpinn.derivatives.interpreter import Call, Run
from kpinn.derivatives.keras_private import all_layers
from kpinn.derivatives.operations.control_flow import CONTROL_FLOW
from kpinn.derivatives.tracing import trace

SHORTER = (tf.float32, tf.float16, tf.bfloat16)


def float64_layer(layer, points, space):
    """A copy of a Keras layer in float64 with the same weights; `None` where there is none.

    Args:
        layer: built Keras layer.
        points: array `(n, d)`, at which the copy must give the values of the layer.
        space: the `Space` of its coordinates and fields.
    """
    try:
        with _float64_settings():
            copy = _made_again(layer)
            called = inference(copy, space)
            called(tf.constant(points, tf.float64))  # subclasses are built here
            copy.set_weights(layer.get_weights())
    except Exception:  # whatever a constructor of the user's raises
        return None
    return copy if same_values(inference(layer, space), called, points) else None


def _made_again(layer):
    config = keras.saving.serialize_keras_object(layer)
    objects = {}
    for part in all_layers(layer):
        used = [type(part), *(value for value in vars(part).values() if callable(value))]
        objects |= {value.__name__: value for value in used if hasattr(value, "__name__")}
    config = _in_float64(config)
    return keras.saving.deserialize_keras_object(config, custom_objects=objects, safe_mode=False)


def _in_float64(config):
    """A configuration with `float64` for each dtype policy."""
    if isinstance(config, dict):
        return {
            key: "float64" if key == "dtype" and value is not None else _in_float64(value)
            for key, value in config.items()
        }
    return [_in_float64(value) for value in config] if isinstance(config, list | tuple) else config


@contextlib.contextmanager
def _float64_settings():
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    state = random.getstate()  # initializers draw their seeds: the user's come as without a check
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)
        random.setstate(state)


def same_values(function, copy, points, tolerance=None):
    """Whether two functions agree at points.

    Args:
        function: `(n, d) -> (n, m)`, in the dtype of the points.
        copy: the function in float64.
        points: array `(n, d)`.
        tolerance: relative to the largest value; by default some digits less than the precision
            of the function.
    """
    expected = tf.convert_to_tensor(function(tf.convert_to_tensor(points)))
    found = copy(tf.constant(points, tf.float64))
    if found.dtype != tf.float64 or found.shape != expected.shape:
        return False
    expected, found = np.asarray(tf.cast(expected, tf.float64)), np.asarray(found)
    size = np.max(np.abs(expected[np.isfinite(expected)]), initial=0.0)
    tolerance = 1e4 * least_epsilon(function, points) if tolerance is None else tolerance
    return np.allclose(found, expected, rtol=0.0, atol=tolerance * size, equal_nan=True)


def least_epsilon(function, points):
    """Machine epsilon of the least precise dtype among the traced operations on the points."""
    graph = trace(function, points.shape[1], tf.as_dtype(points.dtype), len(points)).graph
    dtypes = {tensor.dtype for o in graph.get_operations() for tensor in o.outputs}
    dtypes |= {tf.as_dtype(points.dtype)}
    return max(EPSILON[dtype] for dtype in dtypes if dtype in EPSILON)


# The traced graph in float64 ---------------------------------------------------------------


class InFloat64:
    """A function whose traced graph is issued again in float64.

    Attributes:
        variables: dict from the identity of a variable to its copy in float64.

    Args:
        function: `(n, d) -> (n, m)`.
        points: array `(n, d)` in the dtype that it is traced for.
    """

    def __init__(self, function, points):
        dtype = tf.as_dtype(points.dtype)
        self.traced = trace(function, points.shape[1], dtype, len(points))  # keeps it alive
        self.variables = {
            id(v): tf.Variable(_raised(v), trainable=v.trainable, name=v.name.split(":")[0])
            for v in self.traced.graph.variables
            if v.dtype.is_floating
        }

    def __call__(self, points):
        return _Promotion(self.variables).begin(self.traced.graph, points)


class _Promotion(Run):
    """A run without jets that issues every operation in float64."""

    def __init__(self, copies):
        super().__init__(algebra=None, report=None)
        self.copies = copies

    def begin(self, graph, points):
        values = {graph.inputs[0].name: points}
        variables = {id(variable.handle): variable for variable in graph.variables}
        for variable in variables.values():
            self.read[id(variable)] = _raised(self.copies.get(id(variable), variable))
        for outer, inner in graph.captures:
            values[inner.name] = variables.get(id(outer), _raised(outer))
        return self.walk(graph, values)[0]

    def outputs(self, operation, inputs, *rest):
        if operation.type == "ReadVariableOp":
            return [self._variable(inputs[0])]
        if operation.type in CONTROL_FLOW:
            return CONTROL_FLOW[operation.type](Call(self, operation, *rest), *inputs)
        inputs = [value.handle if isinstance(value, tf.Variable) else value for value in inputs]
        scope = operation.name.rpartition("/")[0]
        with tf.name_scope(f"{scope}/" if scope else ""):  # the names of the layers are kept
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
