"""`kpinn.check_derivatives`: the derivatives of a model of yours, checked by several methods."""

import itertools
import warnings

import keras
import numpy as np
import tensorflow as tf

from kpinn.backend.strategies import without_strategy
from kpinn.checking.comparisons import (
    compare_as_used,
    compare_with_differences,
    compare_with_tapes,
    take_differences,
)
from kpinn.checking.cross_check import CrossCheck
from kpinn.checking.kinks import look_at_kinks
from kpinn.checking.of_pinn import is_pinn, of_pinn
from kpinn.checking.parameter_gradients import compare_gradients
from kpinn.checking.preconditions import has_derivatives
from kpinn.checking.report import SEVERITIES, Report
from kpinn.checking.subject import Points, in_float64, subject
from kpinn.derivatives.api import (
    epsilon,
    inference,
    input_dtype,
    parse_all,
    resolve,
    space_of,
    split_points,
)
from kpinn.derivatives.context import Context, half_range
from kpinn.derivatives.errors import CustomGradientWarning, DerivativeFallbackWarning
from kpinn.derivatives.methods.finite_difference import FiniteDifference, PrecisionWarning
from kpinn.options import positive_whole, whole
from kpinn.options.arrays import check_finite


def check_derivatives(
    model,
    points,
    requests=None,
    coordinates=None,
    fields="u",
    method="auto",
    count=32,
    seed=0,
    parameters=None,
) -> Report:
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
        parameters: names of the columns behind the coordinates that are no space; a PINN has its
            own.

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
    count, seed = positive_whole("count", count), whole("seed", seed, 0)
    if is_pinn(model):
        own, sets = of_pinn(model, points, requests, seed)
    elif callable(model):
        space = space_of(points, coordinates, fields, parameters)
        own, sets = _of_function(model, points, space, requests, resolve(method), seed)
    else:
        raise ValueError(
            f"{model!r} cannot be called: expected a kpinn.PINN, a Keras model or a function "
            "from (n, d) to (n, m)."
        )
    sets = [where.chosen(count) for where in sets]
    return without_strategy(lambda: _checked(own, sets))  # whose variables have no one gradient


def _checked(own, sets):
    """The `Report` of a `Subject` at a list of `Points`."""
    best = in_float64(own, sets[0].columns)
    checks = [CrossCheck(best, own, where) for where in sets]
    for check in checks:
        _run(check)
    found = dict.fromkeys(finding for check in checks for finding in check.findings)
    found = sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))
    errors, number = _largest(checks), sum(len(where.columns) for where in sets)
    return Report(tuple(found), errors, _title(errors, number, best, own))


def _run(check):
    """Makes all comparisons; warnings of the engine become findings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if has_derivatives(check):
            compare_with_differences(check)
            compare_with_tapes(check)
            look_at_kinks(check)
            compare_gradients(check)
            compare_as_used(check)
        elif not check.exact and isinstance(check.where.method, FiniteDifference):
            take_differences(check)
            compare_as_used(check)
    for warning in caught:
        if issubclass(warning.category, DerivativeFallbackWarning | PrecisionWarning):
            check.add("warning", "", str(warning.message))
        elif issubclass(warning.category, CustomGradientWarning):
            continue  # the comparison with tapes says by how much
        else:
            warnings.warn(warning.message, warning.category, stacklevel=3)


def _of_function(function, points, space, requests, method, seed):
    """What to check, and where, as `of_pinn`."""
    columns, directions = split_points(points, space, input_dtype(function, points))
    asked = parse_all(_all_of(space) if requests is None else requests, space, directions)
    check_finite("points", columns.numpy(), columns.dtype.as_numpy_dtype)  # tensors too
    arrays = columns.numpy().astype(np.float64)
    vectors = {name: part.numpy().astype(np.float64) for name, part in directions.items()}
    scales = np.array([float(half_range(tf.constant(column))) for column in arrays.T])
    by_name = {name: float(np.max(scales[part])) for name, part in space.coordinates.items()}
    context = Context(space, epsilon(function, columns.dtype), by_name)
    layer = function if isinstance(function, keras.layers.Layer) else None
    own = subject(inference(function, space), columns, context, layer)
    outputs = own.traced.outputs[0] if own.traced else own.function(columns)
    space.check_output(tf.convert_to_tensor(outputs).shape, columns.shape)
    named = {request.name: request for request in asked}
    return own, [Points(named, arrays, vectors, scales, method, seed)]


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


def _largest(checks):
    """The errors of all sets: by name, the largest one of each kind."""
    errors = {}
    for check in checks:
        for name, row in check.errors.items():
            known = errors.setdefault(name, {})
            known |= {key: max(value, known.get(key, 0.0)) for key, value in row.items()}
    return errors


def _title(errors, count, best, own):
    number = "1 derivative" if len(errors) == 1 else f"{len(errors)} derivatives"
    where = f"{number} at {count} points, in {best.dtype.name}"
    if best is own and own.dtype != tf.float64:
        return f"{where}, because no copy of the model in float64 could be made."
    if best.dtype != own.dtype:
        where += f" on a copy of the model, which computes in {own.dtype.name}"
    return f"{where}."
