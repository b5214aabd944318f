"""Tables as functions of the coordinates, against the splines of scipy."""

import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy.interpolate import RectBivariateSpline, make_interp_spline

import kpinn
from kpinn.derivatives.graphs.tracing import trace
from kpinn.derivatives.per_point.keeps_rows import why_mixed
from kpinn.layers import Interpolation

RNG = np.random.default_rng(0)
X = np.sort(np.concatenate([[0.0, 3.0], RNG.uniform(0.1, 2.9, 10)]))
Y = np.linspace(-1.0, 1.0, 9)
Z = np.array([0.0, 0.3, 0.5, 0.9, 1.6, 2.0])
K = 2.0 + np.sin(2 * X)
SURFACE = np.exp(-X[:, None]) * np.cos(3 * Y) + RNG.uniform(0, 0.1, (len(X), len(Y)))
VOLUME = RNG.uniform(-1, 1, (len(X), len(Y), len(Z)))
STRICT = kpinn.Taylor(strict=True)


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


def places(*columns, count=40):
    """Points within the grid, of which the first are its ends and some of its places."""
    inner = [RNG.uniform(x[0], x[-1], count) for x in columns]
    given = [np.array([x[0], x[-1], x[2], x[-2]]) for x in columns]
    return np.stack([np.concatenate(each) for each in zip(given, inner, strict=True)], axis=1)


def assert_close(found, expected, tolerance):
    largest = max(np.abs(expected).max(), 1e-3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * largest)


# Values and derivatives ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5])
def test_derivatives_of_every_order_are_those_of_scipy(degree, dtype):
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    layer, spline = Interpolation(X, K, degree), make_interp_spline(X, K, degree)
    x = places(X).astype(dtype)
    if dtype == "float32":
        x = x[4:]  # a place of the grid is not that of its rounding, where a derivative jumps
    names = ["u" + "_" * (order > 0) + "x" * order for order in range(degree + 2)]
    values = kpinn.derivatives(layer, x, names, "x", method=STRICT)
    for order, name in enumerate(names):
        expected = spline(x, nu=order)
        if order == degree + 1:
            expected = 0.0 * expected
        assert values[name].dtype == dtype
        tolerance = 1e-12 if dtype == "float64" else 1e-4
        assert_close(values[name], expected, tolerance * 4**order)


def one_after_the_other(grid, table, degrees, at, orders):
    """For each point the spline along the last column, then along the one before, by scipy."""
    found = []
    for place in at:
        rest = table
        for column in reversed(range(len(grid))):
            spline = make_interp_spline(grid[column], rest, degrees[column], axis=column)
            rest = spline(place[column], nu=orders[column])
        found.append(rest)
    return np.array(found)


@pytest.mark.parametrize("degrees", [(3, 3), (1, 3), (5, 2)])
def test_two_columns_are_those_of_scipy(degrees):
    layer, at = Interpolation([X, Y], SURFACE, list(degrees)), places(X, Y, count=10)
    names = "u, u_x, u_y, u_xy, u_xx, u_yy, u_xxy"
    values = kpinn.derivatives(layer, at, names, "x y", method=STRICT)
    for name, value in values.items():
        orders = [name[1:].count(letter) for letter in "xy"]
        expected = one_after_the_other([X, Y], SURFACE, degrees, at, orders)
        assert_close(value[:, 0], expected, 1e-11)


def test_two_columns_are_those_of_fitpack():
    spline, (x, y) = RectBivariateSpline(X, Y, SURFACE, s=0), places(X, Y).T
    layer = Interpolation([X, Y], SURFACE)
    values = kpinn.derivatives(layer, {"x": x, "y": y}, "u, u_x, u_xy, u_yy, u_xxy", method=STRICT)
    for name, value in values.items():
        dx, dy = (name[1:].count(letter) for letter in "xy")
        assert_close(value[:, 0], spline.ev(x, y, dx=dx, dy=dy), 1e-11)


def test_three_columns_and_several_functions_are_those_of_scipy():
    table = np.stack([VOLUME, VOLUME**2], axis=-1)
    layer = Interpolation([X, Y, Z], table)
    at = RNG.uniform([0.0, -1.0, 0.0], [3.0, 1.0, 2.0], (8, 3))
    names = {"u": (0, 0, 0), "u_x": (1, 0, 0), "u_yz": (0, 1, 1), "u_xyz": (1, 1, 1)}
    names |= {"u_xx": (2, 0, 0), "u_zz": (0, 0, 2)}
    values = kpinn.derivatives(layer, at, list(names), "x y z", "u[2]", method=STRICT)
    for name, orders in names.items():
        expected = one_after_the_other([X, Y, Z], table, (3, 3, 3), at, orders)
        assert_close(values[name], expected, 1e-11)
    laplacian = kpinn.derivatives(layer, at, "laplacian_u", "x y z", "u[2]")["laplacian_u"]
    both = kpinn.derivatives(layer, at, "u_xx, u_yy, u_zz", "x y z", "u[2]", method="reverse")
    assert_close(laplacian, sum(both.values()), 1e-12)


