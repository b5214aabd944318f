"""Conservation laws with shocks, compared with their entropy solutions.

A derivative says nothing at a jump: a residual at points cannot tell the speed of a shock, nor
which of several weak solutions is the right one.
"""

import exact_solutions

import kpinn
from kpinn.domains import Box
from kpinn.layers import Rescale
from kpinn.networks import MLP

from .problem import Problem


def buckley_leverett(units=20, depth=4, viscosity=0.0, name="buckley_leverett"):
    """u_t + f(u)_x = 0, f = u^2 / (u^2 + (1 - u)^2): water displaces oil, u is its saturation.

    As it stands, without what chooses the shock.
    """
    box = Box(t=(0, 0.5), x=(0, 1))

    def transport(u, u_t, u_x, u_xx):
        speed = 2 * u * (1 - u) / (u**2 + (1 - u) ** 2) ** 2
        return u_t + speed * u_x - viscosity * u_xx

    def start(u):
        return u

    def left(u):
        return u - 1

    def make():
        network = MLP(units, depth, embedding=Rescale([0, 0], [0.5, 1]))
        return kpinn.PINN(network, "t x", "u", [transport, start, left])

    def points(seed):
        return {
            "transport": box.sample(3000, "latin_hypercube", seed),
            "start": box.face(t=0).sample(200, "latin_hypercube", seed),
            "left": box.face(x=0).sample(200, "latin_hypercube", seed),
        }

    return Problem(
        name,
        box,
        make,
        points,
        target=5e-2,
        exact=lambda t, x: {"u": exact_solutions.buckley_leverett(t, x)},
        grid=box.sample({"t": 51, "x": 401}, "grid"),
        loss_weights={"start": 10.0, "left": 10.0},
    )


def buckley_leverett_viscous(units=20, depth=4):
    """The same with the term 0.0025 u_xx, whose solution is near the entropy solution."""
    return buckley_leverett(units, depth, 2.5e-3, "buckley_leverett_viscous")
