"""A wave in shallow water gets steeper: h_t + (h v)_x = 0, v_t + v v_x + h_x = 0, periodic.

A simple wave to the right: with c = sqrt(h), v = 2 (c - 1) everywhere, and c is carried along
with the speed 3 c - 2. It breaks at t = 3.3; here t < 2.

Shows: a system of conservation laws before it has a shock, `PeriodicEmbedding`, windows of time by
`kpinn.march`; the volume of the water as a check.
Kind: hyperbolic, flow, waves.
Expected: relative L2 error below 1e-4, about 20 seconds on two CPU cores.

Run: python examples/shallow_water.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import maps, on_grid, relative
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
LENGTH, WINDOWS = 0.25, 1 if quiet.SHORT else 8


def wave(x):
    return 1 + 0.1 * ops.sin(x)


def water(h, v, h_t, h_x, v_t, v_x):
    return LENGTH * ops.concatenate([h_t + h * v_x + v * h_x, v_t + v * v_x + h_x], axis=1)


def sample(a, b):
    return kpinn.domains.Box(t=(a, b), x=(0, 2 * np.pi)).sample(1_000, "sobol", seed=0)


ring = kpinn.layers.PeriodicEmbedding([None, 2 * np.pi])
network = kpinn.networks.RandomFeatures(
    300, outputs=2, scale=[2.0, 22.0, 22.0], seed=0, embedding=ring
)
start = {"h": lambda x: wave(x) ** 2, "v": lambda x: 2 * wave(x) - 2}
windows = kpinn.layers.TimeWindows(network, "t x", start=start, fields="h v")
pinn = kpinn.PINN(windows, "t x", "h v", [water])
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
edges = LENGTH * np.arange(WINDOWS + 1)
history = kpinn.march(pinn, sample, edges, epochs=5, verbose=0)
print(f"largest loss of a window: {max(history.history['loss']):.1e}")

t, x = np.linspace(0, edges[-1], 51), np.arange(200) * np.pi / 100
low, high = x - 1.3 * t[:, None], x - 0.7 * t[:, None]
for _ in range(50):  # where the characteristic through (t, x) begins, by bisection
    begin = (low + high) / 2
    is_left = begin + (3 * np.asarray(wave(begin)) - 2) * t[:, None] < x
    low, high = np.where(is_left, begin, low), np.where(is_left, high, begin)
exact = np.asarray(wave(begin)) ** 2
found = on_grid(pinn, t, x, "h")
print(f"relative L2 error: {relative(found, exact):.1e}")
print(f"the volume changes by {np.ptp(found.mean(axis=1)):.1e}")
maps(t, x, "output/shallow_water.png", h=found, reference=exact, error=np.abs(found - exact))
