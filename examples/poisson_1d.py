"""Poisson's equation in one dimension: u_xx = -pi^2 sin(pi x), u(0) = u(1) = 0.

Shows: the smallest PINN, from plain functions; the loss history as a picture.
Kind: elliptic.
Expected: relative L2 error below 1e-5, about 20 seconds. The solution is sin(pi x).

Run: python examples/poisson_1d.py [--short]
"""

import math

import quiet
import keras
import numpy as np
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)


def poisson(x, u_xx):
    return u_xx + math.pi**2 * ops.sin(math.pi * x)


def ends(u):
    return u


box = kpinn.domains.Box(x=(0, 1))
points = {
    "poisson": box.sample(64, method="grid"),
    "ends": box.boundary("x").sample(2),
}
pinn = kpinn.PINN(
    kpinn.networks.MLP(units=20, depth=2),
    coordinates="x",
    fields="u",
    conditions=[poisson, ends],
)
pinn.compile(keras.optimizers.Adam(1e-2), loss_weights={"ends": 100.0})
history = pinn.fit(points, epochs=50 if quiet.SHORT else 1_000, verbose=0)

pinn.compile(kpinn.optimizers.ScipyMinimize("L-BFGS-B"), loss_weights={"ends": 100.0})
pinn.fit(points, epochs=20 if quiet.SHORT else 500, verbose=0)
print(pinn.optimizer.result.message)

x = np.linspace(0, 1, 201)
u, exact = pinn.predict_fields({"x": x}, "u")["u"][:, 0], np.sin(math.pi * x)
print(f"relative L2 error: {np.linalg.norm(u - exact) / np.linalg.norm(exact):.1e}")
kpinn.plotting.history(history, path="output/poisson_1d_history.png")
kpinn.plotting.field(
    pinn, box, "u", reference=lambda x: np.sin(math.pi * x), path="output/poisson_1d.png"
)
