"""Sets of points that grow, that release points, and that are drawn by importance."""

import math
import types

import keras
import numpy as np
import pytest
from keras import ops
from problems import Formula

import kpinn
from kpinn.callbacks import ImportanceSampling, ResidualSampling, RetainResampleRelease

GRID = np.linspace(0.0, 1.0, 1001)
START = np.linspace(0.0, 1.0, 20)


def peak(x):
    return ops.exp(-((x - 0.5) ** 2) / 0.005)


def first(u):
    return u


def second(u):
    return 2.0 * u


def fit(callback, points=None, epochs=2, conditions=(first,), optimizer=None, **arguments):
    """Trains a network that is a peak and stays so; returns a `Seen` and the history."""
    seen, points = Seen(), {"first": {"x": START}} if points is None else points
    optimizer = keras.optimizers.SGD(0.0) if optimizer is None else optimizer
    pinn = kpinn.PINN(Formula(peak, dtype="float64"), "x", "u", conditions=list(conditions))
    pinn.compile(optimizer, jit_compile=False)
    history = pinn.fit(points, epochs=epochs, verbose=0, callbacks=[callback, seen], **arguments)
    seen.pinn = pinn
    return seen, history.history


class Seen(keras.callbacks.Callback):
    """Remembers the points and weights of each epoch, of one condition.

    Weights that callbacks have set have no public name.
    """

    def __init__(self):
        super().__init__()
        self.points, self.weights = [], []

    def on_epoch_end(self, epoch, logs=None):
        data = self.model._state.training_data
        points = data.points
        points = points if "x" in points else points["first"]
        self.points.append(np.ravel(points["x"]))
        self.weights.append(np.ravel(data.sample_weight.get("first", ())))


def grid(seed):
    return {"first": {"x": GRID}}


def residual(x):
    return np.exp(-((x - 0.5) ** 2) / 0.005)


# Sets that grow --------------------------------------------------------------------------------


def test_a_set_grows_and_its_loss_is_the_mean_over_its_points():
    dense = ResidualSampling(grid, every=1, exponent=2.0, constant=0.0, add=15)
    seen, history = fit(dense, epochs=5)
    counts = [20, 35, 50, 65, 80]
    assert [len(points) for points in seen.points] == [20, 40, 80, 80, 80]
    for count, points, weights, loss in zip(
        counts, seen.points, seen.weights, history["loss"], strict=True
    ):
        np.testing.assert_array_equal(points[:20], START)
        assert loss == pytest.approx(np.mean(residual(points[:count]) ** 2), rel=1e-12)
        if len(weights):
            assert (weights[:count] > 0).all() and not weights[count:].any()
    new = seen.points[-1][20:]
    assert np.mean(np.abs(new - 0.5) < 0.1) > 0.9  # where a fifth of the candidates are
    np.testing.assert_array_equal(np.ravel(seen.pinn.training_points["first"]["x"])[:20], START)


def test_spare_rows_are_gone_at_the_end():
    seen, _ = fit(ResidualSampling(grid, every=1, add=15), epochs=3)
    points = seen.pinn.training_points["first"]["x"]
    assert len(points) == 50 and len(seen.points[-1]) == 80
    assert not seen.pinn._state.training_data.sample_weight


def test_the_largest_residuals_are_added():
    dense = ResidualSampling(grid, every=1, exponent=math.inf, add=7)
    seen, _ = fit(dense, epochs=2)
    np.testing.assert_allclose(np.sort(seen.points[1][20:27]), GRID[497:504])


@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight"])
def test_sums_and_weighted_means_are_those_of_the_points(reduction):
    dense, seen = ResidualSampling(grid, every=1, add=9), Seen()
    pinn = kpinn.PINN(Formula(peak, dtype="float64"), "x", "u", conditions=[first])
    loss = keras.losses.MeanSquaredError(reduction=reduction)
    pinn.compile(keras.optimizers.SGD(0.0), loss=loss, jit_compile=False)
    history = pinn.fit({"x": START}, epochs=2, verbose=0, callbacks=[shared(dense), seen])
    total = np.sum(residual(seen.points[1][:29]) ** 2)
    expected = total if reduction == "sum" else total / 29
    assert history.history["loss"][1] == pytest.approx(expected, rel=1e-12)


