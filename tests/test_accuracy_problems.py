"""The problems of `benchmarks/accuracy_problems`: solutions, equations, points and the runner.

The exact solution of each problem is put into the very conditions that train its network, with
derivatives by differences of high order: a wrong sign anywhere leaves a residual.
"""

import dataclasses
import inspect
import itertools
import json
import pathlib
import sys
import time

import keras
import mpmath
import numpy as np
import pytest
from keras import ops

import kpinn
from kpinn.derivatives.keras_private import all_layers

sys.path.append(str(pathlib.Path(__file__).parents[1] / "benchmarks"))
sys.path.append(str(pathlib.Path(__file__).parents[1] / "examples"))

import accuracy
import accuracy_curves
import exact_solutions
from accuracy_problems import PROBLEMS
from exact import burgers as burgers_of_the_examples

# Weights of the eighth-order difference for a first derivative, at the points 1, 2, 3 and 4.
DIFFERENCE = (4 / 5, -1 / 5, 4 / 105, -1 / 280)
STEPS = {"two_solitons": 5e-3, "wave": 1e-3, "burgers": 5e-4, "burgers_sharp": 3e-4}
STEPS |= {"inverse_burgers": 3e-4, "inverse_burgers_noise": 3e-4, "poisson_5d": 1e-2}
ONE_OF_TWO = {"kovasznay", "beltrami", "inverse_field"}  # have fields that are not compared
REFLECTED = {"burgers": -1, "burgers_sharp": -1, "allen_cahn": 1}  # at x = 0: odd, or even
COUNT = 25  # points of a condition


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


def derivative(function, points, names, step):
    """A derivative by differences, a coordinate (or a component of a vector one) at a time.

    Args:
        function: from a dict of points to an array `(n, 1)`.
        points: dict of arrays.
        names: pairs of a coordinate and a column.
        step: of the difference.
    """
    if not names:
        return function(points)
    (name, column), *rest = names

    def shifted(distance):
        moved = points[name].copy()
        moved[:, column] += distance
        return derivative(function, points | {name: moved}, rest, step)

    pairs = [shifted(k * step) - shifted(-k * step) for k in range(1, 5)]
    return sum(weight * pair for weight, pair in zip(DIFFERENCE, pairs, strict=True)) / step


def argument(name, solution, points, others, step):
    """The value of an argument of a condition: data, a coordinate, a field or a derivative."""
    given = others | points
    if name in given:
        return given[name]
    first, _, last = name.partition("_")
    field = last if first in ("laplacian", "grad", "jac", "div") else first

    def along(*columns):
        return derivative(lambda p: solution(**p)[field], points, columns, step)

    columns = [(c, i) for c in points if c != "t" for i in range(points[c].shape[1])]
    if first == "laplacian":
        return sum(along(column, column) for column in columns)
    if first == "grad":
        return np.concatenate([along(column) for column in columns], axis=1)
    if first == "jac":
        return np.stack([along(column) for column in columns], axis=2)
    if first == "div":
        return sum(along(column)[:, [i]] for i, column in enumerate(columns))
    return along(*((coordinate, 0) for coordinate in last))


def sets_of_points(problem):
    """From each condition to its coordinates, its other arrays and its targets."""
    given, pinn = problem.points(0), problem.make()
    points, targets = given if isinstance(given, tuple) else (given, {})
    if not isinstance(next(iter(points.values())), dict):
        points = dict.fromkeys(pinn.conditions, points)
    for name, arrays in points.items():
        inside = {key: arrays[key] for key in problem.box.coordinates}
        others = {key: array for key, array in arrays.items() if key not in inside}
        yield pinn.conditions[name], inside, others, targets.get(name, np.zeros((10**4, 1)))


def solution_of(problem):
    """All fields of the exact solution."""
    return getattr(exact_solutions, problem.name) if problem.name in ONE_OF_TWO else problem.exact


def within(problem, points, step):
    """Some of the points, those of equations so far from t = 0 that differences do not cross it."""
    points = {name: array[:COUNT].copy() for name, array in points.items()}
    if "t" in points and np.all(points["t"] > 0) and "burgers" in problem.name:
        points["t"] = np.maximum(points["t"], 10 * step)
    return points


