"""Sets of simplices: uniform maps of the unit cube, measures, normals, exact quadrature.

A simplex of dimension `k` in `d` dimensions is an array of its vertices `(k + 1, d)`: a point, a
segment, a triangle, a tetrahedron. A set of `m` simplices is an array `(m, k + 1, d)`.

`xp` is `numpy` or `keras.ops`, so that a map runs on the host and in a compiled step alike.
"""

import math

import numpy as np
import scipy  # not scipy.special, which is slow to load, and loads when it is first named

from kpinn.domains.patches import constant
from kpinn.domains.sampling import tensor


def signed_volumes(vertices):
    """Volumes of simplices of full dimension, positive if their edges are a right frame.

    Args:
        vertices: `(m, d + 1, d)`.

    Returns:
        Array `(m,)`.
    """
    return np.linalg.det(_edges(vertices)) / math.factorial(vertices.shape[-1])


def measures(vertices):
    """Lengths, areas or volumes of simplices in any dimension; 1 for a point.

    Args:
        vertices: `(m, k + 1, d)`.

    Returns:
        Array `(m,)`, not negative.
    """
    dims = vertices.shape[1] - 1
    if dims == 0:
        return np.ones(len(vertices))
    if dims == 1:
        return np.linalg.norm(vertices[:, 1] - vertices[:, 0], axis=-1)
    # The triangle of QR, and not a determinant of Gram, which squares the condition of slivers.
    triangle = np.linalg.qr(np.swapaxes(_edges(vertices), 1, 2), mode="r")
    heights = np.diagonal(triangle, axis1=1, axis2=2)
    return np.abs(np.prod(heights, axis=-1)) / math.factorial(dims)


def normals(facets):
    """Unit normals of simplices of one dimension less than the space.

    The normal and the edges from vertex 0 are a right frame: outward for the edges of a polygon
    that runs counterclockwise, and for triangles that are counterclockwise seen from outside.

    Args:
        facets: `(m, d, d)`.

    Returns:
        Array `(m, d)`; `(m, 1)` of ones for points on a line.
    """
    edges, dims = _edges(facets), facets.shape[-1]
    minors = [np.linalg.det(np.delete(edges, axis, axis=-1)) for axis in range(dims)]
    directions = np.stack([(-1) ** axis * minor for axis, minor in enumerate(minors)], axis=-1)
    return directions / np.linalg.norm(directions, axis=-1, keepdims=True)


def cumulative(sizes):
    """The ends of the shares of the unit interval that parts get in proportion to their sizes.

    Args:
        sizes: `(m,)`, not negative, with a positive sum.

    Returns:
        Array `(m,)`, ascending; the last is 1.
    """
    ends = np.cumsum(sizes)
    return ends / ends[-1]


def pick(unit, ends, xp):
    """Which part a uniform number picks, and a uniform number that is made of what is left.

    Args:
        unit: numbers in `[0, 1]`, `(n,)`.
        ends: from `cumulative`, `(m,)`.
        xp: `numpy` or `keras.ops`.

    Returns:
        Indices `(n,)`, numbers in `[0, 1]` `(n,)`. They lose as many bits as the index takes.
    """
    if len(ends) == 1:
        return xp.zeros(unit.shape[:1], dtype="int32"), unit
    ends = constant(ends, unit)
    index = xp.clip(_count_below(ends, unit, xp), 0, len(ends) - 1)
    start = xp.take(np.concatenate([np.zeros_like(ends[:1]), ends[:-1]]), index, axis=0)
    share = xp.take(ends, index, axis=0) - start
    smallest = np.finfo(ends.dtype).tiny  # a part of no share is picked by its very end alone
    return index, xp.clip((unit - start) / xp.maximum(share, smallest), 0.0, 1.0)


def _count_below(ends, unit, xp):
    """How many of the ends are not above each number; `searchsorted`, where XLA tries them all."""
    if xp is np:
        return np.searchsorted(ends, unit, side="right")
    bits = len(ends).bit_length()
    ends = np.concatenate([ends, np.full(2**bits - 1 - len(ends), np.inf, ends.dtype)])
    found = xp.zeros(unit.shape[:1], dtype="int32")
    for step in 2 ** np.arange(bits)[::-1]:
        is_below = xp.take(ends, found + int(step) - 1, axis=0) <= unit
        found = xp.where(is_below, found + int(step), found)
    return found


