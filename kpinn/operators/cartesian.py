"""Operators on vectors and tensors in Cartesian coordinates."""

import numpy as np
from keras import ops

# Where the entries of a matrix are among the components of a tensor.
ROWS = {size * size: np.arange(size * size).reshape(size, size) for size in (1, 2, 3)}
SYMMETRIC = {3: np.array([[0, 2], [2, 1]]), 6: np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])}
ENTRIES = ROWS | SYMMETRIC


def advection(v, gradient):
    """The derivative along a velocity, `(v . grad) u`.

    Args:
        v: velocity, `(n, d)`.
        gradient: `grad_u`, `(n, d)`; or `jac_w` of a vector field with `k` components, `(n, k, d)`.

    Returns:
        A tensor `(n, 1)`, or `(n, k)`.

    Raises:
        ValueError: for other shapes.

    Example:

        @kpinn.condition
        def momentum(self, v, jac_v, grad_p, laplacian_v):
            return kpinn.operators.advection(v, jac_v) + grad_p - 0.01 * laplacian_v
    """
    fits = len(v.shape) == 2 and len(gradient.shape) in (2, 3)
    if not fits or v.shape[1] != gradient.shape[-1]:
        raise ValueError(
            f"v has the shape {tuple(v.shape)} and gradient {tuple(gradient.shape)}: expected a "
            "velocity (n, d), and grad_u (n, d) or jac_w (n, k, d) over as many coordinates."
        )
    if len(gradient.shape) == 2:
        return ops.sum(v * gradient, axis=1, keepdims=True)
    return ops.sum(gradient * ops.expand_dims(v, 1), axis=2)


def strain(jacobian):
    """The symmetric part of a gradient: the strain of small displacements, or its rate.

    Args:
        jacobian: `jac_v`, `(n, d, d)`.

    Returns:
        A tensor `(n, d, d)`, whose entry `i, j` is `(dv_i/dx_j + dv_j/dx_i) / 2`.

    Raises:
        ValueError: for another shape.

    Example:

        @kpinn.field(size=4)  # the rows of the matrix, one after the other
        def stress(self, jac_v, div_v):
            pressure = ops.expand_dims(lame * div_v, 2) * np.eye(2)
            return pressure + 2 * mu * kpinn.operators.strain(jac_v)
    """
    if len(jacobian.shape) != 3 or jacobian.shape[1] != jacobian.shape[2]:
        raise ValueError(
            f"jacobian has the shape {tuple(jacobian.shape)}: expected jac_v (n, d, d) of a field "
            "with as many components as there are coordinates."
        )
    return 0.5 * (jacobian + ops.transpose(jacobian, (0, 2, 1)))


def tensor(components):
    """The matrices of a tensor field.

    Args:
        components: `(n, 4)` or `(n, 9)`, the rows of a matrix one after the other; or those of a
            symmetric one, `(n, 3)` for xx, yy, xy, or `(n, 6)` for xx, yy, zz, yz, xz, xy.

    Returns:
        A tensor `(n, d, d)`.

    Raises:
        ValueError: for another number of components.

    Example:

        @kpinn.condition
        def sheared(self, stress):  # of three components: xx, yy, xy
            return kpinn.operators.tensor(stress)[:, 0, 1:]
    """
    entries = entries_of("components", components)
    picked = ops.take(components, entries.ravel(), axis=1)
    return ops.reshape(picked, (-1, *entries.shape))


def traction(stress, n):
    """The force on a surface by area, `stress . n`.

    Args:
        stress: `(n, k)`, see `tensor`.
        n: outward normals `(n, d)`, which come with the points of a boundary.

    Returns:
        A tensor `(n, d)`.

    Raises:
        ValueError: for another number of components.

    Example:

        @kpinn.condition
        def free(self, stress, n):
            return kpinn.operators.traction(stress, n)
    """
    return ops.sum(tensor(stress) * ops.expand_dims(n, 1), axis=2)


def tensor_divergence(jacobian):
    """The divergence of a tensor field, by rows: the sum over `j` of `ds_ij/dx_j`.

    Args:
        jacobian: `jac_stress` of a field with the components of `tensor`, `(n, k, d)`.

    Returns:
        A tensor `(n, d)`.

    Raises:
        ValueError: for a field that has not the components of a `d` by `d` matrix.

    Example:

        @kpinn.condition
        def balance(self, jac_stress):
            return kpinn.operators.tensor_divergence(jac_stress)
    """
    entries = entries_of("jacobian", jacobian)
    if len(jacobian.shape) != 3 or jacobian.shape[2] != len(entries):
        raise ValueError(
            f"jacobian has the shape {tuple(jacobian.shape)}: expected jac_stress (n, k, d) over "
            f"{len(entries)} coordinates, as the stress has {jacobian.shape[1]} components."
        )
    columns = []
    for row in entries.tolist():
        columns.append(sum(jacobian[:, place, j : j + 1] for j, place in enumerate(row)))
    return ops.concatenate(columns, axis=1)


def entries_of(what, components):
    """Where the entries of a matrix are among components, an array `(d, d)` of their numbers."""
    count = components.shape[1] if len(components.shape) > 1 else None
    if count not in ENTRIES:
        raise ValueError(
            f"{what} has the shape {tuple(components.shape)}: expected 4 or 9 components, the rows "
            "of a matrix, or 3 or 6 of a symmetric one (xx, yy, xy; xx, yy, zz, yz, xz, xy)."
        )
    return ENTRIES[count]
