"""Quadrature over parts of cubes, against closed forms."""

import math

import numpy as np
import pytest
import scipy

from kpinn.domains.measures import cube_rule


def disk(*center, radius):
    return lambda u: np.sqrt(((u - np.array(center)) ** 2).sum(axis=1)) - radius


def outside(condition):
    return lambda u: -condition(u)


def both(first, second):
    return lambda u: np.maximum(first(u), second(u))


def either(first, second):
    return lambda u: np.minimum(first(u), second(u))


def segment(radius, height):
    """The area of a disk beyond a line at a height from its centre."""
    return radius**2 * math.acos(height / radius) - height * math.sqrt(radius**2 - height**2)


def lens(r, s, d):
    """The area that disks of radii `r` and `s` have in common whose centres are `d` apart."""
    height = (d**2 + r**2 - s**2) / (2 * d)
    return segment(r, height) + segment(s, d - height)


def rotated_square(u):
    return np.abs((u - 0.5) @ np.array([[0.8, -0.6], [0.6, 0.8]])).max(axis=1) - 0.3


FIRST, SECOND = disk(0.4, 0.5, radius=0.3), disk(0.6, 0.6, radius=0.25)
LENS = lens(0.3, 0.25, math.hypot(0.2, 0.1))
FLAT = [
    ([], 1.0),
    ([lambda u: 1 + u[:, 0]], 0.0),
    ([disk(0.43, 0.51, radius=0.312)], math.pi * 0.312**2),
    ([disk(0.5, 0.5, radius=0.5)], math.pi / 4),
    ([disk(0.0, 0.0, radius=1.0)], math.pi / 4),
    ([FIRST, SECOND], LENS),
    ([both(FIRST, SECOND)], LENS),
    ([either(FIRST, SECOND)], math.pi * (0.3**2 + 0.25**2) - LENS),
    ([outside(disk(0.503, 0.507, radius=0.01))], 1 - math.pi * 0.01**2),
    ([outside(disk(0.25, 0.5, radius=0.25))], 1 - math.pi * 0.25**2),
    ([outside(disk(0.2, 0.5, radius=0.25))], 1 - math.pi * 0.25**2 + segment(0.25, 0.2)),
    ([lambda u: u.sum(axis=1) - 1], 0.5),
    ([lambda u: 0.2 - np.abs(u - np.array([0.5, 0.4])).max(axis=1)], 0.84),
    ([rotated_square], 0.36),
]


@pytest.mark.parametrize(("conditions", "area"), FLAT)
def test_areas(conditions, area):
    rule = cube_rule(conditions, 2)
    np.testing.assert_allclose(rule.weights.sum(), area, rtol=0, atol=1e-13)
    assert rule.error < 1e-12
    assert all(np.all(condition(rule.points) <= 1e-15) for condition in conditions)


def test_intervals():
    middle, hole = disk(0.4, radius=0.3), outside(disk(0.2, radius=0.01))
    rule = cube_rule([middle, hole], 1)
    np.testing.assert_allclose(rule.weights.sum(), 0.58, rtol=1e-14)
    np.testing.assert_allclose(
        rule.points[:, 0] ** 5 @ rule.weights, (0.7**6 - 0.1**6 - 0.21**6 + 0.19**6) / 6
    )


def along(axis, radius):
    """The distance from a cylinder about the axis through the middle."""
    others = [i for i in range(3) if i != axis]
    return lambda u: np.sqrt(((u - 0.5)[:, others] ** 2).sum(axis=1)) - radius


BALL = disk(0.5, 0.5, 0.5, radius=0.4)
SOLID = [
    ([lambda u: u.sum(axis=1) - 1], 1 / 6, 1e-13),
    ([BALL], 4 / 3 * math.pi * 0.4**3, 1e-12),
]
DRILLED = 4 / 3 * math.pi * (0.4**2 - 0.2**2) ** 1.5
DRILLS = [([BALL, outside(along(axis, 0.2))], DRILLED, 1e-9) for axis in range(3)]
DRILLS.append(([BALL, lambda u: u[:, 2] - 0.5], 2 / 3 * math.pi * 0.4**3, 1e-11))
DRILLS = [pytest.param(*values, marks=pytest.mark.slow) for values in DRILLS]


@pytest.mark.parametrize(("conditions", "volume", "error"), SOLID + DRILLS)
def test_volumes(conditions, volume, error):
    rule = cube_rule(conditions, 3, n=1000)
    np.testing.assert_allclose(rule.weights.sum(), volume, rtol=0, atol=error)
    assert rule.error < max(10 * error, 1e-9)


def test_smooth_functions_over_a_lens():
    """Against the same integral as an iterated one of scipy, over the lens in two halves."""
    rule = cube_rule([FIRST, SECOND], 2, n=900)
    found = np.exp(rule.points @ np.array([1.0, 2.0])) @ rule.weights

    def inner(y):
        halves = [math.sqrt(max(r**2 - (y - c) ** 2, 0.0)) for r, c in ((0.3, 0.5), (0.25, 0.6))]
        lower, upper = max(0.4 - halves[0], 0.6 - halves[1]), min(0.4 + halves[0], 0.6 + halves[1])
        return max(math.exp(upper) - math.exp(lower), 0.0) * math.exp(2 * y)

    corners = np.roots(_corner_polynomial())
    ends = [0.35, *sorted(corners.real), 0.8]
    expected = sum(
        scipy.integrate.quad(inner, a, b, epsabs=1e-13, epsrel=1e-13, limit=200)[0]
        for a, b in zip(ends[:-1], ends[1:], strict=True)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def _corner_polynomial():
    """Coefficients for the ordinates of the corners: the circles on their radical line."""
    constant = (0.09 - 0.0625 - 0.4**2 - 0.5**2 + 0.6**2 + 0.6**2) / 0.4
    line = np.poly1d([-0.5, constant - 0.4])
    return (line**2 + np.poly1d([1, -0.5]) ** 2 - 0.09).coeffs
