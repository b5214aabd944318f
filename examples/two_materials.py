"""Two plates of different materials, of which the right one conducts ten times as well.

Shows: two fields of two networks that meet on an interface, where the temperature is continuous and
the flux k u_x is the same on both sides. The solution is sin(2 y) (cosh(2 x) + sinh(2 x) / k).
Kind: elliptic.
Expected: relative L2 error of u below 2e-11, relative L2 error of v below 2e-11, about half a
minute on two CPU cores.

Run: python examples/two_materials.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import keep, panels

import kpinn

K = 10.0
kpinn.set_float64()
keras.utils.set_random_seed(0)


def exact(points, k):
    x, y = points["x"], points["y"]
    return np.sin(2 * y) * (np.cosh(2 * x) + np.sinh(2 * x) / k)


class Conduction(kpinn.PINN):
    coordinates, fields = "x y", "u v"  # on the left, on the right

    @kpinn.condition
    def left(self, laplacian_u):
        return laplacian_u / 10.0

    @kpinn.condition
    def right(self, laplacian_v):
        return laplacian_v / 10.0

    @kpinn.condition
    def left_walls(self, u, known):
        return u - known

    @kpinn.condition
    def right_walls(self, v, known):
        return v - known

    @kpinn.condition
    def continuous(self, u, v):
        return u - v

    @kpinn.condition
    def flux(self, u_x, v_x):
        return u_x - K * v_x


def walls(box, x, k):
    """Points of the walls of a box but for the interface, with the temperature."""
    points = box.boundary("y").sample(n // 4, "grid"), box.face(x=x).sample(n // 8, "grid")
    points = kpinn.domains.concatenate(*({"x": each["x"], "y": each["y"]} for each in points))
    return points | {"known": exact(points, k)}


n = 200 if quiet.SHORT else 1_000
one, other = (kpinn.domains.Box(x=x, y=(-1, 1)) for x in ((-1, 0), (0, 1)))
interface = one.face(x=0).sample(n // 4, "grid")
points = {
    "left": one.sample(n, seed=0),
    "right": other.sample(n, seed=0),
    "left_walls": walls(one, -1, 1.0),
    "right_walls": walls(other, 1, K),
    "continuous": interface,
    "flux": interface,
}
networks = {name: kpinn.networks.RandomFeatures(n // 4) for name in ("u", "v")}
pinn = Conduction(kpinn.networks.Fields(networks, coordinates="x y"))
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
pinn.fit(points, epochs=10, verbose=0)

figure, (axes,) = panels("two plates, of which the right one conducts ten times as well")
for name, box, k in (("u", one, 1.0), ("v", other, K)):
    new = box.sample(2_000, seed=1)
    error = pinn.predict_fields(new)[name] - exact(new, k)
    print(
        f"relative L2 error of {name}: {np.linalg.norm(error) / np.linalg.norm(exact(new, k)):.1e}"
    )
    grid = box.sample({"x": 61, "y": 61}, "grid")
    columns = grid["x"], grid["y"], pinn.predict_fields(grid)[name]
    drawn = axes.pcolormesh(
        *(each.reshape(61, 61) for each in columns), vmin=-5, vmax=5, cmap="RdBu_r"
    )
figure.colorbar(drawn, label="temperature")
axes.axvline(0.0, color="k")
axes.set(xlabel="x", ylabel="y")
keep(figure, "output/two_materials.png")
