"""A second network for the error of the first: u_xx + u^3 = f on [-1, 1], in float64.

u = sin(3 x) exp(-x) with its values at both ends, which gives f.

Shows: multi-stage training. The residual of the first network tells the size and the frequency of
its error; the second network, u + size * correction, has both from the begin. The first is frozen.
Expected: errors of 4e-07 and 2e-11, in about a minute on two CPU cores.

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
    print(f"{len(pinn.trainable_variables)} variables: error {np.abs(error).max():.1e}")
    return pinn


line = kpinn.domains.Box(x=(-1, 1))
points, new = line.sample(600, method="grid"), line.sample(1_999, method="grid")
mlp = kpinn.networks.MLP(units=6, depth=1)
first = kpinn.layers.HardCondition(mlp, "x", value=chord, distance=inside)
residual = solved(first, 1.0).residuals(points)["equation"][:, 0]
rms = float(np.sqrt(np.mean(residual**2)))
frequency = np.pi / 2.0 * np.count_nonzero(np.diff(np.sign(residual)))  # a zero for half a wave
size = float(rms / frequency**2)
print(f"residual {rms:.1e} with an angular frequency of {frequency:.0f}: size {size:.1e}")

first.trainable = False
siren = kpinn.networks.SIREN(units=30, depth=2, first_frequency=frequency)
correction = kpinn.layers.HardCondition(siren, "x", distance=inside)
inputs = keras.Input((1,))
solved(keras.Model(inputs, first(inputs) + size * correction(inputs)), rms**-2)
