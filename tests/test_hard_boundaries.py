"""Conditions on parts of domains that hold by the form of the network."""

import keras
import numpy as np
import pytest
from keras import ops

import kpinn
from kpinn.domains import Ball, Box, Ellipsoid, Polygon
from kpinn.domains.boundaries.surface_fits import piece_of
from kpinn.domains.boundaries.surfaces import conjunction, distances, joined, joined_others
from kpinn.layers import HardBoundary, Initial, Neumann, Robin


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()
    keras.utils.set_random_seed(0)


@keras.saving.register_keras_serializable(package="test_hard_boundaries")
def profile(y):
    return y * (0.41 - y)


@keras.saving.register_keras_serializable(package="test_hard_boundaries")
def product(x, y):
    return x * y


def mlp(fields=1):
    return keras.Sequential([keras.layers.Dense(6, "tanh"), keras.layers.Dense(fields)])


def channel():
    cylinder = Ball(x=0.2, y=0.2, radius=0.05).named("cylinder")
    flow = Box(x=(0, 2.2), y=(0, 0.41)) - cylinder
    return flow.with_parts(inlet=flow.face(x=0), walls=flow.boundary("y"))


def values(layer, part, requests, coordinates="x y", fields="u", n=30):
    points = part.sample(n, seed=0)
    found = kpinn.derivatives(layer, points, requests, coordinates, fields)
    return points, {name: np.asarray(value) for name, value in found.items()}


# Distances ---------------------------------------------------------------------------------

