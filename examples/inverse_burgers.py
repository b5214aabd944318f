"""Two unknown coefficients of u_t + c u u_x = nu u_xx from 2,000 samples of the solution.

The samples are those of the exact solution for c = 1 and nu = 0.01 / pi at random points.

Shows: unknowns as named arguments of a condition, targets, one set of points for two conditions.
Kind: inverse, parabolic.
Expected: error of c below 0.1 %, error of nu below 0.4 %, about 3 minutes on two CPU cores. With
`--noise 0.01` (of the standard deviation of u) they are 0.02 % and 0.5 %.

Run: python examples/inverse_burgers.py [--short] [--noise 0.01]
"""

import math
import sys

import quiet
import keras
import numpy as np
from exact import burgers

import kpinn

NOISE = float(sys.argv[sys.argv.index("--noise") + 1]) if "--noise" in sys.argv else 0.0
kpinn.set_float64()
keras.utils.set_random_seed(0)


class InverseBurgers(kpinn.PINN):
    coordinates = "t x"
    fields = "u"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.unknown("c", initial=0.5)
        self.unknown("nu", initial=0.01, positive=True)

    @kpinn.condition
    def momentum(self, u, u_t, u_x, u_xx, c, nu):
        return u_t + c * u * u_x - nu * u_xx

    @kpinn.condition
    def samples(self, u):
        return u


box = kpinn.domains.Box(t=(0, 1), x=(-1, 1))
points = box.sample(2_000)
u = burgers(points["t"], points["x"])
u = u + NOISE * u.std() * np.random.default_rng(0).normal(size=u.shape)

pinn = InverseBurgers(kpinn.networks.MLP(units=20, depth=6))
weights = {"samples": 10.0}
pinn.compile(keras.optimizers.Adam(2e-3), loss_weights=weights)
pinn.fit((points, {"samples": u}), epochs=2 if quiet.SHORT else 10, steps_per_epoch=200, verbose=2)
pinn.compile(kpinn.optimizers.ScipyMinimize("L-BFGS-B", maxcor=100), loss_weights=weights)
pinn.fit((points, {"samples": u}), epochs=20 if quiet.SHORT else 8_000, verbose=0)
print(pinn.optimizer.result.message)

for name, exact in {"c": 1.0, "nu": 0.01 / math.pi}.items():
    found = float(pinn.unknowns[name].numpy())
    print(f"{name} = {found:.7f}, exact {exact:.7f}, error of {name}: {abs(found / exact - 1):.3%}")
kpinn.plotting.field(pinn, box, "u", burgers, path="output/inverse_burgers.png")
