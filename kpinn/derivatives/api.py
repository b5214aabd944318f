"""`kpinn.derivatives`: the one place where a method is chosen and run."""

import warnings

import keras
import numpy as np
import tensorflow as tf

from kpinn.derivatives.context import EPSILON, Context
from kpinn.derivatives.errors import DerivativeFallbackWarning, UnsupportedError
from kpinn.derivatives.factors import with_tensors
from kpinn.derivatives.keras_private import all_layers
from kpinn.derivatives.lost import refuse_lost
from kpinn.derivatives.methods.finite_difference import FiniteDifference, finite_difference
from kpinn.derivatives.methods.forward import forward
from kpinn.derivatives.methods.reverse import reverse
from kpinn.derivatives.methods.stochastic import Stochastic, draw, randomized
from kpinn.derivatives.methods.taylor import Taylor, taylor
from kpinn.derivatives.mixing import refuse_mixed
from kpinn.derivatives.readout import at_points, read_out
from kpinn.derivatives.requests import Space, parse_all, partials
from kpinn.derivatives.stop_gradient import stopped_moments
from kpinn.derivatives.tracing import TraceError, graph_of

METHODS = ("auto", "taylor", "reverse", "forward", "finite_difference")


def derivatives(function, points, requests, coordinates=None, fields="u", method="auto"):
    """Fields and their derivatives at points.

    Args:
        function: any callable or Keras model, from `(n, d)` coordinates to `(n, m)` fields. A
            model is called with `training=False`.
        points: dict of arrays `(n, 1)` or `(n,)`, for a coordinate with `k` components `(n, k)`;
            or one array `(n, d)`, with `coordinates`. A dict also holds the vectors of named
            directions, `(n, d)` or one column per spatial coordinate, if `coordinates` is given.
        requests: names separated by commas, or a sequence of names: fields (`u`), derivatives
            (`u_x`, `u_xxt`, `u_x1_x1`), derivatives along a direction (`u_n`) and operators over
            the spatial coordinates, all but `t` or `time` (`grad_u`, `laplacian_u`, `hessian_u`,
            `biharmonic_u`, for vector fields `div_v`, `curl_v`, `jac_v`, `laplacian_v`). Or a dict
            from names of your own to requests and to linear combinations of them, such as
            `{"u": "u", "heat": {"u_t": 1.0, "u_xx": -0.1}}`, which cost less than their terms. A
            factor is a number, a variable or tensor with one value, or an array or tensor with
            one for each point, `(n, 1)` or `(n,)`; gradients go through it.
        coordinates: names of the columns of the input, `"t x"` or `"t x[3]"`; by default the
            keys of `points` in their order.
        fields: names of the columns of the output, `"u v p"` or `"v[2] p"`.
        method: `"auto"` or `"taylor"` (exact, by one propagation of Taylor coefficients),
            `"reverse"`, `"forward"`, `"finite_difference"`, or a `kpinn.Taylor(...)`,
            `kpinn.FiniteDifference(...)` or `kpinn.Stochastic(...)` with options.

    Returns:
        A dict from name to tensor: `(n, 1)`, for a field with `k` components `(n, k)`, for
        `grad_` `(n, d)`, for `hessian_` `(n, d, d)`, for `jac_` `(n, k, d)`, for `curl_` in three
        dimensions `(n, 3)`.

    Raises:
        ValueError: for a name without meaning, points of a wrong shape, a function whose output
            does not fit the fields, or a network whose derivatives the method gets wrong.

    Example:

        x = np.linspace(0.0, 1.0, 11)
        values = kpinn.derivatives(tf.sin, {"x": x}, "u, u_x, u_xx")
    """
    method = resolve(method)
    space = space_of(points, coordinates, fields)
    dtype = input_dtype(function, points)
    columns, directions = split_points(points, space, dtype)
    asked = parse_all(requests, space, directions)
    context = Context(space, epsilon(function, dtype))
    return evaluate(inference(function, space), columns, asked, directions, method, context)


