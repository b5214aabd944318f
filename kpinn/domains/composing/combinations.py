"""Union, intersection and difference of two domains.

Where boundaries coincide, a point belongs to that of the combination if this is on one side of it
and not on the other; what both operands have comes from the first. So a wall between two boxes
that touch is none in their union, and a box cut off at its own face leaves no second face.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from kpinn.domains.composing.geometry import Geometry
from kpinn.domains.integrating.integration import Measure
from kpinn.domains.patches import rounding
from kpinn.domains.points import drawing


@dataclasses.dataclass(frozen=True, eq=False)
class Side:
    """The condition to lie in a domain, or outside.

    Args:
        domain: `Region`.
        sign: 1 for inside, -1 for outside.
        size: of both domains, by which rounding is measured.
        shift: in units of rounding, along the normal: where it is looked instead of the point.
        margin: in units of rounding, by which the level has to be beyond zero.
    """

    domain: object
    sign: int
    size: float
    shift: int = 0
    margin: int = 0

    def __call__(self, rows, normals, xp):
        unit = rounding(self.size, rows)
        if self.shift and normals is not None:
            rows = rows + self.shift * unit * self.domain.frame.embedded(normals, xp)
        return self.sign * self.domain.side(rows, xp) + self.margin * unit


@dataclasses.dataclass(frozen=True, eq=False)
class Turned:
    """A condition on points whose normals point to the other side now."""

    condition: Callable

    def __call__(self, rows, normals, xp):
        return self.condition(rows, None if normals is None else -normals, xp)


def union(a, b):
    """What lies in one of both."""
    _check(a, b, "+")
    size = max(a.size, b.size)
    outside_a, outside_b = Side(a, -1, size), Side(b, -1, size)
    beyond_a, beyond_b = Side(a, -1, size, margin=1), Side(b, -1, size, shift=1)

    def measure():
        known = {"apart": [a, b], "first": [a], "second": [b]}.get(relation(a, b))
        return known and Measure.total([each.volume for each in known])

    return Geometry(
        frame=a.frame,
        lower=np.minimum(a.lower, b.lower),
        upper=np.maximum(a.upper, b.upper),
        text=f"({a} + {b})",
        level=lambda rows, xp: xp.minimum(a.level(rows, xp), b.level(rows, xp)),
        side=lambda rows, xp: xp.minimum(a.side(rows, xp), b.side(rows, xp)),
        inside=(*a.inside, *_kept(b.inside, outside_a)),
        border=(*_kept(a.border, beyond_b), *_kept(_renamed(a, b), beyond_a)),
        ends=(
            *(p if _is_end(p, b) else p.kept(outside_b) for p in a.end_patches()),
            *_kept(b.end_patches(), outside_a),
        ),
        faces=lambda fixed: (
            *(p.kept(beyond_b) if p.normal else p for p in a.face_patches(fixed)),
            *(p.kept(beyond_a if p.normal else outside_a) for p in b.face_patches(fixed)),
        ),
        measure=measure,
        given_names=tuple(dict.fromkeys(a.given_names + b.given_names)),
    )


def intersection(a, b):
    """What lies in both."""
    _check(a, b, "&")
    size, text = max(a.size, b.size), f"({a} & {b})"
    in_a, in_b = Side(a, 1, size), Side(b, 1, size)
    within_a, within_b = Side(a, 1, size, margin=1), Side(b, 1, size, shift=-1)
    if a.is_surface or sum(p.measure for p in a.inside) <= sum(p.measure for p in b.inside):
        inside = _kept(a.inside, in_b)
    else:
        inside = _kept(b.inside, in_a)
    drawing.check_not_empty(inside, text)

    def measure():
        known = {"first": b, "second": a}.get(relation(a, b))
        return known and known.volume

    return Geometry(
        frame=a.frame,
        lower=np.maximum(a.lower, b.lower),
        upper=np.minimum(a.upper, b.upper),
        text=text,
        level=lambda rows, xp: xp.maximum(a.level(rows, xp), b.level(rows, xp)),
        side=lambda rows, xp: xp.maximum(a.side(rows, xp), b.side(rows, xp)),
        inside=inside,
        border=()
        if a.is_surface
        else (*_kept(a.border, within_b), *_kept(_renamed(a, b), within_a)),
        ends=(
            *_kept(a.end_patches(), in_b),
            *_kept((p for p in b.end_patches() if not _is_end(p, a)), in_a),
        ),
        faces=lambda fixed: (
            *_kept(a.face_patches(fixed), within_b),
            *_kept((p for p in b.face_patches(fixed) if p.normal), within_a),
        ),
        measure=measure,
        given_names=tuple(dict.fromkeys(a.given_names + b.given_names)),
        is_convex=a.is_convex and b.is_convex,
        is_surface=a.is_surface,
    )


def difference(a, b):
    """What lies in the first, and not in the second."""
    _check(a, b, "-")
    size, text = max(a.size, b.size), f"({a} - {b})"
    outside_b, within_a = Side(b, -1, size), Side(a, 1, size, margin=1)
    beyond_b = Side(b, -1, size, shift=-1)
    inside = _kept(a.inside, outside_b)
    drawing.check_not_empty(inside, text)
    cut = [_turned(patch) for patch in _renamed(a, b, drop=b.coordinates)]

    def measure():
        holds = relation(a, b)
        if holds == "first":
            return Measure.total([a.volume, b.volume.times(-1)])
        return a.volume if holds == "apart" else None

    return Geometry(
        frame=a.frame,
        lower=a.lower,
        upper=a.upper,
        text=text,
        level=lambda rows, xp: xp.maximum(a.level(rows, xp), -b.level(rows, xp)),
        side=lambda rows, xp: xp.maximum(a.side(rows, xp), -b.side(rows, xp)),
        inside=inside,
        border=() if a.is_surface else (*_kept(a.border, beyond_b), *_kept(cut, within_a)),
        ends=_kept(a.end_patches(), outside_b),
        faces=lambda fixed: (
            *_kept(a.face_patches(fixed), beyond_b),
            *_kept((_turned(p) for p in b.face_patches(fixed) if p.normal), within_a),
        ),
        measure=measure,
        given_names=tuple(dict.fromkeys(a.given_names + b.given_names)),
        is_surface=a.is_surface,
    )


def relation(a, b):
    """How two domains lie, as far as their bounding boxes tell.

    Returns:
        `"apart"`; `"first"` or `"second"` if that one covers the other; None if it is not known.
    """
    if np.any((a.upper <= b.lower) | (b.upper <= a.lower)):
        return "apart"
    if a.covers(b):
        return "first"
    return "second" if b.covers(a) else None


def _kept(patches, condition):
    return tuple(patch.kept(condition) for patch in patches)


def _turned(patch):
    """The patch with its normals to the other side, and so its map that is smooth."""
    return dataclasses.replace(
        patch,
        normal=lambda unit, xp: -patch.normal(unit, xp),
        keep=tuple(Turned(condition) for condition in patch.keep),
        smooth=patch.smooth and _turned(patch.smooth),
    )


def _is_end(patch, domain):
    """Whether time or a parameter is fixed at the same end of another domain."""
    return any(other.fixed == patch.fixed for other in domain.end_patches())


def _renamed(a, b, drop=()):
    """The border of the second operand, without the names of its pieces that the first has too."""
    for name in b.given_names:
        if name in a.given_names and _places(a, name) != _places(b, name):
            raise ValueError(
                f"Both {a} and {b} have a part named {name!r}. Give one of them another name, by "
                "named() or with_parts()."
            )
    taken = {tag for patch in a.border for tag in patch.tags} - set(a.coordinates)
    return [
        dataclasses.replace(
            patch, tags=patch.tags - taken.union(drop) | patch.tags & set(b.given_names)
        )
        for patch in b.border
    ]


def _places(domain, name):
    """What a part is made of: the same for two combinations of one shape."""
    return {id(patch.place) for patch in domain.border if name in patch.tags}


def _check(a, b, sign):
    """Raises `ValueError` unless two domains can be combined."""
    ours, theirs = ((list(each.frame.sizes.items()), each.parameters) for each in (a, b))
    if ours != theirs:
        raise ValueError(
            f"{a} {sign} {b}: both need the same coordinates in the same order, got "
            f"{_written(a.frame)} and {_written(b.frame)}. A * B makes a domain of the coordinates "
            "of both, such as of time and space."
        )
    if b.is_surface or (a.is_surface and sign == "+"):
        raise ValueError(
            f"{a} {sign} {b}: a surface or curve has no inside. It may be cut, as in "
            "surface & domain and surface - domain."
        )


def _written(frame):
    sizes = (f"{name}[{size}]" if size > 1 else name for name, size in frame.sizes.items())
    parameters = f" with the parameters {frame.parameters}" if frame.parameters else ""
    return f"({', '.join(sizes)}){parameters}"
