"""Shapes and what is made of them: volumes, areas, normals and points against closed forms."""

import functools
import math

import keras
import numpy as np
import pytest
import scipy
import tensorflow as tf

from kpinn.domains import (
    Ball,
    Box,
    Cone,
    Cylinder,
    Ellipsoid,
    Ring,
    Shell,
    Sphere,
)

PI = math.pi


def spheroid(a, c):
    """Area of a spheroid with the half axes a, a, c < a."""
    e = math.sqrt(1 - c**2 / a**2)
    return 2 * PI * a**2 + PI * c**2 / e * math.log((1 + e) / (1 - e))


def lens(distance):
    """Volume and area of what two unit balls have in common."""
    cap = 1 - distance / 2
    return 2 * PI * cap**2 * (3 - cap) / 3, 4 * PI * cap


SQUARE, CUBE = Box(x=(0, 1), y=(0, 1)), Box(x=(0, 1), y=(0, 1), z=(0, 1))
DISK, BALL = Ball(x=0.2, y=0.2, radius=0.05), Ball(x=0, y=0, z=0, radius=1)
CHANNEL = Box(x=(0, 2.2), y=(0, 0.41))
PIPE = Box(x=(0, 2.2), y=(0, 0.41), z=(0, 0.41))
FLOW = CHANNEL - DISK.named("cylinder")
MOVING = (Box(t=(0, 1)) * DISK).moved(x=lambda t: 0.3 * t, y=lambda t: 0.1 * keras.ops.sin(t))

