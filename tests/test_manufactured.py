"""Problems whose solution is chosen first, and the examples' equations with their solutions."""

import ast
import itertools
import math
import pathlib
import sys

import keras
import numpy as np
import pytest
from keras import ops
from problems import Heat

import kpinn

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"
PI = math.pi
BOX = kpinn.domains.Box(t=(0.1, 1), x=(-1, 1), y=(0, 2))
POINTS = BOX.sample(20, seed=0)


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


class Elastic(kpinn.PINN):
    """Plane strain: the forces -div(stress), and the traction on a surface with normals."""

    coordinates, fields = "x y", "v[2]"

    @kpinn.field(size=4)
    def stress(self, jac_v):
        trace = jac_v[:, 0, :1] + jac_v[:, 1, 1:]
        shear = jac_v[:, 0, 1:] + jac_v[:, 1, :1]
        xx, yy = 2.0 * trace + 1.4 * jac_v[:, 0, :1], 2.0 * trace + 1.4 * jac_v[:, 1, 1:]
        return ops.concatenate([xx, 0.7 * shear, 0.7 * shear, yy], axis=1)

    @kpinn.condition
    def forces(self, stress_x, stress_y):
        return -ops.concatenate(
            [stress_x[:, :1] + stress_y[:, 1:2], stress_x[:, 2:3] + stress_y[:, 3:]], axis=1
        )

    @kpinn.condition
    def traction(self, stress, n):
        rows = [stress[:, :2], stress[:, 2:]]
        return ops.concatenate([ops.sum(r * n, axis=1, keepdims=True) for r in rows], axis=1)


def bent(x, y):
    return ops.concatenate([ops.sin(x) * y**2, ops.exp(x) * y], axis=1)


def forces_of_bent(x, y):
    """By hand, for `u = sin(x) y^2`, `v = exp(x) y`, with lambda = 2 and mu = 0.7."""
    u_xx, u_yy, v_xy = -np.sin(x) * y**2, 2 * np.sin(x), np.exp(x)
    v_xx, v_yy, u_xy = np.exp(x) * y, 0 * x, 2 * y * np.cos(x)
    first = 2.0 * (u_xx + v_xy) + 0.7 * (2 * u_xx + u_yy + v_xy)
    second = 2.0 * (u_xy + v_yy) + 0.7 * (v_xx + u_xy + 2 * v_yy)
    return -np.concatenate([first, second], axis=1)


def traction_of_bent(x, y, n):
    u_x, u_y, v_x, v_y = np.cos(x) * y**2, 2 * y * np.sin(x), np.exp(x) * y, np.exp(x)
    xx, yy, xy = 2 * (u_x + v_y) + 1.4 * u_x, 2 * (u_x + v_y) + 1.4 * v_y, 0.7 * (u_y + v_x)
    return np.concatenate([xx * n[:, :1] + xy * n[:, 1:], xy * n[:, :1] + yy * n[:, 1:]], axis=1)


def navier_stokes(v, v_t, jac_v, grad_p, laplacian_v, nu):
    return v_t + ops.sum(jac_v * v[:, None, :], axis=2) + grad_p - nu * laplacian_v


def incompressible(div_v):
    return div_v


# What it returns -------------------------------------------------------------------------------


def test_the_source_of_a_heat_equation_is_that_by_hand():
    truth = kpinn.manufactured(Heat, lambda t, x: ops.exp(-t) * ops.sin(3 * x), conductivity=0.5)
    points = {name: POINTS[name] for name in "tx"}
    found = truth.residuals(points)
    t, x = points["t"], points["x"]
    u = np.exp(-t) * np.sin(3 * x)
    np.testing.assert_allclose(found["heat"], -u + 0.5 * 9 * u, rtol=0, atol=1e-15)
    np.testing.assert_allclose(found["start"], u - np.sin(PI * x), rtol=0, atol=1e-15)
    u_xt = truth.predict_fields(points, "u_xt")["u_xt"]
    np.testing.assert_allclose(u_xt, -3 * np.exp(-t) * np.cos(3 * x), rtol=0, atol=1e-15)


def test_forces_and_tractions_of_an_elastic_body_are_those_by_hand():
    truth = kpinn.manufactured(Elastic, {"v": bent})
    body = kpinn.domains.Ball(x=0, y=1, radius=0.7)
    points = {"forces": body.sample(20, seed=0), "traction": body.boundary().sample(20, seed=0)}
    found, at = truth.residuals(points), points["traction"]
    expected = forces_of_bent(points["forces"]["x"], points["forces"]["y"])
    np.testing.assert_allclose(found["forces"], expected, rtol=0, atol=2e-14)
    expected = traction_of_bent(at["x"], at["y"], at["n"])
    np.testing.assert_allclose(found["traction"], expected, rtol=0, atol=2e-14)


