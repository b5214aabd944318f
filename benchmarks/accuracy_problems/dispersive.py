"""Waves that repeat: they disperse, fall apart into solitons, focus, or become chaotic."""

import exact_solutions
import numpy as np
from keras import ops

import kpinn
from kpinn.domains import Box
from kpinn.layers import HardCondition, PeriodicEmbedding, Rescale
from kpinn.networks import MLP

from .problem import PI, Evolution, Problem, computed_once


def kdv_zabusky_kruskal(units=24, depth=4, kind=MLP):
    """u_t + u u_x + 0.022^2 u_xxx = 0, of period 2, u(0, x) = cos(pi x): eight solitons."""
    box = Box(t=(0, 1), x=(-1, 1))

    def equation(u, u_t, u_x, u_xxx):
        return (u_t + u * u_x + 0.022**2 * u_xxx) / 10

    def start(x):
        return ops.cos(PI * x)

    def make():
        embedding = [Rescale([0, -1], [1, 1]), PeriodicEmbedding([None, 2.0])]
        network = kind(units, depth, embedding=embedding)
        network = HardCondition(network, "t x", start, distance=lambda t: t)
        return kpinn.PINN(network, "t x", "u", [equation])

    return Problem(
        "kdv_zabusky_kruskal",
        box,
        make,
        points=lambda seed: box.sample(4000, "latin_hypercube", seed),
        target=1e-3,
        exact=computed_once(lambda t, x: {"u": exact_solutions.kdv(t, x)}),
        grid=box.sample({"t": 41, "x": 257}, "grid"),
        evolution=Evolution(equation, start, 10.0, windows=100, period=2.0, repeats=True),
    )


def kuramoto_sivashinsky(units=24, depth=4, kind=MLP, end=0.5, name="kuramoto_sivashinsky"):
    """u_t + a u u_x + b u_xx + c u_xxxx = 0, u(0, x) = cos x (1 + sin x), until t = 0.5.

    a = 100 / 16, b = 100 / 16^2 and c = 100 / 16^4, of period 2 pi: fronts steepen until t = 0.1,
    and chaotic waves follow, ever more of them.
    """
    box = Box(t=(0, end), x=(0, 2 * PI))
    transport, growth, decay = 100 / 16, 100 / 16**2, 100 / 16**4

    def equation(u, u_t, u_x, u_xx, u_xxxx):
        return (u_t + transport * u * u_x + growth * u_xx + decay * u_xxxx) / 20

    def start(x):
        return ops.cos(x) * (1 + ops.sin(x))

    def make():
        embedding = [Rescale([0, -1], [end, 1]), PeriodicEmbedding([None, 2 * PI])]
        network = kind(units, depth, embedding=embedding)
        network = HardCondition(network, "t x", start, distance=lambda t: t / end)
        return kpinn.PINN(network, "t x", "u", [equation])

    return Problem(
        name,
        box,
        make,
        points=lambda seed: box.sample(4000, "latin_hypercube", seed),
        target=1e-3,
        exact=computed_once(lambda t, x: {"u": exact_solutions.kuramoto_sivashinsky(t, x)}),
        grid=box.sample({"t": 1 + round(80 * end), "x": 257}, "grid"),  # times that are kept
        evolution=Evolution(
            equation, start, 20.0, windows=round(100 * end), period=2 * PI, repeats=True
        ),
    )


def kuramoto_sivashinsky_short(units=24, depth=4, kind=MLP):
    """The same until t = 0.2, when there are half as many waves."""
    return kuramoto_sivashinsky(units, depth, kind, 0.2, "kuramoto_sivashinsky_short")


def nls(units=20, depth=4, kind=MLP, half_width=5.0, target=1e-4, name="nls"):
    """i h_t + h_xx / 2 + |h|^2 h = 0, h(0, x) = 2 / cosh(x), until t = pi / 2; h = u + i v.

    Of period 2 `half_width`, and even in x as the start is. With 5, which is common, the start has
    a kink where it repeats, and the solution has its waves, which a smooth network follows in part.
    """
    box = Box(t=(0, PI / 2), x=(0, half_width))

    def equation(u, v, u_t, v_t, u_xx, v_xx):
        square = u**2 + v**2
        parts = [u_t + v_xx / 2 + square * v, v_t - u_xx / 2 - square * u]
        return ops.concatenate(parts, axis=1) / 10

    def start(x):
        return 2 / ops.cosh(x)

    def begin(u, v, u0, v0):
        return ops.concatenate([u - u0, v - v0], axis=1)

    def make():
        embedding = [
            Rescale([0, -1], [PI / 2, 1]),
            PeriodicEmbedding([None, 2 * half_width], even=True),
        ]
        network = kind(units, depth, outputs=2, embedding=embedding)
        distances = {"u": lambda t: t, "v": lambda t: t}
        network = HardCondition(network, "t x", {"u": start}, distances, fields="u v")
        return kpinn.PINN(network, "t x", "u v", [equation])

    return Problem(
        name,
        box,
        make,
        points=lambda seed: box.sample(2000, "latin_hypercube", seed),
        target=target,
        exact=computed_once(lambda t, x: exact_solutions.nls(t, x, half_width)),
        grid=box.sample({"t": 41, "x": 201}, "grid"),
        evolution=Evolution(
            equation,
            lambda x: np.concatenate([start(x), 0.0 * x], axis=1),
            10.0,
            windows=40,
            fields="u v",
            period=2 * half_width,
            begin=begin,
        ),
    )


def nls_wide(units=20, depth=4, kind=MLP):
    """The same with a period of 30, where the start is 1e-6 at the ends."""
    return nls(units, depth, kind, 15.0, 1e-6, "nls_wide")
