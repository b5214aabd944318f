"""Curves in the plane or in space: through vertices, or given by a function."""

import functools

import numpy as np

from kpinn.domains.complexes import distances, simplices
from kpinn.domains.complexes.arc_length import by_arc_length
from kpinn.domains.complexes.vertices import named_axes, vertices_by_name
from kpinn.domains.domain import Domain
from kpinn.domains.frames import show
from kpinn.domains.patches import Patch, constant, norm, repeated
from kpinn.domains.sampling import count
from kpinn.domains.shapes.polygon import Polygon
from kpinn.domains.shapes.simplex import simplex_patch
from kpinn.options import function as check_function
from kpinn.options import number
from kpinn.options.arrays import real_array

NEAREST = 4  # steps of Newton to the nearest point of a curve
FLATTEST = 0.1  # smallest slope that is trusted; it is zero where the curve bends around a point
SEEDS = 32  # points of each piece of a curve, where these start
CLOSED = 1e-12  # relative distance of the ends of a closed curve


class Polyline(Domain):
    """A line through vertices, in any number of dimensions; closed if the last is the first again.

    In the plane its points have normals, to the right of its direction: outward if it is closed and
    runs counterclockwise. The boundary are its ends, `"start"` and `"end"`, with the directions in
    which it leaves; a closed one has none.

    Args:
        **vertices: `x=[...], y=[...]`, or an array `(n, d)` for a vector coordinate.

    Raises:
        ValueError: if the vertices are not usable, fewer than two, or one follows itself.

    Example:
        >>> crack = Polyline(x=[0, 0.5, 0.6], y=[0, 0.1, 0.5])
        >>> crack.sample(100)["n"].shape
        (100, 2)
    """

    is_surface = True

    def __init__(self, /, **vertices):
        frame, self.vertices = vertices_by_name("A Polyline", vertices, "x=[0, 1], y=[0, 1]")
        if len(self.vertices) < 2:
            raise ValueError(f"A Polyline has at least 2 vertices, got {len(self.vertices)}.")
        self._segments = np.stack([self.vertices[:-1], self.vertices[1:]], axis=1)
        rest = np.flatnonzero(np.all(self._segments[:, 0] == self._segments[:, 1], axis=1))
        if len(rest):
            raise ValueError(
                f"The Polyline has the same vertex twice, at {rest[0]} and {rest[0] + 1}."
            )
        super().__init__(frame, self.vertices.min(axis=0), self.vertices.max(axis=0))

    def level(self, rows, xp):
        """The distance to the line."""
        return distances.distance(self._surface, rows, xp)

    def patches(self):
        """One patch."""
        return (simplex_patch(self._segments, self._normals()),)

    def boundary_patches(self):
        """Both ends of an open line."""
        if np.array_equal(self.vertices[0], self.vertices[-1]):
            return ()
        first, last = self._segments[0, ::-1], self._segments[-1]
        directions = [(b - a) / np.linalg.norm(b - a) for a, b in (first, last)]
        return _ends([first[1], last[1]], directions)

    def rule(self, n):
        """Gauss's rule on each segment."""
        rows, weights = simplices.quadrature(self._segments, n)
        normals, nodes = self._normals(), len(rows) // len(self._segments)
        return rows, None if normals is None else np.repeat(normals, nodes, axis=0), weights

    def __repr__(self):
        return f"Polyline({len(self.vertices)} vertices)"

    @functools.cached_property
    def _surface(self):
        return distances.without_sides(self._segments)

    def _normals(self):
        """Of each segment, `(segments, 2)`; None outside of the plane."""
        return simplices.normals(self._segments) if self.frame.width == 2 else None


