"""A soap film between two rings: least area, the integral of sqrt(1 + u_x^2 + u_y^2).

The film between a ring of the radius 3 and one of the radius 1.2 below it is a piece of a catenoid,
u = arcosh(r).

Shows: a functional as the loss (`kpinn.losses.Mean`), rings that hold by the form of the network,
the nodes and weights of a quadrature, the value of the functional itself.
Kind: variational, elliptic.
Expected: relative L2 error below 3e-4, about 15 seconds on two CPU cores.

Run: python examples/soap_film.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import compare
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
INNER, OUTER = 1.2, 3.0


def area(grad_u):
    return ops.sqrt(1 + ops.sum(grad_u**2, axis=1, keepdims=True))


def exact(x, y):
    return np.arccosh(np.hypot(x, y))


def exact_area(r):
    return np.pi * (r * np.sqrt(r**2 - 1) + np.arccosh(r))


ring = kpinn.domains.Ring(x=0, y=0, inner=INNER, outer=OUTER)
held = {"inner": np.arccosh(INNER), "outer": np.arccosh(OUTER)}
network = kpinn.networks.MLP(units=12, depth=2, embedding=kpinn.layers.Rescale(-OUTER, OUTER))
network = kpinn.layers.HardBoundary(network, ring, held, "x y")
pinn = kpinn.PINN(network, "x y", "u", [area])
pinn.compile(kpinn.optimizers.SSBroyden(), loss={"area": kpinn.losses.Mean()})
nodes, weights = ring.quadrature(400 if quiet.SHORT else 3_000)
share = weights / weights.mean()
pinn.fit((nodes, np.zeros_like(share), share), epochs=20 if quiet.SHORT else 400, verbose=0)
found = np.sum(weights * pinn.residuals({"area": nodes})["area"])
print(f"area {found:.6f}, that of the catenoid {exact_area(OUTER) - exact_area(INNER):.6f}")
compare(pinn, ring, exact, "output/soap_film.png")
