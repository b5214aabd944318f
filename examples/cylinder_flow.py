"""Steady flow past a cylinder in a channel at Re = 20, the benchmark 2D-1 of the DFG.

    u u_x + v u_y + p_x = 0.005 laplacian(u), the same for v, u_x + v_y = 0

in metres, units of the mean velocity and its square. Shows: a domain by difference with named
parts, fresh points that are dense near the body, weights for integrals over its surface.
Published: drag 5.57953523, lift 0.01061895, pressure difference 0.11752017; length of the wake
0.0842 to 0.0852 (Schaefer & Turek 1996, Nabh 1998). Expected: drag and pressure to about 0.2 %,
lift to about 0.003 (it is 1 / 500 of the drag), the wake in its range, in about 100 seconds on two
CPU cores; more epochs go on.

Run: python examples/cylinder_flow.py [--short]
"""

import sys

import quiet
import keras
import numpy as np
from keras import ops

import kpinn
from kpinn.domains import Ball, Box, concatenate

SHORT = "--short" in sys.argv
kpinn.set_float64()
keras.utils.set_random_seed(0)

flow = Box(x=(0, 2.2), y=(0, 0.41)) - Ball(x=0.2, y=0.2, radius=0.05).named("cylinder")
flow = flow.with_parts(inlet=flow.face(x=0), outlet=flow.face(x=2.2), walls=flow.boundary("y"))
near = flow & Ball(x=0.2, y=0.2, radius=0.15)


def momentum(u, v, u_x, u_y, v_x, v_y, p_x, p_y, laplacian_u, laplacian_v):
    x = u * u_x + v * u_y + p_x - 0.005 * laplacian_u
    y = u * v_x + v * v_y + p_y - 0.005 * laplacian_v
    return 0.1 * ops.concatenate([x, y, u_x + v_y], axis=1)


def outlet(p, u_n, v_n):
    return ops.concatenate([0.005 * u_n - p, 0.005 * v_n], axis=1)


def inlet(y, u, v):
    return ops.concatenate([u - 6 * y * (0.41 - y) / 0.41**2, v], axis=1)


def walls(u, v):
    return ops.concatenate([u, v], axis=1)


@keras.saving.register_keras_serializable()
def around(columns):
    """What the network sees: the place, and its mirror image in the cylinder."""
    x, y = columns[:, :1] - 0.2, columns[:, 1:] - 0.2
    square = 400 * (x**2 + y**2)
    seen = [x - 0.9, 5 * y, 20 * x / square, 20 * y / square, ops.log(square) / 4]
    return ops.concatenate(seen, axis=1)


def points(seed):
    inside = concatenate(flow.sample(COUNT, seed=seed), near.sample(COUNT, seed=seed))
    solid = [flow.boundary(name).sample(COUNT // 6, seed=seed) for name in ("walls", "cylinder")]
    ends = {
        name: flow.boundary(name).sample(COUNT // 12, seed=seed) for name in ("inlet", "outlet")
    }
    return {"momentum": inside, "walls": concatenate(*solid)} | ends


COUNT, EPOCHS = (300, 3) if SHORT else (1_200, 150)
network = kpinn.networks.MLP(units=20, depth=4, outputs=3, embedding=keras.layers.Lambda(around))
pinn = kpinn.PINN(network, "x y", "u v p", [momentum, inlet, outlet, walls])
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"inlet": 10.0, "walls": 10.0})
fresh = kpinn.callbacks.Resample(points, every=2)
pinn.fit(points(0), epochs=EPOCHS, verbose=0, callbacks=[fresh])

body = flow.boundary("cylinder").sample(1_000, "grid", extras="w")
f = pinn.predict_fields(body, "p, u_n, v_n")
drag = 20 * np.sum(body["w"] * (f["p"] * body["n"][:, :1] - 0.005 * f["u_n"]))
lift = 20 * np.sum(body["w"] * (f["p"] * body["n"][:, 1:] - 0.005 * f["v_n"]))
ends = pinn.predict_fields({"x": [0.15, 0.25], "y": [0.2, 0.2]})["p"]
x = np.linspace(0.26, 0.4, 10_000)
u = pinn.predict_fields({"x": x, "y": 0 * x + 0.2})["u"][:, 0]
print(f"drag {drag:.6f}, error {abs(drag / 5.57953523384 - 1):.1e}")
print(f"lift {lift:.6f}, error {abs(lift / 0.010618948146 - 1):.1e}")
fall = 0.04 * (ends[0, 0] - ends[1, 0])
print(f"pressure difference {fall:.6f}, error {abs(fall / 0.11752016697 - 1):.1e}")
print(f"wake {x[np.argmax(u > 0)] - 0.25:.5f}, published 0.0842 to 0.0852")
