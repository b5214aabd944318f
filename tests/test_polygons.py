"""Polygons, simplices and curves, against closed forms that share nothing with triangulation."""

import math

import keras
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from kpinn.domains import Ball, Box, Polygon, Simplex
from kpinn.domains.complexes import simplices
from kpinn.domains.complexes.triangulation import triangulate
from kpinn.domains.sampling import tensor

L_SHAPE = {"x": [0, 2, 2, 1, 1, 0], "y": [0, 0, 1, 1, 2, 2]}
SQUARE = {"x": [0, 1, 1, 0], "y": [0, 0, 1, 1]}
SMALL = {"x": [0.25, 0.75, 0.75, 0.25], "y": [0.25, 0.25, 0.75, 0.75]}
DTYPES = {"float64": 1e-14, "float32": 1e-6}


def reverse(ring):
    return {name: values[::-1] for name, values in ring.items()}


def star(radii, offset=0.0):
    """The vertices of a star-shaped ring around the origin, counterclockwise."""
    angles = 2 * np.pi * (np.arange(len(radii)) + offset) / len(radii)
    return {"x": radii * np.cos(angles), "y": radii * np.sin(angles)}


def shoelace(ring):
    """Area and first moments of a ring by Green's theorem."""
    x, y = (np.asarray(ring[k], float) for k in "xy")
    u, v = np.roll(x, -1), np.roll(y, -1)
    cross = x * v - u * y
    return cross.sum() / 2, ((x + u) * cross).sum() / 6, ((y + v) * cross).sum() / 6


def coast(n, seed=0):
    """A long ring without self-intersections, as a coast line."""
    rng = np.random.default_rng(seed)
    angles = 2 * np.pi * np.arange(n) / n
    waves = [rng.standard_normal() / k * np.cos(k * angles + k) for k in range(1, 60)]
    return star(1 + 0.1 * np.sum(waves, axis=0) + 0.01 * rng.random(n))


def inside_by_winding(ring, points):
    """Whether the angles under which a ring is seen add up to a full turn."""
    corners = (
        np.stack([ring["x"], ring["y"]], axis=1) - np.hstack([points[k] for k in "xy"])[:, None]
    )
    z = corners[..., 0] + 1j * corners[..., 1]
    return np.abs(np.angle(np.roll(z, -1, axis=1) / z).sum(axis=1)) > np.pi


def step(points, size):
    return {k: points[k] + size * points["n"][:, [i]] for i, k in enumerate("xy")}


# Polygons ------------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", [lambda ring: ring, reverse])
@pytest.mark.parametrize("turn_hole", [lambda ring: ring, reverse])
@pytest.mark.parametrize("close", [False, True])
def test_area_and_moments_do_not_depend_on_how_rings_are_written(turn, turn_hole, close):
    outer = turn({"x": [0, 3, 3, 0], "y": [0, 0, 2, 2]})
    if close:
        outer = {name: [*values, values[0]] for name, values in outer.items()}
    polygon = Polygon(**outer, holes=[turn_hole({k: [v + 1 for v in SMALL[k]] for k in "xy"})])
    assert polygon.volume == pytest.approx(6 - 0.25, rel=1e-15)
    points, weights = polygon.quadrature(100)
    for power in range(4):
        exact = (3.0 ** (power + 1) * 2 - (1.75 ** (power + 1) - 1.25 ** (power + 1)) * 0.5) / (
            power + 1
        )
        assert np.sum(weights * points["x"] ** power) == pytest.approx(exact, rel=1e-13)
    edges = polygon.boundary().sample(200, seed=0)
    assert (
        polygon.contains(step(edges, -1e-6)).all() and not polygon.contains(step(edges, 1e-6)).any()
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.3, 3.0), min_size=3, max_size=40),
    st.lists(st.floats(0.05, 0.1), min_size=3, max_size=12),
    st.floats(0, 1),
)
def test_random_stars_with_a_hole(outer, hole, offset):
    outer, hole = star(np.array(outer)), star(np.array(hole), offset)
    holes = [hole] if len(outer["x"]) > 4 else []  # so that the hole is inside
    polygon = Polygon(**outer, holes=holes)
    exact = np.array(shoelace(outer)) - (np.array(shoelace(hole)) if holes else 0)
    assert polygon.volume == pytest.approx(exact[0], rel=1e-13)
    areas = simplices.signed_volumes(polygon.triangles)
    assert areas.min() >= 0 and areas.sum() == pytest.approx(exact[0], rel=1e-12)
    points, weights = polygon.quadrature(1)
    scale = exact[0] * np.max(outer["x"] ** 2 + outer["y"] ** 2) ** 0.5
    assert np.sum(weights * points["x"]) == pytest.approx(exact[1], abs=1e-12 * scale)
    assert np.sum(weights * points["y"]) == pytest.approx(exact[2], abs=1e-12 * scale)
    points = polygon.sample(64, seed=0)
    inside = inside_by_winding(outer, points)
    if holes:
        inside &= ~inside_by_winding(hole, points)
    assert inside.all() and polygon.contains(points).all()


