"""A thin layer with a network of its own: laplacian(u) = 0 on a square.

u = exp(-30 x) cos(30 y) + x y by two networks, fast waves for x < 0.2 and slow ones beyond; the
values and the slopes of both agree where they meet.

Shows: a decomposition of the domain by two fields, each with its network and its points, that meet
in one condition (extended PINNs, Jagtap & Karniadakis 2020).
Kind: elliptic, networks.
Expected: relative L2 error below 1e-6, about 20 seconds on two CPU cores.

Run: python examples/domain_decomposition.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import keep, panels, relative
from keras import ops

import kpinn
from kpinn.domains import Box

kpinn.set_float64()
keras.utils.set_random_seed(0)
MEET, FAST = 0.2, 30.0


def exact(x, y):
    return ops.exp(-FAST * x) * ops.cos(FAST * y) + x * y


def layer(laplacian_u):
    return laplacian_u / FAST**2


def beyond(laplacian_w):
    return laplacian_w / 20


def meet(u, w, u_x, w_x):
    return ops.concatenate([u - w, (u_x - w_x) / FAST], axis=1)


def near_sides(x, y, u):
    return u - exact(x, y)


def far_sides(x, y, w):
    return w - exact(x, y)


left, right = Box(x=(0, MEET), y=(0, 1)), Box(x=(MEET, 1), y=(0, 1))
units = 100 if quiet.SHORT else 500
points = {"layer": left.sample(4 * units, "sobol", seed=0)}
points["beyond"] = right.sample(4 * units, "sobol", seed=0)
points["meet"] = left.face(x=MEET).sample(units // 2, "grid")
near, far = left.face(x=0) + left.boundary("y"), right.face(x=1) + right.boundary("y")
points["near_sides"], points["far_sides"] = (part.sample(units, seed=0) for part in (near, far))
fast, slow = (
    kpinn.networks.RandomFeatures(units, scale=scale, seed=seed)
    for seed, scale in enumerate(([60.0, 60.0], [15.0, 60.0]))
)
network = kpinn.networks.Fields({"u": fast, "w": slow}, coordinates="x y")
pinn = kpinn.PINN(network, "x y", "u w", [layer, beyond, meet, near_sides, far_sides])
weights = dict.fromkeys(("meet", "near_sides", "far_sides"), 10.0)
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights=weights)
pinn.fit(points, epochs=5, verbose=0)


def joined(x, y):
    found = pinn.predict_fields({"x": x, "y": y})
    return np.where(x < MEET, found["u"][:, 0], found["w"][:, 0])


new = Box(x=(0, 1), y=(0, 1)).sample(5_000, seed=1)
x, y = new["x"][:, 0], new["y"][:, 0]
print(f"relative L2 error: {relative(joined(x, y), np.asarray(exact(x, y))):.1e}")
x, y = np.meshgrid(np.linspace(0, 1, 201), np.linspace(0, 1, 151))
found = joined(x.ravel(), y.ravel()).reshape(x.shape)
figure, axes = panels("u and w", "exact", "|error|")
images = found, np.asarray(exact(x, y)), np.abs(found - np.asarray(exact(x, y)))
for each, values in zip(axes, images, strict=True):
    colours = "magma" if each is axes[2] else "RdBu_r"
    figure.colorbar(each.pcolormesh(x, y, values, cmap=colours, rasterized=True), ax=each)
    each.axvline(MEET, color="grey", linewidth=0.8)
    each.set(xlabel="x", ylabel="y")
keep(figure, "output/domain_decomposition.png")
