"""The grid that a figure is drawn on."""

from collections.abc import Mapping

import numpy as np

from kpinn.options.arrays import float_array


class Grid:
    """The grid to draw on: `names` and `ticks` of what varies, `points` of everything."""

    def __init__(self, box, points, fixed):
        fixed = _fixed_values(box, {} if fixed is None else fixed)
        self.coordinates = box.coordinates
        self.names = _free_names(box, fixed)
        counts = _point_counts(points, self.names)
        self.ticks = [np.linspace(*box.bounds[k], counts[k]) for k in self.names]
        self.shape = tuple(counts.values())
        mesh = np.meshgrid(*self.ticks, indexing="ij")
        free = {k: axis.reshape(-1, 1) for k, axis in zip(self.names, mesh, strict=True)}
        self.size = mesh[0].size
        held = {k: np.tile(value, (self.size, 1)) for k, value in fixed.items()}
        self.points = {k: (free | held)[k] for k in box.coordinates}
        listed = ", ".join(f"{k} = {_short(value)}" for k, value in fixed.items())
        self.where = f" at {listed}" if listed else ""
        self.ratio = _ratio(self.ticks) if set(self.names) <= set(box.spatial) else None

    def rows(self, values, what):
        """`values` as `(n, k)`, or an error."""
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or len(values) != self.size:
            raise ValueError(
                f"Expected {what} with {self.size} values, one per point of the grid "
                f"{self.shape}, got the shape {values.shape}."
            )
        return values

    def column(self, values, what):
        """The only column of `values`, in the shape of the grid."""
        values = self.rows(np.asarray(values, "float64"), what)
        if values.shape[1] != 1:
            raise ValueError(
                f"A plot shows one number per point, but {what} has {values.shape[1]} "
                "components. Name one of them."
            )
        return values.reshape(self.shape)

    def reference(self, reference):
        """Values of a reference in the shape of the grid."""
        if callable(reference):
            arrays = [self.points[name] for name in self.coordinates]
            reference = reference(*(a[:, 0] if a.shape[1] == 1 else a for a in arrays))
        values = np.asarray(reference, "float64")
        return self.column(values.ravel() if values.shape == self.shape else values, "a reference")


def _ratio(ticks):
    """Height over width of a map in space, drawn to scale; None where that makes a bad figure."""
    spans = [axis[-1] - axis[0] for axis in ticks]
    return spans[1] / spans[0] if len(spans) == 2 and 0.3 < spans[1] / spans[0] < 1.5 else None


def _fixed_values(box, fixed):
    if not isinstance(fixed, Mapping):
        raise TypeError(f"`fixed` must be a dict such as {{'t': 0.5}}, got {fixed!r}.")
    unknown = [name for name in fixed if name not in box.coordinates]
    if unknown:
        raise ValueError(f"Cannot fix {unknown}. The box has the coordinates {box.coordinates}.")
    return {name: _fixed_value(box, name, fixed[name]) for name in box.coordinates if name in fixed}


def _fixed_value(box, name, value):
    value, width = float_array(f"fixed[{name!r}]", value), np.size(box.bounds[name][0])
    value = np.atleast_1d(value)
    if value.shape != (width,):
        raise ValueError(f"fixed[{name!r}] needs {width} number(s), got the shape {value.shape}.")
    return value


def _free_names(box, fixed):
    free = [name for name in box.coordinates if name not in fixed]
    vectors = [name for name in free if np.size(box.bounds[name][0]) > 1]
    if len(free) not in (1, 2) or vectors:
        raise ValueError(
            f"A plot is over one or two scalar coordinates, but {tuple(free) or 'none'} vary"
            f"{f' and {tuple(vectors)} are vectors' if vectors else ''}. Fix all but one or two "
            "of them, as in fixed={'t': 0.5} (a vector coordinate takes a list)."
        )
    return free


def _point_counts(points, names):
    counts = dict(points) if isinstance(points, Mapping) else dict.fromkeys(names, points)
    if set(counts) != set(names):
        raise ValueError(f"`points` needs the coordinates {tuple(names)}, got {tuple(counts)}.")
    for name, n in counts.items():
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 2:
            raise ValueError(f"`points` along {name!r} must be an int of at least 2, got {n!r}.")
    return {name: int(counts[name]) for name in names}


def _short(value):
    listed = ", ".join(f"{v:g}" for v in value)
    return listed if len(value) == 1 else f"[{listed}]"
