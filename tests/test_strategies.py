"""Distribution strategies: what is right with two replicas, and what is refused by name."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from problems import heat_points, small_heat

import kpinn

TWO_REPLICAS = """
import keras, numpy as np, tensorflow as tf
from problems import BOX, heat_points, small_heat
import kpinn

two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
POINTS = heat_points(24, 8)
TARGETS = {"start": np.full((8, 1), 0.5)}
WEIGHTED = POINTS, TARGETS, {"start": np.linspace(0, 2, 8)}

def dataset(points):
    return tf.data.Dataset.from_tensors(points).repeat()

def trained(points, reduction="sum_over_batch_size"):
    keras.utils.set_random_seed(0)
    loss = keras.losses.MeanSquaredError(reduction=reduction)
    rate = 0.1 if reduction != "sum" else 0.01
    pinn = small_heat(keras.optimizers.SGD(rate), loss=loss, loss_weights={"start": 3.0})
    pinn.network.layers[0].kernel.regularizer = keras.regularizers.L2(1e-2)
    history = pinn.fit(points, epochs=4, steps_per_epoch=1, verbose=0).history
    return pinn, [*history["loss"], *history["start"], *pinn.evaluate(POINTS, verbose=0)]

strategy = tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
assert strategy.num_replicas_in_sync == 2
cases = [POINTS, WEIGHTED, dataset(POINTS), BOX.sample(24, seed=0)], ["sum_over_batch_size", "sum"]
for points, reduction in [(points, cases[1][0]) for points in cases[0]] + [(POINTS, "sum")]:
    with strategy.scope():
        pinn, logs = trained(points, reduction)
    one, expected = trained(points, reduction)
    for weight, other in zip(pinn.get_weights(), one.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(logs, expected, rtol=1e-5)

def refused(what, points=POINTS, optimizer="adam", callbacks=(), **arguments):
    with strategy.scope():
        pinn = small_heat(optimizer() if callable(optimizer) else optimizer, **arguments)
    try:
        pinn.fit(points, steps_per_epoch=1, verbose=0, callbacks=list(callbacks))
    except ValueError as error:
        assert what in str(error), (what, str(error))
    else:
        raise AssertionError(what)

name = "not yet under a strategy with several replicas (here 2): "
for kind in ("LBFGS", "LevenbergMarquardt", "SPRING", "ScipyMinimize"):
    refused(name + kind, optimizer=getattr(kpinn.optimizers, kind))
refused(name + "Sequence", optimizer=lambda: kpinn.optimizers.Sequence([("adam", 1)]))
refused(name + "XLA", jit_compile=True)
refused(name + "steps_per_execution", steps_per_execution=2)
refused(name + "steps_per_execution and run_eagerly", run_eagerly=True)
refused(name + "Resample", callbacks=[kpinn.callbacks.Resample(lambda seed: POINTS)])
refused(name + "the reduction", loss=keras.losses.MeanSquaredError("mean_with_sample_weight"))
refused("7 points of condition 'start' cannot be divided among 2 replicas", heat_points(24, 7))
refused(name + "points from a generator", (POINTS for _ in range(3)))
batched = tf.data.Dataset.from_tensor_slices(BOX.sample(24, seed=0)).batch(4)
refused("batch with drop_remainder=True", batched)

with strategy.scope():
    pinn = small_heat()
bad = {name: dict(arrays) for name, arrays in POINTS.items()}
bad["start"]["x"] = np.nan * bad["start"]["x"]
try:
    pinn.fit(dataset(POINTS).take(2).concatenate(dataset(bad).take(1)), verbose=0)
except kpinn.NonFiniteError as error:
    assert "step 3: the loss of condition 'start'" in str(error), error
assert all(np.isfinite(weight).all() for weight in pinn.get_weights())
assert all(np.isfinite(np.asarray(v)).all() for v in pinn.optimizer.variables)
"""


def test_two_replicas_train_as_one_device():
    """In a process of its own, since logical devices are made before TensorFlow starts."""
    paths = [path or os.getcwd() for path in sys.path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-c", TWO_REPLICAS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("optimizer", ["adam", kpinn.optimizers.LBFGS])
def test_one_device_of_a_strategy(optimizer):
    """Keras's loop and the strategy of one device; nothing is refused."""
    losses = []
    for strategy in (None, tf.distribute.OneDeviceStrategy("/cpu:0")):
        optimizer_of = (lambda: optimizer) if optimizer == "adam" else optimizer
        scope = strategy.scope() if strategy else tf.name_scope("none")
        with scope:
            pinn = small_heat(optimizer_of())
            for weight in pinn.trainable_variables:
                weight.assign(0.1 * np.ones(weight.shape))
        losses.append(pinn.fit(heat_points(25, 7), epochs=3, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)
