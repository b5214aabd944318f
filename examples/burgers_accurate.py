"""Burgers' equation u_t + u u_x = (0.01 / pi) u_xx on [-1, 1] of period 2, u(0, x) = -sin(pi x).

Shows: the same problem as burgers.py with what accuracy needs: float64, start and period built into
the network, Levenberg-Marquardt, fresh points that are dense where the residual is large. Expected:
relative L2 error about 1e-5 after 3 minutes.

Run: python examples/burgers_accurate.py [--short]
"""

import math
import sys

import exact
import keras
import numpy as np
from keras import ops

import kpinn

SHORT = "--short" in sys.argv
keras.utils.set_random_seed(0)
kpinn.set_float64()


class Burgers(kpinn.PINN):
    coordinates = "t x"
    fields = "u"

    @kpinn.condition
    def momentum(self, u, u_t, u_x, u_xx):
        return u_t + u * u_x - 0.01 / math.pi * u_xx


network = kpinn.networks.MLP(
    units=24, depth=3, embedding=kpinn.layers.PeriodicEmbedding([None, 2.0])
)
network = kpinn.layers.HardCondition(
    network, "t x", value=lambda x: -ops.sin(math.pi * x), distance=lambda t: t
)
box = kpinn.domains.Box(t=(0, 1), x=(-1, 1))
dense = kpinn.callbacks.ResidualSampling(
    lambda seed: box.sample(20_000, seed=seed), every=10, constant=0.2
)

pinn = Burgers(network)
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
history = pinn.fit(
    box.sample(500 if SHORT else 4_000),
    epochs=8 if SHORT else 300,
    verbose=0,
    callbacks=[dense],
)

grid = box.sample({"t": 51, "x": 401}, "grid")
u = pinn.predict_fields(grid)["u"][:, 0]
expected = exact.burgers(grid["t"], grid["x"])
error = np.linalg.norm(u - expected) / np.linalg.norm(expected)
print(f"loss: {history.history['loss'][-1]:.1e}")
print(f"relative L2 error: {error:.2e}")
