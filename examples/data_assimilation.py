"""What was there at the start? A cloud in a ring that drifts and spreads, seen by three sensors.

u_t + 2 u_x = 0.05 u_xx. Nothing is known of the start; each sensor reads u at 60 times until t = 2,
with noise of 1 %.

Shows: data at a few places in the role of a start, an equation with a period, one problem of least
squares.
Kind: inverse, parabolic.
Expected: relative L2 error below 2e-2, about 10 seconds on two CPU cores.

Run: python examples/data_assimilation.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import keep, panels, relative

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
SPEED, DIFFUSION = 2.0, 0.05
SENSORS = [0.5, 2.4, 4.6]


def cloud(t, x):
    """The start exp(2 cos(x)) by its Fourier series, each wave of which decays by itself."""
    start = np.exp(2 * np.cos(np.arange(64) * np.pi / 32))
    heights, waves = np.fft.rfft(start).real / 64, np.arange(33)
    heights[1:] *= 2
    phases = waves * (np.reshape(x, (-1, 1)) - SPEED * np.reshape(t, (-1, 1)))
    decay = np.exp(-DIFFUSION * waves**2 * np.reshape(t, (-1, 1)))
    return np.sum(heights * decay * np.cos(phases), axis=1, keepdims=True)


def transport(u_t, u_x, u_xx):
    return (u_t + SPEED * u_x - DIFFUSION * u_xx) / 5


def sensors(u, read):
    return u - read


box = kpinn.domains.Box(t=(0, 2), x=(0, 2 * np.pi))
times = np.linspace(0, 2, 60)
seen = {"t": np.tile(times, 3)[:, None], "x": np.repeat(SENSORS, 60)[:, None]}
exact = cloud(**seen)
noise = 0.01 * np.ptp(exact) * np.random.default_rng(0).normal(size=exact.shape)
points = {"transport": box.sample(400 if quiet.SHORT else 2_000, "sobol", seed=0)}
points["sensors"] = seen | {"read": exact + noise}
ring = kpinn.layers.PeriodicEmbedding([None, 2 * np.pi])
units = 60 if quiet.SHORT else 300
network = kpinn.networks.RandomFeatures(units, scale=[8.0, 3.0, 3.0], seed=0, embedding=ring)
pinn = kpinn.PINN(network, "t x", "u", [transport, sensors])
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
pinn.fit(points, epochs=10, verbose=0)

new = box.sample(5_000, seed=1)
print(f"relative L2 error: {relative(pinn.predict_fields(new)['u'], cloud(**new)):.1e}")
x = np.linspace(0, 2 * np.pi, 201)
figure, (left, right) = panels("the start and the end", "what the sensors read")
for t in (0.0, 2.0):
    (line,) = left.plot(x, pinn.predict_fields({"t": t + 0 * x, "x": x})["u"], label=f"t = {t:g}")
    left.plot(x, cloud(t + 0 * x, x), "k:")
left.legend()
left.set_xlabel("x")
for number, place in enumerate(SENSORS):
    rows = slice(60 * number, 60 * (number + 1))
    right.plot(times, points["sensors"]["read"][rows], ".", label=f"x = {place}")
    right.plot(times, exact[rows], "k-", linewidth=0.7)
right.legend()
right.set_xlabel("t")
keep(figure, "output/data_assimilation.png")
