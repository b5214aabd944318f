"""Ordinary differential equations: predators and prey, two fields from a given start.

The start is built into the network. Long times are solved in windows by `kpinn.march`.
"""

import keras
import numpy as np
from keras import ops
from scipy.integrate import solve_ivp

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
END, START = 5.0, [1.0, 0.5]  # YOURS


def rates(prey, predators):
    return prey * (1.0 - predators), predators * (prey - 1.0)  # YOURS


class Populations(kpinn.PINN):
    coordinates, fields = "t", "prey predators"  # YOURS

    @kpinn.condition
    def equations(self, prey, predators, prey_t, predators_t):
        grown, eaten = rates(prey, predators)
        return ops.concatenate([prey_t - grown, predators_t - eaten], axis=1)


network = kpinn.layers.HardCondition(  # start + t network
    kpinn.networks.MLP(16, 2, outputs=2, embedding=kpinn.layers.Rescale(0.0, END)),
    "t",
    value=lambda t: ops.ones_like(t) * np.array(START),
    distance=lambda t: t / END,
)
pinn = Populations(network)
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
pinn.fit({"t": np.linspace(0.0, END, 200)}, epochs=150, verbose=0)
print(f"loss: {pinn.result.loss:.1e}")

t = np.linspace(0.0, END, 101)
found = np.hstack(list(pinn.predict_fields({"t": t}, "prey, predators").values()))
known = solve_ivp(lambda t, y: rates(*y), (0.0, END), START, t_eval=t, rtol=1e-10, atol=1e-10)
print(f"largest difference from scipy's solution: {np.abs(found - known.y.T).max():.1e}")
