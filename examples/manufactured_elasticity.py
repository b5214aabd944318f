"""A plate with a hole, and a displacement that is chosen: forces and tractions follow.

Linear elasticity in plane strain.

Shows: `kpinn.manufactured`, whose residuals are the targets: body forces inside, tractions on the
hole, displacements on the sides; stresses as a tensor field.
Kind: solids.
Expected: relative L2 error of v below 1e-12, relative L2 error of stress below 1e-12, about 30
seconds on two CPU cores.

Run: python examples/manufactured_elasticity.py [--short]
"""

import quiet
import keras
import numpy as np
from keras import ops

import kpinn
from kpinn.domains import Ball, Box
from kpinn.operators import strain, tensor_divergence, traction

kpinn.set_float64()
keras.utils.set_random_seed(0)


class Plate(kpinn.PINN):
    coordinates, fields = "x y", "v[2]"

    @kpinn.field(size=4)
    def stress(self, jac_v, div_v):
        return 1.5 * ops.expand_dims(div_v, 2) * np.eye(2) + 2 * strain(jac_v)

    @kpinn.condition
    def forces(self, jac_stress):
        return tensor_divergence(jac_stress) / 10

    @kpinn.condition
    def hole(self, stress, n):
        return traction(stress, n)

    @kpinn.condition
    def sides(self, v):
        return v


def chosen(x, y):
    return ops.concatenate([ops.sin(3 * x + 2 * y), ops.exp(-x) * ops.cos(4 * y)], axis=1)


plate = Box(x=(-1, 1), y=(-1, 1)) - Ball(x=0, y=0, radius=0.5).named("hole")
count = 300 if quiet.SHORT else 2_000
points = {"forces": plate.sample(count, "sobol", seed=0)}
points["hole"] = plate.boundary("hole").sample(count // 4, seed=0)
points["sides"] = plate.boundary("x", "y").sample(count // 2, seed=0)
pinn = Plate(kpinn.networks.RandomFeatures(count // 4, outputs=2))
truth = kpinn.manufactured(pinn, chosen)
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"hole": 10.0, "sides": 10.0})
pinn.fit((points, truth.residuals(points)), epochs=10, verbose=0)

new = plate.sample(3_000, seed=1)
for name in ("v", "stress"):
    found, exact = (each.predict_fields(new, name)[name] for each in (pinn, truth))
    error = np.linalg.norm(found - exact) / np.linalg.norm(exact)
    print(f"relative L2 error of {name}: {error:.1e}")


def exact(x, y):  # the divergence of what is chosen
    return 3 * np.cos(3 * x + 2 * y) - 4 * np.exp(-x) * np.sin(4 * y)


kpinn.plotting.field(pinn, plate, "div_v", exact, path="output/manufactured_elasticity.png")
