"""A plate with a circular hole under tension: the stress beside the hole is three times as large.

Linear elasticity in plane stress, Poisson's ratio 0.3, hole of radius 1, stress 1 along x far away;
a quarter of the plate, with the tractions of Kirsch's solution on the outer sides.
Shows: derived fields (stresses) and tractions by normals; parts by face and by name. Expected:
stress concentration 3 to about 1e-4, stresses to 1e-5, in about 40 seconds on two CPU cores.

Run: python examples/plate_with_hole.py [--short]
"""

import sys

import quiet
import keras
import numpy as np
from keras import ops

import kpinn
from kpinn.domains import Ball, Box

SHORT = "--short" in sys.argv
kpinn.set_float64()
keras.utils.set_random_seed(0)


def kirsch(x, y, xp=ops):
    s, angle = 1 / (x**2 + y**2), xp.arctan2(y, x)
    two, four = 2 * angle, 4 * angle
    xx = 1 - s * (1.5 * xp.cos(two) + xp.cos(four)) + 1.5 * s**2 * xp.cos(four)
    yy = -s * (0.5 * xp.cos(two) - xp.cos(four)) - 1.5 * s**2 * xp.cos(four)
    return xx, yy, -s * (0.5 * xp.sin(two) + xp.sin(four)) + 1.5 * s**2 * xp.sin(four)


class Plate(kpinn.PINN):
    coordinates, fields = "x y", "u v"

    @kpinn.field(size=3)
    def stress(self, u_x, u_y, v_x, v_y):
        xx, yy = (u_x + 0.3 * v_y) / 0.91, (v_y + 0.3 * u_x) / 0.91
        return ops.concatenate([xx, yy, (u_y + v_x) / 2.6], axis=1)

    @kpinn.condition
    def balance(self, stress_x, stress_y):
        forces = [stress_x[:, :1] + stress_y[:, 2:], stress_x[:, 2:] + stress_y[:, 1:2]]
        return ops.concatenate(forces, axis=1) / 10

    @kpinn.condition
    def traction(self, stress, n, x, y):
        xx, yy, xy = (stress[:, i : i + 1] - exact for i, exact in enumerate(kirsch(x, y)))
        forces = [xx * n[:, :1] + xy * n[:, 1:], xy * n[:, :1] + yy * n[:, 1:]]
        return ops.concatenate(forces, axis=1)

    @kpinn.condition
    def left(self, u, stress):
        return ops.concatenate([u, stress[:, 2:]], axis=1)

    @kpinn.condition
    def bottom(self, v, stress):
        return ops.concatenate([v, stress[:, 2:]], axis=1)


plate = Box(x=(0, 3), y=(0, 3)) - Ball(x=0, y=0, radius=1).named("hole")
loaded = plate.boundary("hole") + plate.face(x=3) + plate.face(y=3)
count = 300 if SHORT else 3_000
points = {"balance": plate.sample(count, "sobol", seed=0), "traction": loaded.sample(count, seed=0)}
points |= {"left": plate.face(x=0).sample(300), "bottom": plate.face(y=0).sample(300)}
pinn = Plate(kpinn.networks.RandomFeatures(count // 4, outputs=2))
weights = dict.fromkeys(("traction", "left", "bottom"), 10.0)
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights=weights)
pinn.fit(points, epochs=10, verbose=0)

new = plate.sample(2_000, seed=1)
stress = pinn.predict_fields(new, "stress")["stress"]
exact = np.concatenate(kirsch(new["x"], new["y"], np), axis=1)
error = np.linalg.norm(stress - exact) / np.linalg.norm(exact)
print(f"relative L2 error of the stresses: {error:.1e}")
top = pinn.predict_fields({"x": [0.0], "y": [1.0]}, "stress")["stress"][0, 0]
print(f"stress concentration: {top:.9f}, exact 3")
