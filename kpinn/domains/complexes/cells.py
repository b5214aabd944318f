"""Closed surfaces of many facets in compiled steps: of each cell of a grid, the facets near it.

There is no search there that leaves facets out. With those of its cell, the distance of a point is
right in each cell that the surface passes through; in others its sign is, and the distance is that
of the facet which is nearest to the centre of the cell.
"""

import dataclasses
import functools

import numpy as np

from kpinn.domains.complexes import distances
from kpinn.domains.patches import constant
from kpinn.domains.sampling import grid

FEW = 256  # facets, all of which are looked at
ALONG = {2: 64, 3: 32}  # cells along the longest side of the bounding box, by dimension
AROUND = 3  # layers of cells around it, of which the last lies outside
SHARE = 4  # so many times as many facets as are looked at in a cell, or cells do not pay


@dataclasses.dataclass(frozen=True, eq=False)
class Sided:
    """A closed surface, and the level of what it bounds.

    Args:
        surface: a `distances.Surface` with sides.
    """

    surface: distances.Surface

    def level(self, rows, xp):
        """Distances `(n,)` of points `(n, d)`, negative inside."""
        return distances.signed_distance(self.surface, rows, xp)

    def side(self, rows, xp):
        """The same near the surface, and numbers with its sign elsewhere; with fewer facets."""
        if xp is np or len(self.surface.facets) <= FEW or self._cells is None:
            return self.level(rows, xp)
        cell = self._cells.of(rows, xp)
        numbers = xp.take(self._cells.facets, cell, axis=0)
        facets = xp.take(constant(self.surface.facets, rows), numbers, axis=0)
        first = xp.argmin(distances.squares(rows[:, None], facets, xp), axis=1)
        nearest = xp.take_along_axis(numbers, first[:, None], axis=1)[:, 0]
        level = distances.signed(self.surface, rows, nearest, xp)
        sign = xp.take(constant(self._cells.signs, rows), cell, axis=0)
        return xp.where(sign == 0, level, sign * xp.abs(level))

    @functools.cached_property
    def _cells(self):
        return _cells(self.surface)


@dataclasses.dataclass(frozen=True, eq=False)
class Cells:
    """Cubes of a grid around a surface.

    Args:
        start: lower corner of the grid, `(d,)`.
        width: of a cell.
        counts: of the cells along each axis, `(d,)`.
        facets: numbers of facets of each cell, `(cells, k)`; where the surface passes through it,
            all that may be nearest to one of its points.
        signs: of the level in the cells that it does not pass through, `(cells,)`; else 0.
    """

    start: np.ndarray
    width: float
    counts: np.ndarray
    facets: np.ndarray
    signs: np.ndarray

    def of(self, rows, xp):
        """The numbers of the cells of points, `(n,)`; beyond the grid those of the nearest."""
        most = constant(self.counts - 1, rows)
        place = xp.clip((rows - constant(self.start, rows)) / self.width, 0 * most, most)
        steps = np.append(np.cumprod(self.counts[:0:-1])[::-1], 1).astype("int32")
        return xp.sum(xp.cast(place, "int32") * steps, axis=1)


def _cells(surface):
    """The `Cells` of a surface, or None where most facets are near one cell."""
    lower, upper = surface.lower.min(axis=0), surface.upper.max(axis=0)
    dims, width = len(lower), float((upper - lower).max()) / ALONG[len(lower)]
    counts = np.ceil((upper - lower) / width).astype(int) + 2 * AROUND
    start = (lower + upper - counts * width) / 2
    centres = grid(start + width / 2, start + (counts - 0.5) * width, counts)
    nearest = distances.nearest(surface, centres, np)
    levels = distances.signed(surface, centres, nearest, np)
    radius = 0.5 * width * dims**0.5 * (1 + 1e-9)
    (cut,) = np.nonzero(np.abs(levels) <= radius)
    cell, facet = distances.within(surface, centres[cut], np.abs(levels[cut]) + 2 * radius)
    place = 1 + np.arange(len(cell)) - np.searchsorted(cell, cell)
    most = place.max(initial=0) + 1
    if SHARE * most > len(surface.facets):
        return None
    facets = np.repeat(nearest[:, None], most, axis=1)
    facets[cut[cell], place] = facet
    signs = np.sign(levels)
    signs[cut] = 0
    return Cells(start, width, counts, facets.astype("int32"), signs)
