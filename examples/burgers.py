"""Burgers' equation with a shock: u_t + u u_x = nu u_xx, nu = 0.01 / pi.

u(0, x) = -sin(pi x) on [-1, 1], u(t, -1) = u(t, 1) = 0, t in [0, 1].

Shows: a PINN as a Keras model, Adam and then L-BFGS through `fit`, derivatives of the result, a
picture, a SavedModel. Expected: relative L2 error below 7e-4 (the exact solution is by
Cole-Hopf) in about 5 minutes on two CPU cores.

Run: python examples/burgers.py [--short]
"""

import math
import sys

import keras
import numpy as np
from exact import burgers
from keras import ops

import kpinn

SHORT = "--short" in sys.argv
kpinn.set_float64()
keras.utils.set_random_seed(1)


@keras.saving.register_keras_serializable()
class Burgers(kpinn.PINN):
    coordinates = "t x"
    fields = "u"

    def __init__(self, network, viscosity=0.01 / math.pi, **kwargs):
        super().__init__(network, **kwargs)
        self.viscosity = viscosity

    @kpinn.condition
    def momentum(self, u, u_t, u_x, u_xx):
        return u_t + u * u_x - self.viscosity * u_xx

    @kpinn.condition
    def start(self, x, u):
        return u + ops.sin(math.pi * x)

    @kpinn.condition
    def walls(self, u):
        return u


box = kpinn.domains.Box(t=(0, 1), x=(-1, 1))
points = {
    "momentum": box.sample(10_000, method="latin_hypercube"),
    "start": box.face(t=0).sample(200),
    "walls": box.boundary("x").sample(200),
}
pinn = Burgers(kpinn.networks.MLP(units=20, depth=6))

weights = {"start": 10.0, "walls": 10.0}

pinn.compile(keras.optimizers.Adam(2e-3), loss_weights=weights)
pinn.fit(points, epochs=2 if SHORT else 10, steps_per_epoch=10 if SHORT else 200, verbose=2)

pinn.compile(kpinn.optimizers.ScipyMinimize("L-BFGS-B", maxcor=100), loss_weights=weights)
pinn.fit(points, epochs=20 if SHORT else 8_000, verbose=0)
print(pinn.optimizer.result.message)

grid = box.sample({"t": 101, "x": 256}, method="grid")
u, exact = pinn.predict_fields(grid, "u")["u"][:, 0], burgers(grid["t"], grid["x"])
print(f"relative L2 error: {np.linalg.norm(u - exact) / np.linalg.norm(exact):.2e}")

kpinn.plotting.field(pinn, box, "u", reference=burgers, path="output/burgers.png")
pinn.export("output/burgers")