CLOSED = [name for name in PROBLEMS if name not in ("allen_cahn", "cavity")]


@pytest.mark.parametrize("name", CLOSED)
def test_the_solution_satisfies_every_condition(name):
    problem, step = PROBLEMS[name](), STEPS.get(name, 2e-3)
    solution, noise = solution_of(problem), 0.05 if name.endswith("noise") else 0.0
    for condition, points, others, target in sets_of_points(problem):
        points = within(problem, points, step)
        others = {key: array[:COUNT] for key, array in others.items()} | (problem.unknowns or {})
        names = [each.name for each in condition.arguments]
        values = {each: argument(each, solution, points, others, step) for each in names}
        residual = np.asarray(condition(values)) - target[:COUNT]
        assert np.abs(residual).max() < 2e-7 + noise, condition.name


# Solutions that are computed -------------------------------------------------------------------


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


KEPT = 2048, 800, 801  # modes, steps and times of a solution whose derivatives are taken


def test_the_solution_of_allen_cahn_satisfies_the_condition():
    problem = PROBLEMS["allen_cahn"]()
    condition = problem.make().conditions["reaction"]
    x = np.linspace(-0.94, 0.94, 20)[:, None]

    def at(steps_from_half):  # of 1 / 800, around t = 1/2
        t = np.full_like(x, 0.5 + steps_from_half / 800)
        return exact_solutions.allen_cahn(t, x, *KEPT)

    def in_space(points):
        return exact_solutions.allen_cahn(np.full_like(x, 0.5), points["x"], *KEPT)

    pairs = [at(k) - at(-k) for k in range(1, 5)]
    u_t = 800 * sum(weight * pair for weight, pair in zip(DIFFERENCE, pairs, strict=True))
    u_xx = derivative(in_space, {"x": x}, [("x", 0)] * 2, 1e-3)
    residual = condition({"t": np.full_like(x, 0.5), "u": at(0), "u_t": u_t, "u_xx": u_xx})
    assert np.abs(residual).max() < 1e-8
    assert np.abs(u_t).max() > 1.0


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


def test_allen_cahn_is_known_at_some_times_only():
    with pytest.raises(ValueError, match="multiples of 1 / 40"):
        exact_solutions.allen_cahn(np.array([0.51]), np.array([0.0]))


def test_the_flow_in_the_cavity_satisfies_the_equations():
    reynolds = 100.0
    points = {name: array[:5] for name, array in PROBLEMS["cavity"]().points(0).items()}
    points = {name: 0.1 + 0.8 * array for name, array in points.items()}

    def part(name, suffix):
        def field(p):
            return exact_solutions.cavity(p["x"], p["y"], reynolds)[name]

        return derivative(field, points, [(each, 0) for each in suffix], 5e-3)

    def vorticity(suffix=""):
        return part("v", "x" + suffix) - part("u", "y" + suffix)

    transport = part("u", "") * vorticity("x") + part("v", "") * vorticity("y")
    diffusion = (vorticity("xx") + vorticity("yy")) / reynolds
    assert np.abs(transport - diffusion).max() < 1e-5 * np.abs(transport).max()
    assert np.abs(part("u", "x") + part("v", "y")).max() < 1e-10


def test_the_flow_in_the_cavity_has_converged_and_follows_the_walls():
    grid = PROBLEMS["cavity"]().grid
    coarse, fine = (exact_solutions.cavity(**grid, degree=degree) for degree in (24, 32))
    for name in "uv":
        assert np.linalg.norm(coarse[name] - fine[name]) < 1e-5 * np.linalg.norm(fine[name])
    edge = PROBLEMS["cavity"]().box.boundary().sample(80, seed=0)
    lid = np.where(edge["y"] == 1, exact_solutions.regularised_lid(edge["x"]), 0.0)
    flow = exact_solutions.cavity(edge["x"], edge["y"])
    np.testing.assert_allclose(flow["u"], lid, rtol=0, atol=1e-9)
    np.testing.assert_allclose(flow["v"], 0.0, rtol=0, atol=1e-9)


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


