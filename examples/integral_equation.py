"""Fredholm's equation of the second kind: u(x) = sin(pi x) + integral over s of x s u(s).

Shows: an integral for each point, by values at the nodes of a quadrature that all points have in
common; a linear problem, so that one step solves it. The solution is sin(pi x) + 3 x / (2 pi).
Kind: integral.
Expected: largest error below 1e-14, about 5 seconds on two CPU cores.

Run: python examples/integral_equation.py [--short]
"""

import quiet
import keras
import numpy as np
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)

interval = kpinn.domains.Box(x=(0, 1))
nodes, weights = interval.quadrature(30)
s, w = nodes["x"].T, weights.T  # (1, q)


def fredholm(x, u, at):
    return u - ops.sin(np.pi * x) - ops.sum(w * x * s * at("u", x=s), axis=1, keepdims=True)


pinn = kpinn.PINN(kpinn.networks.RandomFeatures(60), "x", "u", [fredholm])
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
pinn.fit(interval.sample(60 if quiet.SHORT else 200, "grid"), epochs=5, verbose=0)


def exact(x):
    return np.sin(np.pi * x) + 3 * x / (2 * np.pi)


x = np.linspace(0, 1, 1_001)[:, None]
error = pinn.predict_fields({"x": x})["u"] - exact(x)
print(f"largest error: {np.abs(error).max():.1e}")
kpinn.plotting.field(pinn, interval, "u", exact, path="output/integral_equation.png")
