"""Inverse problems: coefficients and fields from samples of a solution."""

import exact_solutions
import numpy as np

import kpinn
from kpinn.domains import Box
from kpinn.layers import Rescale
from kpinn.networks import MLP

from .problem import PI, Problem, computed_once


class InverseBurgers(kpinn.PINN):
    """u_t + c u u_x = nu u_xx with unknown c and nu, and samples of u."""

    coordinates = "t x"
    fields = "u"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.unknown("c", initial=0.5)
        self.unknown("nu", initial=0.01, positive=True)

    @kpinn.condition
    def momentum(self, u, u_t, u_x, u_xx, c, nu):
        return u_t + c * u * u_x - nu * u_xx

    @kpinn.condition
    def samples(self, u):
        return u


def inverse_burgers(units=20, depth=3, noise=0.0, target=5e-4, name="inverse_burgers"):
    """The coefficients of Burgers' equation from 2,000 samples of its solution."""
    box = Box(t=(0, 1), x=(-1, 1))
    unknowns = {"c": 1.0, "nu": 0.01 / PI}

    def make():
        return InverseBurgers(MLP(units, depth, embedding=Rescale([0, -0.5], [1, 0.5])))

    def points(seed):
        places = box.sample(2000, seed=seed)
        u = exact_solutions.burgers(places["t"], places["x"], unknowns["nu"])
        u = u + noise * u.std() * np.random.default_rng(seed).normal(size=u.shape)
        return inside(seed) | {"samples": places}, {"samples": u}

    def inside(seed):
        return {"momentum": box.sample(3000, "latin_hypercube", seed)}

    return Problem(
        name,
        box,
        make,
        points,
        target=target,
        exact=computed_once(lambda t, x: {"u": exact_solutions.burgers(t, x, unknowns["nu"])}),
        grid=box.sample({"t": 51, "x": 101}, "grid"),
        unknowns=unknowns,
        loss_weights={"samples": 10.0},
        fresh=inside,
    )


def inverse_burgers_noise(units=20, depth=3):
    """The same with noise of 1 % of the standard deviation of u."""
    return inverse_burgers(units, depth, 0.01, 5e-3, "inverse_burgers_noise")
