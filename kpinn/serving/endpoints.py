"""What an export serves: functions from arrays by name to fields, derivatives and residuals."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from kpinn.derivatives.columns import as_columns
from kpinn.derivatives.names.declarations import split_names
from kpinn.options import did_you_mean, shown
from kpinn.options import names as names_of
from kpinn.problem.arguments import Array, Quantity


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A function that an export serves.

    Attributes:
        function: from a dict of tensors `(n, k)`, the coordinates and `arrays`, to a dict of
            tensors.
        arrays: dict from further inputs to their numbers of columns.
    """

    function: Callable
    arrays: dict


def endpoints(problem, method, widths, derivatives=None):
    """All that is exported, in the order of fields, derivatives and residuals.

    Args:
        problem: the `Problem`.
        method: how the derivatives of fields are computed.
        widths: dict from the arrays that the points of `fit` had to their numbers of columns.
        derivatives: names; by default those that conditions ask for.

    Returns:
        A dict from `"serving_default"`, `"derivatives"` and `"residual_<condition>"` to `Endpoint`.
    """
    if derivatives is None:
        names = asked_derivatives(problem)
    else:
        names = split_names(names_of("derivatives", derivatives, "u_x, u_xx"))
    found = {"serving_default": _values(problem, method, list(problem.space.fields), widths)}
    if names:
        found["derivatives"] = _values(problem, method, names, widths)
    for name, function in problem.conditions.items():
        found[f"residual_{name}"] = _residual(problem, name, function, widths)
    return found


def asked_derivatives(problem):
    """Derivatives that the conditions ask for, without those along directions."""
    names = {}
    for function in problem.conditions.values():
        for argument in function.arguments:
            if isinstance(argument, Quantity) and argument.name not in problem.space.fields:
                names[argument.name] = None
    return tuple(names)


def _values(problem, method, names, widths):
    arguments = [problem.names.argument(name) for name in names]
    for argument in arguments:
        if not isinstance(argument, Quantity) and getattr(argument, "request", None) is None:
            problem.names.quantity(argument.name, {})  # an error that lists what there is
    directions = _directions(problem, arguments, widths)
    _refuse_unknown(problem, directions, widths)

    def served(arrays):
        return problem.values(problem.quantities(names, directions), arrays, method)

    return Endpoint(served, directions)


def _refuse_unknown(problem, directions, widths):
    """Raises `ValueError` for a direction that no condition and no points have had."""
    asked = [a for f in problem.conditions.values() for a in f.arrays if a.request is not None]
    known = {*widths, *(name for argument in asked for name in argument.request.directions)}
    for name in directions:
        if name not in known:
            raise ValueError(
                f"derivatives has one along {name!r}, which is no coordinate, and no direction "
                f"either that a condition or the points of fit have. There are "
                f"{problem.names.describe()}."
            )


def _residual(problem, name, function, widths):
    arrays = {}
    for argument in function.arrays:
        if argument.request is None or argument.name in widths:
            arrays.setdefault(argument.name, widths.get(argument.name, 1))
        else:
            arrays |= _directions(problem, [argument], widths)

    def served(arrays):
        return problem.residuals_at((name,), arrays)

    return Endpoint(served, arrays)


def _directions(problem, arguments, widths):
    """The directions of derivatives, and their numbers of columns."""
    usual = min(problem.space.bases)
    names = [d for a in arguments if isinstance(a, Array) for d in a.request.directions]
    return {name: widths.get(name, usual) for name in names}


# Inputs --------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Signature:
    """The shapes of the inputs.

    Attributes:
        space: the `Space` of the problem.
        dtype: of the problem, and of every input that is not in `given`.
        given: dict from name to `tf.TensorSpec`, see `signature`.
    """

    space: object
    dtype: tf.DType
    given: dict

    def of(self, endpoint, scalars=False):
        """A dict from the inputs of an endpoint to their `tf.TensorSpec`.

        Args:
            endpoint: an `Endpoint`.
            scalars: whether a parameter may be one number without an axis for the points.
        """
        columns = {name: part.stop - part.start for name, part in self.space.coordinates.items()}
        specs = {}
        for name, size in (columns | endpoint.arrays).items():
            shape = None if scalars and name in self.space.parameters else (self.rows, size)
            specs[name] = self.given.get(name, tf.TensorSpec(shape, self.dtype, name))
        return specs

    @property
    def rows(self):
        """The number of points of each call, `None` for any."""
        points = [n for n in self.space.coordinates if n not in self.space.parameters]
        return next((self.given[name].shape[0] for name in points if name in self.given), None)

    def function(self, endpoint):
        """From a dict of arrays as they are given to a dict of tensors."""

        def served(arrays):
            return endpoint.function(as_columns(arrays, self.space, self.dtype))

        return served

    def traced(self, endpoint):
        """The same, which is traced only once, and the specs of its inputs."""
        specs = self.of(endpoint)
        function = self.function(endpoint)
        return tf.function(function, autograph=False, input_signature=[specs]), specs


def signature(problem, served, given):
    """The `Signature` of an export.

    Args:
        problem: the `Problem`.
        served: dict from name to `Endpoint`.
        given: `input_signature` of `PINN.export`: a dict from name to anything with a `shape`
            and a `dtype`, or `None`.

    Raises:
        ValueError: for a name or a shape that is none of the inputs, a missing coordinate, and
            different numbers of points.
    """
    given = given[0] if isinstance(given, list | tuple) and len(given) == 1 else given
    if given is None:
        return Signature(problem.space, problem.dtype, {})
    if not isinstance(given, dict):
        raise ValueError(
            "input_signature is a dict from the names of inputs to their shapes, such as "
            f"{{'x': keras.InputSpec(shape=(100, 1))}}, not {shown(given)}."
        )
    coordinates = problem.space.coordinates
    sizes = {name: part.stop - part.start for name, part in coordinates.items()}
    for endpoint in served.values():
        sizes |= endpoint.arrays
    for name in coordinates:
        if name not in given:
            raise ValueError(
                f"input_signature lacks {name!r}: it has a shape for every coordinate, "
                f"{', '.join(coordinates)}, or is left out for any number of points."
            )
    specs = {}
    for name, spec in given.items():
        if name not in sizes:
            raise ValueError(
                f"input_signature has {name!r}, which is no input of what is exported: there are "
                f"{', '.join(sizes)}.{did_you_mean(name, sizes)}"
            )
        specs[name] = _spec(name, spec, sizes[name], problem.dtype)
    points = {n: s.shape[0] for n, s in specs.items() if n not in problem.space.parameters}
    if len(set(points.values())) > 1:
        raise ValueError(f"input_signature has different numbers of points: {points}.")
    return Signature(problem.space, problem.dtype, specs)


def _spec(name, spec, size, dtype):
    try:
        shape = tuple(None if n is None else int(n) for n in spec.shape)
        kind = tf.as_dtype(getattr(spec, "dtype", None) or dtype)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"input_signature has {shown(spec)} for {name!r}: expected a keras.InputSpec or a "
            f"tf.TensorSpec with the shape (None, {size}) or (n, {size})."
        ) from error
    if len(shape) != 2 or shape[1] != size or shape[0] == 0 or not kind.is_floating:
        raise ValueError(
            f"input_signature has the shape {shape} and the dtype {kind.name} for {name!r}: "
            f"expected (None, {size}), or (n, {size}) for n points, and real numbers."
        )
    return tf.TensorSpec(shape, kind, name)
