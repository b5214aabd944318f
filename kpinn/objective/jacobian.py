"""The Jacobian of the residuals of an objective with respect to its parameters.

The residual vector is scaled so that the sum of its squares is the loss, see `weighted_residuals`.
Its entries are those of the conditions in their order, for each condition point after point, for
each point its columns. The parameters are one vector: the variables of the objective in their
order.

These functions work at the present parameters, in the graph under construction.
"""

import math
import typing
import warnings

import tensorflow as tf

from kpinn.derivatives import DerivativeFallbackWarning
from kpinn.derivatives.channels.channels_per_point import channels_only
from kpinn.derivatives.per_point.gradients import channels_per_point, point_gradients
from kpinn.objective.curvature import roots_of, scaled_outputs
from kpinn.objective.weighted_residuals import weighted_residuals
from kpinn.optimizers.flat import join, split
from kpinn.problem.points import widths_of


def residual_jacobian(objective, data):
    """The matrix and the residual vector.

    Args:
        objective: the `Objective`.
        data: a `Data` whose points have static shapes. Its weights are taken as they are: a
            negative one gives NaN.

    Returns:
        A pair of tensors `(m, p)` and `(m,)`.
    """
    parts = parts_of(objective, data)
    matrices = [matrix_of(part, objective.values()) for part in parts]
    return tf.concat(matrices, axis=0), join([part.residual for part in parts])


def residual_vector(objective, data):
    """The residuals `(m,)`; see `residual_jacobian`."""
    _, residuals, _ = weighted_residuals(objective, data)
    return stacked(residuals, data)


def stacked(by_condition, data):
    """One vector `(m,)` of a dict by condition; of a share each at its place in the whole."""
    if data.share is not None:
        rows = data.share.rows
        by_condition = {name: rows[name].placed(t) for name, t in by_condition.items()}
    return join(list(by_condition.values()))


def curvature_vector(objective, data):
    """Tensor `(m,)` with a Jacobian whose product with itself is half the curvature of the loss."""
    outputs, _ = scaled_outputs(objective, data, roots_of(objective, data))
    return stacked(outputs, data)


def residual_jvp(objective, data, vector, function=residual_vector):
    """The product of the matrix with a tensor `(p,)`, a tensor `(m,)`.

    Args:
        objective: the `Objective`.
        data: a `Data`.
        vector: tensor `(p,)`.
        function: what the Jacobian is of: a function of the objective and the data.
    """
    values = objective.values()
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        with channels_only():
            residuals = function(objective, data)
    weights = tf.zeros_like(residuals)
    with tf.GradientTape(watch_accessed_variables=False) as outer:
        outer.watch(weights)
        products = _gradients(tape, residuals, values, weights)
        total = tf.reduce_sum(0.0 * weights) + tf.add_n(
            [tf.reduce_sum(p * v) for p, v in zip(products, split(vector, values), strict=True)]
        )
    return outer.gradient(total, weights)  # the product is linear in the weights


def residual_vjp(objective, data, vector, function=residual_vector):
    """The product of a tensor `(m,)` with the matrix; see `residual_jvp`."""
    values = objective.values()
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        with channels_only():
            residuals = function(objective, data)
    return join(_gradients(tape, residuals, values, vector))


def _gradients(tape, residuals, values, vector):
    """The products of a vector with the blocks of the matrix."""
    gradients = tape.gradient(residuals, values, output_gradients=vector)
    return [
        tf.zeros(value.shape, value.dtype) if gradient is None else tf.convert_to_tensor(gradient)
        for gradient, value in zip(gradients, values, strict=True)
    ]


# The matrix --------------------------------------------------------------------------------


class Part(typing.NamedTuple):
    """One condition.

    Attributes:
        columns: for each column of the residual a list with `OuterProducts` for each parameter.
        residual: `(n, k)`, weighted.
    """

    columns: list
    residual: tf.Tensor


def parts_of(objective, data, weighted=True, roots=None, chosen=None):
    """A list of `Part` in the order of the conditions, in the graph under construction.

    Args:
        objective: the `Objective`.
        data: a `Data`.
        weighted: whether the residuals have the weights of the loss.
        roots: of `curvature`, for what takes the place of residuals there; or `None`.
        chosen: numbers of the variables that the Jacobian is for, by default all.
    """
    variables = objective.values(chosen)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(variables)
        with channels_per_point():
            if roots is None:
                _, residuals, points = weighted_residuals(objective, data, weighted)
            else:
                residuals, points = scaled_outputs(objective, data, roots)
    columns = point_gradients(residuals, variables, points, tape, _report)
    return [Part(columns[name], residual) for name, residual in residuals.items()]


def parts_of_quantities(objective, names, arrays, method):
    """As `parts_of`, of fields and what is made of their derivatives, at points.

    Args:
        objective: the `Objective`.
        names: list of names, such as `"u_x"`.
        arrays: dict from name to tensor: the coordinates and the directions.
        method: how derivatives are computed.

    Returns:
        A list of `Part` in the order of the names; their values are `(n, k)`, flat for a point.
    """
    problem, variables = objective.problem, objective.values()
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(variables)
        with channels_per_point():
            asked = problem.quantities(names, widths_of(arrays))
            found = problem.values(asked, arrays, method)
            values = {name: tf.reshape(found[name], (found[name].shape[0], -1)) for name in names}
    points = dict.fromkeys(names, list(arrays.values()))
    columns = point_gradients(values, variables, points, tape, _report)
    return [Part(columns[name], value) for name, value in values.items()]


def _report(name, reason):
    message = (
        f"condition {name!r}: {reason}, so that each row of the Jacobian is computed by a "
        "backward pass of its own, which is slow."
    )
    warnings.warn(message, DerivativeFallbackWarning, stacklevel=2)


def matrix_of(part, variables):
    """The rows `(n k, p)` of a `Part`."""
    count, size = part.residual.shape
    columns = []
    for column in part.columns:
        blocks = [
            factors.matrix(count, math.prod(variable.shape), part.residual.dtype)
            for factors, variable in zip(column, variables, strict=True)
        ]
        columns.append(tf.concat(blocks, axis=1))
    return columns[0] if size == 1 else tf.reshape(tf.stack(columns, 1), (count * size, -1))


def chunks_of(part, rows):
    """Yields a `Part` in chunks of at most so many rows, and of at least one point."""
    count, size = part.residual.shape
    step = max(1, rows // size)
    for first in range(0, count, step):
        chunk = slice(first, first + step)
        yield tf.nest.map_structure(lambda t, chunk=chunk: None if t is None else t[chunk], part)
