"""Two phases part: u_t = 0.004 u_xx + 5 (u - u^3), u(0, x) = 0.4 cos(pi x) - 0.3 cos(3 pi x).

Shows: walls that are insulated by an even periodic embedding, so that there is no condition but the
equation; features that are fixed, and windows of time by `kpinn.march`. The reference is Fourier's
method.
Kind: parabolic.
Expected: relative L2 error below 2e-6, about 20 seconds on two CPU cores.

Run: python examples/allen_cahn.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import fourier, maps, on_grid, relative
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
LENGTH, WINDOWS = 0.1, 1 if quiet.SHORT else 10


def start(x):
    return 0.4 * ops.cos(np.pi * x) - 0.3 * ops.cos(3 * np.pi * x)


def allen_cahn(u, u_t, u_xx):
    return LENGTH * (u_t - 0.004 * u_xx - 5 * (u - u**3))


def sample(a, b):
    return kpinn.domains.Box(t=(a, b), x=(0, 1)).sample(1_200, "sobol", seed=0)


even = kpinn.layers.PeriodicEmbedding([None, 2.0], even=True)
network = kpinn.networks.RandomFeatures(300, scale=[1.5, 60.0], seed=0, embedding=even)
pinn = kpinn.PINN(kpinn.layers.TimeWindows(network, "t x", start=start), "t x", "u", [allen_cahn])
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
edges = LENGTH * np.arange(WINDOWS + 1)
history = kpinn.march(pinn, sample, edges, epochs=5, verbose=0)
print(f"largest loss of a window: {max(history.history['loss']):.1e}")

t, x = np.linspace(0, edges[-1], 51), np.arange(256) / 128
first = np.asarray(start(x))[None]
exact = fourier(lambda u, slope: 0.004 * slope(2) + 5 * (u - u**3), first, 2.0, t)[:, 0]
found = on_grid(pinn, t, x, "u")
print(f"relative L2 error: {relative(found, exact):.1e}")
maps(t, x, "output/allen_cahn.png", u=found, reference=exact, error=np.abs(found - exact))
