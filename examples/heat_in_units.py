"""Heat in a steel rod in SI units: rho c u_t = k u_xx, an hour, half a metre, 293 K at both ends.

Shows: a network that is scaled to the ranges of coordinates and fields, weights by the sizes of
residuals (watts per cubic metre beside kelvins), derivatives in the units of the user.
Kind: parabolic.
Expected: largest error below 1e-5 K, largest error of the heat flux below 0.004 W/m^2, about half a
minute. These are of 80 K and of 22,600 W/m^2; the solution is 293.15 + 80 exp(-a (pi / L)^2 t)
sin(pi x / L) with a = k / (rho c).

Run: python examples/heat_in_units.py [--short]
"""

import quiet
import keras
import numpy as np
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
CONDUCTIVITY, CAPACITY = 45.0, 3.6e6  # W / (m K), J / (m^3 K)
LENGTH, COLD, WARMER = 0.5, 293.15, 80.0  # m, K, K


def heat(u_t, u_xx):
    return CAPACITY * u_t - CONDUCTIVITY * u_xx


def start(x, u):
    return u - COLD - WARMER * ops.sin(np.pi * x / LENGTH)


def ends(u):
    return u - COLD


rod = kpinn.domains.Box(t=(0, 3600), x=(0, LENGTH))
network = kpinn.networks.MLP(units=16, depth=2)
network = kpinn.layers.Scaled(network, rod, fields={"u": (COLD, COLD + WARMER)})
pinn = kpinn.PINN(network, "t x", "u", conditions=[heat, start, ends])
points = {"heat": rod.sample(500, "sobol", seed=0), "start": rod.face(t=0).sample(50, seed=0)}
points["ends"] = rod.boundary("x").sample(60, seed=0)
weights = kpinn.loss_weights(pinn, points)
print("weights:", ", ".join(f"{name} {weight:.1e}" for name, weight in weights.items()))
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights=weights)
pinn.fit(points, epochs=5 if quiet.SHORT else 50, verbose=0)


def falling(t):
    return WARMER * np.exp(-CONDUCTIVITY / CAPACITY * (np.pi / LENGTH) ** 2 * t)


def exact(t, x):
    return COLD + falling(t) * np.sin(np.pi * x / LENGTH)


new = rod.sample(2_000, seed=1)
error = pinn.predict_fields(new)["u"] - exact(**new)
print(f"largest error: {abs(error).max():.1e} K")
wall = pinn.predict_fields(new | {"x": 0.0 * new["x"]}, "u_x")["u_x"]
error = CONDUCTIVITY * (wall - falling(new["t"]) * np.pi / LENGTH)
print(f"largest error of the heat flux: {abs(error).max():.1e} W/m^2")
kpinn.plotting.field(pinn, rod, "u", exact, path="output/heat_in_units.png")
