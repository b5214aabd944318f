"""Maps from the unit cube to spheres, with constant density in any number of dimensions."""

import math


def area(d):
    """Area of the unit sphere in `d` dimensions: 2 (points), 2 pi, 4 pi ..."""
    return 2 * math.exp(d / 2 * math.log(math.pi) - math.lgamma(d / 2))


def direction(unit, d, xp):
    """Points of the unit sphere from numbers of the unit cube.

    Coordinates go in pairs, each with a phase. Of a pair and `m` further dimensions, the share
    that the `m` have of the square of the radius is `u**(2 / m)` (Devroye, "Non-uniform random
    variate generation" (1986), section V.4). A last single coordinate may have both signs, so
    that it is uniform in three dimensions (Archimedes).

    Args:
        unit: `(n, d - 1)`, `d >= 2`.
        d: dimension.
        xp: `numpy` or `keras.ops`.

    Returns:
        `(n, d)`.
    """
    columns, radius = [], 1.0
    for i in range(0, d - 1, 2):
        further = d - 2 - i  # dimensions after this pair
        angle = 2 * math.pi * unit[:, i]
        if not further:
            share = 0.0
        elif further == 1:
            share = 2 * unit[:, i + 1] - 1
        else:
            share = unit[:, i + 1] ** (1 / further)
        pair = radius * xp.sqrt((1 - share) * (1 + share)) if further else radius
        columns += [pair * xp.cos(angle), pair * xp.sin(angle)]
        radius = radius * share
    return xp.stack(columns + ([radius] if d % 2 else []), axis=1)
