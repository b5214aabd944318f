"""The Jacobian of a PINN's residuals with respect to its parameters.

The residual vector is scaled so that the sum of its squares is the loss, see `weighted_residuals`.
Its entries are those of the conditions in their order, for each condition point after point, for
each point its columns. The parameters are those of `kpinn.destructure(pinn)`.
"""

import math
import typing
import warnings

import numpy as np
import tensorflow as tf

from kpinn.derivatives import DerivativeFallbackWarning
from kpinn.derivatives.per_point.gradients import channels_per_point, point_gradients
from kpinn.objective.curvature import roots_of, scaled_outputs
from kpinn.objective.weighted_residuals import check_squares, weighted_residuals
from kpinn.optimizers.flat import join, split
from kpinn.problem import refusals
from kpinn.problem.points import in_order, is_shared

MEMORY = 2**32  # bytes
CHUNK = 2**26  # most bytes for a chunk of rows: more is no faster


def jacobian(pinn, points, memory=MEMORY):
    """The Jacobian of the weighted residuals with respect to the parameters, and the residuals.

    The sum of the squares of the residual vector is the loss of the compiled PINN, and half the
    gradient of that is `matrix.T @ residuals`. Rows are the residuals of the conditions in their
    order, for each condition point after point, for each point its columns; columns are the
    parameters in the order of `kpinn.destructure(pinn)`.

    Points do not influence each other, so that one backward pass per column of the residuals gives
    the gradients of all points. Where that cannot be proved from the graph, as for a residual with
    a mean over the points, each row takes a backward pass, with a `DerivativeFallbackWarning`.

    Args:
        pinn: a `kpinn.PINN`. If it is not compiled, losses and weights are the defaults.
        points: as in `pinn.fit`, a tuple with targets and sample weights too; some conditions may
            be left out.
        memory: most bytes for the matrix and what is put together beside it.

    Returns:
        A pair of numpy arrays: the matrix `(m, p)` and the residuals `(m,)`.

    Raises:
        ValueError: for a loss that is not a mean square, negative weights, regularization losses,
            points that do not fit, or a matrix that is larger than `memory`.

    Example:

        matrix, residuals = kpinn.jacobian(pinn, points)
        step = np.linalg.lstsq(matrix, -residuals)[0]  # of Gauss and Newton
    """
    data = _prepare(pinn, points)
    compute = _compiled(pinn, "factors", factors_of)
    shapes = compute.get_concrete_function(data).structured_outputs
    spare = _spare(shapes, _parameter_count(pinn), memory)
    return _in_chunks(pinn, compute(data), spare)


def jacobian_vector_product(pinn, points, vector):
    """The product `J v` of the matrix of `kpinn.jacobian`, which is not built.

    Args:
        pinn: a `kpinn.PINN`.
        points: as in `kpinn.jacobian`.
        vector: array `(p,)`, one number per parameter.

    Returns:
        A numpy array `(m,)`, one number per residual.

    Raises:
        ValueError: as `kpinn.jacobian`, and for a vector of another length.

    Example:

        change = kpinn.jacobian_vector_product(pinn, points, step)  # of the residuals
    """
    data = _prepare(pinn, points)
    vector = _vector(pinn, vector, _parameter_count(pinn), "parameters")
    return _compiled(pinn, "jvp", residual_jvp)(data, vector).numpy()


def vector_jacobian_product(pinn, points, vector):
    """The product `v J` of the matrix of `kpinn.jacobian`, which is not built.

    Args:
        pinn: a `kpinn.PINN`.
        points: as in `kpinn.jacobian`.
        vector: array `(m,)`, one number per residual.

    Returns:
        A numpy array `(p,)`, one number per parameter.

    Raises:
        ValueError: as `kpinn.jacobian`, and for a vector of another length.

    Example:

        gradient = 2 * kpinn.vector_jacobian_product(pinn, points, residuals)  # of the loss
    """
    data = _prepare(pinn, points)
    residuals = _compiled(pinn, "vector", residual_vector).get_concrete_function(data)
    vector = _vector(pinn, vector, residuals.structured_outputs.shape[0], "residuals")
    return _compiled(pinn, "vjp", residual_vjp)(data, vector).numpy()


# For compiled steps ------------------------------------------------------------------------


