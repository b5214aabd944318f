"""Robertson's stiff reactions: a -> c slowly, b + b -> b + c fast, b + c -> a + c, until 1e5 s.

a + b + c = 1 from a = 1, with the rates 0.04, 3e7 and 1e4 per second. The field b is 1e4 times the
concentration.

Shows: the logarithm of the time as the coordinate, with windows of half a unit by `kpinn.march`;
each equation divided by its fastest rate, and the slow one written without terms that cancel.
Kind: ODE.
Expected: largest error over the range of a field below 1e-11, about 20 seconds on two CPU cores.

Run: python examples/robertson.py [--short]
"""

import quiet
import keras
import numpy as np
import scipy.integrate
from exact import keep, panels
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
BEGIN, END = 1e-6, 1e-4 if quiet.SHORT else 1e5
START = {"a": 1.0 - 0.04 * BEGIN, "b": 400.0 * BEGIN, "c": 16_000.0 * BEGIN**3}


def reactions(t, a, b, c, b_t, c_t):
    time = ops.exp(t)
    fast = b_t - time * (400 * a - 1e4 * b * c - 3e3 * b**2)
    slow = c_t - 0.3 * time * b**2
    return ops.concatenate([fast / (1 + 3e3 * time), slow, a + 1e-4 * b + c - 1], axis=1)


def sample(begin, end):
    nodes = np.cos(np.pi * (np.arange(40) + 0.5) / 40)
    return {"t": (begin + end) / 2 + (end - begin) / 2 * nodes}


unit = kpinn.layers.Rescale(0.0, 1.0)
network = kpinn.networks.RandomFeatures(25, outputs=3, scale=2.0, seed=0, embedding=unit)
windows = kpinn.layers.TimeWindows(network, "t", start=START, fields="a b c")
pinn = kpinn.PINN(windows, "t", "a b c", [reactions])
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
edges = np.linspace(np.log(BEGIN), np.log(END), round(2 * np.log(END / BEGIN)))
kpinn.march(pinn, sample, edges, epochs=12, verbose=0)


def right(t, y):
    a, b, c = y
    fast = 400 * a - 1e4 * b * c - 3e3 * b**2
    return [b * c - 0.04 * a, fast, 0.3 * b**2]


time = np.geomspace(BEGIN, END, 400)
options = {"t_eval": time, "rtol": 1e-11, "atol": 1e-16}
exact = scipy.integrate.solve_ivp(right, time[[0, -1]], list(START.values()), "Radau", **options).y
found = pinn.predict_fields({"t": np.clip(np.log(time), edges[0], edges[-1])})
found = np.stack([found[name][:, 0] for name in "abc"])
errors = np.abs(found - exact) / exact.max(axis=1, keepdims=True)
print(f"largest error over the range of a field: {errors.max():.1e}")

figure, (left, right_axes) = panels("concentrations (b times 1e4)", "error over the range")
for name, curve, reference, error in zip("abc", found, exact, errors, strict=True):
    left.semilogx(time, curve, linewidth=2.5, label=name)
    left.semilogx(time, reference, "k:", linewidth=1)
    right_axes.loglog(time, np.maximum(error, 1e-17), label=name)
for axes in (left, right_axes):
    axes.set_xlabel("seconds")
    axes.legend()
keep(figure, "output/robertson.png")
