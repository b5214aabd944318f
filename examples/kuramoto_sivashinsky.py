"""Flame fronts on the way to chaos: u_t + u u_x + u_xx + u_xxxx = 0, periodic, until t = 20.

Shows: a derivative of the fourth order, `PeriodicEmbedding`, windows of time by `kpinn.march`. The
reference is Fourier's method. Solutions that are near part as time goes on, so that errors grow,
for every method.
Kind: dispersive.
Expected: relative L2 error below 2e-4, about 40 seconds on two CPU cores.

Run: python examples/kuramoto_sivashinsky.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import fourier, maps, on_grid, relative
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
PERIOD, LENGTH, WINDOWS = 30.0, 1.0, 1 if quiet.SHORT else 20
WAVE = 2 * np.pi / PERIOD


def start(x):
    return ops.cos(2 * WAVE * x) * (1 + ops.sin(WAVE * x))


def front(u, u_t, u_x, u_xx, u_xxxx):
    return LENGTH * (u_t + u * u_x + u_xx + u_xxxx)


def sample(a, b):
    return kpinn.domains.Box(t=(a, b), x=(0, PERIOD)).sample(1_000, "sobol", seed=0)


ring = kpinn.layers.PeriodicEmbedding([None, PERIOD])
network = kpinn.networks.RandomFeatures(250, scale=[2.0, 14.0, 14.0], seed=0, embedding=ring)
pinn = kpinn.PINN(kpinn.layers.TimeWindows(network, "t x", start=start), "t x", "u", [front])
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
edges = LENGTH * np.arange(WINDOWS + 1)
history = kpinn.march(pinn, sample, edges, epochs=5, verbose=0)
print(f"largest loss of a window: {max(history.history['loss']):.1e}")

t, x = np.linspace(0, edges[-1], 81), np.arange(128) * PERIOD / 128
first = np.asarray(start(x))[None]
exact = fourier(lambda u, d: -u * d(1) - d(2) - d(4), first, PERIOD, t, "Radau")[:, 0]
found = on_grid(pinn, t, x, "u")
print(f"relative L2 error: {relative(found, exact):.1e}")
maps(t, x, "output/kuramoto_sivashinsky.png", u=found, reference=exact, error=np.abs(found - exact))
