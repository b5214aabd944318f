"""Two substances that react and spread (Gray & Scott): a pulse that parts in two.

    u_t = u_xx - u v^2 + F (1 - u),  v_t = v_xx / 2 + u v^2 - (F + k) v

with F = 0.04 and k = 0.06.

Shows: two fields by features that are fixed, symmetric about x = 0 by an even embedding, windows of
time by `kpinn.march`. The reference is Fourier's method.
Kind: parabolic.
Expected: relative L2 error below 1e-4, about 30 seconds on two CPU cores.

Run: python examples/gray_scott.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import fourier, maps, on_grid, relative
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
FEED, KILL, HALF, LENGTH, WINDOWS = 0.04, 0.06, 40.0, 10.0, 1 if quiet.SHORT else 20


def pulse(x):
    return ops.exp(10 * (ops.cos(np.pi * x / HALF) - 1))


def gray_scott(u, v, u_t, v_t, u_xx, v_xx):
    reaction = u * v**2
    first = u_t - u_xx + reaction - FEED * (1 - u)
    return LENGTH * ops.concatenate([first, v_t - v_xx / 2 - reaction + (FEED + KILL) * v], axis=1)


def sample(a, b):
    return kpinn.domains.Box(t=(a, b), x=(0, HALF)).sample(800, "sobol", seed=0)


even = kpinn.layers.PeriodicEmbedding([None, 2 * HALF], even=True)
network = kpinn.networks.RandomFeatures(200, outputs=2, scale=[2.0, 40.0], seed=0, embedding=even)
start = {"u": lambda x: 1 - 0.6 * pulse(x), "v": lambda x: 0.4 * pulse(x)}
windows = kpinn.layers.TimeWindows(network, "t x", start=start, fields="u v")
pinn = kpinn.PINN(windows, "t x", "u v", [gray_scott])
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
edges = LENGTH * np.arange(WINDOWS + 1)
history = kpinn.march(pinn, sample, edges, epochs=6, verbose=0)
print(f"largest loss of a window: {max(history.history['loss']):.1e}")


def right(fields, slope):
    u, v = fields
    (u_xx, v_xx), reaction = slope(2), u * v**2
    return np.stack([u_xx - reaction + FEED * (1 - u), v_xx / 2 + reaction - (FEED + KILL) * v])


t, x = np.linspace(0, edges[-1], 101), np.arange(-128, 128) * HALF / 128
first = np.stack([np.asarray(start[name](x)) for name in "uv"])
exact = fourier(right, first, 2 * HALF, t)[:, 1]
found = on_grid(pinn, t, x, "v")
print(f"relative L2 error: {relative(found, exact):.1e}")
maps(t, x, "output/gray_scott.png", v=found, reference=exact, error=np.abs(found - exact))
