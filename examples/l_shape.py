"""Poisson's equation in an L: -laplacian(u) = 1, u = 0 on the boundary.

Shows: boxes cut and turned; quadrature; functions of your own, r^(2/3) cos(2 theta / 3) at the
corner.
Kind: elliptic.
Expected: error of the integral below 5e-5, about 25 seconds. Without the two functions it is 25 %.

Run: python examples/l_shape.py [--short]
"""

import quiet
import keras
import numpy as np

import kpinn
from kpinn.domains import Box

kpinn.set_float64()


def poisson(laplacian_u):
    return (laplacian_u + 1) / 10


def walls(u):
    return u


def network(powers):
    inputs = keras.Input((2,))
    x, y = inputs[:, :1], inputs[:, 1:]
    r, theta = keras.ops.sqrt(x**2 + y**2), keras.ops.arctan2(y, x)
    columns = [kpinn.layers.RandomFeatures(100 if quiet.SHORT else 600, seed=0)(inputs)]
    columns += [r**power * keras.ops.cos(power * theta) for power in powers]
    last = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    return keras.Model(inputs, last(keras.ops.concatenate(columns, axis=1)))


shape = (Box(x=(-1, 1), y=(-1, 1)) - Box(x=(-1, 0), y=(-1, 0))).rotated(-np.pi / 4)
parts = {"poisson": shape, "walls": shape.boundary()}
points = {name: part.sample(3_000, "sobol", seed=0) for name, part in parts.items()}
for powers in ((), (2 / 3, 10 / 3)):
    pinn = kpinn.PINN(network(powers), "x y", "u", [poisson, walls])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"walls": 1e3})
    pinn.fit(points, epochs=10, verbose=0)
    nodes, weights = shape.quadrature(20_000)
    integral = np.sum(weights * pinn.predict_fields(nodes)["u"])
    error = abs(integral / 0.214075802 - 1)
    print(f"{len(powers)} functions: {integral:.9f}, error of the integral: {error:.1e}")
kpinn.plotting.field(pinn, shape, "u", path="output/l_shape.png")
