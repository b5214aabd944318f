"""Balls and what is between two of them."""

from kpinn.domains import spheres
from kpinn.domains.domain import Domain
from kpinn.domains.frames import show, show_point, spatial_vector
from kpinn.domains.patches import Patch, constant, norm, repeated
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

    def __init__(self, /, *, radius, **center):
        frame, self.center = spatial_vector("Ball", center, "Ball(x=0, y=0, radius=1)")
        self.radius = number("radius", radius, "(0, inf)")
        super().__init__(frame, self.center - self.radius, self.center + self.radius)

    def level(self, rows, xp):
        """The distance to the sphere, negative inside."""
        return norm(rows - constant(self.center, rows), xp) - self.radius

    def patches(self):
        """One patch: the radius by the first number, the direction by the others."""
        d = self.frame.width

        def place(unit, xp):
            if d == 1:
                return constant(self.center, unit) + self.radius * (2 * unit - 1)
            radii = self.radius * unit[:, :1] ** (1 / d)
            return constant(self.center, unit) + radii * spheres.direction(unit[:, 1:], d, xp)

        return (Patch(numbers=d, place=place, measure=self.radius**d * spheres.area(d) / d),)

    def boundary_patches(self):
        """The sphere; both ends of an interval."""
        return sphere_patches(self.center, self.radius)

    def __repr__(self):
        return f"Ball({show_point(self.frame, self.center)}, radius={show(self.radius)})"


def sphere_patches(center, radius, sign=1.0):
    """The patches of a sphere whose normal points out (`sign=1`) or to the center (-1)."""
    d = len(center)
    if d == 1:
        return tuple(_end(center, radius, side, sign) for side in (-1.0, 1.0))

    def place(unit, xp):
        return constant(center, unit) + radius * spheres.direction(unit, d, xp)

    def normal(unit, xp):
        return sign * spheres.direction(unit, d, xp)

    measure = radius ** (d - 1) * spheres.area(d)
    return (Patch(numbers=d - 1, place=place, measure=measure, normal=normal),)


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
