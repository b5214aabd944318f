"""Factorisations of small matrices with a damping, for the linear models of least squares.

A Jacobian is reduced to a small square matrix in one of two ways. Products, `J^T J` or `J J^T`, are
a matrix product and take a Cholesky factorisation, but square the condition number: below a damping
of about the rounding of the largest squared singular value they know nothing. The triangular factor
of Householder reflections takes longer and loses nothing; the directions that only it sees are
those that take an error from 1e-8 to 1e-14.

LAPACK computes in float64, on one thread.
"""

import functools
import math

import numpy as np
import scipy.linalg
import tensorflow as tf
import threadpoolctl

from kpinn.optimizers.flat import epsilon

BLOCK = 32  # columns of a block of reflections
ROUNDINGS = 1e5  # of the largest squared column norm: a smaller damping is not for products


def needs_triangle(damping, scale, dtype):
    """Whether a damping is too small beside the scale of the Jacobian for products."""
    return damping < ROUNDINGS * epsilon(dtype) * scale


def smallest_damping(scale, products):
    """The smallest damping that products, or a triangle, can tell from zero."""
    rounding = tf.constant(100 * epsilon(scale.dtype), scale.dtype)
    return scale * tf.where(products, rounding, 1e-30)


def solve_twice(upper, right):
    """The solution of `upper^T upper x = right` for a vector."""
    half = tf.linalg.triangular_solve(upper, right[:, None], lower=False, adjoint=True)
    return tf.linalg.triangular_solve(upper, half, lower=False)[:, 0]


def cholesky(products, damping):
    """The upper factor of an array of products with a damping; NaN where it has none."""
    damped = np.array(products, order="F")
    damped.flat[:: len(damped) + 1] += damping
    upper, failed = scipy.linalg.lapack.dpotrf(damped, overwrite_a=1)
    if failed:
        upper.fill(np.nan)
    return upper


def solve_triangle(triangle, right, damping):
    """The minimum `x` of `|triangle x + right|^2 + damping |x|^2`, for arrays.

    Returns:
        `x`; what `|triangle x + right|^2` is less than `|right|^2`; and the upper triangle whose
        products are those of `triangle`, with the damping.
    """
    size = len(triangle)
    below = np.zeros((size, size), order="F")
    np.fill_diagonal(below, math.sqrt(damping))
    upper, reflectors, blocks, _ = scipy.linalg.lapack.dtpqrt(
        size, min(BLOCK, size), np.array(triangle, order="F"), below, overwrite_a=1, overwrite_b=1
    )
    column = np.array(right[:, None], order="F")
    rotated, _, _ = scipy.linalg.lapack.dtpmqrt(
        size, reflectors, blocks, column, np.zeros_like(column), trans="T"
    )
    step = -scipy.linalg.solve_triangular(upper, rotated[:, 0], check_finite=False)
    change = triangle @ step
    return step, -change @ (change + 2.0 * right), np.triu(upper)


@functools.cache
def _libraries():
    return threadpoolctl.ThreadpoolController()


def one_thread():
    """BLAS on one thread: several would wait for each other where TensorFlow's threads run."""
    return _libraries().limit(limits=1, user_api="blas")
