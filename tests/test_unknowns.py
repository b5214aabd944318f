"""Unknowns of any shape with bounds: in conditions, logs, files, and all optimizers."""

import keras
import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import tensorflow as tf
from keras import ops
from problems import Formula

import kpinn
from kpinn.optimizers import LBFGS, SPRING, LevenbergMarquardt, ScipyMinimize, SSBroyden

LM = LevenbergMarquardt
RNG = np.random.default_rng(0)
X = np.linspace(0.0, 1.0, 12)
A = RNG.normal(size=(12, 3))
Y = A @ [2.0, -1.0, 0.5] + 0.3 * RNG.normal(size=12)
BOUNDS = {"lower": [-np.inf, -0.4, 0.0], "upper": [1.5, np.inf, 5.0]}
BEST = scipy.optimize.lsq_linear(A, Y, (BOUNDS["lower"], BOUNDS["upper"]), tol=1e-14).x


@keras.saving.register_keras_serializable(package="test_unknowns")
class Sum(kpinn.PINN):
    """Linear least squares: y = a c with bounds on c, of which two are active."""

    coordinates, fields = "x", "u"

    def __init__(self, network, curved=False, **kwargs):
        super().__init__(network, **kwargs)
        self.curved = curved
        self.unknown("c", [1.0, 0.0, 1.0], **BOUNDS)

    @kpinn.condition
    def fit_of(self, u, a, y, c):
        residual = ops.matmul(a, c[:, None]) - y + 0.0 * u
        return residual + 0.1 * residual**3 if self.curved else residual


POINTS = {"x": X, "a": A, "y": Y}


def linear_network():
    return Formula(lambda x: x)


def curved_network():
    return kpinn.networks.MLP(units=2, depth=1)


