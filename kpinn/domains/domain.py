"""Domain: a region that can be combined with others."""

from kpinn.domains.composing import (
    combinations,
    motions,
    naming,
    products,
    revolutions,
    translations,
)
from kpinn.domains.integrating import integration
from kpinn.domains.plots import pictures, pictures3d
from kpinn.domains.region import Region


class Domain(Region):
    """A set of points, and what can be made of it and others.

    Points, boundaries and their parts are made by the methods below; `A + B`, `A & B` and `A - B`
    are union, intersection and difference, `A * B` joins coordinates: time or parameters with
    space, or directions of space. The boundary of a product with time is that of the space at
    all times.

    A shape is a subclass with `level`, `patches`, `boundary_patches` and `__repr__`.

    Example:
        >>> flow = Box(x=(0, 2.2), y=(0, 0.41)) - Ball(x=0.2, y=0.2, radius=0.05).named("cylinder")
        >>> flow = flow.with_parts(inlet=flow.face(x=0), walls=flow.boundary("y"))
        >>> inside = flow.sample(10_000, "sobol", seed=0)
        >>> cylinder = flow.boundary("cylinder").sample(500)     # with the outward normal "n"
        >>> (Box(t=(0, 1)) * flow).boundary("walls").sample(500) # at all times
    """

    def named(self, name) -> "Domain":
        """The same domain, whose boundary has a name, also as part of a combination.

        Args:
            name: for `boundary(name)`.

        Raises:
            ValueError: if it is the name of a part or coordinate already.
        """
        return Composed(naming.named, self, name)

    def with_parts(self, /, **parts) -> "Domain":
        """The same domain, parts of whose boundary have names.

        No point belongs to two of these parts: what several have belongs to the first.

        Args:
            **parts: `name=part`, parts of the boundary of this domain in space.

        Raises:
            ValueError: if a name is taken, a part is not one of this domain, or all of it belongs
                to parts that were named before.
        """
        return Composed(naming.with_parts, self, parts)

    def moved(self, /, **shifts) -> "Domain":
        """The domain moved in space.

        Args:
            **shifts: `coordinate=shift`: a number, an array `(d,)`, or a function of time or
                parameters of the domain, with operators or functions of `keras.ops`.

        Raises:
            ValueError: if a coordinate is not spatial, or a function has other arguments.

        Example:
            >>> disk = Box(t=(0, 1)) * Ball(x=0, y=0, radius=1)
            >>> moving = disk.moved(x=lambda t: 0.3 * t)
        """
        return Composed(translations.moved, self, shifts)

    def scaled(self, factor, /, **center) -> "Domain":
        """The domain with all lengths in space times a factor.

        Args:
            factor: positive.
            **center: the point that stays where it is; by default the origin.

        Raises:
            ValueError: if the factor or a coordinate is not usable.

        Example:
            >>> half = flow.scaled(0.5)
        """
        return Composed(motions.scaled, self, factor, center)

    def rotated(self, angle, /, axis=None, **center) -> "Domain":
        """The domain turned in space.

        Args:
            angle: in radians, counter-clockwise; or an orthogonal matrix `(d, d)`.
            axis: direction `(3,)` of the axis, in space with an angle.
            **center: the point that stays where it is; by default the origin.

        Raises:
            ValueError: if there is no such rotation.

        Example:
            >>> tilted = Box(x=(0, 2), y=(0, 1)).rotated(np.pi / 6, x=0, y=0)
        """
        return Composed(motions.rotated, self, angle, axis, center)

    def extruded(self, /, **bounds) -> "Domain":
        """The domain at all values of further coordinates: `domain * Box(**bounds)`.

        Args:
            **bounds: `name=(lower, upper)`, as those of a `Box`.

        Raises:
            ValueError: if a coordinate is there already, or is time.

        Example:
            >>> channel = flow.extruded(z=(0, 0.41))
        """
        return Composed(products.extruded, self, bounds)

    def revolved(self, /, **coordinates) -> "Domain":
        """The body that the domain describes when it turns about an axis.

        Args:
            **coordinates: `r="x y"`: the coordinate that is the distance from the axis, and the
                two coordinates in its place.

        Raises:
            ValueError: if there is no such coordinate, or it is negative somewhere.

        Example:
            >>> torus = Ball(r=2, z=0, radius=0.5).revolved(r="x y")   # coordinates x, y, z
        """
        return Composed(revolutions.revolved, self, coordinates)

    def plot(self, axes=None, points=400, normals=True, fixed=None):
        """Draw points inside and on the boundary, which are coloured by part, with normals.

        Args:
            axes: of matplotlib to draw into, in space of `projection="3d"`; by default of a new
                `Figure`, which is `axes.figure`.
            points: how many inside, and on the boundary, about.
            normals: whether there are arrows along the outward normals.
            fixed: `{name: value}` of time and parameters.

        Returns:
            The axes, to which a legend was added.

        Raises:
            ImportError: if matplotlib is missing.
            ValueError: if it has not two or three dimensions of space, or what is fixed is not
                time and parameters.

        Example:
            >>> flow.plot().figure.savefig("flow.png")
        """
        return pictures.of_domain(self, axes, points, normals, fixed)

    def plot3d(self, plotter=None, points=4_000, opacity=1.0, fixed=None):
        """Draw the boundary in space as surfaces, coloured by part, with pyvista.

        Args:
            plotter: a `pyvista.Plotter` to draw into; by default a new one.
            points: of each surface, about.
            opacity: from 0 to 1; below 1 what is behind can be seen.
            fixed: as of `plot`.

        Returns:
            The plotter, whose `show()` shows it.

        Raises:
            ImportError: if pyvista is missing.
            ValueError: if it is no body in space, or what is fixed is not time and parameters.

        Example:
            >>> Box(x=(0, 1), y=(0, 1), z=(0, 1)).plot3d().show()
        """
        return pictures3d.of_domain(self, plotter, points, opacity, fixed)

    def __add__(self, other):
        """What lies in one of both."""
        return self._combined(combinations.union, other)

    def __and__(self, other):
        """What lies in both."""
        return self._combined(combinations.intersection, other)

    def __sub__(self, other):
        """What lies in the first, and not in the second."""
        return self._combined(combinations.difference, other)

    def __mul__(self, other):
        """All pairs of points of both, which have different coordinates."""
        return self._combined(products.product, other)

    def _combined(self, make, other):
        return Composed(make, self, other) if isinstance(other, Domain) else NotImplemented


