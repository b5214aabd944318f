"""Networks with several inputs and outputs, by name and in lists."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kpinn

POINTS = {
    "t": np.array([[0.1], [0.6], [0.3]]),
    "x": np.array([[0.5], [-0.4], [0.2]]),
}
REQUESTS = "u, u_t, v, v_x, v_tx, laplacian_v"
METHODS = ("taylor", "reverse", "forward", kpinn.FiniteDifference(accuracy=6))


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


def parts():
    t, x = keras.Input((1,), name="t"), keras.Input((1,), name="x")
    u = t * keras.ops.sin(2 * x)
    v = keras.layers.Concatenate()([t**2 * x, keras.ops.exp(x) + t])
    return t, x, u, v


def as_lists():
    t, x, u, v = parts()
    return keras.Model([t, x], [u, v])


def as_dicts():
    t, x, u, v = parts()
    return keras.Model({"x": x, "t": t}, {"v": v, "u": u})


def as_function():
    model = as_dicts()
    return lambda points: model({"t": points[:, :1], "x": points[:, 1:]})


@pytest.mark.parametrize("make", (as_lists, as_dicts, as_function))
@pytest.mark.parametrize("method", METHODS, ids=str)
def test_derivatives(make, method):
    found = kpinn.derivatives(make(), POINTS, REQUESTS, fields="u v[2]", method=method)
    t, x = POINTS["t"], POINTS["x"]
    expected = {
        "u": t * np.sin(2 * x),
        "u_t": np.sin(2 * x),
        "v": np.hstack([t**2 * x, np.exp(x) + t]),
        "v_x": np.hstack([t**2, np.exp(x)]),
        "v_tx": np.hstack([2 * t, 0 * x]),
        "laplacian_v": np.hstack([0 * x, np.exp(x)]),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-8, err_msg=name)


def test_coordinates_go_by_name_not_by_order():
    model = as_lists()
    for names in ("t x", "x t"):
        found = kpinn.derivatives(model, POINTS, "u_t", coordinates=names, fields="u v[2]")
        np.testing.assert_allclose(found["u_t"], np.sin(2 * POINTS["x"]), rtol=1e-14)


def test_a_pinn_trains_predicts_and_exports(tmp_path):
    t, x = keras.Input((1,), name="t"), keras.Input((1,), name="x")
    hidden = keras.layers.Dense(6, "tanh")(keras.layers.Concatenate()([t, x]))
    outputs = {"v": keras.layers.Dense(1)(hidden), "u": keras.layers.Dense(1)(hidden)}
    network = keras.Model({"x": x, "t": t}, outputs)

    def first(u_t, v_x):
        return u_t - v_x

    def second(v_t, u_x):
        return v_t - u_x - 1.0

    pinn = kpinn.PINN(network, "t x", "u v", conditions=[first, second])
    pinn.compile("adam", jit_compile=False)
    losses = pinn.fit(POINTS, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    u = pinn.predict_fields(POINTS, "u")["u"]
    np.testing.assert_allclose(u, network(POINTS)["u"], rtol=1e-12)
    pinn.export(tmp_path / "waves")
    served = tf.saved_model.load(str(tmp_path / "waves"))
    points = {name: tf.constant(values) for name, values in POINTS.items()}
    np.testing.assert_allclose(served.signatures["serving_default"](**points)["u"], u, rtol=1e-12)


@pytest.mark.parametrize(
    "coordinates, fields, message",
    [
        ("t y", "u v[2]", "has the inputs t, x: expected one input per coordinate, named like it"),
        ("t x", "u w[2]", "returned 'v', 'u': expected one output per field"),
        ("t x", "u v", r"returned the shape \(3, 3\) .* expected \(n, 2\)"),
    ],
)
def test_misuse(coordinates, fields, message):
    points = dict(zip(coordinates.split(), POINTS.values(), strict=True))
    with pytest.raises(ValueError, match=message):
        kpinn.derivatives(as_dicts(), points, "u", coordinates, fields)
