"""The problems of `benchmarks/accuracy_problems`: equations, points, errors and the runner.

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
import numpy as np
import pytest
from keras import ops

import kpinn
from kpinn.derivatives.keras_private import all_layers

sys.path.append(str(pathlib.Path(__file__).parents[1] / "benchmarks"))

import accuracy
import accuracy_curves
import exact_solutions
from accuracy_problems import PROBLEMS
from differences import derivative

STEPS = {"two_solitons": 5e-3, "wave": 1e-3, "burgers": 5e-4, "burgers_sharp": 3e-4}
STEPS |= {"inverse_burgers": 3e-4, "inverse_burgers_noise": 3e-4, "poisson_5d": 1e-2}
ONE_OF_TWO = {"kovasznay", "beltrami", "inverse_field"}  # have fields that are not compared
REFLECTED = {"burgers": -1, "burgers_sharp": -1}  # at x = 0: odd, or even
REFLECTED |= {"allen_cahn": 1, "nls": 1, "nls_wide": 1}
COUNT = 25  # points of a condition


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


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


BY_FOURIER = {
    "allen_cahn",
    "kdv_zabusky_kruskal",
    "kuramoto_sivashinsky",
    "kuramoto_sivashinsky_short",
    "nls",
    "nls_wide",
}
NODES = {"allen_cahn": 1 / 4096, "nls": 10 / 512, "nls_wide": 30 / 512}  # their distances
CLOSED = [
    name
    for name in PROBLEMS
    if name not in BY_FOURIER and not name.startswith(("cavity", "buckley"))
]


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
    ("kdv_zabusky_kruskal", {"t": 0}, "u"),
    ("kuramoto_sivashinsky", {"t": 0}, "u"),
    ("nls", {"t": 0}, "u v"),
    ("nls_wide", {"t": 0}, "u v"),
    *(("nonlinear_poisson", face, "u") for face in ({"x": 0}, {"x": 1}, {"y": 0}, {"y": 1})),
    *(("cavity", face, "u v") for face in ({"x": 0}, {"x": 1}, {"y": 0}, {"y": 1})),
    ("cavity_parabolic", {"y": 1}, "u v"),
]


@pytest.mark.parametrize(("name", "face", "fields"), HARD)
def test_conditions_that_are_built_in_hold_before_training(name, face, fields):
    problem = PROBLEMS[name]()
    points = problem.box.face(**face)
    points = points.sample(10 if name != "damped_oscillator" else 1, seed=0)
    points = {key: points[key] for key in problem.box.coordinates}
    if name in NODES:  # between them, waves that are left out make a difference near a kink
        points["x"] = np.round(0.9 * points["x"] / NODES[name]) * NODES[name]
    exact = problem.exact(**points)
    found = problem.make().predict_fields(points, ", ".join(fields.split()))
    for each in fields.split():
        expected = 0.0 if each == "u_t" else exact[each]
        np.testing.assert_allclose(found[each], expected * np.ones_like(found[each]), atol=1e-9)


@pytest.mark.parametrize(
    ("name", "period", "fields"),
    [
        ("helmholtz", 2, "u u_x"),
        ("burgers", 2, "u u_x"),
        ("burgers_sharp", 2, "u u_x"),
        ("allen_cahn", 2, "u"),
        ("kdv_zabusky_kruskal", 2, "u u_x"),
        ("kuramoto_sivashinsky", 2 * np.pi, "u u_x"),
        ("nls", 10, "u v"),
        ("nls_wide", 30, "u v"),
    ],
)
def test_networks_are_periodic(name, period, fields):
    problem = PROBLEMS[name]()
    pinn = problem.make()
    end = problem.box.face(x=problem.box.bounds["x"][1]).sample(30, seed=0)
    ends = end | {"x": end["x"] - period}, end
    left, right = (pinn.predict_fields(end, fields.split()) for end in ends)
    for each in fields.split():
        np.testing.assert_allclose(left[each], right[each], atol=1e-12)


@pytest.mark.parametrize(("name", "sign"), REFLECTED.items())
def test_networks_are_reflected_as_the_solution_is(name, sign):
    problem = PROBLEMS[name]()
    points = {key: values[50::487] for key, values in problem.grid.items()}
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


@pytest.mark.parametrize("name", [name for name in PROBLEMS if PROBLEMS[name]().evolution])
def test_an_evolution_in_windows_starts_as_the_solution_does(name):
    problem = PROBLEMS[name]()
    first = {key: array[problem.grid["t"][:, 0] == 0.0] for key, array in problem.grid.items()}
    exact = np.concatenate(list(problem.exact(**first).values()), axis=1)
    np.testing.assert_allclose(problem.evolution.start(first["x"]), exact, rtol=0, atol=2e-4)
    assert problem.evolution.equation.__name__ in problem.make().conditions


BOUNDARY_DATA = {"kovasznay", "two_solitons", "beltrami"}
UNKNOWNS = {"inverse_burgers", "inverse_burgers_noise"}
SAMPLES = UNKNOWNS | {"inverse_field"}


@pytest.mark.parametrize("name", sorted(set(PROBLEMS) - BOUNDARY_DATA - SAMPLES))
def test_neither_network_nor_points_know_the_solution(name, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the solution was asked for")

    for function, _ in inspect.getmembers(exact_solutions, inspect.isfunction):
        if not function.endswith("_lid"):  # a condition of the cavity, not its solution
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
    assert not list(accuracy.chosen_problems(["inverse_burgers"], 7))


def test_networks_for_many_coordinates_take_the_place_of_a_network():
    (problem,) = accuracy.chosen_problems(["poisson_5d"], 7, interactions=2)
    (layer,) = [x for x in all_layers(problem.make().network) if hasattr(x, "is_adapted")]
    assert layer.units == 7 and layer.interactions == 2
    (problem,) = accuracy.chosen_problems(["poisson_5d"], rank=6)
    ranks = [x.rank for x in all_layers(problem.make().network) if hasattr(x, "rank")]
    assert ranks == [6]
