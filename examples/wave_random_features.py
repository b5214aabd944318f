"""Standing waves to rounding: u_tt = 4 u_xx on [0, 1] x [0, 1], in half a minute.

u(0, x) = sin(pi x) + sin(4 pi x) / 2, at rest; u(t, 0) = u(t, 1) = 0.

Shows: a network of fixed random features whose last layer alone is trained. The equation is linear
in the unknown function, and so in what is trained: Levenberg-Marquardt ends after one step, a
least-squares problem. The first `fit` chooses the frequencies of the features, from residuals at
points that are not trained on. Start and walls are conditions.
Kind: hyperbolic, waves.
Expected: relative L2 error below 1e-13, about half a minute on two CPU cores.

Run: python examples/wave_random_features.py [--short]
"""

import math
import time

import quiet
import keras
import numpy as np
from exact import compare
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)


def exact(t, x):
    low = np.cos(2 * np.pi * t) * np.sin(np.pi * x)
    return low + 0.5 * np.cos(8 * np.pi * t) * np.sin(4 * np.pi * x)


class Wave(kpinn.PINN):
    coordinates = "t x"
    fields = "u"

    @kpinn.condition
    def wave(self, u_tt, u_xx):
        return (u_tt - 4.0 * u_xx) / (8.0 * math.pi**2)

    @kpinn.condition
    def start(self, x, u):
        return u - ops.sin(math.pi * x) - 0.5 * ops.sin(4.0 * math.pi * x)

    @kpinn.condition
    def rest(self, u_t):
        return u_t / (8.0 * math.pi)

    @kpinn.condition
    def walls(self, u):
        return u


box = kpinn.domains.Box(t=(0, 1), x=(0, 1))
count = 1_000 if quiet.SHORT else 4_000
points = {
    "wave": box.sample(count, seed=0),
    "start": box.face(t=0).sample(count // 8, seed=1),
    "rest": box.face(t=0).sample(count // 8, seed=1),
    "walls": box.boundary("x").sample(count // 4, seed=2),
}
begin = time.perf_counter()
pinn = Wave(kpinn.networks.RandomFeatures(200 if quiet.SHORT else 1_200))
weights = dict.fromkeys(("start", "rest", "walls"), 100.0)
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights=weights)
pinn.fit(points, epochs=10, verbose=0)

scale = np.asarray(pinn.network.layers[0].scale)
print(f"frequencies up to {scale[0]:.0f} in t and {scale[1]:.0f} in x; {pinn.result.message}")
print(f"seconds, with compiling: {time.perf_counter() - begin:.0f}")
compare(pinn, box, exact, "output/wave_random_features.png")
