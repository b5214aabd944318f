"""The largest eigenvalues of `J^T J`, as a preconditioner for conjugate gradients.

They are found from products of `J^T J` with a few random vectors, in one pass over the rows of the
Jacobian. Frangella, Tropp & Udell, Randomized Nystrom preconditioning, SIAM J. Matrix Anal. Appl.
44 (2023), 718-752.
"""

import typing

import numpy as np
import scipy.linalg
import tensorflow as tf

from kpinn.optimizers.least_squares.factorizations import one_thread

SEED = 0, 0  # the vectors are the same in all steps, where the Jacobian is another


class Nystrom(typing.NamedTuple):
    """A positive semidefinite matrix of low rank.

    Attributes:
        vectors: `(p, rank)`, orthonormal columns.
        values: `(rank,)`, the eigenvalues, falling.
    """

    vectors: tf.Tensor
    values: tf.Tensor

    def inverse(self, damping):
        """The preconditioner for the matrix plus a damping: a function from `(p,)` to `(p,)`.

        It is one on what the vectors do not see (equation 1.3, times the smallest eigenvalue plus
        the damping).
        """
        factors = (self.values[-1] + damping) / (self.values + damping) - 1.0

        def apply(vector):
            parts = factors * tf.linalg.matvec(self.vectors, vector, transpose_a=True)
            return vector + tf.linalg.matvec(self.vectors, parts)

        return apply


def nystrom(fold_jacobian, theta, rank):
    """The `Nystrom` approximation of `J^T J`.

    Algorithm 2.1, but for random vectors that are nearly orthonormal, not exactly, and for
    eigenvalues in place of Cholesky's factorisation, which could fail.

    Args:
        fold_jacobian: of a `FlatObjective`.
        theta: tensor `(p,)`.
        rank: number of random vectors, at most `p`.
    """
    size = theta.shape[0]
    probes = tf.random.stateless_normal((size, rank), SEED, 0.0, size**-0.5, theta.dtype)

    def add(products, matrix, _):
        return products + tf.matmul(matrix, tf.matmul(matrix, probes), transpose_a=True)

    products = fold_jacobian(theta, add, tf.zeros_like(probes))
    vectors, values = tf.numpy_function(
        _eigenvalues, [probes, products], [theta.dtype] * 2, stateful=False
    )
    return Nystrom(tf.ensure_shape(vectors, (size, rank)), tf.ensure_shape(values, (rank,)))


def nystrom_bytes(size, rank):
    """The bytes of a `Nystrom` and of what it is made of: LAPACK computes in float64, on copies."""
    return 8 * 6 * size * rank


def _eigenvalues(probes, products):
    """The eigenvectors and eigenvalues of `products (probes^T products)^-1 products^T`."""
    dtype = products.dtype
    if not np.isfinite(products).all():
        return np.full(products.shape, np.nan, dtype), np.full(products.shape[1], np.nan, dtype)
    probes, products = np.asarray(probes, np.float64), np.asarray(products, np.float64)
    with one_thread():
        # The shift is the rounding of the products, below which eigenvalues may be negative.
        shift = max(np.finfo(dtype).eps * np.linalg.norm(products), np.finfo(dtype).tiny)
        products = products + shift * probes
        small = probes.T @ products
        weights, basis = scipy.linalg.eigh(0.5 * (small + small.T))
        root = products @ basis / np.sqrt(np.maximum(weights, shift))
        vectors, values, _ = scipy.linalg.svd(root, full_matrices=False)
    return vectors.astype(dtype), np.maximum(values**2 - shift, 0.0).astype(dtype)
