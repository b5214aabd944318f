"""Frames: which coordinates a domain has, and where they stand in a row.

Inside, a point is a row of *axes*: a scalar coordinate is one axis, a vector coordinate of `d`
components is `d` neighbouring axes. Points are handed out as dicts of coordinates.
"""

import dataclasses
import functools
import keyword
import math
from collections.abc import Mapping

import numpy as np

from kpinn.options.arrays import float_array, real_array

NORMAL = "n"
TIMES = ("t", "time")


@dataclasses.dataclass(frozen=True)
class Frame:
    """The coordinates of a domain.

    Args:
        sizes: `{name: components}` in the order of the coordinates.
        parameters: names among them that are parameters, which are no space (nor is time).
    """

    sizes: Mapping
    parameters: tuple = ()

    @property
    def coordinates(self):
        """Names in their order."""
        return tuple(self.sizes)

    @functools.cached_property
    def axes(self):
        """`{name: range of its axes}`."""
        ends = np.cumsum(list(self.sizes.values())).tolist()
        spans = zip(self.sizes, [0, *ends[:-1]], ends, strict=True)
        return {name: range(start, end) for name, start, end in spans}

    @property
    def width(self):
        """Number of axes."""
        return sum(self.sizes.values())

    @property
    def spatial(self):
        """Names of the coordinates other than time and parameters."""
        others = (*TIMES, *self.parameters)
        return tuple(name for name in self.sizes if name not in others)

    @functools.cached_property
    def spatial_axes(self):
        """The axes of the spatial coordinates."""
        return [axis for name in self.spatial for axis in self.axes[name]]

    @functools.cached_property
    def other_axes(self):
        """The axes of time and parameters."""
        return [axis for axis in range(self.width) if axis not in self.spatial_axes]

    def label(self, axis):
        """The name of an axis, `x[2]` of a vector coordinate."""
        name = self.name(axis)
        axes = self.axes[name]
        return name if len(axes) == 1 else f"{name}[{axis - axes[0]}]"

    def name(self, axis):
        """The coordinate that an axis belongs to."""
        return next(name for name, axes in self.axes.items() if axis in axes)

    def embedded(self, vectors, xp):
        """Vectors `(n, spatial axes)` as rows, zero in time and parameters."""
        if not self.other_axes:
            return vectors
        zeros = xp.zeros_like(vectors[:, :1])
        order = np.argsort([*self.spatial_axes, *self.other_axes]).astype("int32")
        return xp.take(
            xp.concatenate([vectors, *[zeros] * len(self.other_axes)], axis=1), order, axis=1
        )

    def points(self, rows):
        """Rows `(n, axes)` as a dict of arrays `(n, d)` by coordinate."""
        return {name: rows[:, axes[0] : axes[-1] + 1] for name, axes in self.axes.items()}

    def rows(self, points):
        """A dict of arrays by coordinate as rows `(n, axes)`; other keys are ignored.

        The rows have the shortest floating dtype of the arrays.

        Raises:
            ValueError: if a coordinate is missing or shapes do not fit.
        """
        if not isinstance(points, Mapping):
            raise ValueError(f"`points` must be a dict of arrays by coordinate, got {points!r}.")
        missing = [name for name in self.sizes if name not in points]
        if missing:
            raise ValueError(f"The points lack {missing}. They have {list(points)}.")
        columns = [self._columns(name, points[name]) for name in self.sizes]
        if len({len(values) for values in columns}) > 1:
            lengths = {k: len(values) for k, values in zip(self.sizes, columns, strict=True)}
            raise ValueError(f"All coordinates need the same number of points, got {lengths}.")
        floats = [values.dtype for values in columns if values.dtype.kind == "f"]
        dtype = min(floats, key=lambda d: d.itemsize, default=np.dtype("float64"))
        return np.concatenate([values.astype(dtype) for values in columns], axis=1)

    def _columns(self, name, values):
        values, width = real_array(f"`{name}`", values), self.sizes[name]
        values = values[:, None] if values.ndim == 1 and width == 1 else values
        if values.ndim != 2 or values.shape[1] != width:
            raise ValueError(f"`{name}` must have the shape (n, {width}), got {values.shape}.")
        return values


def check_name(name):
    """A name as such, or an error which says why it is not one of a coordinate."""
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"A coordinate needs a Python name, such as 'x' or 'x1', got {name!r}.")
    if name == NORMAL:
        raise ValueError(
            f"The name {NORMAL!r} is kept for the outward normal of a boundary. "
            "Call the coordinate something else."
        )
    return name


def check_spatial_name(shape, name):
    """Raises `ValueError` for a name that is not usable, or is that of time."""
    if check_name(name) in TIMES:
        raise ValueError(
            f"{shape} lies in space, and {name!r} is time. Multiply it by "
            f"Box({name}=(0, 1)), or call the coordinate something else."
        )


def spatial_vector(shape, coordinates, example):
    """A point in space, given by coordinates, as a `Frame` and an array `(axes,)`.

    Args:
        shape: name of the shape, for errors.
        coordinates: `{name: number or array (d,)}`.
        example: how it is written, for errors.

    Raises:
        ValueError: if there is none, a name is not usable or that of time, or not finite.
    """
    if not coordinates:
        raise ValueError(f"A {shape} needs coordinates, as in {example}.")
    parts = {}
    for name, value in coordinates.items():
        check_spatial_name(f"A {shape}", name)
        part = np.atleast_1d(float_array(f"`{name}` of {shape}", value))
        if part.ndim > 1 or part.size == 0 or not np.all(np.isfinite(part)):
            raise ValueError(f"`{name}` of {shape} is a finite number or array (d,), got {value}.")
        parts[name] = part
    frame = Frame({name: len(part) for name, part in parts.items()})
    return frame, np.concatenate(list(parts.values()))


def spatial_row(frame, what, values):
    """Values of spatial coordinates as a row `(axes,)`, zero in what is not named.

    Args:
        frame: `Frame`.
        what: they are given to, for errors.
        values: `{name: number or array (d,)}`.

    Raises:
        ValueError: if a name is not that of a spatial coordinate, or a value does not fit.
    """
    row = np.zeros(frame.width)
    for name, value in values.items():
        if name not in frame.spatial:
            raise ValueError(f"{what} takes the spatial coordinates {frame.spatial}, got {name!r}.")
        part, size = np.atleast_1d(float_array(f"`{name}` of {what}", value)), frame.sizes[name]
        if part.shape not in ((1,), (size,)) or not np.all(np.isfinite(part)):
            raise ValueError(
                f"`{name}` of {what} is a finite number or {size} of them, got {value}."
            )
        row[list(frame.axes[name])] = part
    return row


def show(value):
    """Numbers as one would write them: 1 rather than 1.0, arrays as lists."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"[{', '.join(map(show, value.tolist()))}]"
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(float(value))


def show_point(frame, values):
    """Coordinates of a point as keywords: `x=0, y=[1, 2]`."""
    parts = {name: values[list(axes)] for name, axes in frame.axes.items()}
    return ", ".join(f"{k}={show(v if len(v) > 1 else v[0])}" for k, v in parts.items())
