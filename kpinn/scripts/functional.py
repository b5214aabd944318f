"""A functional that is least (Deep Ritz): the integral of |grad u|^2 / 2 - f u over a disk.

u is 0 on the edge. The integral is a quadrature whose weights come with the points;
`kpinn.losses.Mean` makes it the loss.
"""

import keras
import numpy as np

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)


def exact(x, y):
    """The solution for f = 1; YOURS: leave it out, with the last lines."""
    return (1.0 - x**2 - y**2) / 4.0


class Membrane(kpinn.PINN):
    coordinates, fields = "x y", "u"

    @kpinn.condition(over="set")
    def energy(self, u, u_x, u_y, w):
        return keras.ops.sum(w * ((u_x**2 + u_y**2) / 2.0 - 1.0 * u))  # YOURS


disk = kpinn.domains.Ball(x=0, y=0, radius=1)  # YOURS
points, w = disk.quadrature(1_000)
network = kpinn.layers.HardCondition(
    kpinn.networks.MLP(16, 2),
    "x y",
    distance=lambda x, y: 1.0 - x**2 - y**2,  # YOURS: zero on the edge
)
pinn = Membrane(network)
pinn.compile(kpinn.optimizers.SSBroyden(), loss={"energy": kpinn.losses.Mean()})
pinn.fit(points | {"w": w}, epochs=300, verbose=0)
print(f"energy: {pinn.result.loss:.8f}")

new = disk.sample(2_000, seed=1)
error, u = pinn.predict_fields(new)["u"] - exact(**new), exact(**new)
print(f"relative L2 error: {np.linalg.norm(error) / np.linalg.norm(u):.1e}")
kpinn.plotting.field(pinn, disk, "u", exact, path="functional.png")
