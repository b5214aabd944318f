"""Domains: tables of boxes x methods x properties, and the wording of errors."""

import itertools
import math
import pickle

import numpy as np
import pytest

from kpinn.domains import Box, sampling

METHODS = ("uniform", "latin_hypercube", "sobol", "halton")
BOXES = {
    "line": Box(x=(-1, 3)),
    "time": Box(t=(0, 1), x=(-1, 1)),
    "plate": Box(x=(0, 4), y=(0, 1)),
    "space-time": Box(t=(0, 0.5), x=(0, 1), y=(-2, 2), z=(1, 1.5)),
    "vector": Box(t=(0, 1), x=([0, 0, -1], [1, 2, 1])),
    "high": Box(x=(np.zeros(50), 0.1)),
}


@pytest.fixture(params=BOXES.values(), ids=BOXES)
def box(request):
    return request.param


@pytest.fixture(params=METHODS)
def method(request):
    return request.param


def widths(box):
    return {name: np.size(lower) for name, (lower, _) in box.bounds.items()}


# Boxes


def test_order_space_bounds_and_volume():
    box = Box(x=(-1, 1), t=(0, 0.5), y=([0, 1], 3))
    assert box.coordinates == ("x", "t", "y")
    assert box.spatial == ("x", "y")
    assert box.bounds["x"] == (-1.0, 1.0)
    np.testing.assert_array_equal(box.bounds["y"], [[0, 1], [3, 3]])
    assert box.volume == 2 * 0.5 * 3 * 2


@pytest.mark.parametrize("name", ["t", "time"])
def test_time_is_not_spatial(name):
    assert Box(**{name: (0, 1)}, x=(0, 1)).spatial == ("x",)


@pytest.mark.parametrize(
    "domain, text",
    [
        (Box(t=(0, 1), x=(-1.0, 1.5)), "Box(t=(0, 1), x=(-1, 1.5))"),
        (Box(x=([0, 0], [1, 0.1])), "Box(x=([0, 0], [1, 0.1]))"),
        (Box(t=(0, 1), x=(0, 1)).face(t=0.5), "Box(t=(0, 1), x=(0, 1)).face(t=0.5)"),
        (Box(t=(0, 1), x=(0, 1)).boundary(), "Box(t=(0, 1), x=(0, 1)).boundary('x')"),
        (Box(x=([0, 0], 1)).boundary().faces[2], "Box(x=([0, 0], [1, 1])).face(x[1]=0)"),
    ],
)
def test_repr(domain, text):
    assert repr(domain) == text


@pytest.mark.parametrize(
    "bounds, message",
    [
        ({}, "at least one coordinate"),
        ({"x": 1}, r"`x` needs two bounds \(lower, upper\).*got 1"),
        ({"x": (0, 1, 2)}, "two bounds"),
        ({"x": ("a", "b")}, "two bounds"),
        ({"x": "01"}, "two bounds"),
        ({"x": {0, 1}}, "two bounds"),
        ({"x": {0: 1, 1: 2}}, "two bounds"),
        ({"x": ("0", "1")}, "two bounds"),
        ({"x": (False, True)}, "two bounds"),
        ({"x": ([0, 0], [1, 1, 1])}, "arrays of one length"),
        ({"x": ([[0]], [[1]])}, r"numbers or arrays \(d,\)"),
        ({"x": ([], [])}, r"numbers or arrays \(d,\)"),
        ({"x": (0, math.inf)}, "must be finite"),
        ({"x": (math.nan, 1)}, "must be finite"),
        ({"x": (1, 0)}, "lower < upper, got"),
        ({"x": (1, 1)}, "fixed by face"),
        ({"x": ([0, 0], [1, 0])}, "lower < upper"),
        ({"x y": (0, 1)}, "Python name.*got 'x y'"),
        ({"lambda": (0, 1)}, "Python name"),
        ({"n": (0, 1)}, "kept for the outward normal"),
    ],
)
def test_box_refuses(bounds, message):
    with pytest.raises(ValueError, match=message):
        Box(**bounds)


