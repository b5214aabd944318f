"""The nonlinear Schroedinger equation i h_t + h_xx / 2 + |h|^2 h = 0: a soliton that moves.

Shows: a complex field h = u + i v as a pair of real ones, the residual as two columns. The solution
is sech(x - t / 2) exp(i (x / 2 + 3 t / 8)).
Kind: dispersive, waves.
Expected: relative L2 error below 2e-6, about a minute on two CPU cores.

Run: python examples/schroedinger.py [--short]
"""

import quiet
import keras
import numpy as np
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)


class Schroedinger(kpinn.PINN):
    coordinates, fields = "t x", "u v"

    @kpinn.condition
    def equation(self, u, v, u_t, v_t, u_xx, v_xx):
        square = u**2 + v**2
        real, imaginary = u_xx / 2 - v_t + square * u, v_xx / 2 + u_t + square * v
        return ops.concatenate([real, imaginary], axis=1)

    @kpinn.condition
    def values(self, u, v, h):
        return ops.concatenate([u, v], axis=1) - h


def wave(t, x):
    return np.exp(1j * (x / 2 + 3 * t / 8)) / np.cosh(x - t / 2)


def soliton(points):
    """The real and the imaginary part, `(n, 2)`."""
    h = wave(points["t"], points["x"])
    return np.hstack([h.real, h.imag])


box = kpinn.domains.Box(t=(0, 1), x=(-5, 5))
start, walls = box.face(t=0).sample(100, "grid"), box.boundary("x").sample(100, "grid")
del walls["n"]
known = kpinn.domains.concatenate(start, walls)
points = {
    "equation": box.sample(400 if quiet.SHORT else 2_000, "sobol", seed=0),
    "values": known | {"h": soliton(known)},
}
unit = kpinn.layers.Rescale([0.0, -5.0], [1.0, 5.0])
pinn = Schroedinger(kpinn.networks.MLP(24, 3, outputs=2, embedding=unit))
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"values": 10.0})
pinn.fit(points, epochs=5 if quiet.SHORT else 150, verbose=0)

new = box.sample(4_000, seed=1)
found = np.hstack(list(pinn.predict_fields(new).values()))
print(f"relative L2 error: {np.linalg.norm(found - soliton(new)) / np.linalg.norm(found):.1e}")
path = "output/schroedinger.png"
kpinn.plotting.field(pinn, box, "u", lambda t, x: wave(t, x).real, path=path)
