"""Heat in a plate with two holes: u_t = laplacian(u), a flux through some edges, u on the others.

Shows: a polygon whose edges and holes have names, conditions on parts of its boundary at all times.
The solution that is prescribed is u = exp(-5 t) sin(x + 2 y) + exp(-2 t) cos(x - y).
Kind: parabolic.
Expected: relative L2 error below 1e-5, about 20 seconds on two CPU cores.

Run: python examples/heat_polygon.py [--short]
"""

import quiet
import keras
from exact import compare
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)


def exact(t, x, y):
    return ops.exp(-5 * t) * ops.sin(x + 2 * y) + ops.exp(-2 * t) * ops.cos(x - y)


def flux(t, x, y, n):
    a, b = ops.exp(-5 * t) * ops.cos(x + 2 * y), ops.exp(-2 * t) * ops.sin(x - y)
    return (a - b) * n[:, :1] + (2 * a + b) * n[:, 1:]


def heat(u_t, laplacian_u):
    return (u_t - laplacian_u) / 10


def given(t, x, y, u):
    return u - exact(t, x, y)


def through(t, x, y, n, u_n):
    return u_n - flux(t, x, y, n)


plate = kpinn.domains.Polygon(
    x=[-1.0, 1.0, 1.0, 0.4, 0.4, -1.0],
    y=[-1.0, -1.0, 0.2, 0.2, 1.0, 1.0],
    edges={"floor": 0, "walls": [1, 4, 5], "step": [2, 3]},
    holes={
        "window": {"x": [-0.7, -0.2, -0.2, -0.7], "y": [0.2, 0.2, 0.6, 0.6]},
        "wedge": {"x": [0.0, 0.6, 0.6], "y": [-0.5, -0.7, -0.3]},
    },
)
domain = kpinn.domains.Box(t=(0, 0.5)) * plate
parts = {
    "heat": domain,
    "given": domain.face(t=0) + domain.boundary("floor", "window"),
    "through": domain.boundary("walls", "step", "wedge"),
}
count = 600 if quiet.SHORT else 3_000
points = {
    name: part.sample(count // (1 + (name != "heat")), seed=0) for name, part in parts.items()
}
network = kpinn.networks.RandomFeatures(count // 5, scale=[6.0, 5.0, 5.0], seed=0)
pinn = kpinn.PINN(network, "t x y", "u", [heat, given, through])
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"given": 10.0, "through": 10.0})
pinn.fit(points, epochs=10, verbose=0)
compare(pinn, domain, exact, "output/heat_polygon.png", fixed={"t": 0.2})
