"""Growth at any rate: a DeepONet for u' = r(t) u (1 - u), u(0) = 1/2, in mini-batches of functions.

Shows: functions as data, 4,000 of them at 20 points each. A step takes 100 functions with all of
their points, since those of a function stand behind each other: `batch_size` is a multiple of 20
and `shuffle=False`. The branch runs once for each of the 100. The exact solution is 1 / (1 +
exp(-R)) with the integral R of r.
Kind: networks, ODE, families.
Expected: relative L2 error below 7e-3, about a minute on two CPU cores. The functions were not
trained on.

Run: python examples/operator_batches.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import functions_beside
from keras import ops

import kpinn

SENSORS, PLACES, BATCH = np.linspace(0, 1, 10), 20, 100
keras.utils.set_random_seed(0)


@kpinn.derivatives.independent  # rows share a branch by design
class DeepONet(keras.layers.Layer):
    """Rows `(t, r)`, of which `PLACES` at a time have the same r."""

    def __init__(self, width=40):
        super().__init__()
        self.branch = kpinn.networks.MLP(60, 2, width)
        self.trunk = kpinn.networks.MLP(60, 2, width)

    def call(self, rows):
        t = rows[:, :1]
        features = ops.repeat(self.branch(rows[::PLACES, 1:]), PLACES, axis=0)[: ops.shape(t)[0]]
        return 0.5 + t * ops.sum(features * self.trunk(t), axis=1, keepdims=True)


def growth(u, u_t, rate):
    return u_t - rate * u * (1.0 - u)


def functions(count, seed):
    """Points with sums of three waves as rates, and the exact u, one function after the other."""
    random = np.random.default_rng(seed)
    factors, phases = random.normal(size=(2, count, 1, 3))
    k, t = np.arange(1.0, 4.0), random.uniform(size=(count, PLACES, 1))

    def waves(t):
        return np.sum(factors * np.sin(k * t + phases), axis=2)

    integral = np.sum(factors / k * (np.cos(phases) - np.cos(k * t + phases)), axis=2)
    r = np.repeat(waves(SENSORS[None, :, None]), PLACES, axis=0)
    points = {"t": t.reshape(-1, 1), "r": r, "rate": waves(t).reshape(-1, 1)}
    return points, 1.0 / (1.0 + np.exp(-integral.reshape(-1, 1)))


points, _ = functions(400 if quiet.SHORT else 4_000, seed=0)
epochs = 2 if quiet.SHORT else 150
pinn = kpinn.PINN(DeepONet(), "t", "u", conditions=[growth], parameters="r[10]")
rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * len(points["t"]) // (BATCH * PLACES))
pinn.compile(keras.optimizers.Adam(rate))
pinn.fit(points, batch_size=BATCH * PLACES, shuffle=False, epochs=epochs, verbose=0)

new, exact = functions(200, seed=1)
found = pinn.predict_fields(new, batch_size=len(exact))["u"]
print(f"relative L2 error: {np.linalg.norm(found - exact) / np.linalg.norm(exact):.1e}")

functions_beside(new["t"], exact, found, PLACES, "output/operator_batches.png", "t")