def residual_jacobian(pinn, data, weighted=True):
    """The matrix and the vector of `jacobian` as tensors, for use within a compiled function.

    Args:
        pinn: the `PINN`.
        data: a `Data` whose points have static shapes. Its weights are taken as they are: a
            negative one gives NaN.
        weighted: whether the residuals have the weights of the loss; without, it may be any.

    Returns:
        A pair of tensors `(m, p)` and `(m,)`.
    """
    if tf.executing_eagerly():
        return _compiled(pinn, "matrix", residual_jacobian)(data, weighted)
    parts = factors_of(pinn, data, weighted)
    matrices = [matrix_of(part, _variables(pinn)) for part in parts]
    return tf.concat(matrices, axis=0), join([part.residual for part in parts])


def residual_vector(pinn, data):
    """The vector of `jacobian` as a tensor `(m,)`; see `residual_jacobian`."""
    _, residuals, _ = weighted_residuals(pinn, data)
    return join(list(residuals.values()))


def curvature_vector(pinn, data):
    """Tensor `(m,)` with a Jacobian whose product with itself is half the curvature of the loss."""
    outputs, _ = scaled_outputs(pinn, data, roots_of(pinn, data))
    return join(list(outputs.values()))


def residual_jvp(pinn, data, vector, function=residual_vector):
    """The product of the matrix of `jacobian` with a tensor `(p,)`, a tensor `(m,)`.

    Args:
        pinn: the `PINN`.
        data: a `Data`.
        vector: tensor `(p,)`.
        function: what the Jacobian is of: a function of the `PINN` and the data.
    """
    values = _variables(pinn)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        residuals = function(pinn, data)
    weights = tf.zeros_like(residuals)
    with tf.GradientTape(watch_accessed_variables=False) as outer:
        outer.watch(weights)
        products = _gradients(tape, residuals, values, weights)
        total = tf.reduce_sum(0.0 * weights) + tf.add_n(
            [tf.reduce_sum(p * v) for p, v in zip(products, split(vector, values), strict=True)]
        )
    return outer.gradient(total, weights)  # the product is linear in the weights


def residual_vjp(pinn, data, vector, function=residual_vector):
    """The product of a tensor `(m,)` with the matrix of `jacobian`; see `residual_jvp`."""
    values = _variables(pinn)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        residuals = function(pinn, data)
    return join(_gradients(tape, residuals, values, vector))


def _gradients(tape, residuals, values, vector):
    """The products of a vector with the blocks of the matrix."""
    gradients = tape.gradient(residuals, values, output_gradients=vector)
    return [
        tf.zeros(value.shape, value.dtype) if gradient is None else tf.convert_to_tensor(gradient)
        for gradient, value in zip(gradients, values, strict=True)
    ]


# The matrix --------------------------------------------------------------------------------


class _Part(typing.NamedTuple):
    """One condition.

    Attributes:
        columns: for each column of the residual a list with `OuterProducts` for each parameter.
        residual: `(n, k)`, weighted.
    """

    columns: list
    residual: tf.Tensor


def factors_of(pinn, data, weighted=True, roots=None):
    """A list of `_Part` in the order of the conditions, in the graph under construction.

    Args:
        pinn: the `PINN`.
        data: a `Data`.
        weighted: whether the residuals have the weights of the loss.
        roots: of `curvature`, for what takes the place of residuals there; or `None`.
    """
    variables = _variables(pinn)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(variables)
        with channels_per_point():
            if roots is None:
                _, residuals, points = weighted_residuals(pinn, data, weighted)
            else:
                residuals, points = scaled_outputs(pinn, data, roots)
    columns = point_gradients(residuals, variables, points, tape, _report)
    return [_Part(columns[name], residual) for name, residual in residuals.items()]


def _report(name, reason):
    message = (
        f"condition {name!r}: {reason}, so that each row of the Jacobian is computed by a "
        "backward pass of its own, which is slow."
    )
    warnings.warn(message, DerivativeFallbackWarning, stacklevel=2)


def matrix_of(part, variables):
    """The rows `(n k, p)` of a `_Part`."""
    count, size = part.residual.shape
    columns = []
    for column in part.columns:
        blocks = [
            factors.matrix(count, math.prod(variable.shape), part.residual.dtype)
            for factors, variable in zip(column, variables, strict=True)
        ]
        columns.append(tf.concat(blocks, axis=1))
    return columns[0] if size == 1 else tf.reshape(tf.stack(columns, 1), (count * size, -1))


