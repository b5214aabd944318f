"""Simplices: triangles, tetrahedra, and what they are called in other dimensions."""

import dataclasses
import math

import numpy as np

from kpinn.domains.complexes import simplices
from kpinn.domains.complexes.vertices import vertices_by_name
from kpinn.domains.domain import Domain
from kpinn.domains.patches import Patch, constant, repeated


class Simplex(Domain):
    """A triangle, a tetrahedron, or a simplex in any number of dimensions.

    Its boundary has the parts `"facet 0"`, `"facet 1"` ...: facet `i` is that without vertex `i`.

    Args:
        **vertices: coordinates of the `d + 1` vertices: `x=[0, 1, 0], y=[0, 0, 1]`, or an array
            `(d + 1, d)` for a vector coordinate.

    Raises:
        ValueError: if the vertices are not usable, not `d + 1`, or lie in a plane.

    Example:
        >>> corner = Simplex(x=[0, 1, 0, 0], y=[0, 0, 1, 0], z=[0, 0, 0, 1])
        >>> corner.boundary("facet 0").sample(100)["n"][0]    # 1 / sqrt(3) each
    """

    is_convex = True

    def __init__(self, /, **vertices):
        frame, self.vertices = vertices_by_name("A Simplex", vertices, "x=[0, 1, 0], y=[0, 0, 1]")
        count, dims = self.vertices.shape
        if count != dims + 1:
            raise ValueError(
                f"A Simplex in {dims} dimensions has {dims + 1} vertices, got {count}."
            )
        super().__init__(frame, self.vertices.min(axis=0), self.vertices.max(axis=0))
        self._volume = float(simplices.measures(self.vertices[None])[0])
        smallest = np.finfo("float64").eps * np.prod(self.upper - self.lower)
        if self._volume <= smallest:
            raise ValueError(f"The vertices of {self} lie in a plane, so that it has no volume.")
        others = [np.delete(self.vertices, vertex, axis=0) for vertex in range(count)]
        self._facets = np.stack(others)
        normals = simplices.normals(self._facets)
        outside = np.sum(normals * (self._facets[:, 0] - self.vertices), axis=1, keepdims=True) > 0
        self._normals = np.where(outside, normals, -normals)

    def level(self, rows, xp):
        """The largest of the distances to the planes of the facets."""
        normals = constant(self._normals, rows)
        offsets = constant(np.sum(self._normals * self._facets[:, 0], axis=1), rows)
        return xp.max(xp.matmul(rows, normals.T) - offsets, axis=1)

    def patches(self):
        """One patch."""
        return (simplex_patch(self.vertices[None]),)

    def boundary_patches(self):
        """One patch for each facet."""
        return tuple(
            simplex_patch(facet[None], normal[None], tags=frozenset({f"facet {number}"}))
            for number, (facet, normal) in enumerate(zip(self._facets, self._normals, strict=True))
        )

    def __repr__(self):
        return f"Simplex({len(self.vertices)} vertices, {' '.join(self.coordinates)})"


def simplex_patch(corners, normals=None, tags=frozenset()):
    """The patch of a set of simplices.

    Args:
        corners: `(m, k + 1, d)`.
        normals: of each, `(m, d)`, or None.
        tags: names of the parts that it belongs to.

    Returns:
        A `Patch`, which knows on which axes all its points are equal.
    """
    sizes, dims = simplices.measures(corners), corners.shape[1] - 1
    ends = simplices.cumulative(sizes)

    def place(unit, xp):
        return simplices.place(corners, ends, unit, xp)

    def normal(unit, xp):
        if len(normals) == 1:
            return repeated(normals[0], unit, xp)
        index, _ = simplices.pick(unit[:, 0], ends, xp)
        return xp.take(constant(normals, unit), index, axis=0)

    flat = np.ptp(corners, axis=(0, 1)) == 0
    patch = Patch(
        numbers=dims,
        place=place if dims else lambda unit, xp: repeated(corners[0, 0], unit, xp),
        measure=float(np.sum(sizes)),
        normal=None if normals is None else normal,
        tags=tags,
        fixed={int(axis): float(corners[0, 0, axis]) for axis in np.flatnonzero(flat)},
        breaks={0: ends} if len(corners) > 1 else {},
    )
    return patch if dims < 2 else dataclasses.replace(patch, smooth=_smooth(patch, corners, ends))


def _smooth(patch, corners, ends):
    """The same set by a map of polynomials in each simplex."""

    def place(unit, xp):
        return simplices.place(corners, ends, unit, xp, simplices.collapsed)

    def density(unit, xp):
        _, first = simplices.pick(unit[:, 0], ends, xp)
        inside = xp.concatenate([first[:, None], unit[:, 1:]], axis=1)
        return simplices.collapsed_density(inside, xp)

    envelope = patch.measure * math.factorial(patch.numbers)
    return dataclasses.replace(patch, place=place, measure=envelope, density=density)