def test_many_holes_in_rows():
    """Bridges that end at one vertex, and rays that pass through vertices."""
    holes = [
        {"x": np.add(SMALL["x"], i), "y": np.add(SMALL["y"], j)} for i in range(6) for j in range(5)
    ]
    polygon = Polygon(x=[0, 6, 6, 0], y=[0, 0, 5, 5], holes=holes)
    assert polygon.volume == pytest.approx(30 * 0.75, rel=1e-14)
    assert simplices.signed_volumes(polygon.triangles).sum() == pytest.approx(22.5, rel=1e-14)
    points = polygon.sample(4000, seed=0)
    inner = (np.abs(points["x"] % 1 - 0.5) < 0.25) & (np.abs(points["y"] % 1 - 0.5) < 0.25)
    assert not inner.any()


STAIRS = """
7 1 7 2 6 2 6 3 5 3 5 4 4 4 4 5 3 5 3 8 4 8 4 7 5 7 6 7 7 7 7 8 6 8 6 9 5 9 5 12 7 12 8 12 9 12
10 12 10 11 13 11 13 10 13 9 13 8 13 7 12 7 12 4 10 4 10 7 8 7 8 5 8 4 8 2 8 1
"""
ROOMS = """
4 3 5 3 6 3 6 6 5 6 4 6 3 6 3 7 2 7 2 8 4 8 4 11 1 11 1 10 1 9 0 9 0 7 0 6 2 6 2 5 1 5 1 3 2 3
3 3
| 7 2 5 2 5 1 7 1
| 7 5 8 5 8 2 10 2 10 5 10 7 9 7 9 8 10 8 10 10 10 11 8 11 7 11 5 11 5 8 7 8 8 8 8 7 7 7
"""


def lattice(text):
    """Rings of integers that are written one after the other."""
    rings = [np.array(part.split(), float).reshape(-1, 2) for part in text.split("|")]
    return [{"x": ring[:, 0], "y": ring[:, 1]} for ring in rings]


@pytest.mark.parametrize("outer, holes", [(STAIRS, ""), ("-1 -1 13 -1 13 13 -1 13", ROOMS)])
def test_many_vertices_on_common_lines(outer, holes):
    """Vertices on straight edges, on diagonals of the triangles, and at the height of others."""
    (outer,), holes = lattice(outer), lattice(holes) if holes else []
    polygon = Polygon(**outer, holes=holes)
    exact = abs(shoelace(outer)[0]) - sum(abs(shoelace(hole)[0]) for hole in holes)
    areas = simplices.signed_volumes(polygon.triangles)
    assert areas.min() > 0 and areas.sum() == pytest.approx(exact, rel=1e-14)
    points = polygon.sample(1000, seed=0)
    inside = inside_by_winding(outer, points)
    for hole in holes:
        inside &= ~inside_by_winding(hole, points)
    assert inside.all()


