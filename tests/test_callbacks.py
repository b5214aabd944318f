"""Points and weights that change while `fit` goes on."""

import keras
import numpy as np
import pytest
from problems import BOX, Formula, heat_points, small_heat

import kpinn
from kpinn.callbacks import Resample, ResidualSampling, ResidualWeights
from kpinn.optimizers import LevenbergMarquardt, ScipyMinimize, SSBroyden


class Seen(keras.callbacks.Callback):
    """Keeps the points of a condition in every epoch."""

    def __init__(self, condition, name="x"):
        super().__init__()
        self.condition, self.name, self.points = condition, name, []

    def on_epoch_end(self, epoch, logs=None):
        points = self.model.training_points
        points = points if self.condition is None else points[self.condition]
        self.points.append(points[self.name].numpy().ravel())


def sample(seed):
    return {"heat": BOX.sample(20, seed=seed)}


def compiled(optimizer="adam", **settings):
    pinn = small_heat()
    pinn.compile(optimizer, **settings)
    return pinn


@pytest.mark.parametrize("optimizer", ["adam", SSBroyden(), LevenbergMarquardt()])
def test_fresh_points_every_so_many_epochs(optimizer):
    pinn, seen, start = compiled(optimizer), Seen("heat"), Seen("start")
    pinn.fit(heat_points(), epochs=7, verbose=0, callbacks=[Resample(sample, 3), seen, start])
    changes = [not np.array_equal(a, b) for a, b in zip(seen.points, seen.points[1:], strict=False)]
    assert changes == [False, False, True, False, False, True]
    for epoch in (3, 6):
        expected = sample(epoch)["heat"]["x"].ravel()
        np.testing.assert_allclose(seen.points[epoch], expected, rtol=1e-6)
    assert all(np.array_equal(points, start.points[0]) for points in start.points)


