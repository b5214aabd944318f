"""Travel times of a wave from a point: v |grad T| = 1, the velocity v grows with the depth.

Shows: a kink at the source that is divided out. T is the distance over the velocity at the source
times a factor 1 + w, and the equation for the factor has no singularity. Random features start at
w = 0 and a few steps of Gauss and Newton are enough. In kilometres and seconds.
Kind: hyperbolic, waves.
Expected: relative L2 error below 1e-11, about 10 seconds on two CPU cores.

Run: python examples/eikonal.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import compare
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
X, Z, GRADIENT = 1.0, 0.5, 0.8


def velocity(z):
    return 2.0 + GRADIENT * z


class Eikonal(kpinn.PINN):
    coordinates, fields = "x z", "w"

    @kpinn.field
    def T(self, x, z, w):
        return ops.sqrt((x - X) ** 2 + (z - Z) ** 2) / velocity(Z) * (1 + w)

    @kpinn.condition
    def eikonal(self, x, z, w, w_x, w_z):
        a, b, factor = x - X, z - Z, 1 + w
        square = factor**2 + 2 * factor * (a * w_x + b * w_z)
        square += (a**2 + b**2) * (w_x**2 + w_z**2)
        return (velocity(z) / velocity(Z)) ** 2 * square - 1


def exact(x, z):
    square = GRADIENT**2 * ((x - X) ** 2 + (z - Z) ** 2) / (2 * velocity(Z) * velocity(z))
    return np.arccosh(1 + square) / GRADIENT


earth = kpinn.domains.Box(x=(0, 4), z=(0, 2))
pinn = Eikonal(kpinn.networks.RandomFeatures(100 if quiet.SHORT else 200, scale=2.5, seed=0))
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
pinn.fit(earth.sample(1_000, "sobol", seed=0), epochs=20, verbose=0)
compare(pinn, earth, exact, "output/eikonal.png", name="T")
