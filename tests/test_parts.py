"""Parts of boundaries: names, coincident faces, time and parameters, and the wording of errors."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpinn.domains import (
    Ball,
    Box,
    Cone,
    Curve,
    Cylinder,
    Ellipsoid,
    Measure,
    PointCloud,
    Polyline,
    Ring,
    Sphere,
    concatenate,
)

PI = math.pi
CHANNEL, DISK = Box(x=(0, 2.2), y=(0, 0.41)), Ball(x=0.2, y=0.2, radius=0.05)
FLOW = CHANNEL - DISK.named("cylinder")
NAMED = FLOW.with_parts(inlet=FLOW.face(x=0), outlet=FLOW.face(x=2.2), walls=FLOW.boundary("y"))
PIPE = Box(x=(0, 2.2), y=(0, 0.41), z=(0, 0.41))
ROD = Cylinder(x=0.2, y=0.2, z=(0, 0.41), radius=0.05)
SQUARE = Box(x=(0, 1), y=(0, 1))
TIME, FAMILY = Box(t=(0, 2)), Box(mu=(1, 2), parameters="mu")


# The first acceptance: a channel past a cylinder


@pytest.mark.parametrize("extra", [None, TIME, FAMILY])
def test_channel_in_the_plane(extra):
    flow = NAMED if extra is None else extra * NAMED
    factor = 1 if extra is None else extra.volume
    lengths = {"inlet": 0.41, "outlet": 0.41, "walls": 4.4, "cylinder": 0.1 * PI}
    for name, length in lengths.items():
        assert flow.boundary(name).area == pytest.approx(factor * length, rel=1e-12)
    assert flow.boundary().area == pytest.approx(factor * sum(lengths.values()), rel=1e-12)
    assert flow.volume == pytest.approx(factor * (2.2 * 0.41 - PI * 0.0025), rel=1e-12)
    inlet, outlet, walls, cylinder = (flow.boundary(k).sample(400, seed=0) for k in lengths)
    assert (inlet["x"] == 0).all() and (inlet["n"] == [-1, 0]).all()
    assert (outlet["x"] == 2.2).all() and (outlet["n"] == [1, 0]).all()
    assert np.isin(walls["y"], [0, 0.41]).all()
    np.testing.assert_array_equal(walls["n"][:, 1], np.where(walls["y"][:, 0] > 0, 1, -1))
    center = np.hstack([cylinder["x"], cylinder["y"]]) - 0.2
    np.testing.assert_allclose(cylinder["n"], -center / 0.05, atol=1e-12)


def test_channel_in_space():
    flow = PIPE - ROD.named("cylinder")
    flow = flow.with_parts(inlet=flow.face(x=0), walls=flow.boundary("y", "z"))
    side = 2.2 * 0.41 - PI * 0.0025
    assert flow.volume == pytest.approx(side * 0.41, rel=1e-12)
    assert flow.boundary("cylinder").area == pytest.approx(0.1 * PI * 0.41, rel=1e-12)
    assert flow.boundary("inlet").area == pytest.approx(0.41**2, rel=1e-12)
    points = flow.boundary("cylinder").sample(300, "halton", seed=0)
    center = np.hstack([points["x"], points["y"]]) - 0.2
    np.testing.assert_allclose(points["n"][:, :2], -center / 0.05, atol=1e-12)
    assert (points["n"][:, 2] == 0).all()
    walls = flow.boundary("walls").sample(2_000, seed=1)
    on_z = np.isin(walls["z"][:, 0], [0, 0.41])
    assert on_z.any() and np.isin(walls["y"][~on_z], [0, 0.41]).all()
    assert (np.hypot(walls["x"] - 0.2, walls["y"] - 0.2) > 0.05).all()


# Names


def test_boundary_of_a_coordinate_is_that_of_the_box():
    bite = Box(x=(-1, 1), y=(-1, 1)) - SQUARE.named("step")
    assert bite.boundary("x").area == pytest.approx(3)  # not the face of the step
    assert bite.boundary("step").area == pytest.approx(2)
    assert bite.face(x=0).area == pytest.approx(1) and bite.face(x=1).area == pytest.approx(1)
    assert (bite.face(x=0).sample(10)["n"] == [1, 0]).all()


def test_a_face_inside_is_a_section():
    points = FLOW.face(x=0.2).sample(200, seed=0)
    assert tuple(points) == ("x", "y") and (points["x"] == 0.2).all()
    assert FLOW.face(x=0.2).area == pytest.approx(0.31) and FLOW.contains(points).all()


def test_names_survive_what_is_made_of_a_domain():
    moved = NAMED.scaled(2).moved(x=1).rotated(0.5)
    assert moved.boundary("inlet").area == pytest.approx(0.82)
    assert (NAMED - Ball(x=1, y=0.2, radius=0.1).named("second")).boundary("second", "walls").area
    assert NAMED.extruded(z=(0, 3)).boundary("inlet").area == pytest.approx(3 * 0.41)
    ring = Ring(x=0, y=0, inner=1, outer=2) - Box(x=(0, 3), y=(0, 3))
    assert ring.boundary("inner").area == pytest.approx(1.5 * PI)
    assert FLOW.moved(x=0.1).face(x=2.3).area == pytest.approx(0.41)


def test_scaling_leaves_time_as_it_is():
    """Of a product with time: areas, faces, normals and the distance."""
    flow = (TIME * FLOW).scaled(2, x=1)
    assert flow.bounds["x"] == pytest.approx((-1, 3.4)) and flow.bounds["t"] == (0, 2)
    assert flow.volume == pytest.approx(2 * 4 * FLOW.volume)
    assert flow.boundary().area == pytest.approx(2 * 2 * FLOW.boundary().area)
    assert flow.face(t=2).area == pytest.approx(4 * FLOW.volume)
    assert flow.face(x=3.4).area == pytest.approx(2 * 0.82)
    assert flow.face(x=-0.6).area == pytest.approx(2 * 2 * 0.31)  # through the cylinder
    assert "n" not in flow.face(x=1.2).sample(1)
    assert flow.level(np.array([[1, 2, 0.41]]), np) == pytest.approx([-0.41])
    later = flow.moved(y=0.1).scaled(0.5)
    assert (later.face(x=1.7).sample(3)["n"] == [1, 0]).all()


@pytest.mark.parametrize("quarter", [math.pi / 2, [[0, -1], [1, 0]]])
def test_rotations_are_counterclockwise(quarter):
    turned = Box(x=(0, 2), y=(0, 1)).rotated(quarter, y=1)
    assert turned.bounds["x"] == pytest.approx((0, 1)) and turned.bounds["y"] == pytest.approx(
        (1, 3)
    )
    assert turned.contains({"x": [0.9, 0.9], "y": [2.9, 0.9]}).tolist() == [True, False]


def test_rotations_about_an_axis_follow_the_right_hand():
    turned = PIPE.rotated(math.pi / 2, axis=(0, 2, 0))
    assert turned.bounds["z"] == pytest.approx((-2.2, 0))
    assert turned.bounds["x"] == pytest.approx((0, 0.41)) and turned.bounds["y"] == (0, 0.41)
    assert (turned.face(y=0.41).sample(3)["n"] == [0, 1, 0]).all()


def test_what_is_made_of_a_convex_domain_is_known_to_be_convex():
    """So that nothing has to be integrated."""
    for outer in (
        SQUARE.rotated(0.3),
        Ball(x=0, y=0, radius=2).scaled(0.8) & Box(x=(0, 3), y=(0, 3)),
    ):
        small = Ball(x=0.5, y=0.6, radius=0.1)
        assert outer.is_convex and (outer - small).volume == outer.volume - small.volume
    assert not (SQUARE * Box(z=(0, 1)) - Ball(x=1, y=1, z=1, radius=0.5)).is_convex
    assert not (Box(z=(0, 1)) * FLOW).is_convex and (Box(z=(0, 1)) * DISK).is_convex


def test_what_is_in_two_parts_belongs_to_the_first():
    left = FLOW.boundary().where(lambda x: x < 0.5)
    domain = FLOW.with_parts(inlet=FLOW.face(x=0), left=left, walls=FLOW.boundary("y"))
    lengths = {"inlet": 0.41, "left": 1 + 0.1 * PI, "walls": 3.4}
    for name, length in lengths.items():
        assert domain.boundary(name).area == pytest.approx(length, rel=1e-12)
    assert (domain.boundary("left").sample(500, seed=0)["x"] > 0).all()
    assert domain.boundary().area == pytest.approx(FLOW.boundary().area, rel=1e-12)
    assert domain.boundary("y").area == pytest.approx(4.4)
    later = domain.with_parts(rest=domain.boundary())
    assert later.boundary("rest").area == pytest.approx(0.41)


def test_parts_of_parts():
    cylinder = FLOW.boundary("cylinder")
    front = cylinder.where(lambda x, n: (x < 0.2) & (n[:, :1] > 0.5))
    assert front.area == pytest.approx(0.1 * PI / 3, rel=1e-10)
    assert (front + cylinder).area == pytest.approx(0.1 * PI, rel=1e-12)
    assert (cylinder + FLOW.face(x=0)).area == pytest.approx(0.41 + 0.1 * PI)
    domain = FLOW.with_parts(front=front)
    assert domain.boundary("front").area == pytest.approx(front.area)
    assert domain.boundary("cylinder").area == pytest.approx(0.1 * PI)


def test_a_shape_that_two_operands_share_keeps_its_name():
    disk = Ball(x=1, y=0.5, radius=0.2).named("disk")
    both = (SQUARE - disk) + (Box(x=(1, 2), y=(0, 1)) - disk)
    assert both.boundary("disk").area == pytest.approx(0.4 * PI)
    assert both.volume == pytest.approx(2 - 0.04 * PI)


# Time and parameters


def test_boundary_of_a_product_with_time_is_that_of_space_at_all_times():
    points = (TIME * FLOW).boundary("cylinder").sample(500, seed=0)
    assert tuple(points) == ("t", "x", "y", "n") and points["n"].shape == (500, 2)
    assert 0.9 < points["t"].mean() < 1.1
    start = (TIME * FLOW).face(t=0)
    assert start.area == pytest.approx(FLOW.volume) and "n" not in start.sample(1)
    assert FLOW.contains(start.sample(500)).all()
    corner = (TIME * FLOW).face(t=0, x=0)
    assert corner.area == pytest.approx(0.41) and (corner.sample(2)["n"] == [-1, 0]).all()
    assert (TIME * FLOW).boundary("t").area == pytest.approx(2 * FLOW.volume)


def test_a_difference_of_products_with_time_is_closed_in_time():
    both = TIME * CHANNEL - TIME * DISK
    assert not both.contains({"t": [0.0, 2.0], "x": [0.2, 0.2], "y": [0.2, 0.2]}).any()
    assert both.face(t=0).area == pytest.approx(FLOW.volume)
    assert both.boundary("t").area == pytest.approx(2 * FLOW.volume)
    assert (TIME * CHANNEL + TIME * DISK).face(t=2).area == pytest.approx(CHANNEL.volume)
    assert (TIME * CHANNEL + TIME * DISK).boundary("t").area == pytest.approx(2 * CHANNEL.volume)
    assert (TIME * CHANNEL & TIME * DISK).boundary("t").area == pytest.approx(2 * DISK.volume)


@pytest.mark.parametrize("domain", [TIME * DISK, DISK * TIME, Box(t=(0, 2), x=(0, 1), y=(0, 0.4))])
def test_time_bounds_a_domain_and_is_no_distance(domain):
    points = {"t": [1.99, 2.5], "x": [0.2, 0.2], "y": [0.2, 0.2]}
    in_space = domain.level(domain.frame.rows({**points, "t": [1, 1]}), np)[0]
    assert in_space < -0.04
    assert domain.level(domain.frame.rows(points), np) == pytest.approx([in_space, 0.5])


def test_parameters_are_no_space():
    family = FAMILY * FLOW
    assert family.parameters == ("mu",) and family.spatial == ("x", "y")
    assert family.boundary().sample(3)["n"].shape == (3, 2)
    assert FAMILY.spatial == () and family.face(mu=1.5).area == pytest.approx(FLOW.volume)
    shifted = (FAMILY * DISK).moved(x=lambda mu: 0.1 * mu)
    points = shifted.boundary().sample(100, seed=0)
    radius = np.hypot(points["x"] - 0.2 - 0.1 * points["mu"], points["y"] - 0.2)
    np.testing.assert_allclose(radius, 0.05, atol=1e-12)


def test_moving_domain():
    disk = (TIME * DISK).moved(x=lambda t: 0.3 * t)
    assert disk.bounds["x"] == pytest.approx((0.15, 0.85))
    points = disk.boundary().sample(300, seed=0)
    center = np.hstack([points["x"] - 0.2 - 0.3 * points["t"], points["y"] - 0.2])
    np.testing.assert_allclose(points["n"], center / 0.05, atol=1e-12)
    flow = TIME * CHANNEL - disk.named("disk")
    inside = flow.sample(2_000, seed=1)
    away = np.hypot(inside["x"] - 0.2 - 0.3 * inside["t"], inside["y"] - 0.2)
    assert (away > 0.05).all()
    np.testing.assert_allclose(flow.face(t=2).sample(9, seed=0)["t"], 2)
    assert flow.boundary("disk").area == pytest.approx(0.2 * PI, rel=1e-12)


def test_the_faces_of_a_box_that_moves_are_not_at_one_place():
    moving = (TIME * SQUARE).moved(x=lambda t: t)
    assert moving.face(y=1).area == pytest.approx(2)
    with pytest.raises(ValueError, match=r"no .*face\(x=0\). The flat faces are y=0, y=1"):
        moving.face(x=0)
    with pytest.raises(ValueError, match="no part 'x'"):
        moving.boundary("x")


def test_faces_of_a_body_of_revolution():
    drum = (TIME * Box(r=(0, 1), z=(0, 2))).revolved(r="x y")
    assert drum.face(z=2).area == pytest.approx(2 * PI)
    assert (drum.face(z=2).sample(3)["n"] == [0, 0, 1]).all()
    section = drum.face(z=0.5)
    assert section.area == pytest.approx(2 * PI) and set(section.sample(3)["z"][:, 0]) == {0.5}
    assert drum.face(t=0).area == pytest.approx(2 * PI)
    with pytest.raises(ValueError, match=r"no .*face\(y=0\). The flat faces are z=0, z=2"):
        drum.face(y=0)


def test_the_bounds_of_a_path_hold_between_the_times_that_are_tried():
    disk = (Box(t=(0, 1)) * DISK).moved(x=lambda t: 100 * (t - 1 / 3) ** 2)
    assert 0.149 < disk.bounds["x"][0] <= 0.15


# What points carry


def test_extras():
    points = FLOW.sample(50, seed=0, extras="w distance")
    assert np.sum(points["w"]) == pytest.approx(FLOW.volume)
    to_disk = np.hypot(points["x"] - 0.2, points["y"] - 0.2) - 0.05
    ends = np.hstack([points["x"], 2.2 - points["x"], points["y"], 0.41 - points["y"], to_disk])
    np.testing.assert_allclose(points["distance"][:, 0], ends.min(axis=1), atol=1e-12)
    border = FLOW.boundary().sample(50, seed=0, extras="tangents")
    np.testing.assert_array_equal(border["s"], border["n"] @ [[0, 1], [-1, 0]])


@pytest.mark.parametrize("d", [3, 4, 6])
def test_tangents_are_orthonormal(d):
    points = Ball(x=np.zeros(d), radius=1).boundary().sample(100, seed=0, extras="tangents")
    frame = np.stack([*(points[f"s{i}"] for i in range(1, d)), points["n"]], axis=1)
    np.testing.assert_allclose(frame @ frame.transpose(0, 2, 1), [np.eye(d)] * 100, atol=1e-12)
    if d == 3:
        np.testing.assert_allclose(np.linalg.det(frame), 1)


def test_grid_of_a_domain_is_that_of_its_box_inside():
    points = FLOW.sample({"x": 23, "y": 11}, "grid")
    box = CHANNEL.sample({"x": 23, "y": 11}, "grid")
    inside = FLOW.contains(box)
    np.testing.assert_array_equal(points["x"], box["x"][inside])
    assert 0 < len(points["x"]) < 23 * 11
    around = FLOW.boundary("cylinder").sample(8, "grid")
    assert np.ptp(np.diff(np.unwrap(np.arctan2(*around["n"].T)))) < 1e-12
    with pytest.raises(ValueError, match="is curved, so there is no grid"):
        Ball(x=0, y=0, z=0, radius=1).boundary().sample(10, "grid")


def test_quadrature_of_a_part_has_normals():
    points, weights = NAMED.boundary("cylinder", "walls").quadrature(360)
    assert np.sum(weights) == pytest.approx(0.1 * PI + 4.4, rel=1e-13)
    np.testing.assert_allclose(np.sum(weights * points["n"], axis=0), 0, atol=1e-13)
    disk, weights = (NAMED - DISK.moved(x=0.05)).boundary("cylinder").quadrature(40)
    assert np.sum(weights) == pytest.approx(2 / 3 * 0.1 * PI, rel=1e-12)
    np.testing.assert_allclose(disk["n"][:, 1], (0.2 - disk["y"][:, 0]) / 0.05, atol=1e-12)


TURN = np.linspace(0, 2 * PI, 7)


@pytest.mark.parametrize(
    "surface, flux",
    [
        (Sphere(x=0, y=0, z=0, radius=1), 4 * PI),
        (Box(t=(0, 2)) * Sphere(x=0, y=0, radius=1), 4 * PI),
        (Curve(lambda s: (np.cos(s), 2 * np.sin(s)), (0, 2 * PI)), 4 * PI),
        (Polyline(x=np.cos(TURN), y=np.sin(TURN)), 3 * 3**0.5),
        (Polyline(x=np.cos(TURN), y=np.sin(TURN)).moved(x=3), 3 * 3**0.5),
    ],
    ids=str,
)
def test_quadrature_of_surfaces_has_normals(surface, flux):
    """The flux of the position is the volume inside times the dimension."""
    points, weights = surface.quadrature(400)
    space = np.hstack([points[name] for name in surface.spatial])
    assert np.sum(weights * space * points["n"]) == pytest.approx(flux, rel=1e-12)
    assert PointCloud(x=[1.0], n=[1.0]).quadrature(1)[0]["n"] == 1
    assert "n" not in SQUARE.quadrature(9)[0]


def test_a_measure_is_found_once():
    assert NAMED.volume is NAMED.volume and NAMED.boundary().area > 0
    assert pickle.loads(pickle.dumps(Measure(2.0, 0.5))).error == 0.5


def test_surfaces_can_be_cut():
    cap = Sphere(x=0, y=0, z=0, radius=1) & Box(x=(-1, 1), y=(-1, 1), z=(0.5, 1))
    points = cap.sample(200, seed=0)
    assert cap.volume == pytest.approx(PI, rel=1e-11) and (points["z"] >= 0.5).all()
    space = np.hstack([points[k] for k in "xyz"])
    np.testing.assert_allclose(points["n"], space, atol=1e-12)
    for surface in (Sphere(x=0, y=0, radius=1), Sphere(x=0, y=0, radius=1).moved(x=1)):
        with pytest.raises(ValueError, match="a surface or curve has no inside"):
            SQUARE - surface


def test_concatenate():
    first, second = FLOW.face(x=0).sample(3), FLOW.boundary("cylinder").sample(4)
    both = concatenate(first, second)
    assert {name: values.shape for name, values in both.items()} == {
        "x": (7, 1),
        "y": (7, 1),
        "n": (7, 2),
    }
    np.testing.assert_array_equal(both["n"][3:], second["n"])
    with pytest.raises(ValueError, match=r"\['n'\] would lack values"):
        concatenate(first, FLOW.sample(2))
    with pytest.raises(ValueError, match=r"'n' of the shapes \[\(3, 2\), \(2, 1\)\]"):
        concatenate(first, {"x": np.ones((2, 1)), "y": np.ones((2, 1)), "n": np.ones((2, 1))})
    with pytest.raises(TypeError, match="dicts of arrays, got list"):
        concatenate(first, [1])


def test_domains_pickle():
    domain = pickle.loads(pickle.dumps(TIME * FLOW.moved(x=1).rotated(0.2)))
    assert repr(domain) == repr(TIME * FLOW.moved(x=1).rotated(0.2))
    assert domain.boundary("cylinder").area == pytest.approx(0.2 * PI)


# Errors


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: DISK & Box(x=(3, 4), y=(0, 1)), r"\(Ball\(.*\) & Box\(.*\)\) is empty: none of"),
        (lambda: SQUARE - Ball(x=0, y=0, radius=2), r"\(Box.* - Ball.*\) is empty"),
        (lambda: SQUARE - SQUARE, "is empty"),
        (
            lambda: (CHANNEL - Ball(x=5, y=0, radius=1).named("b")).boundary("b"),
            "boundary.'b'. is em",
        ),
        (lambda: (SQUARE - Box(x=(-1, 0.1), y=(-1, 2))).face(x=0), r"face\(x=0\) is empty"),
        (lambda: FLOW.boundary().where(lambda x: x < -1), r"where\(...\) is empty"),
        (
            lambda: SQUARE - Box(x=(0, 1)),
            r"same coordinates in the same order, got \(x, y\) and \(x\)",
        ),
        (lambda: SQUARE + Box(y=(0, 1), x=(0, 1)), r"got \(x, y\) and \(y, x\)"),
        (lambda: SQUARE & Ball(x=[0, 0], radius=1), r"\(x, y\) and \(x\[2\]\)"),
        (lambda: Box(x=(0, 1), parameters="x") + Box(x=(0, 1)), r"with the parameters \('x',\)"),
        (lambda: SQUARE * Box(y=(0, 1)), "both have the coordinate 'y'"),
        (lambda: FLOW.named("a") * Ball(z=0, radius=1).named("a"), "both have a part named 'a'"),
        (lambda: FLOW - Ball(x=1, y=0, radius=0.1).named("cylinder"), "part named 'cylinder'"),
        (lambda: FLOW.boundary("wing"), r"no part 'wing'. Its parts are \['cylinder', 'x', 'y'\]"),
        (lambda: FLOW.boundary("x y"), r"Name each by itself: boundary\('x', 'y'\)"),
        (lambda: DISK.boundary("x"), "no part 'x'. Its parts are not named"),
        (lambda: FLOW.boundary("x", "x"), "twice"),
        (
            lambda: FLOW.face(x=3),
            r"There is no .*face\(x=3\). The flat faces are x=0, x=2.2, y=0, y=0.41",
        ),
        (lambda: DISK.face(x=0.2), "The flat faces are none"),
        (lambda: FLOW.face(z=1), "Unknown coordinate 'z'"),
        (lambda: FLOW.edge("inlet"), "no part 'inlet'"),
        (lambda: Sphere(x=0, y=0, radius=1).boundary(), "has no boundary"),
        (lambda: FLOW.named("x"), "part or coordinate 'x' already"),
        (lambda: FLOW.named(""), "a name, such as 'cylinder'"),
        (lambda: NAMED.with_parts(inlet=NAMED.face(x=0)), "'inlet' already"),
        (
            lambda: FLOW.with_parts(a=FLOW.boundary("y"), b=FLOW.boundary("y")),
            "b=.* named before is em",
        ),
        (
            lambda: FLOW.with_parts(a=Ball(x=1, y=0, radius=1).boundary()),
            "a=.* is not a part of the boundary",
        ),
        (lambda: FLOW.with_parts(), "takes parts by name"),
        (lambda: FLOW.face(x=0) + CHANNEL.face(x=0), "parts of different domains"),
        (lambda: FLOW.boundary().where(lambda z: z < 0), r"takes some of \('x', 'y', 'n'\), got"),
        (lambda: FLOW.boundary().where(lambda x: x), "one truth value for each point"),
        (lambda: Ball(x=0, y=0, radius=0), "radius is a positive number, not 0"),
        (lambda: Ball(radius=1), r"A Ball needs coordinates, as in Ball\(x=0, y=0, radius=1\)"),
        (lambda: Ball(t=0, x=0, radius=1), "'t' is time"),
        (lambda: Ball(x=math.nan, radius=1), "finite number"),
        (lambda: Ball(n=0, radius=1), "kept for the outward normal"),
        (lambda: Ring(x=0, y=0, inner=2, outer=1), "inner < outer, got 2 and 1"),
        (lambda: Ring(x=0, inner=1, outer=2), "at least 2 dimensions"),
        (lambda: Ellipsoid(x=0, y=0, radii=(1, 0)), "positive radius for each component"),
        (lambda: Ellipsoid(x=0, y=0, radii=(1, 2, 3)), "2 together"),
        (lambda: Cylinder(x=0, y=0, z=0, radius=1), r"takes \(lower, upper\) for the coordinate"),
        (lambda: Cylinder(x=0, z=(0, 1), radius=1), "at least 3 dimensions"),
        (lambda: Cone(x=0, y=0, z=(1, 0), radius=1), "lower < upper"),
        (lambda: Cone(x=0, y=0, z=(0, 1), radius=(0, 0)), "positive radius at one end"),
        (lambda: Box(mu=(0, 1), parameters="nu"), "parameters='nu'"),
        (lambda: FLOW.moved(z=1), r"moved\(\) takes the spatial coordinates \('x', 'y'\), got 'z'"),
        (lambda: FLOW.moved(x=lambda t: t), "takes time and parameters .* none, got"),
        (lambda: FLOW.scaled(-1), "factor of scaled"),
        (lambda: FLOW.rotated([[1, 1], [0, 1]]), "orthogonal"),
        (lambda: PIPE.rotated(0.5), "an angle and an axis"),
        (lambda: FLOW.extruded(x=(0, 1)), "both have the coordinate 'x'"),
        (lambda: FLOW.extruded(t=(0, 1)), "directions of space"),
        (lambda: Ball(r=0, z=0, radius=1).revolved(r="x y"), "has points with r < 0"),
        (lambda: SQUARE.revolved(x="y z"), "two new names"),
        (lambda: FLOW.sample(3, extras="tangents"), "have no normals"),
        (
            lambda: FLOW.sample(3, extras="weights"),
            r"Unknown extra 'weights' in `extras`.*'w', 'distance'",
        ),
        (lambda: Box(s=(0, 1), y=(0, 1)).boundary().sample(3, extras="tangents"), "coordinate 's'"),
        (
            lambda: (Ball(x=0, y=0, radius=1) - Ball(x=0, y=0, radius=1 - 1e-4)).sample(10**7),
            "10000000 points take more than 2e.08. Describe it by shapes",
        ),
        (lambda: concatenate(), "needs dicts of points"),
    ],
)
def test_errors_name_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: FLOW - 3, "unsupported operand"),
        (lambda: FLOW.with_parts(inlet="x"), "inlet of with_parts.. is a part"),
        (lambda: FLOW.boundary().where(3), "takes a function"),
        (lambda: FLOW.sample(2, extras=["w"]), "`extras` is a text"),
        (lambda: Ball(0, 0, radius=1), "positional"),
    ],
)
def test_errors_of_type(make, message):
    with pytest.raises(TypeError, match=message):
        make()


# Any combination

NUMBERS = st.floats(-1, 1).map(lambda value: round(value, 1))  # faces that coincide are frequent
SIZES = st.sampled_from([0.3, 0.5, 1.0])
BOXES = st.builds(
    lambda x, y, a, b: Box(x=(x, x + a), y=(y, y + b)), NUMBERS, NUMBERS, SIZES, SIZES
)
DISKS = st.builds(lambda x, y, r: Ball(x=x, y=y, radius=r), NUMBERS, NUMBERS, SIZES)
STEPS = st.tuples(st.sampled_from("+-&"), st.one_of(BOXES, DISKS))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.one_of(BOXES, DISKS), st.lists(STEPS, min_size=1, max_size=3))
def test_any_combination(first, steps):
    """Membership is that of the operands, and the boundary is where it changes."""
    grid = np.stack(np.meshgrid(*[np.linspace(-2.013, 2.017, 160)] * 2), axis=-1).reshape(-1, 2)
    domain, holds = first, first.holds(grid)
    for sign, other in steps:
        inside = other.holds(grid)
        try:
            domain = {"+": domain + other, "-": None, "&": None}[sign] or (
                domain - other if sign == "-" else domain & other
            )
        except ValueError as error:
            assert "is empty" in str(error)
            assert not (holds & inside if sign == "&" else holds & ~inside).any()
            return
        holds = {"+": holds | inside, "-": holds & ~inside, "&": holds & inside}[sign]
    np.testing.assert_array_equal(domain.holds(grid), holds)
    border = domain.boundary().sample(200, seed=0)
    rows, step = np.hstack([border["x"], border["y"]]), 1e-7 * border["n"]
    assert domain.holds(rows - step).mean() > 0.98 and domain.holds(rows + step).mean() < 0.02
    volume = holds.mean() * 4.03**2
    assert domain.volume == pytest.approx(volume, abs=0.15)
    assert isinstance(domain.volume, Measure)
