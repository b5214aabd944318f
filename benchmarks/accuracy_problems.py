"""The ladder of accuracy problems: each is one function that returns a `Problem`.

The solution of a problem stands in `exact` alone, which measures the error after training.
Conditions, networks and points are made of what the problem states. What can hold by the form of
the network does; equations are divided by the size of their largest term.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping

import exact_solutions
import numpy as np
from exact_solutions import regularised_lid
from keras import ops

import kpinn
from kpinn.domains import Box
from kpinn.layers import HardCondition, PeriodicEmbedding, Rescale
from kpinn.networks import MLP, SIREN

PI = math.pi


@dataclasses.dataclass(frozen=True)
class Problem:
    """A problem, what it is trained on and what it is compared with.

    Attributes:
        name: its name.
        box: its domain.
        make: makes the `kpinn.PINN`, a new one with each call.
        points: from a seed to what `fit` takes.
        target: the error to reach.
        exact: from coordinates, by name, to a dict of the fields that are compared, `(n, 1)`.
        grid: coordinates `(n, 1)`, by name, at which they are; the domain and its reflection.
        unknowns: of an inverse problem the exact values, which are compared instead.
        loss_weights: by condition.
        fresh: from a seed to new points during the training, of some conditions; by default
            `points`.
    """

    name: str
    box: Box
    make: Callable
    points: Callable
    target: float
    exact: Callable
    grid: Mapping
    unknowns: Mapping | None = None
    loss_weights: Mapping | None = None
    fresh: Callable | None = None

    def fresh_points(self, seed):
        """New points, drawn with other seeds than the first ones."""
        return (self.fresh or self.points)(1_000_000 + seed)

    def candidates(self, seed, count=5):
        """Several times as many new points, to choose from."""
        draws = [self.fresh_points(count * seed + i) for i in range(count)]
        return merged(draws)

    def error(self, pinn):
        """The relative L2 error of the fields, or the largest relative error of the unknowns."""
        if self.unknowns:
            found = {name: float(variable.numpy()) for name, variable in pinn.unknowns.items()}
            return max(abs(found[name] / exact - 1) for name, exact in self.unknowns.items())
        exact = self.exact(**self.grid)
        found = pinn.predict_fields(self.grid, ", ".join(exact))
        squares = sum(np.sum((found[name] - exact[name]) ** 2) for name in exact)
        return math.sqrt(squares / sum(np.sum(values**2) for values in exact.values()))


def merged(draws):
    """Arrays, or dicts of arrays, one behind the other."""
    if isinstance(draws[0], dict):
        return {name: merged([draw[name] for draw in draws]) for name in draws[0]}
    return np.concatenate(draws)


def computed_once(exact):
    """The same function, which keeps its last result: the grid is always the same."""
    kept = {}

    def function(**coordinates):
        if not all(kept.get(name) is array for name, array in coordinates.items()):
            kept.update(coordinates, result=exact(**coordinates))
        return kept["result"]

    return function


def bubble(x, y):
    """Zero on the boundary of the unit square."""
    return 16 * x * (1 - x) * y * (1 - y)


# Linear ------------------------------------------------------------------------------------


def poisson_1d(units=16, depth=2, kind=MLP):
    """-u'' = pi^2 sin(pi x) on [-1, 1], u(-1) = u(1) = 0."""
    box = Box(x=(-1, 1))

    def equation(x, u_xx):
        return u_xx / PI**2 + ops.sin(PI * x)

    def make():
        network = HardCondition(kind(units, depth), "x", distance=lambda x: 1 - x**2)
        return kpinn.PINN(network, "x", "u", [equation])

    return Problem(
        "poisson_1d",
        box,
        make,
        points=lambda seed: box.sample(200, "latin_hypercube", seed),
        target=1e-10,
        exact=lambda x: {"u": exact_solutions.poisson_1d(x)},
        grid=box.sample(2001, "grid"),
    )


def damped_oscillator(units=24, depth=2, damping=2.0, frequency=20.0, kind=MLP):
    """u'' + 2 d u' + w0^2 u = 0 on [0, 1], u(0) = 1, u'(0) = 0."""
    box = Box(t=(0, 1))

    def equation(u, u_t, u_tt):
        return (u_tt + 2 * damping * u_t) / frequency**2 + u

    def from_rest(t):  # like t^2 at first, then about 1
        return 1 - 1 / (1 + (frequency * t) ** 2)

    def make():
        network = kind(units, depth, embedding=Rescale([1 / 4], [3 / 4]))
        network = HardCondition(network, "t", value=1.0, distance=from_rest)
        return kpinn.PINN(network, "t", "u", [equation])

    return Problem(
        "damped_oscillator",
        box,
        make,
        points=lambda seed: box.sample(400, "latin_hypercube", seed),
        target=1e-8,
        exact=lambda t: {"u": exact_solutions.damped_oscillator(t, damping, frequency)},
        grid=box.sample(2001, "grid"),
    )


def helmholtz(units=20, depth=3, kind=MLP):
    """lap u + u = (1 - 17 pi^2) sin(pi x) sin(4 pi y), of period 2 in both directions."""
    box = Box(x=(-1, 1), y=(-1, 1))

    def equation(x, y, u, laplacian_u):
        source = (1 - 17 * PI**2) * ops.sin(PI * x) * ops.sin(4 * PI * y)
        return (laplacian_u + u - source) / (17 * PI**2)

    def make():
        network = kind(units, depth, embedding=PeriodicEmbedding([2.0, 2.0]))
        return kpinn.PINN(network, "x y", "u", [equation])

    return Problem(
        "helmholtz",
        box,
        make,
        points=lambda seed: box.sample(3000, "latin_hypercube", seed),
        target=1e-8,
        exact=lambda x, y: {"u": exact_solutions.helmholtz(x, y)},
        grid=box.sample(101**2, "grid"),
    )


def wave(units=20, depth=3, kind=SIREN):
    """u_tt = 4 u_xx on [0, 1], u(t, 0) = u(t, 1) = 0, two modes at rest at t = 0.

    Continued oddly beyond its walls, a solution has the period 2.
    """
    box = Box(t=(0, 1), x=(0, 1))

    def equation(u_tt, u_xx):
        return (u_tt / 4 - u_xx) / (8 * PI**2)

    def start(x):
        return ops.sin(PI * x) + 0.5 * ops.sin(4 * PI * x)

    def from_rest(t, x):
        return 4 * x * (1 - x) * (1 - 1 / (1 + (8 * PI * t) ** 2))

    def make():
        embedding = [Rescale([1 / 4, -1], [3 / 4, 1]), PeriodicEmbedding([None, 2.0])]
        network = kind(units, depth, frequency=1.5, embedding=embedding)
        network = HardCondition(network, "t x", start, from_rest)
        return kpinn.PINN(network, "t x", "u", [equation])

    return Problem(
        "wave",
        box,
        make,
        points=lambda seed: box.sample(4000, "latin_hypercube", seed),
        target=1e-6,
        exact=lambda t, x: {"u": exact_solutions.wave(t, x)},
        grid=box.sample(101**2, "grid"),
    )


def half_waves(units=24, depth=3, kind=MLP, wave_number=0.0, low=0, name="half_waves"):
    """lap u + k^2 u = (k^2 - 72 pi^2) sin(6 pi x) sin(6 pi y) in a square, u = 0 on its walls."""
    box = Box(x=(low, 1), y=(low, 1))
    parts = (1 - low) ** 2  # unit squares

    def equation(x, y, u, laplacian_u):
        source = (wave_number**2 - 72 * PI**2) * ops.sin(6 * PI * x) * ops.sin(6 * PI * y)
        return (laplacian_u + wave_number**2 * u - source) / max(72 * PI**2, wave_number**2)

    def walls(u):
        return u

    def make():
        return kpinn.PINN(kind(units, depth), "x y", "u", [equation, walls])

    def points(seed):
        inside = box.sample(4_000 * parts, "latin_hypercube", seed)
        return {"equation": inside, "walls": box.boundary().sample(800 * (1 - low), seed=seed)}

    return Problem(
        name,
        box,
        make,
        points,
        target=1e-8,
        exact=lambda x, y: {"u": exact_solutions.half_waves(x, y)},
        grid=box.sample(101**2, "grid"),
        loss_weights={"walls": 10.0},
    )


def helmholtz_10(units=24, depth=3, kind=MLP):
    """The same on [-1, 1]^2 with the wave number 10."""
    return half_waves(units, depth, kind, 10.0, -1, "helmholtz_10")


def helmholtz_100(units=24, depth=3, kind=MLP):
    """The same with the wave number 100."""
    return half_waves(units, depth, kind, 100.0, -1, "helmholtz_100")


def poisson_5d(units=24, depth=2, kind=MLP):
    """-lap u = pi^2 sum cos(pi x_i) in the unit cube, u = sum cos(pi x_i) on its boundary."""
    box = Box(x=([0] * 5, [1] * 5))

    def equation(x, laplacian_u):
        return laplacian_u / PI**2 + ops.sum(ops.cos(PI * x), axis=1, keepdims=True)

    def walls(x, u):
        return u - ops.sum(ops.cos(PI * x), axis=1, keepdims=True)

    def make():
        network = kind(units, depth, embedding=Rescale(0.0, 1.0))
        return kpinn.PINN(network, "x[5]", "u", [equation, walls])

    def points(seed):
        inside = box.sample(3000, "latin_hypercube", seed)
        walls = box.boundary("x").sample(1500, "latin_hypercube", seed)
        return {"equation": inside, "walls": walls}

    return Problem(
        "poisson_5d",
        box,
        make,
        points,
        target=1e-6,
        exact=lambda x: {"u": exact_solutions.poisson_5d(x)},
        grid=box.sample(10_000, seed=12345),
        loss_weights={"walls": 10.0},
    )


# Nonlinear ---------------------------------------------------------------------------------


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


def burgers(units=20, depth=4, viscosity=0.01, target=1e-8, name="burgers"):
    """u_t + u u_x = nu u_xx, of period 2, u(0, x) = -sin(pi x).

    The start is odd in x, and the equation keeps it so: a sine times an even function.
    """
    box = Box(t=(0, 1), x=(0, 1))
    whole = Box(t=(0, 1), x=(-1, 1))

    def momentum(u, u_t, u_x, u_xx):
        return u_t + u * u_x - viscosity * u_xx

    def start(x):
        return -ops.sin(PI * x)

    def make():
        embedding = [Rescale([0, -1], [1, 1]), PeriodicEmbedding([None, 2.0], even=True)]
        network = MLP(units, depth, embedding=embedding)
        network = HardCondition(network, "t x", start, lambda t, x: t * ops.sin(PI * x))
        return kpinn.PINN(network, "t x", "u", [momentum])

    return Problem(
        name,
        box,
        make,
        points=lambda seed: box.sample(3000, "latin_hypercube", seed),
        target=target,
        exact=computed_once(lambda t, x: {"u": exact_solutions.burgers(t, x, viscosity)}),
        grid=whole.sample({"t": 101, "x": 257}, "grid"),
    )


def burgers_sharp(units=20, depth=4):
    """Burgers' equation with nu = 0.01 / pi."""
    return burgers(units, depth, 0.01 / PI, target=1e-6, name="burgers_sharp")