class Curve(Domain):
    """A curve given by a function, with points that are uniform in its length.

    Its normals and ends are as those of a `Polyline`.

    Args:
        function: from an array `(n,)` to as many arrays `(n,)`, or numbers, as there are axes;
            smooth but for a few kinks.
        span: first and last value of its argument.
        coordinates: names of the axes, `"x y"`, or `"x[2]"` for a vector coordinate.

    Raises:
        TypeError, ValueError: if the function is not such a one.

    Example:
        >>> circle = Curve(lambda s: (np.cos(s), np.sin(s)), (0, 2 * np.pi))
        >>> circle.sample(100)["n"][0]                        # outward, as it is counterclockwise
        >>> helix = Curve(lambda s: (np.cos(s), np.sin(s), s), (0, 9), "x y z")
    """

    is_surface = True

    def __init__(self, function, span=(0.0, 1.0), coordinates="x y"):
        check_function("The function of a Curve", function, "lambda s: (np.cos(s), np.sin(s))")
        start, end = (number("A value of `span`", value) for value in span)
        if not start < end:
            raise ValueError(f"`span` is (first, last) with first < last, got {span}.")
        frame = named_axes("A Curve", coordinates, range(1, 100))
        self.arcs = by_arc_length(_checked(function, frame.width), start, end)
        super().__init__(frame, *self.arcs.bounds())
        seeds = np.linspace(0, 1, 1 + SEEDS * len(self.arcs.lengths))
        self._seeds = distances.without_sides(self.arcs.place(seeds, np)[:, None])
        self._shares = seeds[self._seeds.order]
        ends = self.arcs.place(np.array([0.0, 1.0]), np)
        self.is_closed = bool(np.ptp(ends, axis=0).max() <= CLOSED * self.arcs.length)

    def level(self, rows, xp):
        """The distance to the curve, from the nearest of a table of points by Newton's method."""
        index = distances.nearest(self._seeds, rows, xp)
        share = xp.take(constant(self._shares, rows), index, axis=0)
        first = rows - self.arcs.place(share, xp)
        for _ in range(NEAREST):
            offset = rows - self.arcs.place(share, xp)
            along = xp.sum(offset * self.arcs.tangent(share, xp), axis=1) / self.arcs.length
            slope = 1 - xp.sum(offset * self.arcs.bend(share, xp), axis=1)
            share = share + along / xp.maximum(slope, FLATTEST)
            share = share - xp.floor(share) if self.is_closed else xp.clip(share, 0.0, 1.0)
        last = rows - self.arcs.place(share, xp)
        return xp.minimum(norm(first, xp), norm(last, xp))

    def patches(self):
        """One patch; its number is the share of the length."""
        return (
            Patch(
                numbers=1,
                place=lambda unit, xp: self.arcs.place(unit[:, 0], xp),
                measure=self.arcs.length,
                normal=self._normal if self.frame.width == 2 else None,
            ),
        )

    def boundary_patches(self):
        """Both ends of an open curve."""
        if self.is_closed:
            return ()
        ends = np.array([0.0, 1.0])
        directions = self.arcs.tangent(ends, np) * [[-1.0], [1.0]]
        return _ends(self.arcs.place(ends, np), directions)

    def rule(self, n):
        """Gauss's rule on each piece in which the curve is smooth."""
        ends = np.array([0.0, *simplices.cumulative(self.arcs.lengths)])
        pieces = np.stack([ends[:-1], ends[1:]], axis=1)[:, :, None]
        shares, weights = simplices.quadrature(pieces, n)
        normals = self._normal(shares, np) if self.frame.width == 2 else None
        return self.arcs.place(shares[:, 0], np), normals, weights * self.arcs.length

    def polygon(self, n, edges=None):
        """The polygon inside a closed curve in the plane, with vertices at equal distances on it.

        Args:
            n: number of vertices; the area has an error of the order of `1 / n**2`.
            edges: as of `Polygon`.

        Raises:
            ValueError: if the curve is open, or not in the plane, or meets itself.

        Example:
            >>> disk = circle.polygon(100)
        """
        if not self.is_closed:
            raise ValueError(f"{self} is open, so that it bounds nothing.")
        shares = np.arange(count(n, smallest=3)) / n
        return Polygon(edges=edges, **self.frame.points(self.arcs.place(shares, np)))

    def __repr__(self):
        kind = "closed" if self.is_closed else "open"
        return f"Curve({' '.join(self.coordinates)}, {kind}, length {self.arcs.length:.6g})"

    def _normal(self, unit, xp):
        """To the right of the direction, `(n, 2)`, at shares of the length `(n, 1)`."""
        along = self.arcs.tangent(unit[:, 0], xp)
        return xp.stack([along[:, 1], -along[:, 0]], axis=1)


def _ends(points, directions):
    """The patches of both ends, from their places and the directions in which the curve leaves."""
    return tuple(
        Patch(
            numbers=0,
            place=lambda unit, xp, point=point: repeated(point, unit, xp),
            measure=1.0,
            normal=lambda unit, xp, direction=direction: repeated(direction, unit, xp),
            tags=frozenset({name}),
        )
        for name, point, direction in zip(("start", "end"), points, directions, strict=True)
    )


def _checked(function, width):
    """The function with points `(n, width)` as values, or errors which say what they are."""

    def checked(s):
        values = function(s)
        parts = values if isinstance(values, list | tuple) else [values]
        if len(parts) != width:
            raise ValueError(
                f"The function of a Curve returns {width} arrays, one for each axis, as "
                f"(np.cos(s), np.sin(s)), got {len(parts)}."
            )
        try:
            columns = [np.broadcast_to(real_array("a coordinate", p), s.shape) for p in parts]
        except ValueError as error:
            raise ValueError(
                f"The function of a Curve takes an array (n,) and returns such arrays: {error}"
            ) from error
        rows = np.stack(columns, axis=1).astype("float64")
        if not np.all(np.isfinite(rows)):
            bad = s[~np.isfinite(rows).all(axis=1)][0]
            raise ValueError(f"The function of a Curve must be finite, and is not at {show(bad)}.")
        return rows

    return checked
