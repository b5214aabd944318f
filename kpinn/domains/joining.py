"""Points of several sets as one."""

from collections.abc import Mapping

import numpy as np

from kpinn.options.arrays import real_array


def concatenate(*points):
    """Dicts of points as one, one after the other.

    Args:
        *points: dicts of arrays `(n, ...)` with the same keys, as `sample` gives them.

    Returns:
        Dict of arrays, in the order of the first.

    Raises:
        TypeError: if one is no dict of arrays.
        ValueError: if keys or shapes differ, or there is nothing to join.

    Example:
        >>> points = concatenate(disk.boundary().sample(100), box.boundary().sample(100))
    """
    if not points:
        raise ValueError("concatenate() needs dicts of points, as in concatenate(a, b).")
    for each in points:
        if not isinstance(each, Mapping):
            raise TypeError(f"concatenate() takes dicts of arrays, got {type(each).__name__}.")
    first = points[0]
    for each in points[1:]:
        if set(each) != set(first):
            raise ValueError(
                f"Points with the arrays {tuple(first)} and with {tuple(each)} cannot be one set: "
                f"{sorted(set(each) ^ set(first))} would lack values."
            )
    return {name: _joined(name, [each[name] for each in points]) for name in first}


def _joined(name, arrays):
    arrays = [real_array(repr(name), array) for array in arrays]
    if len({array.shape[1:] for array in arrays}) > 1 or not arrays[0].ndim:
        shapes = [array.shape for array in arrays]
        raise ValueError(f"Arrays {name!r} of the shapes {shapes} differ in more than the points.")
    return np.concatenate(arrays)
