"""Nodes and simplices that cover a slice of a domain, whatever its shape.

The nodes are those of a lattice that lie inside, and points on the boundary, which are found where
finer edges of the lattice cross it. So slices of bodies and of moving domains are covered by the
same rule as shapes in the plane.
"""

import dataclasses

import numpy as np
import scipy  # not scipy.spatial, which is slow to load, and loads when it is first named

from kpinn.domains.complexes.simplices import measures
from kpinn.domains.integrating.lines import last
from kpinn.domains.sampling import tensor

FINE = 4  # edges near the boundary in place of one of the lattice
SMALL = 1e-5  # of a lattice step, over which levels are differentiated
TURNED = 0.3  # sine of an angle between tangents above which there may be a corner
ON_CORNER = 0.02  # of a fine step, within which the level of a corner is zero
APART = 0.2  # of a fine step, below which nodes are one
FLAT = 1e-4  # area of a triangle, in fine steps, below which it is none
PROBE = 49  # ticks of the lattice that tells where the slice lies in the bounding box


@dataclasses.dataclass(frozen=True)
class Covering:
    """Nodes `(n, k)`, and segments or triangles `(m, k + 1)` of them."""

    nodes: np.ndarray
    simplices: np.ndarray

    @property
    def weights(self):
        """Weights of the nodes `(n,)`, whose sum is the length or area."""
        shares = measures(self.nodes[self.simplices]) / self.simplices.shape[1]
        counted = np.repeat(shares, self.simplices.shape[1])
        return np.bincount(self.simplices.ravel(), counted, minlength=len(self.nodes))

    def outline(self):
        """The boundary of the triangles as one line, `(x, y)` with NaN between its loops."""
        sides = self.simplices[:, [[0, 1], [1, 2], [2, 0]]]  # scipy's triangles: counterclockwise
        edges = {tuple(edge) for edge in sides.reshape(-1, 2).tolist()}
        following = {}
        for start, end in edges:
            if (end, start) not in edges:
                following.setdefault(start, []).append(end)
        lines = []
        while following:
            loop = [next(iter(following))]
            while loop[-1] in following:
                ends = following[loop[-1]]
                if len(ends) == 1:
                    del following[loop[-1]]
                loop.append(ends.pop())
            lines += [self.nodes[loop], np.full((1, 2), np.nan)]
        return np.concatenate(lines).T


def bounds(plane):
    """Corners of the bounding box of a slice, `(k,)` each.

    That of a domain may be larger, as for a disk that moves.

    Raises:
        ValueError: if there is no point in the slice.
    """
    if plane.is_box:
        return plane.lower, plane.upper
    nodes, _ = _nodes(plane, even_ticks(plane.lower, plane.upper, [PROBE] * len(plane.lower)))
    if not len(nodes) or np.any(np.ptp(nodes, axis=0) == 0):
        raise ValueError(
            f"There is no point of {plane.describe()}, or nothing around it. Fix other values, "
            "within the bounds of the domain."
        )
    return nodes.min(axis=0), nodes.max(axis=0)


def cover(plane, ticks):
    """A `Covering` of a slice; None where it is all of the box of the lattice.

    Args:
        plane: `Slice`.
        ticks: of each axis, ascending.
    """
    if plane.is_box:
        return None
    nodes, is_full = _nodes(plane, ticks)
    if is_full:
        return None
    origin, steps = _origin(ticks)
    scaled = (nodes - origin) / steps
    if len(ticks) == 2:
        simplices = scipy.spatial.Delaunay(scaled).simplices
        simplices = simplices[measures(scaled[simplices]) > FLAT / FINE**2]
    else:  # segments between neighbours
        order = np.argsort(scaled[:, 0])
        simplices = np.stack([order[:-1], order[1:]], axis=1)
    simplices = simplices[plane.holds(nodes[simplices].mean(axis=1))]
    used, simplices = np.unique(simplices, return_inverse=True)
    return Covering(nodes[used], simplices.reshape(-1, len(ticks) + 1))


def even_ticks(lower, upper, counts):
    """Those of a lattice with so many nodes along each axis, ends included."""
    return [np.linspace(*each) for each in zip(lower, upper, counts, strict=True)]


def _nodes(plane, ticks):
    """All nodes, those on the boundary first; and whether the slice is all of the box."""
    lattice = np.stack(np.meshgrid(*ticks, indexing="ij"), axis=-1)
    inside = _inside(plane, lattice, _origin(ticks)[1])
    fine = _fine(plane, ticks, lattice)
    crossings, corners = _boundary(plane, fine, ticks)
    kept = lattice[inside]
    if inside.all() and not len(crossings):
        return kept, True
    halves = _halves(lattice, crossings, ticks)
    halves = halves[_inside(plane, halves, _origin(ticks)[1])]
    nodes = np.concatenate([corners, crossings, kept, halves])
    origin, steps = _origin(ticks)
    places = np.floor((nodes - origin) / steps * FINE / APART + 0.37)
    _, first = np.unique(places, axis=0, return_index=True)
    return nodes[np.sort(first)], False


def _inside(plane, nodes, steps):
    """Which nodes `(..., k)` lie in the slice, or on a boundary of it that has an inside.

    A closed difference has a lid: where boundaries of both coincide, its level is zero.
    """
    level, small = plane.level(nodes), SMALL * steps
    inside = level <= plane.rounding
    lid = inside & (level > -small.min() / 4)
    levels = [plane.level(nodes[lid] + small * way) for way in tensor([(-1, 1)] * len(steps))]
    inside[lid] = np.min(levels, axis=0) < -small.min() / 4
    return inside