@pytest.mark.parametrize("method", ["uniform", "latin_hypercube", "sobol", "halton"])
def test_points_are_uniform_in_the_area(method):
    polygon = Polygon(**L_SHAPE, holes=[SMALL])
    points = polygon.sample(20_000, method, seed=0)
    cells = np.floor(np.hstack([points["x"], points["y"]]) * 4).astype(int)
    counts = np.zeros((8, 8))
    np.add.at(counts, tuple(cells.T), 1)
    middle = (np.arange(8) + 0.5) / 4
    x, y = np.meshgrid(middle, middle, indexing="ij")
    is_inside = ((x < 1) | (y < 1)) & ~((np.abs(x - 0.5) < 0.25) & (np.abs(y - 0.5) < 0.25))
    assert counts[~is_inside].sum() == 0
    assert scipy.stats.chisquare(counts[is_inside]).pvalue > 1e-3


def test_points_of_the_boundary_are_uniform_in_length_with_outward_normals():
    ring = coast(700)
    polygon = Polygon(**ring)
    corners = np.stack([ring["x"], ring["y"]], axis=1)
    lengths = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    boundary = polygon.boundary()
    assert boundary.area == pytest.approx(lengths.sum(), rel=1e-13)
    points = boundary.sample(7000, seed=0)
    rows = np.hstack([points["x"], points["y"]])
    np.testing.assert_allclose(np.linalg.norm(points["n"], axis=1), 1, rtol=1e-14)
    assert np.abs(polygon.level(rows, np)).max() < 1e-15
    assert (polygon.level(rows + 1e-7 * points["n"], np) > 0).all()
    assert (polygon.level(rows - 1e-7 * points["n"], np) < 0).all()
    sectors = np.floor((np.arctan2(points["y"], points["x"])[:, 0] / (2 * np.pi) % 1) * 35).astype(
        int
    )
    expected = lengths.reshape(35, 20).sum(axis=1)
    counts = np.bincount(sectors, minlength=35)
    assert scipy.stats.chisquare(counts, expected * 7000 / expected.sum()).pvalue > 1e-3


def test_edges_by_number_and_by_name():
    polygon = Polygon(
        **reverse(L_SHAPE), edges={"inlet": 5, "walls": [0, 2]}, holes={"island": SMALL}
    )
    # Reversed, edge 5 goes from (0, 0) to (0, 2).
    assert set(polygon.edge("inlet").sample(9)["x"].ravel()) == {0}
    np.testing.assert_array_equal(polygon.edge(5).sample(3)["n"], [[-1, 0]] * 3)
    assert polygon.edge("walls").area == polygon.edge(0).area + polygon.edge(2).area == 2
    assert polygon.boundary("island").area == 2 and polygon.boundary("outer").area == 8
    assert polygon.boundary("island edge 0").area == 0.5
    assert polygon.face(x=0).area == 2
    long = Polygon(**coast(200), edges={"inlet": range(10, 20)})
    assert len(long.boundary().patches) == 2
    rest = long.boundary().area - long.edge("inlet").area
    assert rest == pytest.approx(Polygon(**coast(200)).boundary().area - long.edge("inlet").area)
    with pytest.raises(ValueError, match="more than 64 edges have no edges by number.*'inlet': 3"):
        long.edge(3)
    with pytest.raises(ValueError, match="has no part 9.*'edge 5'"):
        polygon.edge(9)


@pytest.mark.parametrize("dtype", DTYPES)
def test_polygons_are_the_same_in_a_compiled_step(dtype):
    polygon = Polygon(**coast(90), holes=[star(np.full(7, 0.2))], edges={"inlet": range(20)})
    unit = np.random.default_rng(0).random((200, 2)).astype(dtype)
    for patch in (*polygon.inside, *polygon.border):
        own = unit[:, : patch.numbers]
        rows = patch.place(keras.ops.convert_to_tensor(own), keras.ops)
        assert keras.backend.standardize_dtype(rows.dtype) == dtype
        same = 1e-14 if dtype == "float64" else 2e-4  # what is left of a number that picks
        np.testing.assert_allclose(rows, patch.place(own.astype("float64"), np), atol=same)
        assert patch.place(own, np).dtype == dtype
    rows = (3 * unit - 1.5).astype(dtype)
    levels = polygon.level(keras.ops.convert_to_tensor(rows), keras.ops)
    assert keras.backend.standardize_dtype(levels.dtype) == polygon.level(rows, np).dtype == dtype
    exact = polygon.level(rows.astype("float64"), np)
    np.testing.assert_allclose(levels, exact, atol=DTYPES[dtype])


