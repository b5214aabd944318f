"""What is compared: a model as it is, or in float64, and the points."""

import dataclasses
import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from kpinn.checking.float64_copy import Float64Copy
from kpinn.derivatives.api import evaluate
from kpinn.derivatives.context import Context
from kpinn.derivatives.errors import UnsupportedError
from kpinn.derivatives.graphs.tracing import TraceError, trace
from kpinn.derivatives.names.factors import Factor
from kpinn.derivatives.precision import EPSILON

# What the derivatives of a subject may raise.
REFUSALS = (ValueError, LookupError, NotImplementedError, TypeError, tf.errors.OpError)
REFUSALS += (UnsupportedError,)


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A model in one dtype.

    Attributes:
        function: `(n, d) -> (n, m)`, the fields.
        dtype: dtype of the points.
        context: the `Context` in which its derivatives are computed.
        epsilon: machine epsilon of the least precise dtype that is found in it.
        values: `(points, requests, directions, method)` to a dict of tensors by name.
        layer: the Keras layer whose parts are to be named, or `None`.
        traced: the `ConcreteFunction` of the function, `None` where it cannot be traced.
        variables: pairs of a name and a `tf.Variable` that is trained.
    """

    function: Callable
    dtype: tf.DType
    context: Context
    epsilon: float
    values: Callable
    layer: keras.layers.Layer | None
    traced: object
    variables: list


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
        """At most `count` of the points, and factors of requests as numbers.

        Raises:
            ValueError: for a factor with a value for each point.
        """
        rows = np.random.default_rng(self.seed).permutation(len(self.columns))[:count]
        rows.sort()
        directions = {name: vectors[rows] for name, vectors in self.directions.items()}
        requests = {name: _with_numbers(request) for name, request in self.requests.items()}
        columns = self.columns[rows]
        return dataclasses.replace(self, requests=requests, columns=columns, directions=directions)

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


def _with_numbers(request):
    terms = []
    for factor, term in request.terms:
        if isinstance(factor, Factor):
            value = np.asarray(tf.convert_to_tensor(factor.value))
            if value.size != 1:
                raise ValueError(
                    f"{request.name!r} has a factor of shape {value.shape}: check_derivatives "
                    "looks at some of the points, and takes factors with one value. Ask for the "
                    "terms by themselves."
                )
            factor = factor.number * float(value.reshape(()))
        terms.append((factor, term))
    return dataclasses.replace(request, terms=tuple(terms))


def subject(function, points, context, layer=None, values=None):
    """The `Subject` of a function of points `(n, d)`, whose values are by default `evaluate`'s."""
    values = values or functools.partial(evaluate, function, context=context)
    try:
        traced = trace(function, points.shape[1], points.dtype, points.shape[0])
    except TraceError:
        return Subject(function, points.dtype, context, context.epsilon, values, layer, None, [])
    tensors = [tensor for o in traced.graph.get_operations() for tensor in o.outputs]
    found = [EPSILON[tensor.dtype] for tensor in tensors if tensor.dtype in EPSILON]
    least = max([context.epsilon, *found])
    of_layer = {id(v.value): v for v in (layer.variables if layer is not None else [])}
    variables = []
    for variable in traced.graph.variables:
        known = of_layer.get(id(variable), variable)
        if known.trainable:
            variables.append((getattr(known, "path", known.name.split(":")[0]), variable))
    variables.sort(key=lambda pair: pair[0])
    return Subject(function, points.dtype, context, least, values, layer, traced, variables)


def in_float64(own, columns):
    """The same in float64, on copies of its variables; `own` where that fails at the points."""
    if own.traced is None:
        return own
    try:
        copy = Float64Copy(own.traced)
        expected = np.asarray(own.function(tf.constant(columns, own.dtype)), np.float64)
        found = copy(tf.constant(columns, tf.float64))
    except Exception:  # operations that exist in one dtype only, and what they raise
        return own
    # It is the same function; far other values are what the shorter dtype makes of it.
    atol = 0.5 * np.max(np.abs(expected[np.isfinite(expected)]), initial=0.0)
    fits = found.dtype == tf.float64 and found.shape == expected.shape
    if not fits or not np.allclose(found, expected, rtol=0.0, atol=atol, equal_nan=True):
        return own
    best = subject(copy, tf.constant(columns, tf.float64), own.context, own.layer)
    variables = [(name, copy.copies[id(variable)]) for name, variable in own.variables]
    return dataclasses.replace(best, epsilon=EPSILON[tf.float64], variables=variables)
