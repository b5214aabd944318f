"""Steady plane flow, Navier-Stokes: (v . grad) v = -grad p + laplacian(v) / Re, div v = 0.

The velocity is given on the boundary, the pressure in one point. The known solution is Kovasznay's.
"""

import math

import keras
import numpy as np
from keras import ops

import kpinn
from kpinn.operators import advection

kpinn.set_float64()
keras.utils.set_random_seed(0)
RE = 20.0  # YOURS


def exact(x, y):
    """The velocity and the pressure; YOURS: leave it out, with the last lines."""
    rate, angle = RE / 2 - math.sqrt(RE**2 / 4 + 4 * math.pi**2), 2 * math.pi * y
    decay = ops.exp(rate * x)
    v = [1 - decay * ops.cos(angle), rate / (2 * math.pi) * decay * ops.sin(angle)]
    return ops.concatenate(v, axis=1), (1 - decay**2) / 2


class Flow(kpinn.PINN):
    coordinates, fields = "x y", "v[2] p"

    @kpinn.condition
    def momentum(self, v, jac_v, grad_p, laplacian_v):
        return advection(v, jac_v) + grad_p - laplacian_v / RE

    @kpinn.condition
    def mass(self, div_v):
        return div_v

    @kpinn.condition
    def walls(self, x, y, v):
        return v - exact(x, y)[0]  # YOURS

    @kpinn.condition
    def gauge(self, x, y, p):
        return p - exact(x, y)[1]  # YOURS: 0 in some point


domain = kpinn.domains.Box(x=(-0.5, 1), y=(-0.5, 0.5))  # YOURS
inside = domain.sample(1_500, "sobol", seed=0)
points = {
    "momentum": inside,
    "mass": inside,
    "walls": domain.boundary().sample(300, seed=0),
    "gauge": {"x": [1.0], "y": [0.5]},
}
network = kpinn.networks.MLP(20, 3, outputs=3)
pinn = Flow(network)
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"walls": 10.0, "gauge": 10.0})
pinn.fit(points, epochs=150, verbose=0)
print(f"loss: {pinn.result.loss:.1e}")

new = domain.sample(2_000, seed=1)
error, v = pinn.predict_fields(new)["v"] - exact(**new)[0], exact(**new)[0]
print(f"relative L2 error of the velocity: {np.linalg.norm(error) / np.linalg.norm(v):.1e}")
kpinn.plotting.field(pinn, domain, "p", path="flow.png")
