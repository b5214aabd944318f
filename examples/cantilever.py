"""A cantilever with a load at its end, as an elastic body in plane stress: div(stress) = 0.

The solution of Timoshenko and Goodier for a beam of the length 4 and the depth 1: displacements are
given at the clamped end, tractions on the three other sides, at the free end a parabola of shear.

Shows: a vector field, stresses as a derived field, tractions along the normals of named sides.
Kind: elliptic, solids.
Expected: relative L2 error below 1e-11, about 15 seconds on two CPU cores.

References: S. P. Timoshenko & J. N. Goodier, Theory of Elasticity (1970), section 21.
Run: python examples/cantilever.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import relative
from keras import ops

import kpinn
from kpinn.operators import strain, tensor_divergence, traction

kpinn.set_float64()
keras.utils.set_random_seed(0)
LENGTH, HALF, POISSON = 4.0, 0.5, 0.3
INERTIA = 2 * HALF**3 / 3
LOAD = 3 * INERTIA / LENGTH**3  # bends a thin beam with the modulus 1 by 1


def displacement(x, y):
    shear = 2 * (1 + POISSON)
    u = -(x**2) * y / 2 - POISSON * y**3 / 6 + shear * y**3 / 6
    u += (LENGTH**2 / 2 - shear * HALF**2 / 2) * y
    v = POISSON * x * y**2 / 2 + x**3 / 6 - LENGTH**2 * x / 2 + LENGTH**3 / 3
    return LOAD / INERTIA * ops.concatenate([u, v], axis=1)


class Cantilever(kpinn.PINN):
    coordinates, fields = "x y", "v[2]"

    @kpinn.field(size=4)
    def stress(self, jac_v, div_v):
        sideways = POISSON * ops.expand_dims(div_v, 2) * np.eye(2)
        return ((1 - POISSON) * strain(jac_v) + sideways) / (1 - POISSON**2)

    @kpinn.field
    def bending(self, stress):
        return stress[:, :1]

    @kpinn.condition
    def balance(self, jac_stress):
        return tensor_divergence(jac_stress)

    @kpinn.condition
    def clamped(self, x, y, v):
        return v - displacement(x, y)

    @kpinn.condition
    def free(self, stress, n):
        return 10 * traction(stress, n)

    @kpinn.condition
    def loaded(self, y, stress, n):
        shear = LOAD / (2 * INERTIA) * (HALF**2 - y**2)
        return 10 * (traction(stress, n) - ops.concatenate([0 * y, shear], axis=1))


beam = kpinn.domains.Box(x=(0, LENGTH), y=(-HALF, HALF))
count = 400 if quiet.SHORT else 2_000
points = {"balance": beam.sample(count, "sobol", seed=0)}
points["clamped"] = beam.face(x=LENGTH).sample(count // 10, "grid")
points["free"] = beam.boundary("y").sample(count // 4, seed=0)
points["loaded"] = beam.face(x=0).sample(count // 10, "grid")
network = kpinn.networks.RandomFeatures(count // 10, outputs=2, scale=[1.2, 3.0], seed=0)
pinn = Cantilever(network)
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"clamped": 10.0})
pinn.fit(points, epochs=10, verbose=0)

new = beam.sample(3_000, seed=1)
found = pinn.predict_fields(new, "v, bending")
print(f"relative L2 error: {relative(found['v'], displacement(new['x'], new['y'])):.1e}")
stress = -LOAD / INERTIA * new["x"] * new["y"]
print(f"relative L2 error of the bending stress: {relative(found['bending'], stress):.1e}")
kpinn.plotting.field(
    pinn, beam, "bending", lambda x, y: -LOAD / INERTIA * x * y, path="output/cantilever.png"
)