def test_the_table_itself_is_returned_at_its_places():
    at = np.array(list(itertools.product(X, Y)))
    values = Interpolation([X, Y], SURFACE)(at)
    np.testing.assert_allclose(values[:, 0], SURFACE.ravel(), rtol=0, atol=1e-13)


# In a PINN -------------------------------------------------------------------------------------


class Rod(kpinn.PINN):
    """(k(x) u_x)_x with a table of k, and one that depends on the temperature."""

    coordinates, fields = "x", "u"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.k = Interpolation(X, K)
        self.of_u = Interpolation(Y, np.cosh(Y), outside="extrapolate")

    @kpinn.field
    def flux(self, x, u_x):
        return self.k(x) * u_x

    @kpinn.field
    def other(self, u, u_x):
        return self.of_u(u) * u_x

    @kpinn.condition
    def place(self, flux_x):
        return flux_x

    @kpinn.condition
    def temperature(self, other_x):
        return other_x


AT = {"x": RNG.uniform(0.0, 3.0, 25)}


def test_fluxes_with_tables_are_those_of_scipy():
    truth = kpinn.manufactured(Rod, lambda x: ops.sin(x))
    found, x = truth.residuals(AT), AT["x"]
    k, c = make_interp_spline(X, K), make_interp_spline(Y, np.cosh(Y))
    expected = k(x, nu=1) * np.cos(x) - k(x) * np.sin(x)
    assert_close(found["place"][:, 0], expected, 1e-12)
    u = np.sin(x)
    expected = c(u, nu=1) * np.cos(x) ** 2 - c(u) * np.sin(x)
    assert_close(found["temperature"][:, 0], expected, 1e-12)


def test_a_table_is_a_field_beside_a_network():
    """With derivatives by name, and without weights that are trained."""

    def balance(u_x, u_xx, k, k_x):
        return k * u_xx + k_x * u_x

    parts = {"u": kpinn.networks.MLP(4, 1), "k": (Interpolation(X, K), "x")}
    network = kpinn.networks.Fields(parts, coordinates="t x")
    pinn = kpinn.PINN(network, "t x", "u k", [balance])
    points = {"t": RNG.uniform(0, 1, 9), "x": RNG.uniform(0, 3, 9)}
    f, k = pinn.predict_fields(points, "u_x, u_xx, k_x, k_t"), make_interp_spline(X, K)
    assert_close(f["k_x"][:, 0], k(points["x"], nu=1), 1e-12)
    assert not np.any(f["k_t"])
    flux = k(points["x"]) * f["u_xx"][:, 0] + k(points["x"], nu=1) * f["u_x"][:, 0]
    assert_close(pinn.residuals(points)["balance"][:, 0], flux, 1e-12)
    assert len(pinn.trainable_variables) == len(parts["u"].trainable_variables)
    matrix, _ = kpinn.jacobian(pinn, points)
    assert matrix.shape == (9, 4 * 3 + 4 + 1)


class Law(kpinn.PINN):
    """A coefficient of the place, and one of the field."""

    coordinates, fields = "x", "u"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.k = Interpolation(X, K)
        self.of_u = Interpolation([Y, Y], np.cosh(Y[:, None] + Y), 2, outside="extrapolate")

    @kpinn.condition
    def law(self, x, u, u_x):
        return self.k(x) * u_x + self.of_u(ops.concatenate([u, u_x], axis=1)) * u


def jacobian_by_tape(pinn, points):
    """Each row by TensorFlow, of the means of squares of all conditions."""
    variables = [v.value for v in pinn.trainable_variables]
    with tf.GradientTape(persistent=True) as tape:
        residuals = pinn.problem.residuals({"x": tf.constant(points["x"][:, None])})
        rows = tf.concat(list(residuals.values()), axis=0)[:, 0] / len(points["x"]) ** 0.5
    parts = [tape.jacobian(rows, v, experimental_use_pfor=False) for v in variables]
    return np.concatenate([np.reshape(part, (len(rows), -1)) for part in parts], axis=1)


