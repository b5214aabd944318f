"""The weight of data with noise, beside the closed form of Tikhonov's regularization."""

import warnings

import keras
import numpy as np
import pytest
import scipy.optimize
from keras import ops
from problems import Formula

import kpinn
from kpinn.callbacks import CrossValidation, Discrepancy

RNG = np.random.default_rng(0)
X = np.linspace(0.0, 1.0, 30)
A = np.exp(-((X[:, None] - np.linspace(0.0, 1.0, 8)) ** 2) / 0.05)  # nearly dependent columns
NOISE = 0.05
Y = A @ np.sin(np.arange(8.0)) + NOISE * RNG.normal(size=30)


class Deblurring(kpinn.PINN):
    """y = A c with as small a c as the noise allows."""

    coordinates, fields = "x", "u"

    def __init__(self, network):
        super().__init__(network)
        self.unknown("c", np.zeros(8))

    @kpinn.condition
    def samples(self, u, a, c):
        return ops.matmul(a, c[:, None]) + 0.0 * u

    @kpinn.condition
    def small(self, x, c):
        return ops.ones_like(x) * c


DATA = {"samples": {"x": X, "a": A}, "small": {"x": [0.0]}}, {"samples": Y}


def trained(optimizer, callback, epochs=80, network=None, **weights):
    kpinn.set_float64()
    pinn = Deblurring(Formula(lambda x: x) if network is None else network)
    pinn.compile(optimizer, loss_weights={"small": 1e-2} | weights)
    pinn.fit(DATA, epochs=epochs, callbacks=[callback], verbose=0)
    return pinn


def solution(weight, noise=NOISE):
    """Tikhonov's, and the root mean square of its residuals in parts of the noise."""
    noise = np.broadcast_to(noise, Y.shape)
    c = np.linalg.solve(weight / 30 * A.T @ A + 1e-2 / 8 * np.eye(8), weight / 30 * A.T @ Y)
    return c, np.sqrt(np.mean(((A @ c - Y) / noise) ** 2))


@pytest.mark.parametrize(
    ("make", "every"), [(kpinn.optimizers.LevenbergMarquardt, 3), (kpinn.optimizers.BFGS, 20)]
)
@pytest.mark.parametrize("noise", [NOISE, NOISE * RNG.uniform(0.9, 1.1, 30)], ids=["one", "each"])
def test_the_weight_is_that_of_the_principle(make, every, noise):
    weigh = Discrepancy("samples", noise, every=every)
    pinn = trained(make(), weigh, epochs=30 * every)
    best = scipy.optimize.brentq(lambda log: solution(np.exp(log), noise)[1] - 1.0, -9.0, 9.0)
    found = float(pinn.loss_weights["samples"].numpy())
    assert np.log(found) == pytest.approx(best, abs=0.2)
    assert weigh.ratio == pytest.approx(solution(found, noise)[1], rel=1e-3)
    assert weigh.ratio == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(pinn.unknowns["c"], solution(found)[0], atol=1e-3)


def test_an_aim_that_is_not_reached_is_said():
    lm = kpinn.optimizers.LevenbergMarquardt
    with pytest.warns(UserWarning, match=r"'samples' are 0\.\d+ times their noise.* smooth, or"):
        trained(lm(), Discrepancy("samples", 10 * NOISE, every=3), small=0.0)
    with pytest.warns(UserWarning, match="expected 1. Pass more epochs, or a smaller number for"):
        trained(keras.optimizers.SGD(1e-6), Discrepancy("samples", NOISE, every=3), epochs=7)


def score(weight):
    """That of generalised cross-validation, and the trace of the matrix from data to fit."""
    matrix = weight / 30 * A.T @ A + 1e-2 / 8 * np.eye(8)
    trace = weight / 30 * np.trace(np.linalg.solve(matrix, A.T @ A))
    return np.mean((A @ solution(weight)[0] - Y) ** 2) / (1 - trace / 30) ** 2, trace