def test_box_pickles():
    box = pickle.loads(pickle.dumps(BOXES["vector"]))
    assert repr(box) == repr(BOXES["vector"])


def test_contains_is_closed_and_pointwise():
    box = Box(t=(0, 1), x=([0, 0], [1, 2]))
    points = {"t": [0, 1, 0.5, 1.1, math.nan], "x": [[0, 0], [1, 2], [0, 2.1], [0, 0], [0, 0]]}
    assert box.contains(points).tolist() == [True, True, False, False, False]


def test_contains_rounds_bounds_to_the_points():
    box = Box(x=(0, 0.1))
    single = np.float32([[0.1]])
    assert single.astype("float64") > 0.1 and box.contains({"x": single}).all()


@pytest.mark.parametrize(
    "points, message",
    [
        ({"t": [0.5]}, r"lack \['x'\].*have \['t'\]"),
        ({"t": [0.5], "x": [[0, 0]]}, r"`x` must have the shape \(n, 1\), got \(1, 2\)"),
        ({"t": [0.5, 1], "x": [0]}, "same number of points, got {'t': 2, 'x': 1}"),
    ],
)
def test_contains_refuses(points, message):
    with pytest.raises(ValueError, match=message):
        BOXES["time"].contains(points)


# Samples of a box


@pytest.mark.parametrize("n", [1, 2, 7, 64, 100])
def test_sample_has_the_shapes_and_lies_inside(box, method, n):
    points = box.sample(n, method, seed=3)
    assert tuple(points) == box.coordinates
    assert {k: v.shape for k, v in points.items()} == {k: (n, d) for k, d in widths(box).items()}
    assert all(values.dtype == np.float64 for values in points.values())
    assert box.contains(points).all()


def test_sample_fills_the_box(box, method):
    points = box.sample(2000, method, seed=0)
    for name, (lower, upper) in box.bounds.items():
        expected = (np.asarray(lower) + upper) / 2
        spread = np.asarray(upper) - lower
        assert np.all(np.abs(points[name].mean(axis=0) - expected) < 0.05 * spread)
        assert np.all(points[name].max(axis=0) - points[name].min(axis=0) > 0.98 * spread)


def test_seeds_reproduce_and_differ(box, method):
    first, same, other = (box.sample(20, method, seed=seed) for seed in (1, 1, 2))
    for name in box.coordinates:
        np.testing.assert_array_equal(first[name], same[name])
        assert not np.any(first[name] == other[name])


def test_a_generator_is_advanced(method):
    rng = np.random.default_rng(5)
    first, second = (BOXES["time"].sample(8, method, rng)["x"] for _ in range(2))
    assert not np.any(first == second)
    np.testing.assert_array_equal(first, BOXES["time"].sample(8, method, 5)["x"])


def test_without_a_seed_the_global_one_decides(method):
    # `keras.utils.set_random_seed` seeds this global state.
    draws = []
    for _ in range(2):
        np.random.seed(11)
        draws += [BOXES["time"].boundary().sample(8, method)["t"] for _ in range(2)]
    np.testing.assert_array_equal(draws[0], draws[2])
    np.testing.assert_array_equal(draws[1], draws[3])
    assert not np.any(draws[0] == draws[1])


@pytest.mark.parametrize("n", [5, 64, 1000])
def test_latin_hypercube_has_one_point_in_each_slice(n):
    points = sampling.latin_hypercube(n, 4, np.random.default_rng(0))
    for column in np.floor(points * n).T:
        assert sorted(column) == list(range(n))


@pytest.mark.parametrize("power", [3, 6, 10])
def test_sobol_is_balanced_in_every_slice_and_in_two_dimensions(power):
    n = 2**power
    points = sampling.sobol(n, 5, np.random.default_rng(0))
    for column in np.floor(points * n).T:
        assert sorted(column) == list(range(n))
    half = power // 2
    boxes = np.floor(points[:, :2] * [2**half, 2 ** (power - half)])
    assert len({tuple(row) for row in boxes}) == n