@pytest.mark.parametrize("count", [5, 100])
def test_what_is_not_finite_is_not_inside(count):
    polygon = Polygon(**star(np.ones(count)))
    inside = polygon.contains({"x": [0, math.nan, 0], "y": [math.nan, 0, 0]})
    assert inside.tolist() == [False, False, True]
    assert polygon.contains({"x": np.zeros((0, 1)), "y": np.zeros((0, 1))}).shape == (0,)


def test_the_level_is_the_distance():
    polygon = Polygon(**L_SHAPE)
    rows = np.array([[0.5, 0.5], [1.5, 1.5], [-3, -4], [1, 1], [0.9, 0.9], [2.5, 0.5]])
    expected = [-0.5, 0.5, 5, 0, -math.hypot(0.1, 0.1), 0.5]
    np.testing.assert_allclose(polygon.level(rows, np), expected, atol=1e-15)


FAULTS = [
    ({"x": [0, 1], "y": [0, 1]}, "The polygon has 2 vertices, of which it needs at least 3"),
    ({"x": [0, 1, 0], "y": [0, 1, 0]}, "has 2 vertices"),
    ({"x": [0, 1, 1], "y": [0, 1]}, "as many values of each coordinate, got {'x': 3, 'y': 2}"),
    ({"x": [0, 1, 2], "y": [0, 1, 2]}, "encloses no area"),
    ({"x": [0, 1, 1, 1], "y": [0, 0, 0, 1]}, r"vertex \(1, 0\) twice in succession, at 1 and 2"),
    ({"x": [0, 1, 1, 0], "y": [0, 1, 0, 1]}, "intersects itself: its edge 0, .* meets edge 2"),
    ({"x": [0, 2, 1, 2], "y": [0, 0, 0, 1]}, r"goes back on itself at \(2, 0\): edge 1 lies on"),
    ({"x": [0, 2, 2, 1, 0], "y": [0, 0, 1, 0, 1]}, "intersects itself: its edge 0.*meets edge"),
    ({"x": [0, 2, 1], "y": [0, 0, math.nan]}, r"must be finite, and has \[nan\] at 2"),
    ({"x": [0, 2, 1], "t": [0, 0, 1]}, "'t' is time"),
    ({"x": [0, 2, 1]}, "lies in 2 dimensions, got 1"),
    ({"x": [0, 2, 1], "y": [0, 0, 1], "z": [0, 0, 1]}, "lies in 2 dimensions, got 3"),
    ({"x": ["a", "b", "c"], "y": [0, 0, 1]}, "not an array of real numbers"),
    ({**SQUARE, "holes": [{"x": [3, 4, 4], "y": [3, 3, 4]}]}, "Hole 'hole 0' lies outside"),
    ({**SQUARE, "holes": [{"x": [0.5, 4, 4], "y": [0.5, 3, 4]}]}, "meets another ring"),
    ({**SQUARE, "holes": [{"x": [0, 0.5, 0], "y": [0.2, 0.3, 0.5]}]}, "meets another ring"),
    (
        {**SQUARE, "holes": {"a": SMALL, "b": {"x": [0.4, 0.6, 0.5], "y": [0.4, 0.4, 0.6]}}},
        "Hole 'b' lies inside of Hole 'a'",
    ),
    ({**SQUARE, "holes": SMALL}, "are a list of dicts of vertices.*got one of them"),
    ({**SQUARE, "holes": [{"x": [0.1, 0.2, 0.2], "z": [0.1, 0.1, 0.2]}]}, "has the coordinates"),
    ({**SQUARE, "holes": {"outer": SMALL}}, "a name other than 'outer'"),
    ({**SQUARE, "edges": {"inlet": 4}}, "no edge 4 for the name 'inlet'.* 0 to 3"),
    ({**SQUARE, "edges": {"outer": 0}}, "not taken"),
    ({**SQUARE, "edges": {"inlet": 0.5}}, "a number or several, got 0.5"),
    ({**SQUARE, "edges": [0]}, "`edges` is a dict"),
]


@pytest.mark.parametrize("arguments, message", FAULTS)
def test_polygon_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        Polygon(**arguments)


