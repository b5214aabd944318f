"""Names of arguments and the values that conditions get."""

import keras
import numpy as np
import pytest
from keras import ops
from problems import Formula, Heat, heat_points, small_heat

import kpinn

RNG = np.random.default_rng(0)
N = 7
T, X, Y, Z = (RNG.uniform(0.2, 1.0, (N, 1)) for _ in range(4))
NORMAL = RNG.normal(size=(N, 2))
NORMAL /= np.linalg.norm(NORMAL, axis=1, keepdims=True)


def value_of(name, formula, coordinates, fields, points, **kwargs):
    """The value that a condition with the one argument `name` gets."""
    namespace = {"ops": ops}
    exec(f"def wanted({name}): return ops.reshape({name}, (ops.shape({name})[0], -1))", namespace)
    network = Formula(formula, dtype="float64")
    pinn = kpinn.PINN(
        network, coordinates, fields, conditions=[namespace["wanted"]], method="reverse", **kwargs
    )
    return pinn.residuals({"wanted": points})["wanted"]


def scalar(t, x, y):  # u = sin(2 x) y^3 exp(-t)
    return ops.sin(2 * x) * y**3 * ops.exp(-t)


S, C, E = np.sin(2 * X), np.cos(2 * X), np.exp(-T)
GRADIENT = np.hstack([2 * C * Y**3 * E, 3 * S * Y**2 * E])
LAPLACIAN = (-4 * Y**3 + 6 * Y) * S * E


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("t", T),
        ("y", Y),
        ("u", S * Y**3 * E),
        ("u_x", GRADIENT[:, :1]),
        ("u_xx", -4 * S * Y**3 * E),
        ("u_xy", 6 * C * Y**2 * E),
        ("u_yx", 6 * C * Y**2 * E),
        ("u_x_y", 6 * C * Y**2 * E),
        ("u_xxt", 4 * S * Y**3 * E),
        ("u_tyyy", -6 * S * E),
        ("grad_u", GRADIENT),
        ("laplacian_u", LAPLACIAN),
        (
            "hessian_u",
            np.hstack([-4 * S * Y**3 * E, 6 * C * Y**2 * E, 6 * C * Y**2 * E, 6 * S * Y * E]),
        ),
        ("biharmonic_u", (16 * Y**3 - 2 * 4 * 6 * Y) * S * E),
        ("n", NORMAL),
        ("u_n", (GRADIENT * NORMAL).sum(axis=1, keepdims=True)),
        ("f", Z),
    ],
)
def test_arguments_of_a_scalar_field(name, expected):
    points = {"t": T, "x": X, "y": Y, "n": NORMAL, "f": Z}
    actual = value_of(name, scalar, "t x y", "u", points)
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12)


def vector(x, y, z):  # v = (x^2 y, y z^2, x z), p = x y z
    return [x**2 * y, y * z**2, x * z, x * y * z]


VECTOR_POINTS = {
    "x y z": {"x": X, "y": Y, "z": Z},
    "r[3]": {"r": np.hstack([X, Y, Z])},
    "x1 x2 x3": {"x1": X[:, 0], "x2": Y[:, 0], "x3": Z[:, 0]},
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("v", np.hstack([X**2 * Y, Y * Z**2, X * Z])),
        ("p", X * Y * Z),
        ("div_v", 2 * X * Y + Z**2 + X),
        ("curl_v", np.hstack([0 * X - 2 * Y * Z, 0 * X - Z, 0 * X - X**2])),
        ("laplacian_v", np.hstack([2 * Y, 2 * Y, 0 * X])),
        ("jac_v", np.hstack([2 * X * Y, X**2, 0 * X, 0 * X, Z**2, 2 * Y * Z, Z, 0 * X, X])),
        ("grad_p", np.hstack([Y * Z, X * Z, X * Y])),
    ],
)
@pytest.mark.parametrize("coordinates", VECTOR_POINTS)
def test_arguments_of_a_vector_field(name, expected, coordinates):
    actual = value_of(name, vector, coordinates, "v[3] p", VECTOR_POINTS[coordinates])
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12)


