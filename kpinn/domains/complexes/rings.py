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


def in_sector(before, here, after, point):
    """Whether a point lies on the left of the way `before`, `here`, `after`, seen from `here`.

    Args:
        before, here, after, point: points `(..., 2)`.
    """
    into, out = turn(before, here, point) >= 0, turn(here, after, point) >= 0
    return np.where(turn(before, here, after) > 0, into & out, into | out)


def is_on(point, start, end):
    """Whether a point lies on edges.

    Args:
        point, start, end: points `(..., 2)`.
    """
    within = (np.minimum(start, end) <= point) & (point <= np.maximum(start, end))
    return np.all(within, axis=-1) & (turn(start, end, point) == 0)


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
    """Raises `ValueError` if rings meet themselves or each other in more than a point.

    Args:
        rings: arrays `(n_i, 2)`.
        labels: what each is called in errors.

    Returns:
        `{point: numbers}` of the points that several of them have in common.
    """
    starts = np.concatenate(rings)
    ends = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    sizes = [len(ring) for ring in rings]
    owner = np.repeat(np.arange(len(rings)), sizes)
    number = np.concatenate([np.arange(size) for size in sizes])
    following = np.concatenate([np.arange(k) + 1 for k in sizes]) % np.repeat(sizes, sizes)
    following += np.repeat(np.cumsum([0, *sizes[:-1]]), sizes)

    def told(edge):
        return f"edge {number[edge]}, from {show(starts[edge])} to {show(ends[edge])},"

    for i in _folded(starts, ends, following):
        raise ValueError(
            f"{labels[owner[i]]} goes back on itself at {show(ends[i])}: edge "
            f"{number[following[i]]} lies on edge {number[i]}. Leave out what encloses nothing."
        )
    touches = {}
    for i, j in _meeting(starts, ends, following):
        first, second = labels[owner[i]], labels[owner[j]]
        if owner[i] == owner[j]:
            raise ValueError(
                f"{first} intersects itself: its {told(i)} meets {told(j)} and edges may meet only "
                "where one follows the other. What a ring goes round that touches itself is a hole."
            )
        point = _common_point(starts[i], ends[i], starts[j], ends[j])
        if point is None:
            raise ValueError(
                f"{first} meets another ring: its {told(i)} meets {told(j)} of {second}, and two "
                "rings may have points in common, but no more."
            )
        touches.setdefault(point, set()).update((int(owner[i]), int(owner[j])))
    return {point: sorted(numbers) for point, numbers in touches.items()}


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


def check_holes(rings, touches, labels):
    """Raises `ValueError` for a hole that is outside the outer ring or inside another hole.

    Args:
        rings: the outer one and holes, which have at most a point in common.
        touches: from `check_apart`.
        labels: what each is called in errors.
    """

    def apart(number):
        """A vertex of each ring that is not on the one with a number."""
        found = np.array([ring[0] for ring in rings])
        for point, numbers in touches.items():
            for other in numbers if number in numbers else ():
                if np.array_equal(found[other], point):
                    found[other] = rings[other][1]
        return found

    for label, inside in zip(labels[1:], inside_ring(apart(0), rings[0])[1:], strict=True):
        if not inside:
            raise ValueError(f"{label} lies outside of the polygon.")
    for number in range(1, len(rings)):
        within = np.flatnonzero(inside_ring(apart(number), rings[number]))
        within = within[(within != number) & (within != 0)]
        if len(within):
            raise ValueError(f"{labels[within[0]]} lies inside of {labels[number]}. Leave it out.")


def show(point):
    """A point as it is written in errors."""
    return f"({', '.join(f'{value:.6g}' for value in point)})"


def _folded(starts, ends, following):
    """Edges on which the next one lies."""
    back = np.sum((ends - starts) * (ends - starts)[following], axis=1) < 0
    return np.flatnonzero(back & (turn(starts, ends, ends[following]) == 0))


def _meeting(starts, ends, following):
    """Pairs of edges with a common point, but for one and the next."""
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
        yield from zip(i[meet], j[meet], strict=True)


def _common_point(a, b, c, d):
    """The only common point of the edges `a b` and `c d`; None where they cross or overlap."""
    found = {tuple(point.tolist()) for point in (a, b) if is_on(point, c, d)}
    found |= {tuple(point.tolist()) for point in (c, d) if is_on(point, a, b)}
    return found.pop() if len(found) == 1 else None


def _separates(a, b, c, d):
    """Whether `c` and `d` are not on the same side of the line through `a` and `b`."""
    return np.sign(turn(a, b, c)) * np.sign(turn(a, b, d)) <= 0


def _chunks(counts):
    """Neighbouring indices with about `PAIRS` counts in each chunk."""
    group = np.cumsum(counts) // PAIRS
    return np.split(np.arange(len(counts)), np.flatnonzero(np.diff(group)) + 1)


def _some(ring):
    return ", ".join(show(point) for point in ring[:4]) + (", ..." if len(ring) > 4 else "")
