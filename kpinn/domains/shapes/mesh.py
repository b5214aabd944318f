"""Solids that are bounded by a closed triangle mesh."""

import dataclasses
import functools
import os

import numpy as np
import scipy  # not scipy.spatial, which is slow to load, and loads when it is first named

from kpinn.domains.complexes import closed_meshes, distances, simplices
from kpinn.domains.complexes.cells import Sided
from kpinn.domains.complexes.tetrahedra import tetrahedra
from kpinn.domains.complexes.vertices import column, named_axes, names_by_number
from kpinn.domains.domain import Domain
from kpinn.domains.integrating.integration import Measure
from kpinn.domains.patches import Patch, constant
from kpinn.domains.sampling import grid
from kpinn.domains.shapes.simplex import simplex_patch

HULL = 1e-12  # relative: volumes that are the same
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

    @functools.cached_property
    def is_convex(self):
        """Whether the convex hull of the vertices has no larger volume."""
        hull = scipy.spatial.ConvexHull(self.vertices)
        return bool(hull.volume <= self.measure() * (1 + HULL))

    def level(self, rows, xp):
        """The distance to the faces, negative inside."""
        return self._surface.level(rows, xp)

    def side(self, rows, xp):
        """See `Region.side`."""
        return self._surface.side(rows, xp)

    def patches(self):
        """One patch: tetrahedra, or small boxes that are inside or cut."""
        if self.tetrahedra is not None:
            return (simplex_patch(self.tetrahedra),)
        cells = self._cells()
        ends = simplices.cumulative(np.ones(len(cells.lower)))

        def place(unit, xp):
            index, first = simplices.pick(unit[:, 0], ends, xp)
            inside = xp.concatenate([first[:, None], unit[:, 1:]], axis=1)
            lower = xp.take(constant(cells.lower, unit), index, axis=0)
            return lower + constant(cells.widths, unit) * inside

        def refuse(unit, xp):
            raise ValueError(
                f"There is no quadrature for {self}, in which no tetrahedra were found. Estimate "
                "integrals by points: mesh.sample(n, 'halton', extras='w')."
            )

        measure = float(len(cells.lower) * np.prod(cells.widths))
        patch = Patch(numbers=3, place=place, measure=measure, keep=(InCells(self, cells),))
        return (dataclasses.replace(patch, smooth=dataclasses.replace(patch, place=refuse)),)

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
        rows, weights = simplices.quadrature(self.tetrahedra, n)
        return rows, None, weights

    def __repr__(self):
        return self.label

    @functools.cached_property
    def _surface(self):
        return Sided(distances.surface(self.vertices, self.faces))

    def _cells(self):
        """Boxes of a grid that cover the solid."""
        sides = self.upper - self.lower
        counts = np.maximum(1, np.ceil(CELLS * sides / sides.max())).astype(int)
        widths = sides / counts
        middles = grid(self.lower + widths / 2, self.upper - widths / 2, counts)
        levels, reach = self.level(middles, np), 0.501 * np.linalg.norm(widths)
        lower = middles[levels <= reach] - widths / 2
        return Cells(lower, widths, self.lower, (levels < -reach).reshape(counts))


@dataclasses.dataclass(frozen=True, eq=False)
class Cells:
    """Equal boxes that cover a solid.

    Args:
        lower: their lower corners, `(m, 3)`.
        widths: of each, `(3,)`.
        start: lower corner of the grid that they are of, `(3,)`.
        is_inside: which of all boxes of the grid lie in the solid, bools of its shape.
    """

    lower: np.ndarray
    widths: np.ndarray
    start: np.ndarray
    is_inside: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class InCells:
    """The condition to lie in a mesh; on the host it is known for boxes that are not cut."""

    mesh: Mesh
    cells: Cells

    def __call__(self, rows, normals, xp):
        if xp is not np:
            return self.mesh.side(rows, xp)
        cells, most = self.cells, np.array(self.cells.is_inside.shape) - 1
        place = np.clip((rows - cells.start) / cells.widths, 0, most).astype(int)
        values = np.full(len(rows), -1.0, rows.dtype)
        is_cut = ~cells.is_inside[tuple(place.T)]
        values[is_cut] = self.mesh.level(rows[is_cut], np)
        return values


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