def allen_cahn(units=20, depth=3):
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
        network = MLP(units, depth, embedding=embedding)
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
    )


def two_solitons(units=20, depth=3):
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
        network = MLP(units, depth, embedding=Rescale([1.25, 5], [3.75, 15]))
        return kpinn.PINN(network, "t x", "u", [equation, start, left, right])

    def data(face, seed):
        points = face.sample(256, "latin_hypercube", seed)
        place = points["t"], points["x"]
        points["given"] = exact_solutions.two_solitons(*place)
        return points | {"slope": exact_solutions.two_solitons_slope(*place)}

    def points(seed):
        faces = {"start": box.face(t=0), "left": box.face(x=0), "right": box.face(x=20)}
        inside = {"equation": box.sample(4096, "latin_hypercube", seed)}
        return inside | {name: data(face, seed) for name, face in faces.items()}

    return Problem(
        "two_solitons",
        box,
        make,
        points,
        target=1e-4,
        exact=lambda t, x: {"u": exact_solutions.two_solitons(t, x)},
        grid=box.sample({"t": 101, "x": 201}, "grid"),
        loss_weights={"start": 10.0, "left": 10.0, "right": 10.0},
    )


# Fluids ------------------------------------------------------------------------------------


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


def cavity(units=20, depth=3, reynolds=100.0):
    """Flow in the unit square under a lid at y = 1 of the speed 16 x^2 (1 - x)^2."""
    box = Box(x=(0, 1), y=(0, 1))

    def lid(x, y):
        return regularised_lid(x) * y**2

    def make():
        network = MLP(units, depth, outputs=3, embedding=Rescale([1 / 4, 1 / 4], [3 / 4, 3 / 4]))
        distances = {"u": bubble, "v": bubble}
        network = HardCondition(network, "x y", {"u": lid}, distances, fields="u v p")
        return kpinn.PINN(network, "x y", "u v p", [navier_stokes(reynolds)])

    return Problem(
        "cavity",
        box,
        make,
        points=lambda seed: box.sample(1500, "latin_hypercube", seed),
        target=1e-3,
        exact=computed_once(lambda x, y: exact_solutions.cavity(x, y, reynolds)),
        grid=box.sample(101**2, "grid"),
    )


# Inverse -----------------------------------------------------------------------------------


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


PROBLEMS = {
    function.__name__: function
    for function in (
        poisson_1d,
        damped_oscillator,
        helmholtz,
        half_waves,
        helmholtz_10,
        helmholtz_100,
        burgers,
        burgers_sharp,
        wave,
        kovasznay,
        allen_cahn,
        two_solitons,
        nonlinear_poisson,
        inverse_burgers,
        inverse_burgers_noise,
        poisson_5d,
        cavity,
    )
}
