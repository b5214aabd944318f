"""Nonlinear equations, in space, or in space and time."""

import exact_solutions
from keras import ops

import kpinn
from kpinn.domains import Box
from kpinn.layers import HardCondition, PeriodicEmbedding, Rescale
from kpinn.networks import MLP, SIREN

from .problem import PI, Evolution, Problem, bubble, computed_once


def nonlinear_poisson(units=20, depth=3, kind=SIREN):
    """lap u - exp(u) = f in the unit square, u = 1 + sin(4 pi x) cos(4 pi y) on its boundary."""
    box = Box(x=(0, 1), y=(0, 1))

    def equation(x, y, u, laplacian_u):
        waves = ops.sin(4 * PI * x) * ops.cos(4 * PI * y)
        source = -32 * PI**2 * waves - ops.exp(1 + waves)
        return (laplacian_u - ops.exp(u) - source) / (32 * PI**2)

    def walls(x):  # right on all four of them
        return 1 + ops.sin(4 * PI * x)

    def make():
        network = kind(units, depth, embedding=Rescale([1 / 4, 1 / 4], [3 / 4, 3 / 4]))
        network = HardCondition(network, "x y", walls, bubble)
        return kpinn.PINN(network, "x y", "u", [equation])

    return Problem(
        "nonlinear_poisson",
        box,
        make,
        points=lambda seed: box.sample(3000, "latin_hypercube", seed),
        target=1e-8,
        exact=lambda x, y: {"u": exact_solutions.nonlinear_poisson(x, y)},
        grid=box.sample(101**2, "grid"),
    )


def burgers(units=20, depth=4, kind=MLP, viscosity=0.01, target=1e-8, name="burgers"):
    """u_t + u u_x = nu u_xx, of period 2, u(0, x) = -sin(pi x).

    The start is odd in x, and the equation keeps it so: a sine times an even function.
    """
    box = Box(t=(0, 1), x=(0, 1))
    whole = Box(t=(0, 1), x=(-1, 1))

    def momentum(u, u_t, u_x, u_xx):
        return u_t + u * u_x - viscosity * u_xx

    def start(x):
        return -ops.sin(PI * x)

    def odd(x):
        return ops.sin(PI * x)

    def make():
        embedding = [Rescale([0, -1], [1, 1]), PeriodicEmbedding([None, 2.0], even=True)]
        network = kind(units, depth, embedding=embedding)
        network = HardCondition(network, "t x", start, lambda t, x: t * odd(x))
        return kpinn.PINN(network, "t x", "u", [momentum])

    return Problem(
        name,
        box,
        make,
        points=lambda seed: box.sample(3000, "latin_hypercube", seed),
        target=target,
        exact=computed_once(lambda t, x: {"u": exact_solutions.burgers(t, x, viscosity)}),
        grid=whole.sample({"t": 101, "x": 257}, "grid"),
        evolution=Evolution(momentum, start, 1.0, windows=60, period=2.0, distance=odd),
    )


def burgers_sharp(units=20, depth=4, kind=MLP):
    """Burgers' equation with nu = 0.01 / pi."""
    return burgers(units, depth, kind, 0.01 / PI, target=1e-6, name="burgers_sharp")


def allen_cahn(units=20, depth=3, kind=MLP):
    """u_t = 1e-4 u_xx + 5 u - 5 u^3, of period 2, u(0, x) = x^2 cos(pi x), which is even.

    Small errors grow like exp(5 t), so that early residuals count more. Errors are those where
    |x| < 0.95: at x = 1 the start has a kink, which is in the network for good.
    """
    box = Box(t=(0, 1), x=(0, 1))
    inner = Box(t=(0, 1), x=(-121 / 128, 121 / 128))  # multiples of 1 / 256: nodes of the solution

    def reaction(t, u, u_t, u_xx):
        return ops.exp(-2 * t) * (u_t - 1e-4 * u_xx - 5 * u + 5 * u**3) / 5

    def start(x):
        return x**2 * ops.cos(PI * x)

    def make():
        embedding = [Rescale([0, -1], [1, 1]), PeriodicEmbedding([None, 2.0], even=True)]
        network = kind(units, depth, embedding=embedding)
        network = HardCondition(network, "t x", start, distance=lambda t: t)
        return kpinn.PINN(network, "t x", "u", [reaction])

    return Problem(
        "allen_cahn",
        box,
        make,
        points=lambda seed: box.sample(3000, "latin_hypercube", seed),
        target=1e-5,
        exact=computed_once(lambda t, x: {"u": exact_solutions.allen_cahn(t, x)}),
        grid=inner.sample({"t": 41, "x": 485}, "grid"),
        evolution=Evolution(reaction, start, 5.0, windows=40, period=2.0),
    )


def two_solitons(units=20, depth=3, kind=MLP):
    """u_t + 6 u u_x + u_xxx = 0 for 0 < x < 20, 0 < t < 5; u(0, x), u(t, 0), u and u_x(t, 20)."""
    box = Box(t=(0, 5), x=(0, 20))

    def equation(u, u_t, u_x, u_xxx):
        return (u_t + 6 * u * u_x + u_xxx) / 10

    def start(u, given):
        return u - given

    def left(u, given):
        return u - given

    def right(u, u_x, given, slope):
        return ops.concatenate([u - given, u_x - slope], axis=1)

    def make():
        network = kind(units, depth, embedding=Rescale([1.25, 5], [3.75, 15]))
        return kpinn.PINN(network, "t x", "u", [equation, start, left, right])

    def at(face, seed):
        points = face.sample(256, "latin_hypercube", seed)
        place = points["t"], points["x"]
        points["given"] = exact_solutions.two_solitons(*place)
        return points | {"slope": exact_solutions.two_solitons_slope(*place)}

    def data(time, length):
        """Both ends in a window of time."""
        faces = {"left": box.face(x=0), "right": box.face(x=20)}
        faces = {name: face.sample(100, "grid") for name, face in faces.items()}
        for points in faces.values():
            points["t"] = points["t"] / 5 * length
            points["given"] = exact_solutions.two_solitons(time + points["t"], points["x"])
            slope = exact_solutions.two_solitons_slope(time + points["t"], points["x"])
            points["slope"] = slope
        return faces

    def points(seed):
        faces = {"start": box.face(t=0), "left": box.face(x=0), "right": box.face(x=20)}
        inside = {"equation": box.sample(4096, "latin_hypercube", seed)}
        return inside | {name: at(face, seed) for name, face in faces.items()}

    return Problem(
        "two_solitons",
        box,
        make,
        points,
        target=1e-4,
        exact=lambda t, x: {"u": exact_solutions.two_solitons(t, x)},
        grid=box.sample({"t": 101, "x": 201}, "grid"),
        loss_weights={"start": 10.0, "left": 10.0, "right": 10.0},
        evolution=Evolution(
            equation,
            lambda x: exact_solutions.two_solitons(0.0 * x, x),
            10.0,
            windows=100,
            walls=[left, right],
            data=data,
        ),
    )