def shared(callback):
    callback.sampler = lambda seed: {"x": GRID}
    return callback


def test_conditions_with_common_points_grow_together():
    dense = ResidualSampling(lambda seed: {"x": GRID}, every=1, add=9)
    seen, history = fit(dense, {"x": START}, 3, (first, second))
    assert len(seen.points[-1]) == 40
    np.testing.assert_allclose(history["second"], 4.0 * np.array(history["first"]))
    dense = ResidualSampling(lambda seed: dict.fromkeys(("first", "second"), {"x": GRID}), 1, add=9)
    points = dict.fromkeys(("first", "second"), {"x": START})
    seen, again = fit(dense, points, 3, (first, second))
    np.testing.assert_allclose(again["loss"], history["loss"])
    both = seen.pinn.training_points
    assert both["first"]["x"] is both["second"]["x"] and len(both["first"]["x"]) == 38


def test_a_growing_set_has_few_traces():
    """One for each doubling, where each size had one."""
    traces, counts = [], []

    def traced(u):
        traces.append(None)
        return u

    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: counts.append(len(traces)))
    dense = ResidualSampling(lambda seed: {"x": GRID}, every=1, add=5)
    pinn = kpinn.PINN(Formula(peak), "x", "u", conditions=[traced])
    pinn.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    pinn.fit({"x": START}, epochs=26, verbose=0, callbacks=[dense, count])
    assert len(pinn.training_points["x"]) == 145
    changes = np.flatnonzero(np.diff(counts)) + 1  # epochs with another number of rows
    assert list(changes) == [1, 5, 13]  # 40, 80, 160 rows


def test_a_set_grows_in_batches_and_with_curvature():
    dense = ResidualSampling(grid, every=1, add=15)
    _, history = fit(dense, epochs=3, batch_size={"first": 10})
    assert np.isfinite(history["loss"]).all()
    dense = ResidualSampling(grid, every=2, add=15)
    lm = kpinn.optimizers.LevenbergMarquardt()
    seen, history = fit(dense, epochs=4, optimizer=lm)
    assert len(seen.pinn.training_points["first"]["x"]) == 35
    assert history["loss"][-1] < 1e-3 * history["loss"][0] or history["loss"][-1] < 1e-12


def test_points_that_another_callback_has_replaced_grow_from_there():
    class Other(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.replace_points({"first": {"x": np.linspace(0, 1, 11)}})

    dense = ResidualSampling(grid, every=1, add=15)
    pinn = kpinn.PINN(Formula(peak), "x", "u", conditions=[first])
    pinn.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    pinn.fit({"first": {"x": START}}, epochs=3, verbose=0, callbacks=[Other(), dense])
    assert len(pinn.training_points["first"]["x"]) == 26


# Retain, resample, release ---------------------------------------------------------------------


def uniform(seed):
    return {"first": {"x": np.random.default_rng(seed).uniform(0, 1, 20)}}


def test_points_above_the_average_residual_are_retained_and_others_are_fresh():
    seen, _ = fit(RetainResampleRelease(uniform), epochs=6)
    for epoch in range(1, 6):
        before, now = set(seen.points[epoch - 1]), set(seen.points[epoch])
        sizes = residual(seen.points[epoch - 1])
        large = set(seen.points[epoch - 1][sizes > sizes.mean()])
        assert len(seen.points[epoch]) == 20
        assert large and before & now == large
        assert now - large <= set(uniform(epoch)["first"]["x"])
    assert np.mean(np.abs(seen.points[5] - 0.5) < 0.1) > 0.4  # they gather


def test_a_set_that_releases_points_has_one_trace():
    traces, counts = [], []

    def traced(u):
        traces.append(None)
        return u

    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: counts.append(len(traces)))
    pinn = kpinn.PINN(Formula(peak), "x", "u", conditions=[traced])
    pinn.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    release = RetainResampleRelease(lambda seed: uniform(seed)["first"])
    pinn.fit({"x": START}, epochs=6, verbose=0, callbacks=[release, count])
    assert counts[1] == counts[-1]


