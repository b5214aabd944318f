"""The points of a picture over a domain."""

from collections.abc import Mapping

import numpy as np

from kpinn.options import whole
from kpinn.plotting.covering import bounds, cover, even_ticks
from kpinn.plotting.places import Places
from kpinn.plotting.slice import Slice

WIDE, TALL = 0.3, 1.5  # height over width outside of which a map of a box is not drawn to scale


class Grid(Places):
    """A lattice over a box, or nodes of triangles or segments.

    Attributes:
        ticks: of a lattice, one array per axis.
        covering: `Covering` of a domain that does not fill its bounding box, else None.
        lower, upper: corners of the bounding box, `(k,)`.
        ratio: height over width of a map that is drawn to scale, else None.
    """

    def __init__(self, domain, points, fixed):
        plane = Slice(domain, fixed)
        self.coordinates, self.names, self.where = domain.coordinates, plane.labels, plane.where
        lower, upper = self.lower, self.upper = bounds(plane)
        counts = _point_counts(points, self.names)
        if plane.is_space and not plane.is_box and not isinstance(points, Mapping):
            counts = _equal_steps(upper - lower, counts)
        self.ticks = even_ticks(lower, upper, counts)
        self.covering = cover(plane, self.ticks)
        if self.covering is None:
            self.kind = f"of the grid {tuple(counts)}"
            lattice = np.stack(np.meshgrid(*self.ticks, indexing="ij"), axis=-1)
            nodes, self.shape = lattice.reshape(-1, len(counts)), lattice.shape[:-1]
        else:
            nodes, self.weights = self.covering.nodes, self.covering.weights
            self.kind = "inside the domain"
            self.shape = (len(nodes),)
        self.size, self.points = len(nodes), plane.points(nodes)
        self.ends = self.ticks[0][[0, -1]]
        self.ratio = _ratio(self.ticks, self.covering) if plane.is_space else None

    def curves(self, values):
        """`[(label, places, values)]` along the only axis, NaN where the domain has a gap."""
        if self.covering is None:
            return [(None, self.ticks[0], values)]
        segments = self.covering.simplices
        gaps = np.flatnonzero(segments[:-1, 1] != segments[1:, 0]) + 1
        lines = [np.append(piece[:, 0], piece[-1, 1]) for piece in np.split(segments, gaps)]
        along = [self.covering.nodes[:, 0], values]
        found = [
            np.concatenate([np.append(each[line], np.nan) for line in lines]) for each in along
        ]
        return [(None, *found)]


def split_prediction(pinn, grids, name):
    """Values of a field on several grids from one call of the model, a list of them."""
    points = {key: np.concatenate([grid.points[key] for grid in grids]) for key in grids[0].points}
    values = np.asarray(pinn.predict_fields(points, name)[name])
    parts = np.split(values, np.cumsum([grid.size for grid in grids])[:-1])
    return [grid.column(part, f"field {name!r}") for grid, part in zip(grids, parts, strict=True)]


def ticks_along(domain, along, count, what="points"):
    """Equally spaced values of a coordinate, ends included, `(count,)`.

    Raises:
        ValueError: if it is none of the domain, or a vector, or for a number that is none.
    """
    count = whole(what, count, 2)
    scalars = [name for name, size in domain.frame.sizes.items() if size == 1]
    if along not in scalars:
        raise ValueError(f"along={along!r} is none of the coordinates {tuple(scalars)}.")
    (axis,) = domain.axes[along]
    return even_ticks(domain.lower[[axis]], domain.upper[[axis]], [count])[0]


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
    return [whole(f"points along {name!r}", counts[name], 2) for name in names]