@pytest.mark.parametrize("problem", [Law, Rod])
def test_the_jacobian_by_point_goes_through_a_table(problem):
    """Without a warning, which says that each row takes a backward pass."""
    pinn, points = problem(kpinn.networks.MLP(4, 1)), {"x": AT["x"][:6]}
    matrix, expected = np.asarray(kpinn.jacobian(pinn, points)[0]), jacobian_by_tape(pinn, points)
    assert matrix.shape == expected.shape
    assert_close(matrix, expected, 1e-12)


def test_a_rod_with_a_table_is_trained():
    """(k u_x)_x = f, one problem of least squares; u is held at the ends by data."""

    def equation(flux_x):
        return flux_x / 16.0

    def ends(u):
        return u

    class Source(kpinn.PINN):
        coordinates, fields = "x", "u"
        k = Interpolation(X, K)
        flux = Rod.flux

    arguments = {"conditions": [equation, ends]}
    truth = kpinn.manufactured(Source, lambda x: ops.sin(x), **arguments)
    points = {"equation": {"x": np.linspace(0, 3, 90)}, "ends": {"x": [0.0, 3.0]}}
    pinn = Source(kpinn.networks.RandomFeatures(40, scale=6.0, seed=0), **arguments)
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), jit_compile=False)
    pinn.fit((points, truth.residuals(points)), epochs=5, verbose=0)
    assert pinn.result.iterations == 1
    found = pinn.predict_fields({"x": X})["u"][:, 0]
    assert np.abs(found - np.sin(X)).max() < 1e-8


def why_not_apart(function, columns):
    return why_mixed(trace(function, columns, tf.float64, 7, exactly=True).graph)


def test_that_points_keep_apart_is_proved_from_the_graph():
    assert why_not_apart(Interpolation([X, Y], SURFACE), 2) is None

    def in_other_rows(points):
        return tf.gather(points, tf.cast(points[:, 0] > 0.5, tf.int32))

    def of_rank(points):
        places = tf.fill((7,), tf.constant(0.5, points.dtype))
        return tf.cast(tf.searchsorted(points[:, 0], places), points.dtype)[:, None]

    assert "GatherV2" in why_not_apart(in_other_rows, 1).reason
    assert "LowerBound" in why_not_apart(of_rank, 1).reason


def test_points_may_be_one_or_none():
    layer = Interpolation(X, K)
    assert layer(np.zeros((0, 1))).shape == (0, 1)
    assert layer(np.ones((1, 1))).shape == (1, 1)


@pytest.mark.xla
def test_xla_computes_the_same():
    layer = Interpolation([X, Y], SURFACE)
    at = tf.constant(places(X, Y))

    def values(points):
        return kpinn.derivatives(layer, points, "u, u_xy, u_yy", "x y")

    expected = values(at)
    for name, value in tf.function(values, jit_compile=True)(at).items():
        assert_close(value, expected[name], 1e-12)


# Beyond the grid -------------------------------------------------------------------------------


OUTER = np.array([[-0.5], [3.0 + 1e-9], [5.0]])


def test_beyond_the_grid_is_nan_in_every_derivative_up_to_the_degree():
    values = kpinn.derivatives(Interpolation(X, K), OUTER, "u, u_x, u_xx, u_xxx", "x")
    assert all(np.isnan(value).all() for value in values.values())
    line = kpinn.derivatives(Interpolation(X, K, 1), OUTER, "u, u_x", "x")
    assert all(np.isnan(value).all() for value in line.values())


def test_beyond_the_grid_is_the_polynomial_of_the_last_cell():
    layer = Interpolation(X, K, outside="extrapolate")
    values = kpinn.derivatives(layer, OUTER, "u, u_x, u_xx", "x")
    for order, value in enumerate(values.values()):
        expected = make_interp_spline(X, K)(OUTER, nu=order)
        np.testing.assert_allclose(value, expected, rtol=1e-10)


def test_beyond_the_grid_is_the_nearest_value_with_the_slope_zero():
    layer = Interpolation([X, Y], SURFACE, outside="clamp")
    at = np.array([[-1.0, 0.3], [9.0, 0.3], [0.4, 2.0], [7.0, -7.0]])
    near = np.clip(at, [0, -1], [3, 1])
    values, near = (kpinn.derivatives(layer, each, "u, u_x, u_y", "x y") for each in (at, near))
    values, near = ({n: v.numpy() for n, v in each.items()} for each in (values, near))
    np.testing.assert_allclose(values["u"], near["u"], rtol=1e-13)
    np.testing.assert_allclose(values["u_x"][[0, 1, 3]], 0.0)
    np.testing.assert_allclose(values["u_y"][:2], near["u_y"][:2], rtol=1e-12)
    np.testing.assert_allclose(values["u_x"][2], near["u_x"][2], rtol=1e-12)


