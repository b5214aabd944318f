"""The Jacobian of a PINN's residuals with respect to its parameters, as arrays.

The residual vector is scaled so that the sum of its squares is the loss. Its entries are those of
the conditions in their order, for each condition point after point, for each point its columns. The
parameters are those of `kpinn.destructure(pinn)`.
"""

import numpy as np
import tensorflow as tf

from kpinn.derivatives.keras_private import all_layers
from kpinn.objective.jacobian import (
    chunks_of,
    matrix_of,
    residual_jvp,
    residual_vector,
    residual_vjp,
)
from kpinn.objective.objective import CHUNK
from kpinn.options import check_pinn, positive_whole
from kpinn.options.arrays import real_array
from kpinn.problem.points import first_rows
from kpinn.problem.refusals import refuse_wrong_derivatives

MEMORY = 2**32  # bytes


def jacobian(pinn, points, memory=MEMORY) -> tuple[np.ndarray, np.ndarray]:
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
    matrix, residuals, _ = weighted_jacobian(*prepared(pinn, points), memory)
    return matrix, residuals


def jacobian_vector_product(pinn, points, vector) -> np.ndarray:
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
    objective, data = prepared(pinn, points)
    vector = _vector(objective, vector, objective.size, "parameters")
    return _compiled(objective, "jvp", residual_jvp)(data, vector).numpy()


def vector_jacobian_product(pinn, points, vector) -> np.ndarray:
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
    objective, data = prepared(pinn, points)
    residuals = _compiled(objective, "vector", residual_vector).get_concrete_function(data)
    vector = _vector(objective, vector, residuals.structured_outputs.shape[0], "residuals")
    return _compiled(objective, "vjp", residual_vjp)(data, vector).numpy()


def weighted_jacobian(objective, data, memory):
    """The matrix and the residuals of `jacobian`, and the shapes `(n, k)` of the residuals.

    Args:
        objective: the `Objective`.
        data: a `Data`.
        memory: as in `jacobian`.
    """
    memory = positive_whole("memory", memory)
    compute = objective.parts()
    parts = compute.get_concrete_function(data).structured_outputs
    spare = _spare(parts, objective.size, memory)
    shapes = [tuple(part.residual.shape) for part in parts]
    return *_in_chunks(objective, compute(data), spare), shapes


def _in_chunks(objective, parts, spare):
    """The matrix and the residuals as arrays, with `spare` bytes for a chunk of rows."""
    multiply = _compiled(objective, "rows", lambda o, part: matrix_of(part, o.values()))
    residuals = np.concatenate([part.residual.numpy().ravel() for part in parts])
    matrix = np.empty((residuals.size, objective.size), residuals.dtype)
    start = 0
    for part in parts:
        for chunk in chunks_of(part, min(spare // 2, CHUNK) // matrix[0].nbytes):
            rows = multiply(chunk).numpy()
            matrix[start : start + len(rows)] = rows
            start += len(rows)
    return matrix, residuals


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


def prepared(pinn, points):
    """The objective and the points; raises `ValueError` for what has no Jacobian."""
    check_pinn(pinn)
    data = pinn.prepare(points)
    if not all(layer.built for layer in all_layers(pinn)):  # what a condition calls has no weights
        pinn.call(first_rows(data).points)
    if not pinn.trainable_variables:
        raise ValueError(f"{pinn.name!r} has no trainable parameters.")
    refuse_wrong_derivatives(pinn.problem, 1)
    objective = pinn.objective
    objective.check_squares(data)
    return objective, data


def _vector(objective, vector, count, what):
    vector = real_array("vector", vector)
    if vector.shape != (count,):
        raise ValueError(
            f"the vector has the shape {vector.shape}: expected ({count},), one number for each of "
            f"the {what}."
        )
    return tf.constant(vector.astype(objective.dtype.as_numpy_dtype))


def _compiled(objective, key, function):
    """`function(objective, ...)` as a graph."""
    return objective.compiled.graph(("array", key), lambda *given: function(objective, *given))
