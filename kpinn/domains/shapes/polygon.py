"""Polygons with holes, and their edges by number and by name."""

import functools
import math
from collections.abc import Mapping

import numpy as np

from kpinn.domains.complexes import distances, rings, simplices, touching, triangulation
from kpinn.domains.complexes.cells import Sided
from kpinn.domains.complexes.vertices import (
    check_dimensions,
    named_axes,
    names_by_number,
    vertices_by_name,
)
from kpinn.domains.domain import Domain
from kpinn.domains.integrating.integration import Measure
from kpinn.domains.shapes.simplex import simplex_patch

NUMBERED = 64  # most edges of a ring of which each is a part by its number
OUTER = "outer"
EXAMPLE = "Polygon(x=[0, 1, 0], y=[0, 0, 1])"


class Polygon(Domain):
    """A polygon in the plane, with holes, which may touch each other and the outside at points.

    Edge `i` goes from vertex `i` to the next one. Parts of the boundary are `"outer"` (the outer
    ring), each hole by its name, edges by the names that are given to them and, of rings with at
    most 64 edges, by number: `edge(3)` of the outer ring, `edge("hole 0 edge 3")` of others.

    Args:
        holes: list of dicts of vertices, `[{"x": [...], "y": [...]}]`, or a dict with their names;
            without one they are `"hole 0"`, `"hole 1"` ...
        edges: `{name: number, or several}` of edges of the outer ring.
        **vertices: coordinates of the outer ring, in either direction: `x=[...], y=[...]`, or one
            array `(n, 2)` for a vector coordinate. The first vertex may be the last again.

    Raises:
        ValueError: if rings are no boundary of a polygon in one piece; the message names the fault.

    Example:
        >>> plate = Polygon(x=[0, 2, 2, 1, 1, 0], y=[0, 0, 1, 1, 2, 2], edges={"inlet": 5})
        >>> plate.volume
        3.0
        >>> inlet = plate.edge("inlet").sample(100)           # with outward normals "n"
    """

    def __init__(self, /, *, holes=(), edges=None, **vertices):
        frame, outer = vertices_by_name("A Polygon", vertices, EXAMPLE)
        check_dimensions("A Polygon", frame, (2,))
        found = {OUTER: outer, **_named_holes(holes, frame)}
        labels = ["The polygon", *(f"Hole {name!r}" for name in list(found)[1:])]
        outer, *others = (
            rings.checked_ring(ring, label)
            for ring, label in zip(found.values(), labels, strict=True)
        )
        self._touches = rings.check_apart([outer, *others], labels)
        touching.check_touches([outer, *others], self._touches, labels)
        rings.check_holes([outer, *others], self._touches, labels)
        super().__init__(frame, outer.min(axis=0), outer.max(axis=0))
        self._rings = dict(zip(found, [outer, *others], strict=True))
        turns = rings.turns(outer)
        self.is_convex = not others and bool(np.all(turns >= 0) or np.all(turns <= 0))
        self.given_names = (*(holes if isinstance(holes, Mapping) else ()), *(edges or ()))
        self._names = names_by_number("edges", edges, len(outer), "edge", list(found))

    @classmethod
    def from_shapely(cls, polygon, coordinates="x y", edges=None):
        """A polygon of shapely, with its holes.

        Args:
            polygon: a `shapely.Polygon`.
            coordinates: the names of the two coordinates.
            edges: as of `Polygon`.

        Raises:
            TypeError, ValueError: if it is another geometry, or no valid one.

        Example:
            >>> disks = [shapely.Point(x, 0).buffer(1) for x in (0, 1)]
            >>> both = Polygon.from_shapely(shapely.union_all(disks))
        """
        kind = getattr(polygon, "geom_type", type(polygon).__name__)
        if kind != "Polygon":
            hint = "Make one of each of its .geoms, and add them." if "Multi" in kind else ""
            raise TypeError(f"from_shapely takes a shapely.Polygon, got a {kind}. {hint}".strip())
        frame = named_axes("A Polygon", coordinates, (2,))
        outer, *holes = (
            frame.points(np.asarray(ring.coords)[:, :2])
            for ring in (polygon.exterior, *polygon.interiors)
        )
        return cls(holes=holes, edges=edges, **outer)

    @functools.cached_property
    def triangles(self):
        """Triangles that make up the polygon, `(m, 3, 2)`."""
        outer, *holes = (
            ring[::-1] if (rings.area(ring) < 0) != bool(number) else ring
            for number, ring in enumerate(self._rings.values())
        )
        found = triangulation.triangulate([outer, *holes], self._touches)
        area = math.fsum(simplices.signed_volumes(found))
        if not math.isclose(area, self._area(), rel_tol=1e-9):
            raise ValueError(
                f"{self} has vertices that are too close for a triangulation: triangles with the "
                f"area {area}, of {self._area()}. Leave out vertices at nearly the same place."
            )
        return found

    def level(self, rows, xp):
        """The distance to the edges, negative inside."""
        return _level([surface.level for surface in self._surfaces], rows, xp)

    def side(self, rows, xp):
        """See `Region.side`."""
        return _level([surface.side for surface in self._surfaces], rows, xp)

    def level_beyond(self, axis):
        """The distance from the boundary of the polygon and its mirror image together."""
        both = []
        for edges in self._layers:
            edges = edges[np.any(edges[:, :, axis] != 0, axis=1)]
            image = edges[:, ::-1] * np.where(np.arange(2) == axis, -1, 1)
            both.append(_surface_of(np.concatenate([edges, image])).level)
        return lambda rows, xp: _level(both, rows, xp)

    def patches(self):
        """One patch, made of the triangles."""
        return (simplex_patch(self.triangles),)

    def boundary_patches(self):
        """A patch for each edge of short rings, and for what has the same names of long ones."""
        patches = []
        for ring, edges in self._edges.items():
            for tags, numbers in self._groups(ring, len(edges)):
                normals = simplices.normals(edges[numbers])
                patches.append(simplex_patch(edges[numbers], normals, frozenset(tags)))
        return tuple(patches)

    def edge(self, name):
        """An edge of the outer ring by its number or its name, or any other named edges.

        Raises:
            ValueError: if there is no such edge, or it has no number because the ring is long.
        """
        length = len(self._rings[OUTER])
        if isinstance(name, int) and NUMBERED < length and 0 <= name < length:
            raise ValueError(
                f"Rings of more than {NUMBERED} edges have no edges by number, and {self} has "
                f"{length}. Give it a name: Polygon(..., edges={{'inlet': {name}}})."
            )
        return super().edge(name)

    def measure(self):
        """The area, by the shoelace formula."""
        return Measure(self._area())

    def rule(self, n):
        """Gauss's rule in each triangle."""
        rows, weights = simplices.quadrature(self.triangles, n)
        return rows, None, weights

    def __repr__(self):
        holes = len(self._rings) - 1
        count = sum(map(len, self._rings.values()))
        also = f", {holes} hole{'s' if holes > 1 else ''}" if holes else ""
        return f"Polygon({count} vertices{also})"

    @functools.cached_property
    def _edges(self):
        """Edges `(n, 2, 2)` of each ring, numbered as given; the polygon is on their left."""
        edges = {}
        for name, ring in self._rings.items():
            edges[name] = np.stack([ring, np.roll(ring, -1, axis=0)], axis=1)
            if (rings.area(ring) < 0) != (name != OUTER):
                edges[name] = edges[name][:, ::-1]
        return edges

    @functools.cached_property
    def _layers(self):
        """Edges `(n, 2, 2)` of rings that have no point in common, in each array."""
        edges = list(self._edges.values())
        layers = touching.layers(len(edges), self._touches)
        return [np.concatenate([edges[number] for number in layer]) for layer in layers]

    @functools.cached_property
    def _surfaces(self):
        return [_surface_of(edges) for edges in self._layers]

    def _groups(self, ring, count):
        """Which edges of a ring are one patch, with the names that they have."""
        prefix = "" if ring == OUTER else f"{ring} "
        groups = {}
        for number in range(count):
            tags = {ring, *(self._names.get(number, ()) if ring == OUTER else ())}
            if count <= NUMBERED:
                tags.add(f"{prefix}edge {number}")
            groups.setdefault(frozenset(tags), []).append(number)
        return groups.items()

    def _area(self):
        outer, *holes = (abs(rings.area(ring)) for ring in self._rings.values())
        return outer - math.fsum(holes)