@pytest.mark.parametrize("first", [1e-3, 1e3])
def test_the_best_weight_by_cross_validation(first):
    choose = CrossValidation("samples", every=2, factor=4.0)
    lm = kpinn.optimizers.LevenbergMarquardt()
    pinn = trained(lm, choose, epochs=60, samples=first)
    best = min(first * 4.0 ** np.arange(-12, 13), key=lambda weight: score(weight)[0])
    assert float(pinn.loss_weights["samples"].numpy()) == pytest.approx(best)
    assert len(choose.scores) > 3
    for weight, found in choose.scores.items():
        expected, trace = score(weight)
        assert found == pytest.approx(expected, rel=1e-6)
        assert choose.parameters[weight] == pytest.approx(trace, rel=1e-6)
    np.testing.assert_allclose(pinn.unknowns["c"], solution(best)[0], rtol=1e-6)


def test_a_search_that_was_interrupted_goes_on(tmp_path):
    """To the last bit, with its scores and the weight that it was at."""

    def script(*callbacks):
        kpinn.set_float64()
        pinn = Deblurring(Formula(lambda x: x))
        choose = CrossValidation("samples", every=2, factor=4.0)
        weights = {"small": 1e-2, "samples": 1e-2}
        pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights=weights)
        pinn.fit(DATA, epochs=30, callbacks=[choose, *callbacks], verbose=0)
        return choose.scores, choose.parameters, pinn.unknowns["c"].numpy().tolist()

    def power_cut(epoch, logs):
        if epoch == 5:
            raise RuntimeError("the power is gone")

    expected = script()
    checkpoint = kpinn.callbacks.Checkpoint(tmp_path / "run", every=3)
    with pytest.raises(RuntimeError, match="power"):
        script(checkpoint, keras.callbacks.LambdaCallback(on_epoch_end=power_cut))
    again = kpinn.callbacks.Checkpoint(tmp_path / "run", every=3)
    assert script(again, keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: None)) == expected
    assert len(expected[0]) > 4


def test_a_search_that_is_too_short_is_said():
    lm = kpinn.optimizers.LevenbergMarquardt()
    with pytest.warns(UserWarning, match="has not ended: it has looked at 2 weights, and takes 2"):
        trained(lm, CrossValidation("samples", every=2), epochs=6)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="noise is a positive number, not"):
        Discrepancy("samples", [0.1, 0.0])
    with pytest.raises(ValueError, match="noise is an empty array"):
        Discrepancy("samples", [])
    with pytest.raises(ValueError, match="has the condition 'sample', but the conditions are"):
        trained("adam", Discrepancy("sample", 0.1))
    with pytest.raises(
        ValueError, match=r"noise of 'samples' has the shape \(3,\): expected a number, or an"
    ):
        trained("adam", Discrepancy("samples", [0.1, 0.2, 0.3]))
    with pytest.raises(ValueError, match="ScipyMinimize needs the same loss weights"):
        trained(kpinn.optimizers.ScipyMinimize(), Discrepancy("samples", 0.1, every=2))


@pytest.mark.parametrize("callback", [Discrepancy("samples", NOISE), CrossValidation("samples")])
def test_an_array_of_shared_points_may_have_the_name_of_the_condition(callback):
    def samples(u, samples):
        return u - samples

    kpinn.set_float64()
    pinn = kpinn.PINN(kpinn.networks.MLP(units=2, depth=1), "x", "u", [samples])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt())
    callback.every = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pinn.fit({"x": X, "samples": Y}, epochs=2, callbacks=[callback], verbose=0)
    residual = pinn.residuals({"x": X, "samples": Y})["samples"]
    if isinstance(callback, Discrepancy):
        assert callback.ratio == pytest.approx(np.sqrt(np.mean(residual**2)) / NOISE)
    else:
        assert len(callback.scores) == 1
