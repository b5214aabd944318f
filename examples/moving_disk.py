"""Heat around a disk that moves through a channel: u_t = laplacian(u), a flux on the disk.

Shows: a domain that moves in time, its parts at all times and its start. The solution that is
prescribed is exp(-5 t) sin(x + 2 y).
Kind: parabolic.
Expected: relative L2 error below 2e-9, about 10 seconds on two CPU cores.

Run: python examples/moving_disk.py [--short]
"""

import quiet
from exact import compare
from keras import ops

import kpinn
from kpinn.domains import Ball, Box

kpinn.set_float64()


def exact(t, x, y):
    return ops.exp(-5 * t) * ops.sin(x + 2 * y)


def heat(u_t, laplacian_u):
    return (u_t - laplacian_u) / 20


def given(t, x, y, u):
    return u - exact(t, x, y)


def disk(t, x, y, n, u_n):
    return u_n - ops.exp(-5 * t) * ops.cos(x + 2 * y) * (n[:, :1] + 2 * n[:, 1:])


time = Box(t=(0, 0.5))
body = (time * Ball(x=-0.5, y=0, radius=0.2)).named("disk")
body = body.moved(x=lambda t: 2 * t, y=lambda t: 0.1 * ops.sin(12 * t))
domain = time * Box(x=(-1, 1), y=(-0.5, 0.5)) - body
known = domain.face(t=0) + domain.boundary("x", "y")
parts = {"heat": (domain, 3_000), "given": (known, 1_500), "disk": (domain.boundary("disk"), 1_000)}
points = {name: part.sample(count, seed=0) for name, (part, count) in parts.items()}
network = kpinn.networks.RandomFeatures(125 if quiet.SHORT else 750, seed=0)
pinn = kpinn.PINN(network, "t x y", "u", [heat, given, disk])
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"given": 10.0, "disk": 10.0})
pinn.fit(points, epochs=10, verbose=0)
compare(pinn, domain, exact, "output/moving_disk.png", fixed={"t": 0.2})