# The volume and the area of the boundary.
SHAPES = {
    "interval": (Ball(x=1, radius=2), 4, 2),
    "disk": (Ball(x=1, y=2, radius=0.5), PI / 4, PI),
    "ball": (Ball(x=[1, 2, 3], radius=2), 32 * PI / 3, 16 * PI),
    "4-ball": (Ball(x=np.zeros(4), radius=2), 8 * PI**2, 16 * PI**2),
    "7-ball": (Ball(x=np.zeros(7), radius=1), 16 * PI**3 / 105, 16 * PI**3 / 15),
    "ring": (Ring(x=0, y=1, inner=0.5, outer=1), 0.75 * PI, 3 * PI),
    "shell": (Shell(x=[0, 0, 1], inner=0.5, outer=1), 7 * PI / 6, 5 * PI),
    "ellipse": (Ellipsoid(x=1, y=2, radii=(2, 1)), 2 * PI, 8 * scipy.special.ellipe(0.75)),
    "thin": (Ellipsoid(x=1, y=2, radii=(2, 0.1)), PI / 5, 8 * scipy.special.ellipe(0.9975)),
    "spheroid": (Ellipsoid(x=0, y=1, z=2, radii=(2, 2, 1)), 16 * PI / 3, spheroid(2, 1)),
    "cylinder": (Cylinder(x=(0, 2), y=1, z=2, radius=0.5), PI / 2, 2.5 * PI),
    "cone": (Cone(x=0, y=1, z=(1, 3), radius=1), 2 * PI / 3, PI * (1 + math.sqrt(5))),
    "frustum": (
        Cone(x=0, y=(1, 3), z=0, radius=(0.5, 1)),
        3.5 * PI / 3,
        1.25 * PI + 1.5 * PI * math.hypot(2, 0.5),
    ),
    "flow": (FLOW, 2.2 * 0.41 - PI * 0.0025, 2 * (2.2 + 0.41) + 0.1 * PI),
    "pipe": (
        PIPE - Cylinder(x=0.2, y=0.2, z=(0, 0.41), radius=0.05),
        (2.2 * 0.41 - PI * 0.0025) * 0.41,
        2 * (2.2 * 0.41 - PI * 0.0025) + 2 * 0.41 * (2.2 + 0.41) + 0.1 * PI * 0.41,
    ),
    "L": (Box(x=(-1, 1), y=(-1, 1)) - SQUARE, 3, 8),
    "notch": (SQUARE - Box(x=(0.2, 0.4), y=(0.5, 1)), 0.9, 5),
    "adjacent": (SQUARE + Box(x=(1, 3), y=(0, 1)), 3, 8),
    "step": (SQUARE + Box(x=(1, 2), y=(0, 2)), 3, 8),
    "overlap": (SQUARE + Box(x=(0.5, 2), y=(0, 1)), 2, 6),
    "twice": (SQUARE + SQUARE, 1, 4),
    "same": (SQUARE & SQUARE, 1, 4),
    "apart": (SQUARE + Box(x=(2, 3), y=(0, 1)), 2, 8),
    "touching": (SQUARE - Box(x=(1, 2), y=(0, 1)), 1, 4),
    "quarter": (Ball(x=0, y=0, radius=1) & SQUARE, PI / 4, 2 + PI / 2),
    "bite": (SQUARE - Ball(x=0, y=0, radius=0.5), 1 - PI / 16, 3 + PI / 4),
    "half": (Ball(x=0, y=0, radius=1) - Box(x=(-2, 0), y=(-2, 2)), PI / 2, PI + 2),
    "lens": (
        Ball(x=0, y=0, radius=1) & Ball(x=1, y=0, radius=1),
        2 * PI / 3 - math.sqrt(3) / 2,
        4 * PI / 3,
    ),
    "three": (Ball(x=0, radius=1) + Box(x=(0.5, 3)) - Box(x=(2, 2.5)), 3.5, 4),
    "holes": (
        SQUARE - Ball(x=0.3, y=0.3, radius=0.1) - Ball(x=0.7, y=0.7, radius=0.2),
        1 - 0.05 * PI,
        4 + 0.6 * PI,
    ),
    "extruded": (FLOW.extruded(z=(0, 2)), 2 * (0.902 - PI * 0.0025), 1.804 + 10.44 + 0.195 * PI),
    "torus": (Ball(r=2, z=0, radius=0.5).revolved(r="x y"), PI**2, 4 * PI**2),
    "drum": (Box(r=(0, 1), z=(0, 2)).revolved(r="x y"), 2 * PI, 6 * PI),
    "bored": (
        (Box(r=(0, 1), z=(0, 2)) - Ball(r=0, z=1, radius=0.5)).revolved(r="x y"),
        2 * PI - PI / 6,
        7 * PI,
    ),
    "turned": (SQUARE.rotated(0.3, x=1).scaled(2, y=1).moved(x=3, y=[-1]), 4, 8),
    "turned step": ((SQUARE + Box(x=(1, 2), y=(0, 2))).rotated(2.5), 3, 8),
    "turned cube": (CUBE.rotated(0.7, axis=(1, 1, 1)).scaled(0.5), 1 / 8, 6 / 4),
    "mirrored": (
        CHANNEL.rotated([[0, 1], [1, 0]]) - Ball(x=0.2, y=0, radius=0.1),
        0.902 - 0.005 * PI,
        5.22 - 0.2 + 0.1 * PI,
    ),
    "time": (Box(t=(0, 3)) * FLOW, 3 * (0.902 - PI * 0.0025), 3 * (5.22 + 0.1 * PI)),
    "moving": (MOVING, PI * 0.0025, PI * 0.1),
    "past a moving disk": (Box(t=(0, 1)) * CHANNEL - MOVING, 0.902 - PI * 0.0025, 5.22 + PI * 0.1),
    "family": (
        Box(mu=(1, 3), parameters="mu") * FLOW,
        2 * (0.902 - PI * 0.0025),
        2 * (5.22 + PI * 0.1),
    ),
}
CURVED_3D = {
    "lens": (BALL & BALL.moved(x=1.0), *lens(1)),
    "corner": (BALL & CUBE, PI / 6, PI / 2 + 3 * PI / 4),
    "pierced": (
        CUBE - Cylinder(x=0.5, y=0.5, z=(-1, 2), radius=0.2),
        1 - 0.04 * PI,
        6 - 0.08 * PI + 0.4 * PI,
    ),
}


@pytest.fixture(params=SHAPES.values(), ids=SHAPES)
def shape(request):
    return request.param


@pytest.fixture(params=[domain for domain, *_ in SHAPES.values()], ids=SHAPES)
def domain(request):
    return request.param


