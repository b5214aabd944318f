"""A profile that goes round a ring 50 / (2 pi) times: u_t + 50 u_x = 0, u(0, x) = exp(sin(x)).

Shows: `PeriodicEmbedding`, fixed features, and windows of time by `kpinn.march`. A network that is
trained on the whole time at once forgets the start; here each window begins with what the last one
ended with, exactly.
Kind: hyperbolic, waves.
Expected: relative L2 error below 5e-6, about 20 seconds on two CPU cores.

Run: python examples/advection.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import compare
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
SPEED, WINDOWS = 50.0, 2 if quiet.SHORT else 20


def exact(t, x):
    return ops.exp(ops.sin(x - SPEED * t))


def advection(u_t, u_x):
    return u_t / SPEED + u_x


def sample(begin, end):
    box = kpinn.domains.Box(t=(begin, end), x=(0, 2 * np.pi))
    return box.sample(1_500, "sobol", seed=0)


ring = kpinn.layers.PeriodicEmbedding([None, 2 * np.pi])
network = kpinn.networks.RandomFeatures(300, scale=[10.0, 5.0, 5.0], seed=0, embedding=ring)
windows = kpinn.layers.TimeWindows(network, "t x", start=lambda x: ops.exp(ops.sin(x)))
pinn = kpinn.PINN(windows, "t x", "u", [advection])
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
edges = np.arange(WINDOWS + 1) / 20
history = kpinn.march(pinn, sample, edges, epochs=4, verbose=0)
print(f"largest loss of a window: {max(history.history['loss']):.1e}")
domain = kpinn.domains.Box(t=(0, edges[-1]), x=(0, 2 * np.pi))
compare(pinn, domain, exact, "output/advection.png")
