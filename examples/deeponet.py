"""The integral of any function: a physics-informed DeepONet for u' = f, u(0) = 0.

Shows: functions as data. Each is 10 values f at sensors, columns that come with the points as
parameters; the branch of the network runs once for each function and not for each of its points.
Kind: networks, ODE, families.
Expected: relative L2 error below 4e-3, about a minute on two CPU cores. The functions were not
trained on.

Run: python examples/deeponet.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import functions_beside
from keras import ops

import kpinn

SENSORS, PLACES = np.linspace(0, 1, 10), 20
kpinn.set_float64()
keras.utils.set_random_seed(0)


@kpinn.derivatives.independent  # rows share a branch by design
class DeepONet(keras.layers.Layer):
    """Rows `(x, f)`, of which `PLACES` at a time have the same f."""

    def __init__(self, width=40):
        super().__init__()
        self.branch = kpinn.networks.MLP(40, 2, width)
        self.trunk = kpinn.networks.MLP(40, 2, width)

    def call(self, rows):
        x = rows[:, :1]
        features = ops.repeat(self.branch(rows[::PLACES, 1:]), PLACES, axis=0)[: ops.shape(x)[0]]
        return x * ops.sum(features * self.trunk(x), axis=1, keepdims=True)


def equation(u_x, source):
    return u_x - source


def functions(count, seed):
    """Points with sums of three waves, and their integrals."""
    random = np.random.default_rng(seed)
    factors, phases = random.normal(size=(2, count, 1, 3))
    k, x = np.arange(1.0, 4.0), random.uniform(size=(count, PLACES, 1))

    def waves(x, integral=False):
        if integral:
            return np.sum(factors / k * (np.cos(phases) - np.cos(k * x + phases)), axis=2)
        return np.sum(factors * np.sin(k * x + phases), axis=2)

    f = np.repeat(waves(SENSORS[None, :, None]), PLACES, axis=0)
    points = {"x": x.reshape(-1, 1), "f": f, "source": waves(x).reshape(-1, 1)}
    return points, waves(x, integral=True).reshape(-1, 1)


points, _ = functions(50 if quiet.SHORT else 400, seed=0)
pinn = kpinn.PINN(DeepONet(), "x", "u", conditions=[equation], parameters="f[10]")
pinn.compile(kpinn.optimizers.LBFGS())
pinn.fit(points, epochs=20 if quiet.SHORT else 2_000, verbose=0)

new, exact = functions(100, seed=1)
found = pinn.predict_fields(new, batch_size=len(exact))["u"]
print(f"relative L2 error: {np.linalg.norm(found - exact) / np.linalg.norm(exact):.1e}")

functions_beside(new["x"], exact, found, PLACES, "output/deeponet.png", "x")
