"""Boxes: the product of intervals, its faces and its boundary.

Inside, a point of a box is a row of *axes*: a scalar coordinate is one axis, a vector coordinate
of `d` components is `d` neighbouring axes. Samples are handed out as dicts of coordinates.
"""

import keyword
import math

import numpy as np

from kpinn.domains import sampling

NORMAL = "n"
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
        self._axes = {name: range(*span) for name, *span in zip(pairs, starts, ends, strict=True)}
        self._lower = np.concatenate([lower for lower, _ in pairs.values()])
        self._upper = np.concatenate([upper for _, upper in pairs.values()])

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
        return float(np.prod(self._upper - self._lower))

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
        if len(set(names)) < len(names):
            raise ValueError(f"boundary() got a coordinate twice: {names}. Name each once.")
        for name in names:
            self._check_known(name)
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
        missing = [name for name in self.coordinates if name not in points]
        if missing:
            raise ValueError(f"The points lack {missing}. They have {list(points)}.")
        inside = [self._contains(name, points[name]) for name in self.coordinates]
        if len({len(part) for part in inside}) > 1:
            lengths = {k: len(part) for k, part in zip(self.coordinates, inside, strict=True)}
            raise ValueError(f"All coordinates need the same number of points, got {lengths}.")
        return np.all(inside, axis=0)

    def __repr__(self):
        pairs = (f"{name}=({_show(a)}, {_show(b)})" for name, (a, b) in self.bounds.items())
        return f"Box({', '.join(pairs)})"

    def _bound(self, name):
        pick = list(self._axes[name])
        lower, upper = self._lower[pick], self._upper[pick]
        return (lower, upper) if len(pick) > 1 else (float(lower[0]), float(upper[0]))

    def _contains(self, name, values):
        values, width = np.asarray(values), len(self._axes[name])
        values = values[:, None] if values.ndim == 1 and width == 1 else values
        if values.ndim != 2 or values.shape[1] != width:
            raise ValueError(f"`{name}` must have the shape (n, {width}), got {values.shape}.")
        dtype = values.dtype if values.dtype.kind == "f" else "float64"
        lower, upper = (np.asarray(bound, dtype) for bound in self._bound(name))
        return np.all((lower <= values) & (values <= upper), axis=1)

    def _check_known(self, name):
        if name not in self._axes:
            raise ValueError(f"Unknown coordinate {name!r}. The box has {self.coordinates}.")

    def _scalar_axis(self, name):
        self._check_known(name)
        if len(self._axes[name]) > 1:
            raise ValueError(
                f"face() fixes scalar coordinates, but {name!r} has {len(self._axes[name])} "
                f"components. For all of its faces use boundary({name!r})."
            )
        return self._axes[name][0]

    def _inside(self, name, value):
        number, (lower, upper) = _number(name, value), self._bound(name)
        if not lower <= number <= upper:
            raise ValueError(
                f"face({name}={_show(number)}) lies outside the box. "
                f"Give a value in [{_show(lower)}, {_show(upper)}]."
            )
        return number

    def _label(self, axis):
        name = next(name for name, axes in self._axes.items() if axis in axes)
        axes = self._axes[name]
        return name if len(axes) == 1 else f"{name}[{axis - axes[0]}]"

    def _spatial_axes(self):
        return [axis for name in self.spatial for axis in self._axes[name]]

    def _end(self):
        name = self.coordinates[0]
        return f"{name}={_show(self._lower[self._axes[name][0]])}"


class Face:
    """A box with some of its axes fixed; made by `Box.face` and `Box.boundary`.

    Where exactly one spatial axis is fixed, at an end of its interval, the face is a piece of the
    boundary in space and has a normal.

    Args:
        box: the `Box`.
        fixed: `{axis: value}`.
    """

    def __init__(self, box, fixed):
        self.box = box
        self._fixed = fixed
        self._free = [axis for axis in range(len(box._lower)) if axis not in fixed]

    @property
    def fixed(self):
        """`{name: value}` of what is fixed; `"x[1]"` names a component of a vector coordinate."""
        return {self.box._label(axis): value for axis, value in self._fixed.items()}

    @property
    def normal(self):
        """Outward unit normal `(d,)` in the order of the spatial components, or None."""
        spatial = self.box._spatial_axes()
        fixed = [axis for axis in spatial if axis in self._fixed]
        if len(fixed) != 1:
            return None
        axis, value = fixed[0], self._fixed[fixed[0]]
        if value not in (self.box._lower[axis], self.box._upper[axis]):
            return None
        return _unit(spatial.index(axis), len(spatial), value == self.box._upper[axis])

    def sample(self, n, method="uniform", seed=None):
        """Points of the face; the arguments are those of `Box.sample`.

        A dict of `method="grid"` names the coordinates that are not fixed.

        Returns:
            Dict of float64 arrays, all the coordinates in the order of the box, and the normals
            `"n"` of shape `(n, d)` where the face has a normal.
        """
        lower, upper = self.box._lower[self._free], self.box._upper[self._free]
        if method == "grid":
            free = sampling.grid(lower, upper, self._counts(n))
        else:
            n = sampling.count(n, method=method)
            free = sampling.spread(lower, upper, n, method, sampling.generator(seed))
        return self._points(free)

    def __repr__(self):
        fixed = ", ".join(f"{name}={_show(value)}" for name, value in self.fixed.items())
        return f"{self.box}.face({fixed})"

    def _points(self, free):
        rows = np.empty((len(free), len(self.box._lower)))
        rows[:, self._free] = free
        rows[:, list(self._fixed)] = list(self._fixed.values())
        points = {name: rows[:, list(axes)] for name, axes in self.box._axes.items()}
        if self.normal is not None:
            points[NORMAL] = np.tile(self.normal, (len(free), 1))
        return points

    def _free_names(self):
        """Coordinates with a free component: the keys of the counts of a grid."""
        axes = self.box._axes
        return [name for name in axes if any(axis in self._free for axis in axes[name])]

    def _counts(self, n):
        """Points on each free axis, from the number of all points or the points per coordinate."""
        names = self._free_names()
        if not isinstance(n, dict):
            return sampling.equal_counts(sampling.count(n), len(self._free), names)
        _check_count_names(n, names)
        counts = {name: sampling.count(k, f"n[{name!r}]", smallest=2) for name, k in n.items()}
        axes = self.box._axes
        return [counts[name] for name in axes for axis in axes[name] if axis in self._free]


