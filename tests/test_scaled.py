"""Networks in units of any size: they are what the dimensionless form by hand is, to rounding."""

import json
import math
import re

import keras
import numpy as np
import pytest
from keras import ops

import kpinn
from kpinn.layers import Scaled
from kpinn.networks import MLP

CONDUCTIVITY, CAPACITY = 45.0, 3.6e6  # W / (m K), J / (m^3 K): steel
COLD, WARMER = 293.15, 80.0  # K
LENGTH, HOUR = 0.5, 3600.0  # m, s
HALF_TIME, HALF_LENGTH, HALF_RANGE = HOUR / 2, LENGTH / 2, WARMER / 2
ROD = kpinn.domains.Box(t=(0, HOUR), x=(0, LENGTH))
RANGE = {"u": (COLD, COLD + WARMER)}
POINTS = {
    "heat": ROD.sample(60, "sobol", seed=0),
    "start": ROD.face(t=0).sample(20, "sobol", seed=0),
    "ends": ROD.boundary("x").sample(20, seed=0),
}
UNIT = {
    name: {"t": part["t"] / HALF_TIME - 1.0, "x": part["x"] / HALF_LENGTH - 1.0}
    for name, part in POINTS.items()
}
SIZES = {
    "heat": CONDUCTIVITY * HALF_RANGE / HALF_LENGTH**2,
    "start": HALF_RANGE,
    "ends": HALF_RANGE,
}
RNG = np.random.default_rng(0)


class Rod(kpinn.PINN):
    """Heat in a steel rod, in SI units."""

    coordinates = "t x"
    fields = "u"

    @kpinn.condition
    def heat(self, u_t, u_xx):
        return CAPACITY * u_t - CONDUCTIVITY * u_xx

    @kpinn.condition
    def start(self, x, u):
        return u - COLD - WARMER * ops.sin(math.pi * x / LENGTH)

    @kpinn.condition
    def ends(self, u):
        return u - COLD


class Twin(kpinn.PINN):
    """The same with coordinates and temperatures between -1 and 1, and residuals over `SIZES`."""

    coordinates = "t x"
    fields = "u"

    @kpinn.condition
    def heat(self, u_t, u_xx):
        return CAPACITY * HALF_LENGTH**2 / (CONDUCTIVITY * HALF_TIME) * u_t - u_xx

    @kpinn.condition
    def start(self, x, u):
        return u + 1.0 - 2.0 * ops.sin(math.pi * (x + 1.0) / 2.0)

    @kpinn.condition
    def ends(self, u):
        return u + 1.0


def rod(network=None):
    return Rod(Scaled(network or MLP(units=6, depth=2), ROD, RANGE))


@pytest.mark.parametrize("method", ["taylor", "forward", "reverse"])
def test_derivatives_are_those_of_the_chain_rule(method):
    kpinn.set_float64()
    network = MLP(units=4, depth=2, bias_initializer="normal")
    scaled = Scaled(network, {"t": (0, HOUR), "x": (0, LENGTH)}, RANGE)
    points = ROD.sample(5, seed=1)
    names = "u, u_t, u_x, u_xx, u_tx"
    found = kpinn.derivatives(scaled, points, names, fields="u", method=method)
    inside = {"t": points["t"] / HALF_TIME - 1.0, "x": points["x"] / HALF_LENGTH - 1.0}
    unit = kpinn.derivatives(network, inside, names, fields="u")
    factors = {"t": HALF_TIME, "x": HALF_LENGTH}
    for name, values in found.items():
        by = math.prod(factors[letter] for letter in name.partition("_")[2])
        expected = HALF_RANGE / by * unit[name] + (COLD + HALF_RANGE if name == "u" else 0.0)
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_steps_of_finite_differences_follow_the_units():
    kpinn.set_float64()
    scaled = Scaled(MLP(units=4, depth=2), ROD, RANGE)
    points = ROD.sample(20, seed=1)
    exact = kpinn.derivatives(scaled, points, "u_t, u_xx", fields="u")
    found = kpinn.derivatives(scaled, points, "u_t, u_xx", fields="u", method="finite_difference")
    for name, values in found.items():
        assert np.abs(values - exact[name]).max() < 1e-5 * np.abs(exact[name]).max()