def _in_chunks(pinn, parts, spare):
    """The matrix and the residuals as arrays, with `spare` bytes for a chunk of rows."""
    multiply = _compiled(pinn, "rows", lambda pinn, part: matrix_of(part, _variables(pinn)))
    residuals = np.concatenate([part.residual.numpy().ravel() for part in parts])
    matrix = np.empty((residuals.size, _parameter_count(pinn)), residuals.dtype)
    start = 0
    for part in parts:
        for chunk in chunks_of(part, min(spare // 2, CHUNK) // matrix[0].nbytes):
            rows = multiply(chunk).numpy()
            matrix[start : start + len(rows)] = rows
            start += len(rows)
    return matrix, residuals


def chunks_of(part, rows):
    """Yields a `_Part` in chunks of at most so many rows, and of at least one point."""
    count, size = part.residual.shape
    step = max(1, rows // size)
    for first in range(0, count, step):
        chunk = slice(first, first + step)
        yield tf.nest.map_structure(lambda t, chunk=chunk: None if t is None else t[chunk], part)


def mean_squared_rows(pinn, data):
    """By condition the mean squared norm of the rows of its Jacobian, without weights, as floats.

    Args:
        pinn: the `PINN`.
        data: a `Data`.
    """
    parts = _compiled(pinn, "plain factors", lambda pinn, data: factors_of(pinn, data, False))(data)
    square = _compiled(
        pinn, "squares", lambda pinn, part: tf.reduce_sum(matrix_of(part, _variables(pinn)) ** 2)
    )
    names = in_order(pinn, pinn.conditions if is_shared(data.points) else data.points)
    found = {}
    for name, part in zip(names, parts, strict=True):
        most = CHUNK // (_parameter_count(pinn) * part.residual.dtype.size)
        total = sum(float(square(chunk)) for chunk in chunks_of(part, most))
        found[name] = total / math.prod(part.residual.shape)
    return found


def _spare(parts, parameters, memory):
    """The bytes that remain of `memory` for a chunk of rows.

    Raises:
        ValueError: if the matrix does not fit.
    """
    tensors = [tensor for tensor in tf.nest.flatten(parts) if tensor is not None]
    beside = sum(tensor.shape.num_elements() * tensor.dtype.size for tensor in tensors)
    rows = sum(part.residual.shape.num_elements() for part in parts)
    one_row = parameters * parts[0].residual.dtype.size
    most_columns = max(part.residual.shape[1] for part in parts)
    least = rows * one_row + beside + 2 * most_columns * one_row
    if memory < least:
        raise ValueError(
            f"the Jacobian of {rows} residuals and {parameters} parameters takes "
            f"{rows * one_row} bytes, with what it is made of {least}, which is more than "
            f"memory={memory}. Pass fewer points or memory={least}, or use "
            "kpinn.jacobian_vector_product and kpinn.vector_jacobian_product, which do without it."
        )
    return memory - rows * one_row - beside


# Arguments ---------------------------------------------------------------------------------


def _variables(pinn):
    return [variable.value for variable in pinn.trainable_variables]


def _parameter_count(pinn):
    return sum(math.prod(variable.shape) for variable in pinn.trainable_variables)


def _prepare(pinn, points):
    """The points as `Data`; raises `ValueError` for what has no Jacobian."""
    if not pinn.trainable_variables:
        raise ValueError(f"{pinn.name!r} has no trainable parameters.")
    state = pinn._plain
    for name, function in pinn.conditions.items():
        refusals.refuse_wrong_derivatives(state.problem, function, state.methods[name], 1)
    data = pinn._prepare(points)
    check_squares(pinn, data)
    return data


def _vector(pinn, vector, count, what):
    vector = np.asarray(vector)
    if vector.shape != (count,):
        raise ValueError(
            f"the vector has the shape {vector.shape}: expected ({count},), one number for each of "
            f"the {what}."
        )
    return tf.constant(vector, pinn._plain.problem.dtype)


def _compiled(pinn, key, function):
    """`function(pinn, ...)` as a graph, kept by the PINN for its present parameters."""
    key = ("jacobian", key, tuple(id(variable) for variable in pinn.trainable_variables))

    def call(*arguments):
        return function(pinn, *arguments)

    return pinn.cached(key, lambda: tf.function(call, autograph=False))