def test_unsound_triangulations_are_noticed(monkeypatch):
    monkeypatch.setattr(
        "kpinn.domains.complexes.triangulation.triangulate", lambda *given: triangulate(*given)[1:]
    )
    with pytest.raises(ValueError, match="too close for a triangulation"):
        Polygon(**L_SHAPE).sample(3)


def test_a_coast_of_thousands_of_vertices():
    ring = coast(3000)
    polygon = Polygon(**ring)
    assert polygon.volume == pytest.approx(shoelace(ring)[0], rel=1e-13)
    points = polygon.sample(500, "sobol", seed=0)
    assert polygon.contains(points).all() and inside_by_winding(ring, points).all()


def test_far_from_the_origin():
    ring = coast(50)
    far = Polygon(x=ring["x"] + 4e5, y=ring["y"] + 5e6)
    assert far.volume == pytest.approx(Polygon(**ring).volume, rel=1e-7)
    assert far.contains(far.sample(300, seed=0)).all()


def test_vector_coordinates():
    corners = np.stack([L_SHAPE["x"], L_SHAPE["y"]], axis=1)
    polygon = Polygon(x=corners, holes=[{"x": np.stack([SMALL["x"], SMALL["y"]], axis=1)}])
    points = polygon.boundary().sample(10)
    assert points["x"].shape == points["n"].shape == (10, 2) and polygon.volume == 2.75


def test_products_and_combinations():
    polygon = Polygon(**L_SHAPE, edges={"inlet": 5})
    body = polygon * Box(z=(0, 3))
    assert body.volume == pytest.approx(9, rel=1e-14)
    assert body.boundary().area == pytest.approx(8 * 3 + 2 * 3, rel=1e-14)
    inlet = body.boundary("inlet").sample(20)
    np.testing.assert_array_equal(inlet["n"], [[-1, 0, 0]] * 20)
    moving = Box(t=(0, 1)) * polygon
    assert moving.boundary("inlet").sample(5)["n"].shape == (5, 2)
    cut = polygon - Ball(x=1, y=0, radius=0.5)
    assert cut.volume == pytest.approx(3 - math.pi / 8, rel=1e-11)
    points = cut.sample(500, seed=0)
    assert np.hypot(points["x"] - 1, points["y"]).min() > 0.5


def test_quadrature_of_polygons_that_are_cut():
    cut = Polygon(**L_SHAPE) - Ball(x=1, y=0.5, radius=0.3)
    points, weights = cut.quadrature(1000)
    disk = math.pi * 0.09
    assert np.sum(weights) == pytest.approx(3 - disk, rel=1e-12)
    exact = 8 / 3 + 1 / 3 - disk * (1 + 0.09 / 4)
    assert np.sum(weights * points["x"] ** 2) == pytest.approx(exact, rel=1e-12)


def test_volumes_of_combinations_of_long_rings():
    """A disk around a vertex takes a sector, between the edges at it."""
    count = 120
    polygon = Polygon(**star(np.ones(count)))
    cut = polygon - Ball(x=1, y=0, radius=0.04)
    sector = (math.pi - 2 * math.pi / count) * 0.04**2 / 2
    area = count / 2 * math.sin(2 * math.pi / count)
    assert cut.volume == pytest.approx(area - sector, rel=1e-12)
    length = count * 2 * math.sin(math.pi / count) - 2 * 0.04
    assert cut.boundary("outer").area == pytest.approx(length, rel=1e-12)


@pytest.mark.parametrize("count", [10, 200])
def test_quadrature_on_the_boundary(count):
    """The flux of a field is the integral of its divergence, also over one patch of many edges."""
    ring = star(np.ones(count))
    polygon = Polygon(x=2 + ring["x"], y=ring["y"])
    points, weights = polygon.boundary().quadrature(4 * count)
    assert np.sum(weights) == pytest.approx(count * 2 * math.sin(math.pi / count), rel=1e-13)
    flux = np.sum(weights * points["x"] ** 2 * points["n"][:, :1])
    area = count / 2 * math.sin(2 * math.pi / count)
    assert flux == pytest.approx(2 * 2 * area, rel=1e-12)