def test_vectors_and_parameters():
    kpinn.set_float64()
    network = MLP(units=4, depth=1, outputs=3, bias_initializer="normal")
    ranges = {"x": ([0.0, -2.0], [1.0, 6.0]), "mu": (1e-6, 3e-6)}
    scaled = Scaled(network, ranges, {"v[2]": ([-1.0, -20.0], 20.0), "p": (1e5, 3e5)})
    assert scaled.coordinates == "x[2] mu" and scaled.fields == "v[2] p"
    x, mu = RNG.uniform(size=(3, 2)), np.full((3, 1), 2e-6)
    inside = np.hstack([2 * x[:, :1] - 1, (x[:, 1:] - 2) / 4, 0 * mu])
    expected = np.array([9.5, 0.0, 2e5]) + np.array([10.5, 20.0, 1e5]) * network(inside).numpy()
    np.testing.assert_allclose(scaled(np.hstack([x, mu])), expected, rtol=1e-13)
    again = Scaled(
        network, {"x[2]": ranges["x"], "mu": ranges["mu"]}, {"v[2]": (0, 1), "p": (0, 1)}
    )
    assert again.coordinates == scaled.coordinates


def test_it_is_saved_and_loaded(tmp_path):
    pinn = rod()
    keras.saving.register_keras_serializable(package="test_scaled")(Rod)
    pinn.save(tmp_path / "rod.keras")
    again = kpinn.load_model(tmp_path / "rod.keras")
    new = ROD.sample(5, seed=2)
    expected = pinn.predict_fields(new, "u, u_x")
    for name, values in again.predict_fields(new, "u, u_x").items():
        np.testing.assert_array_equal(values, expected[name])
    assert json.dumps(again.network.get_config()) == json.dumps(pinn.network.get_config())


def test_an_export_is_in_the_units_of_the_user(tmp_path):
    pinn, new = rod(), ROD.sample(5, seed=2)
    pinn.export(tmp_path / "rod", derivatives="u_x")
    served = kpinn.load_export(tmp_path / "rod").signatures["derivatives"]
    found = served(**{name: np.float32(values) for name, values in new.items()})
    expected = pinn.predict_fields(new, "u_x")["u_x"]
    np.testing.assert_allclose(found["u_x"], expected, rtol=1e-5, atol=1e-4)


OPTIMIZERS = {  # with the largest relative difference of a loss
    "Adam": (lambda: keras.optimizers.Adam(1e-3), 20, 1e-12),
    "SSBroyden": (kpinn.optimizers.SSBroyden, 15, 1e-8),
    "LevenbergMarquardt": (kpinn.optimizers.LevenbergMarquardt, 4, 1e-6),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_is_that_of_the_dimensionless_problem(name):
    kpinn.set_float64()
    optimizer, epochs, tolerance = OPTIMIZERS[name]
    losses, weights = [], {"heat": 0.1, "start": 1.0, "ends": 2.0}
    for make, points, sizes in ((rod, POINTS, SIZES), (lambda: Twin(MLP(6, 2)), UNIT, {})):
        keras.utils.set_random_seed(0)
        pinn = make()
        scaled = {name: weight / sizes.get(name, 1.0) ** 2 for name, weight in weights.items()}
        pinn.compile(optimizer(), loss_weights=scaled)
        losses.append(pinn.fit(points, epochs=epochs, verbose=0).history["loss"])
    assert losses[1][-1] < losses[1][0]
    np.testing.assert_allclose(*losses, rtol=tolerance)


def test_random_features_choose_their_scale_in_the_dimensionless_coordinates():
    kpinn.set_float64()
    found = []
    for scaled in (True, False):
        network = kpinn.networks.RandomFeatures(60, seed=0)
        pinn = rod(network) if scaled else Twin(network)
        weights = {"heat": 1.0, "start": 1.0, "ends": 1.0}
        if scaled:
            weights = {name: 1.0 / size**2 for name, size in SIZES.items()}
        pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights=weights)
        pinn.fit(POINTS if scaled else UNIT, epochs=9, verbose=0)
        assert pinn.result.iterations <= 2
        (layer,) = [e for e in network.layers if isinstance(e, kpinn.layers.RandomFeatures)]
        found.append(layer.kernel.numpy())
    np.testing.assert_allclose(*found, rtol=1e-6)
    # the scale is relative to -1 and 1, not to metres: frequencies of a few
    assert 0.1 < np.abs(found[0]).max() < 100.0


# Weights by the sizes of residuals ----------------------------------------------------------------


@pytest.mark.parametrize("floatx", ["float32", "float64"])
def test_weights_follow_the_units(floatx):
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    found, unit = kpinn.loss_weights(rod(), POINTS), kpinn.loss_weights(Twin(MLP(3, 1)), UNIT)
    assert list(found) == ["heat", "start", "ends"]
    for name, weight in found.items():
        expected = unit[name] / SIZES[name] ** 2
        assert math.isclose(weight, expected, rel_tol=1e-3 if floatx == "float32" else 1e-12)
    assert found["heat"] < 1e-7 < found["ends"]


