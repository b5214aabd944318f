"""Scales of colours and axes, from the values that are drawn."""

import numpy as np

from kpinn.backend import look

MINOR = 0.1  # of the largest size, below which values of the other sign get no map of two colours
DECADES = 8  # what a logarithmic scale shows below its largest value


def finite(*arrays):
    """The finite values of arrays, `(n,)`."""
    values = np.concatenate([np.ravel(array) for array in arrays])
    return values[np.isfinite(values)]


def colours(*arrays):
    """One scale for all arrays: diverging and centred on 0 where both signs matter."""
    values = finite(*arrays)
    low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
    size = max(-low, high)
    if min(-low, high) > MINOR * size:
        return {"cmap": look.signed(), "vmin": -size, "vmax": size}
    return {"cmap": look.VALUES, "vmin": low, "vmax": high}


def log_colours(values):
    """Logarithmic colours; zeros get the lowest colour."""
    limits = log_limits(values)
    if limits is None:
        return {"cmap": look.ERRORS, "vmin": 0.0, "vmax": 1.0}
    return {"cmap": look.ERRORS, "norm": "log", "vmin": limits[0], "vmax": limits[1]}


def log_axis(axes, values):
    """Logarithmic vertical axis, if any value is positive."""
    limits = log_limits(values)
    if limits is not None:
        axes.set_yscale("log")
        axes.set_ylim(limits[0] / 2, limits[1] * 2)


def log_limits(values):
    """Ends of a logarithmic scale, which do not follow the dips where `values` cross zero."""
    positive = _positive(values)
    if not len(positive):
        return None
    high = positive.max()
    return min(max(np.quantile(positive, 0.05), high * 10.0**-DECADES), high / 10), high


def is_wide(arrays):
    """Whether values are positive and differ by more than a factor of ten."""
    values = finite(*arrays)
    return len(values) > 0 and 0 < 10 * values.min() < values.max()


def loss_axis(axes, values):
    """Logarithmic; with values <= 0 symmetric logarithmic, or linear if the range is small."""
    sizes, values = _positive(np.abs(values)), finite(values)
    if not len(sizes):
        return
    if values.min() > 0:
        axes.set_yscale("log")
    elif sizes.max() > 100 * np.quantile(sizes, 0.05, method="lower"):
        axes.set_yscale("symlog", linthresh=sizes.max() * 1e-3)


def _positive(values):
    values = finite(values)
    return values[values > 0]