@pytest.mark.parametrize("optimizer", [SSBroyden(), LevenbergMarquardt()])
def test_the_logged_loss_is_that_of_the_new_points(optimizer):
    kpinn.set_float64()
    pinn, losses = compiled(optimizer), []

    class Evaluated(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            points = self.model.training_points
            values = self.model.evaluate(points, verbose=0, return_dict=True)
            losses.append((logs["loss"], values["loss"]))

    pinn.fit(heat_points(), epochs=6, verbose=0, callbacks=[Resample(sample, 2), Evaluated()])
    for logged, expected in losses:
        assert logged == pytest.approx(expected, rel=1e-9)


def test_targets_and_weights_go_with_their_points():
    def draw(seed):
        points = BOX.sample(20, seed=seed)
        return {"heat": points}, {"heat": np.full(20, 5.0)}, {"heat": np.full(20, 2.0)}

    kpinn.set_float64()
    pinn = compiled(keras.optimizers.SGD(0.0))
    weights = {"start": np.linspace(1, 2, len(heat_points()["start"]["x"]))}
    history = pinn.fit(
        (heat_points(), None, weights), epochs=2, verbose=0, callbacks=[Resample(draw)]
    )
    residuals = pinn.residuals(draw(1)[0])["heat"]
    expected = np.mean(2.0 * (residuals - 5.0) ** 2)
    assert history.history["heat"][1] == pytest.approx(expected, rel=1e-9)
    assert history.history["start"][1] == pytest.approx(history.history["start"][0], rel=1e-12)


def peak(x):
    return keras.ops.exp(-((x - 0.5) ** 2) / 0.005)


def peaked(conditions=1):
    """A PINN whose residual is a narrow peak at 0.5."""

    def first(u):
        return u

    def second(u):
        return 2 * u

    pinn = kpinn.PINN(Formula(peak), "x", "u", [first, second][:conditions])
    pinn.compile(keras.optimizers.SGD(0.0))
    return pinn


def grid(seed):
    return {"x": np.linspace(0, 1, 1001)}


@pytest.mark.parametrize("shared", [True, False])
def test_points_are_dense_where_the_residual_is_large(shared):
    pinn, seen = peaked(), Seen(None if shared else "first")
    points = {"x": np.linspace(0, 1, 200)}
    sampler = grid if shared else lambda seed: {"first": grid(seed)}
    points = points if shared else {"first": points}
    dense = ResidualSampling(sampler, every=1, constant=0.5)
    pinn.fit(points, epochs=2, verbose=0, callbacks=[dense, seen])
    drawn = seen.points[1]
    assert len(drawn) == len(np.unique(drawn)) == 200
    inside = np.mean(np.abs(drawn - 0.5) < 0.1)
    assert inside > 0.5  # where a fifth of the candidates are
    assert 0.05 < inside < 0.95


def test_the_largest_exponent_takes_the_largest_residuals():
    pinn, seen = peaked(), Seen(None)
    dense = ResidualSampling(grid, every=1, exponent=20.0, constant=0.0)
    pinn.fit({"x": np.linspace(0, 1, 30)}, epochs=2, verbose=0, callbacks=[dense, seen])
    assert np.all(np.abs(seen.points[1] - 0.5) < 0.1)


def test_several_conditions_on_shared_points():
    pinn, seen = peaked(2), Seen(None)
    dense = ResidualSampling(grid, every=1, constant=0.0)
    pinn.fit({"x": np.linspace(0, 1, 50)}, epochs=2, verbose=0, callbacks=[dense, seen])
    assert np.mean(np.abs(seen.points[1] - 0.5) < 0.15) > 0.9


def test_weights_follow_the_formula():
    kpinn.set_float64()
    pinn = peaked()
    x = np.array([0.2, 0.45, 0.5])
    weights = ResidualWeights(every=2, decay=0.9, rate=0.5)
    history = pinn.fit({"x": x}, epochs=5, verbose=0, callbacks=[weights])
    residual = np.exp(-((x - 0.5) ** 2) / 0.005)
    w, expected = np.ones(3), []
    for epoch in range(5):
        if epoch and epoch % 2 == 0:
            w = 0.9 * w + 0.5 * residual / residual.max()
        expected.append(np.mean(w**2 * residual**2))
    np.testing.assert_allclose(history.history["first"], expected, rtol=1e-12)
    np.testing.assert_allclose(weights.weights["first"], w, rtol=1e-12)


def test_weights_of_some_conditions_only():
    pinn = peaked(2)
    weights = ResidualWeights("second", every=1)
    pinn.fit({"x": np.linspace(0, 1, 9)}, epochs=3, verbose=0, callbacks=[weights])
    assert list(weights.weights) == ["second"]


def test_points_replaced_by_hand():
    pinn = compiled(SSBroyden())
    with pytest.raises(ValueError, match="no points yet: call fit"):
        pinn.replace_points(sample(0))
    pinn.fit(heat_points(), epochs=1, verbose=0)
    with pytest.raises(ValueError, match="t' of 'heat' is empty"):
        pinn.replace_points({"heat": {"t": [], "x": []}})
    with pytest.raises(ValueError, match="began with a set of points for each condition, and the"):
        pinn.replace_points(BOX.sample(3))
    with pytest.raises(ValueError, match="'nothing'"):
        pinn.replace_weights({"nothing": [1.0]})


def test_scipy_needs_the_same_points():
    pinn = compiled(ScipyMinimize())
    with pytest.raises(ValueError, match="ScipyMinimize needs the same points and weights"):
        pinn.fit(heat_points(), epochs=5, verbose=0, callbacks=[Resample(sample, 2)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Resample(sample, 0), "every is a positive whole number of epochs, not 0"),
        (lambda: Resample(sample, 1.5), "not 1.5"),
        (lambda: ResidualSampling(grid, exponent=-1.0), "not negative, not -1.0"),
        (lambda: ResidualSampling(grid, exponent=0.0, constant=0.0), "not 0.0 and 0.0"),
        (lambda: ResidualWeights(decay=1.0), "below 1, and rate is positive, not 1.0"),
        (lambda: ResidualWeights(rate=0.0), "rate is positive"),
    ],
)
def test_arguments_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_too_few_candidates_and_unknown_conditions():
    pinn = peaked()
    with pytest.raises(ValueError, match="5 candidates for 9 points"):
        few = ResidualSampling(lambda seed: {"x": np.linspace(0, 1, 5)}, every=1)
        pinn.fit({"x": np.linspace(0, 1, 9)}, epochs=2, verbose=0, callbacks=[few])
    with pytest.raises(ValueError, match="'third' is not one of the conditions first"):
        pinn.fit({"x": [0.5]}, verbose=0, callbacks=[ResidualWeights(["third"])])
