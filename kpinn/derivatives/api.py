"""`kpinn.derivatives`: a function, its points and requests as a user gives them."""

import dataclasses

import tensorflow as tf

from kpinn.derivatives.columns import as_columns, directions_of, float_tensor, join_points
from kpinn.derivatives.context import Context
from kpinn.derivatives.evaluation import evaluate
from kpinn.derivatives.inference import inference
from kpinn.derivatives.methods.finite_difference import FiniteDifference
from kpinn.derivatives.methods.stochastic import Stochastic
from kpinn.derivatives.methods.taylor import Auto, Taylor
from kpinn.derivatives.names.combinations import combination
from kpinn.derivatives.names.declarations import declare, split_names
from kpinn.derivatives.names.parsing import parse
from kpinn.derivatives.names.space import Space
from kpinn.derivatives.precision import epsilon, input_dtype
from kpinn.options import function as check_function
from kpinn.options import names as names_of
from kpinn.options import shown
from kpinn.options.arrays import as_dict, check_finite, real_array

METHODS = ("auto", "taylor", "reverse", "forward", "finite_difference")


@tf.autograph.experimental.do_not_convert  # it would take the engine for code to rewrite
def derivatives(
    function, points, requests, coordinates=None, fields="u", method="auto", parameters=None
):
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
        method: `"auto"` (the cheapest exact one for what is requested), `"taylor"` (exact, by one
            propagation of Taylor coefficients), `"reverse"`, `"forward"`, `"finite_difference"`, or
            a `kpinn.Taylor(...)`, `kpinn.FiniteDifference(...)` or `kpinn.Stochastic(...)` with
            options.
        parameters: names of the columns behind the coordinates that are no space, `"mu"`: no
            operator and no direction over the coordinates has them. One value of a parameter is
            repeated for all points.

    Returns:
        A dict from name to tensor: `(n, 1)`, for a field with `k` components `(n, k)`, for
        `grad_` `(n, d)`, for `hessian_` `(n, d, d)`, for `jac_` `(n, k, d)`, for `curl_` in three
        dimensions `(n, 3)`.

    Raises:
        ValueError: for a name without meaning, points of a wrong shape or, in arrays and lists,
            not finite; a function whose output does not fit the fields, or a network whose
            derivatives the method gets wrong.

    Example:

        x = np.linspace(0.0, 1.0, 11)
        values = kpinn.derivatives(tf.sin, {"x": x}, "u, u_x, u_xx")
    """
    method, points = resolve(method), as_dict(points)
    check_function("function", function, "a Keras model or tf.sin")
    space = space_of(points, coordinates, fields, parameters)
    dtype = input_dtype(function, points)
    columns, directions = split_points(points, space, dtype)
    asked = parse_all(requests, space, directions)
    context = Context(space, epsilon(function, dtype))
    return evaluate(inference(function, space), columns, asked, directions, method, context)


def resolve(method):
    """Turns the `method=` argument into `"reverse"`, `"forward"`, `Taylor` or `FiniteDifference`.

    Raises:
        ValueError: for an unknown method.
    """
    if isinstance(method, Taylor | FiniteDifference | Stochastic):
        return method
    if isinstance(method, str) and method in METHODS:
        objects = {"auto": Auto(), "taylor": Taylor(), "finite_difference": FiniteDifference()}
        return objects.get(method, method)
    raise ValueError(
        f"method {shown(method)} is unknown: expected one of {', '.join(map(repr, METHODS))}, a "
        "kpinn.Taylor(...), a kpinn.FiniteDifference(...) or a kpinn.Stochastic(...)."
    )


def parse_all(requests, space, directions=None):
    """Reads what `kpinn.derivatives` accepts as requests.

    Args:
        requests: names, as a string or sequence; or a dict from any name to one request, or to a
            linear combination of requests such as `{"u_t": 1.0, "u_xx": -0.1}`, with numbers,
            tensors or each a `Factor`.
        space: the `Space`.
        directions: see `parse`.

    Returns:
        A list of `Request`.

    Raises:
        ValueError: for a name without meaning, or terms that cannot be added.
    """
    if not isinstance(requests, dict):
        requests = names_of("requests", requests, "u, u_x")
        requests = {name: name for name in split_names(requests)}
    if not requests:
        raise ValueError("no request: expected names such as 'u, u_x'.")
    found = []
    for name, what in requests.items():
        if isinstance(what, dict):
            found.append(combination(name, what, space, directions))
        else:
            found.append(dataclasses.replace(parse(what, space, directions), name=name))
    return found


def space_of(points, coordinates, fields, parameters=None):
    """The `Space` of points and fields; `coordinates` may be `None` for a dict of arrays.

    Raises:
        ValueError: for an array without names of its columns, or names without meaning.
    """
    if coordinates is not None:
        names_of("coordinates", coordinates, "t x")
    names_of("fields", fields, "u v")
    if parameters is not None:
        names_of("parameters", parameters, "mu")
    if coordinates is None and not isinstance(points, dict):
        raise ValueError(
            "points are an array, so that its columns have no names: pass coordinates='t x', or "
            "a dict of arrays such as {'t': t, 'x': x}."
        )
    if coordinates is None:
        others = () if parameters is None else declare(parameters, "parameter")
        coordinates = _coordinate_names({n: v for n, v in points.items() if n not in others})
    return Space(coordinates, fields, parameters)


def _coordinate_names(points):
    """Names of the coordinates of a dict of arrays, `x[3]` for an array `(n, 3)`."""
    names = []
    for name, values in points.items():
        shape = tuple(
            values.shape if hasattr(values, "shape") else real_array(repr(name), values).shape
        )
        names.append(name if len(shape) < 2 or shape[1] == 1 else f"{name}[{shape[1]}]")
    return names


def split_points(points, space, dtype):
    """The input tensor `(n, d)` and the vectors of directions."""
    if not isinstance(points, dict):
        columns = float_tensor("points", points, dtype)
        check_finite("points", points, dtype.as_numpy_dtype)
        if columns.shape.rank != 2 or columns.shape[1] != space.input_size:
            raise ValueError(
                f"points have the shape {tuple(columns.shape)}: expected (n, {space.input_size}), "
                f"one column per component of the coordinates. There are {space.describe()}."
            )
        return columns, {}
    arrays = as_columns(points, space, dtype)
    columns = join_points(arrays, space)
    for name in space.coordinates:
        check_finite(name, points[name], dtype.as_numpy_dtype)
    return columns, directions_of(arrays, space)
