"""Bodies of revolution."""

import dataclasses
import math

import numpy as np

from kpinn.domains.composing.geometry import Geometry
from kpinn.domains.composing.products import OfNumbers
from kpinn.domains.frames import NORMAL, TIMES, Frame, check_name
from kpinn.domains.patches import Patch
from kpinn.options import names

TRIED = 65  # points of a patch that tell whether it lies on the axis
ON_AXIS = 1e-12  # relative to the size


@dataclasses.dataclass(frozen=True, eq=False)
class Turn:
    """Two coordinates in the place of the distance from an axis.

    Args:
        axis: the one of the distance, in rows of the profile.
        space: the same in its normals.
    """

    axis: int
    space: int

    def profile(self, rows, xp):
        """Rows as those of the profile."""
        plane = rows[:, self.axis : self.axis + 2]
        radii = xp.sqrt(xp.sum(plane * plane, axis=1, keepdims=True))
        return xp.concatenate([rows[:, : self.axis], radii, rows[:, self.axis + 2 :]], axis=1)


def revolved(domain, coordinates):
    """The body of a profile, as a `Geometry`; see `Domain.revolved`."""
    radius, frame = _frames(domain, coordinates)
    axis = domain.axes[radius][0]
    turn = Turn(axis, domain.frame.spatial_axes.index(axis))
    most = float(domain.upper[axis])
    lower, upper = (np.insert(end, axis, 0.0) for end in (domain.lower, domain.upper))
    lower[axis : axis + 2], upper[axis : axis + 2] = -most, most

    level = domain.level_beyond(axis)

    def bodies(patches):
        return tuple(_body(p, turn, most) for p in patches if not _is_on_axis(p, axis, most))

    def faces(fixed):
        before = {
            a if a < axis else a - 1: v for a, v in fixed.items() if a not in (axis, axis + 1)
        }
        return bodies(domain.face_patches(before)) if len(before) == len(fixed) else ()

    return Geometry(
        frame=frame,
        lower=lower,
        upper=upper,
        text=f"{domain}.revolved({radius}={coordinates[radius]!r})",
        level=lambda rows, xp: level(turn.profile(rows, xp), xp),
        inside=bodies(domain.inside),
        border=bodies(domain.border),
        ends=bodies(domain.end_patches()),
        faces=faces,
        given_names=domain.given_names,
        is_surface=domain.is_surface,
    )


def _body(patch, turn, most):
    """The set that a patch describes when it turns: its density is the distance from the axis."""
    n, axis = patch.numbers, turn.axis
    fixed = {a if a < axis else a + 1: v for a, v in patch.fixed.items() if a != axis}
    most = patch.fixed.get(axis, most)

    def place(unit, xp):
        return _turned(patch.place(unit[:, :n], xp), turn.axis, unit[:, n], xp)

    def normal(unit, xp):
        return _turned(patch.normal(unit[:, :n], xp), turn.space, unit[:, n], xp)

    def density(unit, xp):
        own = 1.0 if patch.density is None else patch.density(unit[:, :n], xp)
        return own * patch.place(unit[:, :n], xp)[:, axis] / most

    return Patch(
        numbers=n + 1,
        place=place,
        measure=patch.measure * 2 * math.pi * most,
        normal=patch.normal and normal,
        density=density,
        cut=tuple(OfNumbers(condition, slice(0, n)) for condition in patch.conditions),
        tags=patch.tags,
        part=patch.part,
        fixed=fixed,
        periodic=(*patch.periodic, n),
        breaks=patch.breaks,
        smooth=patch.smooth and _body(patch.smooth, turn, most),
    )


def _turned(vectors, axis, angle, xp):
    """Vectors whose component `axis` is turned by shares of the full angle, one for each."""
    radii, angle = vectors[:, axis : axis + 1], 2 * math.pi * angle[:, None]
    pair = [radii * xp.cos(angle), radii * xp.sin(angle)]
    return xp.concatenate([vectors[:, :axis], *pair, vectors[:, axis + 1 :]], axis=1)


def _is_on_axis(patch, axis, size):
    """Whether a patch lies on the axis, about which it describes nothing."""
    unit = np.random.default_rng(0).random((TRIED, patch.numbers))
    return patch.place(unit, np)[:, axis].max() <= ON_AXIS * size


def _frames(domain, coordinates):
    """The coordinate that is the distance, and the frame with two others in its place."""
    if len(coordinates) != 1:
        raise ValueError(
            f"revolved() takes one distance from the axis, as in revolved(r='x y'), got "
            f"{coordinates or 'none'}."
        )
    ((radius, pair),) = coordinates.items()
    frame = domain.frame
    if radius not in frame.spatial or frame.sizes[radius] > 1:
        raise ValueError(
            f"revolved({radius}=...) turns a scalar spatial coordinate of {domain}, which has "
            f"{frame.spatial}."
        )
    if domain.lower[domain.axes[radius][0]] < 0:
        raise ValueError(
            f"revolved({radius}=...): {domain} has points with {radius} < 0, but {radius} is the "
            "distance from the axis. Move or cut it first."
        )
    pair = names(f"{radius} of revolved()", pair, "x y")
    pair = pair.replace(",", " ").split() if isinstance(pair, str) else list(pair)
    others = [name for name in frame.coordinates if name != radius]
    if len(set(pair)) != 2 or len(pair) != 2 or set(pair) & {*others, *TIMES, NORMAL}:
        raise ValueError(
            f"revolved({radius}={pair}) takes two new names of coordinates, beside {others}."
        )
    sizes = {}
    for name, size in frame.sizes.items():
        sizes |= dict.fromkeys(map(check_name, pair), 1) if name == radius else {name: size}
    return radius, Frame(sizes, frame.parameters)