def test_sobol_of_any_length_is_the_start_of_the_next_power_of_two():
    full, cut = (sampling.sobol(n, 3, np.random.default_rng(1)) for n in (128, 100))
    np.testing.assert_array_equal(cut, full[:100])


def test_sobol_has_a_limit():
    with pytest.raises(ValueError, match="up to 21201 dimensions, got 30000"):
        sampling.sobol(1, 30_000, np.random.default_rng(0))


@pytest.mark.parametrize(
    "n, error, message",
    [
        (True, TypeError, "positive int, got True"),
        (1.0, TypeError, "positive int, got 1.0"),
        ("3", TypeError, "positive int, got '3'"),
        (None, TypeError, "positive int"),
        ({"t": 3, "x": 3}, TypeError, "for method='grid'; method='uniform' takes the number"),
        (0, ValueError, "positive int, got 0"),
        (-5, ValueError, "positive int, got -5"),
    ],
)
@pytest.mark.parametrize("part", ["sample", "face", "boundary"])
def test_sample_refuses_sizes(n, error, message, part):
    box = BOXES["time"]
    domain = {"sample": box, "face": box.face(t=0), "boundary": box.boundary()}[part]
    with pytest.raises(error, match=message):
        domain.sample(n)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"method": "hammersley"}, ValueError, r"'hammersley'.*'uniform', .*'halton', 'grid'"),
        ({"seed": -1}, ValueError, "non-negative int, a Generator or None, got -1"),
        ({"seed": 1.5}, TypeError, "non-negative int, a Generator or None, got 1.5"),
        ({"seed": True}, TypeError, "got True"),
    ],
)
def test_sample_refuses_options(arguments, error, message):
    with pytest.raises(error, match=message):
        BOXES["time"].sample(4, **arguments)


def test_a_method_can_be_added(monkeypatch):
    monkeypatch.setitem(sampling.METHODS, "middle", lambda n, dims, rng: np.full((n, dims), 0.5))
    points = Box(t=(0, 1), x=(2, 4)).sample(2, "middle")
    assert (points["t"] == 0.5).all() and (points["x"] == 3).all()


def test_numpy_integers_are_sizes():
    assert len(BOXES["line"].sample(np.int64(4), seed=np.int32(0))["x"]) == 4


# Grids


def test_grid_has_the_ends_and_the_last_coordinate_varies_fastest():
    points = Box(t=(0, 0.1), x=(-1, 1)).sample({"x": 5, "t": 3}, "grid")
    np.testing.assert_array_equal(points["t"].ravel(), np.repeat(np.linspace(0, 0.1, 3), 5))
    np.testing.assert_array_equal(points["x"].ravel(), np.tile(np.linspace(-1, 1, 5), 3))


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("name", ["line", "time", "plate", "space-time", "vector"])
def test_grid_of_a_power(name, k):
    box = BOXES[name]
    dims = sum(widths(box).values())
    by_int, by_dict = box.sample(k**dims, "grid"), box.sample(dict.fromkeys(widths(box), k), "grid")
    assert box.contains(by_int).all()
    assert len(np.unique(np.hstack(list(by_int.values())), axis=0)) == k**dims
    for coordinate, (lower, upper) in box.bounds.items():
        np.testing.assert_array_equal(by_int[coordinate], by_dict[coordinate])
        np.testing.assert_array_equal(by_int[coordinate].min(axis=0), np.atleast_1d(lower))
        np.testing.assert_array_equal(by_int[coordinate].max(axis=0), np.atleast_1d(upper))


def test_grid_draws_no_random_numbers():
    np.random.seed(0)
    BOXES["plate"].boundary().sample({"x": 3, "y": 3}, "grid")
    after = np.random.random()
    np.random.seed(0)
    assert after == np.random.random()