def value(u):
    return u


def slope(u_x):
    return u_x


def bend(u_xx):
    return u_xx


LINE = kpinn.domains.Box(x=(-1, 1))


def test_weights_are_those_of_waves_of_up_to_a_period():
    """Means of three sines of w x + b, w uniform between -pi and pi: moments by hand."""
    kpinn.set_float64()
    pinn = kpinn.PINN(Scaled(MLP(3, 1), LINE, {"u": (-5.0, 5.0)}), "x", "u", [value, slope, bend])
    found = kpinn.loss_weights(pinn, LINE.sample(200, seed=0))
    square = 25.0 / 6.0
    moments = {"value": 1.0, "slope": math.pi**2 / 3.0, "bend": math.pi**4 / 5.0}
    for name, moment in moments.items():
        assert 0.5 < found[name] * square * moment < 2.0


@kpinn.condition(over="set")
def prior(rate):
    return ops.reshape(rate - 3.0, (1, 1))


def at_points(u, rate):
    return (rate - 3.0) * ops.ones_like(u)


def decay(u, u_x, rate):
    return u_x + rate * u


@pytest.mark.parametrize("loss", ["mse", "mae", kpinn.losses.Mean()])
def test_losses_of_any_kind_are_about_one(loss):
    """A residual times a thousand: its loss grows by that, or by its square."""

    def thousand(u):
        return 1e3 * u

    pinn = kpinn.PINN(MLP(3, 1), "x", "u", [value, thousand])
    pinn.compile("sgd", loss=loss)
    found = kpinn.loss_weights(pinn, LINE.sample(20, seed=0))
    power = 2 if loss == "mse" else 1
    assert math.isclose(found["value"], 1e3**power * found["thousand"], rel_tol=1e-4)


def test_targets_and_sample_weights_count():
    pinn = kpinn.PINN(MLP(3, 1), "x", "u", [value])
    points, shape = LINE.sample(20, seed=0), (20, 1)
    far = kpinn.loss_weights(pinn, (points, {"value": np.full(shape, 1e3)}))["value"]
    assert math.isclose(far, 1e-6, rel_tol=1e-2)
    given = points, {"value": np.full(shape, 1e3)}, {"value": np.full(20, 4.0)}
    assert math.isclose(kpinn.loss_weights(pinn, given)["value"], far / 4.0, rel_tol=1e-4)


def test_conditions_without_a_field_are_left_out_and_unknowns_have_their_values():
    found = []
    for rate in (2.0, 2e4):
        pinn = kpinn.PINN(MLP(3, 1), "x", "u", [decay, prior, at_points])
        pinn.unknown("rate", initial=rate)
        found.append(kpinn.loss_weights(pinn, LINE.sample(20, seed=0)))
    assert [list(each) for each in found] == [["decay"], ["decay"]]
    assert 1e-9 < found[1]["decay"] < 1e-6 < found[0]["decay"]


def test_sizes_of_several_networks_and_behind_hard_conditions():
    u = Scaled(MLP(3, 1), {"x": (-1, 1)}, {"u": (0.0, 2e-6)})
    hard = kpinn.layers.HardCondition(u, "x", distance=lambda x: 1.0 - x**2)
    k = Scaled(kpinn.networks.Separable(3, 1, 2), {"x": (-1, 1)}, {"k": (0.0, 2e5)})
    network = kpinn.networks.Fields({"u": hard, "k": k}, coordinates="x")

    def small(u_x):
        return u_x

    def large(k_x):
        return k_x

    found = kpinn.loss_weights(
        kpinn.PINN(network, "x", "u k", [small, large]), LINE.sample(50, seed=0)
    )
    assert 1e9 < found["small"] < 1e14 and 1e-13 < found["large"] < 1e-8


def test_the_network_and_what_was_compiled_stay_as_they_are():
    pinn = rod()
    pinn.compile("sgd", loss_weights={"heat": 3.0})
    weights, loss = pinn.get_weights(), pinn.evaluate(POINTS, verbose=0)
    kpinn.loss_weights(pinn, POINTS)
    for before, after in zip(weights, pinn.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert pinn.evaluate(POINTS, verbose=0) == loss


def nothing(u):
    return 0.0 * u


def logarithm(u):
    return ops.log(u)


def tiny(u):
    return 1e-22 * u


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (nothing, "'nothing' has the loss 0.0"),
        (logarithm, "'logarithm' has the loss nan.*Give the ranges"),
        (tiny, "'tiny' has the loss .*set_float64"),
    ],
)
def test_losses_that_give_no_weight(condition, message):
    pinn = kpinn.PINN(MLP(3, 1), "x", "u", [condition])
    with pytest.raises(ValueError, match=message):
        kpinn.loss_weights(pinn, LINE.sample(9, seed=0))