def taylor_green(decay):
    """An exact solution of the Navier-Stokes equations where `decay` is two."""

    def velocity(t, x, y, nu):
        wave = [ops.cos(x) * ops.sin(y), -ops.sin(x) * ops.cos(y)]
        return ops.exp(-decay * nu * t) * ops.concatenate(wave, axis=1)

    def pressure(t, x, y, nu):
        return -0.25 * ops.exp(-2 * decay * nu * t) * (ops.cos(2 * x) + ops.cos(2 * y))

    return {"v": velocity, "p": pressure}


def test_navier_stokes_for_a_family_of_viscosities():
    """The vortex of Taylor and Green leaves nothing, one with another decay its slope in time."""
    names = {"coordinates": "t x y", "fields": "v[2] p", "parameters": "nu"}
    conditions = [navier_stokes, incompressible]
    points = POINTS | {"nu": np.linspace(0.1, 1.0, 20)[:, None]}
    truth = kpinn.manufactured(kpinn.PINN, taylor_green(2), conditions=conditions, **names)
    for residual in truth.residuals(points).values():
        np.testing.assert_allclose(residual, 0.0, atol=2e-15)
    other = kpinn.manufactured(kpinn.PINN, taylor_green(-2), conditions=conditions, **names)
    assert np.abs(other.residuals(points)["navier_stokes"]).max() > 0.1


def test_residuals_are_the_targets_of_a_problem_with_that_solution():
    def wave(t, x):
        return ops.exp(-t) * ops.sin(3 * x)

    edges = BOX.boundary("x") + BOX.face(t=0.1)
    points = {"heat": BOX.sample(300, seed=1), "start": edges.sample(90, seed=1)}
    pinn = Heat(kpinn.networks.RandomFeatures(120, scale=[1.0, 6.0], seed=0))
    truth = kpinn.manufactured(pinn, wave)
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), jit_compile=False)
    pinn.fit((points, truth.residuals(points)), epochs=5, verbose=0)
    new = BOX.sample(50, seed=2)
    error = pinn.predict_fields(new)["u"] - truth.predict_fields(new)["u"]
    assert np.abs(error).max() < 1e-6


# What it takes over ----------------------------------------------------------------------------


class Inverse(Heat):
    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.unknown("k", initial=0.5, positive=True)

    @kpinn.condition
    def heat(self, u_t, u_xx, k, late):
        return u_t - k * self.conductivity * u_xx + late


def test_unknowns_and_numbers_that_were_set_are_taken_over():
    pinn = Inverse(kpinn.networks.MLP(4, 1), conductivity=3.0)
    pinn.unknown("late", initial=1.0)
    pinn.unknowns["k"].assign(0.25)
    pinn.conductivity = 8.0
    truth = kpinn.manufactured(pinn, {"u": lambda x: x**2})
    points = {name: POINTS[name] for name in "tx"}
    np.testing.assert_allclose(truth.residuals(points)["heat"], 1.0 - 0.25 * 8 * 2, rtol=1e-15)
    other = kpinn.manufactured(pinn, {"u": lambda x: x**2}, unknowns={"k": 1, "late": 0.0})
    np.testing.assert_allclose(other.residuals(points)["heat"], -16.0, rtol=1e-15)
    assert float(pinn.unknowns["k"]) == 0.25


class WithLayer(kpinn.PINN):
    coordinates, fields = "x", "u"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.k = kpinn.networks.MLP(3, 1)

    @kpinn.condition
    def law(self, x, u):
        return u - self.k(x)


def test_layers_beside_the_network_are_taken_over():
    pinn = WithLayer(kpinn.networks.MLP(4, 1))
    x = np.linspace(0, 1, 5)[:, None]
    truth = kpinn.manufactured(pinn, {"u": 0.0})
    np.testing.assert_array_equal(truth.residuals({"x": x})["law"], -np.asarray(pinn.k(x)))


@pytest.mark.parametrize("estimate", [kpinn.FiniteDifference(), kpinn.Stochastic(directions=1)])
def test_a_problem_that_estimates_derivatives_gets_exact_ones(estimate):
    class Estimated(kpinn.PINN):
        coordinates, fields, method = "x y", "u", estimate

        @kpinn.condition
        def laplace(self, laplacian_u):
            return laplacian_u

    points = {name: POINTS[name] for name in "xy"}
    for problem in (Estimated, Estimated(kpinn.networks.MLP(4, 1))):
        truth = kpinn.manufactured(problem, {"u": lambda x, y: ops.exp(y) * ops.cos(x)})
        assert np.abs(truth.residuals(points)["laplace"]).max() < 1e-14