# What a problem is trained on -----------------------------------------------------------------

HARD = [  # faces on which a network without training has the exact values, and of which fields
    ("poisson_1d", {"x": -1}, "u"),
    ("poisson_1d", {"x": 1}, "u"),
    ("damped_oscillator", {"t": 0}, "u u_t"),
    ("wave", {"t": 0}, "u u_t"),
    ("wave", {"x": 0}, "u"),
    ("wave", {"x": 1}, "u"),
    ("burgers", {"t": 0}, "u"),
    ("allen_cahn", {"t": 0}, "u"),
    *(("nonlinear_poisson", face, "u") for face in ({"x": 0}, {"x": 1}, {"y": 0}, {"y": 1})),
    *(("cavity", face, "u v") for face in ({"x": 0}, {"x": 1}, {"y": 0}, {"y": 1})),
]


@pytest.mark.parametrize(("name", "face", "fields"), HARD)
def test_conditions_that_are_built_in_hold_before_training(name, face, fields):
    problem = PROBLEMS[name]()
    points = problem.box.face(**face)
    points = points.sample(10 if name != "damped_oscillator" else 1, seed=0)
    points = {key: points[key] for key in problem.box.coordinates}
    if name == "allen_cahn":
        points["x"] = np.round(0.9 * points["x"] * 4096) / 4096  # nodes, away from the kink
    exact = problem.exact(**points)
    found = problem.make().predict_fields(points, ", ".join(fields.split()))
    for each in fields.split():
        expected = 0.0 if each == "u_t" else exact[each]
        np.testing.assert_allclose(found[each], expected * np.ones_like(found[each]), atol=1e-9)


@pytest.mark.parametrize(
    ("name", "fields"),
    [("helmholtz", "u u_x"), ("burgers", "u u_x"), ("burgers_sharp", "u u_x"), ("allen_cahn", "u")],
)
def test_networks_are_periodic(name, fields):
    problem = PROBLEMS[name]()
    pinn = problem.make()
    end = problem.box.face(x=1).sample(30, seed=0)
    ends = end | {"x": -end["x"]}, end
    left, right = (pinn.predict_fields(end, "u, u_x") for end in ends)
    for each in fields.split():
        np.testing.assert_allclose(left[each], right[each], atol=1e-12)


@pytest.mark.parametrize(("name", "sign"), REFLECTED.items())
def test_networks_are_reflected_as_the_solution_is(name, sign):
    problem = PROBLEMS[name]()
    points = {key: values[100::500] for key, values in problem.grid.items()}
    behind = points | {"x": -points["x"]}
    pinn = problem.make()
    pairs = [(problem.exact(**place)["u"] for place in (points, behind))]
    pairs.append(pinn.predict_fields(place)["u"] for place in (points, behind))
    for here, there in pairs:
        np.testing.assert_allclose(there, sign * here, rtol=0, atol=1e-8)
        assert np.abs(here).max() > 0.1


@pytest.mark.parametrize("name", PROBLEMS)
def test_points_lie_in_the_domain_and_are_new_for_each_seed(name):
    problem = PROBLEMS[name]()
    sets = list(sets_of_points(problem))
    for _, points, _, _ in sets:
        assert problem.box.contains(points).all()
    grid = problem.grid | ({"x": np.abs(problem.grid["x"])} if name in REFLECTED else {})
    assert problem.box.contains(grid).all()
    first = next(iter(problem.box.coordinates))
    other, again = _first_points(problem.points(1)), _first_points(problem.points(0))
    np.testing.assert_array_equal(again[first], sets[0][1][first])
    assert not np.array_equal(other[first], again[first])


def _first_points(given):
    points = given[0] if isinstance(given, tuple) else given
    first = next(iter(points.values()))
    return first if isinstance(first, dict) else points


BOUNDARY_DATA = {"kovasznay", "two_solitons", "beltrami"}
UNKNOWNS = {"inverse_burgers", "inverse_burgers_noise"}
SAMPLES = UNKNOWNS | {"inverse_field"}


