"""Poisson's equation in five dimensions by a separable network: laplacian(u) = f on [0, 1]^5.

u is the product of 1 + sin(pi x_i) / 2, with its values on the boundary.

Shows: a sum of products of functions of one coordinate each, for a solution in which all
coordinates matter together; a vector as coordinate. A Laplacian takes three channels of five small
perceptrons.
Kind: elliptic, networks.
Expected: relative L2 error below 6e-6, about a minute on two CPU cores.

Run: python examples/separable_5d.py [--short]
"""

import math

import quiet
import keras
import numpy as np
from exact import keep, panels
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)


def exact(x):
    return ops.prod(1.0 + ops.sin(math.pi * x) / 2.0, axis=1, keepdims=True)


def source(x):
    parts = ops.sin(math.pi * x) / (2.0 + ops.sin(math.pi * x))
    return -(math.pi**2) * exact(x) * ops.sum(parts, axis=1, keepdims=True)


def poisson(x, laplacian_u):
    return (laplacian_u - source(x)) / math.pi**2


def boundary(x, u):
    return u - exact(x)


cube = kpinn.domains.Box(x=([0.0] * 5, [1.0] * 5))
network = kpinn.networks.Separable(
    units=8, depth=1, rank=4, embedding=kpinn.layers.Rescale(0.0, 1.0)
)
pinn = kpinn.PINN(network, "x[5]", "u", conditions=[poisson, boundary])
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"boundary": 10.0})
count = 300 if quiet.SHORT else 1_000
points = {
    "poisson": cube.sample(count, seed=0),
    "boundary": cube.boundary("x").sample(count, seed=0),
}
pinn.fit(points, epochs=5 if quiet.SHORT else 80, verbose=0)

new = cube.sample(10_000, seed=1)
u = np.asarray(exact(new["x"]))
error = np.linalg.norm(pinn.predict_fields(new)["u"] - u) / np.linalg.norm(u)
print(f"{network.count_params()} parameters, relative L2 error: {error:.1e}")

plane = np.full((101 * 101, 5), 0.5)
plane[:, :2] = kpinn.domains.Box(x=([0.0] * 2, [1.0] * 2)).sample(101 * 101, "grid")["x"]
u, shape = pinn.predict_fields({"x": plane})["u"], (101, 101)
figure, axes = panels("u in the plane x3 = x4 = x5 = 1/2", "|error|")
for each, values in zip(axes, (u, np.abs(u - exact(plane))), strict=True):
    drawn = each.pcolormesh(*plane.T[:2].reshape(2, *shape), values.reshape(shape), rasterized=True)
    figure.colorbar(drawn, ax=each)
    each.set(xlabel="x1", ylabel="x2", aspect="equal")
keep(figure, "output/separable_5d.png")
