"""Hares and lynxes: x' = 1.1 x - 0.4 x y, y' = 0.1 x y - 0.4 y from (10, 5), until t = 40.

Shows: a system of ordinary differential equations by `kpinn.march`, window after window, beside
scipy's solve_ivp; a quantity that the equations keep, which training never sees, as a check.
Kind: ODE.
Expected: relative L2 error below 1e-11, about 15 seconds on two CPU cores.

Run: python examples/lotka_volterra.py [--short]
"""

import quiet
import keras
import numpy as np
import scipy.integrate
from exact import keep, panels, relative
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
WINDOWS = 3 if quiet.SHORT else 40


def prey_and_predators(x, y, x_t, y_t):
    return ops.concatenate([x_t - 1.1 * x + 0.4 * x * y, y_t - 0.1 * x * y + 0.4 * y], axis=1)


def sample(a, b):
    return {"t": (a + b) / 2 + (b - a) / 2 * np.cos(np.pi * (np.arange(60) + 0.5) / 60)}


unit = kpinn.layers.Rescale(0.0, 1.0)
network = kpinn.networks.RandomFeatures(40, outputs=2, scale=4.0, seed=0, embedding=unit)
windows = kpinn.layers.TimeWindows(network, "t", start={"x": 10.0, "y": 5.0}, fields="x y")
pinn = kpinn.PINN(windows, "t", "x y", [prey_and_predators])
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
edges = np.arange(WINDOWS + 1.0)
kpinn.march(pinn, sample, edges, epochs=10, verbose=0)


def right(t, z):
    return [1.1 * z[0] - 0.4 * z[0] * z[1], 0.1 * z[0] * z[1] - 0.4 * z[1]]


t = np.linspace(0.0, edges[-1], 1_201)
fields = pinn.predict_fields({"t": t})
found = np.concatenate([fields["x"], fields["y"]], axis=1)
options = {"t_eval": t, "rtol": 1e-13, "atol": 1e-13}
exact = scipy.integrate.solve_ivp(right, (0.0, t[-1]), [10.0, 5.0], "DOP853", **options).y.T
print(f"relative L2 error: {relative(found, exact):.1e}")
x, y = found.T
kept = 0.1 * x - 0.4 * np.log(x) + 0.4 * y - 1.1 * np.log(y)
print(f"what the equations keep changes by {np.ptp(kept):.1e}")

figure, (left, middle, last) = panels("populations", "cycle", "error")
left.plot(t, x, label="hares")
left.plot(t, y, label="lynxes")
left.plot(t, exact, "k:", linewidth=1)
left.legend()
left.set_xlabel("t")
middle.plot(x, y)
middle.set(xlabel="hares", ylabel="lynxes")
last.semilogy(t[1:], np.abs(found - exact)[1:])
last.set_xlabel("t")
keep(figure, "output/lotka_volterra.png")
