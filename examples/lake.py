"""Water of a lake with an island: laplacian(u) = 4 u, levels on the shore, a flux at the island.

Shows: a polygon with a hole, its rings by name, normals, an area. The solution that is prescribed
is exp(1.2 x + 1.6 y), in kilometres.
Kind: elliptic.
Expected: relative L2 error below 2e-13, about 10 seconds on two CPU cores.

Run: python examples/lake.py [--short]
"""

import quiet
from exact import compare
from keras import ops

import kpinn

kpinn.set_float64()


def exact(x, y):
    return ops.exp(1.2 * x + 1.6 * y)


def equation(u, laplacian_u):
    return (laplacian_u - 4 * u) / 50


def shore(x, y, u):
    return u - exact(x, y)


def island(x, y, n, u_n):
    return u_n - exact(x, y) * (1.2 * n[:, :1] + 1.6 * n[:, 1:])


lake = kpinn.domains.Polygon(
    x=[-1.0, -0.5, 0.1, 0.6, 1.1, 1.0, 0.4, 0.0, -0.4, -0.9, -1.2],
    y=[-0.3, -0.7, -0.5, -0.8, -0.2, 0.5, 0.4, 0.8, 0.6, 0.7, 0.1],
    holes={"island": {"x": [-0.3, 0.1, 0.3, 0.0, -0.2], "y": [-0.1, -0.2, 0.1, 0.2, 0.1]}},
)
print(f"{lake.volume:.4f} square kilometres, shore {lake.boundary('outer').area:.3f} km")
parts = {"equation": lake, "shore": lake.boundary("outer"), "island": lake.boundary("island")}
points = {name: part.sample(2_000, seed=0) for name, part in parts.items()}
network = kpinn.networks.RandomFeatures(100 if quiet.SHORT else 500, seed=0)
pinn = kpinn.PINN(network, "x y", "u", [equation, shore, island])
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"shore": 10.0, "island": 10.0})
pinn.fit(points, epochs=10, verbose=0)
compare(pinn, lake, exact, "output/lake.png")