SQUARE = Box(x=(0, 1), y=(0, 1))
CUBE = Box(x=(0, 1), y=(0, 1), z=(0, 1))
DISKS = Ball(x=0, y=0, radius=1), Ball(x=1, y=0.2, radius=0.8)
TIME = Box(t=(0, 2))
SHAPES = {
    "disk": DISKS[0].boundary(),
    "ball": Ball(x=0, y=0, z=1, radius=2).boundary(),
    "L": (Box(x=(0, 2), y=(0, 2)) - Box(x=(1, 3), y=(1, 3))).boundary(),
    "turned L": (Box(x=(0, 2), y=(0, 2)) - Box(x=(1, 3), y=(1, 3))).rotated(0.3).boundary(),
    "lens": (DISKS[0] & DISKS[1]).boundary(),
    "union of disks": (DISKS[0] + DISKS[1]).boundary(),
    "bitten square": (SQUARE - Ball(x=0.5, y=1, radius=0.3)).boundary(),
    "cylinder in a channel": channel().boundary("cylinder"),
    "the same in space": channel().extruded(z=(0, 1)).boundary("cylinder"),
    "cube without a ball": (CUBE - Ball(x=1, y=1, z=1, radius=0.5)).boundary(),
    "piece of a side": SQUARE.boundary("y").where(lambda x: x < 0.3),
    "disk at all times": (TIME * DISKS[0]).boundary(),
    "moving disk": (TIME * DISKS[0]).moved(x=lambda t: 0.3 * t).boundary(),
    "polygon with a hole": Polygon(
        x=[0, 2, 2.5, 1.2, 0],
        y=[0, 0, 1.5, 1.1, 1.4],
        holes=[{"x": [0.5, 0.8, 0.8, 0.5], "y": [0.4, 0.4, 0.8, 0.8]}],
    ).boundary(),
    "turned ellipse": Ellipsoid(x=0, y=1, radii=(2, 1)).rotated(0.4).boundary(),
    "interval": Box(x=(-1, 3)).boundary(),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_distances_are_zero_with_slope_one_on_the_part_and_positive_inside(shape):
    part = SHAPES[shape]
    piece, frame = piece_of(part), part.domain.frame

    def distance(rows):
        return joined(distances(piece.surfaces, rows, np), np)[:, 0]

    points = part.sample(200, seed=1)
    rows = frame.rows(points)
    assert np.abs(distance(rows)).max() < 1e-14
    step = 1e-7  # corners are nearer to some points than the step is small beside them
    slopes = distance(rows - step * frame.embedded(points["n"], np)) / step
    assert np.quantile(np.abs(slopes - 1), 0.95) < 1e-4
    inside = distance(frame.rows(part.domain.sample(1_000, seed=2)))
    assert inside.min() > 0
    other = [p for p in part.domain.border if all(p.place is not q.place for q in part.patches)]
    for patch in other:
        unit = np.random.default_rng(0).random((200, patch.draws))
        far, _, holds = patch.candidates(unit)
        assert np.all(distance(far if holds is None else far[holds]) > 1e-7)


def test_distances_along_the_ends_of_a_segment():
    """Against the formula of Sukumar and Srivastava, written out for one segment."""
    part = SQUARE.boundary("y").where(lambda x, y: (x < 0.3) & (y < 0.5))
    x, y = np.random.default_rng(0).random((2, 50))
    trim = (0.15**2 - (x - 0.15) ** 2 - y**2) / 0.3
    phi = (np.sqrt(trim**2 + (y**2 / 0.3) ** 2 / 1) - trim) / 2
    piece = piece_of(part)
    found = distances(piece.surfaces, np.stack([x, y], axis=1), np)[:, 0]
    np.testing.assert_allclose(found, np.sqrt(y**2 + phi**2), rtol=1e-12)


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_joined_distances(count):
    given = np.random.default_rng(0).uniform(0.1, 2, (7, count))
    np.testing.assert_allclose(joined(given, np)[:, 0], 1 / (1 / given).sum(axis=1))
    rest = (1 / given).sum(axis=1, keepdims=True) - 1 / given
    np.testing.assert_allclose(joined_others(given, np), 1 / rest)


def test_conjunction_has_the_sign_of_both():
    a, b = np.random.default_rng(0).normal(size=(2, 100))
    np.testing.assert_array_equal(conjunction(a, b, np) > 0, (a > 0) & (b > 0))
    assert conjunction(np.zeros(1), np.zeros(1), np) == 0


# Conditions --------------------------------------------------------------------------------


def test_values_and_derivatives_along_normals_in_a_channel():
    flow = channel()
    conditions = {"cylinder": 0.0, "inlet": profile, "walls": Neumann(lambda x: ops.sin(x))}
    layer = HardBoundary(mlp(), flow, conditions, "x y")
    _, found = values(layer, flow.boundary("cylinder"), "u, u_xx")
    assert np.abs(found["u"]).max() < 1e-14 and np.abs(found["u_xx"]).max() > 1
    points, found = values(layer, flow.boundary("inlet"), "u")
    np.testing.assert_allclose(found["u"], profile(points["y"]), rtol=0, atol=1e-15)
    points, found = values(layer, flow.boundary("walls"), "u, u_n")
    np.testing.assert_allclose(found["u_n"], np.sin(points["x"]), rtol=0, atol=1e-11)
    assert np.ptp(found["u"]) > 1e-2
    _, found = values(layer, flow, "u, u_xx", n=300)
    assert all(np.isfinite(value).all() for value in found.values())


@pytest.mark.parametrize("method", ["taylor", "reverse", "forward"])
def test_robin(method):
    disk = Ball(x=0, y=0, radius=1.5)
    robin = Robin(lambda x: 1 + x**2, lambda y: y)
    layer = HardBoundary(mlp(), disk, {"boundary": robin}, "x y")
    points = disk.boundary().sample(30, seed=0)
    found = kpinn.derivatives(layer, points, "u, u_n", "x y", "u", method=method)
    u, u_n = (np.asarray(found[name]) for name in ("u", "u_n"))
    np.testing.assert_allclose(u_n, points["y"] - (1 + points["x"] ** 2) * u, rtol=0, atol=1e-13)


def test_the_start_with_its_rate_and_insulated_walls():
    domain = Box(t=(1, 3)) * (DISKS[0] + DISKS[1])
    start = Initial(lambda x, y: x + y, lambda x: x**2)
    conditions = {"boundary": Neumann(lambda t, x: t * x), "t": start}
    layer = HardBoundary(mlp(), domain, conditions, "t x y")
    points, found = values(layer, domain.boundary(), "u_n", "t x y")
    np.testing.assert_allclose(found["u_n"], points["t"] * points["x"], rtol=0, atol=1e-10)
    points, found = values(layer, domain.face(t=1), "u, u_t, u_tt", "t x y")
    np.testing.assert_allclose(found["u"], points["x"] + points["y"], rtol=0, atol=1e-14)
    np.testing.assert_allclose(found["u_t"], points["x"] ** 2, rtol=0, atol=1e-13)
    assert np.abs(found["u_tt"]).max() > 1e-2


def test_values_on_the_walls_leave_the_start_and_its_rate():
    domain = Box(t=(0, 1)) * Box(x=(0, 2))
    start = Initial(lambda x: ops.sin(np.pi * x), lambda x: x * (2 - x))
    layer = HardBoundary(mlp(), domain, {"t": start, "x": lambda t: 0 * t}, "t x")
    points, found = values(layer, domain.face(t=0), "u, u_t", "t x")
    np.testing.assert_allclose(found["u"], np.sin(np.pi * points["x"]), rtol=0, atol=1e-14)
    np.testing.assert_allclose(found["u_t"], points["x"] * (2 - points["x"]), rtol=0, atol=1e-13)
    _, found = values(layer, domain.boundary(), "u", "t x")
    assert np.abs(found["u"]).max() < 1e-14


def test_a_start_without_a_rate_leaves_the_rate_free():
    domain = Box(t=(0, 1)) * Box(x=(0, 2))
    layer = HardBoundary(mlp(), domain, {"t": lambda x: x, "x": lambda x: x}, "t x")
    points, found = values(layer, domain.face(t=0), "u, u_t", "t x")
    np.testing.assert_allclose(found["u"], points["x"], rtol=0, atol=1e-15)
    assert np.abs(found["u_t"]).max() > 1e-2
    points, found = values(layer, domain.boundary(), "u", "t x")
    np.testing.assert_allclose(found["u"], points["x"], rtol=0, atol=1e-15)


def test_conditions_by_field():
    conditions = {"x": {"u": profile, "v": 0.0}, "y": {"u": Neumann(), "v": 2.0, "p": Neumann(1.0)}}
    layer = HardBoundary(mlp(3), SQUARE, conditions, "x y", "u v p")
    points, found = values(layer, SQUARE.boundary("x"), "u, v, p", fields="u v p")
    np.testing.assert_allclose(found["u"], profile(points["y"]), rtol=0, atol=1e-15)
    assert np.abs(found["v"]).max() < 1e-15 and np.ptp(found["p"]) > 1e-3
    _, found = values(layer, SQUARE.boundary("y"), "u_n, v, p_n", fields="u v p")
    assert np.abs(found["u_n"]).max() < 1e-12
    np.testing.assert_allclose(found["v"], 2.0, rtol=1e-14)
    np.testing.assert_allclose(found["p_n"], 1.0, rtol=1e-12)


def test_coordinates_that_the_domain_has_not_and_another_order():
    disk = Ball(x=0, y=0, radius=1)
    layer = HardBoundary(mlp(), disk, {"boundary": Neumann(lambda t, x: t * x)}, "y t x")
    points = disk.boundary().sample(20, seed=0)
    points["t"], points["n"] = np.linspace(0, 1, 20)[:, None], points["n"][:, ::-1]
    found = kpinn.derivatives(layer, points, "u_n", "y t x", "u")["u_n"]
    np.testing.assert_allclose(found, points["t"] * points["x"], rtol=0, atol=1e-14)


def test_derivatives_are_checked():
    layer = HardBoundary(mlp(), SQUARE, {"x": 0.0, "y": Neumann()}, "x y")
    report = kpinn.check_derivatives(layer, SQUARE.sample(5, seed=0), "u, u_y")
    assert report.ok, report


def test_a_layer_is_saved_without_its_domain(tmp_path):
    flow = SQUARE - Ball(x=1, y=1, radius=0.5).named("corner")
    conditions = {"corner": profile, "y": Robin(1.0, product)}
    layer = HardBoundary(mlp(), flow, conditions, "x y")

    def steady(laplacian_u):
        return laplacian_u

    steady = keras.saving.register_keras_serializable(package="test_hard_boundaries")(steady)
    pinn = kpinn.PINN(layer, "x y", "u", conditions=[steady])
    points = flow.sample(20, seed=0)
    expected = pinn.predict_fields(points, "u, u_y")
    pinn.save(tmp_path / "pinn.keras")
    again = keras.saving.load_model(tmp_path / "pinn.keras")
    for name, found in again.predict_fields(points, "u, u_y").items():
        np.testing.assert_array_equal(found, expected[name])


def test_float32():
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    flow = channel()
    layer = HardBoundary(mlp(), flow, {"inlet": profile, "walls": Neumann(1.0)}, "x y")
    points, found = values(layer, flow.boundary("inlet"), "u")
    np.testing.assert_allclose(found["u"], profile(points["y"]), rtol=0, atol=1e-6)
    _, found = values(layer, flow.boundary("walls"), "u_n")
    np.testing.assert_allclose(found["u_n"], 1.0, rtol=0, atol=1e-3)


@pytest.mark.slow
def test_a_steady_state_in_a_ring():
    """Held inside, insulated outside; exact: log(r) - (r^2 - 1) / 8."""
    ring = Ball(x=0, y=0, radius=2).named("outside") - Ball(x=0, y=0, radius=1).named("inside")
    conditions = {"inside": 0.0, "outside": Neumann()}
    features = kpinn.networks.RandomFeatures(units=150, scale=2.0)
    layer = HardBoundary(features, ring, conditions, "x y")

    def poisson(laplacian_u):
        return laplacian_u + 0.5

    pinn = kpinn.PINN(layer, "x y", "u", conditions=[poisson])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), jit_compile=False)
    pinn.fit(ring.sample(500, "halton", seed=0), epochs=3, verbose=0)
    new = ring.sample(500, seed=1)
    squared = new["x"] ** 2 + new["y"] ** 2
    exact = 0.5 * np.log(squared) - (squared - 1) / 8
    np.testing.assert_allclose(pinn.predict_fields(new)["u"], exact, rtol=0, atol=2e-3)


