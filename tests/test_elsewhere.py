"""`at`, the argument of conditions that gives fields at other points: beside closed forms."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kpinn
from kpinn.problem import merging

T, X = np.linspace(0.1, 0.9, 5)[:, None], np.linspace(-0.7, 0.6, 5)[:, None]
POINTS = {"t": T, "x": X}
NODES, WEIGHTS = (each[None] for each in np.polynomial.legendre.leggauss(6))


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


class Wave(keras.layers.Layer):
    """`u = sin(a t + b x)`, `v = cos(a t - b x)`; derivatives by hand."""

    def build(self, shape):
        self.wave = self.add_weight(shape=(2,), name="wave")
        self.wave.assign([1.3, -0.7])

    def call(self, points):
        a, b = self.wave[0], self.wave[1]
        t, x = points[:, :1], points[:, 1:2]
        return ops.concatenate([ops.sin(a * t + b * x), ops.cos(a * t - b * x)], axis=1)


def u(t, x, dt=0, dx=0):
    """A derivative of `u`."""
    a, b = 1.3, -0.7
    return a**dt * b**dx * np.sin(a * t + b * x + (dt + dx) * np.pi / 2)


def v(t, x, dt=0, dx=0):
    """A derivative of `v`."""
    a, b = 1.3, -0.7
    return a**dt * (-b) ** dx * np.cos(a * t - b * x + (dt + dx) * np.pi / 2)


def residual(condition, points=POINTS, fields="u v", **options):
    """What a condition returns at points."""
    pinn = kpinn.PINN(Wave(), "t x", fields, [condition], **options)
    return pinn.residuals(points)[condition.__name__]


# Values ----------------------------------------------------------------------------------------


def some(at):
    return ops.concatenate(at("u, u_x, v_tx", x=1.0), axis=1)


def own(at):
    return at("u")


def moved(t, x, at):
    return at("u_t", t=t**2, x=x - t)


def several(t, at):
    return ops.sum(WEIGHTS * at("u", t=t * NODES), axis=1, keepdims=True)


def common(x, at):
    values = at("u", t=0.5, x=NODES)
    assert values.shape[1:] == (6,)
    return ops.sum(WEIGHTS * x * values, axis=1, keepdims=True)


def fixed(at):
    return at("u_t", t=0.5, x=0.2)


def one(x, at):
    return x + at("u_x", t=0.0, x=2.0)


def of_field(u, at):
    return at("v_x", x=u)


def twice(x, at):
    return at("u", x=at("v", x=2.0 * x))


def operators(at):
    gradient, hessian = at("grad_u, hessian_v", t=0.3)
    return ops.concatenate([gradient, hessian[:, :, 0]], axis=1)


VALUES = {
    some: np.hstack([u(T, 1.0), u(T, 1.0, dx=1), v(T, 1.0, 1, 1)]),
    own: u(T, X),
    moved: u(T**2, X - T, dt=1),
    several: np.sum(WEIGHTS * u(T * NODES, X), axis=1, keepdims=True),
    common: X * np.sum(WEIGHTS * u(0.5, NODES)),
    fixed: np.full((5, 1), u(0.5, 0.2, dt=1)),
    one: X + u(0.0, 2.0, dx=1),
    of_field: v(T, u(T, X), dx=1),
    twice: u(T, v(T, 2 * X)),
    operators: np.hstack([u(0.3, X, dx=1), v(0.3, X, dx=2)]),
}


@pytest.mark.parametrize("method", ["taylor", "auto", "reverse", "finite_difference"])
@pytest.mark.parametrize("condition", VALUES, ids=lambda f: f.__name__)
def test_values_at_other_points(condition, method):
    tolerance = 1e-6 if method == "finite_difference" else 1e-14
    found = residual(condition, method=method)
    np.testing.assert_allclose(found, VALUES[condition], rtol=0, atol=tolerance)


def test_every_axis_of_what_is_returned():
    def shapes(x, at):
        nodes = x + NODES
        assert at("v", x=nodes).shape[1:] == (6, 2)
        assert at("jac_v", x=nodes).shape[1:] == (6, 2, 1)
        assert at("jac_v", x=1.0).shape[1:] == (2, 1)
        assert at("v", t=0.0, x=1.0).shape[1:] == (2,)
        return at("v", x=nodes)[:, 2, 1:]

    found = residual(shapes, fields="v[2]")
    np.testing.assert_allclose(found, v(T, X + NODES[:, 2:3]), atol=1e-14)


def test_vectors_of_coordinates_and_directions():
    def layer(points):
        return ops.sum(ops.sin(points * ops.arange(1.0, 4.0, dtype="float64")), 1, keepdims=True)

    def shifted(x, n, at):
        other = at("u", x=[0.1, 0.2, 0.3]) + at("u", x=x[:, None] + NODES[..., None])[:, 1:2]
        return other + at("u_n", x=2.0 * x)

    points, normals = np.random.default_rng(0).uniform(size=(2, 4, 3))
    pinn = kpinn.PINN(keras.layers.Lambda(layer), "x[3]", "u", [shifted])
    found = pinn.residuals({"x": points, "n": normals})["shifted"]
    k = np.arange(1.0, 4.0)
    expected = np.sin(k * [0.1, 0.2, 0.3]).sum() + np.sin(k * (points + NODES[0, 1])).sum(axis=1)
    expected += np.sum(normals * k * np.cos(2 * k * points), axis=1)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-14)


def test_derived_fields_take_values_elsewhere_and_are_differentiated():
    class Problem(kpinn.PINN):
        coordinates, fields = "t x", "u v"

        @kpinn.field
        def difference(self, x, u, at):
            return x * u - at("u_x", x=2.0 * x)

        @kpinn.condition
        def slope(self, difference_x, at):
            return difference_x + at("difference", t=0.0)

    found = Problem(Wave()).residuals(POINTS)["slope"]
    slope = u(T, X) + X * u(T, X, dx=1) - 2 * u(T, 2 * X, dx=2)
    expected = slope + X * u(0.0, X) - u(0.0, 2 * X, dx=1)
    np.testing.assert_allclose(found, expected, atol=1e-13)


def test_parameters_may_be_others():
    def family(at):
        return at("u", mu=2.0) - at("u_mu", mu=0.5)

    pinn = kpinn.PINN(Wave(), "t", "u v", [family], parameters="mu")
    found = pinn.residuals({"t": T, "mu": X})["family"]
    np.testing.assert_allclose(found, u(T, 2.0) - u(T, 0.5, dx=1), atol=1e-14)


# Gradients -------------------------------------------------------------------------------------


class Delayed(kpinn.PINN):
    """A delay that is not known, in a value and in a derivative."""

    coordinates, fields = "t x", "u v"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.unknown("delay", 0.4)

    @kpinn.condition
    def past(self, t, u_t, at, delay):
        before, slope = at("u, u_x", t=t - delay)
        return u_t + before * slope


def test_gradients_go_through_coordinates():
    pinn = Delayed(Wave())
    past = T - 0.4

    def expected(delay):
        before = T - delay
        return u(T, X, dt=1) + u(before, X) * u(before, X, dx=1)

    np.testing.assert_allclose(pinn.residuals(POINTS)["past"], expected(0.4), atol=1e-14)
    matrix, _ = residual_matrix(pinn)
    slope = -(u(past, X, dt=1) * u(past, X, dx=1) + u(past, X) * u(past, X, 1, 1))
    column = 0 if pinn.trainable_variables[0].shape == () else 2
    np.testing.assert_allclose(matrix[:, [column]] * np.sqrt(5), slope, atol=1e-13)


def residual_matrix(pinn):
    """The Jacobian of the weighted residuals, compiled."""
    pinn.compile("sgd")
    return kpinn.jacobian(pinn, POINTS)


@pytest.mark.parametrize("condition", VALUES, ids=lambda f: f.__name__)
def test_rows_of_the_jacobian_are_right_and_need_no_pass_of_their_own(condition):
    """A `DerivativeFallbackWarning` is an error here. Beside differences of closed forms."""
    pinn = kpinn.PINN(Wave(), "t x", "u v", [condition])
    matrix, _ = residual_matrix(pinn)
    wave, columns = pinn.trainable_variables[0], []
    scale = np.sqrt(VALUES[condition].size)
    for step in 1e-5 * np.eye(2):
        ends = []
        for sign in (1, -1):
            wave.assign(np.array([1.3, -0.7]) + sign * step)
            ends.append(pinn.residuals(POINTS)[condition.__name__].ravel())
        columns.append((ends[0] - ends[1]) / 2e-5 / scale)
    np.testing.assert_allclose(matrix, np.stack(columns, axis=1), atol=1e-9)


def several_slopes(x, at):
    """Derivatives of a network of dense layers at four places for each point."""
    first, second = at("u_x, u_xx", x=x + np.array([[-0.2, 0.1, 0.2, 0.3]]))
    return ops.sum(first + second, axis=1, keepdims=True)


def several_gradients(t, x, at):
    places = np.array([[-0.2, 0.1, 0.3]])
    slopes = at("u_t, u_x, u_tx", t=t + places, x=x * places)
    return ops.sum(ops.stack(slopes, axis=2) * at("u", x=x + places)[:, :, None], axis=1)


def slope(u_x):
    return u_x


def bent():
    """A first layer of which a derivative is constant, and another a step."""
    return keras.layers.Lambda(lambda x: ops.concatenate([x, ops.relu(x)], axis=1))


@pytest.mark.parametrize("embedding", [None, bent], ids=["plain", "bent"])
@pytest.mark.parametrize("condition", [several_slopes, several_gradients, slope])
def test_several_places_for_each_point_go_through_dense_layers(condition, embedding):
    """Without a backward pass for each row; beside rows by TensorFlow."""
    network = kpinn.networks.MLP(3, 2, embedding=embedding and embedding())
    pinn = kpinn.PINN(network, "t x", "u", [condition])
    matrix, _ = residual_matrix(pinn)
    np.testing.assert_allclose(matrix, rows_by_tensorflow(pinn, condition.__name__), atol=1e-13)


def rows_by_tensorflow(pinn, name):
    """The Jacobian of the weighted residuals of one condition, a tape for each row."""
    with tf.GradientTape(persistent=True) as tape:
        points = {name: tf.constant(np.reshape(x, (-1, 1))) for name, x in POINTS.items()}
        residual = tf.reshape(pinn.problem.residuals(points)[name], (-1,))
        residual = residual / tf.cast(tf.size(residual), residual.dtype) ** 0.5
    how = {"unconnected_gradients": "zero", "experimental_use_pfor": False}
    rows = [tape.jacobian(residual, v.value, **how) for v in pinn.trainable_variables]
    return np.concatenate([np.reshape(each, (len(residual), -1)) for each in rows], axis=1)


# With everything else --------------------------------------------------------------------------


def added(t, u_t, u_xx, at):
    """`u_t - t u_xx` is one operator, whatever `at` gives."""
    return u_t - t * u_xx + at("u", x=0.0)


def multiplied(u_t, u_xx, at):
    """`at` is no factor that is known before the fields."""
    return u_t + at("v", x=0.0) * u_xx


def multiplied_by_known_places(t, x, u_t, u_xx, at):
    """Nor is it where the places are known."""
    return u_t + at("v", t=2.0 * t, x=x) * u_xx


def placed(u_t, u_xx, at):
    """`u_xx` is in a coordinate, so that it must be there."""
    return u_t + u_xx + at("u", x=u_xx)


MERGED = {
    added: (True, u(T, X, dt=1) - T * u(T, X, dx=2) + u(T, 0.0)),
    multiplied: (False, u(T, X, dt=1) + v(T, 0.0) * u(T, X, dx=2)),
    multiplied_by_known_places: (False, u(T, X, dt=1) + v(2 * T, X) * u(T, X, dx=2)),
    placed: (False, u(T, X, dt=1) + u(T, X, dx=2) + u(T, u(T, X, dx=2))),
}


@pytest.mark.parametrize("condition", MERGED, ids=lambda f: f.__name__)
def test_derivatives_are_propagated_as_one_where_that_is_right(condition):
    merges, expected = MERGED[condition]
    pinn = kpinn.PINN(Wave(), "t x", "u v", [condition])
    found = merging.merges(pinn.problem, list(pinn.problem.conditions.values()), {"t": 1, "x": 1})
    assert bool(found) == merges
    np.testing.assert_allclose(pinn.residuals(POINTS)[condition.__name__], expected, atol=1e-13)


def volterra(t, u, at):
    """`u = 1 + integral of u from 0 to t`, whose solution is `exp(t)`."""
    past = at("u", t=t * (1 + NODES) / 2)
    return u - 1.0 - t / 2 * ops.sum(WEIGHTS * past, axis=1, keepdims=True)


@pytest.mark.parametrize("batch_size", [None, 10])
@pytest.mark.parametrize("optimizer", ["levenberg_marquardt", "adam"])
def test_an_integral_equation(optimizer, batch_size):
    pinn = kpinn.PINN(kpinn.networks.RandomFeatures(12), "t", "u", [volterra])
    least_squares = optimizer == "levenberg_marquardt"
    chosen = kpinn.optimizers.LevenbergMarquardt() if least_squares else keras.optimizers.Adam(0.1)
    pinn.compile(chosen)
    size = None if least_squares else batch_size
    t = np.linspace(0, 1, 40)[:, None]
    pinn.fit({"t": t}, epochs=5 if least_squares else 300, batch_size=size, verbose=0)
    error = np.abs(pinn.predict_fields({"t": t})["u"] - np.exp(t)).max()
    assert error < (1e-11 if least_squares else 0.2)
    if least_squares:
        assert pinn.result.code == "converged"


def test_points_are_together_only_where_a_condition_says_so():
    def mean_of_others(u, at):
        return u - ops.mean(at("u", x=0.0))

    for condition, together in ((several, False), (common, False), (mean_of_others, True)):
        pinn = kpinn.PINN(Wave(), "t x", "u v", [condition])
        assert pinn.problem.takes_together(condition.__name__, {"t": 1, "x": 1}) == together


def test_networks_of_several_fields():
    def condition(x, k, at):
        return k - at("k_x", x=2.0 * x) + at("k_t", x=0.0)

    networks = {"u v": Wave(), "k": (keras.layers.Lambda(ops.sin), "x")}
    pinn = kpinn.PINN(kpinn.networks.Fields(networks, "t x"), "t x", "u v k", [condition])
    expected = np.sin(X) - np.cos(2 * X)
    np.testing.assert_allclose(pinn.residuals(POINTS)["condition"], expected, atol=1e-14)


def test_exports_have_other_points(tmp_path):
    pinn = kpinn.PINN(Wave(), "t x", "u v", [several])
    pinn.export(tmp_path / "wave")
    loaded = tf.saved_model.load(tmp_path / "wave")
    points = {name: tf.constant(array) for name, array in POINTS.items()}
    (found,) = loaded.signatures["residual_several"](**points).values()
    np.testing.assert_allclose(found, VALUES[several], atol=1e-14)


@pytest.mark.xla
def test_xla_compiles_it():
    results = []
    for jit_compile in (False, True):
        pinn = Delayed(Wave())
        pinn.compile(keras.optimizers.SGD(0.01), jit_compile=jit_compile)
        pinn.fit(POINTS, epochs=3, verbose=0)
        results.append(float(pinn.unknowns["delay"]))
    assert results[0] == pytest.approx(results[1], rel=1e-13)


def calls(*requests, **coordinates):
    def condition(t, x, at):
        return at(*requests, **coordinates)

    return condition


BAD = [
    (calls("u_z"), "at('u_z'): 'u_z' asks for a derivative with respect to 'z'"),
    (calls("w"), "at('w'): 'w' is neither a field nor"),
    (calls(""), "names of at() are names such as 'u, u_x', not ''"),
    (calls(3), "names of at() are names such as 'u, u_x', not 3"),
    (calls("u", z=1.0), "at(..., z=...): 'z' is no coordinate. There are t, x."),
    (calls("u", x=np.zeros(7)), "at(..., x=...) has the shape (7,): expected a number"),
    (calls("u", x="left"), "'x' is not an array"),
    (calls("u", x=np.zeros((3, 1)), t=np.zeros((4, 1))), "different numbers of points"),
    (calls("u", x=np.zeros((1, 3)), t=np.zeros((1, 4))), "different numbers of columns"),
]


@pytest.mark.parametrize("condition, message", BAD, ids=[message for _, message in BAD])
def test_calls_without_meaning_say_what_there_is(condition, message):
    with pytest.raises(ValueError) as error:
        residual(condition)
    assert message in str(error.value)


def test_the_function_itself_is_no_residual():
    def forgotten(at):
        return at

    with pytest.raises(ValueError, match="'forgotten' returned Elsewhere: expected one tensor"):
        residual(forgotten)


def test_differences_of_derived_fields_with_other_points_are_refused():
    class Problem(kpinn.PINN):
        coordinates, fields = "t x", "u v"

        @kpinn.field
        def twice(self, x, at):
            return at("u", x=2.0 * x)

        @kpinn.condition
        def slope(self, twice_x):
            return twice_x

    pinn = Problem(Wave(), method="finite_difference")
    with pytest.raises(ValueError, match="the derived field 'twice' takes values at other points"):
        pinn.residuals(POINTS)


def test_functionals_of_other_points_have_no_curvature():
    pinn = kpinn.PINN(Wave(), "t x", "u v", [own])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss=kpinn.losses.Mean())
    with pytest.raises(ValueError, match="functional 'own' is .* of values at other points"):
        pinn.fit(POINTS, verbose=0)


def test_an_array_named_like_the_function_is_refused():
    with pytest.raises(ValueError, match="asks for 'at', the function that gives fields at other"):
        residual(own, POINTS | {"at": T})


def test_wrong_derivatives_of_tapes_are_refused_here_too():
    normalized = keras.Sequential([keras.layers.Dense(4), keras.layers.LayerNormalization()])
    network = keras.Sequential([normalized, keras.layers.Dense(1)])

    def condition(x, at):
        return at("u_xx", x=2.0 * x)

    pinn = kpinn.PINN(network, "x", "u", [condition], method="reverse")
    with pytest.raises(ValueError, match="at.'u_xx'."):
        pinn.residuals({"x": X})


def test_what_is_not_finite_is_found():
    def root(x, at):
        return ops.sqrt(at("u", x=2.0 * x) - 2.0)

    pinn = kpinn.PINN(Wave(), "t x", "u v", [root])
    pinn.compile("sgd")
    with pytest.raises(ValueError, match="condition 'root' is NaN or infinite at 5 of 5 points"):
        pinn.fit(POINTS, verbose=0)


def test_rows_in_two_orders_are_not_taken_for_each_other():
    """As many rows, point after point and copy after copy: at worst each has a pass of its own."""

    class Problem(kpinn.PINN):
        coordinates, fields = "t x", "u"

        def __init__(self, network):
            super().__init__(network)
            self.other = kpinn.networks.MLP(2, 1)

        @kpinn.condition
        def both(self, t, x, at):
            copies = self.other(ops.concatenate([ops.sin(x), 2.0 * t], axis=0))
            slopes = at("u_x", x=x + np.array([[0.1, 0.4]]))
            first, second = ops.split(copies, 2, axis=0)
            return first * second + ops.sum(slopes, axis=1, keepdims=True)

    pinn = Problem(kpinn.networks.MLP(3, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", kpinn.DerivativeFallbackWarning)
        matrix, _ = residual_matrix(pinn)
    np.testing.assert_allclose(matrix, rows_by_tensorflow(pinn, "both"), atol=1e-13)
