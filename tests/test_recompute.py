"""Gradients that compute channels again: the same numbers with less memory."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import references
import tensorflow as tf
from problems import Heat, heat_points

import kpinn
from kpinn.derivatives.tensorflow_private import compiled_by_xla

RECOMPUTE = kpinn.Taylor(strict=True, recompute=True)
POINTS = np.array([[0.375, -0.625], [-0.8125, 0.4375], [0.25, 0.125]])


def test_private_name():
    """Whether XLA compiles is known in a compiled function, in its loops, and nowhere else."""
    found = []

    def look(x):
        found.append(compiled_by_xla())
        body = tf.function(lambda i: (found.append(compiled_by_xla()), i + 1)[1:])
        return tf.while_loop(lambda i: i < 2, body, [0]), x

    tf.function(look, jit_compile=True, autograph=False)(1.0)
    assert found and all(found)
    found.clear()
    tf.function(look, autograph=False)(1.0)
    look(1.0)
    assert found and not any(found)


def network(activation, outputs):
    last = keras.layers.Dense(outputs)
    hidden = [keras.layers.Dense(n, activation) for n in (5, 4, 4)]
    model = keras.Sequential([keras.layers.Input((2,)), *hidden, last])
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0.0, 0.6, w.shape) for w in model.get_weights()])
    return model


def gradient(model, request, outputs, method=RECOMPUTE):
    """The gradient of the mean square of a derivative, to be compiled."""
    variables = [w.value for w in model.trainable_weights]

    def call():
        with tf.GradientTape() as tape:
            fields = f"u[{outputs}]"
            found = kpinn.derivatives(model, POINTS, request, "x y", fields, method)
            loss = tf.reduce_mean(found[request] ** 2)
        return tape.gradient(loss, variables, None, tf.UnconnectedGradients.ZERO)

    return call


def compiled(function):
    return tf.function(function, jit_compile=True, autograph=False)


@pytest.mark.parametrize(
    "activation, outputs, request_, axes",
    [
        ("tanh", 1, "u_xxy", (0, 0, 1)),
        ("tanh", 5, "u_xx", (0, 0)),
        ("sigmoid", 3, "u_xx", (0, 0)),  # narrow matrices have products of their own
    ],
)
def test_gradients(activation, outputs, request_, axes):
    """Against differences of losses with 50 digits."""
    kpinn.set_float64()
    model = network(activation, outputs)
    found = compiled(gradient(model, request_, outputs))()
    expected = references.loss_gradient(
        lambda weights: references.mlp(weights, activation), model.get_weights(), POINTS, axes
    )
    for each, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(each, right, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("outputs", (1, 3))
def test_gradients_of_gradients(outputs):
    """Against differences of gradients."""
    kpinn.set_float64()
    model = network("tanh", outputs)
    variables = [w.value for w in model.trainable_weights]
    directions = [np.random.default_rng(1).normal(size=v.shape) for v in variables]
    call = gradient(model, "laplacian_u", outputs)

    def slope():
        with tf.GradientTape() as tape:
            parts = zip(call(), directions, strict=True)
            total = tf.add_n([tf.reduce_sum(g * d) for g, d in parts])
        return tape.gradient(total, variables, None, tf.UnconnectedGradients.ZERO)

    found, values, sides = compiled(slope)(), [v.numpy() for v in variables], []
    plain = gradient(model, "laplacian_u", outputs, "taylor")
    for step in (1e-5, -1e-5):
        for variable, value, direction in zip(variables, values, directions, strict=True):
            variable.assign(value + step * direction)
        sides.append(plain())
    for each, above, below in zip(found, *sides, strict=True):
        np.testing.assert_allclose(each, (above - below) / 2e-5, rtol=1e-6, atol=1e-7)


def test_training_and_what_is_saved(tmp_path):
    """The same steps, also where an optimizer takes Jacobians; the choice is kept."""
    losses = []
    for method in ("taylor", RECOMPUTE):
        keras.utils.set_random_seed(0)
        pinn = Heat(kpinn.networks.MLP(units=6, depth=2), method=method)
        adam = keras.optimizers.Adam()
        stages = [(adam, 2), (kpinn.optimizers.LevenbergMarquardt(), 1)]
        pinn.compile(kpinn.optimizers.Sequence(stages))
        losses.append(pinn.fit(heat_points(), verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-4)
    pinn.save(tmp_path / "heat.keras")
    assert keras.saving.load_model(tmp_path / "heat.keras").method == RECOMPUTE


MEASURE = """
import json, sys
import tensorflow as tf, keras, kpinn

tf.raw_ops.Empty(shape=[2**28], dtype=tf.float32)  # freed: else sizes are rounded up
hidden = [keras.layers.Dense(48, "tanh") for _ in range(4)]
model = keras.Sequential([*hidden, keras.layers.Dense(1)])
x, found = tf.random.uniform((4000, 1)), []
model(x)
for method in (kpinn.Taylor(), kpinn.Taylor(recompute=True), kpinn.FiniteDifference(step=0.5)):
    @tf.function(jit_compile=True, autograph=False)
    def step(x):
        with tf.GradientTape() as tape:
            values = kpinn.derivatives(model, x, "u_xx", "x", "u", method)
            loss = tf.reduce_mean(values["u_xx"] ** 2)
        return tape.gradient(loss, model.trainable_variables)
    step(x)
    tf.config.experimental.reset_memory_stats("CPU:0")
    before = tf.config.experimental.get_memory_info("CPU:0")["current"]
    step(x)
    found.append(tf.config.experimental.get_memory_info("CPU:0")["peak"] - before)
print(json.dumps(found))
"""


def test_peak_memory():
    """In a process whose allocator counts."""
    environment = os.environ | {"TF_CPU_ALLOCATOR_USE_BFC": "true"}
    command = [sys.executable, "-c", MEASURE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    kept, recomputed, differences = json.loads(done.stdout.splitlines()[-1])
    assert recomputed < 0.9 * kept
    assert recomputed <= 1.03 * differences