@pytest.mark.parametrize(
    "body", [Polygon(**L_SHAPE) * Box(z=(0, 3)), Box(z=(0, 3)) * Polygon(**L_SHAPE)], ids=str
)
def test_quadrature_of_products_of_polygons(body):
    points, weights = body.quadrature(400)
    moment = np.sum(weights * points["x"] ** 2 * points["z"])
    assert moment == pytest.approx(3 * 4.5, rel=1e-13) and np.sum(weights) == pytest.approx(9)


@pytest.mark.parametrize("count", [7, 100])
def test_revolved_polygons(count):
    """Pappus: volume and area are those of the profile times the ways of their centers."""
    ring = star(np.ones(count))
    torus = Polygon(r=3 + ring["x"], z=ring["y"]).revolved(r="x y")
    area = count / 2 * math.sin(2 * math.pi / count)
    length = count * 2 * math.sin(math.pi / count)
    assert torus.volume == pytest.approx(2 * math.pi * 3 * area, rel=1e-12)
    assert torus.boundary().area == pytest.approx(2 * math.pi * 3 * length, rel=1e-12)
    assert torus.contains(torus.sample(200, seed=0)).all()


def test_the_axis_is_no_boundary_of_a_revolved_polygon():
    cylinder = Polygon(r=[0, 1, 1, 0], z=[0, 0, 2, 2]).revolved(r="x y")
    rows = np.array([[0, 0, 1], [0.1, 0, 1], [0, 0, 0.2], [0, 2, 1], [0, 0, -1]])
    np.testing.assert_allclose(cylinder.level(rows, np), [-1, -0.9, -0.2, 1, 1], atol=1e-15)
    assert cylinder.boundary().area == pytest.approx(6 * math.pi, rel=1e-13)
    radii = np.hypot(*(cylinder.sample(4000, seed=0)[k] for k in "xy"))[:, 0]
    assert scipy.stats.kstest(radii**2, "uniform").pvalue > 1e-3


def test_from_shapely():
    shapely = pytest.importorskip("shapely")
    disks = [shapely.Point(x, 0).buffer(1) for x in (0, 1)]
    union = shapely.union_all(disks).difference(shapely.box(0.2, -0.2, 0.6, 0.2))
    polygon = Polygon.from_shapely(union)
    assert polygon.volume == pytest.approx(union.area, rel=1e-13)
    assert polygon.boundary().area == pytest.approx(union.length, rel=1e-13)
    rows = np.random.default_rng(0).uniform(-1.5, 2.5, (500, 2))
    points = shapely.points(rows)
    sign = np.where(shapely.contains(union, points), -1, 1)
    expected = sign * shapely.distance(union.boundary, points)
    np.testing.assert_allclose(polygon.level(rows, np), expected, atol=1e-14)
    with pytest.raises(TypeError, match="got a MultiPolygon. Make one of each of its .geoms"):
        Polygon.from_shapely(
            shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 0, 3, 1)])
        )
    with pytest.raises(TypeError, match="got a int"):
        Polygon.from_shapely(3)
    with pytest.raises(ValueError, match="2 dimensions, got 3"):
        Polygon.from_shapely(union, "x y z")


# Simplices -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dims", [1, 2, 3, 4, 6])
def test_the_map_to_simplices_keeps_measures(dims):
    """Barycentric coordinates of uniform points: moments of Dirichlet's distribution."""
    unit, weights = np.polynomial.legendre.leggauss(24)
    if dims <= 3:
        unit = tensor([(unit + 1) / 2] * dims)
        weights = np.prod(tensor([weights / 2] * dims), axis=1)
    else:
        unit, weights = simplices.rule(dims, 3)
    inside = simplices.barycentric(unit, np)
    np.testing.assert_allclose(inside.sum(axis=1), 1, rtol=1e-14)
    assert inside.min() >= 0
    first = weights @ inside
    second = (inside * weights[:, None]).T @ inside
    near = 1e-13 if dims > 3 else 1e-3  # roots, which Gauss's rule meets slowly
    np.testing.assert_allclose(first, 1 / (dims + 1), rtol=near)
    exact = (1 + np.eye(dims + 1)) / ((dims + 1) * (dims + 2))
    np.testing.assert_allclose(second, exact, rtol=near)


