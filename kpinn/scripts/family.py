"""A problem for every value of a parameter: u_xx + k^2 u = 0, one network u(x, k) for all k.

The parameter is a column of the points and no space; any k of the range is an evaluation
afterwards.
"""

import keras
import numpy as np
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)


def exact(x, k):
    """The solution; YOURS: leave it out, with the last lines."""
    return ops.sin(k * x) / k


class Oscillator(kpinn.PINN):
    coordinates, parameters, fields = "x", "k", "u"

    @kpinn.condition
    def equation(self, u, u_xx, k):
        return u_xx + k**2 * u  # YOURS


space = kpinn.domains.Box(x=(0, 1)) * kpinn.domains.Box(k=(1, 4), parameters="k")  # YOURS
network = kpinn.layers.HardCondition(  # u = x + x^2 network: u(0) = 0, u_x(0) = 1
    kpinn.networks.MLP(16, 2, embedding=kpinn.layers.Rescale([0, 1], [1, 4])),
    "x k",
    value=lambda x: x,  # YOURS
    distance=lambda x: x**2,  # YOURS
)
pinn = Oscillator(network)
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
pinn.fit(space.sample(1_000, "sobol", seed=0), epochs=100, verbose=0)
print(f"loss: {pinn.result.loss:.1e}")

new = space.sample(2_000, seed=1)
error, u = pinn.predict_fields(new)["u"] - exact(**new), exact(**new)
print(f"relative L2 error: {np.linalg.norm(error) / np.linalg.norm(u):.1e}")
k = 2.5  # YOURS: the solution for one value
x = np.linspace(0.0, 1.0, 5)
print(f"u(x, {k}): {pinn.predict_fields({'x': x, 'k': k})['u'].ravel().round(6)}")
