"""Names that look like derivatives, and are arrays that come with the points."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kpinn

RNG = np.random.default_rng(0)
POINTS = {"t": RNG.uniform(size=8), "x": RNG.uniform(size=8)}
ARRAY = 100.0 + RNG.uniform(size=8)
NAMES = ("k_x", "f_x", "n_x", "n_y", "f_xt", "grad_k", "laplacian_f", "div_f", "v_x")
NAMES += ("u_true", "u_ref", "u_0", "u_1", "u_exact", "u_data", "u_target", "u_t0", "u_x0")
NAMES += ("u_tt_true", "u_t_ref", "u_bc", "t_x", "x_0", "U", "u2")
QUANTITIES = ("u", "u_x", "u_xx", "u_tx", "grad_u", "laplacian_u")


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


def network():
    return kpinn.networks.MLP(units=3, depth=1)


def with_argument(name):
    """A PINN whose condition is `u_t` plus an argument of some name."""
    space = {}
    exec(f"def balance(u_t, {name}): return u_t + {name}[:, :1]", space)
    return kpinn.PINN(network(), "t x", "u", conditions=[space["balance"]])


def difference(pinn, residuals):
    """The residuals without `u_t`."""
    return residuals - kpinn.derivatives(pinn.network, POINTS, "u_t")["u_t"].numpy()


@pytest.mark.parametrize("name", NAMES)
def test_arrays_with_the_names_of_derivatives(name):
    pinn = with_argument(name)
    found = difference(pinn, pinn.residuals(POINTS | {name: ARRAY})["balance"])
    np.testing.assert_allclose(found[:, 0], ARRAY, rtol=1e-12)
    with pytest.raises(ValueError, match=f"asks for '{name}', which is neither known nor an array"):
        pinn.residuals(POINTS)
    with pytest.raises(ValueError, match="Derivatives begin with a field.*comes with the points"):
        pinn.residuals(POINTS)


@pytest.mark.parametrize("name", QUANTITIES)
def test_a_quantity_is_never_an_array(name):
    pinn = with_argument(name)
    with_array, without = POINTS | {name: ARRAY}, pinn.residuals(POINTS)["balance"]
    np.testing.assert_array_equal(pinn.residuals(with_array)["balance"], without)


@pytest.mark.parametrize(
    "name, message",
    [
        ("u_y", "derivative with respect to 'y'"),
        ("u_xz", "derivative with respect to 'xz'"),
        ("ux", "Did you mean 'u_x'"),
        ("grad_", "'' is not a field"),
        ("laplacain_u", "Did you mean 'laplacian_u'"),
    ],
)
def test_misspelt_names_are_errors_at_construction(name, message):
    with pytest.raises(ValueError, match=message):
        with_argument(name)


@pytest.mark.parametrize(
    "name, message",
    [
        ("temprature_t", "Did you mean 'temperature_t'"),
        ("grad_temperatur", "Did you mean 'grad_temperature'"),
        ("temperature_radus", "Did you mean 'radius'"),
        ("temperature_radius0", None),
        ("temperature_ref", None),
        ("k_radius", None),
    ],
)
def test_long_names(name, message):
    space = {}
    exec(f"def balance(temperature, {name}): return temperature - {name}", space)
    arguments = network(), "t radius", "temperature"
    if message is None:
        kpinn.PINN(*arguments, conditions=[space["balance"]])
        return
    with pytest.raises(ValueError, match=message):
        kpinn.PINN(*arguments, conditions=[space["balance"]])


def measured(u, u_ref, k_x):
    return u - u_ref * k_x


def test_every_way_to_give_them(tmp_path):
    """Arrays, lists, targets beside them, datasets, Jacobians and exports."""
    data = {"u_ref": ARRAY / 100.0, "k_x": np.linspace(0.5, 1.0, 8)}
    points = {"measured": POINTS | data}
    pinn = kpinn.PINN(network(), "t x", "u", conditions=[measured])
    pinn.compile(keras.optimizers.SGD(0.01), jit_compile=False)
    u = pinn.predict_fields(POINTS)["u"][:, 0]
    expected = u - data["u_ref"] * data["k_x"]
    lists = {"measured": {name: list(array) for name, array in points["measured"].items()}}
    for given in (points, lists, points["measured"]):
        np.testing.assert_allclose(pinn.residuals(given)["measured"][:, 0], expected, rtol=1e-12)
    loss = pinn.evaluate(points, return_dict=True, verbose=0)["loss"]
    np.testing.assert_allclose(loss, np.mean(expected**2), rtol=1e-12)
    _, residuals = kpinn.jacobian(pinn, points)
    np.testing.assert_allclose(residuals * np.sqrt(8), expected, rtol=1e-12)
    pinn.fit(points, verbose=0)
    weights = pinn.get_weights()
    columns = {name: tf.reshape(array, (-1, 1)) for name, array in points["measured"].items()}
    pinn.fit(tf.data.Dataset.from_tensors(({"measured": columns},)), epochs=1, verbose=0)
    assert any(not np.array_equal(a, b) for a, b in zip(weights, pinn.get_weights(), strict=True))
    pinn.export(tmp_path / "model")
    served = tf.saved_model.load(str(tmp_path / "model")).signatures["residual_measured"]
    found = next(iter(served(**columns).values()))
    expected = pinn.predict_fields(POINTS)["u"][:, 0] - data["u_ref"] * data["k_x"]
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-12)


def test_a_derived_field_takes_no_arrays():
    class Measured(kpinn.PINN):
        coordinates, fields = "t x", "u"

        @kpinn.field
        def flux(self, u_x, k_x):
            return k_x * u_x

        @kpinn.condition
        def balance(self, flux):
            return flux

    with pytest.raises(ValueError, match="'k_x'.*A derived field is a function of the coordinates"):
        Measured(network())
