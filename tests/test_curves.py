"""Polylines, parametric curves and point clouds, against closed forms."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats

from kpinn.domains import Ball, Box, Curve, PointCloud, Polyline

TURN = 2 * np.pi
CURVES = {
    "circle": (lambda s: (np.cos(s), np.sin(s)), (0, TURN), "x y", TURN),
    "ellipse": (
        lambda s: (2 * np.cos(s), np.sin(s)), (0, TURN), "x y", 8 * scipy.special.ellipe(0.75)
    ),
    "parabola": (
        lambda s: (s, s**2), (0, 1), "x y", np.sqrt(5) / 2 + np.arcsinh(2.0) / 4
    ),
    "helix": (
        lambda s: (np.cos(s), np.sin(s), 0.3 * s), (0, 9), "x y z", 9 * np.sqrt(1.09)
    ),
    "line": (lambda s: (3 * s, 4 * s), (0, 1), "x y", 5.0),
    "cycloid with cusps": (lambda s: (s - np.sin(s), 1 - np.cos(s)), (0, 2 * TURN), "x y", 16.0),
    "constant speed zero at first": (lambda s: (s**2, 0.0), (0, 1), "x y", 1.0),
    "vector": (lambda s: (np.cos(s), np.sin(s)), (0, 1), "x[2]", 1.0),
}  # fmt: skip


@pytest.mark.parametrize("name", CURVES)
def test_length_and_points_of_curves(name):
    function, span, coordinates, length = CURVES[name]
    curve = Curve(function, span, coordinates)
    assert curve.volume == pytest.approx(length, rel=1e-13)
    # Points on a grid have equal distances along the curve, which a fine polyline measures.
    points = curve.sample(50, "grid")
    rows = curve.frame.rows(points)
    fine = np.stack(np.broadcast_arrays(*function(np.linspace(*span, 400_001))), axis=1)
    steps = np.linalg.norm(np.diff(fine, axis=0), axis=1)
    along = np.concatenate([[0], np.cumsum(steps)])
    expected = np.stack(
        [np.interp((np.arange(50) + 0.5) / 50 * along[-1], along, axis) for axis in fine.T], axis=1
    )
    np.testing.assert_allclose(rows, expected, atol=1e-8 * length)
    assert curve.contains(points).all()
    lower, upper = fine.min(axis=0), fine.max(axis=0)
    np.testing.assert_allclose(curve.lower, lower, atol=1e-8)
    np.testing.assert_allclose(curve.upper, upper, atol=1e-8)


@pytest.mark.parametrize("unit", [1e-15, 1e9])
def test_the_bounds_of_curves_of_any_size(unit):
    curve = Curve(lambda s: (unit * np.cos(s), 2 * unit * np.sin(s)), (0.3, 6))
    np.testing.assert_allclose(curve.lower, [-unit, -2 * unit], rtol=1e-14)
    np.testing.assert_allclose(curve.upper, [np.cos(6) * unit, 2 * unit], rtol=1e-14)


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_the_unit_of_the_argument_of_a_curve_does_not_matter(unit):
    def ellipse(s):
        return 2 * np.cos(s / unit), np.sin(s / unit)

    arcs = Curve(ellipse, (0, TURN * unit)).arcs
    assert arcs.length == pytest.approx(CURVES["ellipse"][-1], rel=1e-13)
    assert len(arcs.lengths) < 30


def test_a_counterclockwise_curve_has_outward_normals_and_tangents_along_it():
    circle = Curve(lambda s: (1 + 2 * np.cos(s), 2 * np.sin(s)), (0, TURN))
    points = circle.sample(100, seed=0, extras="tangents")
    center = np.hstack([points["x"] - 1, points["y"]]) / 2
    np.testing.assert_allclose(points["n"], center, atol=1e-12)
    np.testing.assert_allclose(points["s"], np.stack([-center[:, 1], center[:, 0]], 1), atol=1e-12)
    with pytest.raises(ValueError, match=r"Curve\(x y, closed, .* has no boundary"):
        circle.boundary()


def test_points_are_uniform_in_the_length():
    curve = Curve(lambda s: (2 * np.cos(s), np.sin(s)), (0, TURN))
    points = curve.sample(8000, seed=0)
    angle = np.arctan2(points["y"], points["x"] / 2)[:, 0] % TURN
    edges = np.linspace(0, TURN, 41)
    lengths = 2 * np.diff(scipy.special.ellipeinc(edges + np.pi / 2, 0.75))
    counts, _ = np.histogram(angle, edges)
    assert scipy.stats.chisquare(counts, lengths * 8000 / lengths.sum()).pvalue > 1e-3


def test_the_level_of_a_curve_is_the_distance():
    circle = Curve(lambda s: (np.cos(s), np.sin(s)), (0, TURN))
    rows = np.random.default_rng(0).uniform(-2, 2, (500, 2))
    radii = np.hypot(*rows.T)
    np.testing.assert_allclose(circle.level(rows, np), np.abs(radii - 1), atol=1e-5)
    near = np.abs(radii - 1) < 0.3
    np.testing.assert_allclose(circle.level(rows[near], np), np.abs(radii - 1)[near], atol=1e-12)
    parabola = Curve(lambda s: (s, s**2), (0, 1))
    assert parabola.level(np.array([[1.5, 1.0], [0, -1]]), np) == pytest.approx([0.5, 1], abs=1e-14)


def test_quadrature_of_a_curve():
    points, weights = Curve(lambda s: (2 * np.cos(s), np.sin(s)), (0, TURN)).quadrature(2000)
    fine = (np.arange(4000) + 0.5) * TURN / 4000
    speed = np.hypot(2 * np.sin(fine), np.cos(fine))
    exact = np.sum(speed * np.cos(fine) ** 2 * 4) * TURN / 4000
    assert np.sum(weights * points["x"] ** 2) == pytest.approx(exact, rel=1e-12)


def test_the_ends_of_an_open_curve():
    curve = Curve(lambda s: (s, s**2), (0, 1))
    start, end = (curve.boundary(name).sample(2) for name in ("start", "end"))
    np.testing.assert_allclose(start["n"], [[-1, 0]] * 2, atol=1e-12)
    np.testing.assert_allclose(end["n"] * np.sqrt(5), [[1, 2]] * 2, atol=1e-12)
    np.testing.assert_allclose(np.hstack([end["x"], end["y"]]), 1, atol=1e-14)
    assert len(curve.boundary().sample(4)["x"]) == 4


@pytest.mark.parametrize("dtype, near", [("float64", 1e-13), ("float32", 3e-6)])
def test_curves_are_the_same_in_a_compiled_step(dtype, near):
    unit = np.linspace(0, 1, 50, dtype=dtype)[:, None]
    rows = np.random.default_rng(0).uniform(-1.5, 1.5, (50, 2)).astype(dtype)
    for curve in (
        Curve(lambda s: (np.cos(s), np.sin(s)), (0, 5)),
        Polyline(x=[0, 1, 1, 0.5], y=[0, 0, 1, 0.5]),
    ):
        patch = curve.inside[0]
        for function in (patch.place, patch.normal):
            values = function(keras.ops.convert_to_tensor(unit), keras.ops)
            assert keras.backend.standardize_dtype(values.dtype) == dtype
            np.testing.assert_allclose(values, function(unit.astype("float64"), np), atol=near)
        levels = curve.level(keras.ops.convert_to_tensor(rows), keras.ops)
        assert keras.backend.standardize_dtype(levels.dtype) == dtype
        np.testing.assert_allclose(levels, curve.level(rows.astype("float64"), np), atol=near)


def test_the_polygon_in_a_closed_curve():
    circle = Curve(lambda s: (np.cos(s), np.sin(s)), (0, TURN))
    polygon = circle.polygon(100, edges={"right": [0, 99]})
    assert polygon.volume == pytest.approx(50 * np.sin(TURN / 100), rel=1e-12)
    assert polygon.edge("right").sample(10)["x"].min() > 0.99
    with pytest.raises(ValueError, match="is open, so that it bounds nothing"):
        Curve(lambda s: (s, s), (0, 1)).polygon(10)


def test_curves_are_cut_and_multiplied():
    circle = Curve(lambda s: (np.cos(s), np.sin(s)), (0, TURN))
    upper = circle & Box(x=(-2, 2), y=(0, 2))
    assert upper.volume == pytest.approx(np.pi, rel=1e-10)
    assert upper.sample(100, seed=0)["y"].min() >= 0
    assert (circle - Ball(x=1, y=0, radius=1)).volume == pytest.approx(TURN * 2 / 3, rel=1e-10)
    assert (Box(t=(0, 2)) * circle).volume == pytest.approx(2 * TURN, rel=1e-13)


@pytest.mark.parametrize(
    "function, options, message",
    [
        (lambda s: (s, s, s), {}, "returns 2 arrays, one for each axis.*got 3"),
        (lambda s: (s, np.ones(3)), {}, "takes an array"),
        (lambda s: (s, 1 / (s - 0.5)), {}, "must be finite, and is not at 0.5"),
        (lambda s: (0 * s, 0 * s), {}, "does not move"),
        (
            lambda s: (s, np.random.default_rng(0).random(s.shape)),
            {},
            "not resolved by",
        ),
        (lambda s: (s, s), {"span": (1, 0)}, "first < last"),
        (lambda s: (s, s), {"coordinates": "t x"}, "'t' is time"),
        ("circle", {}, "is a function"),
    ],
)
def test_curve_refuses(function, options, message):
    with np.errstate(divide="ignore"), pytest.raises(ValueError, match=message):
        Curve(function, **options)


# Polylines -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dims", [1, 2, 3, 5])
def test_polyline(dims):
    vertices = np.random.default_rng(dims).standard_normal((6, dims))
    line = Polyline(x=vertices)
    lengths = np.linalg.norm(np.diff(vertices, axis=0), axis=1)
    assert line.volume == pytest.approx(lengths.sum(), rel=1e-14)
    points = line.sample(2000, seed=0)
    assert line.contains(points).all() and ("n" in points) == (dims == 2)
    distances = [
        np.linalg.norm(points["x"] - a, axis=1) + np.linalg.norm(points["x"] - b, axis=1)
        for a, b in zip(vertices[:-1], vertices[1:], strict=True)
    ]
    on = np.abs(np.array(distances) - lengths[:, None]) < 1e-7
    if dims > 1:
        counts = on.sum(axis=1)
        assert scipy.stats.chisquare(counts, lengths * 2000 / lengths.sum()).pvalue > 1e-3
    ends = line.boundary().sample(2)["x"]
    np.testing.assert_array_equal(ends, vertices[[0, -1]])


def test_polyline_in_the_plane():
    line = Polyline(x=[0, 2, 2], y=[0, 0, 1])
    points = line.sample(6, "grid")
    np.testing.assert_allclose(points["x"].ravel(), [0.25, 0.75, 1.25, 1.75, 2, 2])
    np.testing.assert_array_equal(points["n"], [[0, -1]] * 4 + [[1, 0]] * 2)
    np.testing.assert_array_equal(line.boundary("start").sample(1)["n"], [[-1, 0]])
    closed = Polyline(x=[0, 1, 0, 0], y=[0, 0, 1, 0])
    with pytest.raises(ValueError, match=r"Polyline\(4 vertices\) has no boundary"):
        closed.boundary()
    points, weights = line.quadrature(8)
    assert np.sum(weights * points["x"] ** 3) == pytest.approx(4 + 8)


@pytest.mark.parametrize(
    "vertices, message",
    [
        ({"x": [0], "y": [0]}, "at least 2 vertices, got 1"),
        ({"x": [0, 1, 1], "y": [0, 1, 1]}, "the same vertex twice, at 1 and 2"),
        ({"t": [0, 1], "x": [0, 1]}, "'t' is time"),
    ],
)
def test_polyline_refuses(vertices, message):
    with pytest.raises(ValueError, match=message):
        Polyline(**vertices)


# Point clouds --------------------------------------------------------------------------------


def test_point_cloud():
    rng = np.random.default_rng(0)
    t, x = rng.random(50), rng.standard_normal((50, 3))
    cloud = PointCloud(t=t, x=x, n=2 * x)
    assert cloud.volume == 50 and cloud.spatial == ("x",)
    np.testing.assert_array_equal(cloud.points["x"], x)
    np.testing.assert_allclose(np.linalg.norm(cloud.points["n"], axis=1), 1)
    some = cloud.sample(20, seed=0)
    assert len(np.unique(some["t"])) == 20 and cloud.contains(some).all()
    places = [int(np.flatnonzero(t == value)[0]) for value in some["t"][:, 0]]
    np.testing.assert_array_equal(some["x"], x[places])
    np.testing.assert_allclose(some["n"], (x / np.linalg.norm(x, axis=1, keepdims=True))[places])
    again = cloud.sample(120, seed=0)["t"]
    _, counts = np.unique(again, return_counts=True)
    assert len(counts) == 50 and set(counts) == {2, 3}
    assert not cloud.contains({"t": t + 0.5, "x": x}).any()


def test_point_cloud_with_weights():
    cloud = PointCloud(x=[0, 1, 2, 3], weights=[1, 2, 3, 4])
    counts = np.bincount(cloud.sample(5000, seed=0)["x"][:, 0].astype(int))
    assert scipy.stats.chisquare(counts, [500, 1000, 1500, 2000]).pvalue > 1e-3
    points, weights = cloud.quadrature(1)
    assert np.sum(weights * points["x"]) == 20 and cloud.volume == 10
    counts = np.bincount(cloud.sample(10, "latin_hypercube", seed=0)["x"][:, 0].astype(int))
    assert counts.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "needs points"),
        ({"x": [0, 1], "y": [0]}, "arrays of one length"),
        ({"x": [0, 1], "n": [1]}, "arrays of one length"),
        ({"x": [0, 1], "n": [1, 0]}, r"shape \(points, 1\) and no zero vectors"),
        ({"x": [0, 1], "weights": [1, 0]}, "must be positive"),
        ({"x": [0, np.inf]}, "must be finite"),
    ],
)
def test_point_cloud_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        PointCloud(**arguments)
    with pytest.raises(ValueError, match="has no boundary"):
        PointCloud(x=[0.0]).boundary()
