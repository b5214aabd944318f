"""What points carry beside coordinates and normals, where it is asked for."""

import numpy as np

from kpinn.domains.frames import NORMAL

WEIGHT = "w"  # what a point stands for, of all the points of a set
NAMES = (WEIGHT, "distance", "tangents")


def names_of(extras):
    """The names in a text such as `"w distance"`, or an error."""
    if not isinstance(extras, str):
        raise TypeError(f"`extras` is a text such as 'w distance', got {extras!r}.")
    names = tuple(extras.replace(",", " ").split())
    for name in names:
        if name not in NAMES:
            raise ValueError(f"Unknown extra {name!r} in `extras`. Points can carry {NAMES}.")
    return names


def carried(part, rows, normals, names, xp=np):
    """Points as a dict: coordinates, the normals if there are any, and extras.

    Args:
        part: the `Part` or `Domain`.
        rows: `(n, axes)`.
        normals: `(n, spatial axes)` or None.
        names: as `names_of` gives them.
        xp: `numpy` or `keras.ops`.

    Raises:
        ValueError: if a coordinate has the name of one, or there are no normals for tangents.
    """
    domain, count = getattr(part, "domain", part), rows.shape[0]
    points = domain.frame.points(rows)
    more = {} if normals is None else {NORMAL: normals}
    if WEIGHT in names:
        measure = part.volume if part is domain else part.area
        more[WEIGHT] = xp.full((count, 1), float(measure) / max(count, 1), dtype="float64")
    if "distance" in names:
        more["distance"] = xp.maximum(-domain.level(rows, xp), 0.0)[:, None]
    if "tangents" in names:
        if normals is None:
            raise ValueError(f"Points of {part} have no normals, so there are no tangents.")
        more |= tangents(normals, xp)
    for name in more:
        if name in points:
            raise ValueError(
                f"{domain} has the coordinate {name!r}, so its points cannot carry the extra array "
                "of that name. Call the coordinate something else."
            )
    return points | more


def tangents(normals, xp=np):
    """Orthonormal tangents of unit normals `(n, d)`.

    In the plane `s` runs counter-clockwise around the domain; in space `s1`, `s2` and `n` are
    right-handed. Householder's reflection that takes an axis to the normal takes the others to
    tangents (Golub & Van Loan, section 5.1).

    Args:
        normals: `(n, d)`.
        xp: `numpy` or `keras.ops`.

    Returns:
        `{"s": (n, 2)}`, or `{"s1": (n, d), ...}` for `d > 2`; nothing for `d = 1`.
    """
    n, d = normals.shape
    if d == 2:
        return {"s": xp.stack([-normals[:, 1], normals[:, 0]], axis=1)}
    sign = xp.where(normals[:, :1] < 0, -xp.ones_like(normals[:, :1]), 1.0)
    vector = normals + sign * np.eye(d)[0]
    scale = 2 / xp.sum(vector * vector, axis=1, keepdims=True)
    reflected = [np.eye(d)[i] - scale * vector[:, i : i + 1] * vector for i in range(1, d)]
    if d == 3:
        reflected[1] = xp.cross(normals, reflected[0])
    return {f"s{i}": tangent for i, tangent in enumerate(reflected, 1)}
