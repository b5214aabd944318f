"""Conditions on the same points: one propagation, the same numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kpinn
from kpinn.optimizers import LevenbergMarquardt, ScipyMinimize, SSBroyden
from kpinn.problem.points import Data, sets_of
from kpinn.problem.problem import Problem
from kpinn.problem.streams import as_dataset

BOX = kpinn.domains.Box(x=(0, 1), y=(0, 1))
INSIDE = BOX.sample(40, seed=0)
ORDER = np.random.default_rng(0).permutation(40)
PERMUTED = {name: array[ORDER] for name, array in INSIDE.items()}
EDGE = BOX.boundary().sample(12, seed=1)
TOGETHER, WALLS = ("momentum", "continuity"), ("walls",)
SEEN = []  # names of the conditions that were evaluated on one set of points


@pytest.fixture(autouse=True)
def seen(monkeypatch):
    """Which conditions share a propagation is nothing that a public name tells."""

    def residuals_at(self, names, arrays, step=0):
        SEEN.append(names)
        return original(self, names, arrays, step)

    original = Problem.residuals_at
    monkeypatch.setattr(Problem, "residuals_at", residuals_at)
    SEEN.clear()


class Flow(kpinn.PINN):
    coordinates, fields = "x y", "u v p"

    @kpinn.condition
    def momentum(self, u, v, u_x, u_y, p_x, laplacian_u):
        return u * u_x + v * u_y + p_x - laplacian_u / 20

    @kpinn.condition
    def walls(self, u, v, given):
        return u - given * v

    @kpinn.condition
    def continuity(self, u_x, v_y):
        return u_x + v_y


def flow(optimizer="adam", **compile_arguments):
    keras.utils.set_random_seed(0)
    pinn = Flow(kpinn.networks.MLP(units=6, depth=1, outputs=3))
    pinn.compile(optimizer, jit_compile=False, **compile_arguments)
    return pinn


def points(same):
    """With the same points twice, or with the same in another order: the same mean squares."""
    walls = EDGE | {"given": EDGE["x"]}
    return {"momentum": INSIDE, "walls": walls, "continuity": INSIDE if same else PERMUTED}


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


# With a tolerance: the pressure is known but for a constant, so that rounding changes steps that
# take the least damping they can.
OPTIMIZERS = {
    "sgd": (lambda: keras.optimizers.SGD(0.01), 1e-12),
    "ssbroyden": (SSBroyden, 1e-9),
    "levenberg_marquardt": (lambda: LevenbergMarquardt(damping=1.0), 1e-5),
    "lbfgs": (lambda: ScipyMinimize("L-BFGS-B"), 1e-9),
    "newton": (lambda: ScipyMinimize("Newton-CG"), 1e-9),
}

IN_EAGER_MODE = ("sgd", "ssbroyden", "lbfgs")  # one for each loop; the others with the slow tests


@pytest.mark.parametrize(
    "name, eager",
    [
        pytest.param(name, eager, marks=[pytest.mark.slow] * (eager and name not in IN_EAGER_MODE))
        for name in OPTIMIZERS
        for eager in (False, True)
    ],
)
def test_every_optimizer_sees_common_points(name, eager):
    make, tolerance = OPTIMIZERS[name]
    losses, seen = [], []
    for same in (True, False):
        pinn = flow(make(), run_eagerly=eager)
        losses.append(pinn.fit(points(same), verbose=0).history["loss"])
        seen.append(set(SEEN))
        SEEN.clear()
    np.testing.assert_allclose(*losses, rtol=tolerance)
    assert TOGETHER in seen[0] and not {("momentum",), ("continuity",)} & seen[0]
    assert TOGETHER not in seen[1]


def test_equal_arrays_are_common_points_too():
    pinn = flow()
    copies = {name: dict(arrays) for name, arrays in points(True).items()}
    copies["continuity"] = {name: np.array(array) for name, array in INSIDE.items()}
    pinn.fit(copies, verbose=0)
    assert TOGETHER in SEEN


def test_mini_batches_of_common_points_are_common():
    pinn = flow()
    pinn.fit(points(True), batch_size=16, epochs=2, verbose=0)
    assert TOGETHER in SEEN
    assert ("momentum",) not in SEEN


@pytest.mark.parametrize("same", [True, False])
def test_a_dataset_is_trained_on_as_well(same):
    pinn = flow(keras.optimizers.SGD(0.01))
    arrays = flow(keras.optimizers.SGD(0.01))
    dataset = as_dataset(pinn.prepare(points(same)))
    found = pinn.fit(dataset, steps_per_epoch=1, epochs=2, verbose=0).history["loss"]
    expected = arrays.fit(points(same), epochs=2, verbose=0).history["loss"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_rows_of_the_jacobian_keep_the_order_of_the_conditions():
    pinn, back = flow(), np.argsort(ORDER)
    matrix, residuals = kpinn.jacobian(pinn, points(True))
    assert TOGETHER in SEEN
    others, expected = kpinn.jacobian(pinn, points(False))
    rows = np.concatenate([np.arange(52), 52 + back])
    np.testing.assert_allclose(matrix, others[rows], rtol=0, atol=1e-13)
    np.testing.assert_allclose(residuals, expected[rows], rtol=0, atol=1e-13)


def test_residuals_keep_the_order_of_the_conditions():
    pinn, back = flow(), np.argsort(ORDER)
    found, separate = pinn.residuals(points(True)), pinn.residuals(points(False))
    assert list(found) == ["momentum", "walls", "continuity"]
    separate["continuity"] = separate["continuity"][back]
    for name, values in found.items():
        np.testing.assert_allclose(values, separate[name], rtol=0, atol=1e-13)


def test_losses_that_are_no_squares_on_common_points():
    losses = []
    for same in (True, False):
        pinn = flow(LevenbergMarquardt(damping=1.0), loss={"momentum": "huber"})
        losses.append(pinn.fit(points(same), epochs=2, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_targets_and_weights_belong_to_their_condition():
    weights, targets = np.linspace(0, 1, 40), np.linspace(1, 2, 40)
    losses = []
    for same in (True, False):
        order = slice(None) if same else ORDER
        extra = {"y": {"continuity": targets[order]}}
        extra["sample_weight"] = {"continuity": weights[order]}
        pinn = flow(keras.optimizers.SGD(0.01))
        losses.append(pinn.fit(points(same), **extra, epochs=2, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-12)


def test_which_sets_are_one():
    conditions = [kpinn.condition(_residual(name)) for name in "abcde"]
    pinn = kpinn.PINN(kpinn.networks.MLP(units=2, depth=1), "x y", "u", conditions)
    x, y, z = (tf.constant([float(i)]) for i in range(3))
    sets = {
        "e": {"x": x, "y": y, "h": z},
        "a": {"x": x, "y": y},
        "b": {"x": x, "y": y, "g": z},
        "c": {"x": x, "y": y, "g": x},  # another g
        "d": {"x": x, "y": z},
    }
    found = sets_of(pinn.problem, sets)
    assert [names for names, _ in found] == [("a", "b", "e"), ("c",), ("d",)]
    assert found[0][1] == {"x": x, "y": y, "g": z, "h": z}
    assert sets["a"].keys() == {"x", "y"}
    assert sets_of(pinn.problem, sets["a"]) == [(tuple("abcde"), sets["a"])]


def _residual(name):
    def residual(u):
        return u

    residual.__name__ = name
    return residual


def test_a_compiled_function_sees_what_is_the_same():
    x, y, weights = tf.ones((3, 1)), tf.zeros((3, 1)), tf.ones((3, 1))
    traces = []

    @tf.function
    def total(data):
        traces.append(data.points["a"]["x"] is data.points["b"]["x"])
        return tf.add_n(tf.nest.flatten(data))

    sets = {"b": {"x": x}, "a": {"x": x}}
    for _ in range(2):
        assert total(Data(sets, {}, {"a": weights})).numpy().tolist() == [[2.0]] * 3
    assert total(Data(sets | {"a": {"x": y}}, {}, {"a": weights})).numpy().tolist() == [[2.0]] * 3
    assert traces == [True, False]

    data = tf.nest.map_structure(lambda tensor: tensor + 1.0, Data(sets, {"b": y}, {}))
    assert data.points["a"]["x"] is data.points["b"]["x"]
    assert list(data.points) == ["b", "a"]
    assert data.targets["b"].numpy().tolist() == [[1.0]] * 3
    assert data.sample_weight == {}


@pytest.mark.parametrize("shared", [True, False])
def test_common_points_stay_common_where_residuals_draw_them(shared):
    candidates = BOX.sample(200, seed=5)

    def sampler(seed):
        own = candidates if shared else BOX.sample(200, seed=6)
        return {"momentum": candidates, "continuity": own}

    pinn = flow()
    dense = kpinn.callbacks.ResidualSampling(sampler, every=1)
    pinn.fit(points(True), epochs=2, verbose=0, callbacks=[dense])
    drawn = pinn.training_points
    same = drawn["momentum"]["x"] is drawn["continuity"]["x"]
    assert same == shared
    assert set(np.ravel(drawn["momentum"]["x"])) < set(np.ravel(candidates["x"]))
    assert len(drawn["walls"]["x"]) == 12


def test_points_that_differ_are_drawn_one_by_one_from_common_candidates():
    candidates, other = BOX.sample(200, seed=5), BOX.sample(25, seed=7)
    pinn = flow()
    dense = kpinn.callbacks.ResidualSampling(
        lambda seed: dict.fromkeys(TOGETHER, candidates), every=1
    )
    pinn.fit(points(True) | {"continuity": other}, epochs=2, verbose=0, callbacks=[dense])
    drawn = {name: np.ravel(pinn.training_points[name]["x"]) for name in TOGETHER}
    assert {name: len(x) for name, x in drawn.items()} == {"momentum": 40, "continuity": 25}
    assert all(set(x) < set(np.ravel(candidates["x"])) for x in drawn.values())


def test_residuals_of_all_conditions_draw_common_points():
    """Candidates lie where one or the other residual is large, the two counting the same."""

    def left(x, u):
        return 1e3 * tf.cast(x < 0.25, u.dtype) + 0.0 * u

    def right(x, u):
        return tf.cast(x > 0.75, u.dtype) + 0.0 * u

    pinn = kpinn.PINN(kpinn.networks.MLP(units=4, depth=1), "x", "u", [left, right])
    pinn.compile("adam", jit_compile=False)
    inside = {"x": np.linspace(0, 1, 50)}
    dense = kpinn.callbacks.ResidualSampling(
        lambda seed: dict.fromkeys(("left", "right"), {"x": np.linspace(0, 1, 1_000)}),
        every=1,
        constant=0.0,
    )
    pinn.fit(dict.fromkeys(("left", "right"), inside), epochs=2, verbose=0, callbacks=[dense])
    x = np.ravel(pinn.training_points["left"]["x"])
    assert ((x < 0.25) | (x > 0.75)).all()
    assert 10 <= (x < 0.25).sum() <= 40
