"""Motions: domains moved, also in the course of time, scaled, rotated, with other coordinates."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from kpinn.domains.composing.geometry import Geometry
from kpinn.domains.frames import Frame, show, spatial_row
from kpinn.domains.patches import constant
from kpinn.options import number
from kpinn.options.arrays import float_array


@dataclasses.dataclass(frozen=True, eq=False)
class Motion:
    """A map of rows that keeps shapes: similarities of space, at each time another or not.

    Args:
        frame: `Frame` of the image.
        forward, back: the map and its inverse, `(rows, xp) -> rows`.
        shift: `(axes,)`: what is added to scaled coordinates, on axes that are not lost.
        turn, turn_back: what it does to normals, `(normals, xp) -> normals`.
        scale: of lengths.
        lost: axes on whose faces a coordinate does not stay constant.
    """

    frame: Frame
    forward: Callable
    back: Callable
    shift: np.ndarray
    turn: Callable = lambda normals, xp: normals
    turn_back: Callable = lambda normals, xp: normals
    scale: float = 1.0
    lost: tuple = ()

    def image(self, fixed):
        """`{axis: value}` of a face after the motion."""
        others = self.frame.other_axes
        return {
            a: v if a in others else v * self.scale + float(self.shift[a])
            for a, v in fixed.items()
            if a not in self.lost
        }

    def preimage(self, fixed):
        """`{axis: value}` of a face before the motion; None where there is none."""
        if any(axis in self.lost for axis in fixed):
            return None
        others = self.frame.other_axes
        return {a: v if a in others else (v - self.shift[a]) / self.scale for a, v in fixed.items()}


@dataclasses.dataclass(frozen=True, eq=False)
class Before:
    """A condition on points, asked of where they were before a motion."""

    condition: Callable
    motion: Motion

    def __call__(self, rows, normals, xp):
        normals = None if normals is None else self.motion.turn_back(normals, xp)
        return self.condition(self.motion.back(rows, xp), normals, xp)


def mapped(patch, motion):
    """The image of a patch."""
    others = sum(axis not in patch.fixed for axis in motion.frame.other_axes)
    power, log = patch.numbers - others, patch.log_measure
    straight = patch.grid_axes is not None and not motion.lost
    lost = {motion.frame.name(axis) for axis in motion.lost}
    return dataclasses.replace(
        patch,
        place=lambda unit, xp: motion.forward(patch.place(unit, xp), xp),
        measure=patch.measure * motion.scale**power,
        normal=patch.normal and (lambda unit, xp: motion.turn(patch.normal(unit, xp), xp)),
        keep=tuple(Before(condition, motion) for condition in patch.keep),
        tags=patch.tags - lost,
        fixed=motion.image(patch.fixed),
        grid_axes=patch.grid_axes if straight else None,
        smooth=patch.smooth and mapped(patch.smooth, motion),
        log_measure=None if log is None else log + power * math.log(motion.scale),
    )


def image(domain, motion, lower, upper, text):
    """The image of a domain, as a `Geometry`."""

    def faces(fixed):
        before = motion.preimage(fixed)
        found = () if before is None else domain.face_patches(before)
        return tuple(mapped(patch, motion) for patch in found)

    power = len(domain.frame.spatial_axes) - domain.is_surface
    return Geometry(
        frame=motion.frame,
        lower=lower,
        upper=upper,
        text=text,
        level=lambda rows, xp: motion.scale * domain.level(motion.back(rows, xp), xp),
        side=lambda rows, xp: motion.scale * domain.side(motion.back(rows, xp), xp),
        inside=tuple(mapped(patch, motion) for patch in domain.inside),
        border=tuple(mapped(patch, motion) for patch in domain.border),
        ends=tuple(mapped(patch, motion) for patch in domain.end_patches()),
        faces=faces,
        measure=lambda: domain.volume.times(motion.scale**power),
        given_names=domain.given_names,
        default_names=() if motion.lost else domain.default_names(),
        is_convex=domain.is_convex,
        is_surface=domain.is_surface,
    )


def scaled(domain, factor, center):
    """The domain with all lengths times a factor, about a point."""
    factor = number("factor of scaled()", factor, "(0, inf)")
    fixed = spatial_row(domain.frame, "scaled()", center)
    space = domain.frame.spatial_axes
    rates = np.ones(domain.frame.width)
    rates[space] = factor
    shift = fixed * (1 - rates)
    motion = Motion(
        frame=domain.frame,
        forward=lambda rows, xp: rows * constant(rates, rows) + constant(shift, rows),
        back=lambda rows, xp: (rows - constant(shift, rows)) / constant(rates, rows),
        scale=factor,
        shift=shift,
    )
    text = f"{domain}.scaled({show(factor)})"
    return image(domain, motion, domain.lower * rates + shift, domain.upper * rates + shift, text)


def rotated(domain, angle, axis, center):
    """The domain turned about a point: by an angle, or by an orthogonal matrix."""
    fixed, space = spatial_row(domain.frame, "rotated()", center), domain.frame.spatial_axes
    matrix = np.eye(domain.frame.width)
    matrix[np.ix_(space, space)] = turn = rotation(angle, axis, len(space))
    shift = fixed - matrix @ fixed
    lost = [a for a in space if not np.array_equal(matrix[a], np.eye(domain.frame.width)[a])]
    motion = Motion(
        frame=domain.frame,
        forward=lambda rows, xp: xp.matmul(rows, constant(matrix.T, rows)) + constant(shift, rows),
        back=lambda rows, xp: xp.matmul(rows - constant(shift, rows), constant(matrix, rows)),
        turn=lambda normals, xp: xp.matmul(normals, constant(turn.T, normals)),
        turn_back=lambda normals, xp: xp.matmul(normals, constant(turn, normals)),
        shift=shift,
        lost=tuple(lost),
    )
    middle, half = (domain.lower + domain.upper) / 2, (domain.upper - domain.lower) / 2
    middle, half = matrix @ middle + shift, np.abs(matrix) @ half
    text = f"{domain}.rotated({angle if np.ndim(angle) == 0 else '...'})"
    return image(domain, motion, middle - half, middle + half, text)


def rotation(angle, axis, d):
    """The matrix of a rotation in `d` dimensions, `(d, d)`.

    Args:
        angle: in radians, counter-clockwise; or an orthogonal matrix.
        axis: direction `(3,)` that the rotation leaves, in three dimensions (Rodrigues' formula).
        d: dimension.

    Raises:
        ValueError: if there is no such rotation.
    """
    given = float_array("angle of rotated()", angle)
    if given.ndim == 2:
        if given.shape != (d, d) or not np.allclose(given @ given.T, np.eye(d), atol=1e-12):
            raise ValueError(f"The matrix of rotated() is orthogonal, ({d}, {d}), got {angle!r}.")
        return given
    angle = number("angle of rotated()", angle)
    cosine, sine = math.cos(angle), math.sin(angle)
    if d == 2 and axis is None:
        return np.array([[cosine, -sine], [sine, cosine]])
    axis = None if axis is None else float_array("axis of rotated()", axis)
    if d != 3 or axis is None or axis.shape != (3,) or not np.linalg.norm(axis) > 0:
        raise ValueError(
            f"rotated() takes an angle in the plane, an angle and an axis, as in rotated(0.5, "
            f"axis=(0, 0, 1)), in space, and a matrix ({d}, {d}) else; the domain has {d} "
            f"dimension(s), the axis is {axis}."
        )
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    # Not by scipy's quaternions, which move a coordinate along the axis by rounding.
    return np.eye(3) + sine * cross + (1 - cosine) * cross @ cross