def test_there_must_be_enough_fresh_points():
    few = RetainResampleRelease(lambda seed: {"first": {"x": [0.1, 0.2]}})
    with pytest.raises(ValueError, match="RetainResampleRelease gives 2 candidates for"):
        fit(few)


# Importance sampling ---------------------------------------------------------------------------


def test_the_weighted_loss_has_the_mean_over_candidates_as_its_expectation():
    draw = ImportanceSampling(grid, every=1)
    seen, history = fit(draw, epochs=401)
    exact = np.mean(residual(GRID) ** 2)
    found = np.array(history["loss"][1:])
    error = found.std() / math.sqrt(len(found))
    assert abs(found.mean() - exact) < 4 * error
    assert found.std() < 0.1 * exact  # 20 uniform points have about 0.5
    for x, weights, loss in zip(seen.points[1:4], seen.weights[1:4], found[:3], strict=True):
        assert loss == pytest.approx(np.mean(weights * residual(x) ** 2), rel=1e-12)
        assert weights.max() <= 2.0 and np.abs(x - 0.5).min() < 0.02


@pytest.mark.parametrize("value", [lambda x: np.ones_like(x), lambda x: x, np.cos])
def test_other_means_are_unbiased_too(value):
    draw = ImportanceSampling(grid, every=1, exponent=1.0, constant=0.3)
    seen, _ = fit(draw, epochs=301)
    pairs = zip(seen.points[1:], seen.weights[1:], strict=True)
    means = np.array([np.mean(weights * value(x)) for x, weights in pairs])
    error = max(means.std() / math.sqrt(len(means)), 1e-12)
    assert abs(means.mean() - np.mean(value(GRID))) < 4 * error


def test_importance_of_common_points_in_one_trace():
    draw = ImportanceSampling(lambda seed: {"x": GRID}, every=1)
    seen, history = fit(draw, {"x": START}, 4, (first, second))
    np.testing.assert_allclose(history["second"], 4.0 * np.array(history["first"]))
    assert all(len(weights) == 20 for weights in seen.weights)
    np.testing.assert_array_equal(seen.weights[0], 1.0)


@pytest.mark.parametrize("kind", [ResidualSampling, RetainResampleRelease, ImportanceSampling])
def test_conditions_with_targets_stay_beside_tables_of_candidates(kind):
    callback = kind(lambda seed: {"first": types.MappingProxyType({"x": GRID})}, every=1)
    points = {"first": {"x": START}, "second": {"x": START[:3]}}, {"second": np.ones(3)}
    seen, _ = fit(callback, points, 2, (first, second))
    assert not np.array_equal(seen.points[1], START)
    np.testing.assert_array_equal(np.ravel(seen.pinn.training_points["second"]["x"]), START[:3])


# What is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: ResidualSampling(grid, add=0), "add is a positive whole number"),
        (lambda: ResidualSampling(grid, exponent=-math.inf), "exponent"),
        (lambda: ImportanceSampling(grid, constant=0.0), "constant is a positive number"),
        (lambda: ImportanceSampling(grid, exponent=math.inf), "exponent"),
        (lambda: ImportanceSampling(None), "sampler is a function"),
        (lambda: RetainResampleRelease(3), "sampler is a function"),
        (lambda: RetainResampleRelease(grid, every=0), "every is a positive whole number"),
    ],
)
def test_arguments_that_cannot_be(make, error):
    with pytest.raises(ValueError, match=error):
        make()


@pytest.mark.parametrize("kind", [ResidualSampling, RetainResampleRelease, ImportanceSampling])
@pytest.mark.parametrize("what", ["targets", "sample weights"])
def test_points_with_targets_and_weights_are_refused(kind, what):
    arrays = {"first": np.ones(20)}
    points = ({"first": {"x": START}}, *((arrays,) if what == "targets" else (None, arrays)))
    with pytest.raises(
        ValueError, match=f"{kind.__name__} draws points of 'first', which has {what}"
    ):
        fit(kind(grid, every=1), points)
