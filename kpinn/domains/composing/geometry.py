"""Geometry: what a composition of domains is, as plain data."""

import dataclasses
from collections.abc import Callable

import numpy as np

from kpinn.domains.frames import Frame


@dataclasses.dataclass(frozen=True)
class Geometry:
    """What functions that compose domains return, and `Composed` makes a domain of.

    Args:
        frame, lower, upper: as those of a `Region`.
        text: how it is written.
        level: `(rows, xp) -> (n,)`.
        inside, border, ends: tuples of `Patch`.
        faces: `{axis: value} -> tuple of Patch`, for time and parameters; see `face_patches`.
        measure: a function without arguments; it may return None where it knows none, and then
            the flux through the border is taken.
        rule: `n -> rows, normals or None, weights`, a quadrature; None for that of the patches.
        side: as `level`; None where it is that.
        given_names: names that may not be given again.
        default_names: see `Region.default_names`.
        is_convex, is_surface: see `Region`.
    """

    frame: Frame
    lower: np.ndarray
    upper: np.ndarray
    text: str
    level: Callable
    inside: tuple
    border: tuple
    ends: tuple = ()
    faces: Callable = lambda fixed: ()
    measure: Callable = lambda: None
    rule: Callable | None = None
    side: Callable | None = None
    given_names: tuple = ()
    default_names: tuple = ()
    is_convex: bool = False
    is_surface: bool = False


def geometry_of(domain):
    """What a domain is, to be changed in part by `dataclasses.replace`."""
    return Geometry(
        frame=domain.frame,
        lower=domain.lower,
        upper=domain.upper,
        text=str(domain),
        level=domain.level,
        inside=domain.inside,
        border=domain.border,
        ends=domain.end_patches(),
        faces=domain.face_patches,
        measure=domain.measure,
        rule=domain.rule,
        side=domain.side,
        given_names=domain.given_names,
        default_names=domain.default_names(),
        is_convex=domain.is_convex,
        is_surface=domain.is_surface,
    )
