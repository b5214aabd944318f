"""Rings of a polygon that touch at single points, so that its inside still hangs together.

Touches are `{point: numbers}`: which rings have a point `(x, y)` in common.

References:
    OpenGIS Implementation Standard for Geographic information - Simple feature access - Part 1
    (2011), section 6.1.11, which says what a polygon is.
"""

import itertools

import numpy as np

from kpinn.domains.complexes.rings import in_sector, is_on, show


def check_touches(rings, touches, labels):
    """Raises `ValueError` where rings cross at a common point, or the inside falls apart.

    It is one piece if no way along rings and common points leads back to its beginning, but for
    the way itself: then these are a forest.

    Args:
        rings: arrays `(n_i, 2)`.
        touches: as above.
        labels: what each ring is called in errors.
    """
    together = {}  # of rings and points: what hangs together with each
    for point, numbers in touches.items():
        for i, j in itertools.combinations(numbers, 2):
            if _crosses(rings[i], rings[j], point):
                raise ValueError(
                    f"{labels[i]} meets another ring: it crosses {labels[j]} at {show(point)}. "
                    "Rings may touch at a point, each from one side."
                )
        joint = {point}
        for ring in numbers:
            if ring in joint:
                raise ValueError(
                    f"{' and '.join(labels[number] for number in numbers)} touch at {show(point)}, "
                    "and hang together elsewhere too, so that the inside of the polygon falls "
                    "apart. Make a polygon of each piece, and add them."
                )
            joint |= together.get(ring, {ring})
        together |= dict.fromkeys(joint, joint)


def layers(count, touches):
    """Numbers of rings in lists, in each of which none touches another."""
    found = []
    for ring in range(count):
        near = {other for numbers in touches.values() if ring in numbers for other in numbers}
        layer = next((layer for layer in found if near.isdisjoint(layer)), None)
        if layer is None:
            found.append([ring])
        else:
            layer.append(ring)
    return found


def with_vertex(ring, point):
    """A ring `(n, 2)` that has a point on it as a vertex, and the number of the vertex."""
    same = np.flatnonzero(np.all(ring == point, axis=1))
    if len(same):
        return ring, int(same[0])
    edge = int(np.flatnonzero(is_on(np.array(point), ring, np.roll(ring, -1, axis=0)))[0])
    return np.insert(ring, edge + 1, point, axis=0), edge + 1


def _crosses(ring, other, point):
    """Whether a ring is on both sides of another at a common point."""
    before, after = _neighbours(ring, point)
    here = np.array(point)
    first, second = (in_sector(before, here, after, end) for end in _neighbours(other, point))
    return bool(first != second)


def _neighbours(ring, point):
    """Where a ring comes from before a point on it, and where it goes to."""
    ring, here = with_vertex(ring, point)
    return ring[here - 1], ring[(here + 1) % len(ring)]
