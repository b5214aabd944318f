"""Generality: problems of the PINNacle benchmark that have closed forms, with defaults only.

What is linear in the unknown function is solved by `RandomFeatures(1_000)`, all else by an `MLP()`;
both by `LevenbergMarquardt()` on points of the domain, with soft conditions and a weight of 10 for
values that are given. Nothing is tuned for a problem. The error is the relative L2 error at points
that were not trained on, that of a coefficient which is unknown; the seconds include compiling.

Run: python benchmarks/suite.py [--problems wave_1d ...] [--seconds 120] [--short]

References:
    Z. Hao et al., PINNacle: a comprehensive benchmark of physics-informed neural networks for
    solving PDEs (2023), arXiv:2306.08827.
"""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from exact_solutions import burgers
from keras import ops

import kpinn
from kpinn.domains import Ball, Box

PI, WEIGHT, INSIDE, ON_WALLS = math.pi, 10.0, 3_000, 900


@dataclass(frozen=True)
class Case:
    """A problem: `make(network)` gives a PINN, `points(seed)` its points, `exact(points)` `u`.

    `inside` is the domain whose points the error is taken at; `is_linear` whether the equations are
    linear in what is trained.
    """

    make: Callable
    points: Callable
    exact: Callable
    inside: object
    is_linear: bool = True
    fields: int = 1


def problem(coordinates, fields, *conditions):
    """What makes a PINN of a network."""
    return lambda network: kpinn.PINN(network, coordinates, fields, list(conditions))


def on(part, exact, count=ON_WALLS):
    """Points of a part with the values of the solution."""
    points = part.sample(count, "sobol", seed=1)
    return points | {"known": exact(points)}


def known_values(u, known):
    return u - known


CASES = {}

# Burgers' equation, 1-D ------------------------------------------------------------------------

PLANE = Box(t=(0, 1), x=(-1, 1))


def momentum(u, u_t, u_x, u_xx):
    return u_t + u * u_x - 0.01 / PI * u_xx


def start(x, u):
    return u + ops.sin(PI * x)


def walls(u):
    return u


