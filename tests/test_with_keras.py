"""Tools for Keras models: they take a PINN, and log its conditions and unknowns."""

import importlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from problems import BOX, Decay, Heat, heat_points, small_heat

import kpinn
from kpinn.derivatives.tensorflow_private import made_by_accumulator


def decay():
    pinn = Decay(kpinn.networks.MLP(units=4, depth=1))
    pinn.compile("adam", jit_compile=False)
    points = kpinn.domains.Box(t=(0, 1)).sample(10, seed=0)
    return pinn, {"ode": points, "samples": points}


def test_the_summary_has_layers_conditions_and_unknowns(capsys):
    decay()[0].summary()
    printed = capsys.readouterr().out
    assert "mlp" in printed and printed.index("mlp") < printed.index("Conditions:")
    assert " Conditions:\n   ode(u, u_t, rate)\n   samples(u)\n Unknown: rate\n" in printed
    lines = []
    decay()[0].summary(60, None, lines.append, expand_nested=True)
    assert "dense" in lines[0] and lines[-1].startswith(" Conditions:")
    assert not capsys.readouterr().out


def test_tensorboard_has_conditions_and_unknowns(tmp_path):
    pinn, points = decay()
    pinn.fit(points, epochs=2, verbose=0, callbacks=[keras.callbacks.TensorBoard(str(tmp_path))])
    (path,) = (tmp_path / "train").glob("events*")
    events = [tf.compat.v1.Event.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(path))]
    tags = {value.tag for event in events for value in event.summary.value}
    assert tags >= {"epoch_loss", "epoch_ode", "epoch_samples", "epoch_rate"}


@pytest.mark.filterwarnings("ignore")  # of packages that are not ours
def test_a_tuner_searches_by_the_loss_of_a_condition(tmp_path):
    keras_tuner = pytest.importorskip("keras_tuner")

    class Search(keras_tuner.HyperModel):
        def build(self, hp):
            pinn = Heat(kpinn.networks.MLP(units=hp.Choice("units", [2, 4]), depth=1))
            rate = hp.Float("rate", 1e-3, 1e-1, sampling="log")
            weight = hp.Float("weight", 0.1, 10.0, sampling="log")
            pinn.compile(
                keras.optimizers.Adam(rate), loss_weights={"start": weight}, jit_compile=False
            )
            return pinn

    tuner = keras_tuner.RandomSearch(
        Search(), keras_tuner.Objective("val_heat", "min"), 2, directory=tmp_path, seed=0
    )
    tuner.search(heat_points(), epochs=2, validation_data=heat_points(8, 4), verbose=0)
    scores = [trial.score for trial in tuner.oracle.get_best_trials(2)]
    assert len(scores) == 2 and 0 < scores[0] <= scores[1]
    best = tuner.get_best_hyperparameters()[0]
    assert set(best.values) == {"units", "rate", "weight"}
    pinn = tuner.hypermodel.build(best)
    assert float(pinn.loss_weights["start"].numpy()) == pytest.approx(best["weight"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_mlflow_has_conditions(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    callbacks = importlib.import_module("mlflow.tensorflow")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    with mlflow.start_run() as run:
        callback = callbacks.MlflowCallback(run)
        history = small_heat().fit(heat_points(), epochs=2, verbose=0, callbacks=[callback]).history
    found = mlflow.get_run(run.info.run_id).data.metrics
    for name in ("loss", "heat", "start"):
        assert found[name] == pytest.approx(history[name][-1])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_wandb_has_conditions(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = importlib.import_module("wandb.integration.keras").WandbMetricsLogger
    run = wandb.init(project="heat", dir=tmp_path, mode="offline")
    history = small_heat().fit(heat_points(), epochs=2, verbose=0, callbacks=[logger()]).history
    for name in ("loss", "heat", "start"):
        assert run.summary[f"epoch/{name}"] == pytest.approx(history[name][-1])
    run.finish()


def test_a_network_is_drawn(tmp_path):
    pytest.importorskip("pydot")  # which is of no use without Graphviz
    keras.utils.plot_model(small_heat().network, tmp_path / "heat.png", show_shapes=True)
    assert (tmp_path / "heat.png").stat().st_size > 1000


def test_half_precision_is_asked_for():
    keras.config.set_dtype_policy("mixed_float16")
    with pytest.raises(ValueError, match="computes in float16.*allow_mixed_precision=True"):
        small_heat()
    pinn = Heat(kpinn.networks.MLP(units=4, depth=1), allow_mixed_precision=True)
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-2))
    pinn.compile(optimizer, jit_compile=False)
    losses = pinn.fit(heat_points(), epochs=10, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert {weight.dtype for weight in pinn.get_weights()} == {np.dtype("float32")}
    assert pinn.network(np.zeros((1, 2), "float32")).dtype == tf.float16


# keras.ops.jvp -------------------------------------------------------------------------------


class Along(keras.layers.Layer):
    """The derivative of x^2 y^3 along (1, 2), times a weight that is one."""

    def __init__(self):
        super().__init__()
        self.scale = self.add_weight(shape=(), initializer="ones")

    def call(self, inputs):
        def function(z):
            return self.scale * z[:, :1] ** 2 * z[:, 1:] ** 3

        vector = ops.broadcast_to(ops.convert_to_tensor([[1.0, 2.0]]), ops.shape(inputs))
        return ops.jvp(function, (inputs,), (ops.cast(vector, inputs.dtype),))[1]


@pytest.mark.parametrize("method", ["auto", "reverse", kpinn.FiniteDifference(accuracy=4)])
def test_a_layer_may_differentiate(method):
    layer, points = Along(), BOX.sample(5, seed=0)
    points = {"x": points["t"] + 1.0, "y": points["x"] + 1.0}
    x, y = points.values()

    with tf.GradientTape() as tape:
        found = kpinn.derivatives(layer, points, "v_x, v_xx", "x y", "v", method)
        mean = tf.reduce_mean(found["v_xx"])
    v_xx = 12 * y**2  # of 2 x y^3 + 6 x^2 y^2
    tolerance = 2e-2 if isinstance(method, kpinn.FiniteDifference) else 1e-5
    np.testing.assert_allclose(found["v_x"], 2 * y**3 + 12 * x * y**2, rtol=tolerance)
    np.testing.assert_allclose(found["v_xx"], v_xx, rtol=tolerance)
    np.testing.assert_allclose(tape.gradient(mean, layer.scale.value), v_xx.mean(), rtol=tolerance)


def test_two_forward_accumulators_are_refused():
    points = {"x": np.ones(2, "float32"), "y": np.ones(2, "float32")}
    with pytest.raises(ValueError, match="keras.ops.jvp.*method='forward'.*'taylor' or 'reverse'"):
        kpinn.derivatives(Along(), points, "v_x", "x y", "v", "forward")
    values = kpinn.derivatives(Along(), points, "v", "x y", "v", "forward")["v"]
    np.testing.assert_allclose(values, 8.0)


def test_the_calls_of_an_accumulator_are_known():
    def function(x):
        with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as accumulator:
            y = tf.tanh(x)
        return accumulator.jvp(y)

    graph = tf.function(function).get_concrete_function(tf.TensorSpec((2,), tf.float32)).graph
    found = [made_by_accumulator(each.node_def) for each in graph.get_operations()]
    assert found.count(True) == 1
