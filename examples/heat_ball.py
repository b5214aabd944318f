"""Heat in a ball: u_t = laplacian(u) for |x| < 1, u = 0 on the sphere.

Shows: time times space with a vector coordinate, start and boundary by name, one problem of least
squares. The solution is exp(-pi^2 t) sin(pi r) / (pi r).
Kind: parabolic.
Expected: relative L2 error below 2e-4, about 15 seconds on two CPU cores.

Run: python examples/heat_ball.py [--short]
"""

import quiet
import numpy as np
from exact import compare

import kpinn
from kpinn.domains import Ball, Box

kpinn.set_float64()


def exact(t, x):
    return np.exp(-(np.pi**2) * t) * np.sinc(np.linalg.norm(x, axis=1).reshape(t.shape))


def heat(u_t, laplacian_u):
    return (u_t - laplacian_u) / 30


def start(u, initial):
    return u - initial


def surface(u):
    return u


domain = Box(t=(0, 0.2)) * Ball(x=[0, 0, 0], radius=1)
points = {"heat": domain.sample(4_000, "sobol", seed=0)}
points["start"] = domain.face(t=0).sample(2_000, seed=0)
points["start"]["initial"] = exact(**points["start"])
points["surface"] = domain.boundary().sample(2_000, seed=0)
network = kpinn.networks.RandomFeatures(125 if quiet.SHORT else 1_000, seed=0)
pinn = kpinn.PINN(network, "t x[3]", "u", [heat, start, surface])
weights = {"start": 100.0, "surface": 100.0}
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights=weights)
pinn.fit(points, epochs=10, verbose=0)
compare(pinn, domain, exact, "output/heat_ball.png", fixed={"x": [0.3, 0, 0]})
