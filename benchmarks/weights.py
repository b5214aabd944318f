"""What rules for weights cost and gain: a step beside one without, and the error after equal steps.

Three problems whose conditions are all in the loss, from the same weights and points, with Adam in
XLA: Helmholtz with walls, the Allen-Cahn equation and advection with the speed 30, both with a
start. A rule acts once in ten steps. The error is the relative L2 error at other points, after so
many steps, the median of so many seeds; nothing is tuned, neither rules nor networks. The cost of a
step is the difference of a long and a short `fit`, in seconds of all processors, for which other
work on the machine counts little; a ratio is the median of those to steps without weights, measured
shortly before.

Run: python benchmarks/weights.py [--short] [--seeds 1] [--steps 3000]
"""

import argparse
import dataclasses
import functools
import itertools
import statistics
import time
from collections.abc import Callable

import exact_solutions
import keras
import numpy as np
from keras import ops
from timing import alternately, median_ratio

import kpinn
from kpinn import callbacks
from kpinn.domains import Box
from kpinn.layers import PeriodicEmbedding, Rescale

STEPS = 10  # of an epoch
EPOCHS = 2, 22  # of a short and a long fit
FIXED = "ten times the other condition"
RULES = {
    "none": lambda problem: [],
    FIXED: lambda problem: [],
    "`LossBalancing(every=100)`": lambda problem: [callbacks.LossBalancing(every=100)],
    "`ReLoBRaLo()`": lambda problem: [callbacks.ReLoBRaLo()],
    "`SoftAdapt(loss_weighted=True)`": lambda problem: [callbacks.SoftAdapt(loss_weighted=True)],
    "`UncertaintyWeights()`": lambda problem: [callbacks.UncertaintyWeights()],
    "`ResidualWeights()`": lambda problem: [callbacks.ResidualWeights()],
    "`SelfAdaptiveWeights()`": lambda problem: [callbacks.SelfAdaptiveWeights()],
    '`CausalWeights("equation")`': lambda problem: problem.causal(),
    "`AugmentedLagrangian(...)`": lambda problem: [
        callbacks.AugmentedLagrangian(problem.constraint, every=10, penalty=20.0)
    ],
}


@dataclasses.dataclass(frozen=True)
class Problem:
    """A problem, what it is trained on and what it is compared with.

    Attributes:
        name: its name.
        conditions: list of functions.
        points: from the seed to points by condition.
        exact: from arrays by coordinate to the solution.
        grid: points of the comparison.
        constraint: name of the condition that `AugmentedLagrangian` makes a constraint.
        periodic: whether the coordinates are a time and a place that repeats; else there is no
            time, and `CausalWeights` has no meaning.
    """

    name: str
    conditions: list
    points: Callable
    exact: Callable
    grid: dict
    constraint: str
    periodic: bool = True

    def causal(self):
        """`CausalWeights`, or `None`."""
        return [callbacks.CausalWeights("equation", every=1)] if self.periodic else None

    def pinn(self, seed, jit_compile):
        """A `kpinn.PINN`, compiled."""
        keras.utils.set_random_seed(seed)
        low, high = ([f(array) for array in self.grid.values()] for f in (np.min, np.max))
        embedding = [Rescale(low, high)]  # to -1, ..., 1
        if self.periodic:
            embedding.append(PeriodicEmbedding([None, 2.0]))
        network = kpinn.networks.MLP(units=32, depth=3, embedding=embedding)
        pinn = kpinn.PINN(network, " ".join(self.grid), "u", self.conditions)
        decay = keras.optimizers.schedules.ExponentialDecay(3e-3, 1_000, 0.8)
        pinn.compile(keras.optimizers.Adam(decay), jit_compile=jit_compile)
        return pinn

    def error(self, pinn):
        """The relative L2 error."""
        exact = self.exact(*self.grid.values())
        found = pinn.predict_fields(self.grid)["u"]
        return np.linalg.norm(found - exact) / np.linalg.norm(exact)


def helmholtz():
    """lap u + u = (1 - 17 pi^2) sin(pi x) sin(4 pi y), zero on the walls."""
    box = Box(x=(-1, 1), y=(-1, 1))

    def equation(x, y, u, laplacian_u):
        source = (1 - 17 * np.pi**2) * ops.sin(np.pi * x) * ops.sin(4 * np.pi * y)
        return laplacian_u + u - source

    def walls(u):
        return u

    def points(seed):
        inside = box.sample(1_000, "latin_hypercube", seed)
        return {"equation": inside, "walls": box.boundary().sample(200, seed=seed)}

    return Problem(
        "Helmholtz (1, 4)",
        [equation, walls],
        points,
        lambda x, y: np.sin(np.pi * x) * np.sin(4 * np.pi * y),
        box.sample(101**2, "grid"),
        "walls",
        periodic=False,
    )


