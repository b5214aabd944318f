"""Flows of incompressible fluids."""

import exact_solutions
import numpy as np
from exact_solutions import parabolic_lid, regularised_lid
from keras import ops

import kpinn
from kpinn.domains import Box
from kpinn.layers import HardCondition, Rescale
from kpinn.networks import MLP

from .problem import Problem, bubble, computed_once


def navier_stokes(reynolds):
    """The condition of steady flow in the plane: momentum in both directions, and continuity."""

    def flow(u, v, u_x, u_y, v_x, v_y, p_x, p_y, laplacian_u, laplacian_v):
        momentum_x = u * u_x + v * u_y + p_x - laplacian_u / reynolds
        momentum_y = u * v_x + v * v_y + p_y - laplacian_v / reynolds
        return ops.concatenate([momentum_x, momentum_y, u_x + v_y], axis=1)

    return flow


def kovasznay(units=20, depth=3, reynolds=20.0, kind=MLP):
    """Flow behind a grid in [-0.5, 1] x [-0.5, 1.5], with the velocity on the boundary."""
    box = Box(x=(-0.5, 1), y=(-0.5, 1.5))

    def walls(u, v, given):
        return ops.concatenate([u, v], axis=1) - given

    def make():
        network = kind(units, depth, outputs=3, embedding=Rescale([-0.25, 0], [0.75, 1]))
        return kpinn.PINN(network, "x y", "u v p", [navier_stokes(reynolds), walls])

    def points(seed):
        edge = box.boundary().sample(256, "latin_hypercube", seed)
        exact = exact_solutions.kovasznay(edge["x"], edge["y"], reynolds)
        edge["given"] = np.concatenate([exact["u"], exact["v"]], axis=1)
        return {"flow": box.sample(1024, "latin_hypercube", seed), "walls": edge}

    def exact(x, y):
        flow = exact_solutions.kovasznay(x, y, reynolds)
        return {"u": flow["u"], "v": flow["v"]}

    return Problem(
        "kovasznay",
        box,
        make,
        points,
        target=1e-7,
        exact=exact,
        grid=box.sample(101**2, "grid"),
        loss_weights={"walls": 10.0},
    )


LIDS = {"regularised": regularised_lid, "parabolic": parabolic_lid}


def cavity(
    units=20, depth=3, kind=MLP, reynolds=100.0, lid="regularised", target=1e-3, name="cavity"
):
    """Flow in the unit square under a lid at y = 1 of the speed 16 x^2 (1 - x)^2."""
    box = Box(x=(0, 1), y=(0, 1))
    count = 1500 if reynolds <= 100 else 3000

    def on_the_walls(x, y):
        return LIDS[lid](x) * y**2

    def make():
        network = kind(units, depth, outputs=3, embedding=Rescale([1 / 4, 1 / 4], [3 / 4, 3 / 4]))
        values, distances = {"u": on_the_walls}, {"u": bubble, "v": bubble}
        network = HardCondition(network, "x y", values, distances, fields="u v p")
        return kpinn.PINN(network, "x y", "u v p", [navier_stokes(reynolds)])

    return Problem(
        name,
        box,
        make,
        points=lambda seed: box.sample(count, "latin_hypercube", seed),
        target=target,
        exact=computed_once(lambda x, y: exact_solutions.cavity(x, y, reynolds, lid=lid)),
        grid=box.sample(101**2, "grid"),
    )


def cavity_400(units=24, depth=3, kind=MLP):
    """The same at the Reynolds number 400."""
    return cavity(units, depth, kind, 400.0, name="cavity_400")


def cavity_1000(units=24, depth=4, kind=MLP):
    """The same at the Reynolds number 1000."""
    return cavity(units, depth, kind, 1000.0, name="cavity_1000")


def cavity_parabolic(units=20, depth=3, kind=MLP):
    """The same at 100 under a lid of the speed 4 x (1 - x).

    Its slope does not vanish at the corners, where the vorticity has no limit and the pressure is
    infinite: what is smooth comes close to it slowly.
    """
    return cavity(units, depth, kind, 100.0, "parabolic", name="cavity_parabolic")


def beltrami(units=24, depth=3, reynolds=1.0, kind=MLP):
    """Unsteady flow in [-1, 1]^3 for 0 < t < 1, with the velocity at t = 0 and on the boundary.

    The pressure is determined up to a constant at each time, and is not compared.
    """
    box = Box(t=(0, 1), x=(-1, 1), y=(-1, 1), z=(-1, 1))

    def flow(v, v_t, jac_v, laplacian_v, grad_p, div_v):
        transport = ops.sum(jac_v * ops.expand_dims(v, 1), axis=2)
        momentum = v_t + transport + grad_p - laplacian_v / reynolds
        return ops.concatenate([momentum, div_v], axis=1)

    def start(v, given):
        return v - given

    def walls(v, given):
        return v - given

    def make():
        network = kind(units, depth, outputs=4, embedding=Rescale([0, -1, -1, -1], [1, 1, 1, 1]))
        return kpinn.PINN(network, "t x y z", "v[3] p", [flow, start, walls])

    def with_velocity(points):
        place = {name: points[name] for name in box.coordinates}
        return points | {"given": exact_solutions.beltrami(**place)["v"]}

    def points(seed):
        return {
            "flow": box.sample(1500, "latin_hypercube", seed),
            "start": with_velocity(box.face(t=0).sample(400, "latin_hypercube", seed)),
            "walls": with_velocity(box.boundary().sample(900, "latin_hypercube", seed)),
        }

    return Problem(
        "beltrami",
        box,
        make,
        points,
        target=1e-4,
        exact=lambda t, x, y, z: {"v": exact_solutions.beltrami(t, x, y, z, reynolds)["v"]},
        grid=box.sample(10_000, seed=12345),
        loss_weights={"start": 10.0, "walls": 10.0},
    )
