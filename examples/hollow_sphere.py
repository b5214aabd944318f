"""A hollow sphere under a pressure inside, by its radius and height: div(stress) = 0.

Displacements u along r and w along z in a half-plane. Lame's solution is a radial displacement A R
+ B / R^2.

Shows: elasticity in cylindrical coordinates, the axis as a condition of its own, a region that is
cut out of a ring, tractions along normals.
Kind: elliptic, solids.
Expected: relative L2 error below 5e-5, about 20 seconds on two CPU cores.

Run: python examples/hollow_sphere.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import relative
from keras import ops

import kpinn
from kpinn.domains import Ball, Box

kpinn.set_float64()
keras.utils.set_random_seed(0)
INNER, OUTER, LAME, SHEAR = 0.5, 1.0, 1.5, 1.0
CUBES = INNER**3 / (OUTER**3 - INNER**3)
STRETCH, PUSH = CUBES / (3 * LAME + 2 * SHEAR), CUBES * OUTER**3 / (4 * SHEAR)


def radial(r, z):
    """Displacements over r and over z."""
    return STRETCH + PUSH / (r**2 + z**2) ** 1.5


class Sphere(kpinn.PINN):
    coordinates, fields = "r z", "u w"

    @kpinn.condition
    def balance(self, r, u, u_r, u_z, u_rr, u_zz, u_rz, w_r, w_rr, w_zz, w_rz):
        turned = r * u_r - u
        dilated = r**2 * (u_rr + w_rz) + turned  # r^2 times the slopes of the dilatation
        along = (LAME + SHEAR) * dilated + SHEAR * (r**2 * (u_rr + u_zz) + turned)
        upwards = (LAME + SHEAR) * (r * (u_rz + w_zz) + u_z)
        return ops.concatenate([along, upwards + SHEAR * (r * (w_rr + w_zz) + w_r)], axis=1) / 10

    @kpinn.condition
    def walls(self, r, u, u_r, u_z, w_r, w_z, n, pressure):
        dilatation = r * (u_r + w_z) + u
        shear = SHEAR * r * (u_z + w_r)
        a, b = n[:, :1], n[:, 1:]
        along = (LAME * dilatation + 2 * SHEAR * r * u_r) * a + shear * b + r * pressure * a
        upwards = shear * a + (LAME * dilatation + 2 * SHEAR * r * w_z) * b + r * pressure * b
        return ops.concatenate([along, upwards], axis=1)

    @kpinn.condition
    def axis(self, u, w_r):
        return ops.concatenate([u, w_r], axis=1)

    @kpinn.condition
    def middle(self, w, u_z):
        return ops.concatenate([w, u_z], axis=1)


quarter = Box(r=(0, 2), z=(0, 2)) & Ball(r=0, z=0, radius=OUTER).named("outside")
quarter = quarter - Ball(r=0, z=0, radius=INNER).named("inside")
quarter = quarter.with_parts(axis=quarter.face(r=0), middle=quarter.face(z=0))
count = 500 if quiet.SHORT else 2_500
points = {"balance": quarter.sample(count, "sobol", seed=0)}
points["walls"] = quarter.boundary("inside", "outside").sample(count // 5, seed=0)
points["walls"]["pressure"] = (points["walls"]["r"] ** 2 + points["walls"]["z"] ** 2 < 0.5) * 1.0
for name in ("axis", "middle"):
    points[name] = quarter.boundary(name).sample(count // 10, seed=0)
pinn = Sphere(kpinn.networks.RandomFeatures(count // 5, outputs=2, scale=10.0, seed=0))
weights = {"walls": 10.0, "axis": 10.0, "middle": 10.0}
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights=weights)
pinn.fit(points, epochs=10, verbose=0)

new = quarter.sample(5_000, seed=1)
found, factor = pinn.predict_fields(new), radial(new["r"], new["z"])
both = np.concatenate([found["u"] - factor * new["r"], found["w"] - factor * new["z"]], axis=1)
expected = factor * np.hypot(new["r"], new["z"])
print(f"relative L2 error: {np.linalg.norm(both) / np.linalg.norm(expected):.1e}")
kpinn.plotting.field(
    pinn, quarter, "u", lambda r, z: radial(r, z) * r, path="output/hollow_sphere.png"
)