CASES["burgers_1d"] = Case(
    problem("t x", "u", momentum, start, walls),
    lambda: {
        "momentum": PLANE.sample(INSIDE, "sobol", seed=0),
        "start": PLANE.face(t=0).sample(ON_WALLS // 3, "grid"),
        "walls": PLANE.boundary("x").sample(ON_WALLS // 3, "grid"),
    },
    lambda points: burgers(points["t"], points["x"], 0.01 / PI),
    PLANE,
    is_linear=False,
)

# The wave equation, 1-D: two frequencies -------------------------------------------------------

STRING = Box(t=(0, 1), x=(0, 1))


def wave(u_tt, u_xx):
    return (u_tt - 4.0 * u_xx) / 100.0


def rest(u_t):
    return u_t / 10.0


def waves(points):
    t, x = points["t"], points["x"]
    slow = np.sin(PI * x) * np.cos(2 * PI * t)
    return slow + 0.5 * np.sin(4 * PI * x) * np.cos(8 * PI * t)


CASES["wave_1d"] = Case(
    problem("t x", "u", wave, known_values, rest),
    lambda: {
        "wave": STRING.sample(INSIDE, "sobol", seed=0),
        "known_values": on(STRING.boundary("x") + STRING.face(t=0), waves),
        "rest": STRING.face(t=0).sample(ON_WALLS // 3, "grid"),
    },
    waves,
    STRING,
)

# Heat, 2-D, with two scales --------------------------------------------------------------------

PLATE = Box(t=(0, 1)) * Box(x=(0, 1), y=(0, 1))
SLOW, FAST = 1 / PI**2, 1 / (500 * PI) ** 2


def heat(u_t, u_xx, u_yy):
    return u_t - FAST * u_xx - SLOW * u_yy


def two_scales(points):
    t, x, y = (points[name] for name in "txy")
    rate = FAST * (20 * PI) ** 2 + SLOW * PI**2
    return np.sin(20 * PI * x) * np.sin(PI * y) * np.exp(-rate * t)


CASES["heat_2d_two_scales"] = Case(
    problem("t x y", "u", heat, known_values),
    lambda: {
        "heat": PLATE.sample(INSIDE, "sobol", seed=0),
        "known_values": on(PLATE.face(t=0) + PLATE.boundary("x", "y"), two_scales, INSIDE),
    },
    two_scales,
    PLATE,
)

# Poisson in five dimensions, heat in a ball of five --------------------------------------------

NAMES = [f"x{i}" for i in range(1, 6)]
CUBE = Box(**{name: (0, 1) for name in NAMES})
BALL5 = Box(t=(0, 1)) * Ball(**dict.fromkeys(NAMES, 0), radius=1)


def poisson(laplacian_u, source):
    return (laplacian_u + source) / 10.0


def sines(points):
    return sum(np.sin(PI / 2 * points[name]) for name in NAMES)


def with_source(points):
    return points | {"source": PI**2 / 4 * sines(points)}


CASES["poisson_5d"] = Case(
    problem(" ".join(NAMES), "u", poisson, known_values),
    lambda: {
        "poisson": with_source(CUBE.sample(INSIDE, "sobol", seed=0)),
        "known_values": on(CUBE.boundary(), sines, INSIDE),
    },
    sines,
    CUBE,
)


def square(points):
    return sum(points[name] ** 2 for name in NAMES)


def growing(points):
    return np.exp(square(points) / 2 + points["t"])


def diffusion(u_t, laplacian_u, source):
    return u_t - laplacian_u / 5.0 - source


def flux(u_n, known):
    return u_n - known


def heat_points():
    inside = BALL5.sample(INSIDE, "sobol", seed=0)
    inside["source"] = -square(inside) / 5 * growing(inside)
    return {
        "diffusion": inside,
        "known_values": on(BALL5.face(t=0), growing),
        "flux": on(BALL5.boundary(), growing),  # u_n = r u, and r is 1
    }


CASES["heat_5d"] = Case(
    problem(f"t {' '.join(NAMES)}", "u", diffusion, known_values, flux),
    heat_points,
    growing,
    BALL5,
)

# An unknown coefficient from noisy data --------------------------------------------------------

SQUARE = Box(x=(0, 1), y=(0, 1))


def coefficient(points):
    x, y = points["x"], points["y"]
    return 1 / (1 + x**2 + y**2 + (x - 1) ** 2 + (y - 1) ** 2)


def product(points):
    return np.sin(PI * points["x"]) * np.sin(PI * points["y"])


def balance(u_x, u_y, laplacian_u, a, a_x, a_y, source):
    return a * laplacian_u + a_x * u_x + a_y * u_y + source


def samples(u, known):
    return u - known


def edges(a, known):
    return a - known


def inverse_points():
    inside = SQUARE.sample(INSIDE, "sobol", seed=0)
    x, y = inside["x"], inside["y"]
    a, u = coefficient(inside), product(inside)
    slopes = [PI * np.cos(PI * p) * np.sin(PI * q) for p, q in ((x, y), (y, x))]
    a_x, a_y = (-(a**2) * (4 * p - 2) for p in (x, y))
    inside["source"] = 2 * PI**2 * a * u - a_x * slopes[0] - a_y * slopes[1]
    data = on(SQUARE, product, 2_500)
    noise = 0.1 * np.random.default_rng(0).normal(size=data["known"].shape)
    return {
        "balance": inside,
        "samples": data | {"known": data["known"] + noise},
        "edges": on(SQUARE.boundary(), coefficient),
    }


CASES["poisson_inverse"] = Case(
    problem("x y", "u a", balance, samples, edges),
    inverse_points,
    coefficient,
    SQUARE,
    is_linear=False,
    fields=2,
)


def solved(case, seconds, epochs):
    """The relative L2 error of the last field, and the seconds that it took."""
    kpinn.set_float64()
    keras.utils.set_random_seed(0)
    begin = time.perf_counter()
    network = kpinn.networks.MLP(outputs=case.fields)
    if case.is_linear:
        network = kpinn.networks.RandomFeatures(1_000)
    points, pinn = case.points(), case.make(network)
    weights = dict.fromkeys([n for n in pinn.conditions if n in ("known_values", "start")], WEIGHT)
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights=weights)
    stop = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(
            pinn, "stop_training", pinn.stop_training or time.perf_counter() - begin > seconds
        )
    )
    pinn.fit(points, epochs=epochs, verbose=0, callbacks=[stop])
    taken = time.perf_counter() - begin
    new = case.inside.sample(4_000, seed=7)
    found, exact = pinn.predict_fields(new)[list(pinn.problem.space.fields)[-1]], case.exact(new)
    return np.linalg.norm(found - exact) / np.linalg.norm(exact), taken


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seconds", type=float, default=120.0, help="of each training, at most")
    parser.add_argument("--short", action="store_true", help="one problem, one step")
    given = parser.parse_args()
    print("| problem | network | relative L2 error | seconds |\n|---|---|---|---|")
    for name in given.problems[:1] if given.short else given.problems:
        error, seconds = solved(CASES[name], given.seconds, 1 if given.short else 1_000)
        network = "random features" if CASES[name].is_linear else "MLP"
        print(f"| {name} | {network} | {error:.1e} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
