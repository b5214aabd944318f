"""Signed distance to a closed surface: segments in the plane, or triangles in space.

The sign is that of the pseudonormal of the nearest feature (face, edge or vertex), which is right
for every closed surface that is oriented and does not meet itself.

References:
    J. A. Baerentzen and H. Aanaes, Signed distance computation using the angle weighted
    pseudonormal, IEEE Transactions on Visualization and Computer Graphics 11, 2005.
"""

import dataclasses
import functools

import numpy as np

from kpinn.domains.complexes.simplices import normals
from kpinn.domains.patches import constant, norm, rounding

BLOCK = 16  # neighbouring facets, which are skipped together
CHUNK = 2**16  # pairs of points and blocks that are looked at together
FEW = 2  # blocks, up to which all facets are looked at
IN_CACHE = 2**13  # points that are looked at together then
TOGETHER = 256  # facets that a compiled step looks at together


@dataclasses.dataclass(frozen=True)
class Surface:
    """Facets in blocks of neighbours, and what tells the sides of the surface.

    Args:
        facets: `(m, k, d)`: the corners; of a triangle also its normal, and the directions in
            its plane that point into it from its edges. `m` is a multiple of `BLOCK`.
        lower, upper: corners of the bounding boxes of the blocks, `(m / BLOCK, d)`.
        pseudonormals: `(m, features, d)`: of the facet, then of its edges, then of its corners;
            None where there are no sides.
        order: which facet each one was, `(m,)`.
    """

    facets: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    order: np.ndarray
    pseudonormals: np.ndarray | None = None

    @functools.cached_property
    def balls(self):
        """Centres `(m, d)` and radii `(m,)` of balls around the facets."""
        corners = self.facets[:, :3]
        centres = corners.mean(axis=1)
        return centres, np.linalg.norm(corners - centres[:, None], axis=2).max(axis=1)


def without_sides(corners):
    """The `Surface` of points `(m, 1, d)` or segments `(m, 2, d)` in any dimension."""
    order, boxes = _blocks(corners)
    return Surface(corners[order], boxes.min(axis=1), boxes.max(axis=1), order)


def surface(vertices, indices):
    """The `Surface` of a polygon or a triangle mesh.

    Args:
        vertices: `(v, d)`, with `d` 2 or 3, no two at one place.
        indices: of the corners of the facets, `(m, d)`; closed, and with outward normals.

    Returns:
        A `Surface`.
    """
    corners = vertices[indices]
    sides = normals(corners)
    order, boxes = _blocks(corners)
    if corners.shape[-1] == 2:
        facets, others = corners, _of_corners(vertices, indices, sides[:, None])
    else:
        edges = np.roll(corners, -1, axis=1) - corners
        inward = np.cross(sides[:, None], edges)
        facets = np.concatenate([corners, sides[:, None], inward], axis=1)
        of_corners = _of_corners(vertices, indices, _angles(edges)[..., None] * sides[:, None])
        others = np.concatenate([_of_edges(indices, sides), of_corners], axis=1)
    pseudonormals = np.concatenate([sides[:, None], others], axis=1)
    lower, upper = boxes.min(axis=1), boxes.max(axis=1)
    return Surface(facets[order], lower, upper, order, pseudonormals[order])


def distance(surface, rows, xp):
    """Distances from points to a surface.

    Args:
        surface: a `Surface`.
        rows: points `(n, d)`.
        xp: `numpy` or `keras.ops`.

    Returns:
        Array `(n,)`.
    """
    facets = xp.take(constant(surface.facets, rows), nearest(surface, rows, xp), axis=0)
    return norm(_offsets(rows, facets, xp)[0], xp)


def signed_distance(surface, rows, xp):
    """Distances from points to a surface that has sides, negative inside; see `distance`."""
    return signed(surface, rows, nearest(surface, rows, xp), xp)


def signed(surface, rows, index, xp):
    """`signed_distance`, where the indices `(n,)` of the nearest facets are known."""
    facets = xp.take(constant(surface.facets, rows), index, axis=0)
    offsets, feature = _offsets(rows, facets, xp)
    table = constant(surface.pseudonormals.reshape(-1, surface.lower.shape[1]), rows)
    sides = xp.take(table, index * surface.pseudonormals.shape[1] + feature, axis=0)
    far = norm(offsets, xp)
    return xp.where(_dot(offsets, sides) < 0, -far, far)


def nearest(surface, rows, xp):
    """Indices `(n,)` of the nearest facets, in the order that the surface keeps them in."""
    return _nearest(surface, rows) if xp is np else _nearest_of_all(surface, rows, xp)


