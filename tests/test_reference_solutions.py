"""The solutions of `benchmarks/exact_solutions` that are computed, against others and as residuals.

They are put into the very conditions that train a network, with derivatives by differences.
"""

import dataclasses
import functools
import pathlib
import sys

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import kpinn

sys.path.append(str(pathlib.Path(__file__).parents[1] / "benchmarks"))
sys.path.append(str(pathlib.Path(__file__).parents[1] / "examples"))

import exact_solutions
from accuracy_problems import PROBLEMS
from differences import derivative, weights
from exact import burgers as burgers_of_the_examples
from exact import fourier
from exact_solutions import lid_driven

PI = np.pi


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


@pytest.mark.parametrize("viscosity", [0.01, 0.01 / np.pi])
def test_the_quadrature_of_burgers_has_converged(viscosity):
    t = np.repeat([1e-5, 1e-3, 0.1, 0.3, 1.0], 41)
    x = np.tile(np.linspace(-1, 1, 41), 5)
    fine = exact_solutions.burgers(t, x, viscosity, nodes=6001)
    np.testing.assert_allclose(exact_solutions.burgers(t, x, viscosity), fine, rtol=0, atol=1e-14)


@pytest.mark.parametrize("viscosity", [0.01, 0.01 / np.pi])
@pytest.mark.parametrize(("t", "x"), [(0.2, 0.3), (0.5, 0.05), (0.9, -0.01)])
def test_burgers_is_what_mpmath_integrates(t, x, viscosity):
    def action(y):
        return mpmath.cos(mpmath.pi * y) / (2 * mpmath.pi) + (x - y) ** 2 / (4 * mpmath.mpf(t))

    ends = np.linspace(x - 1.5, x + 1.5, 61).tolist()
    least = min(map(action, ends))  # the error of mpmath is absolute: the integrand is about one

    def weight(y):
        return mpmath.exp((least - action(y)) / viscosity)

    above = mpmath.quad(lambda y: mpmath.sin(mpmath.pi * y) * weight(y), ends)
    expected = float(-above / mpmath.quad(weight, ends))
    for burgers in (exact_solutions.burgers, burgers_of_the_examples):
        found = burgers(np.array([t]), np.array([x]), viscosity)
        assert found.item() == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("viscosity", [0.01, 0.01 / np.pi, 0.1])