def _level(levels, rows, xp):
    """The largest of several levels: where rings touch, each knows its own sides alone."""
    return functools.reduce(xp.maximum, [level(rows, xp) for level in levels])


def _surface_of(edges):
    """The surface of edges `(m, 2, 2)`, with what is inside on their left."""
    vertices, indices = np.unique(edges.reshape(-1, 2), axis=0, return_inverse=True)
    return Sided(distances.surface(vertices, indices.reshape(-1, 2)))


def _named_holes(holes, frame):
    """Rings `{name: (n, 2)}` of holes that are given as a list or a dict."""
    is_one = isinstance(holes, Mapping) and set(holes) == set(frame.coordinates)
    if is_one or not isinstance(holes, Mapping | list | tuple):
        got = "one of them" if is_one else repr(holes)
        raise ValueError(
            "`holes` are a list of dicts of vertices, [{'x': [...], 'y': [...]}], or a dict of "
            f"them by name, got {got}."
        )
    if not isinstance(holes, Mapping):
        holes = {f"hole {number}": hole for number, hole in enumerate(holes)}
    found = {}
    for name, hole in holes.items():
        label = f"Hole {name!r}"
        if not isinstance(name, str) or name == OUTER:
            raise ValueError(f"A hole needs a name other than {OUTER!r}, got {name!r}.")
        own, found[name] = vertices_by_name(label, hole, "{'x': [...], 'y': [...]}")
        if own != frame:
            raise ValueError(
                f"{label} has the coordinates {own.coordinates}, and the polygon "
                f"{frame.coordinates}."
            )
    return found
