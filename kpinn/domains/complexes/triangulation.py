"""Triangles of a polygon with holes: holes are joined to the outer ring, then ears are cut off.

References:
    G. H. Meisters, Polygons have ears, American Mathematical Monthly 82, 1975.
    D. Eberly, Triangulation by ear clipping, Geometric Tools, 2002.
"""

import numpy as np

from kpinn.domains.complexes.rings import in_sector, turn, turns
from kpinn.domains.complexes.touching import with_vertex

REFRESH = 64  # ears, after which the list of vertices that may lie in one is made anew


def triangulate(rings, touches):
    """Triangles that cover a polygon, and nothing twice.

    Args:
        rings: arrays `(n_i, 2)` of vertices: the outer ring counterclockwise, holes clockwise,
            none closed, none of which meets itself.
        touches: `{point: numbers}` of points that several of them have in common.

    Returns:
        Array `(m, 3, 2)`, counterclockwise. A vertex on the straight line between its neighbours
        may lie inside a side of a triangle.
    """
    ring, *holes = _united(rings, touches)
    for hole in sorted(holes, key=lambda hole: -hole[:, 0].max()):
        ring = _join(ring, hole)
    return ring[_ears(ring)]


def _united(rings, touches):
    """Rings of which those that touch have become one, which passes through the point again."""
    found, owner = dict(enumerate(rings)), list(range(len(rings)))
    for point, numbers in touches.items():
        into, *others = sorted(owner[number] for number in numbers)
        for out in others:
            ring, end = with_vertex(found[into], point)
            other, start = with_vertex(found.pop(out), point)
            there = np.roll(other, -start, axis=0)
            end = _facing(ring, end, there[1])
            found[into] = np.concatenate([ring[:end], there, ring[end:]])
            owner = [into if each == out else each for each in owner]
    return list(found.values())


def _join(ring, hole):
    """One ring of two, by a bridge there and back from the rightmost vertex of the hole."""
    start = np.argmax(hole[:, 0])
    end = _visible(ring, hole[start])
    there = np.roll(hole, -_facing(hole, start, ring[end]), axis=0)
    return np.concatenate([ring[: end + 1], there, there[:1], ring[end:]])


def _visible(ring, point):
    """A vertex of a counterclockwise ring around a point which the point sees (Eberly, part 5)."""
    after = np.roll(ring, -1, axis=0)
    x, y = point
    # The ray to the right leaves the polygon where an edge goes up.
    up = np.flatnonzero((ring[:, 1] <= y) & (after[:, 1] > y))
    share = (y - ring[up, 1]) / (after[up, 1] - ring[up, 1])
    hits = ring[up, 0] + share * (after[up, 0] - ring[up, 0])
    hits = np.where(turn(ring[up], after[up], point) >= 0, hits, np.inf)
    edge, hit = up[np.argmin(hits)], np.array([hits.min(), y])
    end = max(edge, (edge + 1) % len(ring), key=lambda index: ring[index, 0])
    # A reflex vertex in the triangle of point, hit and end hides the end.
    corners = [point, hit, ring[end]] if ring[end, 1] >= y else [point, ring[end], hit]
    between = (ring[:, 0] > x) & (ring[:, 0] <= ring[end, 0]) & np.any(ring != ring[end], axis=1)
    hides = np.flatnonzero(between & (turns(ring) < 0) & _within(corners, ring))
    if len(hides):
        across, along = np.abs(ring[hides, 1] - y), ring[hides, 0] - x
        end = hides[np.lexsort([along, across / along])[0]]
    return _facing(ring, end, point)


def _facing(ring, index, point):
    """Of the vertices at one place, where other bridges end, the one whose angle has the point."""
    here = ring[index]
    same = np.flatnonzero(np.all(ring == here, axis=1))
    before, after = ring[same - 1], ring[(same + 1) % len(ring)]
    return same[np.argmax(in_sector(before, here, after, point))]


def _ears(ring):
    """Indices `(m, 3)` of the triangles that clipping ears gives."""
    count = len(ring)
    before, after = (np.arange(count) - 1) % count, (np.arange(count) + 1) % count
    bends = turns(ring)
    blockers = np.argsort(ring[:, 0])  # so that those near a triangle are neighbours in the list
    blockers, triangles, tip = blockers[bends[blockers] < 0], [], 0
    for left in range(count, 2, -1):
        for _ in range(left):  # after a round without an ear, which rounding may bring: any vertex
            corners = [before[tip], tip, after[tip]]
            if bends[tip] == 0 or (bends[tip] > 0 and _is_ear(ring, bends, corners, blockers)):
                break
            tip = after[tip]
        first, last = before[tip], after[tip]
        if bends[tip] > 0:
            triangles.append([first, tip, last])
        after[first], before[last], bends[tip] = last, first, 0.0
        for end in (first, last):
            bends[end] = turn(ring[before[end]], ring[end], ring[after[end]])
        if left % REFRESH == 0:
            blockers = blockers[bends[blockers] < 0]
        tip = after[last]  # not the next one, which would make fans
    return np.array(triangles)


def _is_ear(ring, bends, corners, blockers):
    """Whether no reflex vertex lies in a triangle, but for those at the places of its corners.

    Some of the blockers are reflex no more, or cut off: their bend tells.
    """
    triangle = ring[corners]
    first = np.searchsorted(ring[blockers, 0], triangle[:, 0].min(), side="left")
    last = np.searchsorted(ring[blockers, 0], triangle[:, 0].max(), side="right")
    others = blockers[first:last]
    others = ring[others[bends[others] < 0]]
    others = others[_within(triangle, others)]
    return not len(others) or bool(np.all(np.any(np.all(others[:, None] == triangle, 2), 1)))


def _within(triangle, points):
    """Which points lie in a closed triangle that is counterclockwise."""
    a, b, c = triangle
    return (turn(a, b, points) >= 0) & (turn(b, c, points) >= 0) & (turn(c, a, points) >= 0)
