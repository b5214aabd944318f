"""What noise in measurements does to what is estimated from them by least squares.

Near the minimum of `|r|^2` the weighted residuals are linear in the parameters, with the Jacobian
`[A B]`: the columns `A` of the network and `B` of the unknowns. Noise `e` in the residuals moves
the unknowns by `-C^+ e`, where `C` is what is left of `B` outside of the range of `A` (Frisch,
Waugh and Lovell): the parameters of the network are eliminated, many as they are and nearly
dependent as they are. No product of the Jacobian with itself is made, which would square its
condition number. The residuals after the fit are `(1 - Q Q^T) e`, with a basis `Q` of the range of
the whole Jacobian.
"""

import dataclasses

import numpy as np
import scipy.linalg


@dataclasses.dataclass(frozen=True, eq=False)
class Estimate:
    """Least squares with the parameters of the network eliminated, for arrays of float64.

    Attributes:
        range: orthonormal basis `(m, r)` of the range of the network's columns.
        values: their singular values `(r,)`.
        directions: the directions `(r, p)` in the parameters of the network.
        along: the parts `(r, q)` of the columns of the unknowns in that range.
        left: orthonormal basis `(m, q)` of what is left of them.
        determined: how much is left `(q,)`, between 0 and about 1, of combinations of unknowns.
        combinations: these combinations, the rows of `(q, q)`.
        gains: `(q, m)`; minus this, times residuals, is the step of the unknowns.
    """

    range: np.ndarray
    values: np.ndarray
    directions: np.ndarray
    along: np.ndarray
    left: np.ndarray
    determined: np.ndarray
    combinations: np.ndarray
    gains: np.ndarray

    @classmethod
    def of(cls, network, unknowns, tolerance):
        """The `Estimate` for a Jacobian.

        Args:
            network: its columns of the parameters of the network, `(m, p)`.
            unknowns: its columns of the unknowns, `(m, q)`.
            tolerance: singular values that are smaller parts of the largest are left out.
        """
        basis, values, directions = _svd(network)
        kept = values > tolerance * max(values, default=0.0)
        basis, values, directions = basis[:, kept], values[kept], directions[kept]
        norms = np.linalg.norm(unknowns, axis=0)
        norms = np.where(norms > 0.0, norms, 1.0)
        left = unknowns / norms
        for _ in range(2):  # twice is enough to be orthogonal to rounding
            left = left - basis @ (basis.T @ left)
        rest, determined, combinations = _svd(left)
        inverse = np.divide(1.0, determined, where=determined > 0.0, out=np.zeros_like(determined))
        gains = (combinations.T * inverse) @ rest.T / norms[:, None]
        along = basis.T @ unknowns
        return cls(basis, values, directions, along, rest, determined, combinations, gains)

    @property
    def basis(self):
        """Orthonormal basis `(m, r + q)` of the range of the whole Jacobian."""
        return np.concatenate([self.range, self.left], axis=1)

    def through_network(self, matrix, rows):
        """The gains `(n, k)` of what depends on the parameters of the network.

        Args:
            matrix: its derivatives with respect to them, `(n, p)`.
            rows: numbers of the `k` residuals that have noise.
        """
        seen = self.range[rows].T - self.along @ self.gains[:, rows]
        return (matrix @ self.directions.T / self.values) @ seen


def noise_of_residuals(label, noise, shape):
    """Standard deviations of noise as an array of the shape of residuals.

    Args:
        label: what they are called in errors.
        noise: array `()`, `(n,)` or `(n, k)`.
        shape: `(n, k)`.

    Raises:
        ValueError: for an array of another shape.
    """
    rows = noise[:, None] if noise.ndim == 1 else noise
    try:
        return np.broadcast_to(rows, shape)
    except ValueError:
        raise ValueError(
            f"{label} has the shape {noise.shape}: expected a number, or an array for the "
            f"residuals {shape}."
        ) from None


def noise_levels(basis, residuals, known, unknown):
    """The variances of the noise in sets of measurements, from the residuals after a fit.

    The expected squared norm of what is left of the residuals in each set is a linear function of
    the variances, whose factors follow from the basis.

    Args:
        basis: orthonormal basis `(m, r)` of the range of the Jacobian.
        residuals: the residuals `(m,)`; it does not matter whether the fit has ended.
        known: list of pairs of rows, a slice, and the variances there, `(k,)`.
        unknown: list of pairs of rows and `(k,)`, by which one variance has to be multiplied.

    Returns:
        The variances, and of how many numbers in each set the fit leaves them free; two arrays.
    """
    if not unknown:
        return np.zeros(0), np.zeros(0)
    rest = residuals - basis @ (basis.T @ residuals)
    sets = [*known, *unknown]
    matrix = np.array([[_share(basis, rows, other) for other in sets] for rows, _ in unknown])
    squares = np.array([np.sum(rest[rows] ** 2) for rows, _ in unknown])
    factors = matrix[:, len(known) :]
    free = np.diag(factors) / [np.mean(scale) for _, scale in unknown]
    variances = np.linalg.lstsq(factors, squares - matrix[:, : len(known)].sum(axis=1))[0]
    return np.maximum(variances, 0.0), free


def _share(basis, rows, other):
    """The expected squared norm of the residuals in some rows for noise in those of another set."""
    own, (others, variances) = basis[rows], other
    mixed = np.sum((own.T @ own) * (basis[others].T @ (variances[:, None] * basis[others])))
    if rows != others:
        return mixed
    return np.sum(variances) - 2.0 * np.sum(variances * np.sum(own**2, axis=1)) + mixed


def _svd(matrix):
    rows, columns = matrix.shape
    if not matrix.size:
        return np.zeros((rows, 0)), np.zeros(0), np.zeros((0, columns))
    return scipy.linalg.svd(matrix, full_matrices=False, check_finite=False)
