"""An unknown coefficient from measurements with noise: the diffusivity of u_t = a u_xx.

The unknown is trained with the network; `kpinn.covariance` says how well the data determine it.
"""

import math

import keras
import numpy as np

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)


class Heat(kpinn.PINN):
    coordinates, fields = "t x", "u"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.unknown("a", initial=0.2, positive=True)  # YOURS

    @kpinn.condition
    def equation(self, u_t, u_xx, a):
        return u_t - a * u_xx  # YOURS

    @kpinn.condition
    def ends(self, u):
        return u  # YOURS

    @kpinn.condition
    def measured(self, u):
        return u  # the targets are the measurements


box = kpinn.domains.Box(t=(0, 1), x=(0, 1))
places = box.sample(100, seed=0)  # YOURS: {"t": ..., "x": ...} of the measurements
truth = np.exp(-0.1 * math.pi**2 * places["t"]) * np.sin(math.pi * places["x"])
measurements = truth + 0.01 * np.random.default_rng(0).normal(size=truth.shape)  # YOURS
points = {
    "equation": box.sample(500, "sobol", seed=0),
    "ends": box.boundary("x").sample(100, seed=0),
    "measured": places,
}
data = points, {"measured": measurements}
pinn = Heat(kpinn.networks.MLP(10, 2))
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"measured": 10.0})
pinn.fit(data, epochs=400, verbose=0)
found = kpinn.covariance(pinn, data, noise="measured")
print(found)
error = abs(float(pinn.unknowns["a"]) - 0.1) / found.standard_errors["a"]
print(f"standard errors between a and the value 0.1 behind the data: {error:.1f}")
