"""A mode of an electromagnetic cavity: Maxwell's equations in a square with conducting walls.

    e_t = b_x - a_y,  a_t = -e_y,  b_t = e_x,  e = 0 on the walls,

e is the electric field across the square, (a, b) the magnetic one in it.

Shows: a system of first order with three fields, in two coordinates and time; the divergence of
(a, b), which no condition asks for, as a check.
Kind: hyperbolic, waves.
Expected: relative L2 error below 1e-5, about 20 seconds on two CPU cores.

Run: python examples/maxwell.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import compare
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
A, B = np.pi, 2 * np.pi  # half a wave along x, one along y
OMEGA = np.hypot(A, B)


def maxwell(e_t, e_x, e_y, a_t, a_y, b_t, b_x):
    return ops.concatenate([e_t - b_x + a_y, a_t + e_y, b_t - e_x], axis=1) / OMEGA


def start(x, y, e, a, b):
    return ops.concatenate([e - ops.sin(A * x) * ops.sin(B * y), a, b], axis=1)


def walls(e):
    return e


def exact(t, x, y):
    return ops.sin(A * x) * ops.sin(B * y) * ops.cos(OMEGA * t)


box = kpinn.domains.Box(t=(0, 0.5)) * kpinn.domains.Box(x=(0, 1), y=(0, 1))
count = 600 if quiet.SHORT else 3_000
points = {"maxwell": box.sample(count, "sobol", seed=0)}
points["start"] = box.face(t=0).sample(count // 6, "sobol", seed=0)
points["walls"] = box.boundary("x", "y").sample(count // 3, seed=0)
scale = [9.0, 6.0, 9.0]
network = kpinn.networks.RandomFeatures(count // 6, outputs=3, scale=scale, seed=0)
pinn = kpinn.PINN(network, "t x y", "e a b", [maxwell, start, walls])
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"start": 10.0, "walls": 10.0})
pinn.fit(points, epochs=5, verbose=0)
new = box.sample(2_000, seed=2)
slopes = pinn.predict_fields(new, "a_x, b_y")
print(f"largest divergence of (a, b): {np.abs(slopes['a_x'] + slopes['b_y']).max():.1e}")
compare(pinn, box, exact, "output/maxwell.png", fixed={"t": 0.4}, name="e")