def test_plane_curl_and_longer_coordinate_names():
    def plane(x1, x2):
        return [x1 * x2**2, x1**3]

    points = {"x1": X, "x2": Y}
    curl = value_of("curl_v", plane, "x1 x2", "v[2]", points)
    np.testing.assert_allclose(curl, 3 * X**2 - 2 * X * Y, rtol=1e-12)
    slope = value_of("v_x1", plane, "x1 x2", "v[2]", points)
    np.testing.assert_allclose(slope, np.hstack([Y**2, 3 * X**2]), rtol=1e-12)
    mixed = value_of("v_x1_x2", plane, "x1 x2", "v[2]", points)
    np.testing.assert_allclose(mixed, np.hstack([2 * Y, 0 * X]), rtol=1e-12, atol=1e-13)


def flux_problem(method):
    class Flux(kpinn.PINN):
        coordinates = "x y"
        fields = "u"

        @kpinn.field
        def k(self, x, y):
            return 1.0 + x * y

        @kpinn.field(size=2)
        def flux(self, k, grad_u):
            return k * grad_u

        @kpinn.condition
        def balance(self, div_flux):
            return div_flux

        @kpinn.condition
        def normal(self, flux_x, k_y, u_xx):
            return ops.concatenate([flux_x, k_y, u_xx], axis=1)

    network = Formula(lambda x, y: ops.sin(2 * x) * y**3, dtype="float64")
    return Flux(network, method=method)


@pytest.mark.parametrize(
    ("method", "tolerance"),
    [("reverse", 1e-11), ("forward", 1e-11), (kpinn.FiniteDifference(accuracy=6), 1e-5)],
)
def test_derived_fields(method, tolerance):
    found = flux_problem(method).residuals({"x": X, "y": Y})
    u_x, u_y, k = 2 * C * Y**3, 3 * S * Y**2, 1 + X * Y
    u_xx, u_yy, u_xy = -4 * S * Y**3, 6 * S * Y, 6 * C * Y**2
    balance = Y * u_x + k * u_xx + X * u_y + k * u_yy
    normal = np.hstack([Y * u_x + k * u_xx, Y * u_y + k * u_xy, X, u_xx])
    np.testing.assert_allclose(found["balance"], balance, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(found["normal"], normal, rtol=tolerance, atol=tolerance)


def test_manufactured_solution_has_no_residual_and_a_wrong_equation_has_one():
    exact = Formula(lambda t, x: ops.exp(-(np.pi**2) * t) * ops.sin(np.pi * x), dtype="float64")
    points = heat_points()
    t, x = points["heat"]["t"], points["heat"]["x"]
    for conductivity in (1.0, 1.1):
        found = Heat(exact, conductivity=conductivity).residuals(points)
        wrong = (conductivity - 1.0) * np.pi**2 * np.exp(-(np.pi**2) * t) * np.sin(np.pi * x)
        np.testing.assert_allclose(found["heat"], wrong, atol=1e-12)
        np.testing.assert_allclose(found["start"], 0.0, atol=1e-13)


def test_methods_can_be_chosen_per_condition():
    calls = []

    def exact(u_xx):
        calls.append("exact")
        return u_xx

    @kpinn.condition(method=kpinn.FiniteDifference(step=0.125))
    def difference(u_xx):
        return u_xx

    network = Formula(lambda x: x**4, dtype="float64")
    pinn = kpinn.PINN(network, "x", "u", conditions=[exact, difference])
    found = pinn.residuals({"x": X})
    np.testing.assert_allclose(found["exact"], 12 * X**2, rtol=1e-12)
    # the central difference of x^4 is 12 x^2 + 2 h^2
    np.testing.assert_allclose(found["difference"], 12 * X**2 + 2 * 0.125**2, rtol=1e-10)


def test_unknowns_of_functions_are_added_after_construction():
    def decay(u, u_t, rate):
        return u_t + rate * u

    pinn = kpinn.PINN(Formula(lambda t: t**2), "t", "u", conditions=[decay])
    with pytest.raises(ValueError, match="condition 'decay' asks for 'rate'"):
        pinn.residuals({"t": T})
    pinn.unknown("rate", 2.0)
    found = pinn.residuals({"t": T})["decay"]
    np.testing.assert_allclose(found, 2 * T + 2 * T**2, rtol=1e-5)


@pytest.mark.parametrize("build", [lambda: kpinn.networks.MLP(4, 1, dtype="float64"), None])
def test_float64_layers_under_a_float32_default_have_float64_differences(build):
    inputs = keras.Input((1,))
    square = keras.layers.Lambda(lambda x: x**2, dtype="float64")
    network = build() if build else keras.Model(inputs, square(inputs))
    network(np.ones((1, 1)))
    assert {layer.compute_dtype for layer in network.layers[1:]} == {"float64"}
    points = {"x": np.linspace(-1.0, 1.0, 5)}
    exact = kpinn.derivatives(network, points, "u_x")["u_x"]
    found = kpinn.derivatives(network, points, "u_x", method=kpinn.FiniteDifference(step=1e-4))
    if build:
        np.testing.assert_allclose(found["u_x"], exact, atol=1e-7)


def test_default_arguments_keep_their_value():
    def scaled(u, factor=3.0):
        return factor * u

    pinn = kpinn.PINN(Formula(lambda x: x), "x", "u", conditions=[scaled])
    np.testing.assert_allclose(pinn.residuals({"x": X})["scaled"], 3 * X, rtol=1e-6)


def test_one_dimensional_residuals_become_columns():
    def flat(u):
        return u[:, 0]

    pinn = kpinn.PINN(Formula(lambda x: x), "x", "u", conditions=[flat])
    assert pinn.residuals({"x": X})["flat"].shape == (N, 1)


# Errors at construction ------------------------------------------------------------------


def build(argument, coordinates="t x", fields="u", network=None, **kwargs):
    namespace = {}
    exec(f"def momentum({argument}): return None", namespace)
    network = network or Formula(lambda t, x: t * x)
    return kpinn.PINN(network, coordinates, fields, conditions=[namespace["momentum"]], **kwargs)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("u_y", "condition 'momentum': .*'u_y'.*'y'.*coordinates: t, x; fields: u"),
        ("u_xz", "'u_xz'"),
        ("laplacain_u", "Did you mean 'laplacian_u'"),
        ("grad_", "'' is not a field"),
        ("ut", "Did you mean 'u_t'"),
        ("div_u", None),  # one spatial coordinate: a scalar field will do
        ("curl_u", "'curl_u' takes a field with two components"),
        ("*u", "takes \\*u: name each argument"),
        ("**u", r"takes \*\*u: name each argument"),
    ],
)
def test_misspelt_arguments_are_errors_at_construction(argument, message):
    if message is None:
        build(argument)
        return
    with pytest.raises(ValueError, match=message):
        build(argument)