def test_the_examples_and_the_benchmarks_have_the_same_solution_of_burgers(viscosity):
    rng = np.random.default_rng(0)
    t = np.concatenate([np.zeros(50), np.geomspace(1e-5, 1.0, 1000)])
    x = np.concatenate([np.linspace(-1, 1, 50), rng.uniform(-1, 1, 500), rng.normal(0, 0.02, 500)])
    found = burgers_of_the_examples(t, x, viscosity)
    expected = exact_solutions.burgers(t, x, viscosity)[:, 0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("method", ["DOP853", "Radau"])
def test_fourier_solves_two_equations_of_waves_that_drift_and_decay(method):
    x, t = np.arange(16) * 3 / 16, np.linspace(0, 1, 4)
    wave = 2 * PI / 3

    def right(fields, slope):
        return -slope(1) + np.array([[0.1], [0.0]]) * slope(2)

    start = np.array([np.sin(wave * x), np.cos(2 * wave * x)])
    found = fourier(right, start, 3.0, t, method)
    drifted = x - t[:, None]
    decay = np.exp(-0.1 * wave**2 * t[:, None])
    expected = np.stack([decay * np.sin(wave * drifted), np.cos(2 * wave * drifted)], axis=1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


RESIDUALS = {  # function, resolution with many times that are kept, last time, step in space, limit
    "allen_cahn": (exact_solutions.allen_cahn, (2048, 800, 801), 1.0, 1e-3, 1e-8),
    "kdv_zabusky_kruskal": (exact_solutions.kdv, (384, 3200, 1601), 1.0, 2e-3, 1e-5),
    "kuramoto_sivashinsky": (
        exact_solutions.kuramoto_sivashinsky,
        (256, 3200, 1601),
        0.5,
        5e-3,
        2e-6,
    ),
    "nls_wide": (
        functools.partial(exact_solutions.nls, half_width=15.0),
        (512, 1600, 801),
        PI / 2,
        3e-2,
        5e-6,
    ),
}


@pytest.mark.parametrize("name", RESIDUALS)
def test_periodic_solutions_satisfy_the_condition(name):
    problem, (function, resolution, end, step, limit) = PROBLEMS[name](), RESIDUALS[name]
    (condition,) = problem.make().conditions.values()
    modes, steps, times = resolution
    lower, upper = problem.box.bounds["x"]
    x, reach = np.linspace(lower + 0.06, 0.93 * upper, 20)[:, None], np.arange(-5, 6)

    def solution(t, x):
        t, x = np.broadcast_arrays(t, x)
        values = function(t=t, x=x, modes=modes, steps=steps, times=times)
        values = values if isinstance(values, dict) else {"u": values}
        return {field: array.reshape(x.shape) for field, array in values.items()}

    around = solution(end / 2, x + step * reach)
    later = solution(end / 2 + end / (times - 1) * reach, x)
    values = {"t": np.full_like(x, end / 2), "x": x}
    for field in around:
        values[field] = around[field][:, [5]]
        values[f"{field}_t"] = later[field] @ weights(1, 5)[:, None] * (times - 1) / end
        for order in range(1, 5):
            along = around[field] @ weights(order, 5)[:, None] / step**order
            values[f"{field}_{order * 'x'}"] = along
    values = {each.name: values[each.name] for each in condition.arguments}
    without = condition(values | {"u_t": np.zeros_like(x)})
    assert np.abs(condition(values)).max() < limit * np.abs(without).max()


def _allen_cahn_grid():
    return PROBLEMS["allen_cahn"]().grid


def test_the_solution_of_allen_cahn_has_converged():
    grid = {key: array.reshape(41, -1)[::10, ::4] for key, array in _allen_cahn_grid().items()}
    grid = {key: array.reshape(-1, 1) for key, array in grid.items()}
    kept = exact_solutions.allen_cahn(**grid)
    for other in ({"modes": 4096}, {"steps": 200}):
        found = exact_solutions.allen_cahn(**grid, **other)
        assert np.linalg.norm(found - kept) < 1e-7 * np.linalg.norm(kept)
    at_start = grid["t"] == 0
    x = grid["x"][at_start]
    np.testing.assert_allclose(kept[at_start], x**2 * np.cos(np.pi * x), rtol=0, atol=1e-12)


def nls_15(t, x, **resolution):
    fields = exact_solutions.nls(t, x, 15.0, **resolution)
    return fields["u"] + 1j * fields["v"]


def nls_5(t, x, **resolution):
    fields = exact_solutions.nls(t, x, 5.0, **resolution)
    return fields["u"] + 1j * fields["v"]


CONVERGED = [  # function, last time, ends, another resolution, relative error
    (exact_solutions.kdv, 1.0, (-1, 1), (256, 4000), 1e-8),
    (exact_solutions.kuramoto_sivashinsky, 0.5, (0, 2 * PI), (192, 2000), 2e-7),
    (nls_15, PI / 2, (-15, 15), (384, 1600), 1e-6),
    (nls_5, PI / 2, (-5, 5), (384, 1600), 2e-5),
]


@pytest.mark.parametrize(("function", "end", "ends", "other", "limit"), CONVERGED)
def test_periodic_solutions_have_converged(function, end, ends, other, limit):
    t, x = np.repeat(end * np.linspace(0, 1, 5), 101), np.tile(np.linspace(*ends, 101), 5)
    kept, found = (
        function(t, x),
        function(t, x, **dict(zip(("modes", "steps"), other, strict=True))),
    )
    error = np.linalg.norm(found - kept) / np.linalg.norm(kept)
    assert 0 < error < limit


def kdv_rate(u, along):
    return -u * along(u, 1) - 0.022**2 * along(u, 3)


def kuramoto_sivashinsky_rate(u, along):
    return -100 / 16 * u * along(u, 1) - 100 / 16**2 * along(u, 2) - 100 / 16**4 * along(u, 4)


def nls_rate(h, along):
    return 0.5j * along(h, 2) + 1j * np.abs(h) ** 2 * h


@pytest.mark.parametrize(
    ("function", "rate", "end", "ends", "modes"),
    [
        (exact_solutions.kdv, kdv_rate, 0.25, (-1, 1), 128),
        (exact_solutions.kuramoto_sivashinsky, kuramoto_sivashinsky_rate, 0.05, (0, 2 * PI), 128),
        (nls_15, nls_rate, PI / 8, (-15, 15), 256),
    ],
)
def test_periodic_solutions_are_what_scipy_integrates(function, rate, end, ends, modes):
    """The equation written in places, by a method of order eight with steps of its choice."""
    x = np.linspace(*ends, modes, endpoint=False)
    waves = 2j * PI / (ends[1] - ends[0]) * np.fft.fftfreq(modes, 1 / modes)

    def along(u, order):
        result = np.fft.ifft(waves**order * np.fft.fft(u))
        return result if np.iscomplexobj(u) else result.real

    start = function(np.zeros(modes), x)[:, 0]
    done = solve_ivp(lambda t, u: rate(u, along), (0, end), start, "DOP853", rtol=1e-9, atol=1e-11)
    found = function(np.full(modes, end), x)[:, 0]
    np.testing.assert_allclose(found, done.y[:, -1], rtol=0, atol=1e-6)
    assert np.abs(found - start).max() > 0.1


def test_the_nonlinear_schroedinger_equation_on_the_whole_line():
    """In closed form: J. Satsuma and N. Yajima, Progress of Theoretical Physics Supplement 55."""
    t, x = (PI / 2 * each for each in (np.repeat(np.arange(9) / 8, 50), np.linspace(-2, 2, 450)))
    above = np.cosh(3 * x) + 3 * np.exp(4j * t) * np.cosh(x)
    below = np.cosh(4 * x) + 4 * np.cosh(2 * x) + 3 * np.cos(4 * t)
    expected = 4 * np.exp(0.5j * t) * above / below
    np.testing.assert_allclose(nls_15(t, x)[:, 0], expected, rtol=0, atol=1e-5)


def test_allen_cahn_is_known_at_some_times_only():
    with pytest.raises(ValueError, match="multiples of 1 / 40"):
        exact_solutions.allen_cahn(np.array([0.51]), np.array([0.0]))


CAVITIES = [  # Reynolds number, lid, limits of the relative residual and of the divergence
    (100.0, "regularised", 1e-5, 1e-10),
    (100.0, "parabolic", 1e-4, 1e-10),
    (1000.0, "regularised", 5e-2, 1e-7),
]


@pytest.mark.parametrize(("reynolds", "lid", "limit", "least"), CAVITIES)
def test_the_flow_in_the_cavity_satisfies_the_equations(reynolds, lid, limit, least):
    points = PROBLEMS["cavity"]().points(0)
    x, y = (0.1 + 0.8 * points[name][:5, :, None] for name in "xy")
    step, offsets = 1e-2, 1e-2 * np.arange(-5, 6)
    places = np.broadcast_arrays(x + offsets[:, None], y + offsets)
    flow = exact_solutions.cavity(*places, reynolds, lid=lid)

    def part(name, i, j):  # i times along x, and j times along y
        along = (weights(order, 5) / step**order for order in (i, j))
        return np.einsum("pab,a,b->p", flow[name].reshape(5, 11, 11), *along)

    def vorticity(i, j):
        return part("v", i + 1, j) - part("u", i, j + 1)

    transport = part("u", 0, 0) * vorticity(1, 0) + part("v", 0, 0) * vorticity(0, 1)
    diffusion = (vorticity(2, 0) + vorticity(0, 2)) / reynolds
    assert np.abs(transport - diffusion).max() < limit * np.abs(transport).max()
    assert np.abs(part("u", 1, 0) + part("v", 0, 1)).max() < least


CAVITIES_AGAIN = [  # problem, another degree, limit of the relative difference
    ("cavity", 24, 1e-5),
    ("cavity_400", 24, 3e-4),
    ("cavity_1000", 32, 2e-4),
    ("cavity_parabolic", 24, 1e-5),
]


@pytest.mark.parametrize(("name", "degree", "limit"), CAVITIES_AGAIN)
def test_the_flow_in_the_cavity_has_converged_and_follows_the_walls(name, degree, limit):
    problem = PROBLEMS[name]()
    lid = "parabolic" if name.endswith("parabolic") else "regularised"
    reynolds = float(name[7:]) if name[7:].isdigit() else 100.0
    grid = {key: array[::7] for key, array in problem.grid.items()}
    fine, coarse = (
        problem.exact(**grid),
        exact_solutions.cavity(**grid, reynolds=reynolds, degree=degree, lid=lid),
    )
    for each in "uv":
        assert np.linalg.norm(coarse[each] - fine[each]) < limit * np.linalg.norm(fine[each])
    edge = problem.box.boundary().sample(80, seed=0)
    speed = getattr(exact_solutions, f"{lid}_lid")(edge["x"])
    flow = problem.exact(x=edge["x"], y=edge["y"])
    np.testing.assert_allclose(flow["u"], np.where(edge["y"] == 1, speed, 0.0), rtol=0, atol=1e-8)
    np.testing.assert_allclose(flow["v"], 0.0, rtol=0, atol=1e-8)


def test_the_flow_at_the_center_of_the_cavity_without_the_corners_left_out():
    """As polynomials alone find it, which converge slowly under a lid with a slope."""
    plain = dataclasses.replace(lid_driven.LIDS["parabolic"], slope=0.0)
    nodes, stream, derivative = lid_driven.cavity_stream_function(100.0, 32, plain)
    u = (stream @ derivative.T)[16, 16]
    expected = exact_solutions.cavity(nodes[[16]], nodes[[16]], lid="parabolic")["u"]
    assert u == pytest.approx(expected.item(), abs=1e-4)


def test_a_flow_that_newton_does_not_find_is_an_error():
    with pytest.raises(ValueError, match="too high"):
        exact_solutions.cavity(np.array([0.5]), np.array([0.5]), reynolds=1e6, degree=8)


def test_the_slope_of_two_solitons_is_that_of_mpmath():
    x = mpmath.mpf(13)
    step = mpmath.mpf("1e-8")
    with mpmath.workdps(40):
        values = [_two_solitons(mpmath.mpf(2), x + k * step) for k in (-1, 1)]
        slope = (values[1] - values[0]) / (2 * step)
    found = exact_solutions.two_solitons_slope(np.array(2.0), np.array(13.0))
    assert found == pytest.approx(float(slope), rel=1e-11)


def _two_solitons(t, x):
    """2 (log F)'' of Hirota's form, of which the one in the file is another way of writing."""
    a, b = mpmath.sqrt(6) / 2, mpmath.sqrt(2) / 2

    def log_f(z):
        first, second = a * (z - 6 * t + 2), b * (z - 2 * t - 2)
        sums = mpmath.cosh(first + second), mpmath.cosh(first - second)
        return mpmath.log((a - b) * sums[0] + (a + b) * sums[1])

    return 2 * mpmath.diff(log_f, x, 2)


# A shock: residuals where the solution is smooth, and what an integral says about the rest


def fractional_flow(u):
    return u**2 / (u**2 + (1 - u) ** 2)


def test_the_fan_behind_the_shock_satisfies_the_conditions():
    pinn = PROBLEMS["buckley_leverett"]().make()
    t, part = np.linspace(0.1, 0.5, 20)[:, None], np.linspace(0.05, 0.95, 20)[:, None]
    points = {"t": t, "x": part * (1 + np.sqrt(2)) / 2 * (t - 0.01)}

    def solution(points):
        return exact_solutions.buckley_leverett(**points)

    values = {"u": solution(points), "u_xx": np.zeros_like(t)}
    for each in "tx":
        values[f"u_{each}"] = derivative(solution, points, [(each, 0)], 1e-4)
    assert np.abs(pinn.conditions["transport"](values)).max() < 1e-6
    assert np.abs(values["u_t"]).min() > 1e-3
    ahead = exact_solutions.buckley_leverett(np.full(5, 0.3), 0.3 * np.linspace(1.21, 3, 5))
    assert not ahead.any()
    np.testing.assert_allclose(exact_solutions.buckley_leverett(t, 0 * t), 1.0, atol=1e-9)


def test_the_shock_keeps_the_volume_and_has_the_speed_of_rankine_and_hugoniot():
    """And the chord from the state behind to the one ahead lies above the flow (Oleinik)."""
    t, speed = 0.4, (1 + np.sqrt(2)) / 2
    x, wide = np.polynomial.legendre.leggauss(60)
    x, wide = (x + 1) / 2, wide / 2  # on [0, 1]; squared, since the slope is infinite at x = 0
    u = exact_solutions.buckley_leverett(np.full(60, t), x**2 * speed * t)[:, 0]
    assert np.sum(u * 2 * x * wide) * speed * t == pytest.approx(t, rel=1e-7)  # f(1) t flowed in
    sides = exact_solutions.buckley_leverett(
        np.full(2, t), speed * t * np.array([1 - 1e-12, 1 + 1e-12])
    )
    assert sides[1] == 0
    front = sides[0].item()
    assert fractional_flow(front) / front == pytest.approx(speed, rel=1e-9)
    between = np.linspace(0, front, 100)[1:]
    assert (fractional_flow(between) <= speed * between + 1e-9).all()


VISCOSITIES = {"buckley_leverett_viscous": 1e-2, "buckley_leverett_potential": 2.5e-3}


@pytest.mark.parametrize(("name", "viscosity"), VISCOSITIES.items())
def test_a_viscous_shock_of_the_same_speed_satisfies_the_condition(name, viscosity):
    """A travelling wave u(x - c t) or w(x - c t): viscosity u' = f(u) - c u, and w' = u."""
    speed, u = (1 + np.sqrt(2)) / 2, np.linspace(0.05, 0.7, 20)[:, None]
    u_x = (fractional_flow(u) - speed * u) / viscosity
    slope = derivative(lambda p: fractional_flow(p["u"]), {"u": u}, [("u", 0)], 1e-3)
    values = {"u": u, "u_t": -speed * u_x, "u_x": u_x, "u_xx": (slope - speed) * u_x / viscosity}
    values |= {"w_t": -speed * u, "w_x": u, "w_xx": u_x}
    condition = PROBLEMS[name]().make().conditions["transport"]
    values = {each.name: values[each.name] for each in condition.arguments}
    last = next(each for each in values if each.endswith("_t"))
    without = condition(values | {last: 0 * u})
    assert np.abs(condition(values)).max() < 1e-6 * np.abs(without).max()


def test_finite_volumes_come_to_the_same_shock():
    """Upwind fluxes, which choose the entropy solution; of first order, so that errors halve."""
    errors = []
    for cells in (200, 800):
        x, u = (np.arange(cells) + 0.5) / cells, np.zeros(cells)
        steps = 4 * cells // 2  # the largest speed of a wave is 2.1
        for _ in range(steps):
            flow = fractional_flow(np.r_[1.0, u])
            u = u - 0.5 / steps * cells * np.diff(flow)
        exact = exact_solutions.buckley_leverett(np.full(cells, 0.5), x)[:, 0]
        errors.append(np.abs(u - exact).mean())
    assert errors[0] < 1e-2
    assert errors[1] < errors[0] / 2.5
