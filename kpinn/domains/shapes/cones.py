"""Cylinders and cones along one coordinate."""

import dataclasses
import math

import numpy as np

from kpinn.domains.domain import Domain
from kpinn.domains.frames import show, spatial_vector
from kpinn.domains.patches import Patch, columns, constant, norm, repeated
from kpinn.domains.shapes import spheres
from kpinn.domains.shapes.balls import check_dimension, shell_patch
from kpinn.options import number
from kpinn.options.arrays import listed


class Frustum(Domain):
    """A body of revolution whose radius is linear along its axis; `Cylinder` and `Cone` are such.

    The parts of its boundary are `side`, and by the name of the axis its flat ends.

    Args:
        shape: its name, for errors.
        radii: at both ends, `(first, last)`, not negative and not both zero.
        coordinates: numbers for the center, and for one coordinate `(lower, upper)`: the axis.
    """

    is_convex = True

    def __init__(self, shape, radii, coordinates):
        example = f"{shape}(x=0, y=0, z=(0, 1), radius=1)"
        pairs = {k: v for k, v in coordinates.items() if listed(v) is not None}
        if len(pairs) != 1 or len(listed(*pairs.values())) != 2:
            raise ValueError(
                f"A {shape} takes (lower, upper) for the coordinate of its axis, and numbers for "
                f"the others, as in {example}; got {coordinates}."
            )
        ((self.axis, ends),) = pairs.items()
        starts = {k: ends[0] if k == self.axis else v for k, v in coordinates.items()}
        frame, self.start = spatial_vector(shape, starts, example)
        check_dimension(shape, frame, 3)
        self.radii = radii
        self._index = frame.axes[self.axis][0]
        self._across = [axis for axis in range(frame.width) if axis != self._index]
        top = number(f"`{self.axis}` of {shape}", ends[1])
        self._height = top - float(self.start[self._index])
        if not self._height > 0:
            raise ValueError(
                f"A {shape} has {self.axis}=(lower, upper), lower < upper, got {ends}."
            )
        half = np.full(frame.width, max(radii))
        half[self._index] = 0.0
        along = np.zeros(frame.width)
        along[self._index] = self._height
        super().__init__(frame, self.start - half, self.start + half + along)
        self._slope = radii[1] - radii[0]
        self._slant = math.hypot(self._height, self._slope)

    def level(self, rows, xp):
        """The distance to the boundary, negative inside."""
        height, slope, slant = self._height, self._slope, self._slant
        along = rows[:, self._index] - float(self.start[self._index])
        center = constant(self.start[self._across], rows)
        across = norm(columns(rows, self._across, xp) - center, xp)
        aside = ((across - self.radii[0]) * height - along * slope) / slant
        inside = xp.maximum(aside, xp.maximum(-along, along - height))
        t = xp.clip(((across - self.radii[0]) * slope + along * height) / slant**2, 0.0, 1.0)
        away = [
            xp.sqrt((across - self.radii[0] - t * slope) ** 2 + (along - t * height) ** 2),
            xp.sqrt(xp.maximum(across - self.radii[0], 0) ** 2 + along**2),
            xp.sqrt(xp.maximum(across - self.radii[1], 0) ** 2 + (along - height) ** 2),
        ]
        outside = xp.minimum(away[0], xp.minimum(away[1], away[2]))
        return xp.where(inside <= 0, inside, outside)

    def patches(self):
        """One patch: the height by the first number, a ball across by the others."""
        first, last = self.radii
        d, m, steep = self.frame.width, self.frame.width - 1, first != last
        ratio = (last**d - first**d) / (d * (last - first)) if steep else first**m
        volume = spheres.ball_volume(m) * self._height

        def even(unit, xp):
            height = self._power(unit[:, :1], d) if steep else unit[:, :1]
            share = unit[:, 1:2] ** (1 / m)
            return self._rows(height, share, spheres.direction(unit[:, 2:], m, xp), xp)

        def smooth(unit, xp):
            directions = spheres.smooth_direction(unit[:, 2:], m, xp)
            return self._rows(unit[:, :1], unit[:, 1:2], directions, xp)

        def density(unit, xp):
            radii = (first + (last - first) * unit[:, 0]) / max(self.radii)
            by_angle = spheres.smooth_density(unit[:, 2:], m, xp)
            return radii**m * unit[:, 1] ** (m - 1) * by_angle

        envelope = volume * max(self.radii) ** m * m * spheres.smooth_factor(m)
        turns = spheres.phases(m, 2)
        other = Patch(d, smooth, envelope, density=density, periodic=turns)
        return (Patch(d, even, volume * ratio, periodic=turns, smooth=other),)

    def boundary_patches(self):
        """The side, and the flat ends that are no points."""
        ends = [self._end(side) for side in (0, 1) if self.radii[side] > 0]
        return (self._side().with_tag("side"), *ends)

    def _power(self, u, power):
        """The share of the height at which the power of the radius is linear in `u`."""
        first, last = self.radii
        radii = (first**power + u * (last**power - first**power)) ** (1 / power)
        share = (radii - first) / (last - first)
        return 0.5 * (abs(share) - abs(share - 1) + 1)  # between 0 and 1 in spite of rounding

    def _rows(self, height, share, directions, xp):
        """Rows at shares of the height and of the radius there, in directions across."""
        radii = self.radii[0] + self._slope * height
        across = constant(self.start[self._across], directions) + share * radii * directions
        along = float(self.start[self._index]) + self._height * height
        return self._ordered(across, along, xp)

    def _ordered(self, across, along, xp):
        order = np.argsort([*self._across, self._index]).astype("int32")
        return xp.take(xp.concatenate([across, along], axis=1), order, axis=1)

    def _side(self):
        first, last = self.radii
        m, steep = self.frame.width - 1, first != last
        ratio = (last**m - first**m) / (m * (last - first)) if steep else first ** (m - 1)
        area = spheres.area(m) * self._slant

        def even(unit, xp):
            height = self._power(unit[:, :1], m) if steep else unit[:, :1]
            return self._rows(height, 1.0, spheres.direction(unit[:, 1:], m, xp), xp)

        def linear(unit, xp):
            return self._rows(unit[:, :1], 1.0, spheres.direction(unit[:, 1:], m, xp), xp)

        def normal(unit, xp):
            across = self._height / self._slant * spheres.direction(unit[:, 1:], m, xp)
            return self._ordered(across, 0 * across[:, :1] - self._slope / self._slant, xp)

        def density(unit, xp):
            return ((first + (last - first) * unit[:, 0]) / max(self.radii)) ** (m - 1)

        side = Patch(m, even, area * ratio, normal=normal, periodic=spheres.phases(m, 1))
        if not steep:
            return side
        envelope = area * max(self.radii) ** (m - 1)
        smooth = dataclasses.replace(side, place=linear, measure=envelope, density=density)
        return dataclasses.replace(side, smooth=smooth)

    def _end(self, side):
        """The flat end at the start (0) or top (1) of the axis."""
        radius = self.radii[side]
        ball = shell_patch(self.start[self._across], 0.0, radius)
        value = float((self.lower, self.upper)[side][self._index])
        vector = np.zeros(self.frame.width)
        vector[self._index] = 2.0 * side - 1

        def on(patch):
            return dataclasses.replace(
                patch,
                place=lambda unit, xp: self._ordered(
                    patch.place(unit, xp), repeated([value], unit, xp), xp
                ),
                normal=lambda unit, xp: repeated(vector, unit, xp),
                tags=frozenset([self.axis]),
                fixed={self._index: value},
                smooth=patch.smooth and on(patch.smooth),
            )

        return on(ball)

    def _written(self):
        """The coordinates, as they are given."""
        top = float(self.start[self._index]) + self._height
        parts = (
            f"{name}=({show(value)}, {show(top)})" if name == self.axis else f"{name}={show(value)}"
            for name, value in zip(self.coordinates, self.start.tolist(), strict=True)
        )
        return ", ".join(parts)


