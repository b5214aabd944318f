"""Balls, what is between two of them, and spheres."""

import dataclasses

from kpinn.domains.domain import Domain
from kpinn.domains.frames import show, show_point, spatial_vector
from kpinn.domains.patches import Patch, constant, norm, repeated
from kpinn.domains.shapes import spheres
from kpinn.options import number


class Ball(Domain):
    """A disk, a ball, or a ball in any number of dimensions.

    Args:
        radius: positive.
        **center: coordinates of the center, in their order: numbers, or arrays `(d,)` for
            vector coordinates.

    Raises:
        ValueError: if the radius or the center is not usable.

    Example:
        >>> disk = Ball(x=0.2, y=0.2, radius=0.05)
        >>> ball = Ball(x=[0, 0, 0], radius=1)              # {"x": (n, 3)}
        >>> disk.boundary().sample(200)["n"].shape
        (200, 2)
    """

    is_convex = True

    def __init__(self, /, *, radius, **center):
        frame, self.center = spatial_vector("Ball", center, "Ball(x=0, y=0, radius=1)")
        self.radius = number("radius", radius, "(0, inf)")
        super().__init__(frame, self.center - self.radius, self.center + self.radius)

    def level(self, rows, xp):
        """The distance to the sphere, negative inside."""
        return norm(rows - constant(self.center, rows), xp) - self.radius

    def patches(self):
        """One patch: the radius by the first number, the direction by the others."""
        if self.frame.width > 1:
            return (shell_patch(self.center, 0.0, self.radius),)

        def place(unit, xp):
            return constant(self.center, unit) + self.radius * (2 * unit - 1)

        return (Patch(numbers=1, place=place, measure=2 * self.radius, grid_axes=(0,)),)

    def boundary_patches(self):
        """The sphere; both ends of an interval."""
        return sphere_patches(self.center, self.radius)

    def __repr__(self):
        return f"Ball({show_point(self.frame, self.center)}, radius={show(self.radius)})"


class Ring(Domain):
    """What is between two spheres with the same center: an annulus, a shell.

    `kpinn.domains.Shell` is the same class. The parts of its boundary are `inner` and `outer`.

    Args:
        inner, outer: radii, `0 < inner < outer`.
        **center: as that of a `Ball`, of at least two dimensions.

    Raises:
        ValueError: if the radii or the center are not usable.

    Example:
        >>> ring = Ring(x=0, y=0, inner=0.5, outer=1)
        >>> outside = ring.boundary("outer").sample(200)
    """

    def __init__(self, /, *, inner, outer, **center):
        frame, self.center = spatial_vector("Ring", center, "Ring(x=0, y=0, inner=0.5, outer=1)")
        check_dimension("Ring", frame, 2)
        self.inner = number("inner", inner, "(0, inf)")
        self.outer = number("outer", outer, "(0, inf)")
        if not self.inner < self.outer:
            raise ValueError(f"A Ring needs inner < outer, got {inner} and {outer}.")
        super().__init__(frame, self.center - self.outer, self.center + self.outer)

    def level(self, rows, xp):
        """The distance to the nearer sphere, negative between both."""
        radii = norm(rows - constant(self.center, rows), xp)
        return xp.maximum(radii - self.outer, self.inner - radii)

    def patches(self):
        """One patch: the radius by the first number, the direction by the others."""
        return (shell_patch(self.center, self.inner, self.outer),)

    def boundary_patches(self):
        """The outer and the inner sphere."""
        return (
            *(patch.with_tag("outer") for patch in sphere_patches(self.center, self.outer)),
            *(patch.with_tag("inner") for patch in sphere_patches(self.center, self.inner, -1.0)),
        )

    def __repr__(self):
        radii = f"inner={show(self.inner)}, outer={show(self.outer)}"
        return f"Ring({show_point(self.frame, self.center)}, {radii})"


