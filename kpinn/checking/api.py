"""`kpinn.check_derivatives`: the derivatives of a model of yours, checked by several methods."""

import dataclasses
import itertools

import keras
import numpy as np
import tensorflow as tf

from kpinn.checking.check import check
from kpinn.checking.diagnosis import Tracer
from kpinn.checking.float64_copy import InFloat64, least_epsilon, same_values
from kpinn.checking.report import Report, merged
from kpinn.checking.subject import (
    Points,
    Subject,
    by_coordinate,
    chosen,
    in_float64,
    of_function,
    scales_of,
    variables_of,
)
from kpinn.derivatives.api import (
    Taylor,
    directions_of,
    inference,
    input_dtype,
    join_points,
    resolve,
    space_of,
    split_points,
)
from kpinn.derivatives.api import epsilon as machine_epsilon
from kpinn.derivatives.context import EPSILON
from kpinn.derivatives.factors import Factor
from kpinn.derivatives.requests import parse, parse_all
from kpinn.derivatives.tracing import TraceError
from kpinn.pinn import PINN
from kpinn.problem import points as data
from kpinn.problem.arguments import Array, Quantity


def check_derivatives(
    model, points, requests=None, coordinates=None, fields="u", method="auto", count=32, seed=0
):
    """Checks the derivatives of a model by methods that share nothing.

    Each derivative by `"taylor"` is compared with nested gradient tapes, where these are right, and
    with extrapolated differences of the model's values, which know their own error. So are the
    gradients of its mean square with respect to the parameters. It is done in float64 on a copy of
    the model; what the model's own dtype and method lose is measured. What disagrees is traced to
    an operation and its layer.

    Args:
        model: a `kpinn.PINN`, a Keras model or any function `(n, d) -> (n, m)`.
        points: dict of arrays or one array `(n, d)`, as for `kpinn.derivatives`; for a PINN as for
            `fit`.
        requests: names, or a dict, as for `kpinn.derivatives`; by default all that the conditions
            of a PINN ask for, all first and second derivatives of another model.
        coordinates: names of the columns of the input; a PINN has its own.
        fields: names of the columns of the output; a PINN has its own.
        method: the method that the model is used with; a PINN has its own, by condition.
        count: most points that are used of each set.
        seed: seed of the choice of points.

    Returns:
        A `Report`: `print` shows it; `ok` is false if something is wrong; `findings` says what,
        `errors` are the numbers.

    Raises:
        ValueError: for names without meaning, or points of a wrong shape, as `kpinn.derivatives`.

    Example:

        report = kpinn.check_derivatives(pinn, {"t": t, "x": x})
        print(report)
        assert report.ok
    """
    if isinstance(model, PINN):
        return _check_pinn(model, points, requests, count, seed)
    if not callable(model):
        raise ValueError(
            f"{model!r} cannot be called: expected a kpinn.PINN, a Keras model or a function "
            "from (n, d) to (n, m)."
        )
    names, draw = (coordinates, fields), (count, seed)
    return _check_function(model, points, requests, names, resolve(method), draw)


# Functions and Keras models ----------------------------------------------------------------


def _check_function(function, points, requests, names, method, draw):
    space = space_of(points, *names)
    dtype = input_dtype(function, points)
    columns, directions = (_arrays(part) for part in split_points(points, space, dtype))
    asked = parse_all(_all_of(space) if requests is None else requests, space, directions)
    asked = [_with_numbers(request) for request in asked]
    scales = scales_of(columns)
    columns, directions = chosen(columns, directions, *draw)
    own = of_function(function, space, dtype, columns, scales)
    space.check_output(_output_shape(own, columns), columns.shape)
    best = in_float64(function, own, columns, scales) or own
    where = Points({r.name: r for r in asked}, columns, directions, scales, method, draw[1])
    findings, errors = check(best, _for_tapes(best, own, columns), own, where)
    return Report(merged(findings), errors, _title(errors, len(columns), best, own))


def _with_numbers(request):
    """A request with numbers for factors of one value."""
    terms = tuple((_number(request.name, factor), term) for factor, term in request.terms)
    return dataclasses.replace(request, terms=terms)


