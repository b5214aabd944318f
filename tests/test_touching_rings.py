"""Polygons whose rings touch at single points, beside shapely."""

import keras
import numpy as np
import pytest
import scipy.stats

from kpinn.domains import Polygon
from kpinn.domains.complexes import simplices

shapely = pytest.importorskip("shapely")

SQUARE = [(0, 0), (4, 0), (4, 4), (0, 4)]
SPIKE = [(0, 0), (4, 0), (4, 4), (2.5, 4), (2, 2), (1.5, 4), (0, 4)]
UP, DOWN = [(2, 2), (1, 3), (3, 3)], [(2, 2), (3, 1), (1, 1)]
LEFT, RIGHT = [(2, 2), (1, 2.5), (1, 1.5)], [(2, 2), (3, 1.5), (3, 2.5)]
SHAPES = {
    "a vertex of a hole on an edge": (SQUARE, [[(0, 2), (1, 1), (1, 3)]]),
    "a vertex of a hole on a slope": (
        [(0, 0), (4, 4), (0, 4)],
        [[(2, 2), (1, 3), (1, 2.5)]],
    ),
    "vertices of both": (SQUARE, [[(0, 0), (2, 0.8), (0.8, 2)]]),
    "a vertex of the outer ring on an edge of a hole": (SPIKE, [[(1, 1), (3, 1), (3, 2), (1, 2)]]),
    "vertices of two holes": (SQUARE, [UP, DOWN]),
    "a vertex of a hole on an edge of another": (SQUARE, [UP, [(1.5, 2.5), (1, 2), (1, 1)]]),
    "two holes at a corner": (SQUARE, [[(0, 0), (2, 0.5), (2, 1)], [(0, 0), (1, 2), (0.5, 2)]]),
    "four holes at a point": (SQUARE, [UP, DOWN, LEFT, RIGHT]),
    "a chain": (SQUARE, [[(0, 2), (1, 1), (1, 3)], [(1, 2), (2, 1), (2, 3)]]),
    "a chain that ends outside": (SQUARE, [[(1, 1.5), (2, 2), (1, 2.5)], [(2, 2), (4, 3), (2, 3)]]),
    "the rightmost points": (SQUARE, [[(3, 2), (1, 3), (2, 3)], [(3, 2), (2, 1), (1, 1)]]),
    "a hole with all vertices on others": (
        SQUARE,
        [UP, [(2, 2), (1, 1.5), (1.5, 1)], [(1, 1.5), (0.5, 2.5), (0.4, 1)]],
    ),
    "two that touch and one that does not": (SQUARE, [UP, DOWN, [(3, 1.5), (3.5, 2), (3, 2.5)]]),
}


@pytest.fixture(params=SHAPES)
def pair(request):
    outer, holes = SHAPES[request.param]
    made = shapely.Polygon(outer, holes)
    assert made.is_valid
    return Polygon.from_shapely(made), made


def signed_distance(made, rows):
    points = shapely.points(rows)
    sign = np.where(shapely.contains(made, points), -1, 1)
    return sign * shapely.distance(made.boundary, points)


def test_area_length_and_quadrature(pair):
    polygon, made = pair
    assert polygon.volume == pytest.approx(made.area, rel=1e-14)
    assert polygon.boundary().area == pytest.approx(made.length, rel=1e-14)
    areas = simplices.signed_volumes(polygon.triangles)
    assert areas.min() > 0 and areas.sum() == pytest.approx(made.area, rel=1e-14)
    points, weights = polygon.quadrature(100)
    for name, centre in (("x", made.centroid.x), ("y", made.centroid.y)):
        assert np.sum(weights * points[name]) == pytest.approx(centre * made.area, rel=1e-13)


@pytest.mark.parametrize("xp", [np, keras.ops], ids=["numpy", "keras"])
def test_the_level_is_the_distance(pair, xp):
    polygon, made = pair
    ticks = np.arange(-1, 5.01, 0.25)  # on and beyond edges and vertices where rings touch
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    rows = np.concatenate([grid, np.random.default_rng(0).uniform(-1, 5, (2_000, 2))])
    given = rows if xp is np else keras.ops.convert_to_tensor(rows)
    np.testing.assert_allclose(polygon.level(given, xp), signed_distance(made, rows), atol=1e-13)


def test_points_are_uniform(pair):
    polygon, made = pair
    points = polygon.sample(20_000, seed=1)
    rows = np.hstack([points["x"], points["y"]])
    assert shapely.distance(made, shapely.points(rows)).max() < 1e-14
    cells = [shapely.box(i, j, i + 0.5, j + 0.5) for i in ticks() for j in ticks()]
    sizes = shapely.area(shapely.intersection(made, cells))
    index = np.floor(rows * 2).astype(int).clip(0, 7)
    counts = np.bincount(index @ [8, 1], minlength=64)
    assert counts[sizes < 1e-12].sum() == 0
    full = sizes > 1e-3
    expected = sizes[full] / sizes[full].sum() * counts[full].sum()
    assert scipy.stats.chisquare(counts[full], expected).pvalue > 1e-3


