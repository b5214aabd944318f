"""Patches at fixed times and parameters."""

import dataclasses

import numpy as np

from kpinn.domains.patches import repeated

TRIED = 5  # places at which a number is tried
SAME = 1e-9  # of the values along an axis, within which they are equal


def restricted(patches, fixed, what):
    """Patches whose axes of time and parameters have values.

    Args:
        patches: `Patch`es of a domain or part.
        fixed: `{axis: value}`.
        what: they belong to, for errors.

    Returns:
        List of patches, without those that have no point there.

    Raises:
        ValueError: if a patch does not run along one of the axes, or none has points there.
    """
    found = [_restricted(patch, fixed, what) for patch in patches]
    found = [patch for patch in found if patch is not None]
    if not found:
        raise ValueError(f"There is no point of {what} at the fixed values.")
    return found


def _restricted(patch, fixed, what):
    """The patch at the values; None where it has no point there."""
    held = {}
    for axis, value in fixed.items():
        if axis in patch.fixed:
            if patch.fixed[axis] != value:
                return None
            continue
        number, start, end = _line(patch, axis, what)
        share = (value - start) / (end - start)
        if not -SAME <= share <= 1 + SAME:
            return None
        held[number] = min(max(share, 0.0), 1.0)
    return _held(patch, held) if held else patch


def _line(patch, axis, what):
    """The number that runs along an axis, and the values at its ends."""
    rng = np.random.default_rng(0)
    for number in range(patch.numbers):
        unit = rng.random((TRIED, patch.numbers))
        unit[:, number] = np.linspace(0, 1, TRIED)
        values = patch.place(unit, np)[:, axis]
        line = np.linspace(values[0], values[-1], TRIED)
        if values[0] != values[-1] and np.allclose(values, line, SAME, SAME * np.ptp(values)):
            return number, values[0], values[-1]
    raise ValueError(
        f"{what} does not come from a product with the coordinate that is fixed. Fix time and "
        "parameters of products, or draw fields on slices by kpinn.plotting.field."
    )


def _held(patch, held):
    """The patch with some of its numbers held: `{number: value}`."""
    free = [number for number in range(patch.numbers) if number not in held]
    order = np.argsort([*free, *held]).astype("int32")

    def whole(unit, xp):
        values = repeated(list(held.values()), unit, xp)
        return xp.take(xp.concatenate([unit, values], axis=1), order, axis=1)

    def of_whole(function):
        return function and (lambda unit, xp: function(whole(unit, xp), xp))

    places = {number: place for place, number in enumerate(free)}
    return dataclasses.replace(
        patch,
        numbers=len(free),
        place=of_whole(patch.place),
        normal=of_whole(patch.normal),
        density=of_whole(patch.density),
        cut=tuple(of_whole(condition) for condition in patch.cut),
        periodic=tuple(places[number] for number in patch.periodic if number in places),
        breaks={places[number]: ends for number, ends in patch.breaks.items() if number in places},
        grid_axes=None,
        smooth=patch.smooth and _held(patch.smooth, held),
    )
