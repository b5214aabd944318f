"""A soliton runs into another: u_t + 6 u u_x + u_xxx = 0, in windows of time.

On [-10, 10], t in [0, 1.2]; start and walls are those of two solitons with the speeds 4 and 1.

Shows: random features for an equation that is not linear. A step of Gauss and Newton from zeros
finds nothing in the whole time; in a short window the fields are near those at its begin, and a few
steps are enough. What a window ends with is the start of the next one. One model, compiled once.
Kind: dispersive, waves.
Expected: largest error below 1e-3, about half a minute on two CPU cores. The solitons are 2 high.

Run: python examples/kdv_windows.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import keep, panels

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
LENGTH, WINDOWS, UNITS = 0.1, 2 if quiet.SHORT else 12, 100 if quiet.SHORT else 400


def solitons(t, x):
    """u = 2 (log F)_xx with F = 1 + a + b + a b / 9, and u_x (Hirota 1971)."""
    a, b = np.exp(x - t + 2.0), np.exp(2.0 * x - 8.0 * t + 12.0)
    f = 1.0 + a + b + a * b / 9.0
    p, q, r = ((a + 2.0**k * b + 3.0**k * a * b / 9.0) / f for k in (1, 2, 3))
    return 2.0 * (q - p**2), 2.0 * (r - 3.0 * p * q + 2.0 * p**3)


def kdv(u, u_t, u_x, u_xxx):
    return u_t + 6.0 * u * u_x + u_xxx


def start(u, given):
    return u - given


def walls(u, given):
    return u - given


def right(u_x, given):
    return u_x - given


window = kpinn.domains.Box(t=(0, LENGTH), x=(-10, 10))
inside = window.sample(3 * UNITS, "sobol", seed=0)
x = window.face(t=0).sample(UNITS, "latin_hypercube", seed=0)["x"]
t = np.linspace(0.0, LENGTH, 10)[:, None]
sides = {"t": np.concatenate([t, t]), "x": np.repeat([[-10.0], [10.0]], 10, axis=0)}

unit = kpinn.layers.Rescale([0.0, -10.0], [LENGTH, 10.0])
network = kpinn.networks.RandomFeatures(UNITS, scale=[3.0, 80.0], seed=0, embedding=unit)
pinn = kpinn.PINN(network, "t x", "u", conditions=[kdv, start, walls, right])
weights = {"kdv": LENGTH**2, "start": 100.0, "walls": 100.0}
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights=weights)

now = solitons(0.0, x)[0]
order, times, shown = np.argsort(x[:, 0]), [0.0], [now]
for number in range(WINDOWS):
    begin = number * LENGTH
    points = {
        "kdv": inside,
        "start": {"t": 0.0 * x, "x": x, "given": now},
        "walls": sides | {"given": solitons(begin + sides["t"], sides["x"])[0]},
        "right": {"t": t, "x": 10.0 + 0.0 * t, "given": solitons(begin + t, 10.0)[1]},
    }
    pinn.fit(points, epochs=6, verbose=0)
    now = pinn.predict_fields({"t": LENGTH + 0.0 * x, "x": x})["u"]
    times.append(begin + LENGTH)
    shown.append(now)
    if (number + 1) % (WINDOWS // 2) == 0:
        error = np.abs(now - solitons(begin + LENGTH, x)[0]).max()
        print(f"t = {begin + LENGTH:.1f}: highest {now.max():.2f}, largest error: {error:.1e}")

figure, axes = panels(*[""] * 4)
for each, index in zip(axes, np.linspace(0, WINDOWS, 4).astype(int), strict=True):
    each.plot(x[order], shown[index][order], label="found")
    each.plot(x[order], solitons(times[index], x[order])[0], "k--", linewidth=1, label="exact")
    each.set(xlabel="x", title=f"t = {times[index]:.1f}")
axes[0].legend()
keep(figure, "output/kdv_windows.png")
