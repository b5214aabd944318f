"""Diffusion with memory: Caputo's derivative of order 1/2 in time, u_xx and a source.

Shows: a derivative of fractional order as an integral over the past of each point. The solution is
(1 + t^2) sin(pi x).
Kind: integral, parabolic.
Expected: relative L2 error below 2e-14, about 20 seconds on two CPU cores.

Run: python examples/fractional_diffusion.py [--short]
"""

import math

import quiet
import keras
import numpy as np
from exact import compare
from keras import ops

import kpinn
from kpinn.operators import caputo

kpinn.set_float64()
keras.utils.set_random_seed(0)


def diffusion(t, x, u_xx, at):
    memory = caputo(lambda s: at("u_t", t=s), t, order=0.5, nodes=8)
    source = 2.0 / math.gamma(2.5) * t**1.5 + math.pi**2 * (1.0 + t**2)
    return (memory - u_xx - source * ops.sin(math.pi * x)) / 50.0


def known(u, value):
    return u - value


def exact(t, x):
    return (1 + t**2) * np.sin(np.pi * x)


box = kpinn.domains.Box(t=(0, 1), x=(0, 1))
n = 300 if quiet.SHORT else 1_500
sides = box.face(t=0).sample(n // 10, "grid"), box.boundary("x").sample(n // 10, "grid")
edges = kpinn.domains.concatenate(*({"t": side["t"], "x": side["x"]} for side in sides))
points = {"diffusion": box.sample(n, seed=0), "known": edges | {"value": exact(**edges)}}
pinn = kpinn.PINN(kpinn.networks.RandomFeatures(n // 5), "t x", "u", [diffusion, known])
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
pinn.fit(points, epochs=5, verbose=0)

compare(pinn, box, exact, "output/fractional_diffusion.png")
