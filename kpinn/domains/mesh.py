"""Solids that are bounded by a closed triangle mesh."""

import functools
import os

import numpy as np

from kpinn.domains import closed_meshes, distances, simplices
from kpinn.domains.domain import Domain
from kpinn.domains.integration import Measure
from kpinn.domains.patches import Patch, constant
from kpinn.domains.sampling import grid
from kpinn.domains.simplex import simplex_patch
from kpinn.domains.tetrahedra import tetrahedra
from kpinn.domains.vertices import column, named_axes, names_by_number

CELLS = 32  # along the longest side of the bounding box, where there are no tetrahedra


class Mesh(Domain):
    """The inside of a closed triangle mesh.

    Points of the inside are drawn from tetrahedra: with a corner that sees the whole surface, or
    else those of Delaunay, where they have the faces of the mesh; where neither is possible, by
    rejection from small boxes. Areas and volumes are those of the mesh to rounding.

    Args:
        source: path of a file that trimesh reads (STL, OBJ, PLY ...), a `trimesh.Trimesh`, or
            vertices `(v, 3)`.
        faces: with vertices, the indices of the corners of triangles, `(m, 3)`. All run around
            the solid the same way.
        coordinates: names of the three coordinates, or `"x[3]"` for a vector coordinate.
        parts: `{name: face number, or several}`; names for parts of the boundary.

    Raises:
        ImportError: for a path, if trimesh is not installed.
        ValueError: if the mesh is open, not oriented, or otherwise bounds nothing. That it
            intersects itself is not found.

    Example:
        >>> bracket = Mesh("bracket.stl")
        >>> bracket.volume, bracket.boundary().area
        >>> bottom = bracket.boundary().where(lambda n: n[:, 2] < -0.99)
    """

    def __init__(self, source, faces=None, coordinates="x y z", parts=None):
        frame = named_axes("A Mesh", coordinates, (3,))
        vertices, faces = _read(source, faces)
        self.label = f"Mesh({len(faces)} faces)"
        self.vertices, self.faces = closed_meshes.closed_mesh(vertices, faces, self.label)
        self._names = names_by_number("parts", parts, len(faces), "face")
        self.given_names = tuple(parts or ())
        super().__init__(frame, self.vertices.min(axis=0), self.vertices.max(axis=0))

    @functools.cached_property
    def tetrahedra(self):
        """Tetrahedra that fill the mesh, `(m, 4, 3)`, or None where none are found."""
        return tetrahedra(self.vertices, self.faces, lambda rows: self.level(rows, np))

    def level(self, rows, xp):
        """The distance to the faces, negative inside."""
        return distances.signed_distance(self._surface, rows, xp)

    def patches(self):
        """One patch: tetrahedra, or small boxes that are inside or cut."""
        if self.tetrahedra is not None:
            return (simplex_patch(self.tetrahedra),)
        corners, widths = self._cells()
        ends = simplices.cumulative(np.ones(len(corners)))

        def place(unit, xp):
            index, first = simplices.pick(unit[:, 0], ends, xp)
            inside = xp.concatenate([first[:, None], unit[:, 1:]], axis=1)
            return xp.take(constant(corners, unit), index, axis=0) + constant(widths, unit) * inside

        measure = float(len(corners) * np.prod(widths))
        keep = (lambda rows, normals, xp: self.level(rows, xp),)
        return (Patch(numbers=3, place=place, measure=measure, keep=keep),)

    def boundary_patches(self):
        """A patch of all faces, or one for each of the sets with names and for what is left."""
        groups = {}
        for face in range(len(self.faces)):
            groups.setdefault(frozenset(self._names.get(face, ())), []).append(face)
        corners = self.vertices[self.faces]
        normals = simplices.normals(corners)
        return tuple(simplex_patch(corners[k], normals[k], tags) for tags, k in groups.items())

    def measure(self):
        """The volume, by the flux through the faces."""
        return Measure(closed_meshes.volume(self.vertices[self.faces]))

    def rule(self, n):
        """Gauss's rule in each tetrahedron."""
        if self.tetrahedra is None:
            return super().rule(n)
        return simplices.quadrature(self.tetrahedra, n)

    def __repr__(self):
        return self.label

    @functools.cached_property
    def _surface(self):
        return distances.surface(self.vertices, self.faces)

    def _cells(self):
        """Lower corners `(m, 3)` and widths `(3,)` of boxes that cover the solid."""
        sides = self.upper - self.lower
        counts = np.maximum(1, np.ceil(CELLS * sides / sides.max())).astype(int)
        widths = sides / counts
        middles = grid(self.lower + widths / 2, self.upper - widths / 2, counts)
        near = self.level(middles, np) <= np.linalg.norm(widths) / 2
        return middles[near] - widths / 2, widths


def _read(source, faces):
    """Vertices `(v, 3)` and faces `(m, 3)` of a path, a mesh of trimesh, or arrays."""
    if isinstance(source, str | os.PathLike):
        source = _loaded(source)
    if hasattr(source, "vertices") and hasattr(source, "faces"):
        source, faces = source.vertices, source.faces
    if faces is None:
        raise ValueError("A Mesh of vertices needs `faces`, as in Mesh(vertices, faces).")
    vertices = column("The vertices of a Mesh", source)
    corners = np.asarray(faces)
    if vertices.shape[1] != 3 or corners.ndim != 2 or corners.shape[1] != 3:
        raise ValueError(
            "A Mesh has vertices (v, 3) and triangles (m, 3), got "
            f"{np.shape(source)} and {corners.shape}."
        )
    if corners.dtype.kind not in "iu":
        raise ValueError(f"The faces of a Mesh are ints, got {corners.dtype}.")
    return vertices, corners.astype(int)


def _loaded(path):
    """The mesh of a file, by trimesh."""
    try:
        import trimesh
    except ImportError as error:
        raise ImportError(
            "Reading a mesh needs trimesh: pip install kpinn[geometry]. Or pass arrays, "
            "Mesh(vertices, faces)."
        ) from error
    if not os.path.isfile(path):
        raise ValueError(f"There is no file {os.fspath(path)!r} for a Mesh.")
    return trimesh.load_mesh(os.fspath(path))
