"""Standard errors beside closed forms of linear least squares, and beside repeated noise."""

import warnings

import keras
import numpy as np
import pytest
from keras import ops
from problems import Decay, Formula

import kpinn
from kpinn.objective.estimate import noise_levels
from kpinn.optimizers import LevenbergMarquardt

RNG = np.random.default_rng(0)
T = np.linspace(0.0, 1.0, 25)
DEGREES = np.arange(6)


class Polynomials(keras.layers.Layer):
    """A polynomial of degree five whose coefficients are trained."""

    def __init__(self):
        super().__init__()
        self.weight = self.add_weight(shape=(len(DEGREES), 1), initializer="zeros")

    def call(self, inputs):
        return ops.matmul(ops.concatenate([inputs ** int(d) for d in DEGREES], 1), self.weight)


class Fall(kpinn.PINN):
    """u_tt = g with an unknown g, a parabola through measurements."""

    coordinates, fields = "t", "u"

    def __init__(self, network, **unknown):
        super().__init__(network)
        self.unknown("g", 1.0, **unknown)

    @kpinn.condition
    def equation(self, u_tt, g):
        return u_tt - g

    @kpinn.condition
    def samples(self, u):
        return u


SETS = {"equation": {"t": np.linspace(0.0, 1.0, 9)}, "samples": {"t": T}}
SAMPLES = 1.0 - 2.0 * T + 1.5 * T**2 + 0.01 * RNG.normal(size=T.size)
PARABOLA = np.stack([np.ones_like(T), T, 0.5 * T**2], axis=1)


def fallen(weight=1e8, sample_weight=None, **unknown):
    kpinn.set_float64()
    pinn = Fall(Polynomials(), **unknown)
    pinn.compile(LevenbergMarquardt(), loss_weights={"equation": weight})
    data = SETS, {"samples": SAMPLES}
    if sample_weight is not None:
        data += ({"samples": sample_weight},)
    pinn.fit(data, epochs=20, verbose=0)
    return pinn, data


