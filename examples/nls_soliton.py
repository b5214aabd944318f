"""A soliton of the nonlinear Schroedinger equation: i h_t + h_xx / 2 + |h|^2 h = 0.

h = u + i v = sech(x + 1 - c t) exp(i (c x + (1 - c^2) t / 2)), c = 1, on [-12, 12] until t = 2.

Shows: a complex field as two real ones, windows of time by `kpinn.march`, features that are fixed;
the norm of h, which the equation keeps, as a check.
Kind: dispersive, waves.
Expected: relative L2 error below 3e-4, about 20 seconds on two CPU cores.

Run: python examples/nls_soliton.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import maps, relative
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
SPEED, LENGTH, WINDOWS, END = 1.0, 0.25, 1 if quiet.SHORT else 8, 12.0


def soliton(t, x):
    phase = SPEED * x + (1 - SPEED**2) * t / 2
    height = 1 / ops.cosh(x + 1 - SPEED * t)
    return height * ops.cos(phase), height * ops.sin(phase)


def schroedinger(u, v, u_t, v_t, u_xx, v_xx):
    square = u**2 + v**2
    found = [-v_t + u_xx / 2 + square * u, u_t + v_xx / 2 + square * v]
    return LENGTH * ops.concatenate(found, axis=1)


def walls(u, v):
    return ops.concatenate([u, v], axis=1)


def sample(a, b):
    box = kpinn.domains.Box(t=(a, b), x=(-END, END))
    inside, sides = box.sample(1_000, "sobol", seed=0), box.boundary("x").sample(40, seed=0)
    return {"schroedinger": inside, "walls": sides}


start = {"u": lambda x: soliton(0.0, x)[0], "v": lambda x: soliton(0.0, x)[1]}
unit = kpinn.layers.Rescale([0.0, -END], [1.0, END])
network = kpinn.networks.RandomFeatures(280, outputs=2, scale=[1.0, 84.0], seed=0, embedding=unit)
windows = kpinn.layers.TimeWindows(network, "t x", start=start, fields="u v")
pinn = kpinn.PINN(windows, "t x", "u v", [schroedinger, walls])
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"walls": 10.0})
edges = LENGTH * np.arange(WINDOWS + 1)
history = kpinn.march(pinn, sample, edges, epochs=5, verbose=0)
print(f"largest loss of a window: {max(history.history['loss']):.1e}")

t, x = np.linspace(0, edges[-1], 81), np.linspace(-END, END, 201)
grid = [each.reshape(-1, 1) for each in np.meshgrid(t, x, indexing="ij")]
fields = pinn.predict_fields(dict(zip(("t", "x"), grid, strict=True)))
found = fields["u"] + 1j * fields["v"]
u, v = (np.asarray(part) for part in soliton(*grid))
exact = u + 1j * v
print(f"relative L2 error: {relative(found, exact):.1e}")
norms = np.sum(np.abs(found.reshape(81, 201)) ** 2, axis=1)
print(f"the norm changes by {np.ptp(norms) / norms[0]:.1e}")

images = {"size_of_h": np.abs(found), "real_part": found.real, "error": np.abs(found - exact)}
maps(t, x, "output/nls_soliton.png", **{k: v.reshape(81, 201) for k, v in images.items()})
