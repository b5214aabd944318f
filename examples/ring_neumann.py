"""Laplace's equation in a ring: u = 0 on the inner circle, the flux u_n = g on the outer one.

Shows: a shape with named parts, normals that come with the points of a boundary, one problem of
least squares. The solution is log(2 r) + (r^3 - 1 / (64 r^3)) cos(3 theta) for 1/2 < r < 1.
Kind: elliptic.
Expected: relative L2 error below 1e-6, about 10 seconds on two CPU cores.

Run: python examples/ring_neumann.py [--short]
"""

import quiet
from exact import compare
from keras import ops

import kpinn

kpinn.set_float64()


def exact(x, y):
    r, angle = ops.sqrt(x**2 + y**2), ops.arctan2(y, x)
    return ops.log(2 * r) + (r**3 - 1 / (64 * r**3)) * ops.cos(3 * angle)


def laplace(laplacian_u):
    return laplacian_u / 50


def inner(u):
    return u


def outer(x, y, u_n):
    return u_n - 1 - (3 + 3 / 64) * ops.cos(3 * ops.arctan2(y, x))


ring = kpinn.domains.Ring(x=0, y=0, inner=0.5, outer=1)
points = {name: ring.boundary(name).sample(800, "grid") for name in ("inner", "outer")}
points["laplace"] = ring.sample(4_000, "sobol", seed=0)
network = kpinn.networks.RandomFeatures(100 if quiet.SHORT else 1_000, seed=0)
pinn = kpinn.PINN(network, "x y", "u", [laplace, inner, outer])
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"inner": 10.0, "outer": 10.0})
pinn.fit(points, epochs=10, verbose=0)
compare(pinn, ring, exact, "output/ring_neumann.png")