def test_with_an_equation_that_holds_they_are_those_of_the_regression():
    pinn, data = fallen()
    found = kpinn.covariance(pinn, data, "samples")
    best, squares = np.linalg.lstsq(PARABOLA, SAMPLES)[:2]
    variance = squares[0] / (len(T) - 3)
    matrix = variance * np.linalg.inv(PARABOLA.T @ PARABOLA)
    assert float(pinn.unknowns["g"].numpy()) == pytest.approx(best[2], rel=1e-6)
    assert found.names == ("g",)
    np.testing.assert_allclose(found.matrix, matrix[2:, 2:], rtol=1e-5)
    assert found.standard_errors["g"] == pytest.approx(np.sqrt(matrix[2, 2]), rel=1e-5)
    assert found.noise["samples"] == pytest.approx(np.sqrt(variance), rel=1e-5)
    new = np.linspace(-0.2, 1.3, 7)
    errors = found.fields({"t": new}, "u, u_t")
    for name, rows in (("u", [1.0 + 0.0 * new, new, 0.5 * new**2]), ("u_t", [0 * new, 1.0, new])):
        rows = np.stack(np.broadcast_arrays(*rows), axis=1)
        expected = np.sqrt(np.sum(rows @ matrix * rows, axis=1))
        assert errors[name].shape == (7, 1)
        np.testing.assert_allclose(errors[name][:, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("weight", [1e-3, 1.0, 1e3])
def test_with_any_weight_they_are_those_of_the_estimator(weight):
    """By the pseudo-inverse of the whole Jacobian, from noise of another size at each point."""
    quality, noise = RNG.uniform(0.5, 2.0, T.size), RNG.uniform(0.01, 0.02, T.size)
    pinn, data = fallen(weight, quality)
    at = SETS["equation"]["t"]
    second = np.stack([d * (d - 1) * at ** max(d - 2, 0) for d in DEGREES], axis=1)
    values = T[:, None] ** DEGREES
    matrix = np.block([[second, -np.ones((9, 1))], [values, np.zeros((25, 1))]])
    factors = np.sqrt(np.concatenate([np.full(9, weight / 9), quality / 25]))
    inverse = np.linalg.pinv(factors[:, None] * matrix) * factors
    gains = inverse[:, 9:] * noise
    found = kpinn.covariance(pinn, data, {"samples": noise})
    np.testing.assert_allclose(found.matrix, [[gains[-1] @ gains[-1]]], rtol=1e-8)
    np.testing.assert_array_equal(found.noise["samples"], noise)
    errors = found.fields({"t": T}, "u")["u"][:, 0]
    np.testing.assert_allclose(errors, np.linalg.norm(values @ gains[:-1], axis=1), rtol=1e-8)


def test_noise_is_estimated_without_bias_in_two_sets():
    basis = np.linalg.qr(RNG.normal(size=(40, 8)))[0]
    sets, scales = [slice(5, 20), slice(20, 38)], [np.full(15, 2.0), RNG.uniform(0.5, 2.0, 18)]
    truth, found, first = np.array([0.3, 1.7]), [], []
    known = [(sets[1], truth[1] * scales[1])]
    for _ in range(4_000):
        residuals = np.zeros(40)
        for rows, scale, variance in zip(sets, scales, truth, strict=True):
            residuals[rows] = RNG.normal(size=len(scale)) * np.sqrt(variance * scale)
        found.append(noise_levels(basis, residuals, [], list(zip(sets, scales, strict=True)))[0])
        first.append(noise_levels(basis, residuals, known, [(sets[0], scales[0])])[0])
    np.testing.assert_allclose(np.mean(found, axis=0), truth, rtol=0.03)
    np.testing.assert_allclose(np.mean(first, axis=0), truth[:1], rtol=0.03)


# Priors -------------------------------------------------------------------------------------

A = RNG.normal(size=(6, 2))
Y = A @ [1.0, -2.0] + 0.1 * RNG.normal(size=6)


class WithPrior(kpinn.PINN):
    """y = a c with noise 0.1, and c of mean 0.5 and standard deviations 0.05, 2."""

    coordinates, fields = "x", "u"

    def __init__(self, network):
        super().__init__(network)
        self.unknown("c", [0.0, 0.0])

    @kpinn.condition
    def samples(self, u, a, y, c):
        return (ops.matmul(a, c[:, None]) - y) / 0.1 + 0.0 * u

    @kpinn.condition
    def prior(self, x, c):
        return ops.ones_like(x) * (c - 0.5) / np.array([0.05, 2.0])


def test_a_prior_is_a_condition():
    """Mean and covariance of the posterior, in closed form."""
    kpinn.set_float64()
    pinn = WithPrior(Formula(lambda x: x))
    loss = keras.losses.MeanSquaredError(reduction="sum")
    pinn.compile(LevenbergMarquardt(), loss=loss, loss_weights={"prior": 2.0})  # of two columns
    points = {"samples": {"x": np.zeros(6), "a": A, "y": Y}, "prior": {"x": [0.0]}}
    pinn.fit(points, epochs=5, verbose=0)
    precision = np.diag([1 / 0.05**2, 1 / 2.0**2])
    posterior = np.linalg.inv(precision + A.T @ A / 0.01)
    mean = posterior @ (precision @ [0.5, 0.5] + A.T @ Y / 0.01)
    np.testing.assert_allclose(pinn.unknowns["c"], mean, rtol=1e-10)
    found = kpinn.covariance(pinn, points, {"samples": 1.0, "prior": 1.0})
    assert found.names == ("c[0]", "c[1]")
    np.testing.assert_allclose(found.matrix, posterior, rtol=1e-8)
    assert found.standard_errors["c"].shape == (2,)
    assert str(found).splitlines()[0].startswith(f"c[0] = {mean[0]:.6g} +- ")


# What cannot be -----------------------------------------------------------------------------


def test_an_unknown_on_its_bound_is_taken_as_known():
    pinn, data = fallen(upper=2.0)
    assert float(pinn.unknowns["g"].numpy()) == 2.0
    found = kpinn.covariance(pinn, data, {"samples": 0.01})
    assert found.names == () and np.isnan(found.standard_errors["g"])
    line = PARABOLA[:, :2]
    expected = 0.01 * np.sqrt(np.diag(line @ np.linalg.inv(line.T @ line) @ line.T))
    np.testing.assert_allclose(found.fields({"t": T})["u"][:, 0], expected, rtol=1e-5)


def test_unknowns_that_the_data_do_not_determine_are_named():
    class Both(Fall):
        def __init__(self, network):
            super().__init__(network)
            self.unknown("h", 1.0)
            self.unknown("other", 1.0)

        @kpinn.condition
        def equation(self, u_tt, g, h):
            return u_tt - g - 2.0 * h

        @kpinn.condition
        def known(self, u, other):
            return other - 3.0 + 0.0 * u

    kpinn.set_float64()
    pinn = Both(Polynomials())
    points = SETS | {"known": {"t": [0.0]}}
    with pytest.raises(ValueError, match="these points do not determine g, h: the network can"):
        kpinn.covariance(pinn, (points, {"samples": SAMPLES}), "samples")


def test_noise_that_the_network_can_follow_is_refused():
    pinn, _ = fallen()
    few = SETS | {"samples": {"t": T[:3]}}
    with pytest.raises(ValueError, match="can follow all 3 measurements of 'samples': nothing is"):
        kpinn.covariance(pinn, (few, {"samples": SAMPLES[:3]}), "samples")
    found = kpinn.covariance(pinn, (few, {"samples": SAMPLES[:3]}), {"samples": 1e9})
    assert found.standard_errors["g"] > 1e8


def test_a_training_that_has_not_ended_is_warned_of():
    pinn, data = fallen()
    step = float(pinn.unknowns["g"].numpy()) - 2.9
    pinn.unknowns["g"].assign(2.9)
    message = f"not come to the minimum.* would still move g by {step:.2g} "
    with pytest.warns(UserWarning, match=message):
        found = kpinn.covariance(pinn, data, "samples")
    pinn.unknowns["g"].assign(2.8)
    with pytest.raises(ValueError, match="the parameters are others than those of this covariance"):
        found.fields({"t": T})


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        ({}, "noise is an empty dict"),
        (3.0, "noise are names such as 'samples'"),
        ("sample", "noise names 'sample', but the conditions are equation, samples"),
        ({"samples": 0.0}, "noise of 'samples' is a positive number, not"),
        ({"samples": "a"}, "noise of 'samples' is not an array of real numbers"),
        ({"samples": [0.1, 0.2]}, r"noise of 'samples' has the shape \(2,\): expected a number"),
    ],
)
def test_noise_that_does_not_fit_is_refused(noise, message):
    kpinn.set_float64()
    with pytest.raises(ValueError, match=message):
        kpinn.covariance(Fall(Polynomials()), (SETS, {"samples": SAMPLES}), noise)


