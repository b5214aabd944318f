"""Waves on a string with fixed ends: u_tt = c^2 u_xx, from a start and a speed.

The equation is linear in u: random features, solved by one step of Levenberg-Marquardt. The first
`fit` chooses their frequencies from residuals. Long times: `kpinn.march`, in windows of time.
"""

import math

import keras
import numpy as np
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
SPEED = 1.0  # YOURS


def exact(t, x):
    """A known solution to compare with; YOURS: leave it out, with the last lines."""
    return ops.cos(2.0 * math.pi * SPEED * t) * ops.sin(2.0 * math.pi * x)


class Wave(kpinn.PINN):
    coordinates, fields = "t x", "u"

    @kpinn.condition
    def equation(self, u_tt, u_xx):
        return (u_tt - SPEED**2 * u_xx) / (2.0 * math.pi) ** 2  # divided by its size

    @kpinn.condition
    def start(self, x, u):
        return u - ops.sin(2.0 * math.pi * x)  # YOURS

    @kpinn.condition
    def rest(self, u_t):
        return u_t / (2.0 * math.pi)  # YOURS: the speed at the start

    @kpinn.condition
    def ends(self, u):
        return u  # YOURS


box = kpinn.domains.Box(t=(0, 1), x=(0, 1))  # YOURS
points = {
    "equation": box.sample(2_000, "sobol", seed=0),
    "start": box.face(t=0).sample(200, seed=0),
    "rest": box.face(t=0).sample(200, seed=0),
    "ends": box.boundary("x").sample(200, seed=0),
}
pinn = Wave(kpinn.networks.RandomFeatures(600))
pinn.compile(
    kpinn.optimizers.LevenbergMarquardt(),
    loss_weights={"start": 100.0, "rest": 100.0, "ends": 100.0},
)
pinn.fit(points, epochs=20, verbose=0)
print(pinn.result.message)

new = box.sample(2_000, seed=1)
error, u = pinn.predict_fields(new)["u"] - exact(**new), exact(**new)
print(f"relative L2 error: {np.linalg.norm(error) / np.linalg.norm(u):.1e}")
kpinn.plotting.field(pinn, box, "u", exact, path="wave.png")
