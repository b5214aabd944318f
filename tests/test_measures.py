"""Quadrature over parts of cubes, against closed forms."""

import math

import numpy as np
import pytest

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
