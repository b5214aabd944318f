"""A second network for the error of the first: u_xx + u^3 = f on [-1, 1], in float64.

u = sin(3 x) exp(-x) with its values at both ends, which gives f.

Shows: multi-stage training. The residual of the first network tells the size and the frequency of
its error; the second network, u + size * correction, has both from the begin. The first is frozen.
Kind: elliptic, networks.
Expected: error of the first network below 1e-6, error with the correction below 5e-11, about a
minute on two CPU cores.

Run: python examples/correction.py [--short]
"""

import math

import quiet
import keras
import numpy as np
from keras import ops

import kpinn

EPOCHS = 5 if quiet.SHORT else 200
kpinn.set_float64()
keras.utils.set_random_seed(0)


def solution(x):
    return ops.sin(3.0 * x) * ops.exp(-x)


def equation(x, u, u_xx):
    exact = solution(x)
    exact_xx = ops.exp(-x) * (-8.0 * ops.sin(3.0 * x) - 6.0 * ops.cos(3.0 * x))
    return u_xx + u**3 - exact_xx - exact**3


def chord(x):
    low, high = math.sin(-3.0) * math.e, math.sin(3.0) / math.e
    return low + (high - low) * (x + 1.0) / 2.0


def inside(x):
    return 1.0 - x**2


def solved(network, weight):
    pinn = kpinn.PINN(network, "x", "u", conditions=[equation])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"equation": weight})
    pinn.fit(points, epochs=EPOCHS, verbose=0)
    error = pinn.predict_fields(new)["u"] - np.asarray(solution(new["x"]))
    return pinn, np.abs(error).max()


line = kpinn.domains.Box(x=(-1, 1))
points, new = line.sample(600, method="grid"), line.sample(1_999, method="grid")
mlp = kpinn.networks.MLP(units=6, depth=1)
first = kpinn.layers.HardCondition(mlp, "x", value=chord, distance=inside)
pinn, error = solved(first, 1.0)
print(f"error of the first network: {error:.1e}")
residual = pinn.residuals(points)["equation"][:, 0]
rms = float(np.sqrt(np.mean(residual**2)))
frequency = np.pi / 2.0 * np.count_nonzero(np.diff(np.sign(residual)))  # a zero for half a wave
size = float(rms / frequency**2)
print(f"residual {rms:.1e} with an angular frequency of {frequency:.0f}: size {size:.1e}")

first.trainable = False
siren = kpinn.networks.SIREN(units=30, depth=2, first_frequency=frequency)
correction = kpinn.layers.HardCondition(siren, "x", distance=inside)
inputs = keras.Input((1,))
both = keras.Model(inputs, first(inputs) + size * correction(inputs))
pinn, error = solved(both, rms**-2)
print(f"error with the correction: {error:.1e}")
kpinn.plotting.field(pinn, line, "u", solution, points=601, path="output/correction.png")