def space_of(domain, points):
    return np.hstack([points[name] for name in domain.spatial])


# Measures


def test_volume_and_area(shape):
    domain, volume, area = shape
    assert domain.volume == pytest.approx(volume, rel=1e-12)
    assert domain.boundary().area == pytest.approx(area, rel=1e-12)
    assert domain.volume.error < 1e-12 and domain.boundary().area.error < 1e-12


@pytest.mark.parametrize(
    "name",
    ["corner", *(pytest.param(each, marks=pytest.mark.slow) for each in ("lens", "pierced"))],
)
def test_volume_and_area_of_curved_shapes_that_overlap(name):
    domain, volume, area = CURVED_3D[name]
    assert domain.volume == pytest.approx(volume, rel=1e-11)
    assert domain.boundary().area == pytest.approx(area, rel=1e-11)


def test_a_measure_is_a_float_with_an_error():
    volume = (Ball(x=0, y=0, radius=1) & SQUARE).volume
    assert isinstance(volume, float) and 0 <= volume.error < 1e-12
    assert f"{volume:.4f}" == "0.7854"


# Points


def test_points_lie_inside_and_boundary_points_between(domain):
    """A step along the normal leaves the domain, one against it does not."""
    points, border = domain.sample(500, seed=1), domain.boundary().sample(500, seed=1)
    assert domain.contains(points).all() and domain.contains(border).all()
    assert tuple(points) == domain.coordinates and tuple(border) == (*domain.coordinates, "n")
    np.testing.assert_allclose(np.linalg.norm(border["n"], axis=1), 1, rtol=1e-12)
    rows = domain.frame.rows(border)
    assert np.abs(domain.level(rows, np)).max() < 1e-12
    step = 1e-7 * domain.frame.embedded(border["n"], np)
    assert not domain.holds(rows + step).any() and domain.holds(rows - step).all()


def test_normals_are_gradients_of_the_level(domain):
    """Where they can be compared: the level has a gradient at most points."""
    border = domain.boundary().sample(200, seed=3)
    rows, step = domain.frame.rows(border), 1e-6
    for i, axis in enumerate(domain.frame.spatial_axes):
        away = step * np.eye(domain.frame.width)[axis]
        slope = (domain.level(rows + away, np) - domain.level(rows - away, np)) / (2 * step)
        assert np.median(np.abs(slope - border["n"][:, i])) < 1e-8


@pytest.mark.parametrize(
    "domain",
    [
        SQUARE,
        CUBE,
        Ball(x=1, y=2, radius=0.5),
        Ring(x=0, y=1, inner=0.5, outer=1),
        Cylinder(x=(0, 2), y=1, z=2, radius=0.5),
        Cone(x=0, y=1, z=(1, 3), radius=1),
        Cone(x=0, y=(1, 3), z=0, radius=(0.5, 1)),
        Ball(x=0, y=0, radius=1) * Box(z=(0, 1)),
        CUBE.rotated(0.7, axis=(1, 1, 1)).scaled(0.5),
        Ball(r=2, z=0, radius=0.5).revolved(r="x y"),
    ],
    ids=str,
)
def test_the_level_is_the_distance_to_the_boundary(domain):
    """Which is less than that to any of many points on it, but not by much."""
    border = domain.frame.rows(domain.boundary().sample(60_000, "halton", seed=0))
    rows = np.random.default_rng(4).uniform(
        domain.lower - 0.7, domain.upper + 0.7, (500, border.shape[1])
    )
    found = scipy.spatial.cKDTree(border).query(rows)[0]
    levels = domain.level(rows, np)
    assert (levels < 0).any() and np.all(np.abs(levels) <= found + 1e-12)
    assert np.all(found - np.abs(levels) < 0.06)


@pytest.mark.parametrize("method", ["uniform", "latin_hypercube", "sobol", "halton"])
@pytest.mark.parametrize("n", [1, 7, 300])
@pytest.mark.parametrize("name", ["interval", "spheroid", "flow", "notch", "bored", "family"])
def test_every_method_gives_as_many_points_as_asked(name, method, n):
    for part in (SHAPES[name][0], SHAPES[name][0].boundary()):
        first, same = (part.sample(n, method, seed=2) for _ in range(2))
        assert all(len(values) == n for values in first.values())
        assert all(np.array_equal(first[name], same[name]) for name in first)


