"""Flow in a square cavity whose lid moves, Re = 100, beside the table of Ghia, Ghia and Shin.

    (v . grad) v + grad p = laplacian(v) / Re,  div v = 0

The lid's velocity jumps at both upper corners, where the pressure has no bound.

Shows: walls as conditions, points that are dense at the lid, a published table as the reference.
Kind: flow.
Expected: largest difference from the table below 1e-2, about a minute on two CPU cores.

References: U. Ghia, K. N. Ghia & C. T. Shin, High-Re solutions for incompressible flow using the
Navier-Stokes equations and a multigrid method, J. Comput. Phys. 48 (1982), 387-411, table I.
Run: python examples/cavity.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import keep, panels
from keras import ops

import kpinn
from kpinn.domains import Box, concatenate
from kpinn.operators import advection

kpinn.set_float64()
keras.utils.set_random_seed(0)
REYNOLDS = 100.0
Y = [0, 0.0547, 0.0625, 0.0703, 0.1016, 0.1719, 0.2813, 0.4531, 0.5, 0.6172, 0.7344, 0.8516]
Y += [0.9531, 0.9609, 0.9688, 0.9766, 1]
U = [0, -0.03717, -0.04192, -0.04775, -0.06434, -0.1015, -0.15662, -0.2109, -0.20581, -0.13641]
U += [0.00332, 0.23151, 0.68717, 0.73722, 0.78871, 0.84123, 1]


def flow(v, jac_v, grad_p, laplacian_v, div_v):
    momentum = advection(v, jac_v) + grad_p - laplacian_v / REYNOLDS
    return ops.concatenate([momentum, div_v], axis=1)


def walls(v, lid):
    return v - ops.concatenate([lid, 0 * lid], axis=1)


def level(p):
    return p


cavity = Box(x=(0, 1), y=(0, 1))
count = 200 if quiet.SHORT else 1_200
inside = cavity.sample(count, "sobol", seed=0)
near = Box(x=(0, 1), y=(0.8, 1)).sample(count // 3, "sobol", seed=1)
sides = cavity.boundary().sample(count // 3, seed=0)
points = {"flow": concatenate(inside, near)}
points["walls"] = sides | {"lid": (sides["y"] == 1.0) * 1.0}
points["level"] = {"x": [0.5], "y": [0.0]}
unit = kpinn.layers.Rescale(0.0, 1.0)
network = kpinn.networks.MLP(units=18, depth=3, outputs=3, embedding=unit)
pinn = kpinn.PINN(network, "x y", "v[2] p", [flow, walls, level])
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"walls": 10.0})
pinn.fit(points, epochs=3 if quiet.SHORT else 70, verbose=0)

found = pinn.predict_fields({"x": 0.5 + 0 * np.array(Y), "y": np.array(Y)})["v"][:, 0]
print(f"largest difference from the table: {np.abs(found - U).max():.1e}")
figure, (left, right) = panels("stream lines and speed", "u at x = 1/2")
line = np.linspace(0, 1, 101)
x, y = np.meshgrid(line, line)
v = pinn.predict_fields({"x": x.ravel(), "y": y.ravel()})["v"].reshape(101, 101, 2)
mesh = left.pcolormesh(x, y, np.linalg.norm(v, axis=2), rasterized=True)
figure.colorbar(mesh, ax=left)
left.streamplot(line, line, v[..., 0], v[..., 1], color="w", linewidth=0.7, arrowsize=0.7)
left.set(xlabel="x", ylabel="y", aspect="equal", xlim=(0, 1), ylim=(0, 1))
right.plot(pinn.predict_fields({"x": 0.5 + 0 * line, "y": line})["v"][:, 0], line, label="PINN")
right.plot(U, Y, "ko", markersize=4, label="Ghia, Ghia and Shin")
right.set(xlabel="u", ylabel="y")
right.legend()
keep(figure, "output/cavity.png")
