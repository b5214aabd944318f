"""Boxes: the product of intervals.

Inside, a point of a box is a row of *axes*: a scalar coordinate is one axis, a vector coordinate
of `d` components is `d` neighbouring axes. Samples are handed out as dicts of coordinates.
"""

import keyword
from collections.abc import Mapping

import numpy as np

from kpinn.domains.faces import NORMAL, Boundary, Face, show
from kpinn.options import number
from kpinn.options.arrays import float_array, listed, real_array

TIMES = ("t", "time")


class Box:
    """A product of intervals, one per coordinate.

    The order of the keywords is the order of the coordinates. Every coordinate except one named
    `t` or `time` is spatial.

    Args:
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

    def __init__(self, /, **bounds):
        if not bounds:
            raise ValueError("A Box needs at least one coordinate, as in Box(t=(0, 1), x=(-1, 1)).")
        pairs = {_check_name(name): _interval(name, pair) for name, pair in bounds.items()}
        ends = np.cumsum([len(lower) for lower, _ in pairs.values()])
        starts = [0, *ends[:-1]]
        self.coordinates = tuple(pairs)
        self.axes = {name: range(*span) for name, *span in zip(pairs, starts, ends, strict=True)}
        self.lower = np.concatenate([lower for lower, _ in pairs.values()])
        self.upper = np.concatenate([upper for _, upper in pairs.values()])

    @property
    def spatial(self):
        """Names of the coordinates other than time."""
        return tuple(name for name in self.coordinates if name not in TIMES)

    @property
    def bounds(self):
        """`{name: (lower, upper)}`: floats for scalar, arrays `(d,)` for vector coordinates."""
        return {name: self._bound(name) for name in self.coordinates}

    @property
    def volume(self):
        """Product of the widths of all intervals, time included."""
        return float(np.prod(self.upper - self.lower))

    def sample(self, n, method="uniform", seed=None):
        """Points of the box.

        Args:
            n: number of points. For `method="grid"` the number of all points, a power `k**axes`,
                or the points per coordinate: `{"t": 101, "x": 256}`.
            method: `"uniform"`, `"latin_hypercube"`, `"sobol"` (balanced best when `n` is a power
                of two) or `"grid"` (ends included, the last coordinate varies fastest).
            seed: int, numpy `Generator`, or None: then `keras.utils.set_random_seed` decides.

        Returns:
            Dict of float64 arrays `(n, 1)`, or `(n, d)` for a vector coordinate.

        Raises:
            TypeError, ValueError: if an argument is not one of the above.
        """
        return Face(self, {}).sample(n, method, seed)

    def face(self, /, **fixed):
        """The part of the box on which some scalar coordinates are fixed.

        Args:
            **fixed: `name=value`, within the bounds, ends included. Several make an edge.

        Returns:
            A `Face`, which samples all the coordinates of the box.

        Raises:
            ValueError: if a name is unknown or a vector, or a value lies outside.

        Example:
            >>> Box(t=(0, 1), x=(-1, 1)).face(t=0).sample(3)["t"].ravel()
            array([0., 0., 0.])
        """
        if not fixed:
            raise ValueError(f"face() needs a coordinate to fix, as in face({self._end()}).")
        return Face(self, {self._scalar_axis(k): self._inside(k, v) for k, v in fixed.items()})

    def boundary(self, *names):
        """All lower and upper faces of the named coordinates.

        Args:
            *names: coordinates; by default all spatial ones. Time only when it is named.

        Returns:
            A `Boundary`; with outward normals if all the names are spatial.

        Raises:
            ValueError: if a name is unknown or given twice, or there is nothing to choose.
        """
        names = names or self.spatial
        if not names:
            raise ValueError(
                f"{self} has no spatial coordinate, so no default boundary. Name the coordinates: "
                f"boundary({self.coordinates[0]!r})."
            )
        for name in names:
            self._check_known(name)
        if len(set(names)) < len(names):
            raise ValueError(f"boundary() got a coordinate twice: {names}. Name each once.")
        return Boundary(self, names)

    def contains(self, points):
        """Which points lie in the closed box.

        Args:
            points: dict with an array `(n, 1)`, `(n,)` or `(n, d)` per coordinate. Other keys
                are ignored. Bounds are rounded to the dtype of the points.

        Returns:
            Array of bools `(n,)`.

        Raises:
            ValueError: if a coordinate is missing or shapes do not fit.
        """
        if not isinstance(points, Mapping):
            raise ValueError(f"`points` must be a dict of arrays by coordinate, got {points!r}.")
        missing = [name for name in self.coordinates if name not in points]
        if missing:
            raise ValueError(f"The points lack {missing}. They have {list(points)}.")
        inside = [self._contains(name, points[name]) for name in self.coordinates]
        if len({len(part) for part in inside}) > 1:
            lengths = {k: len(part) for k, part in zip(self.coordinates, inside, strict=True)}
            raise ValueError(f"All coordinates need the same number of points, got {lengths}.")
        return np.all(inside, axis=0)

    def __repr__(self):
        pairs = (f"{name}=({show(a)}, {show(b)})" for name, (a, b) in self.bounds.items())
        return f"Box({', '.join(pairs)})"

    def _bound(self, name):
        pick = list(self.axes[name])
        lower, upper = self.lower[pick], self.upper[pick]
        return (lower, upper) if len(pick) > 1 else (float(lower[0]), float(upper[0]))

    def _contains(self, name, values):
        values, width = real_array(f"`{name}`", values), len(self.axes[name])
        values = values[:, None] if values.ndim == 1 and width == 1 else values
        if values.ndim != 2 or values.shape[1] != width:
            raise ValueError(f"`{name}` must have the shape (n, {width}), got {values.shape}.")
        dtype = values.dtype if values.dtype.kind == "f" else "float64"
        lower, upper = (np.asarray(bound, dtype) for bound in self._bound(name))
        return np.all((lower <= values) & (values <= upper), axis=1)

    def _check_known(self, name):
        if not isinstance(name, str) or name not in self.axes:
            raise ValueError(f"Unknown coordinate {name!r}. The box has {self.coordinates}.")

    def _scalar_axis(self, name):
        self._check_known(name)
        if len(self.axes[name]) > 1:
            raise ValueError(
                f"face() fixes scalar coordinates, but {name!r} has {len(self.axes[name])} "
                f"components. For all of its faces use boundary({name!r})."
            )
        return self.axes[name][0]

    def _inside(self, name, value):
        number, (lower, upper) = _number(name, value), self._bound(name)
        if not lower <= number <= upper:
            raise ValueError(
                f"face({name}={show(number)}) lies outside the box. "
                f"Give a value in [{show(lower)}, {show(upper)}]."
            )
        return number

    def label(self, axis):
        """The name of an axis, `x[2]` of a vector coordinate."""
        name = next(name for name, axes in self.axes.items() if axis in axes)
        axes = self.axes[name]
        return name if len(axes) == 1 else f"{name}[{axis - axes[0]}]"

    def spatial_axes(self):
        """The axes of the coordinates other than time."""
        return [axis for name in self.spatial for axis in self.axes[name]]

    def _end(self):
        name = self.coordinates[0]
        return f"{name}={show(self.lower[self.axes[name][0]])}"


def _check_name(name):
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"A coordinate needs a Python name, such as 'x' or 'x1', got {name!r}.")
    if name == NORMAL:
        raise ValueError(
            f"The name {NORMAL!r} is kept for the outward normal of a boundary. "
            "Call the coordinate something else."
        )
    return name


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


def _number(name, value):
    return number(f"face({name}=...)", value)
