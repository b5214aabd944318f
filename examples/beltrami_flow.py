"""A flow in space, of Arnold, Beltrami and Childress: v = curl v, kept up by the force v / Re.

    (v . grad) v + grad p = (laplacian(v) + v) / Re,  div v = 0

with the velocities on the sides of a cube, and p at one corner. p = -|v|^2 / 2 and a constant.

Shows: three velocities and a pressure in three coordinates, `curl_v` as a check.
Kind: flow.
Expected: relative L2 error below 1e-6, about 20 seconds on two CPU cores.

Run: python examples/beltrami_flow.py [--short]
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
REYNOLDS = 10.0


def velocity(x, y, z):
    u, v = ops.sin(z) + ops.cos(y), ops.sin(x) + ops.cos(z)
    return ops.concatenate([u, v, ops.sin(y) + ops.cos(x)], axis=1)


class Beltrami(kpinn.PINN):
    coordinates, fields = "x y z", "v[3] p"

    @kpinn.field
    def u(self, v):
        return v[:, :1]

    @kpinn.condition
    def flow(self, v, jac_v, grad_p, laplacian_v, div_v):
        momentum = advection(v, jac_v) + grad_p - (laplacian_v + v) / REYNOLDS
        return ops.concatenate([momentum, div_v], axis=1)

    @kpinn.condition
    def sides(self, x, y, z, v):
        return v - velocity(x, y, z)

    @kpinn.condition
    def corner(self, p):
        return p


cube = kpinn.domains.Box(x=(0, 2), y=(0, 2), z=(0, 2))
count = 300 if quiet.SHORT else 1_500
points = {"flow": cube.sample(count, "sobol", seed=0)}
points["sides"] = cube.boundary().sample(count // 2, seed=0)
points["corner"] = {"x": [0.0], "y": [0.0], "z": [0.0]}
network = kpinn.networks.RandomFeatures(count // 6, outputs=4, scale=2.0, seed=0)
pinn = Beltrami(network)
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"sides": 10.0, "corner": 1.0})
pinn.fit(points, epochs=3 if quiet.SHORT else 10, verbose=0)

new = cube.sample(3_000, seed=1)
found, exact = pinn.predict_fields(new, "v, curl_v"), velocity(new["x"], new["y"], new["z"])
print(f"relative L2 error: {relative(found['v'], exact):.1e}")
print(f"relative L2 error of the curl: {relative(found['curl_v'], exact):.1e}")
kpinn.plotting.field(
    pinn,
    cube,
    "u",
    lambda x, y, z: np.sin(z) + np.cos(y),
    path="output/beltrami_flow.png",
    fixed={"x": 1.0},
)