def test_a_number_is_a_field_too():
    names = {"coordinates": "x y", "fields": "v[2] p"}
    truth = kpinn.manufactured(
        kpinn.PINN, {"v": 2.0, "p": lambda x: 0.5}, conditions=[incompressible], **names
    )
    found = truth.predict_fields({"x": [0.0, 1.0], "y": [1.0, 2.0]}, "v, p, jac_v")
    np.testing.assert_array_equal(found["v"], np.full((2, 2), 2.0))
    np.testing.assert_array_equal(found["p"], np.full((2, 1), 0.5))
    np.testing.assert_array_equal(found["jac_v"], np.zeros((2, 2, 2)))


@keras.saving.register_keras_serializable(package="test_manufactured")
def square(x):
    return x**2


@keras.saving.register_keras_serializable(package="test_manufactured")
class Saved(Heat):
    pass


def test_it_is_saved_with_functions_that_are_registered(tmp_path):
    points = {name: POINTS[name] for name in "tx"}
    truth = kpinn.manufactured(Saved, {"u": square}, conductivity=1.5)
    truth.save(tmp_path / "truth.keras")
    again = kpinn.load_model(tmp_path / "truth.keras")
    np.testing.assert_array_equal(again.residuals(points)["heat"], np.full((20, 1), -3.0))


class OwnNetwork(kpinn.PINN):
    coordinates, fields = "x", "u"

    def __init__(self, units):
        super().__init__(kpinn.networks.MLP(units, 1))

    @kpinn.condition
    def nothing(self, u):
        return u


