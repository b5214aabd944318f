"""Layers that return derivatives, checked as Keras checks its own."""

import json

import keras
import numpy as np
import pytest
from problems import Formula

import kpinn

X = np.random.default_rng(0).uniform(0.2, 1.0, (6, 2))
EXACT = {
    "u": X[:, :1] ** 3 * X[:, 1:],
    "u_x": X[:, :1] ** 3,
    "u_tt": 6 * X[:, :1] * X[:, 1:],
    "laplacian_u": 0 * X[:, :1],
    "hessian_u": 0 * X[:, :1, None],
}


def formula():
    return Formula(lambda t, x: t**3 * x, dtype="float64")


def make(kind, network, requests, **kwargs):
    layer = getattr(kpinn.layers, kind)
    return layer(network, requests, coordinates="t x", dtype="float64", **kwargs)


KINDS = [
    ("Derivatives", {}, 1e-12),
    ("Derivatives", {"method": "forward"}, 1e-12),
    ("Derivatives", {"method": kpinn.FiniteDifference(accuracy=4)}, 1e-8),
    ("FiniteDifference", {}, 1e-6),
    ("FiniteDifference", {"accuracy": 4, "scheme": "forward"}, 1e-6),
    ("FiniteDifference", {"step": 0.01}, 1e-3),
]


@pytest.mark.parametrize(("kind", "arguments", "tolerance"), KINDS)
def test_values_eager_and_in_functional_models(kind, arguments, tolerance):
    kpinn.set_float64()
    layer = make(kind, formula(), ", ".join(EXACT), **arguments)
    eager = layer(X)
    by_name = layer({"x": X[:, 1:], "t": X[:, :1]})
    inputs = keras.Input((2,), dtype="float64")
    outputs = layer(inputs)
    model = keras.Model(inputs, outputs)
    predicted = model.predict(X, verbose=0)
    for name, expected in EXACT.items():
        for values in (eager[name], by_name[name], predicted[name]):
            np.testing.assert_allclose(values, expected, rtol=tolerance, atol=tolerance)
        assert outputs[name].shape == (None, *expected.shape[1:])


@pytest.mark.parametrize(("kind", "arguments", "tolerance"), KINDS)
def test_layer_contract(kind, arguments, tolerance, tmp_path):
    """Config round trip, weights, training, saving: what Keras's own layer tests check."""
    network = kpinn.networks.MLP(units=4, depth=1)
    layer = getattr(kpinn.layers, kind)(network, "u, u_x", coordinates="t x", **arguments)
    config = layer.get_config()
    json.dumps(keras.saving.serialize_keras_object(layer))
    again = type(layer).from_config(config)
    assert again.get_config().keys() == config.keys()
    assert set(dir(again)) == set(dir(layer))

    inputs = keras.Input((2,))
    values = layer(inputs)
    assert len(layer.trainable_weights) == 4
    assert layer.non_trainable_weights == []
    model = keras.Model(inputs, values["u"] + values["u_x"])
    model.compile("adam", "mse", jit_compile=False)
    model.fit(X, X[:, :1], epochs=2, batch_size=4, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-5)
    model.export(tmp_path / "exported", verbose=False)


def test_errors_at_construction():
    network = kpinn.networks.MLP(units=4, depth=1)
    for arguments, message in [
        ({"requests": "u_y"}, "'u_y'"),
        ({"requests": "u", "method": "magic"}, "method 'magic' is unknown"),
        ({"requests": "u", "coordinates": "t t"}, "named twice"),
    ]:
        for kind in (kpinn.layers.Derivatives, kpinn.layers.FiniteDifference):
            if kind is kpinn.layers.Derivatives or "method" not in arguments:
                with pytest.raises(ValueError, match=message):
                    kind(network, **{"coordinates": "t x"} | arguments)
    with pytest.raises(ValueError, match="accuracy 3 is unknown: expected one of 2, 4, 6"):
        kpinn.layers.FiniteDifference(network, "u_x", coordinates="t x", accuracy=3)


@pytest.mark.parametrize("kind", ["Derivatives", "FiniteDifference"])
def test_directions_come_with_the_points(kind, tmp_path):
    network = kpinn.networks.MLP(units=4, depth=1)
    make = getattr(kpinn.layers, kind)
    layer = make(network, "u_n, u_x", coordinates="t x")
    points = {"t": X[:, :1], "x": X[:, 1:], "n": np.tile([0.0, -1.0], (len(X), 1))}
    inputs = {name: keras.Input(part.shape[1:], name=name) for name, part in points.items()}
    model = keras.Model(inputs, layer(inputs)["u_n"])
    slopes = layer({name: keras.ops.convert_to_tensor(part) for name, part in points.items()})
    np.testing.assert_allclose(slopes["u_n"], -slopes["u_x"], rtol=1e-2, atol=1e-3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    expected = model.predict(points, verbose=0)
    np.testing.assert_allclose(loaded.predict(points, verbose=0), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="'u_n' asks for a derivative with respect to 'n'"):
        layer(X)  # without vectors


def test_a_layer_inside_the_network_of_a_pinn():
    """A stream function: the velocity is the derivative of what is learnt."""
    inputs = keras.Input((2,))
    psi = kpinn.networks.MLP(units=4, depth=1, name="psi")
    slopes = kpinn.layers.Derivatives(psi, "psi_x, psi_y", coordinates="x y", fields="psi")(inputs)
    velocity = keras.layers.Concatenate()([slopes["psi_y"], -slopes["psi_x"]])
    network = keras.Model(inputs, velocity)

    def mass(div_v):
        return div_v

    pinn = kpinn.PINN(network, coordinates="x y", fields="v[2]", conditions=[mass])
    points = {"x": X[:, 0], "y": X[:, 1]}
    np.testing.assert_allclose(pinn.residuals(points)["mass"], 0.0, atol=1e-6)
    assert np.abs(pinn.predict_fields(points, "v_x")["v_x"]).max() > 1e-3
