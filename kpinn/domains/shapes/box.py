"""Boxes: products of intervals with all that domains have."""

from kpinn.domains.domain import Domain
from kpinn.domains.frames import show
from kpinn.domains.parts import Part
from kpinn.domains.shapes.intervals import Intervals
from kpinn.options import number


class Box(Intervals, Domain):
    """A product of intervals, one per coordinate.

    The order of the keywords is the order of the coordinates. Every coordinate is spatial, except
    parameters and one named `t` or `time`.

    Args:
        parameters: names of coordinates that are parameters, which are no space: `"mu"`.
        **bounds: `name=(lower, upper)`. Numbers make a coordinate of shape `(n, 1)`, arrays of
            length `d` a vector coordinate of shape `(n, d)`; a number beside an array holds for
            every component.

    Raises:
        ValueError: if a name is not usable, or bounds are not finite with lower < upper.

    Example:
        >>> box = Box(t=(0, 1), x=(-1, 1))
        >>> points = box.sample(10_000, "sobol", seed=0)      # {"t": (10000, 1), "x": (10000, 1)}
        >>> start = box.face(t=0).sample(200)
        >>> walls = box.boundary("x").sample(200)             # with the outward normal "n"
        >>> cloud = Box(x=([0, 0, 0], [1, 1, 2])).sample(50)  # {"x": (50, 3)}
    """

    def __init__(self, /, parameters="", **bounds):
        super().__init__(parameters, bounds)

    def face(self, /, **fixed) -> Part:
        """The part of the box on which some scalar coordinates are fixed; see `Domain.face`.

        Args:
            **fixed: `name=value`, within the bounds, ends included. Several make an edge.

        Raises:
            ValueError: if a name is unknown or a vector, or a value lies outside of the bounds.
        """
        for name, value in fixed.items():
            value, axis = number(f"face({name}=...)", value), self._scalar_axis(name)
            if not self.lower[axis] <= value <= self.upper[axis]:
                lower, upper = self._bound(name)
                raise ValueError(
                    f"face({name}={show(value)}) lies outside the box. "
                    f"Give a value in [{show(lower)}, {show(upper)}]."
                )
        return super().face(**fixed)

    def subject(self):
        """What errors about names call it."""
        return "The box"
