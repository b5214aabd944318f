"""Derivatives by differences of high order."""

import math

import numpy as np

# Weights of the eighth-order difference for a first derivative, at the points 1, 2, 3 and 4.
DIFFERENCE = (4 / 5, -1 / 5, 4 / 105, -1 / 280)


def derivative(function, points, names, step):
    """A derivative by differences, a coordinate (or a component of a vector one) at a time.

    Args:
        function: from a dict of points to an array `(n, 1)`.
        points: dict of arrays.
        names: pairs of a coordinate and a column.
        step: of the difference.
    """
    if not names:
        return function(points)
    (name, column), *rest = names

    def shifted(distance):
        moved = points[name].copy()
        moved[:, column] += distance
        return derivative(function, points | {name: moved}, rest, step)

    pairs = [shifted(k * step) - shifted(-k * step) for k in range(1, 5)]
    return sum(weight * pair for weight, pair in zip(DIFFERENCE, pairs, strict=True)) / step


def weights(order, reach):
    """Weights of a difference for a derivative, at the points from `-reach` to `reach`."""
    offsets = np.arange(-reach, reach + 1)
    powers = np.vander(offsets, increasing=True).T
    return np.linalg.solve(powers, math.factorial(order) * (np.arange(len(offsets)) == order))
