"""Ellipses and ellipsoids."""

import dataclasses

import numpy as np

from kpinn.domains.domain import Domain
from kpinn.domains.frames import show, show_point, spatial_vector
from kpinn.domains.patches import constant, norm
from kpinn.domains.shapes.balls import check_dimension, shell_patch, sphere_patches
from kpinn.options.arrays import float_array


class Ellipsoid(Domain):
    """An ellipse, or an ellipsoid in any number of dimensions, along the axes.

    Args:
        radii: half of the axes, positive, one for each dimension in the order of the coordinates.
        **center: as that of a `Ball`, of at least two dimensions.

    Raises:
        ValueError: if the radii or the center are not usable.

    Example:
        >>> wing = Ellipsoid(x=0.3, y=0.2, radii=(0.1, 0.03)).rotated(-0.2, x=0.3, y=0.2)
    """

    is_convex = True

    def __init__(self, /, *, radii, **center):
        frame, self.center = spatial_vector(
            "Ellipsoid", center, "Ellipsoid(x=0, y=0, radii=(2, 1))"
        )
        check_dimension("Ellipsoid", frame, 2)
        self.radii = float_array("radii of Ellipsoid", radii)
        good = self.radii.shape == (frame.width,) and np.all(np.isfinite(self.radii))
        if not good or not np.all(self.radii > 0):
            raise ValueError(
                f"An Ellipsoid has a positive radius for each component of {frame.coordinates}, "
                f"{frame.width} together, got {radii}."
            )
        super().__init__(frame, self.center - self.radii, self.center + self.radii)

    def level(self, rows, xp):
        """A first-order distance to the surface: right near it, of the right size elsewhere."""
        inner = (rows - constant(self.center, rows)) / constant(self.radii, rows)
        radii, slope = norm(inner, xp), norm(inner / constant(self.radii, rows), xp)
        away = slope > 0  # from the center
        scale = xp.where(away, radii / xp.where(away, slope, 1 + 0 * slope), min(self.radii))
        return (radii - 1) * scale

    def patches(self):
        """The image of a ball."""
        unit_ball = shell_patch(np.zeros(self.frame.width), 0.0, 1.0)
        return (self._stretched(unit_ball, np.prod(self.radii)),)

    def boundary_patches(self):
        """The image of a sphere, whose density depends on the direction."""
        (sphere,) = sphere_patches(np.zeros(self.frame.width), 1.0)
        return (self._surface(sphere),)

    def __repr__(self):
        return f"Ellipsoid({show_point(self.frame, self.center)}, radii={show(self.radii)})"

    def _stretched(self, patch, factor):
        def place(unit, xp):
            inner = patch.place(unit, xp)
            return constant(self.center, inner) + constant(self.radii, inner) * inner

        return dataclasses.replace(
            patch,
            place=place,
            measure=patch.measure * float(factor),
            smooth=patch.smooth and self._stretched(patch.smooth, factor),
        )

    def _surface(self, sphere):
        """The image of a patch of the unit sphere: its area grows by the length of `s / radii`."""
        least = float(min(self.radii))

        def growth(unit, xp):
            vectors = sphere.place(unit, xp)
            return vectors / constant(self.radii, vectors)

        def normal(unit, xp):
            vectors = growth(unit, xp)
            return vectors / norm(vectors, xp)[:, None]

        def density(unit, xp):
            own = 1.0 if sphere.density is None else sphere.density(unit, xp)
            return own * least * norm(growth(unit, xp), xp)

        image = self._stretched(sphere, np.prod(self.radii) / least)
        smooth = sphere.smooth and self._surface(sphere.smooth)
        return dataclasses.replace(image, normal=normal, density=density, smooth=smooth)