class Composed(Domain):
    """A domain that is made of others.

    Args:
        make: a function to a `Geometry`.
        *operands: of it.
    """

    def __init__(self, make, *operands):
        made = make(*operands)
        super().__init__(made.frame, made.lower, made.upper)
        self._recipe = (make, *operands)
        self._made = made
        self.given_names = made.given_names
        self.is_convex = made.is_convex
        self.is_surface = made.is_surface

    def level(self, rows, xp):
        """See `Region.level`."""
        return self._made.level(rows, xp)

    def side(self, rows, xp):
        """See `Region.side`."""
        return (self._made.side or self._made.level)(rows, xp)

    def patches(self):
        """See `Region.patches`."""
        return self._made.inside

    def boundary_patches(self):
        """See `Region.boundary_patches`."""
        return self._made.border

    def end_patches(self):
        """See `Region.end_patches`."""
        return self._made.ends

    def face_patches(self, fixed):
        """See `Region.face_patches`."""
        in_space = all(axis in self.frame.spatial_axes for axis in fixed)
        return in_space and super().face_patches(fixed) or tuple(self._made.faces(fixed))

    def measure(self):
        """See `Region.measure`."""
        known = self._made.measure()
        if known is None and self.border:
            return integration.flux(self)
        return super().measure() if known is None else known

    def rule(self, n):
        """See `Region.rule`."""
        return self._made.rule(n) if self._made.rule else super().rule(n)

    def default_names(self):
        """See `Region.default_names`."""
        return self._made.default_names

    def __repr__(self):
        return self._made.text

    def __reduce__(self):
        return Composed, self._recipe