def evaluate(function, points, requests, directions, method, context):
    """Runs a resolved method; see `derivatives`.

    Args:
        function: `(n, d) -> (n, m)`.
        points: tensor `(n, d)`.
        requests: list of `Request`.
        directions: dict from name to tensor `(n, d)`.
        method: what `resolve` returned.
        context: the `Context`.

    Returns:
        A dict from name to tensor.
    """
    space = context.space
    requests = [with_tensors(request, points) for request in requests]
    if isinstance(method, Stochastic):
        requests, needed = randomized(requests, space, method)
        directions = directions | draw(needed, points, space, method, context.step)
        method = Taylor()
    if isinstance(method, Taylor):
        return _by_taylor(function, points, requests, directions, method, context)
    function = _Checked(function, space)
    wanted = {key for request in requests for key in partials(request, space)}
    order = max(len(axes) for _, axes in wanted)
    stopped = _refuse_wrong(function.function, points, order, method)
    if isinstance(method, FiniteDifference):
        values = finite_difference(function, points, wanted, directions, method, context)
    else:
        by_tapes = {"reverse": reverse, "forward": forward}[method]
        values = by_tapes(function, points, wanted, directions)
        if stopped:
            values = {key: _prevent(value, key, stopped, method) for key, value in values.items()}
    read = {request.name: read_out(request, space, values) for request in requests}
    return at_points(read, points)


def resolve(method):
    """Turns the `method=` argument into `"reverse"`, `"forward"`, `Taylor` or `FiniteDifference`.

    Raises:
        ValueError: for an unknown method.
    """
    if isinstance(method, Taylor | FiniteDifference | Stochastic):
        return method
    if isinstance(method, str) and method in METHODS:
        objects = {"auto": Taylor(), "taylor": Taylor(), "finite_difference": FiniteDifference()}
        return objects.get(method, method)
    raise ValueError(
        f"method {method!r} is unknown: expected one of {', '.join(map(repr, METHODS))}, a "
        "kpinn.Taylor(...), a kpinn.FiniteDifference(...) or a kpinn.Stochastic(...)."
    )


def _by_taylor(function, points, requests, directions, method, context):
    """`taylor`, and nested tapes where it cannot go through an operation."""
    reports, space = [], context.space
    try:
        values = taylor(
            function, points, requests, directions, space, reports.append, method.recompute
        )
    except (UnsupportedError, TraceError) as error:
        reports.append(str(error))
        advice = _advice(reports, isinstance(error, TraceError))
        if method.strict:
            raise ValueError(advice) from error
        try:
            values = evaluate(function, points, requests, directions, "reverse", context)
        except LookupError as missing:
            raise ValueError(
                f"{advice} TensorFlow has no gradient to use in its place ({missing}): add a rule, "
                "or use method='finite_difference'."
            ) from missing
        message = (
            f"{advice} All derivatives are computed by nested gradient tapes, which is slower."
        )
        warnings.warn(message, DerivativeFallbackWarning, stacklevel=2)
        return values
    if reports and method.strict:
        raise ValueError(_advice(reports))
    if reports:
        message = (
            f"{_advice(reports)} Until then its derivatives are computed by TensorFlow's gradients "
            "of it, which is slower."
        )
        warnings.warn(message, DerivativeFallbackWarning, stacklevel=2)
    return at_points(values, points)


def _advice(reports, is_trace=False):
    what = f"Taylor coefficients cannot be propagated: {'; '.join(dict.fromkeys(reports))}."
    return what if is_trace else f"{what} kpinn.derivatives.register adds a rule for an operation."


# The function ------------------------------------------------------------------------------


def inference(function, space=None):
    """The function as it is to be differentiated, from points `(n, d)` to outputs `(n, m)`.

    A Keras layer is called with `training=False`; a functional model with several inputs gets the
    coordinates by name; outputs in a dict are put side by side by field, those of a list as they
    stand.
    """
    if isinstance(function, keras.layers.Layer):
        return _Inference(function, space)
    return _Joined(function, space)


