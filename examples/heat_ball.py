"""Heat in a ball: u_t = laplacian(u) for |x| < 1, u = 0 on the sphere.

Shows: time times space with a vector coordinate, start and boundary by name, one problem of least
squares. The solution is exp(-pi^2 t) sin(pi r) / (pi r). Expected: relative L2 error of about
1e-4 in about 15 seconds on two CPU cores.

Run: python examples/heat_ball.py [--short]
"""

import sys

import quiet
import keras
import numpy as np

import kpinn
from kpinn.domains import Ball, Box

SHORT = "--short" in sys.argv
kpinn.set_float64()
keras.utils.set_random_seed(0)


def exact(points):
    return np.exp(-(np.pi**2) * points["t"]) * np.sinc(
        np.linalg.norm(points["x"], axis=1, keepdims=True)
    )


def heat(u_t, laplacian_u):
    return (u_t - laplacian_u) / 30.0


def start(u, initial):
    return u - initial


def surface(u):
    return u


domain = Box(t=(0, 0.2)) * Ball(x=[0, 0, 0], radius=1)
count = 500 if SHORT else 4_000
points = {"heat": domain.sample(count, "sobol", seed=0)}
points["start"] = domain.face(t=0).sample(count // 2, seed=0)
points["start"]["initial"] = exact(points["start"])
points["surface"] = domain.boundary().sample(count // 2, seed=0)
pinn = kpinn.PINN(kpinn.networks.RandomFeatures(count // 4), "t x[3]", "u", [heat, start, surface])
weights = {"start": 100.0, "surface": 100.0}
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights=weights)
pinn.fit(points, epochs=10, verbose=0)

new = domain.sample(10_000, seed=1)
error = pinn.predict_fields(new)["u"] - exact(new)
print(f"relative L2 error: {np.linalg.norm(error) / np.linalg.norm(exact(new)):.1e}")
