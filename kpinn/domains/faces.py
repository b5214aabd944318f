"""Faces of boxes, and the boundaries that are made of them."""

import math

import numpy as np

from kpinn.domains import sampling

NORMAL = "n"


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
        self._free = [axis for axis in range(len(box.lower)) if axis not in fixed]

    @property
    def fixed(self):
        """`{name: value}` of what is fixed; `"x[1]"` names a component of a vector coordinate."""
        return {self.box.label(axis): value for axis, value in self._fixed.items()}

    @property
    def normal(self):
        """Outward unit normal `(d,)` in the order of the spatial components, or None."""
        spatial = self.box.spatial_axes()
        fixed = [axis for axis in spatial if axis in self._fixed]
        if len(fixed) != 1:
            return None
        axis, value = fixed[0], self._fixed[fixed[0]]
        if value not in (self.box.lower[axis], self.box.upper[axis]):
            return None
        return _unit(spatial.index(axis), len(spatial), value == self.box.upper[axis])

    def sample(self, n, method="uniform", seed=None):
        """Points of the face; the arguments are those of `Box.sample`.

        A dict of `method="grid"` names the coordinates that are not fixed.

        Returns:
            Dict of float64 arrays, all the coordinates in the order of the box, and the normals
            `"n"` of shape `(n, d)` where the face has a normal.
        """
        sampling.check_method(method)
        lower, upper = self.box.lower[self._free], self.box.upper[self._free]
        if method == "grid":
            free = sampling.grid(lower, upper, self.counts(n))
        else:
            n = sampling.count(n, method=method)
            free = sampling.spread(lower, upper, n, method, sampling.generator(seed))
        return self._points(free)

    def __repr__(self):
        fixed = ", ".join(f"{name}={show(value)}" for name, value in self.fixed.items())
        return f"{self.box}.face({fixed})"

    def _points(self, free):
        rows = np.empty((len(free), len(self.box.lower)))
        rows[:, self._free] = free
        rows[:, list(self._fixed)] = list(self._fixed.values())
        points = {name: rows[:, list(axes)] for name, axes in self.box.axes.items()}
        if self.normal is not None:
            points[NORMAL] = np.tile(self.normal, (len(free), 1))
        return points

    def free_names(self):
        """Coordinates with a free component: the keys of the counts of a grid."""
        axes = self.box.axes
        return [name for name in axes if any(axis in self._free for axis in axes[name])]

    def counts(self, n):
        """Points on each free axis, from the number of all points or the points per coordinate."""
        names = self.free_names()
        if not isinstance(n, dict):
            return sampling.equal_counts(sampling.count(n), len(self._free), names)
        _check_count_names(n, names)
        counts = {name: sampling.count(k, f"n[{name!r}]", smallest=2) for name, k in n.items()}
        axes = self.box.axes
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
        axes = [axis for name in names for axis in box.axes[name]]
        ends = [(axis, float(end[axis])) for axis in axes for end in (box.lower, box.upper)]
        self.faces = tuple(Face(box, {axis: value}) for axis, value in ends)
        # A face lacks one factor of the volume; as a ratio it cannot overflow in many dimensions.
        widths = np.array([box.upper[axis] - box.lower[axis] for axis, _ in ends])
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
        sampling.check_method(method)
        counts = self.counts(n, method)
        rng = None if method == "grid" else sampling.generator(seed)
        pairs = zip(self.faces, counts, strict=True)
        parts = [face.sample(k, method, rng) for face, k in pairs if k]
        keys = self.box.coordinates + ((NORMAL,) if self._normals else ())
        return {key: np.concatenate([part[key] for part in parts]) for key in keys}

    def __repr__(self):
        return f"{self.box}.boundary({', '.join(map(repr, self.names))})"

    def counts(self, n, method):
        """What to ask of each face: a number of points, or points per coordinate."""
        if method == "grid" and isinstance(n, dict):
            free = [face.free_names() for face in self.faces]
            _check_count_names(n, [k for k in self.box.coordinates if any(k in f for f in free)])
            return [{name: n[name] for name in names} for names in free]
        counts = sampling.allocate(sampling.count(n, method=method), self._shares).tolist()
        if method == "grid":
            self._check_grid(n, counts)
        return counts

    def _check_grid(self, n, counts):
        try:
            for face, k in zip(self.faces, counts, strict=True):
                face.counts(k)
        except (TypeError, ValueError) as error:
            example = {name: 11 for face in self.faces for name in face.free_names()}
            raise ValueError(
                f"{n} points do not make a grid on each of the {len(self.faces)} faces of {self}, "
                f"which get {counts}. Give the points per coordinate, n={example}."
            ) from error


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


def show(value):
    """Numbers as one would write them: 1 rather than 1.0, arrays as lists."""
    if isinstance(value, np.ndarray):
        return f"[{', '.join(map(show, value.tolist()))}]"
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(float(value))
