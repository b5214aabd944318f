"""Heat in a ring: u_t = laplacian(u) + f, held at zero inside, insulated outside, known at t = 0.

Shows: conditions on the parts of a domain that hold by the form of the network, so that the
equation is the only one to train.
Kind: parabolic.
Expected: largest error below 3e-4, largest flux outside below 1e-14, about a minute. The solution
is exp(-t) (log(r) - (r^2 - 1) / 8).

Run: python examples/heat_hard_boundary.py [--short]
"""

import quiet
import keras
from keras import ops

import kpinn
from kpinn.domains import Ball, Box
from kpinn.layers import HardBoundary, HardCondition, Neumann

kpinn.set_float64()
keras.utils.set_random_seed(0)


def start(x, y):
    return 0.5 * ops.log(x**2 + y**2) - (x**2 + y**2 - 1.0) / 8


def exact(t, x, y):
    return (ops.exp(-t) * start(x, y)).numpy()


def heat(t, x, y, u_t, laplacian_u):
    return u_t - laplacian_u - ops.exp(-t) * (0.5 - start(x, y))


ring = Ball(x=0, y=0, radius=2).named("outside") - Ball(x=0, y=0, radius=1).named("inside")
network = kpinn.networks.MLP(units=16, depth=2)
network = HardBoundary(network, ring, {"inside": 0.0, "outside": Neumann()}, "t x y")
network = HardCondition(network, "t x y", value=start, distance=lambda t: t)  # start fits the walls
pinn = kpinn.PINN(network, "t x y", "u", conditions=[heat])
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
always = Box(t=(0, 1)) * ring
pinn.fit(always.sample(1000, "halton", seed=0), epochs=2 if quiet.SHORT else 60, verbose=0)

new = always.sample(5_000, seed=1)
print(f"largest error: {abs(pinn.predict_fields(new)['u'] - exact(**new)).max():.1e}")
wall = always.boundary("outside").sample(1_000, seed=2)
print(f"largest flux outside: {abs(pinn.predict_fields(wall, 'u_n')['u_n']).max():.1e}")
path = "output/heat_hard_boundary.png"
kpinn.plotting.field(pinn, always, "u", exact, fixed={"t": 0.5}, path=path)
