"""A smooth problem for networks that are linear in what is trained."""

import math

import numpy as np
from keras import ops

import kpinn

PI = math.pi
LINE = kpinn.domains.Box(x=(-1, 1))


def features(units=100, scale=8.0, **options):
    return kpinn.networks.RandomFeatures(units, scale=scale, seed=0, **options)


def poisson(network, power=0):
    """-u'' + u^power = f with u = sin(pi x) + cos(2 x), on (-1, 1)."""

    def equation(x, u, u_xx):
        exact = ops.sin(PI * x) + ops.cos(2.0 * x)
        source = PI**2 * ops.sin(PI * x) + 4.0 * ops.cos(2.0 * x)
        return -u_xx - source + (u**power - exact**power if power else 0.0)

    def ends(x, u):
        return u - ops.sin(PI * x) - ops.cos(2.0 * x)

    pinn = kpinn.PINN(network, "x", "u", [equation, ends])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"ends": 10.0})
    return pinn


def points(count=300, seed=0):
    return {"equation": LINE.sample(count, seed=seed), "ends": {"x": np.array([[-1.0], [1.0]])}}


def error(pinn):
    x = np.linspace(-1.0, 1.0, 201)
    found = pinn.predict_fields({"x": x}, "u")["u"][:, 0]
    return np.abs(found - np.sin(PI * x) - np.cos(2.0 * x)).max()
