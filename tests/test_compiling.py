"""Training goes on without XLA where XLA cannot compile it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import Heat, heat_points

import kpinn

pytestmark = pytest.mark.xla
WARNING = "XLA cannot compile this model, which runs without it from now on"


@keras.saving.register_keras_serializable(package="tests")
class Scale(keras.layers.Layer):
    """Multiplies by a determinant, which XLA does not know."""

    def build(self, shape):
        self.matrix = self.add_weight(shape=(2, 2), initializer="identity")

    def call(self, inputs):
        return inputs * tf.linalg.det(self.matrix)


def heat(optimizer="adam", **arguments):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(6, "tanh"), Scale(), keras.layers.Dense(1)]
    pinn = Heat(keras.Sequential([keras.Input((2,)), *layers]))
    pinn.compile(optimizer, **arguments)
    return pinn


def dataset(points):
    return tf.data.Dataset.from_tensors(points).repeat()


OPTIMIZERS = {
    "adam": lambda: "adam",
    "ssbroyden": kpinn.optimizers.SSBroyden,
    "scipy": lambda: kpinn.optimizers.ScipyMinimize("BFGS"),
    "sequence": lambda: kpinn.optimizers.Sequence(
        [("adam", 2), (kpinn.optimizers.LevenbergMarquardt(), 2)]
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_goes_on_without_xla(name):
    pinn = heat(OPTIMIZERS[name]())
    with pytest.warns(UserWarning, match=rf"{WARNING} \(.*MatrixDeterminant"):
        losses = pinn.fit(heat_points(), epochs=4, verbose=0).history["loss"]
    assert pinn.jit_compile is False
    assert len(losses) == 4 and losses[-1] < losses[0]
    pinn.fit(heat_points(), epochs=5, initial_epoch=4, verbose=0)  # without another warning


@pytest.mark.parametrize("optimizer", ["adam", "ssbroyden"])
def test_datasets(optimizer):
    losses = []
    for jit_compile in ("auto", False):
        pinn = heat(OPTIMIZERS[optimizer](), jit_compile=jit_compile)
        stream, arguments = dataset(heat_points()), {"steps_per_epoch": 3, "verbose": 0}
        if jit_compile:
            with pytest.warns(UserWarning, match=WARNING):
                history = pinn.fit(stream, epochs=2, **arguments)
        else:
            history = pinn.fit(stream, epochs=2, **arguments)
        losses.append(history.history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_evaluate_and_what_is_saved(tmp_path):
    pinn = heat()
    with pytest.warns(UserWarning, match=WARNING):
        loss = pinn.evaluate(heat_points(), return_dict=True, verbose=0)["loss"]
    assert loss == pinn.evaluate(heat_points(), return_dict=True, verbose=0)["loss"]
    pinn.save(tmp_path / "heat.keras")
    loaded = keras.saving.load_model(tmp_path / "heat.keras")
    with pytest.warns(UserWarning, match=WARNING):
        assert loaded.evaluate(heat_points(), return_dict=True, verbose=0)["loss"] == loss


def test_predictions_of_a_dataset():
    pinn, points = heat(), heat_points()
    expected = pinn.residuals(points)
    with pytest.warns(UserWarning, match=WARNING):
        found = pinn.predict(tf.data.Dataset.from_tensors((points,)), verbose=0)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-6)


def test_what_was_asked_for_is_an_error():
    """So is a generator, whose first batches are gone."""
    with pytest.raises(tf.errors.InvalidArgumentError, match="MatrixDeterminant"):
        heat(jit_compile=True).fit(heat_points(), verbose=0)
    batches = ((heat_points(),) for _ in range(9))
    with pytest.raises(tf.errors.InvalidArgumentError, match="MatrixDeterminant"):
        heat().fit(batches, steps_per_epoch=1, verbose=0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="MatrixDeterminant"):
        heat().evaluate(batches, steps=1, verbose=0)


def test_other_errors_stay():
    """An error of the same class, after the first step or without XLA, is the user's to see."""
    pinn = heat("adam", jit_compile=False)
    pinn.fit(heat_points(), verbose=0)

    class Raises(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise tf.errors.InvalidArgumentError(None, None, "XLA is not to blame")

    with pytest.raises(tf.errors.InvalidArgumentError, match="not to blame"):
        pinn.fit(heat_points(), verbose=0, callbacks=[Raises()])
    pinn = Heat(kpinn.networks.MLP(units=4, depth=1))
    pinn.compile("adam")
    with pytest.raises(tf.errors.InvalidArgumentError, match="not to blame"):
        pinn.fit(heat_points(), verbose=0, callbacks=[Raises()])
