"""Poisson's equation in 100 dimensions, with an estimated Laplacian.

    -laplacian(u) = f for |x| < 1, u = 0 for |x| = 1

The exact solution is (1 - |x|^2) times a sum over pairs of neighbouring coordinates, as in Shi et
al., "Stochastic Taylor derivative estimator" (2024). The condition at the boundary is a factor of
the network. Each step takes 100 points and 16 random directions, so that 18 channels go through
the network in place of 102.

Shows: a hundred coordinates as one vector, an estimated Laplacian, a condition at the boundary as a
factor of the network.
Kind: elliptic.
Expected: relative L2 error below 8e-3, about 2 minutes on two CPU cores. `--short` takes 20 seconds
and gives no useful solution.

Run: python examples/poisson_100d.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import keep, panels

import kpinn

DIMENSION = 100
FACTORS = np.random.default_rng(0).normal(size=DIMENSION - 1)


def exact(x):
    """The solution and `f` at points `(n, 100)`."""
    a, b = x[:, :-1], x[:, 1:]
    g = a + np.cos(b) + b * np.cos(a)
    g_a, g_b = 1 - b * np.sin(a), np.cos(a) - np.sin(b)
    slope, curvature = np.cos(g), -np.sin(g)
    s = np.sin(g) @ FACTORS
    radial = (slope * (a * g_a + b * g_b)) @ FACTORS  # x . grad s
    laplacian = (slope * (-b * np.cos(a) - np.cos(b)) + curvature * (g_a**2 + g_b**2)) @ FACTORS
    inside = 1 - np.sum(x**2, axis=1)
    f = 2 * DIMENSION * s + 4 * radial - inside * laplacian
    return (inside * s)[:, None], f[:, None]


def points(count, seed):
    """Points of the unit ball, with radii uniform in (0, 1)."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(count, DIMENSION))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return directions * rng.uniform(size=(count, 1))


class Poisson(kpinn.PINN):
    coordinates = "x[100]"
    fields = "u"
    method = kpinn.Stochastic(directions=16)

    @kpinn.condition
    def equation(self, laplacian_u, f):
        return (laplacian_u + f) / (2 * DIMENSION)


def network():
    """A dense network times `1 - |x|^2`."""
    x = keras.Input((DIMENSION,))
    inside = 1 - keras.ops.sum(x**2, axis=1, keepdims=True)
    return keras.Model(x, inside * kpinn.networks.MLP(units=128, depth=4)(x))


keras.utils.set_random_seed(0)
x = points(1_000 if quiet.SHORT else 20_000, seed=1)
steps = 20 if quiet.SHORT else 10_000
rate = keras.optimizers.schedules.PolynomialDecay(1e-3, steps, 1e-6)

pinn = Poisson(network())
pinn.describe()
pinn.compile(keras.optimizers.Adam(rate))
pinn.fit(
    {"x": x, "f": exact(x)[1]}, batch_size=100, epochs=10, steps_per_epoch=steps // 10, verbose=2
)

x = points(10_000, seed=2)
u, error = exact(x)[0], pinn.predict_fields({"x": x})["u"] - exact(x)[0]
print(f"relative L2 error: {np.linalg.norm(error) / np.linalg.norm(u):.2e}")

figure, (axes,) = panels("10,000 new points of a ball in 100 dimensions")
axes.plot(u, u, "k--", linewidth=1)
axes.plot(u, u + error, ".", markersize=1)
axes.set(xlabel="exact u", ylabel="u by the network")
keep(figure, "output/poisson_100d.png")