class Sphere(Domain):
    """A circle, or a sphere in any number of dimensions: the surface on its own.

    Its points come with normals. It has no boundary, and may be cut by `&` and `-`.

    Args:
        radius: positive.
        **center: as that of a `Ball`.

    Raises:
        ValueError: if the radius or the center is not usable.

    Example:
        >>> sphere = Sphere(x=0, y=0, z=0, radius=1)
        >>> northern = sphere & Box(x=(-1, 1), y=(-1, 1), z=(0, 1))
    """

    is_surface = True

    def __init__(self, /, *, radius, **center):
        frame, self.center = spatial_vector("Sphere", center, "Sphere(x=0, y=0, z=0, radius=1)")
        self.radius = number("radius", radius, "(0, inf)")
        super().__init__(frame, self.center - self.radius, self.center + self.radius)

    def level(self, rows, xp):
        """The distance to the sphere, on both sides."""
        return xp.abs(norm(rows - constant(self.center, rows), xp) - self.radius)

    def patches(self):
        """The sphere; both ends of an interval."""
        return sphere_patches(self.center, self.radius)

    def boundary_patches(self):
        """None."""
        return ()

    def __repr__(self):
        return f"Sphere({show_point(self.frame, self.center)}, radius={show(self.radius)})"


def check_dimension(shape, frame, least):
    """Raises `ValueError` for a shape in too few dimensions."""
    if frame.width < least:
        raise ValueError(
            f"A {shape} has at least {least} dimensions, got the coordinates {frame.coordinates}."
        )


def shell_patch(center, inner, outer):
    """What is between two spheres in `d >= 2` dimensions; a ball where `inner` is zero."""
    d = len(center)

    def place(unit, xp):
        radii = (inner**d + (outer**d - inner**d) * unit[:, :1]) ** (1 / d)
        return constant(center, unit) + radii * spheres.direction(unit[:, 1:], d, xp)

    def by_angles(unit, xp):
        radii = inner + (outer - inner) * unit[:, :1]
        return constant(center, unit) + radii * spheres.smooth_direction(unit[:, 1:], d, xp)

    def density(unit, xp):
        radii = inner + (outer - inner) * unit[:, 0]
        return (radii / outer) ** (d - 1) * spheres.smooth_density(unit[:, 1:], d, xp)

    envelope = outer ** (d - 1) * (outer - inner) * spheres.area(d) * spheres.smooth_factor(d)
    turns = spheres.phases(d, 1)
    smooth = Patch(d, by_angles, envelope, density=density, periodic=turns)
    measure = (outer**d - inner**d) * spheres.ball_volume(d)
    return Patch(d, place, measure, periodic=turns, smooth=smooth)


def sphere_patches(center, radius, sign=1.0):
    """The patches of a sphere whose normal points out (`sign=1`) or to the center (-1)."""
    d = len(center)
    if d == 1:
        return tuple(_end(center, radius, side, sign) for side in (-1.0, 1.0))
    measure = radius ** (d - 1) * spheres.area(d)
    even = _sphere(center, radius, sign, spheres.direction, measure)
    if d == 2:
        return (even,)
    smooth = dataclasses.replace(
        _sphere(center, radius, sign, spheres.smooth_direction, measure * spheres.smooth_factor(d)),
        density=lambda unit, xp: spheres.smooth_density(unit, d, xp),
    )
    return (dataclasses.replace(even, smooth=smooth),)


def _sphere(center, radius, sign, direction, measure):
    d = len(center)

    def place(unit, xp):
        return constant(center, unit) + radius * direction(unit, d, xp)

    def normal(unit, xp):
        return sign * direction(unit, d, xp)

    return Patch(d - 1, place, measure, normal=normal, periodic=spheres.phases(d))


def _end(center, radius, side, sign):
    value = float(center[0] + side * radius)
    return Patch(
        numbers=0,
        place=lambda unit, xp: repeated([value], unit, xp),
        measure=1.0,
        normal=lambda unit, xp: repeated([side * sign], unit, xp),
        fixed={0: value},
        grid_axes=(),
    )
