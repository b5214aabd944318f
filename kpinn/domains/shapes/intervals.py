"""Products of intervals: the geometry of boxes."""

import numpy as np

from kpinn.domains.frames import Frame, check_name, show
from kpinn.domains.patches import Patch, columns, constant, norm, repeated
from kpinn.domains.region import Region
from kpinn.options import names
from kpinn.options.arrays import float_array, listed


class Intervals(Region):
    """A product of intervals; see `Box` for the arguments."""

    is_convex = True

    def __init__(self, parameters, bounds):
        if not bounds:
            raise ValueError("A Box needs at least one coordinate, as in Box(t=(0, 1), x=(-1, 1)).")
        pairs = {check_name(name): _interval(name, pair) for name, pair in bounds.items()}
        parameters = _parameters(parameters, pairs)
        super().__init__(
            Frame({name: len(lower) for name, (lower, _) in pairs.items()}, parameters),
            np.concatenate([lower for lower, _ in pairs.values()]),
            np.concatenate([upper for _, upper in pairs.values()]),
        )

    def covers(self, other):
        """Whether the bounding box of another domain lies in this one."""
        return bool(np.all((self.lower <= other.lower) & (other.upper <= self.upper)))

    def level(self, rows, xp):
        """The distance to the boundary in space, with the sign; see `Region.level`."""
        outside = self._outside(rows, xp)
        space = self.frame.spatial_axes
        if not space:
            return xp.max(outside, axis=1)
        beyond = columns(outside, space, xp)
        distance = norm(xp.maximum(beyond, 0), xp) + xp.minimum(xp.max(beyond, axis=1), 0)
        if not self.frame.other_axes:
            return distance
        late = xp.max(columns(outside, self.frame.other_axes, xp), axis=1)
        return xp.where(late <= 0, distance, xp.maximum(late, distance))

    def holds(self, rows):
        """Which rows lie in the closed box, whose bounds are rounded to the dtype of the rows."""
        return np.all(self._outside(rows, np) <= 0, axis=1)

    def patches(self):
        """One patch."""
        return (self._patch({}),)

    def boundary_patches(self):
        """Lower and upper faces of the spatial axes."""
        return self._faces(self.frame.spatial_axes)

    def end_patches(self):
        """Lower and upper faces of time and parameters."""
        return self._faces(self.frame.other_axes)

    def face_patches(self, fixed):
        """One patch, at any values within the bounds."""
        at_end = super().face_patches(fixed) if len(fixed) == 1 else ()
        within = all(self.lower[a] <= value <= self.upper[a] for a, value in fixed.items())
        return at_end or ((self._patch(fixed),) if within else ())

    def default_names(self):
        """The spatial coordinates."""
        return self.spatial

    def __repr__(self):
        pairs = [f"{name}=({show(a)}, {show(b)})" for name, (a, b) in self.bounds.items()]
        pairs += [f"parameters={' '.join(self.parameters)!r}"] if self.parameters else []
        return f"Box({', '.join(pairs)})"

    def _unknown_part(self, name, pool):
        return f"Unknown coordinate {name!r}. The box has {self.coordinates}."

    def _outside(self, rows, xp):
        """How far each axis is beyond its bounds, `(n, axes)`; negative within."""
        lower, upper = constant(self.lower, rows), constant(self.upper, rows)
        return xp.maximum(lower - rows, rows - upper)

    def _faces(self, axes):
        ends = [(axis, float(end[axis])) for axis in axes for end in (self.lower, self.upper)]
        return tuple(self._patch({axis: value}) for axis, value in ends)

    def _patch(self, fixed):
        """The box with some axes fixed; with a normal where it is a piece of the boundary."""
        free = [axis for axis in range(self.frame.width) if axis not in fixed]
        widths = (self.upper - self.lower)[free]
        order = np.argsort([*free, *fixed])

        def place(unit, xp):
            lower, upper = constant(self.lower[free], unit), constant(self.upper[free], unit)
            inner = xp.minimum(xp.maximum(lower * (1 - unit) + upper * unit, lower), upper)
            return _inserted(inner, list(fixed.values()), order, xp)

        return Patch(
            numbers=len(free),
            place=place,
            measure=float(np.prod(widths)),
            log_measure=float(np.sum(np.log(widths))),
            normal=self._normal(fixed),
            tags=frozenset(map(self.frame.name, fixed)),
            fixed=fixed,
            grid_axes=tuple(free),
        )

    def _normal(self, fixed):
        """The normal of a face; None unless one spatial axis is fixed, at an end."""
        space = self.frame.spatial_axes
        found = [axis for axis in space if axis in fixed]
        if len(found) != 1 or fixed[found[0]] not in (self.lower[found[0]], self.upper[found[0]]):
            return None
        vector = np.zeros(len(space))
        at_upper = fixed[found[0]] == self.upper[found[0]]
        vector[space.index(found[0])] = 1.0 if at_upper else -1.0
        return lambda unit, xp: repeated(vector, unit, xp)


def _inserted(inner, values, order, xp):
    """Columns of free axes and values of fixed ones, in order."""
    if not values:
        return inner
    rows = xp.concatenate([inner, repeated(values, inner, xp)], axis=1)
    return xp.take(rows, order.astype("int32"), axis=1)


def _interval(name, pair):
    """Lower and upper ends as arrays `(d,)` of one length."""
    try:
        lower, upper = (float_array(name, end) for end in listed(pair))
        lower, upper = np.broadcast_arrays(np.atleast_1d(lower), np.atleast_1d(upper))
    except (TypeError, ValueError):
        raise ValueError(
            f"`{name}` needs two bounds (lower, upper), numbers or arrays of one length, "
            f"got {pair!r}."
        ) from None
    if lower.ndim > 1 or lower.size == 0:
        raise ValueError(f"Bounds of `{name}` are numbers or arrays (d,), got {lower.shape}.")
    if not np.all(np.isfinite([lower, upper])):
        raise ValueError(f"Bounds of `{name}` must be finite, got {pair!r}.")
    if not np.all(lower < upper):
        raise ValueError(
            f"Bounds of `{name}` must have lower < upper, got {pair!r}. "
            "A coordinate that does not vary is fixed by face()."
        )
    return lower, upper


def _parameters(given, pairs):
    """Names of parameters, in the order of the coordinates."""
    if not given:
        return ()
    given = names("parameters", given, "mu")
    many = given.replace(",", " ").split() if isinstance(given, str) else given
    for name in many:
        if name not in pairs:
            raise ValueError(
                f"parameters={given!r} are coordinates of the Box, among {tuple(pairs)}."
            )
    return tuple(name for name in pairs if name in many)
