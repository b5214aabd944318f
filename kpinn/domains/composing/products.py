"""Products: time, parameters or further directions of space with a domain."""

import dataclasses
from collections.abc import Callable

from kpinn.domains.composing.geometry import Geometry
from kpinn.domains.frames import Frame
from kpinn.domains.patches import Patch, norm
from kpinn.domains.shapes.intervals import Intervals


@dataclasses.dataclass(frozen=True, eq=False)
class OfFactor:
    """A condition on the rows of one factor.

    Args:
        condition: as in `Patch.keep`.
        axes: slice of the axes of the factor in rows of the product.
        space: slice of its spatial axes in normals of the product; None where it has no normals.
    """

    condition: Callable
    axes: slice
    space: slice | None

    def __call__(self, rows, normals, xp):
        own = None if self.space is None else normals[:, self.space]
        return self.condition(rows[:, self.axes], own, xp)


@dataclasses.dataclass(frozen=True, eq=False)
class OfNumbers:
    """A condition on some of the numbers."""

    condition: Callable
    numbers: slice

    def __call__(self, unit, xp):
        return self.condition(unit[:, self.numbers], xp)


def product(a, b):
    """All pairs of points of two domains, as a `Geometry`."""
    _check(a, b)
    frame = Frame({**a.frame.sizes, **b.frame.sizes}, a.parameters + b.parameters)
    width = a.frame.width

    def level(rows, xp):
        return _level(a, b, a.level(rows[:, :width], xp), b.level(rows[:, width:], xp), xp)

    def side(rows, xp):
        return _level(a, b, a.side(rows[:, :width], xp), b.side(rows[:, width:], xp), xp)

    def faces(fixed):
        own = {axis: value for axis, value in fixed.items() if axis < width}
        others = {axis - width: value for axis, value in fixed.items() if axis >= width}
        return _pairs(
            a.face_patches(own) if own else a.inside,
            b.face_patches(others) if others else b.inside,
            a.frame,
            b.frame,
        )

    names = (a.default_names(), b.default_names())
    named = all(names or not each.border for names, each in zip(names, (a, b), strict=True))
    return Geometry(
        frame=frame,
        lower=[*a.lower, *b.lower],
        upper=[*a.upper, *b.upper],
        text=f"({a} * {b})",
        level=level,
        side=side,
        inside=_pairs(a.inside, b.inside, a.frame, b.frame),
        border=(
            *_pairs(a.border, b.inside, a.frame, b.frame),
            *_pairs(a.inside, b.border, a.frame, b.frame),
        ),
        ends=(
            *_pairs(a.end_patches(), b.inside, a.frame, b.frame),
            *_pairs(a.inside, b.end_patches(), a.frame, b.frame),
        ),
        faces=faces,
        measure=lambda: a.volume.times(b.volume),
        given_names=a.given_names + b.given_names,
        default_names=names[0] + names[1] if named else (),
        is_convex=a.is_convex and b.is_convex,
        is_surface=a.is_surface or b.is_surface,
    )


def extruded(domain, bounds):
    """The product with a box in space, as a `Geometry`."""
    box = Intervals("", bounds)
    if box.frame.other_axes:
        raise ValueError(
            f"extruded() adds directions of space, got {tuple(bounds)}. "
            "For time, multiply by a Box."
        )
    return product(domain, box)


def _level(a, b, first, second, xp):
    """The level of a product: time and parameters bound it, but are no distance."""
    if not a.spatial:
        return xp.where(first <= 0, second, xp.maximum(first, second))
    if not b.spatial:
        return xp.where(second <= 0, first, xp.maximum(first, second))
    beyond = xp.stack([xp.maximum(first, 0), xp.maximum(second, 0)], axis=1)
    return norm(beyond, xp) + xp.minimum(xp.maximum(first, second), 0)


def _pairs(ours, theirs, a, b):
    return tuple(_pair(p, q, a, b) for p in ours for q in theirs)


def _pair(p, q, a, b):
    """The product of two patches of domains with the frames `a` and `b`."""
    n, width, space = p.numbers, a.width, len(a.spatial_axes)
    smooth = _pair(p.smooth or p, q.smooth or q, a, b) if p.smooth or q.smooth else None
    straight = p.grid_axes is not None and q.grid_axes is not None
    first = [OfFactor(c, slice(0, width), p.normal and slice(0, space)) for c in p.keep]
    second = [OfFactor(c, slice(width, None), q.normal and slice(space, None)) for c in q.keep]

    def place(unit, xp):
        return xp.concatenate([p.place(unit[:, :n], xp), q.place(unit[:, n:], xp)], axis=1)

    return Patch(
        numbers=n + q.numbers,
        place=place,
        measure=p.measure * q.measure,
        normal=_normal(p, q, space, len(b.spatial_axes)),
        density=_density(p, q),
        keep=(*first, *second),
        cut=(
            *(OfNumbers(condition, slice(0, n)) for condition in p.cut),
            *(OfNumbers(condition, slice(n, None)) for condition in q.cut),
        ),
        tags=p.tags | q.tags,
        part=p.part or q.part,
        fixed={**p.fixed, **{axis + width: value for axis, value in q.fixed.items()}},
        grid_axes=(*p.grid_axes, *(axis + width for axis in q.grid_axes)) if straight else None,
        periodic=(*p.periodic, *(n + i for i in q.periodic)),
        breaks={**p.breaks, **{n + i: ends for i, ends in q.breaks.items()}},
        smooth=smooth,
        log_measure=_log_measure(p, q),
    )


def _normal(p, q, ours, theirs):
    """The normal of a product of patches; none where both or neither have one."""
    n = p.numbers
    if (p.normal is None) == (q.normal is None):
        return None

    def normal(unit, xp):
        zeros = 0 * xp.sum(unit, axis=1, keepdims=True)
        if p.normal is not None:
            return xp.concatenate([p.normal(unit[:, :n], xp), *[zeros] * theirs], axis=1)
        return xp.concatenate([*[zeros] * ours, q.normal(unit[:, n:], xp)], axis=1)

    return normal


def _density(p, q):
    if p.density is None and q.density is None:
        return None
    n = p.numbers

    def density(unit, xp):
        first = 1.0 if p.density is None else p.density(unit[:, :n], xp)
        return first * (1.0 if q.density is None else q.density(unit[:, n:], xp))

    return density


def _log_measure(p, q):
    if p.log_measure is None or q.log_measure is None:
        return None
    return p.log_measure + q.log_measure


def _check(a, b):
    if both := [name for name in a.coordinates if name in b.coordinates]:
        raise ValueError(
            f"{a} * {b}: both have the coordinate {both[0]!r}. A product joins domains of "
            "different coordinates; A & B is what lies in both."
        )
    if both := [name for name in a.given_names if name in b.given_names]:
        raise ValueError(
            f"{a} * {b}: both have a part named {both[0]!r}. Give one of them another name."
        )