def ticks():
    return np.arange(8) / 2


def test_normals_point_outwards(pair):
    polygon, made = pair
    points = polygon.boundary().sample(3_000, seed=0)
    rows = np.hstack([points["x"], points["y"]])
    assert shapely.distance(made.boundary, shapely.points(rows)).max() < 1e-14
    np.testing.assert_allclose(np.linalg.norm(points["n"], axis=1), 1, rtol=1e-14)
    for step, sign in ((1e-9, 1), (-1e-9, -1)):
        assert np.all(np.sign(signed_distance(made, rows + step * points["n"])) == sign)


def test_a_ring_keeps_its_edges():
    """An edge that another ring touches in its middle is one edge."""
    outer, holes = SHAPES["a vertex of a hole on an edge"]
    polygon = Polygon.from_shapely(shapely.Polygon(outer, holes), edges={"left": 3})
    assert polygon.edge("left").area == 4 and polygon.boundary("hole 0").area > 0
    assert len(polygon.boundary("outer").patches) == 4


def test_revolved():
    """Pappus."""
    made = shapely.Polygon(*SHAPES["a chain"])
    body = Polygon.from_shapely(made, "r z").revolved(r="x y")
    assert body.volume == pytest.approx(2 * np.pi * made.centroid.x * made.area, rel=1e-12)
    assert body.contains(body.sample(500, seed=0)).all()
    rows = np.array([[0, 0.5, 2], [0, 1.5, 2], [0, 0.2, 0.2]])
    assert (body.level(rows, np) > 0).tolist() == [True, True, False]


TWICE = "hang together elsewhere too, so that the inside of the polygon falls apart"
FAULTS = {
    "a hole from side to side": (SQUARE, [[(0, 2), (2, 1), (4, 2), (2, 3)]], TWICE),
    "two holes around a piece": (
        SQUARE,
        [[(1, 1), (3, 1), (2, 1.5)], [(1, 1), (2, 3), (3, 1), (2, 3.5)]],
        TWICE,
    ),
    "a chain from side to side": (
        SQUARE,
        [[(0, 2), (1, 1), (2, 2)], [(2, 2), (3, 1), (4, 2)]],
        TWICE,
    ),
    "three holes in a ring": (
        SQUARE,
        [
            [(1, 1), (2, 0.5), (3, 1)],
            [(3, 1), (3.5, 2), (2, 3)],
            [(2, 3), (0.5, 2), (1, 1)],
        ],
        TWICE,
    ),
    "a hole that leaves by a corner": (SQUARE, [[(3, 3), (4, 4), (5, 5), (3, 4)]], "meets another"),
    "holes that cross at a vertex": (
        SQUARE,
        [UP, [(2, 2), (2, 3.5), (3.5, 2)]],
        "meets another ring",
    ),
    "holes that cross at vertices of both alone": (
        SQUARE,
        [[(1, 1), (3, 1), (3, 3), (1, 3)], [(3, 1), (3.5, 2), (3, 3), (2, 2)]],
        r"crosses Hole 'hole 1' at \(3, ",
    ),
    "a hole outside that touches": (SQUARE, [[(4, 2), (5, 1), (5, 3)]], "'hole 0' lies outside"),
    "a hole in a hole that touches": (
        SQUARE,
        [[(1, 1), (3, 1), (3, 3), (1, 3)], [(1, 1), (2, 1.5), (1.5, 2)]],
        "Hole 'hole 1' lies inside of Hole 'hole 0'",
    ),
    "an edge in common": (SQUARE, [[(0, 1), (1, 2), (0, 3)]], "meets another ring"),
    "a ring that touches itself": (
        [(0, 0), (4, 0), (4, 4), (2, 0), (0, 4)],
        [],
        "What a ring goes round that touches itself is a hole",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_shapely_calls_invalid_is_refused(name):
    outer, holes, message = FAULTS[name]
    made = shapely.Polygon(outer, holes)
    assert not made.is_valid
    with pytest.raises(ValueError, match=message):
        Polygon.from_shapely(made)


def test_rings_on_a_lattice_are_polygons_where_shapely_says_so():
    random, touching = np.random.default_rng(0), 0
    for _ in range(600):
        outer = [(0, 0), (6, 0), (6, 6), (3, 3), (0, 6)]
        made = shapely.Polygon(outer, random.integers(0, 7, (random.integers(1, 4), 3, 2)))
        try:
            polygon = Polygon.from_shapely(made)
        except ValueError:
            assert not made.is_valid
            continue
        assert made.is_valid
        touching += shapely.intersects(made.exterior, shapely.MultiLineString(made.interiors))
        areas = simplices.signed_volumes(polygon.triangles)
        assert areas.min() >= 0 and areas.sum() == pytest.approx(made.area, rel=1e-13)
        rows = random.integers(-2, 14, (40, 2)) / 2
        np.testing.assert_allclose(polygon.level(rows, np), signed_distance(made, rows), atol=1e-13)
    assert touching > 10