def test_a_point_that_is_off_by_rounding_is_within():
    for dtype in ("float32", "float64"):
        layer = Interpolation([0.1, 0.2, 0.7], [1.0, 2.0, 4.0], 1, dtype=dtype)
        ends = np.nextafter(np.array([[0.1], [0.7]], dtype), np.array([[0.0], [1.0]], dtype))
        np.testing.assert_allclose(layer(ends)[:, 0], [1.0, 4.0], rtol=1e-6)


def test_fit_says_which_condition_has_points_beyond_the_grid():
    pinn = Law(kpinn.networks.MLP(4, 1))
    pinn.compile("adam", jit_compile=False)
    with pytest.raises(ValueError, match="condition 'law' is NaN or infinite at 1 of 2 points"):
        pinn.fit({"x": [1.0, 4.0]}, verbose=0)


# As a layer ------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="test_interpolation")
class SavedLaw(Law):
    pass


def test_it_is_saved_with_its_table(tmp_path):
    pinn = SavedLaw(kpinn.networks.MLP(4, 1))
    pinn.save(tmp_path / "rod.keras")
    again = kpinn.load_model(tmp_path / "rod.keras")
    np.testing.assert_array_equal(again.residuals(AT)["law"], pinn.residuals(AT)["law"])

    inputs = keras.Input((2,))
    model = keras.Model(inputs, Interpolation([X, Y], SURFACE, [1, 3], outside="clamp")(inputs))
    model.save(tmp_path / "table.keras")
    loaded = keras.saving.load_model(tmp_path / "table.keras")
    at = places(X, Y)
    np.testing.assert_array_equal(loaded(at), model(at))


def test_it_is_exported_and_served(tmp_path):
    pinn = Law(kpinn.networks.MLP(4, 1))
    pinn.export(tmp_path / "law")
    served = kpinn.load_export(tmp_path / "law")
    (found,) = served.signatures["residual_law"](x=tf.constant(AT["x"][:, None])).values()
    np.testing.assert_allclose(found, pinn.residuals(AT)["law"], rtol=0, atol=1e-14)


def test_layer_contract():
    inputs = keras.Input((2,))
    layer = Interpolation([X, Y], np.stack([SURFACE] * 3, axis=-1), (3, 2))
    outputs = layer(inputs)
    assert outputs.shape == (None, 3)
    assert layer.trainable_variables == []
    config = json.loads(json.dumps(layer.get_config()))
    again = Interpolation.from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    at = places(X, Y)
    np.testing.assert_array_equal(again(at), layer(at))


WRONG = [
    ({"grid": []}, "grid is"),
    ({"grid": 3.0}, "grid is 3.0"),
    ({"grid": "x"}, "grid"),
    ({"grid": [0.0, 2.0, 1.0, 3.0]}, "finite numbers that increase"),
    ({"grid": [0.0, 1.0, np.nan, 3.0]}, "finite numbers that increase"),
    ({"grid": [0.0, 1.0, 1.0, 3.0]}, "finite numbers that increase"),
    ({"grid": [0.0, 1.0, 2.0], "values": [1.0, 2.0, 3.0]}, "more than degree=3"),
    ({"values": [1.0, 2.0]}, r"values has the shape \(2,\): expected \(4,\)"),
    ({"values": [1.0, np.inf, 2.0, 3.0]}, "values has NaN or infinity"),
    ({"values": "abcd"}, "values is not an array"),
    ({"degree": 0}, "degree is a positive whole"),
    ({"degree": [3, 3]}, "2 numbers for 1 columns"),
    ({"degree": 1.5}, "degree is a positive whole"),
    ({"values": [1.0, 2.0, 1e300, 3.0], "dtype": "float32"}, "too large for float32"),
    ({"grid": [0.0, 1e-320, 2.0, 3.0], "degree": 1}, "too large for float64"),
    ({"grid": [0, 1e-300, 2e-300, 3e-300, 4e-300, 3], "values": [0.0] * 6}, "make no spline"),
    ({"grid": [-1e308, 0.0, 1e308, 1.5e308]}, "make no spline"),
    ({"outside": "error"}, "outside 'error' is unknown"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_wrong_arguments_are_refused(changes, message):
    arguments = {"grid": [0.0, 1.0, 2.0, 3.0], "values": [1.0, 2.0, 4.0, 3.0]} | changes
    with pytest.raises(ValueError, match=message):
        Interpolation(**arguments)


def test_points_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"expected \(n, 1\), one column for each of the grid"):
        Interpolation(X, K)(np.ones((3, 2)))
