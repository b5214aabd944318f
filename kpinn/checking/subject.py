"""What `kpinn.check_derivatives` compares: a model in one dtype, and where."""

import dataclasses
import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from kpinn.checking.float64_copy import Float64Copy
from kpinn.derivatives.api import epsilon, evaluate, inference
from kpinn.derivatives.context import EPSILON, Context, half_range
from kpinn.derivatives.errors import UnsupportedError
from kpinn.derivatives.tracing import TraceError, trace

# What the derivatives of a subject may raise.
REFUSALS = (ValueError, LookupError, NotImplementedError, TypeError, tf.errors.OpError)
REFUSALS += (UnsupportedError,)


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A model in one dtype.

    Attributes:
        function: `(n, d) -> (n, m)`, the fields.
        dtype: dtype of the points.
        context: its `Context`, with machine epsilon of the least precise dtype in it.
        values: `(points, requests, directions, method)` to a dict of tensors by name.
        traced: the `ConcreteFunction` of the function, `None` where it cannot be traced.
        variables: dict from name to the `tf.Variable`s that are trained.
        layer: the Keras layer whose parts are to be named, or `None`.
    """

    function: Callable
    dtype: tf.DType
    context: Context
    values: Callable
    traced: object
    variables: dict
    layer: object = None

    @property
    def epsilon(self):
        """Machine epsilon of the least precise dtype that it computes in."""
        return self.context.epsilon


@dataclasses.dataclass(frozen=True)
class Points:
    """Where, and what, is checked.

    Attributes:
        requests: dict from name to `Request`.
        columns: array `(n, d)`.
        directions: dict from name to array `(n, d)`.
        scales: array `(d,)`, the scales of the columns.
        method: the resolved method that the model uses.
        seed: seed of what is drawn.
    """

    requests: dict
    columns: np.ndarray
    directions: dict
    scales: np.ndarray
    method: object
    seed: int

    def chosen(self, count):
        """At most `count` of the points."""
        rows = np.random.default_rng(self.seed).permutation(len(self.columns))[:count]
        rows.sort()
        directions = {name: vectors[rows] for name, vectors in self.directions.items()}
        return dataclasses.replace(self, columns=self.columns[rows], directions=directions)

    def tensors(self, dtype):
        """Points and directions as tensors."""
        directions = {name: tf.constant(v, dtype) for name, v in self.directions.items()}
        return tf.constant(self.columns, dtype), directions

    def scale(self, axis):
        """The scale of an axis; along a direction that of the parameter."""
        if isinstance(axis, int):
            return self.scales[axis]
        reach = np.max(np.abs(self.directions[axis]) / self.scales)
        return 1.0 / reach if reach > 0 else 1.0


def scales_of(columns):
    """Half the range of each column of points."""
    return np.array([float(half_range(tf.constant(column))) for column in columns.T])


def by_coordinate(space, scales):
    """Scales of columns as a dict from coordinate to its largest one."""
    return {name: float(np.max(scales[part])) for name, part in space.coordinates.items()}


def of_function(function, space, points, scales):
    """The `Subject` of a Keras layer or another function.

    Args:
        function: `(n, d) -> (n, m)`.
        space: its `Space`.
        points: tensor `(n, d)` in the dtype of the function.
        scales: array `(d,)`, the scales of the columns.
    """
    layer = function if isinstance(function, keras.layers.Layer) else None
    context = Context(space, epsilon(function, points.dtype), by_coordinate(space, scales))
    return subject(inference(function, space), points, context, layer)


def subject(function, points, context, layer=None, values=None):
    """A `Subject`.

    Args:
        function: `(n, d) -> (n, m)`.
        points: tensor `(n, d)`.
        context: a `Context` with machine epsilon of the dtypes that are known of.
        layer: the Keras layer whose parts are to be named, or `None`.
        values: how derivatives are computed, by default as `evaluate` does.
    """
    try:
        traced = trace(function, points.shape[1], points.dtype, points.shape[0])
    except TraceError:
        traced, variables = None, {}
    else:
        variables = _variables(traced.graph, layer)
        tensors = [t for o in traced.graph.get_operations() for t in o.outputs]
        found = [EPSILON[tensor.dtype] for tensor in tensors if tensor.dtype in EPSILON]
        context = dataclasses.replace(context, epsilon=max(context.epsilon, *found))
    values = values or functools.partial(evaluate, function, context=context)
    return Subject(function, points.dtype, context, values, traced, variables, layer)


def _variables(graph, layer):
    """The trained variables of a graph in the order of their names, each of which is used once."""
    known = layer.variables if layer is not None else []
    paths = {id(v.value): v.path for v in known}
    trained = {id(v.value) for v in known if v.trainable}
    trained |= {id(v) for v in graph.variables if v.trainable and id(v) not in paths}
    pairs = [(paths.get(id(v), v.name.split(":")[0]), v) for v in graph.variables]
    found = {}
    for name, variable in sorted(pairs, key=lambda pair: pair[0]):
        if id(variable) in trained:
            same = sum(known.partition(" ")[0] == name for known in found)
            found[f"{name} ({same + 1})" if same else name] = variable
    return found


def in_float64(own, points):
    """The same in float64, on copies of its variables; `own` itself where that fails.

    Args:
        own: a `Subject`.
        points: array `(n, d)`, at which the copy must give the values of `own`.
    """
    if own.traced is None:
        return own
    try:
        copy = Float64Copy(own.traced)
        expected = np.asarray(own.function(tf.constant(points, own.dtype)), np.float64)
        found = copy(tf.constant(points, tf.float64))
        # It is the same function; far other values are what the shorter dtype makes of it.
        atol = 0.5 * np.max(np.abs(expected[np.isfinite(expected)]), initial=0.0)
        fits = found.dtype == tf.float64 and found.shape == expected.shape
        if not fits or not np.allclose(found, expected, rtol=0.0, atol=atol, equal_nan=True):
            return own
    except Exception:  # operations that exist in one dtype only, and what they raise
        return own
    context = dataclasses.replace(own.context, epsilon=EPSILON[tf.float64])
    best = subject(copy, tf.constant(points, tf.float64), context, own.layer)
    variables = {name: copy.copies[id(v)] for name, v in own.variables.items()}
    return dataclasses.replace(best, variables=variables)