WRONG = [
    (lambda: kpinn.manufactured(3, lambda x: x), "problem is 3: expected a kpinn.PINN"),
    (lambda: kpinn.manufactured(None, lambda x: x), "problem is None: expected a kpinn.PINN"),
    (lambda: kpinn.manufactured(keras.Model, lambda x: x), "expected a kpinn.PINN"),
    (lambda: kpinn.manufactured(OwnNetwork, square), "constructor with the argument network"),
    (lambda: kpinn.manufactured(Heat, 3), "solution is 3: expected a function of the coord"),
    (lambda: kpinn.manufactured(Heat, {"w": square}), "solution has 'w': expected .* 'u'"),
    (lambda: kpinn.manufactured(Heat, {"u": None}), "solution of 'u' is None"),
    (lambda: kpinn.manufactured(Heat, lambda y: y), "takes 'y', which is no coordinate"),
    (lambda: kpinn.manufactured(Heat, lambda x: x[:, 0]), r"returned the shape \(2,\)"),
    (lambda: kpinn.manufactured(Elastic, {"v": square}), r"1\) for columns .* expected \(n, 2\)"),
    (lambda: kpinn.manufactured(Heat, square, unknowns={"k": 1.0}), "unknowns has 'k'"),
    (lambda: kpinn.manufactured(Inverse, square, unknowns={"k": [1.0]}), "its value"),
    (lambda: kpinn.manufactured(kpinn.PINN, square), "names no coordinates"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_numpy_in_a_solution_is_refused():
    with pytest.raises((ValueError, NotImplementedError), match="(?i)numpy|symbolic"):
        truth = kpinn.manufactured(Heat, lambda x: np.sin(x))
        truth.residuals({name: POINTS[name] for name in "tx"})


# Examples --------------------------------------------------------------------------------------


def before_training(name, twin=None):
    """What an example has made before it compiles the first model.

    Args:
        name: of the example.
        twin: a pair of texts, of which the first one in the example becomes the second one.
    """
    path = EXAMPLES / f"{name}.py"
    text = path.read_text(encoding="utf8")
    if twin is not None:
        assert twin[0] in text
        text = text.replace(*twin, 1)
    namespace = {"__name__": name, "__file__": str(path)}
    begin = itertools.takewhile(lambda statement: not trains(statement), ast.parse(text).body)
    exec(compile(ast.Module([*begin], []), str(path), "exec"), namespace)
    return namespace


def trains(statement):
    """Whether a statement of a program compiles or describes a model."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return False
    calls = [node.func for node in ast.walk(statement) if isinstance(node, ast.Call)]
    return any(getattr(call, "attr", None) in ("compile", "describe") for call in calls)


def kirsch(x, y):
    """Displacements of an infinite plate with a hole under tension, E = 1 and nu = 0.3."""
    kappa, mu = 2.7 / 1.3, 1 / 2.6
    r, a = ops.sqrt(x**2 + y**2), ops.arctan2(y, x)
    u = r * (kappa + 1) * ops.cos(a) + 2 / r * ((1 + kappa) * ops.cos(a) + ops.cos(3 * a))
    v = r * (kappa - 3) * ops.sin(a) + 2 / r * ((1 - kappa) * ops.sin(a) + ops.sin(3 * a))
    u, v = u - 2 * ops.cos(3 * a) / r**3, v - 2 * ops.sin(3 * a) / r**3
    return ops.concatenate([u, v], axis=1) / (8 * mu)


def cole_hopf(t, x):
    """Burgers' solution by the trapezoidal rule, as in `examples/exact.py`."""
    nu = 0.01 / PI
    offset = (1 + 9 * math.sqrt(2 * nu)) * np.linspace(-1, 1, 1201)
    y = x + offset
    exponent = -ops.cos(PI * y) / (2 * PI * nu) - offset**2 / (4 * nu * t)
    weight = ops.exp(exponent - ops.stop_gradient(ops.max(exponent, axis=1, keepdims=True)))
    top = ops.sum(ops.sin(PI * y) * weight, axis=1, keepdims=True)
    return -top / ops.sum(weight, axis=1, keepdims=True)


def in_a_ring(x, y):
    s, angle = x**2 + y**2, ops.arctan2(y, x)
    return 0.5 * ops.log(4 * s) + (s**1.5 - s**-1.5 / 64) * ops.cos(3 * angle)


def in_a_ball(t, x):
    r = PI * ops.sqrt(ops.sum(x**2, axis=1, keepdims=True))
    return ops.exp(-(PI**2) * t) * ops.sin(r) / r


def standing(t, x):
    slow = ops.cos(2 * PI * t) * ops.sin(PI * x)
    return slow + 0.5 * ops.cos(8 * PI * t) * ops.sin(4 * PI * x)


def decaying(t, x):
    return ops.exp(-(PI**2) * t) * ops.sin(PI * x)


def soliton(t, x):
    """The real and the imaginary part of sech(x - t / 2) exp(i (x / 2 + 3 t / 8))."""
    size, phase = 1 / ops.cosh(x - t / 2), x / 2 + 3 * t / 8
    return ops.concatenate([size * ops.cos(phase), size * ops.sin(phase)], axis=1)


def in_a_cylinder(r, z):
    """`I0(pi r) sin(pi z) / I0(pi)`, by the mean of `exp(pi r cos(angle))` over the angle."""
    cosines = np.cos(np.linspace(0, PI, 40, endpoint=False) + PI / 80)
    top = ops.sum(ops.exp(PI * r * cosines), axis=1, keepdims=True)
    return top * ops.sin(PI * z) / np.sum(np.exp(PI * cosines))


def in_a_plate(x, y, k):
    return ops.sin(2 * y) * (ops.cosh(2 * x) + ops.sinh(2 * x) / k)


UNKNOWNS = {"inverse_burgers": {"c": 1.0, "nu": 0.01 / PI}, "unknown_delay": {"delay": PI / 2}}
# The solution, the size of rounding, and a sign of a condition that is turned.
SOLUTIONS = {
    "burgers": (cole_hopf, 1e-9, ("u_t + u * u_x", "u_t - u * u_x")),
    "cylindrical_coordinates": (in_a_cylinder, 1e-13, ("u - ops.sin", "u + ops.sin")),
    "export_and_serve": (decaying, 5e-5, ("u_t - u_xx", "u_t + u_xx")),
    "heat_ball": (in_a_ball, 1e-12, ("(u_t - laplacian_u)", "(u_t + laplacian_u)")),
    "heat_hard_boundary": (None, 1e-13, ("- ops.exp(-t) * (0.5", "+ ops.exp(-t) * (0.5")),
    "integral_equation": (
        lambda x: ops.sin(PI * x) + 3 * x / (2 * PI),
        1e-13,
        ("- ops.sum(w", "+ ops.sum(w"),
    ),
    "inverse_burgers": (cole_hopf, 1e-9, ("- nu * u_xx", "+ nu * u_xx")),
    "lake": (None, 1e-13, ("laplacian_u - 4", "laplacian_u + 4")),
    "mesh_from_stl": (None, 1e-13, ("u_n - ops.exp(x)", "u_n + ops.exp(x)")),
    "minimise_functional": (
        lambda x, y: ops.sin(PI * (y - x / 2)),
        1e-14,
        ("return u - ops.sin", "return u + ops.sin"),
    ),
    "moving_disk": (
        lambda t, x, y: ops.exp(-5 * t) * ops.sin(x + 2 * y),
        1e-13,
        ("u_t - laplacian_u", "u_t + laplacian_u"),
    ),
    "ode_hard_condition": (lambda t: ops.sin(t), 1e-6, ("u_t - ops.cos", "u_t + ops.cos")),
    "plate_with_hole": (kirsch, 1e-12, ("+ stress_y[:, 2:]", "- stress_y[:, 2:]")),
    "poisson_1d": (lambda x: ops.sin(PI * x), 1e-13, ("u_xx + math", "u_xx - math")),
    "ring_neumann": (in_a_ring, 1e-13, ("u_n - 1 -", "u_n + 1 -")),
    "schroedinger": (soliton, 1e-13, ("u_xx / 2 - v_t", "u_xx / 2 + v_t")),
    "stefan": (None, 1e-13, ("return q_t + 2.0", "return q_t - 2.0")),
    "two_materials": (
        {"u": lambda x, y: in_a_plate(x, y, 1), "v": lambda x, y: in_a_plate(x, y, 10)},
        1e-13,
        ("u_x - K", "u_x + K"),
    ),
    "unknown_delay": (lambda t: ops.sin(t), 1e-13, ("u_t + at", "u_t - at")),
    "wave_random_features": (standing, 1e-13, ("u_tt - 4", "u_tt + 4")),
}
BOXES = {  # where an example has no points before it compiles
    "burgers": lambda made: kpinn.domains.Box(t=(0.1, 0.9), x=(0, 1)),
    "export_and_serve": lambda made: kpinn.domains.Box(t=(0, 0.2), x=(0, 1)),
    "heat_hard_boundary": lambda made: kpinn.domains.Box(t=(0, 1)) * made["ring"],
    "inverse_burgers": lambda made: kpinn.domains.Box(t=(0.1, 0.9), x=(-1, 1)),
    "integral_equation": lambda made: made["interval"],
    "ode_hard_condition": lambda made: kpinn.domains.Box(t=(0, 1)),
}


def solution_of(name, made):
    if name == "heat_hard_boundary":
        return lambda t, x, y: ops.exp(-t) * made["start"](x, y)
    if name == "lake":
        return lambda x, y: made["exact"](x, y)
    if name == "mesh_from_stl":
        return lambda x, y, z: made["exact"](x, y, z)
    if name == "stefan":
        c = made["C"]
        return {"u": lambda z: 1 - ops.erf(c * z) / math.erf(c), "q": lambda t: 4 * c**2 * t}
    return SOLUTIONS[name][0]


def largest_residuals(name, twin=None):
    """The largest residual of each condition of an example at its solution."""
    made = before_training(name, twin)
    truth = kpinn.manufactured(made["pinn"], solution_of(name, made), UNKNOWNS.get(name))
    points = BOXES[name](made).sample(30, seed=0) if name in BOXES else made["points"]
    found = truth.residuals(points)
    if name == "inverse_burgers":
        del found["samples"]  # whose targets are data
    return {condition: np.abs(residual).max() for condition, residual in found.items()}


@pytest.mark.parametrize("name", SOLUTIONS)
def test_a_solution_leaves_nothing_of_the_conditions_of_an_example(name, monkeypatch, tmp_path):
    """And of a twin, in which a sign is turned, it leaves something."""
    if name == "mesh_from_stl":
        pytest.importorskip("trimesh")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(sys, "argv", [name, "--short"])
    monkeypatch.delitem(sys.modules, "quiet", raising=False)  # it reads what was just set
    _, rounding, twin = SOLUTIONS[name]
    found = largest_residuals(name)
    assert all(value < rounding for value in found.values()), found
    wrong = largest_residuals(name, twin)
    assert max(wrong.values()) > 1e3 * rounding
    assert max(wrong.values()) > 1e-2


def test_poisson_in_100_dimensions_by_exact_derivatives(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["poisson_100d", "--short"])
    monkeypatch.syspath_prepend(EXAMPLES)
    made = before_training("poisson_100d")
    x = made["points"](4, seed=0)

    def solution(x):
        a, b = x[:, :-1], x[:, 1:]
        waves = ops.sin(a + ops.cos(b) + b * ops.cos(a)) * made["FACTORS"]
        return (1 - ops.sum(x**2, axis=1, keepdims=True)) * ops.sum(waves, axis=1, keepdims=True)

    truth = kpinn.manufactured(made["pinn"], solution)
    found = truth.residuals({"x": x, "f": made["exact"](x)[1]})["equation"]
    np.testing.assert_allclose(found, 0.0, atol=1e-14)
    half = truth.residuals({"x": x, "f": -made["exact"](x)[1]})["equation"]
    assert np.abs(half).max() > 1e-2
