"""Points and weights that change while `fit` goes on."""

import keras
import numpy as np
import pytest
from keras import ops
from problems import BOX, Formula, heat_points, small_heat

import kpinn
from kpinn.callbacks import LossBalancing, Resample, ResidualSampling, ResidualWeights
from kpinn.optimizers import (
    LevenbergMarquardt,
    ScipyMinimize,
    Sequence,
    SSBroyden,
)


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


class Ramp(kpinn.PINN):
    """A residual that is zero left of the middle, or everywhere."""

    coordinates, fields = "x", "u"
    height = 1.0

    @kpinn.condition
    def ramp(self, x, u):
        return self.height * ops.relu(x - 0.5) + 0.0 * u


@pytest.mark.parametrize("height", [0.0, 1e-200, 1.0])
@pytest.mark.parametrize("exponent", [0.0, 1.0, 500.0])
def test_there_are_enough_points_without_a_constant(height, exponent):
    """Candidates with a residual come first, then all others are alike."""
    kpinn.set_float64()
    pinn, seen = Ramp(kpinn.networks.MLP(units=2, depth=1)), Seen(None)
    pinn.height = height
    pinn.compile("sgd", jit_compile=False)
    dense = ResidualSampling(
        lambda seed: {"x": np.linspace(0, 1, 101)}, every=1, exponent=exponent, constant=0.0
    )
    pinn.fit({"x": np.linspace(0, 1, 80)}, epochs=2, verbose=0, callbacks=[dense, seen])
    drawn = np.ravel(seen.points[1])
    assert len(drawn) == len(np.unique(drawn)) == 80
    if height and exponent == 1.0:
        assert np.sum(drawn > 0.5) == 50


def test_candidates_without_a_finite_residual_are_refused():
    pinn = Ramp(kpinn.networks.MLP(units=2, depth=1))
    pinn.compile("sgd", jit_compile=False)
    pinn.height = 3e38
    dense = ResidualSampling(lambda seed: {"x": np.linspace(0, 9, 101)}, every=1)
    with pytest.raises(ValueError, match="the residual is not finite at some of the candidates"):
        pinn.fit({"x": np.linspace(0, 0.5, 8)}, epochs=2, verbose=0, callbacks=[dense])


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


def test_weights_beside_targets_and_sample_weights():
    kpinn.set_float64()
    pinn, x = peaked(), np.array([0.2, 0.45, 0.5])
    target, given = np.array([1.0, -2.0, 0.5]), np.array([3.0, 1.0, 0.5])
    weights = ResidualWeights(every=1, decay=0.9, rate=0.5)
    history = pinn.fit(({"x": x}, target, given), epochs=3, verbose=0, callbacks=[weights]).history[
        "first"
    ]
    size = np.abs(np.exp(-((x - 0.5) ** 2) / 0.005) - target)
    w, expected = np.ones(3), []
    for epoch in range(3):
        w = 0.9 * w + 0.5 * size / size.max() if epoch else w
        expected.append(np.mean(given * w**2 * size**2))
    np.testing.assert_allclose(history, expected, rtol=1e-12)
    again = pinn.fit(({"x": x}, target, given), epochs=1, verbose=0, callbacks=[weights])
    assert again.history["first"][0] == pytest.approx(expected[0], rel=1e-12)


def test_weights_begin_again_where_points_are_replaced():
    kpinn.set_float64()
    pinn, other = peaked(2), np.array([0.3, 0.5, 0.55, 0.6])
    points = {"first": {"x": [0.2, 0.5]}, "second": {"x": [0.4, 0.45]}}
    weights = ResidualWeights(every=1, decay=0.5, rate=0.5)
    resample = Resample(lambda seed: {"first": {"x": other}}, every=2)
    pinn.fit(points, epochs=3, verbose=0, callbacks=[resample, weights])
    residual = np.exp(-((other - 0.5) ** 2) / 0.005)
    expected = 0.5 + 0.5 * residual / residual.max()
    np.testing.assert_allclose(weights.weights["first"], expected, rtol=1e-12)
    residual = np.exp(-((np.array([0.4, 0.45]) - 0.5) ** 2) / 0.005)
    part = residual / residual.max()
    expected = 0.5 * (0.5 + 0.5 * part) + 0.5 * part
    np.testing.assert_allclose(weights.weights["second"], expected, rtol=1e-12)


