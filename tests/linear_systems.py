"""Damped linear least squares in numpy and with many digits, for tests of the steps."""

import functools

import mpmath
import numpy as np
import tensorflow as tf

from kpinn.optimizers.least_squares.dense import dense_model


def graded(rows, columns, condition, seed=1):
    """A system whose singular values fall evenly from 1 to `1 / condition`."""
    rng, size = np.random.default_rng(seed), min(rows, columns)
    left = np.linalg.qr(rng.normal(size=(rows, size)))[0]
    right = np.linalg.qr(rng.normal(size=(columns, size)))[0]
    return left * np.geomspace(1.0, 1.0 / condition, size) @ right.T, rng.normal(size=rows)


def fold(matrix, residuals, chunk, function, result, merge=None):
    """`fold_jacobian` of a `FlatObjective`, by chunks of so many rows."""
    for first in range(0, len(matrix), chunk):
        rows = slice(first, first + chunk)
        result = function(result, matrix[rows], residuals[rows])
    return result


def folded(matrix, residuals, chunk=None, dtype="float64", by="reflections"):
    """The `DenseModel` of a system whose rows come in chunks."""
    matrix, residuals = tf.constant(matrix, dtype), tf.constant(residuals, dtype)
    chunk = chunk or len(matrix)

    def fold_jacobian(theta, *rest):
        return fold(matrix, residuals, chunk, *rest)

    damping = tf.constant(1.0 if by == "products" else 0.0, dtype)
    theta, scale = tf.zeros((matrix.shape[1],), dtype), tf.ones((), dtype)
    transposed = functools.partial(tf.linalg.matvec, tf.transpose(matrix))
    factor = dense_model(fold_jacobian, transposed, theta, damping, scale)
    assert bool(factor.products) == (by == "products")
    return factor


def stacked(matrix, residuals, damping):
    """The minimum by numpy, of `[J; sqrt(damping) I] s = [-r; 0]`."""
    size = matrix.shape[1]
    rows = np.concatenate([matrix, np.sqrt(damping) * np.eye(size)])
    return np.linalg.lstsq(rows, -np.concatenate([residuals, np.zeros(size)]), rcond=None)[0]


def in_many_digits(matrix, residuals, damping):
    """The minimum, and the decrease of `|J s + r|^2`, with 60 digits by normal equations."""
    with mpmath.workdps(60):
        j, r = mpmath.matrix(matrix.tolist()), mpmath.matrix(residuals.tolist())
        damping = mpmath.mpf(damping)
        if j.rows < j.cols:
            step = -(j.T * mpmath.lu_solve(j * j.T + damping * mpmath.eye(j.rows), r))
        else:
            step = mpmath.lu_solve(j.T * j + damping * mpmath.eye(j.cols), -(j.T * r))
        after = j * step + r
        decrease = (r.T * r)[0] - (after.T * after)[0]
        return np.array([float(s) for s in step]), float(decrease)
