"""Linear elasticity in plane strain: div(stress) + f = 0 in a plate with a hole.

Displacements are given on the sides, tractions on the hole. The equation is linear: random
features, solved by one step of Levenberg-Marquardt. Its right-hand sides are those of a chosen
solution.
"""

import keras
import numpy as np
from keras import ops

import kpinn
from kpinn.domains import Ball, Box
from kpinn.operators import strain, tensor_divergence, traction

kpinn.set_float64()
keras.utils.set_random_seed(0)
LAME, SHEAR = 1.5, 1.0  # YOURS


class Plate(kpinn.PINN):
    coordinates, fields = "x y", "v[2]"

    @kpinn.field(size=4)
    def stress(self, jac_v, div_v):
        return LAME * ops.expand_dims(div_v, 2) * np.eye(2) + 2.0 * SHEAR * strain(jac_v)

    @kpinn.condition
    def forces(self, jac_stress):
        return tensor_divergence(jac_stress) / 10.0  # divided by its size; targets: -f / 10

    @kpinn.condition
    def hole(self, stress, n):
        return traction(stress, n)  # targets: the tractions

    @kpinn.condition
    def sides(self, v):
        return v  # targets: the displacements


plate = Box(x=(-1, 1), y=(-1, 1)) - Ball(x=0, y=0, radius=0.4).named("hole")  # YOURS
points = {
    "forces": plate.sample(2_000, "sobol", seed=0),
    "hole": plate.boundary("hole").sample(400, seed=0),
    "sides": plate.boundary("x", "y").sample(400, seed=0),
}
pinn = Plate(kpinn.networks.RandomFeatures(400, outputs=2))


def chosen(x, y):
    return ops.concatenate([ops.sin(2.0 * x + y), ops.exp(-x) * ops.cos(2.0 * y)], axis=1)


known = kpinn.manufactured(pinn, chosen)
targets = known.residuals(points)  # YOURS: {"forces": ..., "hole": ...}; zeros where left out
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"hole": 10.0, "sides": 10.0})
pinn.fit((points, targets), epochs=20, verbose=0)
print(pinn.result.message)

new = plate.sample(2_000, seed=1)
found, right = (each.predict_fields(new, "stress")["stress"] for each in (pinn, known))
print(f"relative L2 error of stress: {np.linalg.norm(found - right) / np.linalg.norm(right):.1e}")
