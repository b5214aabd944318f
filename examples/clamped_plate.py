"""A clamped elliptic plate bends under a load: biharmonic(u) = 1, u = u_n = 0 on its edge.

Shows: derivatives of the fourth order by their name, normals of an ellipse. The solution is
(1 - x^2 / a^2 - y^2 / b^2)^2 over 24 / a^4 + 24 / b^4 + 16 / (a^2 b^2).
Kind: elliptic, solids.
Expected: relative L2 error below 1e-11, about 10 seconds on two CPU cores.

Run: python examples/clamped_plate.py [--short]
"""

import quiet
import keras
from exact import compare
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
A, B = 1.5, 1.0


def bending(biharmonic_u):
    return biharmonic_u / 10 - 0.1


def clamped(u, u_n):
    return ops.concatenate([10 * u, u_n], axis=1)


def exact(x, y):
    stiffness = 24 / A**4 + 24 / B**4 + 16 / (A**2 * B**2)
    return (1 - x**2 / A**2 - y**2 / B**2) ** 2 / stiffness


plate = kpinn.domains.Ellipsoid(x=0, y=0, radii=[A, B])
points = {"bending": plate.sample(1_500, "sobol", seed=0)}
points["clamped"] = plate.boundary().sample(400, seed=0)
network = kpinn.networks.RandomFeatures(80 if quiet.SHORT else 300, scale=4.0, seed=0)
pinn = kpinn.PINN(network, "x y", "u", [bending, clamped])
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
pinn.fit(points, epochs=10, verbose=0)
compare(pinn, plate, exact, "output/clamped_plate.png")