def within(surface, points, reach):
    """Which facets are within a reach of points, and no facet twice.

    Args:
        surface: a `Surface`.
        points: `(n, d)`.
        reach: `(n,)`.

    Returns:
        Numbers of points, ascending, and of facets, `(pairs,)` each.
    """
    count, found = _count(surface), [np.empty((2, 0), int)]
    step = max(1, CHUNK // len(surface.lower))
    for start in range(0, len(points), step):
        near, far = points[start : start + step], reach[start : start + step]
        point, number = _perhaps_within(surface, near, _gaps(surface, near), far)
        is_within = squares(near[point], surface.facets[number], np) <= far[point] ** 2
        pairs = np.stack([start + point, number])[:, is_within]
        found.append(pairs[:, pairs[1] < count])
    return np.concatenate(found, axis=1)


def _nearest(surface, rows):
    """Indices `(n,)` of the nearest facets, by numpy."""
    facets, blocks = constant(surface.facets, rows), len(surface.lower)
    if blocks <= FEW:
        step, search = IN_CACHE, _nearest_of_few
    else:
        step, search = max(1, CHUNK // blocks), _nearest_in_blocks
    points = np.nan_to_num(rows)  # what is not finite has no nearest facet
    starts = range(0, len(rows), step)
    found = [search(surface, facets, points[start : start + step]) for start in starts]
    return np.concatenate([np.zeros(0, int), *found])


def _nearest_of_few(surface, facets, points):
    """See `_nearest`: one facet after the other, or all together where points are few, too."""
    if len(points) * _count(surface) <= IN_CACHE:
        return np.argmin(squares(points[:, None], facets[: _count(surface)], np), axis=1)
    best = np.full(len(points), np.inf, points.dtype)
    index = np.zeros(len(points), int)
    for number in range(_count(surface)):
        far = squares(points, facets[number], np)
        closer = far < best
        best[closer], index[closer] = far[closer], number
    return index


def _count(surface):
    """How many facets there are; the others repeat the last one."""
    return 1 + int(np.argmax(surface.order == surface.order[-1]))


def _nearest_in_blocks(surface, facets, points):
    """See `_nearest`: what is farther away than a facet that is known is left out."""
    gaps, centres = _gaps(surface, points), constant(surface.balls[0], points)
    first, every = np.argmin(gaps, axis=1), np.arange(len(points))
    away = points[:, None] - centres.reshape(-1, BLOCK, points.shape[1])[first]
    guess = facets[first * BLOCK + np.argmin(_dot(away, away), axis=1)]
    slack = rounding(np.abs([surface.lower, surface.upper]).max(), points)
    reach = np.sqrt(squares(points, guess, np)) + slack
    gaps[every, first] = 0
    point, number = _perhaps_within(surface, points, gaps, reach)
    far = squares(points[point], facets[number], np)
    best = np.minimum.reduceat(far, np.searchsorted(point, every))
    pair = np.flatnonzero(far == best[point])
    return number[pair[np.unique(point[pair], return_index=True)[1]]]


def _perhaps_within(surface, points, gaps, reach):
    """Numbers of points, ascending, and of facets: all that are within a reach, and some more."""
    centres, radii = (constant(each, points) for each in surface.balls)
    point, block = np.nonzero(gaps <= reach[:, None] ** 2)
    away = points[point][:, None] - centres.reshape(-1, BLOCK, points.shape[1])[block]
    lowest = np.sqrt(_dot(away, away)) - radii.reshape(-1, BLOCK)[block]
    pair, place = np.nonzero(lowest <= reach[point][:, None])
    return point[pair], block[pair] * BLOCK + place


def _gaps(surface, points):
    """Squared distances `(n, blocks)` of points from the bounding boxes of blocks."""
    gaps = np.zeros((len(points), len(surface.lower)), points.dtype)
    for axis in range(points.shape[1]):
        x = points[:, axis, None]
        outside = np.maximum(surface.lower[:, axis] - x, x - surface.upper[:, axis])
        gaps += np.maximum(outside, 0) ** 2
    return gaps


def _nearest_of_all(surface, rows, xp):
    """Indices `(n,)` of the nearest facets, by the distances to all."""
    facets, best, index = constant(surface.facets, rows), None, None
    for start in range(0, len(facets), TOGETHER):
        far = squares(rows[:, None], facets[None, start : start + TOGETHER], xp)
        where, least = start + xp.argmin(far, axis=1), xp.min(far, axis=1)
        index = where if best is None else xp.where(least < best, where, index)
        best = least if best is None else xp.minimum(least, best)
    return index


def squares(points, facets, xp):
    """Squared distances of points `(..., d)` from facets `(..., k, d)`, as in `Surface`."""
    if facets.shape[-2] < 3:
        offsets, _ = _offsets(points, facets, xp)
        return _dot(offsets, offsets)
    least = None
    for edge in range(3):
        start = facets[..., edge, :]
        away, along = points - start, facets[..., (edge + 1) % 3, :] - start
        share = xp.clip(_dot(away, along) / _dot(along, along), 0.0, 1.0)
        offsets = away - share[..., None] * along
        square = _dot(offsets, offsets)
        least = square if least is None else xp.minimum(square, least)
    height, over = _above(points, facets, xp)
    return xp.where(over, height * height, least)


def _dot(a, b):
    """Scalar products over the last axis, which is too short for numpy's sums to be fast."""
    total = a[..., 0] * b[..., 0]
    for axis in range(1, b.shape[-1]):
        total = total + a[..., axis] * b[..., axis]
    return total


def _offsets(points, facets, xp):
    """Vectors from the nearest points of facets, and which feature of the facets has them.

    Args:
        points: `(..., d)`.
        facets: `(..., k, d)`, as in `Surface`.

    Returns:
        Offsets `(..., d)`, indices `(...)`.
    """
    if facets.shape[-2] == 1:
        return points - facets[..., 0, :], 0
    if facets.shape[-2] == 2:
        offsets, place = _from_segment(points, facets[..., 0, :], facets[..., 1, :], xp)
        return offsets, xp.where(place < 0, 1, xp.where(place > 0, 2, 0))
    offsets, least, feature = None, None, None
    for edge in range(3):
        start, end = facets[..., edge, :], facets[..., (edge + 1) % 3, :]
        more, place = _from_segment(points, start, end, xp)
        of_edge = xp.where(place < 0, 4 + edge, xp.where(place > 0, 4 + (edge + 1) % 3, 1 + edge))
        square = _dot(more, more)
        closer = True if least is None else square < least
        offsets = more if least is None else xp.where(closer[..., None], more, offsets)
        feature = of_edge if least is None else xp.where(closer, of_edge, feature)
        least = square if least is None else xp.minimum(square, least)
    height, over = _above(points, facets, xp)
    straight = height[..., None] * facets[..., 3, :]
    return xp.where(over[..., None], straight, offsets), xp.where(over, 0, feature)


def _above(points, facets, xp):
    """Signed distances from the planes of triangles, and which points are straight above them."""
    height = _dot(points - facets[..., 0, :], facets[..., 3, :])
    over = [_dot(points - facets[..., k, :], facets[..., 4 + k, :]) >= 0 for k in range(3)]
    return height, xp.logical_and(over[0], xp.logical_and(over[1], over[2]))


def _from_segment(points, start, end, xp):
    """Vectors from the nearest points of segments; -1, 0, 1 where that is start, between, end."""
    along = end - start
    share = _dot(points - start, along) / _dot(along, along)
    place = xp.where(share <= 0, -1, xp.where(share >= 1, 1, 0))
    return points - start - xp.clip(share, 0.0, 1.0)[..., None] * along, place


def _of_corners(vertices, indices, weighted):
    """Sums of the weighted normals `(m, 1 or k, d)` around each corner, `(m, k, d)`."""
    sums = np.zeros(vertices.shape)
    np.add.at(sums, indices, np.broadcast_to(weighted, (*indices.shape, vertices.shape[1])))
    return sums[indices]


def _of_edges(indices, sides):
    """Sums of the normals on both sides of each edge of triangles, `(m, 3, 3)`."""
    edges = np.sort(np.stack([indices, np.roll(indices, -1, axis=1)], axis=-1), axis=-1)
    _, number = np.unique(edges.reshape(-1, 2), axis=0, return_inverse=True)
    number = number.reshape(indices.shape)
    sums = np.zeros((number.max() + 1, 3))
    np.add.at(sums, number, np.broadcast_to(sides[:, None], (*indices.shape, 3)))
    return sums[number]


def _angles(edges):
    """Angles at the corners of triangles, `(m, 3)`, from their edges in succession."""
    before = -np.roll(edges, 1, axis=1)
    sine = np.linalg.norm(np.cross(edges, before), axis=-1)
    return np.arctan2(sine, np.sum(edges * before, axis=-1))


def _blocks(corners):
    """An order of facets `(m, k, d)`, of which each `BLOCK` are neighbours, and their corners.

    The last facet is repeated to fill the last block.
    """
    centres = corners.mean(axis=1)

    def split(order):
        if len(order) <= BLOCK:
            return [order]
        half = BLOCK * (-(-len(order) // BLOCK) // 2)
        axis = np.argmax(np.ptp(centres[order], axis=0))
        parts = np.argpartition(centres[order, axis], half)
        return split(order[parts[:half]]) + split(order[parts[half:]])

    order = np.concatenate(split(np.arange(len(corners))))
    order = np.concatenate([order, np.repeat(order[-1:], -len(order) % BLOCK)])
    return order, corners[order].reshape(len(order) // BLOCK, -1, corners.shape[-1])
