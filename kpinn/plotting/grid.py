"""The points that a figure is drawn from."""

from collections.abc import Mapping

import numpy as np

from kpinn.plotting.covering import bounds, cover, even_ticks
from kpinn.plotting.slices import Slice

WIDE, TALL = 0.3, 1.5  # height over width outside of which a map of a box is not drawn to scale


class Grid:
    """The points to draw from: a lattice over a box, or nodes of triangles or segments.

    Attributes:
        names: labels of the axes that are drawn.
        ticks: of a lattice, one array per axis.
        covering: `Covering` of a domain that does not fill its bounding box, else None.
        points: `{coordinate: (size, d)}`.
        shape: of the values that are drawn: that of the lattice, or `(size,)`.
        where: the fixed values, for titles.
        ratio: height over width of a map that is drawn to scale, else None.
    """

    def __init__(self, domain, points, fixed):
        plane = Slice(domain, fixed)
        self.coordinates, self.names, self.where = domain.coordinates, plane.labels, plane.where
        lower, upper = bounds(plane)
        counts = _point_counts(points, self.names)
        if plane.is_space and not plane.is_box and not isinstance(points, Mapping):
            counts = _equal_steps(upper - lower, counts)
        self.ticks = even_ticks(lower, upper, counts)
        self.covering = cover(plane, self.ticks)
        if self.covering is None:
            lattice = np.stack(np.meshgrid(*self.ticks, indexing="ij"), axis=-1)
            nodes, self.shape = lattice.reshape(-1, len(counts)), lattice.shape[:-1]
        else:
            nodes = self.covering.nodes
            self.shape = (len(nodes),)
        self.size, self.points = len(nodes), plane.points(nodes)
        self.ratio = _ratio(self.ticks, self.covering) if plane.is_space else None

    def rows(self, values, what):
        """`values` as `(n, k)`, or an error."""
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or len(values) != self.size:
            kind = f"of the grid {self.shape}" if self.covering is None else "inside the domain"
            raise ValueError(
                f"Expected {what} with {self.size} values, one per point {kind}, got the shape "
                f"{values.shape}."
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

    def root_mean_square(self, values):
        """Over the grid, or over the length or area of the domain."""
        weights = None if self.covering is None else self.covering.weights
        return float(np.sqrt(np.average(np.square(values), weights=weights)))

    def curve(self, values):
        """Places and values along the only axis, NaN between where the domain has a gap."""
        if self.covering is None:
            return self.ticks[0], values
        segments = self.covering.simplices
        gaps = np.flatnonzero(segments[:-1, 1] != segments[1:, 0]) + 1
        lines = [np.append(piece[:, 0], piece[-1, 1]) for piece in np.split(segments, gaps)]
        places = self.covering.nodes[:, 0]
        return tuple(
            np.concatenate([np.append(each[line], np.nan) for line in lines])
            for each in (places, values)
        )


def _ratio(ticks, covering):
    """Height over width of a map in space, drawn to scale; None where that makes a bad figure."""
    spans = [axis[-1] - axis[0] for axis in ticks]
    if len(spans) < 2:
        return None
    ratio = spans[1] / spans[0]
    return ratio if covering is not None or WIDE < ratio < TALL else None


def _equal_steps(spans, counts):
    """Counts with about the same product, and steps of about the same length."""
    size = np.prod(spans) ** (1 / len(spans))
    return [max(2, round(k * span / size)) for k, span in zip(counts, spans, strict=True)]


def _point_counts(points, names):
    counts = dict(points) if isinstance(points, Mapping) else dict.fromkeys(names, points)
    if set(counts) != set(names):
        raise ValueError(f"`points` needs the coordinates {tuple(names)}, got {tuple(counts)}.")
    for name, n in counts.items():
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 2:
            raise ValueError(f"`points` along {name!r} must be an int of at least 2, got {n!r}.")
    return [int(counts[name]) for name in names]