class _Joined:
    """A function whose outputs are put side by side."""

    def __init__(self, function, space):
        self.function, self.space = function, space

    def __call__(self, points):
        outputs = self.function(points)
        if isinstance(outputs, dict) and self.space is not None:
            if set(outputs) != set(self.space.fields):
                raise ValueError(
                    f"the function returned {', '.join(map(repr, outputs))}: expected one output "
                    f"per field. There are {self.space.describe()}."
                )
            outputs = [outputs[name] for name in self.space.fields]
        if isinstance(outputs, list | tuple):
            return tf.concat([tf.convert_to_tensor(output) for output in outputs], axis=1)
        return outputs


class _Inference(_Joined):
    """A Keras layer called with `training=False`."""

    def __init__(self, layer, space):
        super().__init__(self._call, space)
        self._layer = layer

    def _call(self, points):
        inputs = getattr(self._layer, "inputs", None) or ()
        if len(inputs) < 2 or self.space is None:
            return self._layer(points, training=False)
        names = [tensor.name for tensor in inputs]
        if set(names) != set(self.space.coordinates):
            raise ValueError(
                f"the model {self._layer.name!r} has the inputs {', '.join(names)}: expected "
                "one input per coordinate, named like it (keras.Input((1,), name='x')). There are "
                f"{self.space.describe()}."
            )
        columns = {name: points[:, part] for name, part in self.space.coordinates.items()}
        return self._layer(columns, training=False)


class _Checked:
    """A function with its output checked against the fields."""

    def __init__(self, function, space):
        self.function, self.space = function, space

    def __call__(self, points):
        outputs = tf.convert_to_tensor(self.function(points))
        self.space.check_output(outputs.shape, points.shape)
        return outputs


def _refuse_wrong(function, points, order, method):
    """Raises for derivatives that a method gets wrong; returns the names of stopped moments."""
    if order == 0:
        return ()
    graph = graph_of(function, points.shape[1], points.dtype, points.shape[0])
    differences = isinstance(method, FiniteDifference)
    refuse_mixed(graph, random=differences)
    if differences:
        return ()
    refuse_lost(graph, points)
    stopped = stopped_moments(graph)
    if stopped and order > 1:
        raise ValueError(stopped_message(stopped, method, f"derivatives of order {order}"))
    return stopped


def stopped_message(stopped, method, what):
    """What to tell a user whose network has a variance with a stopped gradient."""
    return (
        f"{', '.join(map(repr, stopped))} computes a variance by tf.nn.moments, which stops the "
        f"gradient of the mean, so that {what} by method={method!r} would be wrong. Layers such "
        "as LayerNormalization and GroupNormalization do that. Use method='finite_difference', "
        "or a network without the layer."
    )


def _prevent(value, key, stopped, method):
    """First derivatives are right, but their gradient would be wrong: it raises `LookupError`."""
    if not key[1]:
        return value
    message = stopped_message(stopped, method, "the gradient of a first derivative")
    return tf.raw_ops.PreventGradient(input=value, message=message)


# dtypes ------------------------------------------------------------------------------------


def input_dtype(function, points):
    """The dtype to differentiate in: that of the model's variables, else of the points."""
    if isinstance(function, keras.layers.Layer):
        variables = function.trainable_variables or function.variables
        variables = [v for v in variables if tf.as_dtype(v.dtype).is_floating]  # no seeds
        return tf.as_dtype(variables[0].dtype if variables else function.variable_dtype)
    arrays = list(points.values()) if isinstance(points, dict) else [points]
    kinds = [getattr(array, "dtype", None) for array in arrays]
    floating = [tf.as_dtype(kind) for kind in kinds if kind is not None]
    floating = [kind for kind in floating if kind.is_floating]
    if not floating:
        return tf.as_dtype(keras.config.floatx())
    return max(floating, key=lambda kind: kind.size)


def epsilon(function, dtype):
    """Machine epsilon of the least precise dtype that the function computes in."""
    dtypes = [dtype]
    if isinstance(function, keras.layers.Layer):
        idle = keras.Model | keras.layers.InputLayer  # they have a dtype and compute nothing
        computing = [part for part in all_layers(function) if not isinstance(part, idle)]
        dtypes += [tf.as_dtype(part.compute_dtype) for part in computing]
    return max(EPSILON[dtype] for dtype in dtypes if dtype in EPSILON)