def test_weights_of_some_conditions_only():
    pinn = peaked(2)
    weights = ResidualWeights("second", every=1)
    pinn.fit({"x": np.linspace(0, 1, 9)}, epochs=3, verbose=0, callbacks=[weights])
    assert list(weights.weights) == ["second"]


@pytest.mark.parametrize("what", ["targets", "sample weights"])
def test_points_with_targets_or_weights_are_not_drawn(what):
    pinn, x = peaked(2), {"x": np.linspace(0, 1, 9)}
    values = {"second": np.ones(9)}
    extra = (values, None) if what == "targets" else (None, values)
    data = ({"first": x, "second": x}, *extra)
    drawn = ResidualSampling(lambda seed: {"second": grid(seed)}, every=1)
    with pytest.raises(ValueError, match=f"'second', which has {what}: they belong"):
        pinn.fit(data, epochs=2, verbose=0, callbacks=[drawn])
    others = ResidualSampling(lambda seed: {"first": grid(seed)}, every=1)
    seen = Seen("first")
    pinn.fit(data, epochs=2, verbose=0, callbacks=[others, seen])
    assert not np.array_equal(*seen.points)


@pytest.mark.parametrize("start", [4, 6, 7])
def test_a_resumed_run_has_the_points_of_one_that_was_not_interrupted(start):
    whole, resumed = Seen("heat"), Seen("heat")
    for seen, begin in ((whole, 0), (resumed, start)):
        callbacks = [Resample(sample, 3), seen]
        compiled().fit(heat_points(), epochs=9, initial_epoch=begin, verbose=0, callbacks=callbacks)
    np.testing.assert_array_equal(whole.points[start:], resumed.points)


def linear(first, second):
    """A PINN `u = a x + b` with two conditions, whose residuals are multiples of `u`."""
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])

    def one(u):
        return first * u

    def two(u):
        return keras.ops.concatenate([second * u, 0.0 * u], axis=1)

    return kpinn.PINN(network, "x", "u", [one, two])


def expected_sizes(rule, factors, x, u):
    """Of conditions `factor u` for `u = a x + b`, by hand."""
    sizes = []
    for factor, columns in zip(factors, (1, 2), strict=True):
        if rule == "kernel":
            sizes.append(factor**2 * np.mean(x**2 + 1) / columns)
        else:
            gradient = 2 * factor**2 * np.array([np.mean(u * x), np.mean(u)]) / columns
            sizes.append(np.linalg.norm(gradient))
    return np.array(sizes)


@pytest.mark.parametrize("rule", ["gradient", "kernel"])
@pytest.mark.parametrize("shared", [True, False])
def test_loss_weights_are_balanced(rule, shared):
    kpinn.set_float64()
    pinn, x = linear(3.0, 0.1), np.linspace(0, 1, 7)
    pinn.compile(keras.optimizers.SGD(0.0), loss_weights={"one": 5.0})
    points = {"x": x} if shared else {"one": {"x": x}, "two": {"x": x}}
    u = pinn.predict_fields({"x": x})["u"][:, 0]
    sizes = expected_sizes(rule, (3.0, 0.1), x, u)
    pinn.fit(points, verbose=0, callbacks=[LossBalancing(rule)])
    found = [float(weight) for weight in pinn.loss_weights.values()]
    np.testing.assert_allclose(found, sizes.sum() / sizes, rtol=1e-12)


