"""Poisson's equation in a plane domain with a hole: -laplacian(u) = f, u given on the boundary.

The equation is linear in u, so that random features with a trained last layer are the network, and
one step of Levenberg-Marquardt solves it. For a nonlinear one take `kpinn.networks.MLP(20, 4)`.
"""

import keras
import numpy as np
from keras import ops

import kpinn
from kpinn.domains import Ball, Box

kpinn.set_float64()
keras.utils.set_random_seed(0)


def exact(x, y):
    """A known solution to compare with; YOURS: leave it out, with the last lines."""
    return ops.sin(2.0 * x) * ops.exp(y)


class Poisson(kpinn.PINN):
    coordinates, fields = "x y", "u"

    @kpinn.condition
    def equation(self, x, y, laplacian_u):
        f = 3.0 * ops.sin(2.0 * x) * ops.exp(y)  # YOURS
        return (-laplacian_u - f) / 10.0  # divided by its size, so that all conditions weigh alike

    @kpinn.condition
    def outside(self, x, y, u):
        return u - exact(x, y)  # YOURS

    @kpinn.condition
    def hole(self, x, y, u):
        return u - exact(x, y)  # YOURS; a flux is `def hole(self, u_n): return u_n - g`


domain = Box(x=(-1, 1), y=(-1, 1)) - Ball(x=0.2, y=0.1, radius=0.4).named("hole")  # YOURS
points = {
    "equation": domain.sample(2_000, "sobol", seed=0),
    "outside": domain.boundary("x", "y").sample(400, seed=0),
    "hole": domain.boundary("hole").sample(200, seed=0),
}
pinn = Poisson(kpinn.networks.RandomFeatures(500))
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"outside": 10.0, "hole": 10.0})
pinn.fit(points, epochs=20, verbose=0)
print(pinn.result.message)

new = domain.sample(2_000, seed=1)
error, u = pinn.predict_fields(new)["u"] - exact(**new), exact(**new)
print(f"relative L2 error: {np.linalg.norm(error) / np.linalg.norm(u):.1e}")
kpinn.plotting.field(pinn, domain, "u", exact, path="poisson.png")