# What is refused ---------------------------------------------------------------------------

FICHERA = CUBE - Box(x=(0.5, 2), y=(0.5, 2), z=(0.5, 2))


@pytest.mark.parametrize(
    ("domain", "conditions", "message"),
    [
        (SQUARE, {}, "conditions is {}: expected a dict from parts"),
        (SQUARE, {"z": 0.0}, r"has no part 'z'. Its parts are \['x', 'y', 'boundary'\]"),
        (
            TIME * SQUARE,
            {"z": 0.0},
            r"has no part 'z'. Its parts are \['x', 'y', 't', 'boundary'\]",
        ),
        ("square", {"x": 0.0}, "domain is 'square': expected a domain"),
        (CUBE, {"x": 0.0}, "has the coordinate 'z' of 1 components, and the network has not"),
        (SQUARE, {"x": lambda z: z}, "condition on 'x' takes 'z', which is no coordinate"),
        (SQUARE, {"x": Neumann(lambda z: z)}, "value on 'x' takes 'z', which is no coordinate"),
        (SQUARE, {"x": "zero"}, "condition on 'x' is 'zero': expected a function or a number"),
        (SQUARE, {"x": None}, "condition on 'x' is None: expected a function or a number"),
        (SQUARE, {"x": Robin(None)}, "coefficient on 'x' is None: expected a function or a number"),
        (SQUARE, {"x": Initial(0.0, 0.0)}, "is a condition at the start of time, not on 'x'"),
        (TIME * SQUARE, {"t": Neumann()}, "is a condition on a boundary in space, not on 't'"),
        (SQUARE, {"x": {"u": 0.0}}, "'u', which is no field"),
        (SQUARE, {"x": 0.0, "boundary": 1.0}, "'x' and 'boundary' have a piece .* in common"),
    ],
)
def test_conditions_without_meaning(domain, conditions, message):
    with pytest.raises(ValueError, match=message):
        HardBoundary(mlp(), domain, conditions, "t x y")


def test_a_surface_that_goes_on_through_the_domain():
    with pytest.raises(ValueError, match="goes on through the domain, and there is no smooth"):
        HardBoundary(mlp(), FICHERA, {"boundary": 0.0}, "x y z")


def test_a_value_of_a_wrong_shape():
    layer = HardBoundary(mlp(), SQUARE, {"x": lambda y: y[:, 0]}, "x y")
    with pytest.raises(ValueError, match=r"value on 'x' returned the shape \(3,\)"):
        layer(np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"expected \(n, 2\), one column per component"):
        HardBoundary(mlp(), SQUARE, {"x": 0.0}, "x y")(np.ones((3, 3)))


def test_functions_that_cannot_be_saved_say_so():
    layer = HardBoundary(mlp(), SQUARE, {"x": Neumann(lambda y: y)}, "x y")
    with pytest.raises(ValueError, match="value of Neumann is a function that cannot be saved"):
        layer.get_config()


def test_a_file_with_surfaces_of_another_size():
    config = HardBoundary(mlp(), SQUARE, {"x": 0.0}, "x y").get_config()
    config["domain"]["pieces"]["x"]["surfaces"][0]["linear"] = [1.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="a surface of 'x' has no 2 axes"):
        HardBoundary.from_config(config)