class Cylinder(Frustum):
    """A cylinder along one coordinate.

    The parts of its boundary are `side`, and by the name of the axis its flat ends.

    Args:
        radius: positive.
        **coordinates: `(lower, upper)` for the one along the axis, numbers for the center across.

    Raises:
        ValueError: if the radius or the coordinates are not usable.

    Example:
        >>> pipe = Cylinder(x=(0, 5), y=0, z=0, radius=0.5)
        >>> wall, inlet = pipe.boundary("side"), pipe.face(x=0)
    """

    def __init__(self, /, *, radius, **coordinates):
        radius = number("radius", radius, "(0, inf)")
        super().__init__("Cylinder", (radius, radius), coordinates)

    def __repr__(self):
        return f"Cylinder({self._written()}, radius={show(self.radii[0])})"


class Cone(Frustum):
    """A cone along one coordinate, or what is left of it when its tip is cut off.

    The parts of its boundary are `side`, and by the name of the axis its flat ends.

    Args:
        radius: at the lower end, with the tip at the upper end; or `(lower, upper)` at both.
        **coordinates: `(lower, upper)` for the one along the axis, numbers for the center across.

    Raises:
        ValueError: if the radii or the coordinates are not usable.

    Example:
        >>> cone = Cone(x=0, y=0, z=(0, 2), radius=1)
        >>> nozzle = Cone(x=(0, 1), y=0, z=0, radius=(0.5, 0.1))
    """

    def __init__(self, /, *, radius, **coordinates):
        given = listed(radius)
        radii = [radius, 0.0] if given is None else given
        if len(radii) != 2:
            raise ValueError(f"radius of Cone is one number or (lower, upper), got {radius}.")
        radii = tuple(number("radius", each, "[0, inf)") for each in radii)
        if not max(radii) > 0:
            raise ValueError(f"A Cone needs a positive radius at one end, got {radius}.")
        super().__init__("Cone", radii, coordinates)

    def __repr__(self):
        radii = ", ".join(map(show, self.radii))
        return f"Cone({self._written()}, radius=({radii}))"
