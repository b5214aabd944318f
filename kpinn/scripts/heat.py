"""The heat equation on a rod: u_t = a u_xx + f, from a start, with given ends.

The equation is linear in u: random features, solved by one step of Levenberg-Marquardt.
"""

import math

import keras
import numpy as np
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
DIFFUSIVITY = 0.1  # YOURS


def exact(t, x):
    """A known solution to compare with; YOURS: leave it out, with the last lines."""
    return ops.exp(-DIFFUSIVITY * math.pi**2 * t) * ops.sin(math.pi * x)


class Heat(kpinn.PINN):
    coordinates, fields = "t x", "u"

    @kpinn.condition
    def equation(self, u_t, u_xx):
        return u_t - DIFFUSIVITY * u_xx  # YOURS: - f(t, x), with t, x among the arguments

    @kpinn.condition
    def start(self, x, u):
        return u - ops.sin(math.pi * x)  # YOURS

    @kpinn.condition
    def ends(self, u):
        return u  # YOURS; insulated ends are `def ends(self, u_x): return u_x`


box = kpinn.domains.Box(t=(0, 1), x=(0, 1))  # YOURS
points = {
    "equation": box.sample(2_000, "sobol", seed=0),
    "start": box.face(t=0).sample(200, seed=0),
    "ends": box.boundary("x").sample(200, seed=0),
}
pinn = Heat(kpinn.networks.RandomFeatures(400))
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"start": 10.0, "ends": 10.0})
pinn.fit(points, epochs=20, verbose=0)
print(pinn.result.message)

new = box.sample(2_000, seed=1)
error, u = pinn.predict_fields(new)["u"] - exact(**new), exact(**new)
print(f"relative L2 error: {np.linalg.norm(error) / np.linalg.norm(u):.1e}")
kpinn.plotting.field(pinn, box, "u", exact, path="heat.png")
