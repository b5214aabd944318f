"""Points of grids, in boxes around domains and on flat faces."""

import numpy as np

from kpinn.domains import sampling
from kpinn.domains.patches import shares
from kpinn.domains.points.drawing import of_grid, together


def in_box(frame, lower, upper, n):
    """The grid over a bounding box: rows `(prod(counts), axes)`, ends included."""
    return sampling.grid(lower, upper, _counts(frame, range(frame.width), n))


def on_patches(frame, patches, n, what):
    """The grids of patches, as `Drawn`; points where conditions do not hold are left out.

    Raises:
        TypeError, ValueError: if there is no grid with that many points.
    """
    if any(patch.grid_axes is None and patch.numbers > 1 for patch in patches):
        raise ValueError(
            f"{what} is curved, so there is no grid on it. Use method='halton' or 'sobol', which "
            "are evenly spread too."
        )
    counts = [n] if len(patches) == 1 else _split(frame, patches, n)
    try:
        units = [_unit(frame, patch, k) for patch, k in zip(patches, counts, strict=True)]
    except (TypeError, ValueError) as error:
        if isinstance(n, dict) or len(patches) == 1:
            raise
        names = [name for patch in patches for name in _free_names(frame, patch.grid_axes or ())]
        raise ValueError(
            f"{n} points do not make a grid on each of the {len(patches)} faces of {what}, "
            f"which get {counts}. Give the points per coordinate, n={dict.fromkeys(names, 11)}."
        ) from error
    return together(list(map(of_grid, patches, units)))


def along(patch, n):
    """Points of a curve at `n` equal distances as `Drawn`, or its only point."""
    return of_grid(patch, _steps(patch, n))


def _steps(patch, n):
    return (np.arange(n)[:, None] + 0.5) / n if patch.numbers else np.empty((1, 0))


def _split(frame, patches, n):
    """What to ask of each patch: a number of points, or points per coordinate."""
    if not isinstance(n, dict):
        return sampling.allocate(sampling.count(n), shares(patches)).tolist()
    free = [_free_names(frame, patch.grid_axes or ()) for patch in patches]
    _check_names(n, [k for k in frame.coordinates if any(k in names for names in free)])
    return [{name: n[name] for name in names} for names in free]


def _unit(frame, patch, n):
    if patch.grid_axes is None:  # a curve, or a point
        return _steps(patch, sampling.count(n))
    counts = _counts(frame, patch.grid_axes, n)
    return sampling.grid(np.zeros(len(counts)), np.ones(len(counts)), counts)


def _counts(frame, axes, n):
    """Points on each of these axes, from the number of all points or those per coordinate."""
    names = _free_names(frame, axes)
    if not isinstance(n, dict):
        return sampling.equal_counts(sampling.count(n), len(axes), names)
    _check_names(n, names)
    counts = {name: sampling.count(k, f"n[{name!r}]", smallest=2) for name, k in n.items()}
    return [counts[name] for axis in axes for name in names if axis in frame.axes[name]]


def _free_names(frame, axes):
    return [name for name, own in frame.axes.items() if any(axis in axes for axis in own)]


def _check_names(counts, names):
    if set(counts) != set(names):
        raise ValueError(
            f"A grid needs the points on each of {tuple(names)}, got them for {tuple(counts)}. "
            "Coordinates that are fixed take none."
        )
