"""Slices: a domain on the line or in the plane of the coordinates that are not fixed."""

from collections.abc import Mapping

import numpy as np

from kpinn.domains import Box
from kpinn.domains.patches import rounding
from kpinn.options.arrays import float_array


class Slice:
    """What is drawn of a domain: the points at which the other coordinates have fixed values.

    Args:
        domain: `kpinn.domains.Domain`.
        fixed: `{name: value}`, or None.

    Attributes:
        labels: of the axes that vary, one or two.
        lower, upper: corners of its bounding box, `(k,)`.
        where: the fixed values, for titles.
        is_box: whether there is nothing to look for, since it is a `Box`.
        is_space: whether all axes that vary are those of space.
        rounding: the level up to which points count as inside.

    Raises:
        TypeError, ValueError: if it is no line or plane, or a fixed value is not usable.
    """

    def __init__(self, domain, fixed):
        fixed = _fixed_values(domain, {} if fixed is None else fixed)
        self._domain = domain
        self._axes = _free_axes(domain, fixed)
        self._row = np.zeros(domain.frame.width)
        for name, value in fixed.items():
            self._row[list(domain.axes[name])] = value
        self.labels = [domain.frame.label(axis) for axis in self._axes]
        self.lower, self.upper = domain.lower[self._axes], domain.upper[self._axes]
        self.where = described(fixed)
        self.is_box = isinstance(domain, Box)
        self.rounding = rounding(domain.size, self._row)
        self.is_space = set(self._axes) <= set(domain.frame.spatial_axes)

    def points(self, nodes):
        """Nodes `(n, k)` as a dict of all coordinates of the domain."""
        return self._domain.frame.points(self._rows(nodes))

    def level(self, nodes):
        """The level of the domain at nodes `(..., k)`, `(...)`."""
        return self._domain.level(self._rows(nodes), np).reshape(nodes.shape[:-1])

    def holds(self, nodes):
        """Which nodes `(..., k)` lie in the closed domain."""
        return self.level(nodes) <= self.rounding

    def describe(self):
        """The domain and the fixed values, for errors."""
        return f"{self._domain}{self.where}"

    def _rows(self, nodes):
        rows = np.tile(self._row, (nodes[..., 0].size, 1))
        rows[:, self._axes] = nodes.reshape(-1, len(self._axes))
        return rows


def described(fixed):
    """The fixed values for titles, `" at t = 0.5"`."""
    listed = ", ".join(f"{k} = {_short(np.ravel(value))}" for k, value in (fixed or {}).items())
    return f" at {listed}" if listed else ""


def _fixed_values(domain, fixed):
    if not isinstance(fixed, Mapping):
        raise TypeError(f"`fixed` must be a dict such as {{'t': 0.5}}, got {fixed!r}.")
    unknown = [name for name in fixed if name not in domain.coordinates]
    if unknown:
        raise ValueError(
            f"Cannot fix {unknown}. {domain.subject()} has the coordinates {domain.coordinates}."
        )
    named = [name for name in domain.coordinates if name in fixed]
    return {name: _fixed_value(domain, name, fixed[name]) for name in named}


def _fixed_value(domain, name, value):
    value, width = float_array(f"fixed[{name!r}]", value), domain.frame.sizes[name]
    value = np.atleast_1d(value)
    if value.shape != (width,):
        raise ValueError(f"fixed[{name!r}] needs {width} number(s), got the shape {value.shape}.")
    return value


def _free_axes(domain, fixed):
    free = [name for name in domain.coordinates if name not in fixed]
    axes = [axis for name in free for axis in domain.axes[name]]
    if len(axes) not in (1, 2):
        vectors = [name for name in free if domain.frame.sizes[name] > 1]
        raise ValueError(
            f"A plot is over one or two axes, but {tuple(free) or 'none'} vary"
            f"{f' and {tuple(vectors)} are vectors' if vectors else ''}. Fix all but one or two "
            "of them, as in fixed={'t': 0.5} (a vector coordinate takes a list)."
        )
    if domain.is_surface:
        raise ValueError(
            f"{domain} is a set of points, curves or surfaces, and has no inside to draw over. "
            "Draw where its points are by its method plot()."
        )
    return axes


def _short(value):
    listed = ", ".join(f"{v:g}" for v in value)
    return listed if len(value) == 1 else f"[{listed}]"
