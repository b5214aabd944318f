"""Steady flow past a cylinder in a channel at Re = 20, the benchmark 2D-1 of the DFG.

    (v . grad) v + grad p = 0.005 laplacian v, div v = 0

in metres, units of the mean velocity and its square.

Shows: a difference with named parts, velocities on the inlet and on solid walls that hold by the
form of the network, fresh points that are dense near the body, quadrature over its surface.
Published: drag 5.57953523, lift 0.01061895, pressure difference 0.11752017, length of the wake
0.0842 to 0.0852 (Schaefer & Turek 1996, Nabh 1998).
Kind: flow.
Expected: error of the drag below 0.2 %, error of the pressure difference below 0.2 %, error of the
lift below 0.001, about 2 minutes on two CPU cores.

Run: python examples/cylinder_flow.py [--short]
"""

import quiet
import keras
import numpy as np
from keras import ops

import kpinn
from kpinn.domains import Ball, Box, concatenate

kpinn.set_float64()
keras.utils.set_random_seed(0)

flow = Box(x=(0, 2.2), y=(0, 0.41)) - Ball(x=0.2, y=0.2, radius=0.05).named("cylinder")
flow = flow.with_parts(inlet=flow.face(x=0), outlet=flow.face(x=2.2))
near = flow & Ball(x=0.2, y=0.2, radius=0.15)
count, epochs = (100, 2) if quiet.SHORT else (1_200, 150)


def momentum(v, jac_v, grad_p, laplacian_v, div_v):
    along = ops.sum(jac_v * v[:, None, :], axis=2)
    return 0.1 * ops.concatenate([along + grad_p - 0.005 * laplacian_v, div_v], axis=1)


def outlet(n, p, v_n):
    return 0.005 * v_n - p * n


def profile(y):
    return ops.concatenate([6 * y * (0.41 - y) / 0.41**2, 0 * y], axis=1)


@keras.saving.register_keras_serializable()
def around(columns):
    """What the network sees: the place, and its mirror image in the cylinder."""
    x, y = columns[:, :1] - 0.2, columns[:, 1:] - 0.2
    square = 400 * (x**2 + y**2)
    seen = [x - 0.9, 5 * y, 20 * x / square, 20 * y / square, ops.log(square) / 4]
    return ops.concatenate(seen, axis=1)


def points(seed):
    inside = concatenate(flow.sample(count, seed=seed), near.sample(count, seed=seed))
    return {"momentum": inside, "outlet": flow.boundary("outlet").sample(count // 12, seed=seed)}


network = kpinn.networks.MLP(units=20, depth=4, outputs=3, embedding=keras.layers.Lambda(around))
hard = {"inlet": {"v": profile}, "y": {"v": profile}, "cylinder": {"v": 0.0}}  # zero on the walls y
network = kpinn.layers.HardBoundary(network, flow, hard, "x y", "v[2] p")
pinn = kpinn.PINN(network, "x y", "v[2] p", [momentum, outlet])
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
fresh = kpinn.callbacks.Resample(points, every=2)
pinn.fit(points(0), epochs=epochs, verbose=0, callbacks=[fresh])

body, weights = flow.boundary("cylinder").quadrature(1_000)
f = pinn.predict_fields(body, "p, v_n")
drag, lift = 20 * np.sum(weights * (f["p"] * body["n"] - 0.005 * f["v_n"]), axis=0)
front, back = pinn.predict_fields({"x": [0.15, 0.25], "y": [0.2, 0.2]})["p"][:, 0]
wake = Box(x=(0.26, 0.4)).sample(10_000, "grid") | {"y": np.full(10_000, 0.2)}
print(f"drag {drag:.6f}, error of the drag: {abs(drag / 5.57953523 - 1):.2%}")
print(f"lift {lift:.6f}, error of the lift: {abs(lift - 0.01061895):.1e}")
fall = 0.04 * (front - back)
print(f"fall {fall:.6f}, error of the pressure difference: {abs(fall / 0.11752017 - 1):.2%}")
turn = wake["x"][np.argmax(pinn.predict_fields(wake)["v"][:, 0] > 0), 0]
print(f"wake {turn - 0.25:.5f}, published 0.0842 to 0.0852")
kpinn.plotting.field(pinn, near, "p", path="output/cylinder_flow.png")
