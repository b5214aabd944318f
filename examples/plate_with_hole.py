"""A plate with a circular hole under tension: the stress beside the hole is three times as large.

Linear elasticity in plane stress, Poisson's ratio 0.3, hole of radius 1, stress 1 along x far away;
a quarter of the plate, with the tractions of Kirsch's solution on the outer sides.

Shows: derived fields (stresses), tractions by normals, parts by face and by name.
Kind: solids.
Expected: relative L2 error of the stresses below 1e-5, error of the stress concentration below
1e-4, about 40 seconds on two CPU cores.

Run: python examples/plate_with_hole.py [--short]
"""

import quiet
from exact import kirsch
from keras import ops

import kpinn
from kpinn.domains import Ball, Box

kpinn.set_float64()


class Plate(kpinn.PINN):
    coordinates, fields = "x y", "u v"

    @kpinn.field(size=4)
    def stress(self, u_x, u_y, v_x, v_y):
        xx, yy, xy = (u_x + 0.3 * v_y) / 0.91, (v_y + 0.3 * u_x) / 0.91, (u_y + v_x) / 2.6
        return ops.concatenate([xx, xy, xy, yy], axis=1)

    @kpinn.condition
    def balance(self, stress_x, stress_y):
        return (stress_x[:, :2] + stress_y[:, 2:]) / 10

    @kpinn.condition
    def traction(self, stress, n, exact):
        wrong = stress - exact
        return wrong[:, :2] * n[:, :1] + wrong[:, 2:] * n[:, 1:]

    @kpinn.condition
    def symmetry(self, u, v, stress, n):
        return ops.concatenate([u * n[:, :1] + v * n[:, 1:], stress[:, 1:2]], axis=1)


plate = Box(x=(0, 3), y=(0, 3)) - Ball(x=0, y=0, radius=1).named("hole")
loaded = plate.boundary("hole") + plate.face(x=3) + plate.face(y=3)
points = {"balance": plate.sample(3_000, "sobol", seed=0), "traction": loaded.sample(3_000, seed=0)}
points["traction"]["exact"] = kirsch(points["traction"])
points["symmetry"] = (plate.face(x=0) + plate.face(y=0)).sample(600, seed=0)
pinn = Plate(kpinn.networks.RandomFeatures(75 if quiet.SHORT else 750, outputs=2, seed=0))
weights = {"traction": 10.0, "symmetry": 10.0}
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights=weights)
pinn.fit(points, epochs=10, verbose=0)

new = plate.sample(2_000, seed=1)
stress, exact = pinn.predict_fields(new, "stress")["stress"], kirsch(new)
print(f"relative L2 error of the stresses: {ops.norm(stress - exact) / ops.norm(exact):.1e}")
top = pinn.predict_fields({"x": [0.0], "y": [1.0]}, "stress")["stress"][0, 0]
print(f"{top:.9f} for 3, error of the stress concentration: {abs(top - 3):.1e}")
kpinn.plotting.field(pinn, plate, "u_x", path="output/plate_with_hole.png")
