"""What a GPU needs otherwise than a CPU, on a machine that has none."""

import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import kpinn
from kpinn.backend import devices
from kpinn.backend.devices import Device

CARDS = {
    "none": [],
    "before TF32": [Device("GPU", "Tesla V100", (7, 0))],
    "with TF32": [Device("GPU", "NVIDIA A100", (8, 0))],
    "unknown": [Device("GPU", "AMD MI300")],
    "TPU": [Device("TPU", "TPU v4")],
    "two": [Device("GPU", "Tesla T4", (7, 5)), Device("GPU", "NVIDIA H100", (9, 0))],
}
PRODUCTS = "computes products of float32 with three digits or less"


def heat(u_t, u_xx):
    return u_t - u_xx


def values(x, u):
    return u - x


def flat(flux_x):
    return flux_x


def periodic(u, at):
    return u - at("u", x=0.0)


class WithFlux(kpinn.PINN):
    @kpinn.field
    def flux(self, x, u):
        return x * u


CONDITIONS = {
    "derivatives": [values, heat],
    "of a derived field": [flat],
    "elsewhere": [periodic],
    "values": [values],
}


def pinn_of(conditions):
    return WithFlux(kpinn.networks.MLP(units=3, depth=1), "t x", "u", conditions=conditions)


def warned(pinn):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        pinn.compile("adam")
    return [str(each.message) for each in found]


@pytest.fixture
def tensor_float():
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(True)
    yield
    tf.config.experimental.enable_tensor_float_32_execution(before)


@pytest.mark.parametrize("cards", CARDS)
def test_a_card_that_rounds_products_is_named(cards, monkeypatch, tensor_float):
    monkeypatch.setattr(devices, "accelerators", lambda: CARDS[cards])
    name = {"with TF32": "A100", "unknown": "MI300", "TPU": "v4", "two": "H100"}.get(cards)
    pinn = pinn_of([heat])
    found = warned(pinn)
    if name is None:
        assert found == []
        return
    (message,) = found
    assert name in message and PRODUCTS in message
    tf.config.experimental.enable_tensor_float_32_execution(False)  # what it says
    assert warned(pinn) == []


@pytest.mark.parametrize("conditions", CONDITIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_is_said_where_it_matters(conditions, dtype, monkeypatch, tensor_float):
    monkeypatch.setattr(devices, "accelerators", lambda: CARDS["with TF32"])
    if dtype == "float64":
        kpinn.set_float64()
    expected = dtype == "float32" and conditions != "values"
    assert len(warned(pinn_of(CONDITIONS[conditions]))) == expected


def test_there_is_no_card_here_or_it_has_a_name():
    found = devices.accelerators()
    assert len(found) == len(tf.config.get_visible_devices()) - len(
        tf.config.get_visible_devices("CPU")
    )
    assert all(device.name for device in found)


@pytest.mark.parametrize("layer", [keras.layers.LSTM, keras.layers.GRU])
def test_what_cudnn_would_compute_is_refused(layer, monkeypatch):
    """Keras decides when a layer is made, and goes on without cuDNN where it has no kernel."""
    monkeypatch.setattr(devices, "accelerators", lambda: CARDS["before TF32"])
    rnn = sys.modules["keras.src.backend.tensorflow.rnn"]  # not the function of that name
    monkeypatch.setattr(rnn, "_is_gpu_available", lambda: True)

    def compiled(condition, **options):
        recurrent = layer(2, name="memory", **options)
        network = [keras.layers.Reshape((2, 1)), recurrent, keras.layers.Dense(1)]
        pinn = kpinn.PINN(keras.Sequential(network), "t x", "u", conditions=[condition])
        pinn.compile("adam")
        return pinn

    with pytest.raises(ValueError, match="'memory' would be computed by cuDNN.*use_cudnn=False"):
        compiled(heat)
    compiled(values)
    compiled(heat, unroll=True)
    pinn = compiled(heat, use_cudnn=False)
    assert np.isfinite(pinn.evaluate({"t": np.ones(3), "x": np.ones(3)}, verbose=0)).all()


def trained(optimizer):
    """The weights after some steps, of a linear equation in float64."""
    kpinn.set_float64()
    keras.utils.set_random_seed(0)
    pinn = kpinn.PINN(kpinn.networks.MLP(units=4, depth=1), "t x", "u", conditions=[heat, values])
    pinn.compile(optimizer, jit_compile=False)
    t = np.linspace(0, 1, 12)
    pinn.fit({"t": t, "x": np.sin(9 * t)}, epochs=4, verbose=0)
    return np.concatenate([np.ravel(weight) for weight in pinn.get_weights()])


OPTIMIZERS = {
    "dense": kpinn.optimizers.LevenbergMarquardt,
    "sketch": lambda: kpinn.optimizers.LevenbergMarquardt("sketch", rank=10),
    "projected": lambda: kpinn.optimizers.LevenbergMarquardt(project="last"),
    "SPRING": lambda: kpinn.optimizers.SPRING(damping=1e-5),
}


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_training_with_factorisations_on_the_device_is_the_same(optimizer, monkeypatch):
    host = trained(OPTIMIZERS[optimizer]())
    monkeypatch.setattr(devices, "accelerators", lambda: CARDS["before TF32"])
    np.testing.assert_allclose(
        trained(OPTIMIZERS[optimizer]()), host, rtol=0, atol=1e-8 * np.abs(host).max()
    )
