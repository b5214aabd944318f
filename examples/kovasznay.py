"""Flow behind a grid: (v . grad) v + grad p = laplacian(v) / Re, div v = 0, Re = 20.

Kovasznay's solution is u = 1 - exp(l x) cos(2 pi y), v = l / (2 pi) exp(l x) sin(2 pi y),
p = (1 - exp(2 l x)) / 2.

Shows: the equations of Navier and Stokes in one condition, fields that are vectors, a few steps of
Gauss and Newton with random features; a pressure that is known at one point only.
Kind: flow.
Expected: relative L2 error of u below 1e-6, about 30 seconds on two CPU cores.

Run: python examples/kovasznay.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import relative
from keras import ops

import kpinn
from kpinn.operators import advection

kpinn.set_float64()
keras.utils.set_random_seed(0)
REYNOLDS = 20.0
L = REYNOLDS / 2 - np.sqrt(REYNOLDS**2 / 4 + 4 * np.pi**2)


def velocity(x, y):
    wave = 2 * np.pi * y
    u = 1 - ops.exp(L * x) * ops.cos(wave)
    return ops.concatenate([u, L / (2 * np.pi) * ops.exp(L * x) * ops.sin(wave)], axis=1)


class Kovasznay(kpinn.PINN):
    coordinates, fields = "x y", "v[2] p"

    @kpinn.field
    def u(self, v):
        return v[:, :1]

    @kpinn.condition
    def flow(self, v, jac_v, grad_p, laplacian_v, div_v):
        momentum = advection(v, jac_v) + grad_p - laplacian_v / REYNOLDS
        return ops.concatenate([momentum, div_v], axis=1) / 5

    @kpinn.condition
    def sides(self, x, y, v):
        return v - velocity(x, y)

    @kpinn.condition
    def corner(self, x, p):
        return p - (1 - ops.exp(2 * L * x)) / 2


box = kpinn.domains.Box(x=(-0.5, 1), y=(-0.5, 1))
count = 400 if quiet.SHORT else 1_500
points = {"flow": box.sample(count, "sobol", seed=0)}
points["sides"] = box.boundary().sample(count // 4, seed=0)
points["corner"] = {"x": [-0.5], "y": [-0.5]}
network = kpinn.networks.RandomFeatures(count // 5, outputs=3, scale=[7.0, 12.0], seed=0)
pinn = Kovasznay(network)
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"sides": 10.0, "corner": 1.0})
pinn.fit(points, epochs=3 if quiet.SHORT else 12, verbose=0)

new = box.sample(5_000, seed=1)
found = pinn.predict_fields(new)
error = relative(found["v"], velocity(new["x"], new["y"]))
print(f"relative L2 error of u: {error:.1e}")
print(f"relative L2 error of p: {relative(found['p'], (1 - np.exp(2 * L * new['x'])) / 2):.1e}")
kpinn.plotting.field(
    pinn,
    box,
    "u",
    lambda x, y: 1 - np.exp(L * x) * np.cos(2 * np.pi * y),
    path="output/kovasznay.png",
)
