"""A wave that leaves a square: laplacian(u) + k^2 u = 0 with k = 10, u complex.

The source is outside, at (-1.3, -1.1); on the sides u_n - i k u = g is given, with which there is
one solution for every k. It is Hankel's function of the distance to the source.

Shows: a complex field as two real ones, normals, data on the boundary as arrays that come with the
points.
Kind: elliptic, waves.
Expected: relative L2 error below 2e-8, about 20 seconds on two CPU cores.

Run: python examples/helmholtz.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import compare
from keras import ops
from scipy.special import hankel1

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
K, SOURCE = 10.0, np.array([-1.3, -1.1])


def wave(x, y):
    return hankel1(0, K * np.hypot(x - SOURCE[0], y - SOURCE[1]))


def helmholtz(u, v, laplacian_u, laplacian_v):
    return ops.concatenate([laplacian_u / K**2 + u, laplacian_v / K**2 + v], axis=1)


def sides(u, v, u_n, v_n, g, h):
    return ops.concatenate([u_n / K + v - g, v_n / K - u - h], axis=1)


square = kpinn.domains.Box(x=(-1, 1), y=(-1, 1))
count = 800 if quiet.SHORT else 5_000
points = {"helmholtz": square.sample(count, "sobol", seed=0)}
wall = square.boundary().sample(count // 4, seed=0)
away = np.hstack([wall["x"], wall["y"]]) - SOURCE
r = np.linalg.norm(away, axis=1, keepdims=True)
slope = -K * hankel1(1, K * r) * np.sum(away / r * wall["n"], axis=1, keepdims=True)
given = slope / K - 1j * wave(wall["x"], wall["y"])
points["sides"] = wall | {"g": given.real, "h": given.imag}

network = kpinn.networks.RandomFeatures(count // 5, outputs=2, scale=18.0, seed=0)
pinn = kpinn.PINN(network, "x y", "u v", [helmholtz, sides])
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"sides": 10.0})
pinn.fit(points, epochs=10, verbose=0)
compare(pinn, square, lambda x, y: wave(x, y).real, "output/helmholtz.png")
