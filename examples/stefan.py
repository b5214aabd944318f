"""Stefan's problem: ice at 0 melts from a wall at 1, and the front s(t) moves as u_x says.

Shows: an unknown boundary as a field of a second network, which sees the time only. With the place
z = x / s(t) in (0, 1) the water fills a box. With q = s^2, which has no second sign, the equations
are q u_t - z q' u_z / 2 = u_zz, and q' = -2 u_z at z = 1. The solution is s = 2 c sqrt(t), u = 1 -
erf(c z) / erf(c), with sqrt(pi) c exp(c^2) erf(c) = 1.
Kind: parabolic, inverse.
Expected: largest error of u below 1e-9, largest error of s below 1e-9, about 30 seconds on two
CPU cores.

Run: python examples/stefan.py [--short]
"""

import quiet
import keras
import numpy as np
import scipy.optimize
import scipy.special
from exact import keep, panels
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
erf = scipy.special.erf
C = scipy.optimize.brentq(lambda c: np.sqrt(np.pi) * c * np.exp(c**2) * erf(c) - 1, 0.1, 2)


class Stefan(kpinn.PINN):
    coordinates, fields = "t z", "u q"

    @kpinn.condition
    def heat(self, z, u_t, u_z, u_zz, q, q_t):
        return q * u_t - z * q_t * u_z / 2.0 - u_zz

    @kpinn.condition
    def front(self, u_z, q_t):
        return q_t + 2.0 * u_z

    @kpinn.condition
    def ends(self, z, u):
        return u - (1.0 - z)

    @kpinn.condition
    def start(self, u, q, u0, s0):
        return ops.concatenate([u - u0, q - s0**2], axis=1)


def exact(points):
    """The temperature and the front."""
    return 1 - erf(C * points["z"]) / erf(C), 2 * C * np.sqrt(points["t"])


box = kpinn.domains.Box(t=(0.1, 1), z=(0, 1))
start = box.face(t=0.1).sample(50, "grid")
u0, s0 = exact(start)
points = {
    "heat": box.sample(300 if quiet.SHORT else 1_000, "sobol", seed=0),
    "front": box.face(z=1).sample(100, "grid"),
    "ends": box.boundary("z").sample(200, "grid"),
    "start": start | {"u0": u0, "s0": s0},
}
networks = {"u": kpinn.networks.MLP(16, 2), "q": (kpinn.networks.MLP(8, 2), "t")}
pinn = Stefan(kpinn.networks.Fields(networks, coordinates="t z"))
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
pinn.fit(points, epochs=10 if quiet.SHORT else 200, verbose=0)

new = box.sample(2_000, seed=1)
found = pinn.predict_fields(new)
for name, value, true in zip("us", (found["u"], np.sqrt(found["q"])), exact(new), strict=True):
    print(f"largest error of {name}: {np.abs(value - true).max():.1e}")

grid = box.sample({"t": 91, "z": 91}, "grid")
values = grid | pinn.predict_fields(grid)
t, z, u, q = (values[name].reshape(91, 91) for name in "tzuq")
s = np.sqrt(q)
figure, (axes,) = panels("water beside melting ice")
figure.colorbar(axes.pcolormesh(t, s * z, u, cmap="inferno", rasterized=True), label="temperature")
axes.plot(t[:, 0], s[:, 0], "k", label="front")
axes.set(xlabel="t", ylabel="x")
axes.legend(loc="upper left")
keep(figure, "output/stefan.png")
