"""What `kpinn.check_derivatives` checks, and where."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from kpinn.checking.float64_copy import (
    InFloat64,
    float64_layer,
    least_epsilon,
    same_values,
)
from kpinn.derivatives.api import epsilon, evaluate, inference
from kpinn.derivatives.context import EPSILON, Context, half_range
from kpinn.derivatives.errors import UnsupportedError
from kpinn.derivatives.tracing import TraceError, trace

# What the derivatives of a subject may raise.
REFUSALS = (ValueError, LookupError, NotImplementedError, TypeError, tf.errors.OpError)
REFUSALS += (UnsupportedError,)


@dataclasses.dataclass(frozen=True)
class Subject:
    """A model in one dtype.

    Attributes:
        function: `(n, d) -> (n, m)`, the fields.
        values: `(requests, points, directions, method)` to a dict of tensors by name.
        space: their `Space`.
        dtype: dtype of the points.
        epsilon: machine epsilon of the least precise dtype that it computes in.
        variables: dict from name to the `tf.Variable`s that are trained.
        layer: the Keras layer whose parts are to be named, or `None`.
        reissued: whether it is a traced graph that is issued again, without custom gradients.
    """

    function: object
    values: object
    space: object
    dtype: tf.DType
    epsilon: float
    variables: dict
    layer: object = None
    reissued: bool = False


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
    seed: int = 0

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


def chosen(columns, directions, count, seed):
    """At most `count` of the points: arrays of their columns and directions."""
    rows = np.random.default_rng(seed).permutation(len(columns))[:count]
    rows.sort()
    return columns[rows], {name: np.asarray(v)[rows] for name, v in directions.items()}


def scales_of(columns):
    """Half the range of each column of points."""
    return np.array([float(half_range(tf.constant(column))) for column in columns.T])


def variables_of(function, points):
    """The trained variables of a function: dict from name to `tf.Variable`.

    Args:
        function: a Keras layer, an `InFloat64` or another function.
        points: array `(n, d)` in its dtype.
    """
    if isinstance(function, keras.layers.Layer):
        return _by_name((v.path, v.value) for v in function.trainable_variables)
    if isinstance(function, InFloat64):
        found = function.variables.values()
    else:
        found = trace(function, points.shape[1], tf.as_dtype(points.dtype), len(points)).variables
    return _by_name((v.name.split(":")[0], v) for v in found if v.trainable)


def _by_name(pairs):
    """A dict in the order of the names, each of which is used once."""
    found = {}
    for name, variable in sorted(pairs, key=lambda pair: pair[0]):
        same = sum(known.partition(" ")[0] == name for known in found)
        found[f"{name} ({same + 1})" if same else name] = variable
    return found


def of_function(function, space, dtype, points, scales):
    """The `Subject` of a Keras layer or another function, in its own dtype.

    Args:
        function: `(n, d) -> (n, m)`.
        space: its `Space`.
        dtype: dtype of its points.
        points: array `(n, d)`.
        scales: array `(d,)`, the scales of the columns.
    """
    layer = function if isinstance(function, keras.layers.Layer) else None
    called, points = inference(function, space), points.astype(dtype.as_numpy_dtype)
    try:
        least = max(least_epsilon(called, points), epsilon(function, dtype))
        variables = variables_of(function, points)
    except TraceError:
        least, variables = epsilon(function, dtype), {}
    return _subject(called, space, (dtype, least, scales), variables, layer)


def in_float64(function, own, points, scales):
    """The same function in float64, on copies of its variables; `None` where that fails.

    Args:
        function: what `own` was made of.
        own: its `Subject`.
        points: array `(n, d)`.
        scales: array `(d,)`.
    """
    points = points.astype(own.dtype.as_numpy_dtype)
    copy = float64_layer(own.layer, points, own.space) if own.layer is not None else None
    if copy is None:
        copy = _promoted(own.function, points)
    if copy is None:
        return None
    precision = (tf.float64, EPSILON[tf.float64], scales)
    variables = variables_of(copy, points)
    if isinstance(copy, InFloat64):
        found = _subject(copy, own.space, precision, variables, own.layer)
        return dataclasses.replace(found, reissued=True)
    return _subject(inference(copy, own.space), own.space, precision, variables, copy)


def _promoted(function, points):
    """An `InFloat64` that gives the same values; `None` where there is none."""
    try:
        copy = InFloat64(function, points)
        # It is the same function; far other values are what the shorter dtype makes of it.
        return copy if same_values(function, copy, points, tolerance=0.5) else None
    except Exception:  # operations that exist in one dtype only, and what they raise
        return None


def _subject(function, space, precision, variables, layer):
    dtype, least, scales = precision
    context = Context(space, least, by_coordinate(space, scales))

    def values(requests, points, directions, method):
        return evaluate(function, points, requests, directions, method, context)

    return Subject(function, values, space, dtype, least, variables, layer)


def by_coordinate(space, scales):
    """Scales of columns as a dict from coordinate to its largest one."""
    return {name: float(np.max(scales[part])) for name, part in space.coordinates.items()}
