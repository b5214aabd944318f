"""Where does the heat come from? The place, the power and the width of a source from 40 sensors.

-laplacian(u) = q exp(-r^2 / (2 s^2)) / (2 pi s^2), where r is the distance to (a, b), on a square
whose sides are measured too; the readings have noise of 0.1 % of their range.

Shows: an inverse problem with four unknowns in one condition, fields and unknowns at a time by
Levenberg-Marquardt.
Kind: inverse, elliptic.
Expected: distance to the source below 3e-3, about 20 seconds on two CPU cores.

Run: python examples/source_location.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import keep, panels
from keras import ops
from scipy.special import exp1

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
PLACE, POWER, WIDTH = (0.3, -0.4), 2.0, 0.15


class Source(kpinn.PINN):
    coordinates, fields = "x y", "u"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.unknown("a", 0.0)
        self.unknown("b", 0.0)
        self.unknown("q", 1.0)
        self.unknown("s", 0.3, positive=True)

    @kpinn.condition
    def heat(self, x, y, laplacian_u, a, b, q, s):
        square = (x - a) ** 2 + (y - b) ** 2
        return (laplacian_u + q * ops.exp(-square / (2 * s**2)) / (2 * np.pi * s**2)) / 20

    @kpinn.condition
    def sensors(self, u):
        return u


def temperature(x, y):
    """That of the source in the plane, without walls."""
    square = np.maximum((x - PLACE[0]) ** 2 + (y - PLACE[1]) ** 2, 1e-12)
    return -POWER / (4 * np.pi) * (np.log(square) + exp1(square / (2 * WIDTH**2)))


square = kpinn.domains.Box(x=(-1, 1), y=(-1, 1))
sides = square.boundary().sample(120, "grid")
sides.pop("n")  # sensors inside have no normals
read = kpinn.domains.concatenate(square.sample(40, "halton", seed=0), sides)
readings = temperature(read["x"], read["y"])
readings += 1e-3 * np.ptp(readings) * np.random.default_rng(0).normal(size=readings.shape)
points = {"heat": square.sample(400 if quiet.SHORT else 1_200, "sobol", seed=0), "sensors": read}
pinn = Source(kpinn.networks.RandomFeatures(100 if quiet.SHORT else 300, scale=12.0, seed=0))
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"sensors": 10.0})
pinn.fit((points, {"sensors": readings}), epochs=10 if quiet.SHORT else 60, verbose=0)

a, b, q, s = (float(pinn.unknowns[name]) for name in "abqs")
print(f"place ({a:.4f}, {b:.4f}), exact {PLACE}; power {q:.4f}, exact {POWER}")
print(f"width {s:.4f}, exact {WIDTH}")
print(f"distance to the source: {np.hypot(a - PLACE[0], b - PLACE[1]):.1e}")

figure, axes = panels("temperature found, and sensors", "exact", "|error|")
x, y = np.meshgrid(np.linspace(-1, 1, 121), np.linspace(-1, 1, 121))
found, exact = pinn.predict_fields({"x": x.ravel(), "y": y.ravel()})["u"], temperature(x, y)
found = found.reshape(x.shape)
for each, values in zip(axes, (found, exact, np.abs(found - exact)), strict=True):
    colours = "magma" if each is axes[2] else "inferno"
    figure.colorbar(each.pcolormesh(x, y, values, cmap=colours, rasterized=True), ax=each)
    each.set_aspect("equal")
axes[0].plot(read["x"], read["y"], "w.", markersize=3)
axes[0].plot(a, b, "c+", markersize=14)
keep(figure, "output/source_location.png")
