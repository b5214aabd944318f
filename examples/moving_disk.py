"""Heat around a disk that moves through a channel: u_t = laplacian(u), a flux on the disk.

Shows: a domain that moves in time, its parts at all times and its start. The solution that is
prescribed is exp(-5 t) sin(x + 2 y). Expected: relative L2 error of about 1e-9 in about 10
seconds on two CPU cores.

Run: python examples/moving_disk.py [--short]
"""

import sys

import quiet
import keras
import numpy as np
from keras import ops

import kpinn
from kpinn.domains import Ball, Box

SHORT = "--short" in sys.argv
kpinn.set_float64()
keras.utils.set_random_seed(0)


def heat(u_t, laplacian_u):
    return (u_t - laplacian_u) / 20


def given(t, x, y, u):
    return u - ops.exp(-5 * t) * ops.sin(x + 2 * y)


def disk(t, x, y, n, u_n):
    return u_n - ops.exp(-5 * t) * ops.cos(x + 2 * y) * (n[:, :1] + 2 * n[:, 1:])


time = Box(t=(0, 0.5))
body = (time * Ball(x=-0.5, y=0, radius=0.2)).named("disk")
body = body.moved(x=lambda t: 2 * t, y=lambda t: 0.1 * ops.sin(12 * t))
domain = time * Box(x=(-1, 1), y=(-0.5, 0.5)) - body
count = 500 if SHORT else 3_000
given_at = domain.face(t=0) + domain.boundary("x", "y")
points = {"heat": domain.sample(count, seed=0), "given": given_at.sample(count // 2, seed=0)}
points["disk"] = domain.boundary("disk").sample(count // 3, seed=0)
pinn = kpinn.PINN(kpinn.networks.RandomFeatures(count // 4), "t x y", "u", [heat, given, disk])
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"given": 10.0, "disk": 10.0})
pinn.fit(points, epochs=10, verbose=0)

new = domain.sample(5_000, seed=1)
u = pinn.predict_fields(new)["u"]
exact = np.exp(-5 * new["t"]) * np.sin(new["x"] + 2 * new["y"])
print(f"relative L2 error: {np.linalg.norm(u - exact) / np.linalg.norm(exact):.1e}")
