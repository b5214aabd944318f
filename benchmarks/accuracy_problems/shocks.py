"""Conservation laws with shocks, compared with their entropy solutions.

A derivative says nothing at a jump: residuals at points tell neither the speed of a shock nor which
of several weak solutions is the right one. A network makes its jump steeper than points are close.
"""

import exact_solutions

import kpinn
from kpinn.domains import Box
from kpinn.layers import Rescale
from kpinn.networks import MLP

from .problem import Problem

BOX = Box(t=(0, 0.5), x=(0, 1))


def buckley_leverett(units=20, depth=4, viscosity=0.0, name="buckley_leverett"):
    """u_t + f(u)_x = 0, f = u^2 / (u^2 + (1 - u)^2): water displaces oil, u is its saturation.

    As it stands, a PINN converges to a wrong solution: its fan goes on beyond the right shock, down
    to a jump somewhere else, and more volume is in the domain than flowed in.
    """

    def transport(u, u_t, u_x, u_xx):
        speed = 2 * u * (1 - u) / (u**2 + (1 - u) ** 2) ** 2
        return u_t + speed * u_x - viscosity * u_xx

    def start(u):
        return u

    def left(u):
        return u - 1

    return _problem(name, (units, depth), "u", [transport, start, left])


def buckley_leverett_viscous(units=20, depth=4):
    """The same with the term 0.01 u_xx, wide enough to be seen by the points.

    The shock is at its place, and smeared.
    """
    return buckley_leverett(units, depth, 0.01, "buckley_leverett_viscous")


def buckley_leverett_potential(units=20, depth=4, viscosity=2.5e-3):
    """The same with u = w_x: w_t + f(w_x) = viscosity w_xx, w(0, x) = 0, w(t, 0) = -t.

    At a shock w has a kink, but no jump, which keeps the volume and so the speed of the shock.
    Little viscosity chooses the right one among those that do.
    """

    def transport(w_t, w_x, w_xx):
        return w_t + w_x**2 / (w_x**2 + (1 - w_x) ** 2) - viscosity * w_xx

    def start(w):
        return w

    def left(t, w):
        return w + t

    return _problem("buckley_leverett_potential", (units, depth), "w", [transport, start, left])


def _problem(name, size, field, conditions):
    def make():
        network = MLP(*size, embedding=Rescale([0, 0], [0.5, 1]))
        return kpinn.PINN(network, "t x", field, conditions)

    def points(seed):
        return {
            "transport": BOX.sample(3000, "latin_hypercube", seed),
            "start": BOX.face(t=0).sample(200, "latin_hypercube", seed),
            "left": BOX.face(x=0).sample(200, "latin_hypercube", seed),
        }

    compared = "u" if field == "u" else f"{field}_x"
    return Problem(
        name,
        BOX,
        make,
        points,
        target=1e-1,
        exact=lambda t, x: {compared: exact_solutions.buckley_leverett(t, x)},
        grid=BOX.sample({"t": 51, "x": 401}, "grid"),
        loss_weights={"start": 10.0, "left": 10.0},
    )