def test_the_flux_of_the_position_is_the_volume(shape):
    """Gauss: the mean of `x_i n_j` over the boundary times its area is the volume for i = j."""
    domain, volume, area = shape
    border = domain.boundary().sample(20_000, "halton", seed=0)
    x, n = space_of(domain, border), border["n"]
    flux = area * np.mean(x[:, :, None] * n[:, None, :], axis=0)
    spread = area * np.abs(x).max() * 6 / math.sqrt(20_000)
    np.testing.assert_allclose(flux, volume * np.eye(x.shape[1]), atol=spread)
    np.testing.assert_allclose(n.mean(axis=0), 0, atol=6 / math.sqrt(20_000))


def chi_square(counts, expected):
    """The probability of counts at least as far from what is expected."""
    keep = expected > 5
    counts = np.append(counts[keep], counts[~keep].sum())
    expected = np.append(expected[keep], max(expected[~keep].sum(), 1e-9))
    return scipy.stats.chisquare(counts, expected * counts.sum() / expected.sum()).pvalue


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "7-ball"])
def test_points_are_uniform(name):
    """Against points of the bounding box that lie inside, which share no map with ours."""
    domain = SHAPES[name][0]
    rng, n = np.random.default_rng(5), 20_000
    lower, upper = domain.lower, domain.upper
    others = lower + (upper - lower) * rng.random((100_000, len(lower)))
    others = others[domain.level(others, np) <= 0]
    rows = domain.frame.rows(domain.sample(n, seed=rng))
    bins = [np.linspace(a, b, 6) for a, b in zip(lower, upper, strict=True)]
    counts, expected = (np.histogramdd(each, bins)[0].ravel() for each in (rows, others))
    # Both are random: the variance of the difference is that of the smaller set, and more.
    variance = 1 + n / len(others)
    pooled = (counts + expected) / (n + len(others)) * n
    keep = pooled > 5
    statistic = np.sum((counts - expected * n / len(others))[keep] ** 2 / (pooled[keep] * variance))
    assert scipy.stats.chi2.sf(statistic, max(keep.sum() - 1, 1)) > 1e-4


def test_points_are_uniform_in_seven_dimensions():
    """Rejection from the box finds too few points: by the laws of radii and of directions."""
    rows = np.hstack(list(SHAPES["7-ball"][0].sample(5_000, seed=0).values()))
    radii = np.linalg.norm(rows, axis=1)
    largest = SHAPES["7-ball"][0].radius
    assert scipy.stats.kstest((radii / largest) ** 7, "uniform").pvalue > 1e-3
    for column in rows.T:
        squares = (column / radii) ** 2
        assert scipy.stats.kstest(squares, scipy.stats.beta(0.5, 3.0).cdf).pvalue > 1e-3
        assert abs(np.mean(column > 0) - 0.5) < 0.03


@pytest.mark.parametrize(
    "part, number, cells",
    [
        (Ball(x=[0, 0, 0], radius=1).boundary(), lambda p: (p["x"][:, 2] + 1) / 2, 50),
        (Sphere(x=0, y=0, radius=2), lambda p: np.arctan2(p["x"], p["y"]) / (2 * PI) + 0.5, 50),
        (
            Ellipsoid(x=0, y=0, radii=(1, 3)).boundary(),
            lambda p: (
                scipy.special.ellipeinc(np.arctan2(p["y"] / 3, p["x"]), 8 / 9)
                / (4 * scipy.special.ellipe(8 / 9))
                + 0.5
            ),
            50,
        ),
        (Cone(x=0, y=0, z=(0, 1), radius=2).boundary("side"), lambda p: (1 - p["z"]) ** 2, 40),
        (
            Ring(x=0, y=0, inner=1, outer=3).boundary(),
            lambda p: np.hypot(p["x"], p["y"]) / 4 + 0.1,
            4,
        ),
        (Ball(r=2, z=0, radius=1).revolved(r="x y").boundary(), None, 30),
    ],
)
def test_boundary_points_are_uniform(part, number, cells):
    """A number of each point that is uniform, or known, for a uniform density."""
    points = part.sample(30_000, seed=8)
    if number is None:  # a torus: the density of the angle of the tube is that of the radius
        radius = np.hypot(points["x"], points["y"])
        angle = np.arctan2(points["z"], radius - 2)
        values, edges = angle, np.linspace(-PI, PI, cells + 1)
        expected = np.diff(edges + np.sin(edges) / 2)
    else:
        values, edges = number(points), np.linspace(0, 1, cells + 1)
        expected = np.ones(cells) if cells > 4 else np.array([0, 1, 0, 3])
    counts = np.histogram(values, edges)[0]
    assert chi_square(counts, 30_000 * expected / expected.sum()) > 1e-4


