"""The sine problem: learn sin x from its values and its derivative, once per method.

Points 0, 0.1, ..., 10, a 1-10-10-10-1 network with tanh in float32, loss = mean (u - sin x)^2 +
mean (u_x - cos x)^2, Adam, 1,000 epochs of one full batch.

Shows: the same model with exact derivatives and with finite differences; what a method costs as a
whole training step.
Kind: ODE, tools.
Expected: largest of the least losses below 5e-5, about 20 seconds. An epoch takes about 0.2 ms by
every method but `forward`, which XLA cannot compile.

Run: python examples/sine.py [--short]
"""

import statistics
import time

import quiet
import keras
import numpy as np
from keras import ops

import kpinn

EPOCHS = 50 if quiet.SHORT else 1_000
METHODS = ["taylor", "reverse", "forward", "finite_difference"]


def value(x, u):
    return u - ops.sin(x)


def slope(x, u_x):
    return u_x - ops.cos(x)


def make(method):
    keras.utils.set_random_seed(0)
    network = kpinn.networks.MLP(units=10, depth=3)
    pinn = kpinn.PINN(network, "x", "u", conditions=[value, slope], method=method)
    pinn.compile(keras.optimizers.Adam(1e-2))
    pinn.fit(points, epochs=1, verbose=0)  # traces and compiles
    return pinn


points = {"x": np.arange(101) / 10.0}
seconds, losses = {}, {}
pinns = {str(method): make(method) for method in METHODS}
for name, pinn in pinns.items():
    losses[name] = min(pinn.fit(points, epochs=EPOCHS, verbose=0).history["loss"])
for _ in range(1 if quiet.SHORT else 5):  # alternately, so that a busy machine slows all of them
    for name, pinn in pinns.items():
        start = time.perf_counter()
        pinn.fit(points, epochs=EPOCHS, verbose=0)
        seconds.setdefault(name, []).append(time.perf_counter() - start)

reference = statistics.median(seconds["finite_difference"])
print(f"| method | seconds for {EPOCHS} epochs | ratio to finite_difference | least loss |")
print("|---|---|---|---|")
for name, times in seconds.items():
    median = statistics.median(times)
    print(f"| `{name}` | {median:.3f} | {median / reference:.2f} | {losses[name]:.3e} |")
print(f"largest of the least losses: {max(losses.values()):.1e}")