def _fine(plane, ticks, lattice):
    """Fine lattices of the cells that may meet the boundary, `(m, FINE + 1, ..., k)`.

    The level is a distance near the boundary, so that no small hole between nodes is missed.
    """
    steps = _origin(ticks)[1]
    lower = lattice[(slice(None, -1),) * len(ticks)]
    near = np.abs(plane.level(lower + steps / 2)) <= np.linalg.norm(steps)
    return _split(lower[near], steps, FINE)


def _split(lower, steps, parts):
    """Finer lattices of cells with these lower corners `(m, k)`, `(m, parts + 1, ..., k)`."""
    k = len(steps)
    share = np.stack(np.meshgrid(*[np.arange(parts + 1) / parts] * k, indexing="ij"), axis=-1)
    return lower.reshape(-1, *[1] * k, k) + share * steps


def _halves(lattice, crossings, ticks):
    """Nodes with half of the steps in cells that the boundary crosses, and around these."""
    (origin, steps), k = _origin(ticks), len(ticks)
    lower = lattice[(slice(None, -1),) * k]
    most = np.array(lower.shape[:-1]) - 1
    cells = np.clip(np.floor((crossings - origin) / steps).astype(int), 0, most)
    around = cells + tensor([(-1, 0, 1)] * k)[:, None]
    marked = np.zeros(lower.shape[:-1], bool)
    marked[tuple(np.clip(around, 0, most).reshape(-1, k).T)] = True
    return _split(lower[marked], steps, 2).reshape(-1, k)


def _boundary(plane, fine, ticks):
    """Points where edges of fine lattices cross the boundary, and its corners."""
    k, steps = fine.shape[-1], _origin(ticks)[1]
    inside = _inside(plane, fine, steps)
    found, numbers = [np.empty((0, k))], []
    for axis in range(1, k + 1):
        ahead, behind = _shifted(axis, k, 1), _shifted(axis, k, 0)
        crossed = inside[ahead] != inside[behind]
        number = np.full(crossed.shape, -1)
        number[crossed] = np.arange(crossed.sum()) + sum(map(len, found))
        numbers.append(number)
        first, second, is_in = fine[behind][crossed], fine[ahead][crossed], inside[behind][crossed]
        ends = np.where(is_in[:, None], [first, second], [second, first])
        found.append(_bisected(plane, *ends, steps))
    crossings = np.concatenate(found)
    if k == 1 or not len(crossings):
        return crossings, crossings[:0]
    return crossings, _corners(plane, crossings, _neighbours(*numbers), ticks)


def _neighbours(first, second):
    """Pairs `(m, 2)` of crossings that are the only ones of a fine cell.

    Args:
        first, second: numbers of the crossings on edges along both axes, -1 where there is none.
    """
    around = [first[:, :, :-1], first[:, :, 1:], second[:, :-1], second[:, 1:]]
    around = np.stack(around, axis=-1)
    return np.sort(around[np.sum(around >= 0, axis=-1) == 2], axis=-1)[:, 2:]


def _shifted(axis, k, offset):
    """The index of all nodes but the last (`offset` 0) or first (1) along an axis."""
    index = [slice(None)] * (k + 2)
    index[axis] = slice(offset, None if offset else -1)
    return tuple(index[:-1])


def _bisected(plane, inside, outside, steps):
    """The last points inside on the ways from points inside to points outside, `(n, k)`."""
    on_lid = plane.holds(outside)

    def holds(nodes):
        found = plane.holds(nodes)
        found[on_lid] = _inside(plane, nodes[on_lid], steps)
        return found

    return last(holds, inside, outside)


def _corners(plane, crossings, pairs, ticks):
    """Where the tangents at two neighbouring crossings meet, if that is on the boundary."""
    _, steps = _origin(ticks)
    normals = _gradients(plane, crossings, steps)
    a, b = normals[pairs[:, 0]], normals[pairs[:, 1]]
    p, q = crossings[pairs[:, 0]] / steps, crossings[pairs[:, 1]] / steps
    sine = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    turned = np.abs(sine) > TURNED
    a, b, p, q = a[turned], b[turned], p[turned], q[turned]
    matrix = np.stack([a, b], axis=1)
    right = np.stack([np.sum(a * p, axis=1), np.sum(b * q, axis=1)], axis=1)
    corners = np.linalg.solve(matrix, right[..., None])[..., 0]
    near = np.max(np.abs(corners - (p + q) / 2), axis=1) <= 2 / FINE
    corners = corners[near] * steps
    return corners[np.abs(plane.level(corners)) <= ON_CORNER * steps.min() / FINE]


def _gradients(plane, nodes, steps):
    """Unit gradients of the level in steps of the lattice, `(n, 2)`."""
    shifts = SMALL * steps * np.eye(2)[:, None]
    values = plane.level(nodes + shifts) - plane.level(nodes - shifts)
    size = np.linalg.norm(values, axis=0)
    return (values / np.where(size == 0, 1.0, size)).T


def _origin(ticks):
    """The first node `(k,)` and the steps `(k,)` of a lattice."""
    return np.array([each[0] for each in ticks]), np.array([each[1] - each[0] for each in ticks])