@pytest.mark.parametrize("name", sorted(set(PROBLEMS) - BOUNDARY_DATA - SAMPLES))
def test_neither_network_nor_points_know_the_solution(name, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the solution was asked for")

    for function, _ in inspect.getmembers(exact_solutions, inspect.isfunction):
        if function != "regularised_lid":  # a condition of the cavity, not its solution
            monkeypatch.setattr(exact_solutions, function, refuse)
    problem = PROBLEMS[name]()
    pinn = problem.make()
    points = problem.points(0)
    assert np.isfinite(next(iter(pinn.residuals(points).values()))).all()


@pytest.mark.parametrize("name", sorted(BOUNDARY_DATA))
def test_values_of_the_solution_come_with_points_of_the_boundary_only(name):
    problem = PROBLEMS[name]()
    for _, points, others, target in sets_of_points(problem):
        assert not target.any()
        edge = np.zeros(len(next(iter(points.values()))), bool)
        for key, (lower, upper) in problem.box.bounds.items():
            ends = [lower] if key == "t" else [lower, upper]
            edge |= np.isin(points[key][:, 0], ends)
        assert edge.all() or not set(others) - {"n"}


@pytest.mark.parametrize("name", PROBLEMS)
def test_errors_are_measured_elsewhere_than_where_is_trained(name):
    problem = PROBLEMS[name]()
    tested = {tuple(row) for row in _rows(problem.grid, problem.box)}
    for _, points, _, _ in sets_of_points(problem):
        common = tested & {tuple(row) for row in _rows(points, problem.box)}
        assert not common


def _rows(points, box):
    return np.concatenate([points[name] for name in box.coordinates], axis=1).tolist()


def test_noise_is_one_percent():
    (places, clean), (_, noisy) = (PROBLEMS[name]().points(3) for name in sorted(UNKNOWNS))
    spread = np.std(noisy["samples"] - clean["samples"]) / np.std(clean["samples"])
    assert 0.0095 < spread < 0.0105
    assert len(places["samples"]["x"]) == 2000


# Errors and the runner ---------------------------------------------------------------------


class Scaled:
    """A model whose fields are the exact ones times a factor."""

    def __init__(self, problem, factor):
        self.problem, self.factor = problem, factor

    def predict_fields(self, points, names):
        exact = self.problem.exact(**points)
        assert names == ", ".join(exact)
        return {name: self.factor * values for name, values in exact.items()}


@pytest.mark.parametrize("name", sorted(set(PROBLEMS) - UNKNOWNS))
def test_the_error_is_the_relative_l2_error(name):
    problem = PROBLEMS[name]()
    few = {key: array[::50] for key, array in problem.grid.items()}
    problem = dataclasses.replace(problem, grid=few)
    assert problem.error(Scaled(problem, 1.0)) == 0.0
    assert problem.error(Scaled(problem, 1.01)) == pytest.approx(0.01)


def test_the_error_of_an_inverse_problem_is_that_of_its_unknowns():
    problem = PROBLEMS["inverse_burgers"]()
    pinn = problem.make()
    pinn.unknowns["c"].assign(1.01)
    pinn.unknowns["nu"].assign(0.98 * 0.01 / np.pi)
    assert problem.error(pinn) == pytest.approx(0.02)


def test_training_lowers_the_error():
    problem = PROBLEMS["poisson_1d"]()
    keras.utils.set_random_seed(0)
    pinn = problem.make()
    pinn.compile(kpinn.optimizers.ScipyMinimize("L-BFGS-B"), jit_compile=False)
    pinn.fit(problem.points(0), epochs=150, verbose=0)
    assert problem.error(pinn) < 1e-2


def test_a_training_returns_its_curve():
    problem, stages = PROBLEMS["poisson_1d"](), accuracy.OPTIMIZERS["adam_lbfgs"]
    run = accuracy.train(problem, stages, seed=0, seconds=4.0, jit_compile=False)
    seconds, errors, losses = zip(*run["curve"], strict=True)
    assert all(a < b for a, b in itertools.pairwise(seconds))
    assert len(seconds) <= 22 and seconds[-1] >= run["seconds"] >= 4.0
    assert run["iterations"] > accuracy.STEPS  # both stages ran
    assert errors[-1] == run["error"] < run["first_error"] and np.isfinite(losses).all()


def test_a_training_stops_at_the_target_where_that_is_asked_for(monkeypatch, tmp_path):
    """At its first record, after one epoch of Adam: the stage of L-BFGS does not begin."""
    easy = dataclasses.replace(PROBLEMS["poisson_1d"](), target=1e9)
    monkeypatch.setitem(PROBLEMS, "poisson_1d", lambda: easy)
    options = "--problems poisson_1d --optimizers adam_lbfgs --seeds 0 --seconds 8 --stop --json"
    file = tmp_path / "runs.json"
    monkeypatch.setattr(sys, "argv", ["accuracy.py", *options.split(), str(file)])
    accuracy.main()
    (run,) = json.loads(file.read_text())[0]["runs"]
    assert run["iterations"] == accuracy.STEPS
    assert [error for _, error, _ in run["curve"]] == [run["error"]] * 2


def test_the_time_of_measuring_does_not_count():
    clock = accuracy.Clock()
    before = clock.seconds
    assert clock.leave_out(lambda: time.sleep(0.3) or 7) == 7
    assert clock.seconds - before < 0.2


def test_the_row_has_medians():
    problem = PROBLEMS["poisson_1d"]()
    errors = 1e-12, 3e-11, 1.0
    runs = [{"parameters": 321, "iterations": 5, "seconds": 1, "error": each} for each in errors]
    expected = "poisson_1d", "321", "adam", "5", "1", "3.0e-11", "1e-10", "yes"
    assert accuracy.row(problem, "adam", runs) == expected


def test_curves_are_drawn(tmp_path):
    run, files = {"curve": [[1.0, 0.5, 0.1], [10.0, 1e-3, 1e-6]]}, []
    for optimizer in ("adam", "adam_lbfgs"):
        about = {"target": 1e-4, "optimizer": optimizer, "runs": [run, run]}
        results = [about | {"problem": name} for name in ("poisson_1d", "wave")]
        files.append(tmp_path / f"{optimizer}.json")
        files[-1].write_text(json.dumps(results))
    picture = tmp_path / "a" / "c.png"
    accuracy_curves.main([*map(str, files), "--output", str(picture)])
    assert picture.stat().st_size > 10_000
    figure = accuracy_curves.draw([each for file in files for each in json.loads(file.read_text())])
    assert [panel.get_title() for panel in figure.axes] == ["poisson_1d", "wave"]
    assert all(len(panel.get_lines()) == 2 * 3 + 1 for panel in figure.axes)


def test_lid_and_solutions_are_those_of_tensors_too():
    x = ops.convert_to_tensor(np.linspace(0, 1, 5)[:, None])
    np.testing.assert_allclose(exact_solutions.regularised_lid(x)[2], 1.0)


def test_a_row_of_floors():
    def run(curve):
        return {"parameters": 5, "seconds": curve[-1][0], "curve": curve}

    runs = [
        run([(1.0, 1e-3, 0.0), (2.0, 9e-5, 0.0), (8.0, 3e-7, 0.0)]),
        run([(1.0, 1e-5, 0.0), (4.0, 1e-9, 0.0), (6.0, 2e-9, 0.0)]),
        run([(3.0, 1e-1, 0.0), (7.0, 2e-6, 0.0)]),
    ]
    found = accuracy.floor_row(PROBLEMS["poisson_1d"](), "adam", runs)
    middle = ("7", "3.0e-07", "3.0e-07, 1.0e-09, 2.0e-06")
    assert found == ("poisson_1d", "5", "adam", *middle, "2", "8", "-", "-")
    assert len(found) == len(accuracy.FLOOR_HEAD)


@pytest.mark.parametrize("name", ["poisson_1d", "wave", "kovasznay"])
def test_random_features_take_the_place_of_a_network(name):
    (problem,) = accuracy.chosen_problems([name], 7)
    (layer,) = [x for x in all_layers(problem.make().network) if hasattr(x, "is_adapted")]
    assert layer.units == 7
    assert not list(accuracy.chosen_problems(["burgers"], 7))