# The points --------------------------------------------------------------------------------


def space_of(points, coordinates, fields):
    """The `Space` of points and fields; `coordinates` may be `None` for a dict of arrays.

    Raises:
        ValueError: for an array without names of its columns, or names without meaning.
    """
    if coordinates is None and not isinstance(points, dict):
        raise ValueError(
            "points are an array, so that its columns have no names: pass coordinates='t x', or "
            "a dict of arrays such as {'t': t, 'x': x}."
        )
    return Space(_coordinate_names(points) if coordinates is None else coordinates, fields)


def _coordinate_names(points):
    """Names of the coordinates of a dict of arrays, `x[3]` for an array `(n, 3)`."""
    names = []
    for name, values in points.items():
        shape = tuple(np.shape(values))
        names.append(name if len(shape) < 2 or shape[1] == 1 else f"{name}[{shape[1]}]")
    return names


def split_points(points, space, dtype):
    """The input tensor `(n, d)` and the vectors of directions."""
    if not isinstance(points, dict):
        columns = _float_tensor("points", points, dtype)
        if columns.shape.rank != 2 or columns.shape[1] != space.input_size:
            raise ValueError(
                f"points have the shape {tuple(columns.shape)}: expected (n, {space.input_size}), "
                f"one column per component of the coordinates. There are {space.describe()}."
            )
        return columns, {}
    arrays = {name: as_column(name, values, dtype) for name, values in points.items()}
    return join_points(arrays, space), directions_of(arrays, space)


def _float_tensor(name, values, dtype):
    try:
        tensor = tf.convert_to_tensor(values)
        return tensor if tensor.dtype == dtype else tf.cast(tensor, dtype)
    except (TypeError, ValueError, tf.errors.UnimplementedError) as error:
        raise ValueError(f"{name!r} is not an array of numbers: {error}") from error


def as_column(name, values, dtype):
    """An array `(n,)` or `(n, k)` as a tensor `(n, k)`; raises `ValueError` for anything else."""
    tensor = _float_tensor(name, values, dtype)
    if tensor.shape.rank == 1:
        tensor = tensor[:, None]
    if tensor.shape.rank != 2:
        raise ValueError(f"{name!r} has the shape {tuple(tensor.shape)}: expected (n, 1) or (n,).")
    return tensor


def join_points(arrays, space):
    """The columns of the coordinates side by side, `(n, d)`.

    Raises:
        ValueError: for a missing coordinate, a wrong number of components or of points.
    """
    columns, counts = [], {}
    for name, part in space.coordinates.items():
        if name not in arrays:
            raise ValueError(
                f"points lack the coordinate {name!r}: there are {', '.join(arrays) or 'none'}."
            )
        size = part.stop - part.start
        if arrays[name].shape[-1] != size:
            raise ValueError(
                f"coordinate {name!r} has the shape {tuple(arrays[name].shape)}: expected "
                f"(n, {size})."
            )
        counts[name] = arrays[name].shape[0]
        columns.append(arrays[name])
    if len({count for count in counts.values() if count is not None}) > 1:
        raise ValueError(f"the coordinates have different numbers of points: {counts}.")
    return columns[0] if len(columns) == 1 else tf.concat(columns, axis=1)


def directions_of(arrays, space):
    """Vectors of directions over all coordinates, from those over the spatial ones too."""
    directions = {}
    for name, vectors in arrays.items():
        size = vectors.shape[-1]
        if name not in space.coordinates and size in (space.input_size, len(space.spatial)):
            directions[name] = _over_all(vectors, size, space)
    return directions


def _over_all(vectors, size, space):
    if size == space.input_size:
        return vectors
    zero = tf.zeros_like(vectors[:, :1])
    position = {column: i for i, column in enumerate(space.spatial)}
    columns = [
        vectors[:, position[i] : position[i] + 1] if i in position else zero
        for i in range(space.input_size)
    ]
    return tf.concat(columns, axis=1)
