"""Torsion of a square bar: u_xx + u_yy = -1, u = 0 at the walls, by a network with its symmetries.

Shows: a network that is the mean over the eight symmetries of the square, whose hidden layers have
the same weights, so that points in an eighth of the square are enough. The solution is a series.
Kind: networks, elliptic, solids.
Expected: largest error below 1e-4, about 30 seconds on two CPU cores. It is at the corners.

Run: python examples/symmetric_network.py [--short]
"""

import quiet
import keras
import numpy as np
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)


class Symmetric(keras.layers.Layer):
    """The mean of a network over turns and reflections, with one hidden layer thrice."""

    def __init__(self, units):
        super().__init__()
        self.first, self.hidden = (keras.layers.Dense(units, "tanh") for _ in range(2))
        self.last = keras.layers.Dense(1)

    def build(self, shape):
        self.first.build(shape)
        for layer in (self.hidden, self.last):
            layer.build((None, self.first.units))

    def call(self, points):
        x, y = points[:, :1], points[:, 1:]
        turned = [(x, y), (-x, y), (x, -y), (-x, -y)]
        images = turned + [(b, a) for a, b in turned]
        found = [self.last(self._deep(ops.concatenate(image, axis=1))) for image in images]
        return sum(found) / len(found)

    def _deep(self, h):
        h = self.first(h)
        for _ in range(3):
            h = self.hidden(h)
        return h


def torsion(laplacian_u):
    return laplacian_u + 1.0


def exact(x, y, terms=40):
    """Timoshenko & Goodier, Theory of Elasticity, section 109."""
    u = (1 - x**2) / 2
    for k in np.pi / 2 * np.arange(1, 2 * terms, 2):
        factor = 2 * np.sin(k) / k**3 / (1 + np.exp(-2 * k))
        u -= factor * np.cos(k * x) * (np.exp(k * (y - 1)) + np.exp(-k * (y + 1)))
    return u


eighth = kpinn.domains.Polygon(x=[0, 1, 1], y=[0, 0, 1])
network = kpinn.layers.HardCondition(
    Symmetric(16), "x y", distance=lambda x, y: (1 - x**2) * (1 - y**2)
)
pinn = kpinn.PINN(network, "x y", "u", conditions=[torsion])
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
pinn.fit(
    eighth.sample(100 if quiet.SHORT else 400, seed=0), epochs=5 if quiet.SHORT else 150, verbose=0
)

square = kpinn.domains.Box(x=(-1, 1), y=(-1, 1))
new = square.sample(2_000, seed=1)
error = pinn.predict_fields(new)["u"] - exact(new["x"], new["y"])
print(f"largest error: {np.abs(error).max():.1e}")
kpinn.plotting.field(pinn, square, "u", exact, path="output/symmetric_network.png")