class Boundary:
    """Lower and upper faces of some coordinates; made by `Box.boundary`.

    Args:
        box: the `Box`.
        names: coordinates whose faces belong to it.
    """

    def __init__(self, box, names):
        self.box = box
        self.names = tuple(names)
        self._normals = all(name in box.spatial for name in names)
        axes = [axis for name in names for axis in box._axes[name]]
        ends = [(axis, float(end[axis])) for axis in axes for end in (box._lower, box._upper)]
        self.faces = tuple(Face(box, {axis: value}) for axis, value in ends)
        # A face lacks one factor of the volume; as a ratio it cannot overflow in many dimensions.
        widths = np.array([box._upper[axis] - box._lower[axis] for axis, _ in ends])
        self._shares = widths.min() / widths

    def sample(self, n, method="uniform", seed=None):
        """Points of all faces, in proportion to their measures, one face after the other.

        Args:
            n: number of all points, exactly; every face gets one if there are enough. For
                `method="grid"` better the points per coordinate, `{"x": 50, "y": 50}`: each face
                takes those of its free coordinates (edges of the box then come twice).
            method, seed: as for `Box.sample`; every face has a design of its own.

        Returns:
            Dict of float64 arrays, all the coordinates in the order of the box, and the outward
            normals `"n"`, `(n, d)`, if all the coordinates of the boundary are spatial.

        Raises:
            TypeError, ValueError: if an argument is not one of the above.
        """
        counts = self._counts(n, method)
        rng = None if method == "grid" else sampling.generator(seed)
        pairs = zip(self.faces, counts, strict=True)
        parts = [face.sample(k, method, rng) for face, k in pairs if k]
        keys = self.box.coordinates + ((NORMAL,) if self._normals else ())
        return {key: np.concatenate([part[key] for part in parts]) for key in keys}

    def __repr__(self):
        return f"{self.box}.boundary({', '.join(map(repr, self.names))})"

    def _counts(self, n, method):
        """What to ask of each face: a number of points, or points per coordinate."""
        if method == "grid" and isinstance(n, dict):
            free = [face._free_names() for face in self.faces]
            _check_count_names(n, [k for k in self.box.coordinates if any(k in f for f in free)])
            return [{name: n[name] for name in names} for names in free]
        counts = sampling.allocate(sampling.count(n, method=method), self._shares).tolist()
        if method == "grid":
            self._check_grid(n, counts)
        return counts

    def _check_grid(self, n, counts):
        try:
            for face, k in zip(self.faces, counts, strict=True):
                face._counts(k)
        except (TypeError, ValueError) as error:
            example = {name: 11 for face in self.faces for name in face._free_names()}
            raise ValueError(
                f"{n} points do not make a grid on each of the {len(self.faces)} faces of {self}, "
                f"which get {counts}. Give the points per coordinate, n={example}."
            ) from error


def _check_name(name):
    if not name.isidentifier() or keyword.iskeyword(name):
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
        lower, upper = (np.asarray(end, "float64") for end in pair)
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
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"face({name}=...) needs one number, got {value!r}.") from None


def _check_count_names(counts, names):
    if set(counts) != set(names):
        raise ValueError(
            f"A grid needs the points on each of {tuple(names)}, got them for {tuple(counts)}. "
            "Coordinates that are fixed take none."
        )


def _unit(index, length, positive):
    normal = np.zeros(length)
    normal[index] = 1.0 if positive else -1.0
    return normal


def _show(value):
    """Numbers as one would write them: 1 rather than 1.0, arrays as lists."""
    if isinstance(value, np.ndarray):
        return f"[{', '.join(map(_show, value.tolist()))}]"
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(float(value))