def test_misspelt_unknown_is_an_error_at_construction():
    class Inverse(kpinn.PINN):
        coordinates, fields = "t x", "u"

        def __init__(self, network):
            super().__init__(network)
            self.unknown("viscosity", 0.1)

        @kpinn.condition
        def momentum(self, u_t, viscosty):
            return viscosty * u_t

    with pytest.raises(ValueError, match="Did you mean 'viscosity'.*Unknowns: viscosity"):
        Inverse(Formula(lambda t, x: t * x))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"coordinates": "t t"}, "'t' is named twice"),
        ({"coordinates": "t x_1"}, "underscore"),
        ({"coordinates": "t 1x"}, "is not a name"),
        ({"coordinates": "t x tx", "network": Formula(lambda a, b, c: a)}, "cannot be told from"),
        ({"fields": "t"}, "name of a coordinate"),
        ({"fields": "u u_x"}, "already means a derivative"),
        ({"fields": "u v"}, r"returns \(n, 1\): expected \(n, 2\)"),
        ({"coordinates": "t x y"}, "cannot be called on points of shape"),
        ({"coordinates": None}, "names no coordinates"),
        ({"fields": None}, "names no fields"),
        ({"method": "magic"}, "method 'magic' is unknown"),
        ({"coordinates": np.array(["t", "x"])}, "coordinates are names such as 't x', not array"),
        ({"fields": np.ones(2)}, "fields are names such as 't x', not array"),
        ({"fields": ""}, "fields are names such as 't x', not ''"),
        ({"method": np.array([1.0, 2.0])}, r"method array\(\[1., 2.\]\) is unknown"),
        ({"network": np.tanh}, "expected a Keras model or layer"),
    ],
)
def test_declarations_that_cannot_work(arguments, message):
    with pytest.raises(ValueError, match=message):
        build("u", **arguments)


