"""A nonlinear equation in time and space, Burgers' u_t + u u_x = v u_xx: a trained network.

Start and ends are built in by `HardCondition`, so that one condition is left; points gather where
its residual is large. The known solution is a front that moves: u = c - tanh((x - c t) / (2 v)).
"""

import keras
import numpy as np
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
VISCOSITY, SPEED = 0.05, 0.5  # YOURS


def exact(t, x):
    """A known solution; YOURS: leave it out, with the last lines."""
    return SPEED - ops.tanh((x - SPEED * t) / (2.0 * VISCOSITY))


class Burgers(kpinn.PINN):
    coordinates, fields = "t x", "u"

    @kpinn.condition
    def equation(self, u, u_t, u_x, u_xx):
        return u_t + u * u_x - VISCOSITY * u_xx  # YOURS


box = kpinn.domains.Box(t=(0, 1), x=(-1, 2))  # YOURS
network = kpinn.layers.HardCondition(  # u = start + t (x + 1) (2 - x) network
    kpinn.networks.MLP(20, 3, embedding=kpinn.layers.Rescale([0, -1], [1, 2])),
    "t x",
    value=lambda x: SPEED - ops.tanh(x / (2.0 * VISCOSITY)),  # YOURS: the start, and the ends
    distance=lambda t, x: t * (x + 1.0) * (2.0 - x),  # YOURS: zero where u is given
)
pinn = Burgers(network)
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
dense = kpinn.callbacks.ResidualSampling(lambda seed: box.sample(10_000, seed=seed), every=10)
pinn.fit(box.sample(2_000, seed=0), epochs=150, verbose=0, callbacks=[dense])
print(f"loss: {pinn.result.loss:.1e}")

new = box.sample(2_000, seed=1)
error, u = pinn.predict_fields(new)["u"] - exact(**new), exact(**new)
print(f"relative L2 error: {np.linalg.norm(error) / np.linalg.norm(u):.1e}")
kpinn.plotting.field(pinn, box, "u", exact, path="nonlinear.png")
