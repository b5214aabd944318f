"""Heat in a cylinder by its radius and height: u_rr + u_r / r + u_zz = 0 for r < 1, 0 < z < 1.

u = sin(pi z) on the side and zero on both ends; the solution is I0(pi r) sin(pi z) / I0(pi).

Shows: operators in cylindrical coordinates, the axis, where the equation is multiplied by r and u_r
= 0 is a condition of its own.
Kind: elliptic.
Expected: relative L2 error below 1e-12, about 15 seconds on two CPU cores.

Run: python examples/cylindrical_coordinates.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import compare
from keras import ops
from scipy.special import i0

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
AXES = kpinn.operators.Cylindrical("r z")


def exact(r, z):
    return i0(np.pi * r) / i0(np.pi) * np.sin(np.pi * z)


def laplace(r, u_r, u_rr, u_zz):
    return r * AXES.laplacian(r, u_r, u_rr, u_zz) / 10


def axis(u_r):
    return u_r


def side(z, u):
    return u - ops.sin(np.pi * z)


def ends(u):
    return u


box = kpinn.domains.Box(r=(0, 1), z=(0, 1))
count = 400 if quiet.SHORT else 2_000
points = {"laplace": box.sample(count, "sobol", seed=0)}
points["axis"] = box.face(r=0).sample(count // 10, seed=0)
points["side"] = box.face(r=1).sample(count // 10, seed=0)
points["ends"] = box.boundary("z").sample(count // 5, seed=0)
network = kpinn.networks.RandomFeatures(count // 5)
pinn = kpinn.PINN(network, "r z", "u", [laplace, axis, side, ends])
weights = dict.fromkeys(("axis", "side", "ends"), 10.0)
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights=weights)
pinn.fit(points, epochs=10, verbose=0)

compare(pinn, box, exact, "output/cylindrical_coordinates.png")