def test_loss_weights_move_slowly():
    kpinn.set_float64()
    pinn, seen = linear(3.0, 0.1), []
    pinn.compile(keras.optimizers.SGD(0.01))
    balance = LossBalancing(every=2, decay=0.75)
    x = np.linspace(0, 1, 7)

    class Weights(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            u = self.model.predict_fields({"x": x})["u"][:, 0]
            sizes = expected_sizes("gradient", (3.0, 0.1), x, u)
            seen.append((sizes.sum() / sizes[0], float(self.model.loss_weights["one"])))

    pinn.fit({"x": x}, epochs=5, verbose=0, callbacks=[balance, Weights()])
    expected = seen[0][0]
    for epoch, (now, found) in enumerate(seen):
        expected = 0.75 * expected + 0.25 * now if epoch in (2, 4) else expected
        assert found == pytest.approx(expected, rel=1e-12)


def test_a_condition_that_is_met_gets_a_finite_weight():
    pinn = linear(1.0, 0.0)
    pinn.compile(LevenbergMarquardt())
    pinn.fit({"x": np.linspace(0, 1, 7)}, verbose=0, callbacks=[LossBalancing()])
    weights = [float(weight) for weight in pinn.loss_weights.values()]
    np.testing.assert_allclose(weights, [1.0, 1e6], rtol=1e-5)


def test_scipy_needs_the_same_loss_weights():
    pinn = compiled(ScipyMinimize())
    with pytest.raises(ValueError, match="ScipyMinimize needs the same loss weights"):
        pinn.fit(heat_points(), epochs=2, verbose=0, callbacks=[LossBalancing(every=1)])
    assert float(pinn.loss_weights["start"]) != 1.0  # set before the first iteration


def test_an_optimizer_that_can_go_no_further_waits_for_fresh_points():
    kpinn.set_float64()
    pinn, x = linear(1.0, 1.0), np.linspace(0, 1, 7)
    pinn.compile(LevenbergMarquardt())
    fresh = Resample(lambda seed: ({"x": x}, {"one": seed + x, "two": None}), every=15)
    history = pinn.fit(({"x": x}, {"one": 2 * x}), epochs=20, verbose=0, callbacks=[fresh])
    losses = history.history["one"]
    assert len(losses) == 20
    assert losses[13] == losses[14]  # it waits
    assert losses[15] > 1e-3


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
    pinn.replace_points(sample(7))  # between two calls


@pytest.mark.parametrize("first", [2, 3])
def test_fresh_points_for_a_stage_of_scipy(first):
    kpinn.set_float64()
    stages = [(keras.optimizers.SGD(0.0), 2), (ScipyMinimize(), 2), (ScipyMinimize("BFGS"), 2)]
    pinn, seen, steps = compiled(Sequence(stages)), Seen("heat"), []
    logs = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: steps.append(epoch))
    callbacks = [Resample(sample, first), seen, logs]
    if first == 3:  # within a stage of scipy
        with pytest.raises(ValueError, match="ScipyMinimize needs the same points"):
            pinn.fit(heat_points(), epochs=6, verbose=0, callbacks=callbacks)
        return
    history = pinn.fit(heat_points(), epochs=6, verbose=0, callbacks=callbacks)
    assert steps == list(range(6))
    for epoch in (2, 4):
        expected = sample(epoch)["heat"]["x"].ravel()
        for points in seen.points[epoch : epoch + 2]:
            np.testing.assert_array_equal(points, expected)
    loss = pinn.evaluate(pinn.training_points, verbose=0, return_dict=True)["loss"]
    assert history.history["loss"][-1] == pytest.approx(loss, rel=1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Resample(sample, 0), "every is a positive whole number, not 0"),
        (lambda: Resample(sample, 1.5), "not 1.5"),
        (
            lambda: ResidualSampling(grid, exponent=-1.0),
            r"exponent is a number in \[0, inf",
        ),
        (
            lambda: ResidualSampling(grid, constant=-1.0),
            r"constant is a number in \[0, inf",
        ),
        (lambda: ResidualWeights(decay=1.0), r"decay is a number in \[0, 1\), not 1.0"),
        (lambda: ResidualWeights(rate=0.0), "rate is a positive number, not 0.0"),
        (
            lambda: LossBalancing("size"),
            "rule 'size' is unknown: expected one of 'grad",
        ),
        (lambda: LossBalancing(decay=1.0), r"decay is a number in \[0, 1\), not 1.0"),
        (lambda: LossBalancing(every=0), "every is a positive whole number, not 0"),
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
    with pytest.raises(ValueError, match="weights 'third', but the conditions are first"):
        pinn.fit({"x": [0.5]}, verbose=0, callbacks=[ResidualWeights(["third"])])