@pytest.mark.parametrize("dtype, close", [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize(
    "name",
    ["interval", "4-ball", "ring", "spheroid", "cone", "bored", "turned", "past a moving disk"],
)
def test_the_device_places_the_same_points(name, dtype, close):
    """The same functions with keras.ops, in a graph."""
    for patch in (*SHAPES[name][0].inside, *SHAPES[name][0].border):
        unit = np.random.default_rng(0).random((50, patch.draws))
        placed = functools.partial(patch.candidates, xp=keras.ops)
        rows, normals, counts = tf.function(placed, autograph=False)(tf.constant(unit, dtype))
        expected = patch.candidates(unit)
        assert rows.dtype == dtype
        np.testing.assert_allclose(rows, expected[0], atol=close)
        assert (normals is None) == (expected[1] is None)
        if normals is not None:
            np.testing.assert_allclose(normals, expected[1], atol=close)
        if counts is not None and dtype == "float64":
            np.testing.assert_array_equal(counts, expected[2])


# Quadrature


@pytest.mark.parametrize(
    "domain, function, integral",
    [
        (Ball(x=0, y=0, radius=1), lambda x, y: x**4 * y**2, PI / 64),
        (Ball(x=0, y=0, z=0, radius=1), lambda x, y, z: x**2 * y**2, 4 * PI / 105),
        (Shell(x=0, y=0, z=0, inner=1, outer=2), lambda x, y, z: z**2, 4 * PI / 15 * 31),
        (Cylinder(x=0, y=0, z=(0, 1), radius=1), lambda x, y, z: x**2 * z, PI / 8),
        (Cone(x=0, y=0, z=(0, 1), radius=1), lambda x, y, z: z + 0 * x, PI / 12),
        (Ellipsoid(x=0, y=0, radii=(2, 1)), lambda x, y: x**2, 2 * PI),
        (Box(x=(0, 1), y=(0, 2)), lambda x, y: np.exp(x) * y, 2 * (math.e - 1)),
        (FLOW, lambda x, y: (x - 0.2) ** 2, 0.41 * (8 + 0.008) / 3 - PI * 0.05**4 / 4),
        (Ball(x=0, y=0, radius=1) & SQUARE, lambda x, y: x * y, 1 / 8),
        (Box(t=(0, 1)) * Ball(x=0, y=0, radius=1), lambda t, x, y: t * x**2, PI / 8),
        (Ball(r=2, z=0, radius=1).revolved(r="x y"), lambda x, y, z: z**2, PI**2),
    ],
)
def test_quadrature(domain, function, integral):
    points, weights = domain.quadrature(4_000)
    assert weights.shape == (len(next(iter(points.values()))), 1)
    values = function(**{name: points[name] for name in domain.coordinates})
    assert np.sum(weights * values) == pytest.approx(integral, rel=1e-11)


def test_weights_of_points_make_integrals():
    points = FLOW.boundary("cylinder").sample(4_000, "halton", seed=0, extras="w")
    assert np.sum(points["w"]) == pytest.approx(0.1 * PI, rel=1e-12)
    assert np.sum(points["w"] * points["x"]) == pytest.approx(0.02 * PI, rel=1e-3)