def test_conditions_need_names():
    with pytest.raises(ValueError, match="has no condition"):
        kpinn.PINN(Formula(lambda x: x), "x", "u")
    with pytest.raises(ValueError, match="use def, not lambda"):
        kpinn.PINN(Formula(lambda x: x), "x", "u", conditions=[lambda u: u])

    def loss(u):
        return u

    with pytest.raises(ValueError, match="cannot name a condition"):
        kpinn.PINN(Formula(lambda x: x), "x", "u", conditions=[loss])


def test_half_precision_is_refused_unless_asked_for():
    dense = keras.layers.Dense(1, activation="tanh", dtype="mixed_float16", name="half")
    network = keras.Sequential([dense])
    with pytest.raises(ValueError, match="'half' computes in float16.*allow_mixed_precision"):
        build("u", network=network)
    pinn = build("u", network=network, allow_mixed_precision=True)
    assert pinn.predict_fields({"t": T, "x": X})["u"].shape == (N, 1)


def test_derived_fields_that_cannot_work():
    class Circle(kpinn.PINN):
        coordinates, fields = "x", "u"

        @kpinn.field
        def a(self, b_x):
            return b_x

        @kpinn.field
        def b(self, a):
            return a

        @kpinn.condition
        def residual(self, a):
            return a

    with pytest.raises(ValueError, match="circle: a -> b -> a"):
        Circle(Formula(lambda x: x))

    class WithArray(kpinn.PINN):
        coordinates, fields = "x", "u"

        @kpinn.field
        def a(self, given):
            return given

        @kpinn.condition
        def residual(self, a):
            return a

    with pytest.raises(ValueError, match="field 'a' asks for 'given'.*function of the coordinates"):
        WithArray(Formula(lambda x: x))


@pytest.mark.parametrize(
    ("name", "initial", "message"),
    [
        ("u", 1.0, "name of a field"),
        ("x", 1.0, "name of a coordinate"),
        ("u_t", 1.0, "already means a derivative"),
        ("heat", 1.0, "the name is taken"),
        ("nu", "many", "initial of unknown 'nu' is a finite number, not 'many'"),
        ("nu", float("nan"), "is a finite number, not nan"),
    ],
)
def test_unknowns_that_cannot_work(name, initial, message):
    with pytest.raises(ValueError, match=message):
        small_heat().unknown(name, initial)


def test_unknowns_are_added_before_training():
    pinn = small_heat()
    pinn.fit(heat_points(), verbose=0)
    with pytest.raises(ValueError, match="the optimizer has begun without it"):
        pinn.unknown("nu", 1.0)


def test_positive_unknowns_begin_positive():
    with pytest.raises(ValueError, match="is a positive number, not -1.0"):
        small_heat().unknown("nu", -1.0, positive=True)


# Errors of points --------------------------------------------------------------------------

