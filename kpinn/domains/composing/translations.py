"""Domains moved by a vector, or along a path in time."""

import numpy as np

from kpinn.domains.composing.motions import Motion, image
from kpinn.domains.frames import spatial_row
from kpinn.domains.patches import constant
from kpinn.domains.sampling import tensor
from kpinn.options import argument_names

TICKS = {1: 513, 2: 65, 3: 17}  # points of each argument of a path, from which its range is taken


def moved(domain, shifts):
    """The domain moved, as a `Geometry`.

    Args:
        domain: `Domain`.
        shifts: `{coordinate: number, array (d,), or function of time and parameters}`.

    Raises:
        ValueError: if a coordinate is not spatial, or a path is no such function.
    """
    frame = domain.frame
    text = f"{domain}.moved({', '.join(f'{k}={_written(v)}' for k, v in shifts.items())})"
    paths = {name: shift for name, shift in shifts.items() if callable(shift)}
    fixed = spatial_row(frame, "moved()", {k: 0.0 if k in paths else v for k, v in shifts.items()})
    arguments = {name: _arguments(domain, name, path) for name, path in paths.items()}

    def way(rows, xp):
        return constant(fixed, rows) + _along(frame, paths, arguments, rows, xp)

    motion = Motion(
        frame,
        forward=lambda rows, xp: rows + way(rows, xp),
        back=lambda rows, xp: rows - way(rows, xp),
        shift=fixed,
        lost=tuple(axis for name in paths for axis in frame.axes[name]),
    )
    least, most = _range(
        domain, way, sorted({name for names in arguments.values() for name in names})
    )
    return image(domain, motion, domain.lower + least, domain.upper + most, text)


def _written(shift):
    return "..." if callable(shift) else shift


def _arguments(domain, name, path):
    """The names of time and parameters that a path depends on."""
    frame = domain.frame
    known = tuple(k for k in frame.coordinates if k not in frame.spatial)
    found = argument_names(path, f"The path {name}=... of moved()", "t")
    if not found or not set(found) <= set(known):
        raise ValueError(
            f"The path {name}=... of moved() takes time and parameters of {domain}, which are "
            f"{known or 'none'}, got {found}. Multiply by a box with time first, as in "
            "(Box(t=(0, 1)) * disk).moved(x=lambda t: 0.3 * t)."
        )
    return found


def _along(frame, paths, arguments, rows, xp):
    """How far paths lead, `(n, axes)`."""
    points, parts = frame.points(rows), []
    for name in frame.coordinates:
        zeros = xp.zeros_like(points[name])
        if name in paths:
            values = paths[name](**{k: points[k] for k in arguments[name]})
            values = np.asarray(values, rows.dtype) if xp is np else xp.cast(values, rows.dtype)
            values = xp.reshape(values, (-1, 1)) if len(values.shape) < 2 else values
            zeros = zeros + values
        parts.append(zeros)
    return xp.concatenate(parts, axis=1)


def _range(domain, way, names):
    """Least and most shifts along paths, from many points and how they bend between these."""
    axes = [axis for name in names for axis in domain.frame.axes[name]]
    ticks = [np.linspace(domain.lower[a], domain.upper[a], TICKS.get(len(axes), 5)) for a in axes]
    places = tensor(ticks)
    rows = np.zeros((len(places), domain.frame.width))
    rows[:, axes] = places
    shifts = way(rows, np)
    grid = shifts.reshape(*map(len, ticks), -1)
    bends = [np.abs(np.diff(grid, 2, axis=i)).reshape(-1, grid.shape[-1]) for i in range(len(axes))]
    slack = sum(bend.max(axis=0) for bend in bends) / 8  # of the parabola between two ticks
    return shifts.min(axis=0) - slack, shifts.max(axis=0) + slack
