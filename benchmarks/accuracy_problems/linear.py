"""Linear equations."""

import exact_solutions
from keras import ops

import kpinn
from kpinn.domains import Box
from kpinn.layers import HardCondition, PeriodicEmbedding, Rescale
from kpinn.networks import MLP, SIREN

from .problem import PI, Problem


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


def laplace_10d(units=24, depth=2, kind=MLP):
    """lap u = 0 in the unit cube, u = x1 x2 + x3 x4 + ... + x9 x10 on its boundary."""
    box = Box(x=([0] * 10, [1] * 10))

    def equation(laplacian_u):
        return laplacian_u

    def walls(x, u):
        return u - ops.sum(x[:, ::2] * x[:, 1::2], axis=1, keepdims=True)

    def make():
        network = kind(units, depth, embedding=Rescale(0.0, 1.0))
        return kpinn.PINN(network, "x[10]", "u", [equation, walls])

    def points(seed):
        inside = box.sample(2000, "latin_hypercube", seed)
        walls = box.boundary("x").sample(2000, "latin_hypercube", seed)
        return {"equation": inside, "walls": walls}

    return Problem(
        "laplace_10d",
        box,
        make,
        points,
        target=1e-6,
        exact=lambda x: {"u": exact_solutions.laplace_10d(x)},
        grid=box.sample(10_000, seed=12345),
        loss_weights={"walls": 10.0},
    )
