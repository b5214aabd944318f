"""Derivatives of functions by Taylor coefficients, checked against `references`."""

import references
from exact_layers import error

import kpinn

STRICT = kpinn.Taylor(strict=True)
TOLERANCE = {"float64": 1e-11, "float32": 1e-5}
MIXED = ("", "x", "y", "xy", "xxy", "yyy", "xxyy")


def names_of(derivatives):
    return [f"u_{name}" if name else "u" for name in derivatives]


def check(function, reference, points, derivatives=MIXED, dtypes=("float64",), method=STRICT):
    """Derivatives of `function: (n, d) -> (n, m)` against those of a function of one point."""
    coordinates = "xyz"[: points.shape[1]]
    axes = [tuple(coordinates.index(letter) for letter in name) for name in derivatives]
    expected = [references.partials(reference, points, each) for each in axes]
    size = expected[0].shape[1]
    for dtype in dtypes:
        values = kpinn.derivatives(
            function,
            points.astype(dtype),
            names_of(derivatives),
            " ".join(coordinates),
            f"u[{size}]",
            method=method,
        )
        for name, right in zip(derivatives, expected, strict=True):
            value = values[f"u_{name}" if name else "u"]
            assert value.dtype == dtype
            assert error(value, right) < TOLERANCE[dtype], f"u_{name} in {dtype}"