@pytest.mark.parametrize(
    "n, error, message",
    [
        (10, ValueError, r"got n=10. Nearest: 9 \(3 on each axis\) or 16 .*n={'t': 3, 'x': 3}"),
        (1, ValueError, r"got n=1. Nearest: 4 \(2 on each axis\)"),
        (0, ValueError, "positive int, got 0"),
        ({"t": 3}, ValueError, r"on each of \('t', 'x'\), got them for \('t',\)"),
        ({"t": 3, "x": 3, "y": 3}, ValueError, "got them for"),
        ({"t": 3, "x": 1}, ValueError, r"`n\['x'\]` must be an int >= 2, got 1"),
        ({"t": 3, "x": 2.0}, TypeError, r"`n\['x'\]` must be an int >= 2, got 2.0"),
    ],
)
def test_grid_refuses(n, error, message):
    with pytest.raises(error, match=message):
        BOXES["time"].sample(n, "grid")


@pytest.mark.parametrize("dims", [1, 2, 3, 7])
def test_integer_root_is_exact(dims):
    for k in (1, 2, 3, 10, 99, 1000):
        assert sampling.integer_root(k**dims, dims) == k
        assert sampling.integer_root((k + 1) ** dims - 1, dims) == k


# Faces


@pytest.mark.parametrize(
    "name, fixed, normal",
    [
        ("time", {"t": 0}, None),
        ("time", {"t": 1}, None),
        ("time", {"x": -1}, [-1]),
        ("time", {"x": 1}, [1]),
        ("time", {"x": 0.5}, None),
        ("time", {"t": 0, "x": -1}, [-1]),
        ("space-time", {"z": 1.5}, [0, 0, 1]),
        ("space-time", {"y": -2}, [0, -1, 0]),
        ("space-time", {"t": 0.1, "x": 0}, [-1, 0, 0]),
        ("space-time", {"x": 0, "y": 2}, None),
        ("plate", {"x": 4}, [1, 0]),
        ("vector", {"t": 0.3}, None),
    ],
)
def test_face(name, fixed, normal, method):
    box, n = BOXES[name], 33
    points = box.face(**fixed).sample(n, method, seed=1)
    assert tuple(points) == box.coordinates + (() if normal is None else ("n",))
    assert box.contains(points).all()
    for coordinate, width in widths(box).items():
        assert points[coordinate].shape == (n, width)
        values = points[coordinate]
        assert (values == fixed[coordinate]).all() if coordinate in fixed else np.ptp(values) > 0
    if normal is not None:
        np.testing.assert_array_equal(points["n"], np.tile(normal, (n, 1)))


def test_face_fixes_exactly():
    box = Box(x=(0.1, 0.3), y=(0, 1))
    assert (box.face(x=0.3).sample(50)["x"] == 0.3).all()
    assert box.face(x=0.3).fixed == {"x": 0.3}


def test_face_grid_counts_the_free_coordinates():
    face = BOXES["time"].face(t=0)
    for n in (5, {"x": 5}):
        points = face.sample(n, "grid")
        np.testing.assert_array_equal(points["x"].ravel(), [-1, -0.5, 0, 0.5, 1])
    with pytest.raises(ValueError, match="Coordinates that are fixed take none"):
        face.sample({"t": 2, "x": 5}, "grid")


@pytest.mark.parametrize("method", METHODS)
def test_corner(method):
    corner = BOXES["time"].face(t=0, x=1)
    assert (corner.sample(3, method)["x"] == 1).all() and len(corner.sample(3, method)["t"]) == 3
    assert corner.sample(1, "grid")["t"].shape == (1, 1)
    with pytest.raises(ValueError, match="nothing to vary, so the grid has n=1 point, got n=3"):
        corner.sample(3, "grid")
    with pytest.raises(ValueError, match="Unknown method='hammersley'"):
        corner.sample(3, "hammersley")


