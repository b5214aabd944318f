"""Regions: what a shape defines, and how points are drawn from it and its boundary."""

import abc
import functools
import operator

import numpy as np

from kpinn.domains import sampling
from kpinn.domains.frames import show
from kpinn.domains.integrating import integration
from kpinn.domains.parts import Part
from kpinn.domains.patches import rounding
from kpinn.domains.points import drawing, grids
from kpinn.domains.points.extras import carried, names_of
from kpinn.domains.points.streams import Stream
from kpinn.options import number

CACHED = ("inside", "border")  # what is made anew after unpickling
MOST_CORNERS = 10  # dimensions in which all corners of a box are looked at
NEAR = 64 * np.finfo("float64").eps  # relative: faces with coordinates so close are the same


class Region(abc.ABC):
    """A set of points, from which and from whose boundary points are drawn; see `Domain`.

    Args:
        frame: its coordinates, a `Frame`.
        lower, upper: corners of its bounding box, `(axes,)`.
    """

    def __init__(self, frame, lower, upper):
        self.frame = frame
        self.lower = np.asarray(lower, "float64")
        self.upper = np.asarray(upper, "float64")

    # What a shape defines ---------------------------------------------------------------------

    @abc.abstractmethod
    def level(self, rows, xp):
        """Negative inside, zero on the boundary, positive outside; a distance near the boundary.

        Time and parameters bound a domain too, but are no distance: where they are within their
        bounds, the level is that of the space.

        Args:
            rows: `(n, axes)`.
            xp: `numpy` or `keras.ops`, whose functions are used.

        Returns:
            `(n,)`.
        """

    def side(self, rows, xp):
        """The level, or what is found faster and has its sign, and its values near the boundary.

        Conditions take it, by which points of other shapes count or not.
        """
        return self.level(rows, xp)

    @abc.abstractmethod
    def patches(self):
        """The patches (each a `Patch`) of the inside."""

    @abc.abstractmethod
    def boundary_patches(self):
        """The patches (each a `Patch`) of the boundary in space, with normals."""

    is_convex = False
    is_surface = False  # of fewer dimensions than the space, so that it has no inside
    given_names = ()  # of `named` and `with_parts`, which may not be given twice

    def end_patches(self):
        """The patches on which time or a parameter is at an end, with its name as a tag."""
        return ()

    def face_patches(self, fixed):
        """The patches on which axes have values, `fixed` a dict of these: here, of the boundary."""
        near = NEAR * self.size
        return tuple(
            patch
            for patch in self.border
            if all(abs(patch.fixed.get(axis, np.inf) - v) <= near for axis, v in fixed.items())
        )

    def covers(self, other):
        """Whether the bounding box of another domain is known to lie in this one."""
        if not self.is_convex or self.frame.width > MOST_CORNERS:
            return False
        ends = np.stack([other.lower, other.upper], axis=1)
        corners = np.stack([each.ravel() for each in np.meshgrid(*ends)], axis=1)
        return bool(self.holds(corners).all())

    def level_beyond(self, axis):
        """The level, for coordinates that are not negative, with the mirror image at `axis = 0`.

        It is that of a body of revolution. Here the mirror counts as a boundary, so that inside it
        is no distance near the axis.

        Returns:
            A function as `level`.
        """
        return self.level

    def rule(self, n):
        """A quadrature of about `n` nodes.

        Returns:
            Rows `(m, axes)`, normals `(m, spatial axes)` or None, and weights `(m,)`.
        """
        return integration.rule(self.inside, n, str(self))

    def measure(self):
        """Length, area or volume of the inside, a `Measure`."""
        return integration.measure(self.inside, str(self))

    # What all have ----------------------------------------------------------------------------

    @functools.cached_property
    def inside(self):
        """The patches of the inside, made once: a piece of a patch is known by its `place`."""
        return tuple(self.patches())

    @functools.cached_property
    def border(self):
        """The patches of the boundary in space, made once."""
        return tuple(self.boundary_patches())

    @property
    def coordinates(self):
        """Names of the coordinates in their order."""
        return self.frame.coordinates

    @property
    def parameters(self):
        """Names of the coordinates that are parameters."""
        return self.frame.parameters

    @property
    def axes(self):
        """`{name: range of its axes in a row}`."""
        return self.frame.axes

    @property
    def spatial(self):
        """Names of the coordinates other than time and parameters."""
        return self.frame.spatial

    @property
    def bounds(self):
        """`{name: (lower, upper)}`: floats for scalar, arrays `(d,)` for vector coordinates."""
        return {name: self._bound(name) for name in self.coordinates}

    @property
    def size(self):
        """The largest spatial coordinate, by which rounding is measured."""
        axes = self.frame.spatial_axes or list(self.frame.other_axes)
        return float(np.abs([self.lower[axes], self.upper[axes]]).max())

    @functools.cached_property
    def volume(self):
        """Length, area or volume of the domain, times those of time and parameters: a `Measure`."""
        return self.measure()

    def sample(self, n, method="uniform", seed=None, extras="") -> dict[str, np.ndarray]:
        """Points of the domain, uniform in its volume.

        Args:
            n: number of points. For `method="grid"` that of all points of a grid over the bounding
                box, a power `k**axes`, or its points per coordinate: `{"t": 101, "x": 256}`.
            method: `"uniform"`, `"latin_hypercube"`, `"sobol"` (balanced best when `n` is a power
                of two), `"halton"`, or `"grid"`: the points of a grid that lie in the domain (ends
                included, the last coordinate varies fastest).
            seed: int, numpy `Generator`, or None: then `keras.utils.set_random_seed` decides.
            extras: what else the points carry, names with spaces between: `w` (weights `(n, 1)`:
                `sum(w * f)` is the integral of `f`), `distance` (to the boundary, `(n, 1)`).

        Returns:
            Dict of float64 arrays `(n, 1)`, or `(n, d)` for a vector coordinate.

        Raises:
            TypeError, ValueError: if an argument is not one of the above.

        Example:
            >>> Ball(x=0, y=0, radius=1).sample(1_000, "sobol", seed=0)["x"].shape
            (1000, 1)
        """
        sampling.check_method(method)
        names = names_of(extras)
        if method != "grid":
            n, rng = sampling.count(n, method=method), sampling.generator(seed)
            drawn = drawing.draw(self.inside, n, method, rng, str(self))
        elif self.is_surface:
            drawn = grids.on_patches(self.frame, self.inside, n, str(self))
        else:
            rows = grids.in_box(self.frame, self.lower, self.upper, n)
            drawn = drawing.Drawn(rows[self.holds(rows)], None)
        return carried(self, drawn.rows, drawn.normals, names)

    def stream(self, n, seed=None, extras="") -> Stream:
        """Points that `PINN.fit` draws anew in each step, on the device, uniform in the volume.

        Args:
            n: number of points of a step.
            seed: int; every `fit` then sees the same points in the same step. Without one
                `keras.utils.set_random_seed` decides, and each `fit` sees others.
            extras: what else the points carry, as in `sample`.

        Returns:
            A `kpinn.domains.Stream`, which `fit` takes in the place of the points of a condition.

        Raises:
            TypeError, ValueError: if an argument is not one of the above, or the domain cannot be
                drawn inside a compiled step.

        Example:
            >>> pinn.fit({"heat": box.stream(4096), "start": box.face(t=0).stream(256)}, epochs=9)
        """
        return Stream(self, self.inside, n, seed, extras)

    def face(self, /, **fixed) -> Part:
        """The part of the domain, or of its boundary, on which scalar coordinates are fixed.

        Args:
            **fixed: `name=value`. Several make an edge.

        Returns:
            A `Part`, which samples all the coordinates of the domain.

        Raises:
            ValueError: if a name is unknown or a vector, or there is no such face.

        Example:
            >>> Box(t=(0, 1), x=(-1, 1)).face(t=0).sample(3)["t"].ravel()
            array([0., 0., 0.])
        """
        if not fixed:
            raise ValueError(f"face() needs a coordinate to fix, as in face({self._end()}).")
        values = {
            self._scalar_axis(name): number(f"face({name}=...)", v) for name, v in fixed.items()
        }
        label = f"{self}.face({', '.join(f'{k}={show(v)}' for k, v in fixed.items())})"
        patches = self.face_patches(values)
        if not patches:
            raise ValueError(f"There is no {label}. The flat faces are {self._flat_faces()}.")
        recipe = (operator.methodcaller("face", **fixed), self)
        return Part(self, patches, label, tuple(fixed), recipe)

    def boundary(self, *names) -> Part:
        """The boundary in space, or named parts of it.

        Args:
            *names: of coordinates (faces of boxes at their ends, also in time and parameters), of
                `named` shapes, or of `with_parts`; by default all of the boundary in space.

        Returns:
            A `Part`; with outward normals, unless time or a parameter was named.

        Raises:
            ValueError: if a name is unknown or given twice, or there is nothing to choose.

        Example:
            >>> walls = flow.boundary("y").sample(200)     # with the outward normals "n"
        """
        if not names and not self.border and self.spatial:
            raise ValueError(f"{self} has no boundary. For its own points use sample().")
        if not names and not self.border:
            raise ValueError(
                f"{self} has no spatial coordinate, so no default boundary. Name the coordinates: "
                f"boundary({self.coordinates[0]!r})."
            )
        pool = (*self.border, *self.end_patches())
        for name in names:
            if not isinstance(name, str) or not any(name in patch.tags for patch in pool):
                raise ValueError(self._unknown_part(name, pool))
        if len(set(names)) < len(names):
            raise ValueError(f"boundary() got a coordinate twice: {names}. Name each once.")
        recipe = (operator.methodcaller("boundary", *names), self)
        if names:
            chosen = {id(p): p for name in names for p in pool if name in p.tags}.values()
        else:
            names, chosen = self.default_names(), self.border
        label = f"{self}.boundary({', '.join(map(repr, names))})"
        return Part(self, chosen, label, names, recipe)

    def edge(self, name) -> Part:
        """An edge of a polygon, or of the polygon that a combination was made of.

        Args:
            name: of the edge, or its number.

        Returns:
            A `Part`.

        Raises:
            ValueError: if there is no such edge.

        Example:
            >>> Polygon(x=[0, 2, 0], y=[0, 0, 1]).edge(0).area
            2.0
        """
        numbered = f"edge {name}"
        is_known = any(numbered in patch.tags for patch in self.border)
        return self.boundary(numbered if is_known else name)

    def contains(self, points) -> np.ndarray:
        """Which points lie in the closed domain.

        Args:
            points: dict with an array `(n, 1)`, `(n,)` or `(n, d)` per coordinate. Other keys
                are ignored.

        Returns:
            Array of bools `(n,)`: a point within rounding (of the dtype of the points) of the
            boundary counts as inside.

        Raises:
            ValueError: if a coordinate is missing or shapes do not fit.

        Example:
            >>> Ball(x=0, y=0, radius=1).contains({"x": [0.0, 2.0], "y": [0.0, 0.0]})
            array([ True, False])
        """
        return self.holds(self.frame.rows(points))

    def quadrature(self, n) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Nodes and weights with which sums are integrals over the domain.

        Args:
            n: number of nodes, about.

        Returns:
            Points as `sample` gives them, with the normals of a surface, and weights `(m, 1)`.

        Raises:
            ValueError: if there is no rule for such a domain.

        Example:
            >>> points, weights = Ball(x=0, y=0, radius=1).quadrature(400)
            >>> round(float(np.sum(weights * points["x"] ** 2)), 12)   # pi / 4
            0.785398163397
        """
        rows, normals, weights = self.rule(sampling.count(n))
        return carried(self, rows, normals, ()), weights[:, None]

    def holds(self, rows):
        """Which rows `(n, axes)` lie in the closed domain, as `contains`."""
        return self.level(rows, np) <= rounding(self.size, rows)

    def subject(self):
        """What errors about names call it."""
        return str(self)

    def default_names(self):
        """Names that together are the whole boundary in space; none where it has no such names."""
        return ()

    def __getstate__(self):
        return {key: value for key, value in self.__dict__.items() if key not in CACHED}

    def _bound(self, name):
        pick = list(self.axes[name])
        lower, upper = self.lower[pick], self.upper[pick]
        return (lower, upper) if len(pick) > 1 else (float(lower[0]), float(upper[0]))

    def _scalar_axis(self, name):
        if name not in self.axes:
            raise ValueError(
                f"Unknown coordinate {name!r}. {self.subject()} has {self.coordinates}."
            )
        if len(self.axes[name]) > 1:
            raise ValueError(
                f"face() fixes scalar coordinates, but {name!r} has {len(self.axes[name])} "
                f"components. For all of its faces use boundary({name!r})."
            )
        return self.axes[name][0]

    def _unknown_part(self, name, pool):
        known = sorted({tag for patch in pool for tag in patch.tags})
        told = f"{self} has no part {name!r}. Its parts are {known or 'not named'}."
        several = str(name).split()
        if len(several) > 1 and set(several) <= set(known):
            told += f" Name each by itself: boundary({', '.join(map(repr, several))})."
        return told

    def _flat_faces(self):
        fixed = {(self.frame.label(a), v): None for p in self.border for a, v in p.fixed.items()}
        return ", ".join(f"{name}={show(value)}" for name, value in fixed) or "none"

    def _end(self):
        name = self.coordinates[0]
        return f"{name}={show(self.lower[self.axes[name][0]])}"
