"""A boundary layer for every viscosity: u_x = e u_xx + 1, u(0) = u(1) = 0, 0.03 <= e <= 1.

Shows: a family of problems solved at once by one network with a parameter, m = log10(e), which is a
column of points and no space; conditions get it by name. The layer at x = 1 is as wide as e: points
are as dense there as it needs. The solution for any e, and its derivative with respect to the
parameter, are then evaluations.
Kind: families.
Expected: largest relative L2 error of u below 6e-6, largest relative L2 error of u_m below 1e-3,
about a minute on two CPU cores.

Run: python examples/family.py [--short]
"""

import quiet
import keras
import numpy as np

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)


class Layer(kpinn.PINN):
    coordinates, fields, parameters = "x", "u", "m"

    @kpinn.condition
    def balance(self, m, u_x, u_xx):
        e = 10.0**m
        return e * u_xx - u_x + 1.0


def exact(x, m):
    e = 10.0**m
    return x - (np.exp((x - 1.0) / e) - np.exp(-1.0 / e)) / (1.0 - np.exp(-1.0 / e))


box = kpinn.domains.Box(x=(0, 1)) * kpinn.domains.Box(m=(-1.5, 0), parameters="m")
points = box.sample(300 if quiet.SHORT else 3_000, method="sobol", seed=0)
half = len(points["x"]) // 2  # half of them in the layer
points["x"][:half] = 1.0 - points["x"][:half] * np.minimum(1.0, 5.0 * 10.0 ** points["m"][:half])

network = kpinn.layers.HardCondition(
    kpinn.networks.MLP(16, 3, embedding=kpinn.layers.Rescale([0.0, -1.5], [1.0, 0.0])),
    "x m",
    distance=lambda x: x * (1.0 - x),
)
pinn = Layer(network)
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
pinn.fit(points, epochs=10 if quiet.SHORT else 200, verbose=0)

x, largest = np.linspace(0.0, 1.0, 1_001)[:, None], np.zeros(2)
for m in (-1.5, -1.0, -0.5, 0.0):
    found = pinn.predict_fields({"x": x, "m": m}, "u, u_m")
    slope = (exact(x, m + 1e-5) - exact(x, m - 1e-5)) / 2e-5
    errors = [
        np.linalg.norm(value - known) / np.linalg.norm(known)
        for value, known in ((found["u"], exact(x, m)), (found["u_m"], slope))
    ]
    print(f"e = {10.0**m:.3f}: relative L2 error of u {errors[0]:.1e}, of u_m {errors[1]:.1e}")
    largest = np.maximum(largest, errors)
for name, error in zip(("u", "u_m"), largest, strict=True):
    print(f"largest relative L2 error of {name}: {error:.1e}")
kpinn.plotting.field(pinn, box, "u", exact, path="output/family.png")