def _number(name, factor):
    if not isinstance(factor, Factor):
        return factor
    value = np.asarray(tf.convert_to_tensor(factor.value))
    if value.size != 1:
        raise ValueError(
            f"{name!r} has a factor of shape {value.shape}: check_derivatives looks at some of the "
            "points, and takes factors with one value. Ask for the terms by themselves."
        )
    return factor.number * float(value.reshape(()))


def _output_shape(own, columns):
    """The shape of the values, found without running the model where it can be traced."""
    points = tf.constant(columns, own.dtype)
    try:
        return Tracer(own.function, points).traced.graph.outputs[0].shape
    except TraceError:
        return tf.convert_to_tensor(own.function(points)).shape


def _arrays(tensors):
    return tf.nest.map_structure(lambda tensor: tensor.numpy().astype(np.float64), tensors)


def _all_of(space):
    """Names of all fields and all their first and second derivatives."""
    names = []
    scalar = [name for name, part in space.coordinates.items() if part.stop - part.start == 1]
    joint = "" if all(len(name) == 1 for name in scalar) else "_"
    for field in space.fields:
        names.append(field)
        for order in (1, 2):
            for axes in itertools.combinations_with_replacement(scalar, order):
                names.append(f"{field}_{joint.join(axes)}")
        if len(scalar) < len(space.coordinates):  # operators see the components of the others
            names += [f"{'grad' if space.size(field) == 1 else 'jac'}_{field}"]
            names += [f"laplacian_{field}"]
    return names


def _for_tapes(best, own, columns):
    """The subject for tapes: a traced graph that is issued again has no custom gradients left."""
    if best.reissued:
        points = tf.constant(columns, own.dtype)
        return own if Tracer(own.function, points).custom_gradients() else best
    return best


def _title(errors, count, best, own):
    number = "1 derivative" if len(errors) == 1 else f"{len(errors)} derivatives"
    where = f"{number} at {count} points, in {best.dtype.name}"
    if best is own and own.dtype != tf.float64:
        return f"{where}, because no copy of the model in float64 could be made."
    if best.dtype != own.dtype:
        where += f" on a copy of the model, which computes in {own.dtype.name}"
    if best.epsilon > EPSILON[best.dtype]:
        where += ", parts of which compute in a shorter dtype still"
    return f"{where}."


# PINNs -------------------------------------------------------------------------------------


def _check_pinn(pinn, points, requests, count, seed):
    problem = pinn.problem
    prepared = data.prepare(problem, points).points
    by_name = data.scales(prepared, problem.space.coordinates)
    parts = problem.space.coordinates.items()
    scales = np.concatenate([np.full(part.stop - part.start, by_name[n]) for n, part in parts])
    sets = _sets(pinn, prepared, requests)
    columns = join_points(sets[0][1], problem.space).numpy()[:count]
    own, best = _subjects(pinn, columns, scales)
    findings, errors, counts = [], {}, 0
    for asked, arrays, method in sets:
        columns = join_points(arrays, problem.space).numpy().astype(np.float64)
        columns, vectors = chosen(columns, directions_of(arrays, problem.space), count, seed)
        where = Points(asked, columns, vectors, scales, method, seed)
        found, numbers = check(best, _for_tapes(best, own, columns), own, where)
        findings, counts = findings + found, counts + len(columns)
        _take_larger(errors, numbers)
    return Report(merged(findings), errors, _title(errors, counts, best, own))


def _take_larger(errors, others):
    for name, numbers in others.items():
        known = errors.setdefault(name, {})
        for key, value in numbers.items():
            known[key] = max(value, known.get(key, 0.0))


