"""The factorisations of the linear models as TensorFlow operations, where there is a GPU.

LAPACK on the host would have a matrix copied from the device and its factor back for each damping
that is tried. The steps are the same to rounding, and computed in float64 too. Singular values are
left to the host.
"""

import tensorflow as tf

from kpinn.backend import devices


def stays_on_device():
    """Whether matrices are factorised where they are, and not on the host."""
    return bool(devices.accelerators())


def triangle_of(rows):
    """The square upper triangle whose products are those of at least as many rows as columns."""
    _, upper = tf.linalg.qr(tf.cast(rows, tf.float64))
    return tf.cast(upper, rows.dtype)


def rows_of(matrix):
    """A triangle `(m, m)` and orthonormal rows `(m, p)`, whose product is a matrix `(m, p)`."""
    rows, columns = matrix.shape
    tall = tf.pad(tf.transpose(tf.cast(matrix, tf.float64)), [[0, max(rows - columns, 0)], [0, 0]])
    basis, upper = tf.linalg.qr(tall)
    found = tf.transpose(basis[:columns]), tf.transpose(upper)
    return tuple(tf.cast(part, matrix.dtype) for part in found)


def solve(matrix, right, products, damping, of_gradient=False):
    """The solution of a damped system whose matrix is a triangle, or products.

    Args:
        matrix: `(k, k)`; a triangle `T`, or products `P`, which are `J^T J` or `J J^T`.
        right: `(k,)`; `r`, and `J^T r` with `J^T J`.
        products: scalar bool, which of them.
        damping: a positive scalar.
        of_gradient: whether products are `J^T J`.

    Returns:
        `x`, the minimum of `|T x + r|^2 + damping |x|^2` or the solution of
        `(P + damping) x = -right`; what the step that it stands for lowers `|J s + r|^2` by; and
        the upper triangle whose products are `T^T T + damping` or `P + damping`. All are NaN where
        that has none.
    """
    wide = [tf.cast(part, tf.float64) for part in (matrix, right, damping)]
    found = tf.cond(
        products,
        lambda: _solve_products(*wide, of_gradient),
        lambda: solve_triangle(*wide),
    )
    return tuple(tf.cast(part, matrix.dtype) for part in found)


def _solve_products(products, right, damping, of_gradient):
    lower = tf.linalg.cholesky(
        tf.linalg.set_diag(products, tf.linalg.diag_part(products) + damping)
    )
    lower = tf.linalg.band_part(lower, -1, 0)
    x = -tf.linalg.cholesky_solve(lower, right[:, None])[:, 0]
    change = tf.linalg.matvec(products, x)
    decrease = -tf.reduce_sum((x if of_gradient else change) * (change + 2.0 * right))
    return x, decrease, tf.transpose(lower)


def solve_triangle(triangle, right, damping):
    """As the function of `factorizations`, for tensors in float64; the matrix may be any."""
    size = right.shape[0]
    below = tf.linalg.diag(tf.fill((size,), tf.sqrt(damping)))
    above = tf.concat([triangle, right[:, None]], axis=1)
    rotated = triangle_of(tf.concat([above, tf.pad(below, [[0, 0], [0, 1]])], axis=0))
    upper, column = rotated[:size, :size], rotated[:size, size:]
    x = -tf.linalg.triangular_solve(upper, column, lower=False)[:, 0]
    change = tf.linalg.matvec(triangle, x)
    return x, -tf.reduce_sum(change * (change + 2.0 * right)), upper
