"""Train, export a SavedModel, serve it in a process without kpinn and without Keras.

The problem is heat conduction, u_t = u_xx on [0, 1], u(0, x) = sin(pi x), with hard conditions.

Shows: `pinn.export` with fields, derivatives and residuals, and how others load it.
Kind: tools, parabolic.
Expected: largest difference below 1e-5, about 20 seconds: the served numbers are those of the
model.

Run: python examples/export_and_serve.py [--short]
"""

import os
import subprocess
import sys

import quiet
import keras
import numpy as np
from keras import ops

import kpinn

keras.utils.set_random_seed(0)

SERVE = """
import sys
sys.modules["keras"] = sys.modules["kpinn"] = None  # importing one of them fails
import quiet
import numpy as np
import tensorflow as tf

model = tf.saved_model.load("output/heat")
points = dict(np.load("output/points.npz"))
inputs = {name: tf.constant(values) for name, values in points.items()}
results = {}
for signature in ("serving_default", "derivatives", "residual_heat"):
    results |= {name: v.numpy() for name, v in model.signatures[signature](**inputs).items()}
np.savez("output/served.npz", **results)
print("served without Keras:", ", ".join(sorted(results)))
"""


def heat(u_t, u_xx):
    return u_t - u_xx


inputs = keras.Input((2,))
t, x = inputs[:, :1], inputs[:, 1:]
net = kpinn.networks.MLP(units=20, depth=2)(inputs)
network = keras.Model(inputs, ops.sin(np.pi * x) + t * x * (1 - x) * net)

pinn = kpinn.PINN(network, coordinates="t x", fields="u", conditions=[heat])
pinn.compile(keras.optimizers.Adam(5e-3))
points = kpinn.domains.Box(t=(0, 0.2), x=(0, 1)).sample(500)
pinn.fit(points, epochs=2 if quiet.SHORT else 10, steps_per_epoch=200, verbose=2)
pinn.export("output/heat", derivatives="u_t, u_x")

new = {"t": np.full((5, 1), 0.1, "float32"), "x": np.linspace(0, 1, 5, dtype="float32")[:, None]}
np.savez("output/points.npz", **new)
environment = os.environ | {"PYTHONPATH": os.path.dirname(__file__)}  # has quiet.py
subprocess.run([sys.executable, "-c", SERVE], check=True, env=environment)
served = np.load("output/served.npz")
expected = pinn.predict_fields(new, "u, u_t, u_x") | pinn.residuals(new)
differences = {name: np.abs(served[name] - each).max() for name, each in expected.items()}
print("compared:", ", ".join(differences))
print(f"largest difference: {max(differences.values()):.1e}")
exact = np.exp(-(np.pi**2) * new["t"]) * np.sin(np.pi * new["x"])
print(f"largest error of u: {np.abs(served['u'] - exact).max():.1e}")
