"""Rings of vertices in the plane: what makes them the boundary of a polygon, and what does not."""

import numpy as np

PAIRS = 2**20  # of edges, which are compared at once


def turn(a, b, c):
    """Twice the area of the triangles `a b c`: positive for a turn to the left.

    Args:
        a, b, c: points `(..., 2)`.
    """
    first, second = b - a, c - a
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]


def turns(ring):
    """`turn` at each vertex of a ring, `(n,)`: positive where the ring turns to the left."""
    return turn(np.roll(ring, 1, axis=0), ring, np.roll(ring, -1, axis=0))


def area(ring):
    """The area that a ring encloses, positive if it runs counterclockwise (the shoelace formula).

    Args:
        ring: vertices `(n, 2)`.
    """
    local = ring - ring[0]
    return float(np.sum(turn(np.zeros(2), local, np.roll(local, -1, axis=0)))) / 2


def checked_ring(vertices, label):
    """A ring without its closing vertex.

    Args:
        vertices: `(n, 2)`; the last may be the first again.
        label: what the ring is called in errors.

    Returns:
        Vertices `(n', 2)`.

    Raises:
        ValueError: for fewer than three vertices, one that follows itself, and for no area.
    """
    closed = len(vertices) > 1 and np.array_equal(vertices[0], vertices[-1])
    ring = vertices[:-1] if closed else vertices
    if len(ring) < 3:
        raise ValueError(f"{label} has {len(ring)} vertices, of which it needs at least 3.")
    same = np.flatnonzero(np.all(ring == np.roll(ring, -1, axis=0), axis=1))
    if len(same):
        raise ValueError(
            f"{label} has the vertex {show(ring[same[0]])} twice in succession, at {same[0]} and "
            f"{(same[0] + 1) % len(ring)}. Leave one out."
        )
    if area(ring) == 0 and np.all(turn(ring[0], ring[1], ring) == 0):
        raise ValueError(f"{label} encloses no area: {_some(ring)} lie on a line.")
    return ring


def check_apart(rings, labels):
    """Raises `ValueError` if rings meet themselves or each other, and says where.

    Args:
        rings: arrays `(n_i, 2)`.
        labels: what each is called in errors.
    """
    starts = np.concatenate(rings)
    ends = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    sizes = [len(ring) for ring in rings]
    owner = np.repeat(np.arange(len(rings)), sizes)
    number = np.concatenate([np.arange(size) for size in sizes])
    following = np.concatenate([np.arange(k) + 1 for k in sizes]) % np.repeat(sizes, sizes)
    following += np.repeat(np.cumsum([0, *sizes[:-1]]), sizes)
    back = np.sum((ends - starts) * (ends - starts)[following], axis=1) < 0
    folded = np.flatnonzero(back & (turn(starts, ends, ends[following]) == 0))
    if len(folded):
        i = folded[0]
        raise ValueError(
            f"{labels[owner[i]]} goes back on itself at {show(ends[i])}: edge "
            f"{number[following[i]]} lies on edge {number[i]}. Leave out what encloses nothing."
        )
    for i, j in _meeting(starts, ends, following):
        first, second = labels[owner[i]], labels[owner[j]]
        raise ValueError(
            f"{first} {'intersects itself' if owner[i] == owner[j] else 'meets another ring'}: its "
            f"edge {number[i]}, from {show(starts[i])} to {show(ends[i])}, meets edge {number[j]}"
            f"{'' if owner[i] == owner[j] else f' of {second}'}, from {show(starts[j])} to "
            f"{show(ends[j])}. Edges may meet only where one follows the other."
        )


def inside_ring(points, ring):
    """Which points a ring goes round, by the number of edges that a ray from them crosses.

    Args:
        points: `(n, 2)`.
        ring: vertices `(m, 2)`, none of which is one of the points.

    Returns:
        Bools `(n,)`.
    """
    start, end, points = ring, np.roll(ring, -1, axis=0), points[:, None]
    spans = (start[:, 1] <= points[..., 1]) != (end[:, 1] <= points[..., 1])
    upward = end[:, 1] > start[:, 1]
    right = (turn(start, end, points) > 0) == upward
    return np.sum(spans & right, axis=1) % 2 == 1


def check_holes(outer, holes, labels):
    """Raises `ValueError` for a hole that is outside the outer ring or inside another hole.

    Args:
        outer, holes: rings, apart from each other.
        labels: what each of the holes is called in errors.
    """
    firsts = np.array([hole[0] for hole in holes]).reshape(-1, 2)
    for label, inside in zip(labels, inside_ring(firsts, outer), strict=True):
        if not inside:
            raise ValueError(f"{label} lies outside of the polygon.")
    for number, hole in enumerate(holes):
        others = np.delete(np.arange(len(holes)), number)
        within = others[inside_ring(firsts[others], hole)]
        if len(within):
            raise ValueError(f"{labels[within[0]]} lies inside of {labels[number]}. Leave it out.")


def show(point):
    """A point as it is written in errors."""
    return f"({', '.join(f'{value:.6g}' for value in point)})"


def _meeting(starts, ends, following):
    """The first pair of edges with a common point, but for one and the next; as a list."""
    left, right = np.minimum(starts, ends), np.maximum(starts, ends)
    order = np.argsort(left[:, 0], kind="stable")
    # Of the edges in order of their left ends: which follow before the right end is passed.
    last = np.searchsorted(left[order, 0], right[order, 0], side="right")
    counts = last - np.arange(len(order)) - 1
    for chunk in _chunks(counts):
        first = np.repeat(chunk, counts[chunk])
        offset = np.arange(len(first)) - np.repeat(
            np.cumsum(counts[chunk]) - counts[chunk], counts[chunk]
        )
        i, j = order[first], order[first + 1 + offset]
        near = (left[i, 1] <= right[j, 1]) & (left[j, 1] <= right[i, 1])
        near &= (following[i] != j) & (following[j] != i)
        i, j = i[near], j[near]
        meet = _separates(starts[i], ends[i], starts[j], ends[j])
        meet &= _separates(starts[j], ends[j], starts[i], ends[i])
        if meet.any():
            return [(i[meet][0], j[meet][0])]
    return []


def _separates(a, b, c, d):
    """Whether `c` and `d` are not on the same side of the line through `a` and `b`."""
    return np.sign(turn(a, b, c)) * np.sign(turn(a, b, d)) <= 0


def _chunks(counts):
    """Neighbouring indices with about `PAIRS` counts in each chunk."""
    group = np.cumsum(counts) // PAIRS
    return np.split(np.arange(len(counts)), np.flatnonzero(np.diff(group)) + 1)


def _some(ring):
    return ", ".join(show(point) for point in ring[:4]) + (", ..." if len(ring) > 4 else "")