def _sets(pinn, prepared, requests):
    """What to check where: triples of requests by name, arrays and a method."""
    problem, shared = pinn.problem, data.is_shared(prepared)
    sets, failures = {}, []
    for condition, function in pinn.conditions.items():
        arrays = prepared if shared else prepared.get(condition)
        if arrays is None:
            continue
        method = function.method
        key = str(method) if shared else condition
        try:
            asked = _asked(problem, _names_of(function) if requests is None else requests, arrays)
        except ValueError as error:  # a direction that other points have
            failures.append(error)
        else:
            sets.setdefault(key, ({}, arrays, method))[0].update(asked)
    sets = [part for part in sets.values() if part[0]]
    if not sets:
        raise failures[0] if failures else ValueError("there is nothing to check.")
    return sets


def _asked(problem, requests, arrays):
    """Requests by name, with those that derived fields are made of."""
    vectors = directions_of(arrays, problem.space)
    known = {*problem.space.coordinates, *problem.unknowns}
    known |= {name for name in arrays if name not in problem.space.fields}
    if isinstance(requests, tuple | list):
        requests = [name for name in requests if name not in known]
    found = {}
    waiting = parse_all(requests, problem.space, vectors) if requests else []
    waiting = [_with_numbers(request) for request in waiting]
    while waiting:
        request = waiting.pop(0)
        found[request.name] = request
        if request.field in problem.derived:
            inner = _names_of(problem.derived[request.field])
            inner = [name for name in inner if name not in known and name not in found]
            waiting += [parse(name, problem.space, vectors) for name in inner]
    return found


def _names_of(function):
    """The arguments that may be fields, derivatives or operators."""
    return [a.name for a in function.arguments if isinstance(a, Quantity | Array)]


def _subjects(pinn, columns, scales):
    """The PINN as it is, and in float64 or again as it is."""
    problem = pinn.problem
    own = _of_problem(pinn, pinn.network, pinn.unknowns, problem.dtype, columns, scales)
    network = of_function(pinn.network, problem.names.network, problem.dtype, columns, scales)
    copy = in_float64(pinn.network, network, columns, scales)
    if copy is None:
        return own, own
    inner = copy.function if copy.reissued else copy.layer
    unknowns = {n: tf.Variable(tf.cast(v.value, tf.float64)) for n, v in pinn.unknowns.items()}
    best = _of_problem(pinn, inner, unknowns, tf.float64, columns, scales)
    points = columns.astype(own.dtype.as_numpy_dtype)
    try:
        return own, best if same_values(own.function, best.function, points) else own
    except Exception:  # fields of the user's that compute in one dtype only
        return own, own


def _of_problem(pinn, network, unknowns, dtype, columns, scales):
    """The `Subject` of the fields of a PINN, derived ones too, with a network."""
    space = pinn.problem.space
    in_float64 = isinstance(network, InFloat64)
    least = EPSILON[tf.float64] if in_float64 else machine_epsilon(network, dtype)
    problem = pinn.problem.replaced(
        network=inference(network, pinn.problem.names.network),
        unknowns=unknowns,
        scales=by_coordinate(space, scales),
        dtype=dtype,
        epsilon=least,
    )

    def split(points):
        return {name: points[:, part] for name, part in space.coordinates.items()}

    def fields(points):
        asked = problem.quantities(space.fields, {})
        values = problem.values(asked, split(points), Taylor())
        return tf.concat([values[name] for name in space.fields], axis=1)

    def values(requests, points, directions, method):
        names = [request.name for request in requests if not request.terms]
        sums = [request for request in requests if request.terms]
        asked = problem.quantities(names, {n: v.shape[-1] for n, v in directions.items()})
        return problem.values(asked, split(points) | directions, method, sums)

    points = columns.astype(dtype.as_numpy_dtype)
    variables = variables_of(network, points)
    variables |= {n: v.value if isinstance(v, keras.Variable) else v for n, v in unknowns.items()}
    layer = network if isinstance(network, keras.layers.Layer) else pinn.network
    reissued = isinstance(network, InFloat64)
    least = max(least, _least_epsilon(fields, points))
    return Subject(fields, values, space, dtype, least, variables, layer, reissued)


def _least_epsilon(fields, points):
    """Machine epsilon of the least precise dtype in the fields; zero if they cannot be traced."""
    try:
        return least_epsilon(fields, points)
    except TraceError:
        return 0.0