def by_set(box, seed):
    """Points of the equation and of the start."""
    inside = box.sample(1_000, "latin_hypercube", seed)
    return {"equation": inside, "start": box.face(t=0).sample(200, seed=seed)}


def allen_cahn():
    """u_t = 1e-4 u_xx + 5 u - 5 u^3, of period 2, u(0, x) = x^2 cos(pi x), until t = 1/2."""
    box = Box(t=(0, 0.5), x=(-1, 1))
    grid = box.sample({"t": 21, "x": 257}, "grid")

    def equation(u, u_t, u_xx):
        return u_t - 1e-4 * u_xx - 5 * u + 5 * u**3

    def start(x, u):
        return u - x**2 * ops.cos(np.pi * x)

    return Problem(
        "Allen-Cahn",
        [equation, start],
        functools.partial(by_set, box),
        exact_solutions.allen_cahn,
        grid,
        "start",
    )


def advection():
    """u_t + 30 u_x = 0, of period 2 pi, u(0, x) = sin(x), until t = 1/5."""
    box = Box(t=(0, 0.2), x=(0, 2 * np.pi))

    def equation(u_t, u_x):
        return u_t + 30.0 * u_x

    def start(x, u):
        return u - ops.sin(x)

    return Problem(
        "advection",
        [equation, start],
        functools.partial(by_set, box),
        lambda t, x: np.sin(x - 30.0 * t),
        box.sample(101**2, "grid"),
        "start",
    )


def errors(problem, seeds, steps, jit_compile):
    """By rule the errors for each seed, and the last PINN with its points and callbacks."""
    found, trained = {}, {}
    for (rule, make), seed in itertools.product(RULES.items(), range(seeds)):
        if (rules := make(problem)) is not None:
            pinn, points = problem.pinn(seed, jit_compile), problem.points(seed)
            if rule == FIXED:  # as by the penalty of `AugmentedLagrangian`, without multipliers
                pinn.loss_weights[problem.constraint].assign(10.0)
            epochs = max(steps // STEPS, 1)
            pinn.fit(points, epochs=epochs, steps_per_epoch=STEPS, verbose=0, callbacks=rules)
            found.setdefault(rule, []).append(problem.error(pinn))
            trained[rule] = pinn, points, rules
    return found, trained


def ratios(trained, rounds):
    """By rule how much longer a step takes than without weights."""

    def fit(pinn, points, rules, epochs):
        arguments = {"epochs": epochs, "steps_per_epoch": STEPS, "verbose": 0, "callbacks": rules}

        def measure(repeats):
            begin = time.process_time()
            for _ in range(repeats):
                pinn.fit(points, **arguments)
            return (time.process_time() - begin) / repeats

        return measure

    measures = {(n, k): fit(*each, k) for n, each in trained.items() for k in EPOCHS}
    times, (short, long) = alternately(measures, rounds), EPOCHS
    steps = {
        name: [b - a for a, b in zip(times[name, short], times[name, long], strict=True)]
        for name in trained
    }
    return {name: median_ratio(each, steps["none"]) for name, each in steps.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true", help="advection alone, few steps, no XLA")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3_000)
    options = parser.parse_args()
    seeds, steps = (1, 20) if options.short else (options.seeds, options.steps)
    problems, columns = [helmholtz(), allen_cahn(), advection()], []
    problems = problems[-1:] if options.short else problems
    for problem in problems:
        found, trained = errors(problem, seeds, steps, not options.short)
        costs = ratios(trained, 1 if options.short else 7)
        columns.append(
            {name: f"{costs[name]:.2f} | {statistics.median(e):.1e}" for name, e in found.items()}
        )
    names = " | ".join(f"{problem.name}: step | error" for problem in problems)
    print(f"| weights | {names} |\n|{'---|' * (1 + 2 * len(problems))}")
    for rule in RULES:
        print(f"| {rule} | {' | '.join(column.get(rule, '- | -') for column in columns)} |")


if __name__ == "__main__":
    main()
