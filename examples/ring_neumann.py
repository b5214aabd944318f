"""Laplace's equation in a ring: u = 0 on the inner circle, the flux u_n = g on the outer one.

Shows: a shape with named parts, normals that come with the points of a boundary, one problem of
least squares. The solution is log(2 r) + (r^3 - 1 / (64 r^3)) cos(3 theta) for 1/2 < r < 1.
Expected: relative L2 error of about 1e-6 in about 10 seconds on two CPU cores.

Run: python examples/ring_neumann.py [--short]
"""

import sys

import quiet
import keras
import numpy as np
from keras import ops

import kpinn

SHORT = "--short" in sys.argv
kpinn.set_float64()
keras.utils.set_random_seed(0)


def laplace(laplacian_u):
    return laplacian_u / 50.0


def inner(u):
    return u


def outer(x, y, u_n):
    return u_n - 1.0 - (3.0 + 3.0 / 64.0) * ops.cos(3.0 * ops.arctan2(y, x))


ring = kpinn.domains.Ring(x=0, y=0, inner=0.5, outer=1)
count = 500 if SHORT else 4_000
points = {"laplace": ring.sample(count, "sobol", seed=0)}
points |= {name: ring.boundary(name).sample(count // 5, "grid") for name in ("inner", "outer")}
pinn = kpinn.PINN(kpinn.networks.RandomFeatures(count // 4), "x y", "u", [laplace, inner, outer])
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"inner": 10.0, "outer": 10.0})
pinn.fit(points, epochs=10, verbose=0)

new = ring.sample(5_000, seed=1)
r, angle = np.hypot(new["x"], new["y"]), np.arctan2(new["y"], new["x"])
exact = np.log(2 * r) + (r**3 - 1 / (64 * r**3)) * np.cos(3 * angle)
u = pinn.predict_fields(new)["u"]
print(f"relative L2 error: {np.linalg.norm(u - exact) / np.linalg.norm(exact):.1e}")