@pytest.mark.parametrize(
    "name, fixed, message",
    [
        ("time", {}, r"as in face\(t=0\)"),
        ("time", {"y": 0}, r"Unknown coordinate 'y'. The box has \('t', 'x'\)"),
        ("time", {"t": 2}, r"face\(t=2\) lies outside the box. Give a value in \[0, 1\]"),
        ("time", {"t": math.nan}, r"face\(t=...\) is a finite number, not nan"),
        ("time", {"t": [0, 1]}, r"is a finite number, not \[0, 1\]"),
        ("time", {"t": "zero"}, "is a finite number, not 'zero'"),
        ("vector", {"x": 0}, r"'x' has 3 components.*use boundary\('x'\)"),
    ],
)
def test_face_refuses(name, fixed, message):
    with pytest.raises(ValueError, match=message):
        BOXES[name].face(**fixed)


# Boundaries


@pytest.mark.parametrize("n", [1, 3, 6, 37, 200])
@pytest.mark.parametrize("name", ["line", "time", "plate", "space-time", "vector"])
def test_boundary_points_lie_on_faces_with_outward_unit_normals(name, n, method):
    box = BOXES[name]
    points = box.boundary().sample(n, method, seed=2)
    space = np.hstack([points[k] for k in box.spatial])
    lower, upper = (np.hstack([box.bounds[k][end] for k in box.spatial]) for end in (0, 1))
    assert tuple(points) == (*box.coordinates, "n")
    assert points["n"].shape == space.shape == (n, len(lower))
    assert box.contains(points).all()
    np.testing.assert_array_equal(np.abs(points["n"]).sum(axis=1), 1)
    np.testing.assert_array_equal((points["n"] ** 2).sum(axis=1), 1)
    # A step along the normal leaves the box; the point itself is at the end of that axis.
    ends = np.where(points["n"] > 0, upper, lower)
    np.testing.assert_array_equal(space[points["n"] != 0], ends[points["n"] != 0])


def faces_of(points):
    """How many points each normal has."""
    normals, counts = np.unique(points["n"], axis=0, return_counts=True)
    return {tuple(int(v) for v in n): int(k) for n, k in zip(normals, counts, strict=True)}


def test_boundary_is_in_proportion_to_the_area():
    points = Box(x=(0, 4), y=(0, 1)).boundary().sample(100)
    assert faces_of(points) == {(-1, 0): 10, (1, 0): 10, (0, -1): 40, (0, 1): 40}
    points = Box(t=(0, 9), x=([0, 0, 0], [1, 2, 3])).boundary().sample(220)
    areas = {0: 60, 1: 30, 2: 20}
    for axis, sign in itertools.product(areas, (-1, 1)):
        assert faces_of(points)[tuple(sign * (i == axis) for i in range(3))] == areas[axis]


def test_thin_faces_get_a_point():
    box = Box(x=(0, 1000), y=(0, 1e-3))
    assert faces_of(box.boundary().sample(4)) == {(-1, 0): 1, (1, 0): 1, (0, -1): 1, (0, 1): 1}
    assert sum(faces_of(box.boundary().sample(3)).values()) == 3


def test_boundary_of_names():
    box = BOXES["space-time"]
    points = box.boundary("y").sample(10)
    assert set(points["y"].ravel()) == {-2, 2} and points["n"].shape == (10, 3)
    assert box.boundary("z", "x").names == ("z", "x")


@pytest.mark.parametrize("names", [("t",), ("t", "x"), ("x", "t")])
def test_boundary_with_time_has_no_normals(names):
    points = BOXES["time"].boundary(*names).sample(20)
    assert tuple(points) == ("t", "x")
    on = np.isin(points["t"], [0, 1]) if "t" in names else False
    on = on | (np.isin(points["x"], [-1, 1]) if "x" in names else False)
    assert on.all()


def test_boundary_in_many_dimensions():
    box = Box(x=(np.zeros(400), 1e-3))
    points = box.boundary().sample(1000, seed=0)
    assert box.volume == 0  # underflow, which the shares of the faces must not see
    assert min(faces_of(points).values()) == 1 and points["x"].shape == (1000, 400)