def barycentric(unit, xp):
    """The map of the unit cube onto the standard simplex that keeps measures.

    One-to-one inside and continuous, so that designs of low discrepancy stay good ones:
    coordinate `i` is what is left of 1, times `1 - u_i ** (1 / (k - i))`.

    Args:
        unit: `(n, k)`.
        xp: `numpy` or `keras.ops`.

    Returns:
        Barycentric coordinates `(n, k + 1)`, not negative, with the sum 1.
    """
    dims = unit.shape[1]
    left, coordinates = xp.ones_like(unit[:, 0]), []
    for axis in range(dims):
        root = unit[:, axis] if axis == dims - 1 else unit[:, axis] ** (1.0 / (dims - axis))
        coordinates.append(left * (1.0 - root))
        left = left * root
    return xp.stack([*coordinates, left], axis=1)


def collapsed(unit, xp):
    """The map of the unit cube onto the standard simplex by polynomials (Duffy, 1982).

    Its density is `collapsed_density`, as a share of the largest.
    """
    left, coordinates = xp.ones_like(unit[:, 0]), []
    for axis in range(unit.shape[1]):
        coordinates.append(left * (1.0 - unit[:, axis]))
        left = left * unit[:, axis]
    return xp.stack([*coordinates, left], axis=1)


def collapsed_density(unit, xp):
    """See `collapsed`: `(n,)`; `k!` times its mean is 1."""
    density, dims = xp.ones_like(unit[:, 0]), unit.shape[1]
    for axis in range(dims):
        density = density * unit[:, axis] ** (dims - 1 - axis)
    return density


def place(vertices, ends, unit, xp, inside=barycentric):
    """Points of a set of simplices, uniform for uniform numbers.

    Args:
        vertices: `(m, k + 1, d)`, with `k >= 1`.
        ends: `cumulative(measures(vertices))`.
        unit: `(n, k)`; the first number picks the simplex, what is left of it is used again.
        xp: `numpy` or `keras.ops`.
        inside: the map to one simplex.

    Returns:
        Points `(n, d)` of the dtype of `unit`.
    """
    index, first = pick(unit[:, 0], ends, xp)
    weights = inside(xp.concatenate([first[:, None], unit[:, 1:]], axis=1), xp)
    # From vertex 0, so that a coordinate that all vertices share is met exactly.
    start = xp.take(constant(vertices[:, 0], unit), index, axis=0)
    edges = xp.take(constant(_edges(vertices), unit), index, axis=0)
    # In two steps: in a graph TensorFlow leaves the new axis out where it slices what was stacked.
    return start + xp.sum(weights[:, 1:][:, :, None] * edges, axis=1)


def rule(dims, order):
    """The conical product of Gauss-Jacobi rules, in the numbers that `barycentric` takes.

    In the simplex it is exact for polynomials of degree `2 * order - 1`.

    Args:
        dims: the dimension `k` of the simplex.
        order: nodes along each direction.

    Returns:
        Nodes `(order**k, k)` of the unit cube, weights `(order**k,)` with the sum 1, positive.

    References:
        A. H. Stroud, Approximate Calculation of Multiple Integrals, 1971, section 2.4.
    """
    nodes, weights = [], []
    for power in range(dims, 0, -1):
        # What a direction leaves to those that follow is u ** (1 / power), and they shrink with it.
        left, weight = scipy.special.roots_jacobi(order, 0, power - 1)
        nodes.append(((1 + left) / 2) ** power)
        weights.append(weight / np.sum(weight))
    return tensor(nodes), np.prod(tensor(weights), axis=1)


def quadrature(vertices, n):
    """Nodes and weights over a set of simplices: those of `rule` in each.

    Args:
        vertices: `(m, k + 1, d)`, `k >= 1`.
        n: number of nodes, about; there is at least one for each simplex.

    Returns:
        Nodes `(n', d)`, weights `(n',)` with the sum of all measures.
    """
    sizes, dims = measures(vertices), vertices.shape[1] - 1
    nodes, weights = rule(dims, max(1, round((n / len(vertices)) ** (1 / dims))))
    inside = np.einsum("qv,mvd->mqd", barycentric(nodes, np), vertices)
    return inside.reshape(-1, vertices.shape[-1]), np.outer(sizes, weights).ravel()


def _edges(vertices):
    return vertices[:, 1:] - vertices[:, :1]
