"""The scales of random features, chosen by residuals at points that are not trained on."""

import keras
import numpy as np
import pytest
from keras import ops
from smooth_problems import LINE, features, points, poisson

import kpinn
from kpinn.layers import RandomFeatures

SQUARE = kpinn.domains.Box(x=(0, 1), y=(0, 1))


@pytest.fixture
def double():
    kpinn.set_float64()


def waves(network, frequency):
    """A Helmholtz problem whose solution is cos(frequency x) sin(y)."""

    def equation(x, y, u, laplacian_u):
        exact = ops.cos(frequency * x) * ops.sin(y)
        return (laplacian_u + u + (frequency**2) * exact) / frequency**2

    def walls(x, y, u):
        return u - ops.cos(frequency * x) * ops.sin(y)

    pinn = kpinn.PINN(network, "x y", "u", [equation, walls])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"walls": 10.0})
    return pinn


def wave_points(seed=0):
    return {
        "equation": SQUARE.sample(500, seed=seed),
        "walls": SQUARE.boundary().sample(160, seed=seed),
    }


@pytest.mark.parametrize("frequency", [3.0, 12.0])
def test_the_scale_is_chosen_by_the_first_fit(frequency, double, capsys):
    pinn = waves(features(150, scale=None), frequency)
    pinn.fit(wave_points(), epochs=2, verbose=2)
    assert "scale [" in capsys.readouterr().out
    found = pinn.predict_fields(SQUARE.sample(200, seed=9), "u")["u"]
    x, y = (SQUARE.sample(200, seed=9)[name] for name in "xy")
    assert np.abs(found - np.cos(frequency * x) * np.sin(y)).max() < 2e-5
    scale = np.asarray(pinn.network.layers[-2].scale)
    pinn.fit(wave_points(1), epochs=2, verbose=2)
    assert "scale [" not in capsys.readouterr().out
    np.testing.assert_array_equal(pinn.network.layers[-2].scale, scale)


def test_adapt_reports_and_changes_nothing_that_is_trained(double):
    pinn = poisson(features(60, scale=None))
    before = [np.asarray(v) for v in pinn.trainable_variables]
    (found,) = pinn.adapt(points()).values()
    for value, variable in zip(before, pinn.trainable_variables, strict=True):
        np.testing.assert_array_equal(value, variable)
    assert found.residual == min(residual for _, residual in found.tried)
    np.testing.assert_allclose(found.scale, pinn.network.layers[-2].scale)
    pinn.network.layers[-1].kernel.assign(np.ones((60, 1)))  # for other features
    assert pinn.adapt(points())[pinn.network.layers[-2].name].scale == found.scale


def test_all_features_are_tried_where_a_part_resolves_nothing(double, monkeypatch):
    monkeypatch.setattr("kpinn.training.adaptation.COLUMNS", 6)
    monkeypatch.setattr("kpinn.training.adaptation.DRAWN", 0)

    def equation(x, u_xx):
        return u_xx / 400.0 + ops.sin(20.0 * x)

    def ends(x, u):
        return u - ops.sin(20.0 * x)

    pinn = kpinn.PINN(features(90, scale=None), "x", "u", [equation, ends])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"ends": 10.0})
    given = {"equation": LINE.sample(300, seed=0), "ends": {"x": np.array([[-1.0], [1.0]])}}
    (found,) = pinn.adapt(given).values()
    assert 20.0 < found.scale[0] < 120.0 and found.residual < 1e-6
    pinn.fit(given, verbose=0)
    x = np.linspace(-1.0, 1.0, 101)
    found = pinn.predict_fields({"x": x}, "u")["u"][:, 0]
    assert np.abs(found - np.sin(20.0 * x)).max() < 1e-8


def test_scales_below_the_grid_are_tried_while_they_are_better(double):
    """A polynomial is a sum of waves that are far longer than the box."""

    def equation(u_xx):
        return u_xx - 2.0

    def ends(x, u):
        return u - x**2

    pinn = kpinn.PINN(features(12, scale=None), "x", "u", [equation, ends])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"ends": 10.0})
    given = points(60)
    (found,) = pinn.adapt(given).values()
    assert found.scale[0] < 0.5 and found.residual < 1e-9
    pinn.fit(given, verbose=0)
    x = np.linspace(-1.0, 1.0, 101)
    assert np.abs(pinn.predict_fields({"x": x}, "u")["u"][:, 0] - x**2).max() < 1e-9


def test_a_scale_that_was_given_stays(double):
    pinn = poisson(features(60, scale=5.0, activation="tanh"))
    assert pinn.adapt(points()) == {}
    layer = pinn.network.layers[-2]
    np.testing.assert_array_equal(layer.scale, [5.0])
    np.testing.assert_allclose(np.asarray(layer.box)[:, 0], [-1.0, 1.0])


def test_a_scale_that_cannot_be_chosen():
    hidden = RandomFeatures(5, seed=0)
    network = keras.Sequential([hidden, keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)])
    pinn = poisson(network)
    with pytest.raises(ValueError, match="cannot be chosen by least squares.*pass scale"):
        pinn.fit(points(), verbose=0)
    pinn = poisson(features(5, scale=None))
    pinn.compile("adam", loss="mae")
    with pytest.raises(
        ValueError, match="cannot be chosen by least squares.*is mean_absolute_error"
    ):
        pinn.fit(points(), verbose=0)
    with pytest.raises(ValueError, match="compile the PINN first"):
        kpinn.PINN(features(5), "x", "u", [level]).adapt(points())


def level(u):
    return u - 1.0


def test_points_that_can_be_read_once():
    pinn = kpinn.PINN(features(5, scale=None), "x", "u", [level])
    pinn.compile("adam")
    stream = (LINE.sample(5, seed=seed) for seed in range(3))
    with pytest.raises(ValueError, match="call pinn.adapt with some points"):
        pinn.fit(stream, steps_per_epoch=2, verbose=0)