def test_the_boundary_of_a_box_in_many_dimensions_after_it_was_scaled():
    """Its faces across the long edge are smaller than the others; all measures underflow."""
    widths = np.append(np.full(199, 1e-3), 1e-2)
    scaled, same = Box(x=(np.zeros(200), widths)).scaled(2), Box(x=(np.zeros(200), 2 * widths))
    logs = [[patch.log_measure for patch in domain.border] for domain in (scaled, same)]
    assert logs[0] == pytest.approx(logs[1], rel=1e-12)
    points = scaled.boundary().sample(4_000, seed=0)
    assert np.sum(points["n"][:, -1] != 0) == pytest.approx(4_000 * 0.1 / 199.1, abs=2)


def test_boundary_grid():
    box, product = Box(t=(0, 1), x=(0, 1), y=(0, 2)), Box(t=(0, 1)) * Box(x=(0, 1), y=(0, 2))
    points, same = (b.boundary().sample({"t": 2, "x": 3, "y": 5}, "grid") for b in (box, product))
    assert faces_of(points) == {(-1, 0): 10, (1, 0): 10, (0, -1): 6, (0, 1): 6}
    assert all(np.array_equal(points[name], same[name]) for name in ("t", "x", "y", "n"))
    assert len(BOXES["time"].boundary().sample(20, "grid")["t"]) == 20
    assert BOXES["line"].boundary().sample(2, "grid")["x"].tolist() == [[-1], [3]]
    vector = BOXES["vector"].boundary().sample({"t": 2, "x": 3}, "grid")
    assert len(vector["x"]) == 6 * 2 * 9 and BOXES["vector"].contains(vector).all()


@pytest.mark.parametrize(
    "name, n, message",
    [
        ("line", 5, r"5 points do not make a grid .* which get \[3, 2\]"),
        ("space-time", 601, "points per coordinate, n={'t': 11, "),
        ("plate", 3, "do not make a grid"),
        ("plate", {"x": 3}, r"on each of \('x', 'y'\), got them for \('x',\)"),
        ("plate", {"x": 3, "y": 1}, "int >= 2, got 1"),
    ],
)
def test_boundary_grid_refuses(name, n, message):
    with pytest.raises(ValueError, match=message):
        BOXES[name].boundary().sample(n, "grid")


@pytest.mark.parametrize(
    "box, names, message",
    [
        (Box(t=(0, 1)), (), r"no spatial coordinate.*boundary\('t'\)"),
        (Box(x=(0, 1)), ("y",), r"Unknown coordinate 'y'. The box has \('x',\)"),
        (Box(x=(0, 1)), ("x", "x"), "a coordinate twice"),
    ],
)
def test_boundary_refuses(box, names, message):
    with pytest.raises(ValueError, match=message):
        box.boundary(*names)


@pytest.mark.parametrize(
    "n, measures, expected",
    [
        (10, [1, 1], [5, 5]),
        (11, [1, 1], [6, 5]),
        (10, [1, 1, 3], [2, 2, 6]),
        (7, [1, 1, 1], [3, 2, 2]),
        (3, [1e-9, 1, 1e-9], [1, 1, 1]),
        (2, [1, 1, 1], [1, 1, 0]),
        (5, [1e300, 1e-300], [4, 1]),
    ],
)
def test_allocate(n, measures, expected):
    assert sampling.allocate(n, measures).tolist() == expected


def test_allocate_is_fair_for_any_measures():
    rng = np.random.default_rng(0)
    for _ in range(300):
        n, measures = int(rng.integers(1, 200)), rng.random(rng.integers(1, 9)) ** 3 + 1e-9
        shares = sampling.allocate(n, measures)
        quotas = n * measures / measures.sum()
        assert shares.sum() == n
        assert shares.min() >= (n >= len(measures))
        big = quotas >= 1
        assert np.all(shares[big] <= quotas[big] + 1)
