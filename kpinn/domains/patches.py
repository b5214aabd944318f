"""Patches: images of the unit cube, of which domains and their boundaries are made.

All geometry is written once for numpy and for `keras.ops` (the argument `xp`), so that points on
the host and points inside a compiled step come from the same functions.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping

import keras
import numpy as np

ROUNDING = 64  # units in the last place of the size of a domain within which points coincide


@dataclasses.dataclass(frozen=True, eq=False)
class Patch:
    """A set that is the image of the unit cube under a map with constant density.

    Args:
        numbers: how many numbers of [0, 1] a point takes; 0 for a single point.
        place: `(unit (n, numbers), xp) -> rows (n, axes)`; uniform numbers become uniform points.
        measure: volume, area or length of the image, before `keep`.
        normal: `(unit, xp) -> (n, spatial axes)`, outward unit normals; None where there is none.
        density: `(unit, xp) -> (n,)`, in (0, 1]; for a map whose density is not constant, the share
            of the points that count. `measure` is then that of an envelope.
        keep: conditions `(rows, normals, xp) -> (n,)`; a point counts where all are <= 0.
        cut: the same for numbers, `(unit, xp) -> (n,)`, where the points do not tell.
        tags: names of the parts that it belongs to.
        part: the one of `with_parts` that it belongs to, of which there is at most one.
        fixed: `{axis: value}` of coordinates that are constant on it.
        grid_axes: number `i` runs linearly along axis `grid_axes[i]`; None where it does not.
        periodic: the numbers of which 0 and 1 are the same point, and smoothly so.
        breaks: `{number: ends}` of numbers with intervals, one after the other from 0 to 1, in each
            of which the map is smooth; `ends` are where they end, `(m,)`.
        smooth: the same set by a map that is smooth, with a density, for quadrature; None where
            `place` is smooth.
        log_measure: logarithm of the measure, where that under- or overflows.
    """

    numbers: int
    place: Callable
    measure: float
    normal: Callable | None = None
    density: Callable | None = None
    keep: tuple = ()
    cut: tuple = ()
    tags: frozenset = frozenset()
    part: str | None = None
    fixed: Mapping = dataclasses.field(default_factory=dict)
    grid_axes: tuple | None = None
    periodic: tuple = ()
    breaks: Mapping = dataclasses.field(default_factory=dict)
    smooth: "Patch | None" = None
    log_measure: float | None = None

    def with_tag(self, name):
        """The same set, which belongs to one more part."""
        return dataclasses.replace(self, tags=self.tags | {name})

    def as_part(self, name):
        """The same set as a part, which belongs to no other."""
        return dataclasses.replace(self, tags=self.tags | {name}, part=name)

    def kept(self, *conditions):
        """The part of it where further conditions hold."""
        smooth = self.smooth and self.smooth.kept(*conditions)
        return dataclasses.replace(self, keep=self.keep + conditions, smooth=smooth)

    @property
    def is_cut(self):
        """Whether there are conditions."""
        return bool(self.keep or self.cut)

    @property
    def conditions(self):
        """All conditions as functions `(unit, xp) -> (n,)`."""
        return (*self.cut, *(Pulled(condition, self) for condition in self.keep))

    @property
    def ends(self):
        """Of each number the ends of its intervals from 0 to 1, in which the map is smooth."""
        return [np.append(0.0, self.breaks.get(number, 1.0)) for number in range(self.numbers)]

    @property
    def draws(self):
        """How many numbers of [0, 1] a candidate takes."""
        return self.numbers + (self.density is not None)

    def candidates(self, unit, xp=np):
        """Points from numbers of the unit cube, and which of them count.

        Args:
            unit: `(n, draws)`.
            xp: `numpy` or `keras.ops`.

        Returns:
            Rows `(n, axes)`, normals `(n, spatial axes)` or None, and bools `(n,)` or None where
            all count.
        """
        chance, unit = unit[:, self.numbers :], unit[:, : self.numbers]
        rows = self.place(unit, xp)
        normals = None if self.normal is None else self.normal(unit, xp)
        values = [condition(unit, xp) for condition in self.cut]
        values += [condition(rows, normals, xp) for condition in self.keep]
        if self.density is not None:
            values.append(chance[:, 0] - self.density(unit, xp))
        holds = None
        for value in values:
            holds = value <= 0 if holds is None else xp.logical_and(holds, value <= 0)
        return rows, normals, holds


@dataclasses.dataclass(frozen=True, eq=False)
class Pulled:
    """A condition on points of a patch, as one on the numbers that they are made from."""

    condition: Callable
    patch: Patch

    def __call__(self, unit, xp):
        normals = None if self.patch.normal is None else self.patch.normal(unit, xp)
        return self.condition(self.patch.place(unit, xp), normals, xp)


def shares(patches):
    """Measures of patches up to a factor, `(patches,)`, which neither under- nor overflow."""
    measures = np.array([patch.measure for patch in patches])
    if np.all(np.isfinite(measures) & (measures > 0)):
        return measures
    given = [patch.log_measure for patch in patches]
    logs = [m and math.log(m) if g is None else g for m, g in zip(measures, given, strict=True)]
    return np.exp(np.array(logs) - max(logs))


def constant(values, rows):
    """Numbers as a numpy array of the dtype of `rows`, to be combined with them."""
    return np.asarray(values, _dtype(rows))


def columns(rows, axes, xp):
    """The columns `axes` of rows; a slice where they are neighbours."""
    axes = list(axes)
    if axes and axes == list(range(axes[0], axes[-1] + 1)):
        return rows[:, axes[0] : axes[-1] + 1]
    return xp.take(rows, np.array(axes, "int32"), axis=1)


def norm(vectors, xp):
    """Euclidean norms `(n,)` of vectors `(n, d)`."""
    return xp.sqrt(xp.sum(vectors * vectors, axis=1))


def repeated(values, unit, xp):
    """One row for each row of `unit`: `(n, len(values))`."""
    zeros = 0 * xp.sum(unit, axis=1, keepdims=True)  # there may be no column
    return zeros + constant(values, unit)[None, :]


def rounding(size, rows):
    """A length within which points of a domain of this size coincide, by the dtype of rows."""
    return ROUNDING * size * float(np.finfo(_dtype(rows)).eps)


def _dtype(rows):
    """The dtype of an array or tensor, as numpy knows it."""
    if isinstance(rows, np.ndarray):
        return rows.dtype
    return keras.backend.standardize_dtype(rows.dtype)