def test_a_range_may_keep_fields_positive():
    pinn = kpinn.PINN(Scaled(MLP(3, 1), LINE, {"u": (0.5, 1.5)}), "x", "u", [logarithm])
    assert kpinn.loss_weights(pinn, LINE.sample(9, seed=0))["logarithm"] > 1.0


def test_weights_of_what_is_no_pinn_or_has_another_field():
    with pytest.raises(ValueError, match="expected a kpinn.PINN"):
        kpinn.loss_weights(MLP(3, 1), LINE.sample(9))
    inner = Scaled(MLP(3, 1), LINE, {"w": (0.0, 1.0)})
    hard = kpinn.layers.HardCondition(inner, "x", distance=lambda x: 1.0 - x**2)
    with pytest.raises(ValueError, match="has the field 'w', and the PINN u"):
        kpinn.loss_weights(kpinn.PINN(hard, "x", "u", [value]), LINE.sample(9))


# What cannot be ----------------------------------------------------------------------------------

ARGUMENTS = {"coordinates": {"t": (0, 1), "x": (0, 1)}, "fields": {"u": (0, 1)}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coordinates": "t x"}, "coordinates is 't x': expected a dict"),
        ({"fields": {}}, "fields is {}: expected a dict"),
        ({"fields": {"u": 40.0}}, r"fields\['u'\] is 40.0: expected a pair of bounds"),
        ({"fields": {"u": (1.0, 1.0)}}, r"fields\['u'\].*the lower one below the upper"),
        ({"fields": {"u": (0.0, np.inf)}}, "expected finite bounds"),
        ({"fields": {"u": ("cold", "warm")}}, r"fields\['u'\] is .*a pair of bounds"),
        ({"fields": {"v[2]": ([0] * 3, [1] * 3)}}, "2 components of 'v.2.', and 3 bounds"),
        ({"coordinates": {"t t": (0, 1)}}, "'t t' is not a name|named twice"),
        ({"coordinates": {3: (0, 1)}}, "coordinates are names such as"),
        ({"fields": {"t": (0, 1)}}, "'t' is the name of a coordinate"),
        ({"network": 3}, "network is 3: expected a Keras model"),
    ],
)
def test_ranges_without_meaning(changes, message):
    with pytest.raises(ValueError, match=message):
        Scaled(**{"network": MLP(3, 1)} | ARGUMENTS | changes)


def test_names_and_columns_are_those_of_the_pinn():
    scaled = Scaled(MLP(3, 1), {"x": (0, LENGTH), "t": (0, HOUR)}, RANGE)
    with pytest.raises(ValueError, match="coordinates of the Scaled .* are x, t, and .* PINN t, x"):
        Rod(scaled)
    with pytest.raises(ValueError, match="fields of the Scaled"):
        Rod(Scaled(MLP(3, 1), ROD, {"w": (0, 1)}))
    with pytest.raises(
        ValueError, match=re.compile(r"returns the shape .*expected \(n, 1\)", re.S)
    ):
        Rod(Scaled(MLP(3, 1, outputs=2), ROD, RANGE))


@pytest.mark.parametrize(
    ("bounds", "floatx", "outcome"),
    [
        ((COLD, COLD + WARMER), "float32", None),
        ((1e5, 1e5 + 10.0), "float32", kpinn.PrecisionWarning),
        ((1.7e9, 1.7e9 + HOUR), "float32", ValueError),
        ((1.7e9, 1.7e9 + HOUR), "float64", None),
    ],
)
def test_numbers_that_rounding_leaves_few_digits_of(bounds, floatx, outcome, recwarn):
    network = MLP(3, 1, dtype=floatx)
    message = f"'t' is between .* in {floatx} its numbers are rounded by .*set_float64"
    if outcome is None:
        Scaled(network, {"t": bounds}, {"u": (0, 1)})
        assert not recwarn.list
    elif outcome is ValueError:
        with pytest.raises(ValueError, match=message):
            Scaled(network, {"t": bounds}, {"u": (0, 1)})
    else:
        with pytest.warns(outcome, match=message):
            Scaled(network, {"t": bounds}, {"u": (0, 1)})
