"""Maps from the unit cube to spheres, with constant density in any number of dimensions."""

import math


def area(d):
    """Area of the unit sphere in `d` dimensions: 2 (points), 2 pi, 4 pi ..."""
    return 2 * math.exp(d / 2 * math.log(math.pi) - math.lgamma(d / 2))


def ball_volume(d):
    """Volume of the unit ball in `d` dimensions."""
    return area(d) / d


def phases(d, first=0):
    """The numbers of a direction that are angles of a full turn, counted from `first`."""
    return tuple(range(first, first + d - 1, 2))


def direction(unit, d, xp):
    """Points of the unit sphere from numbers of the unit cube, with constant density.

    Coordinates go in pairs, each with a phase. Of a pair and `m` further dimensions, the share
    that the `m` have of the radius is `u**(1 / m)` (Devroye, "Non-uniform random variate
    generation" (1986), section V.4). A last single coordinate may have both signs, so that it is
    uniform in three dimensions (Archimedes).

    Args:
        unit: `(n, d - 1)`, `d >= 2`.
        d: dimension.
        xp: `numpy` or `keras.ops`.

    Returns:
        `(n, d)`.
    """

    def split(u, further):
        share = 2 * u - 1 if further == 1 else u ** (1 / further)
        return share, xp.sqrt((1 - share) * (1 + share))

    return _by_pairs(unit, d, split, xp)


def smooth_direction(unit, d, xp):
    """Points of the unit sphere by angles, a smooth map: its density is `smooth_density`."""

    def split(u, further):
        angle = _latitude(u, further)
        return xp.sin(angle), xp.cos(angle)

    return _by_pairs(unit, d, split, xp)


def smooth_density(unit, d, xp):
    """The density of `smooth_direction`, at most 1; its largest value times the area of the unit
    sphere is `smooth_factor`."""
    density = 1.0 + 0 * xp.sum(unit, axis=1)
    for i in range(0, d - 2, 2):
        further = d - 2 - i
        angle = _latitude(unit[:, i + 1], further)
        density = density * xp.cos(angle) * xp.sin(angle) ** (further - 1)
    return density


def smooth_factor(d):
    """See `smooth_density`."""
    return math.prod((d - 2 - i) * math.pi / 2 for i in range(0, d - 2, 2))


def _latitude(u, further):
    """The angle to the plane of a pair; a single further coordinate may have both signs."""
    return math.pi * (u - 0.5) if further == 1 else math.pi / 2 * u


def _by_pairs(unit, d, split, xp):
    """Coordinates in pairs; `split` shares the radius among a pair and further dimensions."""
    columns, radius = [], 1.0
    for i in range(0, d - 1, 2):
        angle = 2 * math.pi * unit[:, i]
        share, pair = split(unit[:, i + 1], d - 2 - i) if d - 2 - i else (0.0, 1.0)
        columns += [radius * pair * xp.cos(angle), radius * pair * xp.sin(angle)]
        radius = radius * share
    return xp.stack(columns + ([radius] if d % 2 else []), axis=1)
