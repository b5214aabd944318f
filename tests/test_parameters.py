"""Parameters of a family of problems: columns of the network that are no space."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from problems import Formula

import kpinn

RNG = np.random.default_rng(0)
POINTS = {name: RNG.uniform(0.2, 1.0, (7, 1)) for name in ("x", "y", "mu")}
X, Y, MU = (POINTS[name] for name in ("x", "y", "mu"))


def formula(x, y, mu):
    return ops.sin(x) * y**2 * mu**3


def poisson(laplacian_u):
    return laplacian_u


def family(*conditions, network=None, **arguments):
    network = Formula(formula, dtype="float64") if network is None else network
    arguments = {"coordinates": "x y", "fields": "u", "parameters": "mu"} | arguments
    return kpinn.PINN(network, conditions=list(conditions or [poisson]), **arguments)


EXACT = {
    "u": np.sin(X) * Y**2 * MU**3,
    "u_mu": 3 * np.sin(X) * Y**2 * MU**2,
    "u_x_mu": 3 * np.cos(X) * Y**2 * MU**2,
    "laplacian_u": (2 - Y**2) * np.sin(X) * MU**3,
    "grad_u": np.hstack([np.cos(X) * Y**2, 2 * np.sin(X) * Y]) * MU**3,
    "biharmonic_u": (Y**2 - 4) * np.sin(X) * MU**3,
}


def test_parameters_are_no_space():
    found = family().predict_fields(POINTS, ", ".join(EXACT))
    for name, exact in EXACT.items():
        np.testing.assert_allclose(found[name], exact, rtol=1e-12, err_msg=name)
    assert family().predict_fields(POINTS, "hessian_u")["hessian_u"].shape == (7, 2, 2)
    np.testing.assert_allclose(family().residuals(POINTS)["poisson"], EXACT["laplacian_u"])


@keras.saving.register_keras_serializable(package="test_parameters")
class Family(kpinn.PINN):
    """-u'' = mu."""

    coordinates, fields, parameters = "x", "u", "mu"

    @kpinn.condition
    def equation(self, laplacian_u, mu):
        return laplacian_u + mu

    @kpinn.condition
    def slope(self, u_n):
        return u_n


def values_only(v):
    return v


def test_other_operators_leave_parameters_out():
    def stream(x, y, mu):
        return [x * y * mu**2, x - y * mu]

    network = Formula(stream, dtype="float64")
    pinn = family(values_only, network=network, fields="v[2]")
    found = pinn.predict_fields(POINTS, "div_v, curl_v, jac_v, laplacian_v, v_mu")
    np.testing.assert_allclose(found["div_v"], Y * MU**2 - MU, atol=1e-12)
    np.testing.assert_allclose(found["curl_v"], 1 - X * MU**2, atol=1e-12)
    assert found["jac_v"].shape == (7, 2, 2)
    np.testing.assert_allclose(found["laplacian_v"], 0.0, atol=1e-12)
    np.testing.assert_allclose(found["v_mu"], np.hstack([2 * X * Y * MU, -Y]), atol=1e-12)


@pytest.mark.parametrize("method", ["taylor", "reverse", "forward", "finite_difference"])
def test_every_method_leaves_parameters_out(method):
    found = family(method=method).predict_fields(POINTS, "laplacian_u, u_mu")
    rtol = 1e-6 if method == "finite_difference" else 1e-12
    for name, values in found.items():
        np.testing.assert_allclose(values, EXACT[name], rtol=rtol)


def test_estimates_leave_parameters_out():
    method = kpinn.Stochastic(2, kind="coordinates")
    found = family(method=method).predict_fields(POINTS, "laplacian_u")
    np.testing.assert_allclose(found["laplacian_u"], EXACT["laplacian_u"])


def test_a_normal_has_no_component_along_parameters():
    def flux(u_n):
        return u_n

    normal = np.tile([0.6, 0.8], (7, 1))
    found = family(flux).residuals(POINTS | {"n": normal})["flux"]
    np.testing.assert_allclose(found, EXACT["grad_u"] @ [[0.6], [0.8]])
    with_mu = np.tile([0.0, 0.0, 1.0], (7, 1))  # which says so itself
    found = family(flux).residuals(POINTS | {"n": with_mu})["flux"]
    np.testing.assert_allclose(found, EXACT["u_mu"])


def test_time_stays_a_coordinate():
    def wave(u_tt, laplacian_u, u_n):
        return u_tt - laplacian_u + u_n

    network = Formula(lambda t, x, mu: ops.sin(mu * t) * x**3, dtype="float64")
    pinn = family(wave, network=network, coordinates="t x")
    points = {"t": X, "x": Y, "mu": MU, "n": np.tile([1.0, 0.0], (7, 1))}  # along time
    exact = -(MU**2) * np.sin(MU * X) * Y**3 - 6 * np.sin(MU * X) * Y
    exact += MU * np.cos(MU * X) * Y**3
    np.testing.assert_allclose(pinn.residuals(points)["wave"], exact)


@pytest.mark.parametrize("one", [0.5, np.float32(0.5), np.array(0.5), [0.5], np.array([[0.5]])])
def test_one_value_of_a_parameter_is_repeated(one):
    points = {"x": X, "y": Y, "mu": np.full_like(X, 0.5)}
    expected = family().predict_fields(points, "u, laplacian_u")
    found = family().predict_fields(points | {"mu": one}, "u, laplacian_u")
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    residuals = family().residuals(points | {"mu": one})["poisson"]
    np.testing.assert_array_equal(residuals, expected["laplacian_u"])
    called = family()({"x": tf.constant(X), "y": tf.constant(Y), "mu": tf.constant(one)})
    np.testing.assert_allclose(called["poisson"], residuals)


def test_a_vector_of_parameters():
    network = Formula(lambda x, y, a, b: a * x**2 + b * y**2, dtype="float64")
    pinn = family(network=network, parameters="mu[2]")
    points = {"x": X, "y": Y, "mu": np.tile([2.0, 3.0], (7, 1))}
    np.testing.assert_allclose(pinn.residuals(points)["poisson"], np.full((7, 1), 10.0))
    np.testing.assert_allclose(
        pinn.residuals(points | {"mu": [2.0, 3.0]})["poisson"], np.full((7, 1), 10.0)
    )
    with pytest.raises(ValueError, match="the parameter has 2 components"):
        pinn.predict_fields(points, "u_mu")


def test_a_family_is_trained_saved_and_exported(tmp_path):
    box = kpinn.domains.Box(x=(0, 1), mu=(1, 2))
    sides = box.boundary("x").sample(16, seed=1)
    sides["n"] = sides["n"][:, :1]
    points = {"equation": box.sample(32, seed=0), "slope": sides}
    pinn = Family(kpinn.networks.MLP(units=6, depth=1))
    pinn.compile("adam", jit_compile=False)
    pinn.fit(points, epochs=2, verbose=0)
    pinn.save(tmp_path / "family.keras")
    loaded = keras.models.load_model(tmp_path / "family.keras")
    line = {"x": np.linspace(0, 1, 5), "mu": 1.5}
    expected = pinn.predict_fields(line, "u, u_xx, u_mu, laplacian_u")
    assert loaded.parameters == "mu"
    np.testing.assert_array_equal(expected["u_xx"], expected["laplacian_u"])
    for name, values in loaded.predict_fields(line, "u, u_mu").items():
        np.testing.assert_array_equal(values, expected[name])
    pinn.export(tmp_path / "served", derivatives="u_mu, laplacian_u")
    served = kpinn.load_export(tmp_path / "served").signatures
    x = tf.constant(line["x"][:, None], tf.float32)
    for mu in (tf.constant(1.5), tf.constant([[1.5]]), tf.fill((5, 1), 1.5)):
        for name, values in served["derivatives"](x=x, mu=mu).items():
            np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-6)
        residual = served["residual_equation"](x=x, mu=mu)["equation"]
        np.testing.assert_allclose(residual, expected["u_xx"] + 1.5, rtol=1e-5, atol=1e-6)


def test_a_family_in_the_other_functions():
    assert kpinn.check_derivatives(family(), POINTS).ok
    report = kpinn.check_derivatives(
        Formula(formula, dtype="float64"),
        POINTS,
        "laplacian_u, u_mu",
        coordinates="x y",
        parameters="mu",
    )
    assert report.ok
    found = kpinn.derivatives(
        lambda p: formula(*tf.unstack(p[..., None], axis=1)), POINTS, "grad_u", parameters="mu"
    )
    np.testing.assert_allclose(found["grad_u"], EXACT["grad_u"])
    pinn = family()
    pinn.compile(kpinn.optimizers.SSBroyden())
    assert kpinn.recommend(pinn, POINTS, print_fn=lambda text: None).epochs


@pytest.mark.parametrize("layer", [kpinn.layers.Derivatives, kpinn.layers.FiniteDifference])
def test_layers_of_derivatives_leave_parameters_out(layer):
    network = kpinn.networks.MLP(units=4, depth=1)
    made = layer(network, "laplacian_u, u_mu", coordinates="x y", parameters="mu")
    points = tf.constant(RNG.uniform(size=(5, 3)), tf.float32)
    again = layer.from_config(made.get_config())
    made(points), again(points)
    again.set_weights(made.get_weights())
    expected = kpinn.derivatives(
        network, points, "laplacian_u, u_mu", "x y", parameters="mu", method=made.method
    )
    for name, values in again(points).items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-5)


def test_a_hard_condition_of_a_family():
    hard = kpinn.layers.HardCondition(
        kpinn.networks.MLP(units=4, depth=1), "x y mu", value=lambda mu: mu, distance=lambda x: x
    )
    pinn = family(network=hard)
    found = pinn.predict_fields({"x": [0.0, 0.0], "y": [0.1, 0.2], "mu": 3.0})["u"]
    np.testing.assert_allclose(found, 3.0)


@pytest.mark.parametrize(
    "parameters, error",
    [
        ("x", "'x' is a coordinate, and a parameter too"),
        ("mu mu", "parameter 'mu' is named twice"),
        ("m_u", "parameter 'm_u' has an underscore"),
        ("xy", "parameter 'xy' cannot be told from"),
        ("u", "'u' is the name of a parameter and of something else"),
        ("2", "parameter '2' is not a name"),
        ("", "parameters are names such as"),
        (3, "parameters are names such as"),
        (
            "mu nu",
            "coordinates: x, y; parameters: mu, nu; fields: u",
        ),
    ],
)
def test_names_of_parameters_that_cannot_be(parameters, error):
    with pytest.raises(ValueError, match=error):
        family(parameters=parameters)


def test_parameters_cannot_be_missing_or_set():
    with pytest.raises(ValueError, match="lack the parameter 'mu'"):
        family().residuals({"x": X, "y": Y})
    with pytest.raises(ValueError, match="parameters cannot be set"):
        family().parameters = "nu"
    with pytest.raises(ValueError, match="'mu' is the name of a parameter"):
        family().unknown("mu", 1.0)
    with pytest.raises(ValueError, match="beside time and parameters"):
        kpinn.derivatives(tf.sin, {"t": X, "mu": MU}, "laplacian_u", parameters="mu")
    with pytest.raises(ValueError, match="'x' of 'all conditions' has the shape"):
        family().residuals({"x": 0.1, "y": 0.2, "mu": 1.0})
    with pytest.raises(ValueError, match="different numbers of points"):
        family().residuals({"x": X, "y": Y, "mu": [1.0, 2.0]})