@pytest.mark.parametrize("dims, order", [(1, 4), (2, 3), (3, 3), (4, 2), (5, 2)])
def test_quadrature_is_exact_for_polynomials(dims, order):
    """Integrals of products of barycentric coordinates are those of Dirichlet."""
    vertices = np.concatenate([np.zeros((1, dims)), np.eye(dims)])[None]
    points, weights = simplices.quadrature(vertices, order**dims)
    rng = np.random.default_rng(0)
    for _ in range(20):
        powers = rng.multinomial(2 * order - 1, np.ones(dims) / dims)
        exact = np.prod([math.factorial(p) for p in powers]) / math.factorial(dims + powers.sum())
        assert weights @ np.prod(points**powers, axis=1) == pytest.approx(exact, rel=1e-12)
    placed = simplices.place(vertices, np.ones(1), simplices.rule(dims, order)[0], np)
    np.testing.assert_allclose(placed, points, atol=1e-15)


def test_measures_of_simplices_in_spaces_of_more_dimensions():
    rng = np.random.default_rng(0)
    for dims, space in [(0, 2), (1, 3), (2, 3), (2, 5), (3, 3), (4, 6)]:
        vertices = rng.standard_normal((5, dims + 1, space))
        edges = vertices[:, 1:] - vertices[:, :1]
        gram = edges @ np.swapaxes(edges, 1, 2)
        expected = np.sqrt(np.linalg.det(gram)) / math.factorial(dims)
        np.testing.assert_allclose(simplices.measures(vertices), expected, rtol=1e-12)


def test_what_is_left_of_a_number_that_picks_is_uniform():
    ends = simplices.cumulative([1, 0, 3])
    index, left = simplices.pick(np.array([0, 0.125, 0.25, 0.625, 1.0]), ends, np)
    assert index.tolist() == [0, 0, 2, 2, 2]
    np.testing.assert_allclose(left, [0, 0.5, 0, 0.5, 1])


@pytest.mark.parametrize("dims", [1, 2, 3, 5])
def test_simplex(dims):
    rng = np.random.default_rng(dims)
    vertices = rng.standard_normal((dims + 1, dims))
    simplex = Simplex(x=vertices)
    homogeneous = np.concatenate([vertices, np.ones((dims + 1, 1))], axis=1)
    volume = abs(np.linalg.det(homogeneous)) / math.factorial(dims)
    assert simplex.volume == pytest.approx(volume, rel=1e-12)
    points = simplex.sample(2000, seed=0)
    weights = np.linalg.solve(
        homogeneous.T, np.concatenate([points["x"], np.ones((2000, 1))], axis=1).T
    )
    assert weights.min() >= -1e-12 and simplex.contains(points).all()
    first = weights[0]  # Beta(1, dims)
    assert scipy.stats.kstest(1 - (1 - first) ** dims, "uniform").pvalue > 1e-3
    border = simplex.boundary().sample(300, seed=1)
    assert np.abs(simplex.level(border["x"], np)).max() < 1e-12
    assert not simplex.contains({"x": border["x"] + 1e-6 * border["n"]}).any()
    # The flux of x through the boundary is the volume times the dimension.
    facets = [simplex.boundary(f"facet {i}") for i in range(dims + 1)]
    heights = [np.sum(f.sample(1)["x"] * f.sample(1)["n"]) for f in facets]
    flux = sum(f.area * height for f, height in zip(facets, heights, strict=True))
    assert flux == pytest.approx(dims * volume, rel=1e-10)


@pytest.mark.parametrize(
    "vertices, message",
    [
        ({"x": [0, 1], "y": [0, 1]}, "in 2 dimensions has 3 vertices, got 2"),
        ({"x": [0, 1, 2], "y": [0, 1, 2]}, "lie in a plane"),
        ({"x": [1e8, 1e8 + 1, 1e8 + 2], "y": [1, 2, 3]}, "lie in a plane"),
        ({}, "needs vertices by coordinate"),
        ({"n": [0, 1]}, "kept for the outward normal"),
    ],
)
def test_simplex_refuses(vertices, message):
    with pytest.raises(ValueError, match=message):
        Simplex(**vertices)
