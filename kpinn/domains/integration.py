"""Measures and quadrature of patches."""

import math

import numpy as np

from kpinn.domains import sampling
from kpinn.domains.patches import shares


def measure(patches, what):
    """The measure of disjoint patches together."""
    if any(patch.keep or patch.density for patch in patches):
        raise ValueError(f"There is no closed form for the measure of {what}.")
    return math.fsum(patch.measure for patch in patches)


def rule(patches, n, what):
    """A quadrature of about `n` nodes in all patches: rows `(m, axes)` and weights `(m,)`."""
    if any(patch.keep or patch.density for patch in patches):
        raise ValueError(f"There is no quadrature for {what}.")
    counts = sampling.allocate(n, shares(patches))
    pairs = [_gauss(patch, k) for patch, k in zip(patches, counts, strict=True)]
    return tuple(np.concatenate(each) for each in zip(*pairs, strict=True))


def _gauss(patch, n):
    """Gauss's rule in each number of a patch."""
    order = max(1, round(n ** (1 / max(patch.numbers, 1))))
    nodes, weights = np.polynomial.legendre.leggauss(order)
    unit = np.meshgrid(*[(nodes + 1) / 2] * patch.numbers, indexing="ij")
    factors = np.meshgrid(*[weights / 2] * patch.numbers, indexing="ij")
    unit = np.stack([each.ravel() for each in unit], axis=1) if unit else np.empty((1, 0))
    weight = np.prod([each.ravel() for each in factors], axis=0) if factors else np.ones(1)
    return patch.place(unit, np), weight * patch.measure