GOOD = {"t": T, "x": X}


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ({"heat": GOOD}, "no points for the condition start"),
        ({"heat": GOOD, "begin": GOOD}, "points are given for 'begin', but the conditions are"),
        ({"heat": {"t": T}, "start": GOOD}, "points of 'heat' lack the coordinate 'x'"),
        ({"heat": GOOD, "start": T}, "points of 'start' are ndarray"),
        ({"heat": GOOD, "start": {"t": T, "x": X[:3]}}, "different numbers of points"),
        ({"heat": GOOD, "start": {"t": T, "x": np.hstack([X, X])}}, r"shape \(7, 2\): expected"),
        ({"heat": GOOD, "start": {"t": T, "x": X[None]}}, r"shape \(1, 7, 1\)"),
        ({"heat": GOOD, "start": {"t": T[:0], "x": X[:0]}}, "is empty"),
        ({"heat": GOOD, "start": {"t": T, "x": X * np.nan}}, "NaN or infinity in 7 of 7"),
        ({"heat": GOOD, "start": {"t": T, "x": ["a"] * N}}, "is not an array of real numbers"),
        ({"heat": GOOD, "start": {"t": T, "x": 1j * X}}, "is not an array of real numbers"),
        ({}, "points are dict"),
        (None, "points are NoneType"),
        (3.0, "points are float"),
        (np.ones((7, 2)), "points are ndarray"),
    ],
)
def test_points_that_cannot_work(points, message):
    with pytest.raises(ValueError, match=message):
        small_heat().fit(points, verbose=0)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ({"x": X}, "condition 'source' asks for 'f'.*Its points have x"),
        ({"x": X, "g": X}, "asks for 'f'"),
    ],
)
def test_arrays_that_conditions_need(points, message):
    def source(u, f):
        return u - f

    pinn = kpinn.PINN(Formula(lambda x: x), "x", "u", conditions=[source])
    pinn.compile("sgd")
    with pytest.raises(ValueError, match=message):
        pinn.fit(points, verbose=0)


def test_directions_that_conditions_need():
    def wall(u_n):
        return u_n

    pinn = kpinn.PINN(Formula(lambda x, y: x * y), "x y", "u", conditions=[wall])
    with pytest.raises(ValueError, match="nor is 'n' a direction of shape"):
        pinn.residuals({"x": X, "y": Y})
    with pytest.raises(ValueError, match="nor is 'n' a direction of shape"):
        pinn.residuals({"x": X, "y": Y, "n": np.ones((N, 3))})
    found = pinn.residuals({"x": X, "y": Y, "n": NORMAL})["wall"]
    np.testing.assert_allclose(found, NORMAL[:, :1] * Y + NORMAL[:, 1:] * X, rtol=1e-5)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda u: None, "returned NoneType"),
        (lambda u: [u, u], "returned list"),
        (lambda u: u + np.zeros(100), r"shape \(100, 100\)"),
        (lambda u: u[:3], r"shape \(3, 1\)"),
        (lambda u: ops.mean(u), r"shape \(\)"),
        (lambda u: u / (u - u), "NaN or infinite at 100 of 100 points before the first step"),
    ],
)
def test_residuals_that_cannot_work(returned, message):
    def residual(u):
        return returned(u)

    pinn = kpinn.PINN(Formula(lambda x: x), "x", "u", conditions=[residual])
    pinn.compile("sgd")
    points = {"x": np.linspace(0.0, 1.0, 100)}
    with pytest.raises(ValueError, match=f"^condition 'residual'.*{message}"):
        pinn.fit(points, verbose=0)
    if "100, 100" in message:
        with pytest.raises(ValueError, match=message):
            pinn.residuals(points)


@pytest.mark.parametrize("shared", [True, False])
def test_residuals_are_minus_targets_that_are_given(shared):
    def residual(u):
        return u

    pinn = kpinn.PINN(Formula(lambda x: x), "x", "u", conditions=[residual])
    arrays = {"x": np.array([0.25, 0.5])}
    points = arrays if shared else {"residual": arrays}
    found = pinn.residuals((points, {"residual": [1.0, -1.0]}))["residual"]
    np.testing.assert_allclose(found, [[-0.75], [1.5]], rtol=1e-7)
    with pytest.raises(ValueError, match=r"shape \(2, 2\), but the condition returns \(2, 1\)"):
        pinn.residuals((points, {"residual": np.ones((2, 2))}))


def test_targets_and_weights_that_cannot_work():
    pinn = small_heat()
    points = heat_points()
    for y, weight, message in [
        ({"begin": T}, None, "targets are given for 'begin'"),
        ({"start": T}, None, "have 7 rows for 16 points"),
        ({"start": np.ones((16, 2))}, None, r"shape \(16, 2\), but the condition returns"),
        (np.ones(16), None, "a dict by condition"),
        (None, {"start": np.ones(5)}, "have 5 rows for 16 points"),
        (None, {"start": np.full(16, np.nan)}, "NaN or infinity"),
    ]:
        with pytest.raises(ValueError, match=message):
            pinn.fit(points, y, sample_weight=weight, verbose=0)
