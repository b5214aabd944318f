"""Lorenz's equations on a long time, in 400 windows beside scipy's solve_ivp.

x' = 10 (y - x), y' = x (28 - z) - y, z' = x y - 8/3 z from (1, 1, 1), until t = 20.

Shows: `kpinn.march`, window after window, each from the end of the last one, with one compilation.
Features that are fixed make each window a few steps of Gauss and Newton. Solutions of these
equations that are near part by a factor of 2.5 in a unit of time, here from t = 12 on, so that no
method keeps its digits.
Kind: ODE.
Expected: largest error of the first half below 1e-10, largest error below 1e-6, about a minute on
two CPU cores.

Run: python examples/lorenz.py [--short]
"""

import os
import time

import quiet
import keras
import matplotlib.pyplot as plt
import numpy as np
import scipy.integrate
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
END, WINDOWS = (0.5, 10) if quiet.SHORT else (20.0, 400)


class Lorenz(kpinn.PINN):
    coordinates = "t"
    fields = "x y z"

    @kpinn.condition
    def equations(self, x, y, z, x_t, y_t, z_t):
        found = (x_t - 10.0 * (y - x), y_t - x * (28.0 - z) + y, z_t - x * y + 8.0 / 3.0 * z)
        return ops.concatenate(found, axis=1)


def sample(a, b):
    middle, half = (a + b) / 2.0, (b - a) / 2.0
    return {"t": middle + half * np.cos(np.pi * (np.arange(60) + 0.5) / 60)}


begin = time.perf_counter()
unit = kpinn.layers.Rescale(0.0, 1.0)
network = kpinn.networks.RandomFeatures(40, outputs=3, scale=2.0, seed=0, embedding=unit)
pinn = Lorenz(kpinn.layers.TimeWindows(network, "t", start=1.0))
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
edges = np.linspace(0.0, END, WINDOWS + 1)
history = kpinn.march(pinn, sample, edges, verbose=0, epochs=12)
seconds = time.perf_counter() - begin

t = np.linspace(0.0, END, 601)
found = np.concatenate(list(pinn.predict_fields({"t": t}).values()), axis=1)


def right(t, y):
    return [10.0 * (y[1] - y[0]), y[0] * (28.0 - y[2]) - y[1], y[0] * y[1] - 8.0 / 3.0 * y[2]]


options = {"t_eval": t, "rtol": 1e-13, "atol": 1e-13}
exact = scipy.integrate.solve_ivp(right, (0.0, END), np.ones(3), "DOP853", **options).y.T
errors = np.abs(found - exact).max(axis=1)
losses = history.history["loss"]
print(f"loss of a window: {min(losses):.1e} to {max(losses):.1e}")
for part in (0.25, 0.5, 0.75, 1.0):
    last = round(part * 600)
    print(f"until t = {t[last]:.1f} the error is {errors[: last + 1].max():.1e}")
print(f"largest error of the first half: {errors[:301].max():.1e}")
print(f"largest error: {errors.max():.1e}")
print(f"seconds, with compiling: {seconds:.0f}")

figure = plt.figure(figsize=(12, 4), layout="constrained")
figure.add_subplot(1, 2, 1, projection="3d").plot(*found.T, linewidth=0.6)
axes = figure.add_subplot(1, 2, 2)
axes.semilogy(t[1:], errors[1:])
axes.set(xlabel="t", title="largest difference from solve_ivp")
os.makedirs("output", exist_ok=True)
figure.savefig("output/lorenz.png")