class Slowing(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.1 / (1.0 + ops.cast(step, "float64") / 50.0)


OPTIMIZERS = {
    "sgd": (lambda: keras.optimizers.SGD(0.2), 600),
    "adam": (lambda: keras.optimizers.Adam(Slowing()), 1_500),
    "lbfgs": (LBFGS, 60),
    "ssbroyden": (SSBroyden, 60),
    "spring": (lambda: SPRING(0.5, max_norm=None), 100),
    "l-bfgs-b": (lambda: ScipyMinimize("L-BFGS-B"), 60),
    "slsqp": (lambda: ScipyMinimize("SLSQP"), 60),
} | {
    f"lm {solver}": (lambda solver=solver: LM(solver), 30)
    for solver in ("dense", "kernel", "sketch")
}

TOLERANCES = {"adam": 1e-3, "sgd": 1e-3, "lm sketch": 1e-4}


@pytest.mark.parametrize("curved", [False, True], ids=["affine", "curved"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_finds_the_best_between_bounds(name, curved):
    kpinn.set_float64()
    make, epochs = OPTIMIZERS[name]
    pinn = Sum(curved_network() if curved else linear_network(), curved)
    pinn.compile(make())
    history = pinn.fit(POINTS, epochs=epochs, verbose=0)
    found = pinn.unknowns["c"].numpy()
    assert np.all((found >= BOUNDS["lower"]) & (found <= BOUNDS["upper"]))
    best = best_between(curved)
    assert sum(np.isclose(best, end, atol=1e-9).any() for end in (1.5, -0.4)) == 2
    np.testing.assert_allclose(found, best, atol=TOLERANCES.get(name, 1e-6))
    assert [history.history[f"c[{i}]"][-1] for i in range(3)] == pytest.approx(found)


def best_between(curved):
    if not curved:
        return BEST

    def residual(c):
        found = A @ c - Y
        return found + 0.1 * found**3

    options = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15}
    found = scipy.optimize.least_squares(
        residual, BEST, bounds=(BOUNDS["lower"], BOUNDS["upper"]), **options
    ).x
    return np.clip(found, np.array(BOUNDS["lower"]), np.array(BOUNDS["upper"])).round(9)


def test_levenberg_marquardt_keeps_bounds_with_other_losses():
    kpinn.set_float64()
    pinn = Sum(curved_network())
    pinn.compile(LM(), loss="log_cosh")
    pinn.fit(POINTS, epochs=40, verbose=0)
    ends = scipy.optimize.Bounds(BOUNDS["lower"], BOUNDS["upper"])
    options = {"ftol": 1e-15, "gtol": 1e-12}
    best = scipy.optimize.minimize(
        lambda c: np.mean(np.log(np.cosh(A @ c - Y))), BEST, bounds=ends, options=options
    ).x
    np.testing.assert_allclose(pinn.unknowns["c"], best, atol=1e-5)


def test_a_linear_problem_with_bounds_takes_few_steps():
    kpinn.set_float64()
    pinn = Sum(linear_network())
    pinn.compile(LM())
    pinn.fit(POINTS, epochs=30, verbose=0)
    assert pinn.result.code == "converged" and pinn.result.iterations < 10


def test_bounds_that_are_not_met_leave_the_one_step_of_a_linear_problem():
    class Free(Sum):
        def __init__(self, network):
            kpinn.PINN.__init__(self, network)
            self.curved = False
            self.unknown("c", [1.0, 0.0, 1.0], lower=-100.0, upper=100.0)

    kpinn.set_float64()
    pinn = Free(linear_network())
    pinn.compile(LM())
    pinn.fit(POINTS, epochs=30, verbose=0)
    assert pinn.result.iterations <= 2
    np.testing.assert_allclose(pinn.unknowns["c"], np.linalg.lstsq(A, Y)[0], rtol=1e-12)


class Two(kpinn.PINN):
    """Two unknowns in equations of nothing else; `a` is not negative."""

    coordinates, fields = "x", "u"

    def __init__(self, network, equations, a, b):
        super().__init__(network)
        self.equations = equations
        self.unknown("a", a, lower=0.0)
        self.unknown("b", b)

    @kpinn.condition
    def both(self, u, a, b):
        return ops.concatenate([each + 0.0 * u for each in self.equations(a, b)], axis=1)


def found_by(epochs, network, *arguments):
    """The unknowns of a `Two` after steps of Levenberg-Marquardt in float64."""
    kpinn.set_float64()
    pinn = Two(network(), *arguments)
    pinn.compile(LM())
    pinn.fit({"x": [0.0, 1.0]}, epochs=epochs, verbose=0)
    return [float(unknown.numpy()) for unknown in pinn.unknowns.values()]


def test_a_linear_problem_goes_on_when_a_parameter_that_was_held_is_free():
    """At the start `a` is held by `b`, at the best `b` with this `a` it is not."""

    def equations(a, b):
        return a + b - 1.0, 10.0 * (b - 0.5)

    found = found_by(20, linear_network, equations, 0.0, 3.0)
    np.testing.assert_allclose(found, [0.5, 0.5], rtol=1e-12)


@pytest.mark.parametrize("start", [0.0, 1e-12, 1e-3])
def test_levenberg_marquardt_leaves_a_bound_beside_which_it_begins(start):
    """Nearly all of the gradient is in the parameter that cannot move."""

    def equations(a, b):
        return 100.0 * (a + 1.0), ops.exp(b - 1.0) - 1.0

    a, b = found_by(30, curved_network, equations, start, 3.0)
    assert a == 0.0 and b == pytest.approx(1.0, abs=1e-6)


def test_a_step_along_a_valley_ends_on_the_bound_of_one_of_two():
    """Cut off for `a` alone it would leave the valley `a = b`."""

    def equations(a, b):
        return 1e4 * (a - b), b + 1.0

    found = found_by(2, curved_network, equations, 1.0, 1.0)
    np.testing.assert_allclose(found, [0.0, 0.0], atol=1e-6)


# Shapes -------------------------------------------------------------------------------------


class Turning(kpinn.PINN):
    """v_t = M v for an unknown matrix M."""

    coordinates, fields = "t", "v[2]"

    def __init__(self, network):
        super().__init__(network)
        self.unknown("m", np.zeros((2, 2)), lower=-3.0, upper=[[3.0, 3.0], [3.0, np.inf]])

    @kpinn.condition
    def equation(self, v, v_t, m):
        return v_t - ops.matmul(v, ops.transpose(m))

    @kpinn.condition
    def samples(self, v):
        return v


MATRIX = np.array([[-0.3, 2.0], [-1.5, -0.1]])


def test_a_matrix_is_found():
    kpinn.set_float64()
    keras.utils.set_random_seed(0)
    t = np.linspace(0.0, 2.0, 40)
    v = np.array([scipy.linalg.expm(MATRIX * each) @ [1.0, 0.5] for each in t])
    pinn = Turning(kpinn.networks.MLP(units=10, depth=1, outputs=2))
    pinn.compile(LM())
    history = pinn.fit(({"t": t}, {"samples": v}), epochs=60, verbose=0)
    np.testing.assert_allclose(pinn.unknowns["m"], MATRIX, atol=2e-3)
    assert history.history["m[0,1]"][-1] == pytest.approx(2.0, abs=2e-3)


def test_the_jacobian_of_a_matrix_is_that_of_differences():
    kpinn.set_float64()
    points = {"t": np.linspace(0.0, 2.0, 7)}
    pinn = Turning(kpinn.networks.MLP(units=3, depth=1, outputs=2))
    pinn.unknowns["m"].assign(MATRIX)
    matrix, _ = kpinn.jacobian(pinn, points)
    columns = matrix[:, :4]  # the unknown is the first variable
    for i in range(4):
        step = 1e-6 * np.eye(4)[i].reshape(2, 2)
        sides = []
        for sign in (1.0, -1.0):
            pinn.unknowns["m"].assign(MATRIX + sign * step)
            sides.append(kpinn.jacobian(pinn, points)[1])
        pinn.unknowns["m"].assign(MATRIX)
        np.testing.assert_allclose(columns[:, i], (sides[0] - sides[1]) / 2e-6, atol=1e-9)


def test_entries_are_factors_of_derivatives_as_scalars_are():
    class Wave(kpinn.PINN):
        coordinates, fields = "t x", "u"

        def __init__(self, network):
            super().__init__(network)
            self.unknown("c", [2.0, 3.0])

        @kpinn.condition
        def wave(self, u, u_tt, u_xx, c):
            return c[0] * u_tt - c[1] * u_xx + 0.0 * u

    kpinn.set_float64()
    pinn = Wave(Formula(lambda t, x: t**2 + x**3))
    found = pinn.residuals({"t": X, "x": X})["wave"][:, 0]
    np.testing.assert_allclose(found, 4.0 - 18.0 * X, rtol=1e-12)


def test_many_entries_are_shown_by_their_norm():
    class Many(kpinn.PINN):
        coordinates, fields = "x", "u"

        def __init__(self, network):
            super().__init__(network)
            self.unknown("k", np.full(21, 2.0))

        @kpinn.condition
        def equation(self, u, k):
            return u - ops.sum(k)

    for optimizer in (keras.optimizers.SGD(0.0), ScipyMinimize()):
        pinn = Many(linear_network())
        pinn.compile(optimizer)
        logs = pinn.fit({"x": X}, epochs=1, verbose=0).history
        norm = np.linalg.norm(pinn.unknowns["k"].numpy())
        assert [name for name in logs if name.startswith("k")] == ["k[norm]"]
        assert logs["k[norm]"] == pytest.approx([norm], rel=1e-6)


# Files --------------------------------------------------------------------------------------


def test_they_are_saved_and_loaded_with_their_bounds():
    pinn = Sum(curved_network())
    pinn.unknown("late", [[1.0, 0.1]], lower=[[0.1, 0.1]])
    pinn.compile("adam")
    pinn.unknowns["late"].assign([[0.1, 7.0]])
    config = pinn.get_config()
    again = Sum.from_config(config)
    again.set_weights(pinn.get_weights())
    for name, unknown in pinn.unknowns.items():
        other = again.unknowns[name]
        np.testing.assert_array_equal(unknown, other)
        np.testing.assert_array_equal(unknown.constraint.lower, other.constraint.lower)
        np.testing.assert_array_equal(unknown.constraint.upper, other.constraint.upper)
    assert config["unknowns"][0]["initial"] == [[np.float32(0.1), 7.0]]


def test_a_whole_file_and_an_export(tmp_path):
    pinn = Sum(kpinn.networks.MLP(units=2, depth=1))
    pinn.compile("adam")
    pinn.fit(POINTS, epochs=2, verbose=0)
    pinn.save(tmp_path / "sum.keras")
    again = kpinn.load_model(tmp_path / "sum.keras")
    np.testing.assert_array_equal(again.unknowns["c"], pinn.unknowns["c"])
    np.testing.assert_array_equal(again.unknowns["c"].constraint.upper, [1.5, np.inf, 5.0])
    again.fit(POINTS, epochs=2, verbose=0)
    pinn.export(str(tmp_path / "sum"), derivatives="u_x")
    served = tf.saved_model.load(str(tmp_path / "sum")).signatures["residual_fit_of"]
    given = {n: tf.constant(v.reshape(12, -1), tf.float32) for n, v in POINTS.items()}
    (found,) = served(**given).values()
    np.testing.assert_allclose(found, pinn.residuals(POINTS)["fit_of"], rtol=1e-4, atol=1e-6)


# Errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"initial": []}, "initial of unknown 'k' is an empty array"),
        ({"initial": [1.0, [2.0]]}, "initial of unknown 'k' is not an array of real numbers"),
        ({"initial": [1.0, np.nan]}, "initial of unknown 'k' is a finite number, not .*nan"),
        ({"initial": [1.0, 0.0], "positive": True}, "is a positive number, not"),
        ({"initial": 1.0, "lower": 2.0}, "begins with initial=1.0 and has lower=2.0, upper=inf"),
        ({"initial": 1.0, "upper": 0.5}, "expected a lower bound below the upper one"),
        ({"initial": 1.0, "lower": 1.0, "upper": 1.0}, "expected a lower bound below the upper"),
        ({"initial": 1.0, "lower": np.nan}, "expected a lower bound below the upper one"),
        ({"initial": 1.0, "lower": "0"}, "lower of unknown 'k' is not an array of real numbers"),
        ({"initial": 1.0, "upper": [2.0, 3.0]}, r"upper of unknown 'k' has the shape \(2,\)"),
        ({"initial": [1.0, 2.0], "lower": [0.0] * 3}, r"has the shape \(3,\): expected a number"),
        ({"initial": 1.0, "positive": True, "lower": 0.0}, "lower of unknown 'k' is 0.0 and it is"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    pinn = Sum(linear_network())
    with pytest.raises(ValueError, match=message):
        pinn.unknown("k", **arguments)


def test_bounds_are_compared_as_they_are_rounded():
    pinn = Sum(linear_network())
    assert pinn.unknown("k", np.float32(0.1), upper=0.1).numpy() == np.float32(0.1)