# Repeated noise -----------------------------------------------------------------------------


@pytest.mark.slow
def test_repeated_noise_spreads_as_they_say():
    """A network that is nonlinear in its parameters, from the same weights with other noise."""
    kpinn.set_float64()
    keras.utils.set_random_seed(0)
    generator, exact = np.random.default_rng(1), np.exp(-2.0 * T)
    pinn = Decay(kpinn.networks.MLP(units=8, depth=1))
    pinn.compile(LevenbergMarquardt(), loss_weights={"ode": 100.0})
    sets = {"ode": {"t": np.linspace(0.0, 1.0, 40)}, "samples": {"t": T}}
    pinn.fit((sets, {"samples": exact}), epochs=100, verbose=0)
    start, rates, values, errors, levels = pinn.get_weights(), [], [], [], []
    for _ in range(150):
        data = sets, {"samples": exact + 0.02 * generator.normal(size=T.size)}
        pinn.set_weights(start)
        pinn.fit(data, epochs=25, verbose=0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = kpinn.covariance(pinn, data, "samples")
        rates.append(float(pinn.unknowns["rate"].numpy()))
        values.append(pinn.predict_fields({"t": [0.5]})["u"].item())
        errors.append((found.standard_errors["rate"], found.fields({"t": [0.5]})["u"].item()))
        levels.append(found.noise["samples"])
    assert np.sqrt(np.mean(np.square(levels))) == pytest.approx(0.02, rel=0.05)
    expected = np.sqrt(np.mean(np.square(errors), axis=0))
    np.testing.assert_allclose(np.std([rates, values], axis=1), expected, rtol=0.15)
