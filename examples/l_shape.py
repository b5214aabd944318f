"""Poisson's equation in an L: -laplacian(u) = 1, u = 0 on the boundary.

At the corner that points inwards u behaves like r^(2/3) cos(2 theta / 3), whose gradient is
infinite. That limits every smooth network (tried first); two functions of the known series beside
the features take it away. What is left are the logarithms at the other corners.
Shows: a difference of boxes, turned; a network with functions of your own; quadrature. Expected:
the integral of u, 0.2140758 by finite elements, to about 2e-5, without the two functions to 25 %,
in about 25 seconds on two CPU cores.

Run: python examples/l_shape.py [--short]
"""

import sys

import quiet
import keras
import numpy as np
from keras import ops

import kpinn
from kpinn.domains import Box

SHORT = "--short" in sys.argv
kpinn.set_float64()


def poisson(laplacian_u):
    return (laplacian_u + 1.0) / 10.0


def walls(u):
    return u


def network(powers):
    inputs = keras.Input((2,))
    x, y = inputs[:, :1], inputs[:, 1:]
    r, theta = ops.sqrt(x**2 + y**2), ops.arctan2(y, x)
    corner = [r**power * ops.cos(power * theta) for power in powers]
    features = kpinn.layers.RandomFeatures(100 if SHORT else 600)(inputs)
    last = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    return keras.Model(inputs, last(ops.concatenate([features, *corner], axis=1)))


shape = (Box(x=(-1, 1), y=(-1, 1)) - Box(x=(-1, 0), y=(-1, 0))).rotated(-np.pi / 4)
count = 500 if SHORT else 3_000
points = {"poisson": shape.sample(count, "sobol", seed=0)}
points["walls"] = shape.boundary().sample(count // 2, "sobol", seed=0)
nodes, weights = shape.quadrature(20_000)
for powers in ((), (2 / 3, 10 / 3)):
    keras.utils.set_random_seed(0)
    pinn = kpinn.PINN(network(powers), "x y", "u", [poisson, walls])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"walls": 1e3})
    pinn.fit(points, epochs=10, verbose=0)
    integral = np.sum(weights * pinn.predict_fields(nodes)["u"])
    print(f"{len(powers)} singular functions: integral {integral:.9f}, ", end="")
    print(f"relative error {abs(integral / 0.214075802 - 1):.1e}")
