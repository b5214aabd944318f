"""Heat through a steel wall whose conductivity is a table: (k(u) u_x)_x = 0, 20 to 900 degrees.

k falls from 54 to 27 W / (m K) and has a kink near 735 degrees (EN 1993-1-2 at a few temperatures).

Shows: a spline through a table as a function of the field, a flux as a derived field. The exact
temperature is where the integral of the spline grows by equal parts (Kirchhoff).
Kind: elliptic.
Expected: largest error below 0.02 degrees, about 15 seconds on two CPU cores.

Run: python examples/tabulated_conductivity.py [--short]
"""

import quiet
import keras
import numpy as np
from scipy.interpolate import PchipInterpolator, make_interp_spline

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
TEMPERATURES = [20, 100, 200, 300, 400, 500, 600, 700, 800, 900]
CONDUCTIVITIES = [53.3, 50.7, 47.3, 44.0, 40.7, 37.4, 34.0, 30.7, 27.3, 27.3]
COLD, HOT = 20.0, 900.0


class Wall(kpinn.PINN):
    coordinates, fields = "x", "u"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.k = kpinn.layers.Interpolation(TEMPERATURES, CONDUCTIVITIES, outside="clamp")

    @kpinn.field
    def flux(self, u, u_x):
        return self.k(u) * u_x

    @kpinn.condition
    def balance(self, flux_x):
        return flux_x / 1e5


def between(x):
    return COLD + (HOT - COLD) * x


network = kpinn.layers.HardCondition(
    kpinn.networks.MLP(units=16, depth=2), "x", between, lambda x: 1e3 * x * (1 - x)
)
pinn = Wall(network)
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
wall = kpinn.domains.Box(x=(0, 1))
points = wall.sample(200, "grid")
pinn.fit(points, epochs=10 if quiet.SHORT else 150, verbose=0)

total = make_interp_spline(TEMPERATURES, CONDUCTIVITIES).antiderivative()
steps = np.linspace(COLD, HOT, 20_001)
growth = total(steps) - total(COLD)
x = np.linspace(0, 1, 501)
exact = PchipInterpolator(growth / growth[-1], steps)
error = pinn.predict_fields({"x": x})["u"][:, 0] - exact(x)
print(f"largest error: {np.abs(error).max():.1e} degrees")
flux = pinn.predict_fields({"x": x}, "flux")["flux"][:, 0]
print(f"flux: {flux.mean():.3f} W / m^2, exact {growth[-1]:.3f}")
kpinn.plotting.field(pinn, wall, "u", exact, path="output/tabulated_conductivity.png")
