"""Inverse problems: coefficients and fields from samples of a solution."""

import exact_solutions
import numpy as np
from keras import ops

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


def inverse_field(units=20, depth=3):
    """div(k grad u) = f in the unit square: k at each place from f and 1,000 samples of u."""
    box = Box(x=(0, 1), y=(0, 1))

    def equation(k, grad_k, grad_u, laplacian_u, f):
        flux = k * laplacian_u + ops.sum(grad_k * grad_u, axis=1, keepdims=True)
        return (flux - f) / (2 * PI**2)

    def samples(u):
        return u

    def make():
        embedding = Rescale([1 / 4, 1 / 4], [3 / 4, 3 / 4])
        network = MLP(units, depth, outputs=2, embedding=embedding)
        return kpinn.PINN(network, "x y", "u k", [equation, samples])

    def inside(seed):
        places = box.sample(2000, "latin_hypercube", seed)
        return {"equation": places | {"f": exact_solutions.inverse_field_source(**places)}}

    def points(seed):
        places = box.sample(1000, seed=seed)
        return inside(seed) | {"samples": places}, {
            "samples": exact_solutions.inverse_field(**places)["u"]
        }

    return Problem(
        "inverse_field",
        box,
        make,
        points,
        target=1e-4,
        exact=lambda x, y: {"k": exact_solutions.inverse_field(x, y)["k"]},
        grid=box.sample(101**2, "grid"),
        loss_weights={"samples": 10.0},
        fresh=inside,
    )
