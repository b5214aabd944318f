"""`benchmarks/march.py`: evolution equations in windows of time."""

import dataclasses
import json
import pathlib
import sys

import keras
import numpy as np
import pytest

import kpinn
from kpinn.derivatives.keras_private import all_layers
from kpinn.domains import Box

sys.path.append(str(pathlib.Path(__file__).parents[1] / "benchmarks"))

import accuracy
import march
from accuracy_problems import PROBLEMS


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


def short_burgers(make=PROBLEMS["burgers"], end=0.1):
    """Burgers' equation, whose solution is known, until an early time."""
    problem = make()
    box = Box(t=(0, end), x=(0, 1))
    grid = Box(t=(0, end), x=(-1, 1)).sample({"t": 7, "x": 41}, "grid")
    return dataclasses.replace(problem, box=box, grid=grid)


@pytest.fixture
def scales(monkeypatch):
    """Scales that take no time."""

    def adapt(pinn, points):
        (layer,) = [x for x in all_layers(pinn.network) if hasattr(x, "is_adapted")]
        layer.set_scale([1.0, 5.0])

    monkeypatch.setattr(kpinn.PINN, "adapt", adapt)
    monkeypatch.setattr(march.March, "_with_other_scales", lambda self, points, loss: loss)


# What problems say ---------------------------------------------------------------------------


def test_walls_of_a_window_have_the_solution():
    problem = PROBLEMS["two_solitons"]()
    points = problem.evolution.data(1.5, 0.25)
    assert list(points) == [condition.__name__ for condition in problem.evolution.walls]
    for wall, place in (("left", 0.0), ("right", 20.0)):
        assert (points[wall]["x"] == place).all()
        assert points[wall]["t"].min() == 0.0 and points[wall]["t"].max() == 0.25
        exact = problem.exact(t=1.5 + points[wall]["t"], x=points[wall]["x"])
        np.testing.assert_array_equal(points[wall]["given"], exact["u"])


# Places that are stretched -------------------------------------------------------------------


def front(x, width=0.05):
    return np.tanh((x - 0.3) / width), 1.0 / (width * np.cosh((x - 0.3) / width) ** 2)


@pytest.mark.parametrize("period", [False, True])
def test_a_stretched_place_grows_as_the_density_and_keeps_the_ends(period):
    stretch = march.Stretch(-1.0, 2.0, period)
    middle = -1.0 + 3.0 * (np.arange(500) + 0.5) / 500
    density = march.density_of(*(v[:, None] for v in front(middle)), 3.0, period)
    assert density.max() > 3 * density.min() and abs(middle[density.argmax()] - 0.3) < 0.02

    x = np.linspace(-1.0, 2.0, 301)[:, None]
    stretch.build((None, 2))
    np.testing.assert_array_equal(stretch(np.concatenate([x, x], axis=1))[:, 1:], x)
    stretch.follow(density)
    places = np.asarray(stretch(np.concatenate([7.0 + x, x], axis=1)))
    np.testing.assert_array_equal(places[:, :1], 7.0 + x)
    np.testing.assert_allclose(places[[0, -1], 1], [-1.0, 2.0], atol=1e-12)
    slopes = np.diff(places[:, 1]) / np.diff(x[:, 0])
    expected = np.interp(x[:-1, 0] + 0.005, middle, density / density.mean())
    assert np.abs(slopes / expected - 1).max() < 0.1

    parts = (places[:, 1:] + 1.0) / 3.0
    np.testing.assert_allclose(stretch.inverse(parts), x, atol=1e-6)


def test_where_fields_hardly_change_the_density_is_even():
    x = (np.arange(400)[:, None] + 0.5) / 400
    density = march.density_of(np.sin(x), np.cos(x), 1.0, period=False)
    assert density.max() / density.min() < 1.2


# Windows -------------------------------------------------------------------------------------


def test_windows_reach_a_solution_that_is_known(scales):
    keras.utils.set_random_seed(0)
    problem = short_burgers()
    solution = march.March(problem, 2, 60, seed=0, jit_compile=False)
    compiled = solution.pinn, solution.guess
    solution.run(accuracy.Clock(), seconds=1e9)
    assert len(solution.kept) == len(solution.losses) == 2
    assert (solution.pinn, solution.guess) == compiled
    assert problem.error(solution) < 1e-5

    # each time by the weights of its window, the next one where two meet
    x = np.linspace(-1.0, 1.0, 41)[:, None]
    values = [solution.predict_fields({"t": 0 * x + t, "x": x}, "u")["u"] for t in (0.05, 0.025)]
    np.testing.assert_array_equal(
        solution.pinn.predict_fields({"t": 0 * x, "x": x}, "u")["u"], values[0]
    )
    solution.pinn.network.set_weights(solution.kept[0])
    end = solution.pinn.predict_fields({"t": 0 * x + 0.05, "x": x}, "u")["u"]
    np.testing.assert_allclose(end, values[0], atol=1e-5)
    assert np.abs(values[1] - values[0]).max() > 1e-2


def test_other_scales_are_tried_where_residuals_have_grown(monkeypatch):
    """In the first window and in the third: of the time, then of the place, up and down."""
    losses = [5.0, 6.0, 1.0, 0.9, 2.0, 0.5, 0.4]  # slower in both is better, but once only
    losses += [49.0, 51.0, 10.0, 4.0, 3.0, 6.0, 3.0, 5.0, 390.0]  # faster is better, twice
    scales = []

    def fit(self, points):
        scales.append(np.asarray(self.layer.scale).copy())
        return losses[len(scales) - 1]

    monkeypatch.setattr(kpinn.PINN, "adapt", lambda pinn, points: None)
    monkeypatch.setattr(march.March, "_fit", fit)
    solution = march.March(short_burgers(), 4, 10, seed=0, jit_compile=False)
    solution.layer.set_scale([1.0, 8.0])
    solution.run(accuracy.Clock(), seconds=1e9)
    assert solution.losses == [0.5, 49.0, 4.0, 390.0] and len(scales) == len(losses)
    f = march.FACTOR
    slow, place = [1.0, f, 1 / f, f**-2, 1 / f, 1 / f, 1 / f], [8.0] * 4 + [8 * f, 8 / f, 8 * f**-2]
    np.testing.assert_allclose(scales[:7], np.transpose([slow, place]))
    fast = [1 / f, 1 / f, 1.0, f, f**2, 1.0, f, f, f]
    place = [8 / f] * 6 + [8.0, 8 * f**-2, 8 / f]
    np.testing.assert_allclose(scales[7:], np.transpose([fast, place]))


def test_a_march_whose_time_is_up_keeps_what_it_has(scales, monkeypatch, tmp_path):
    monkeypatch.setitem(PROBLEMS, "burgers", short_burgers)
    options = "--problems poisson_1d burgers --march 3 --features 30 --seeds 0 --short --json"
    file = tmp_path / "runs.json"
    monkeypatch.setattr(sys, "argv", ["accuracy.py", *options.split(), str(file)])
    accuracy.main()
    (found,) = json.loads(file.read_text())  # the first problem does not evolve
    (run,) = found["runs"]
    assert (found["problem"], found["optimizer"]) == ("burgers", "march")
    assert 0 < run["iterations"] <= march.STEPS and run["parameters"] > 30
    ((seconds, error, loss),) = run["curve"]
    assert seconds == run["seconds"] > 0 and error == run["error"] and loss < 1e-2
    assert 1e-2 < error < 1.0  # later times have the fields of the first window's end
