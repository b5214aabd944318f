"""What networks and layers gain that are proposed for PINNs: the error after equal steps.

Two problems of different kinds: waves in a square, and the front of Burgers' equation. Every
candidate has as many units as make about the same number of parameters, the same points, and the
same steps of Adam in float32, with a decaying rate, or of Levenberg-Marquardt in float64. Nothing
is tuned for a candidate. The error is the relative L2 error at other points, the median of the
seeds. The cost of a step on the first problem is a ratio to that of the first candidate, measured
alternately, in seconds of all processors.

Run: python benchmarks/networks.py [--optimizer adam] [--problems waves ...] [--candidates "`MLP`"
     ...] [--seeds 2] [--short]
"""

import argparse
import dataclasses
import math
import statistics
import time
from collections.abc import Callable

import exact_solutions
import keras
import numpy as np
from accuracy_problems import burgers
from accuracy_problems.problem import PI, Problem
from keras import ops
from network_candidates import CANDIDATES, COLUMNS
from timing import alternately, median_ratio

import kpinn
from kpinn.domains import Box
from kpinn.networks import MLP

# Problems ------------------------------------------------------------------------------------


def waves(units=20, depth=3, kind=MLP):
    """lap u = f on [-1, 1]^2, u = sin(pi x) sin(4 pi y), zero on the walls."""
    box = Box(x=(-1, 1), y=(-1, 1))

    def equation(x, y, laplacian_u):
        return laplacian_u / (17 * PI**2) + ops.sin(PI * x) * ops.sin(4 * PI * y)

    def walls(u):
        return u

    return Problem(
        "waves",
        box,
        lambda: kpinn.PINN(kind(units, depth), "x y", "u", [equation, walls]),
        points=lambda seed: {
            "equation": box.sample(800, "latin_hypercube", seed),
            "walls": box.boundary().sample(200, seed=seed),
        },
        target=1e-8,
        exact=lambda x, y: {"u": exact_solutions.helmholtz(x, y)},
        grid=box.sample(101**2, "grid"),
        loss_weights={"walls": 0.1},
    )


def front(units=20, depth=3, kind=MLP):
    """Burgers' equation with nu = 0.01, and fewer points."""
    problem = burgers(kind=kind)

    def points(seed):
        return problem.box.sample(1_000, "latin_hypercube", seed)

    return dataclasses.replace(problem, points=points)


PROBLEMS = {"waves": waves, "front": front}

# Measurement -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Training:
    """An optimizer, how many parameters it trains and how long.

    Attributes:
        make: makes the optimizer.
        floatx: the precision.
        parameters: about their number.
        steps: their number.
        steps_per_epoch: those of an epoch.
    """

    make: Callable
    floatx: str
    parameters: int
    steps: int
    steps_per_epoch: int

    def fit(self, pinn, points, steps):
        each = min(steps, self.steps_per_epoch)
        pinn.fit(points, epochs=steps // each, steps_per_epoch=each, verbose=0)


def adam():
    return keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(3e-3, 500, 0.7))


TRAININGS = {
    "adam": Training(adam, "float32", 5_000, 1_500, 50),
    "least_squares": Training(kpinn.optimizers.LevenbergMarquardt, "float64", 500, 60, 1),
}


def units_of(candidate, parameters):
    """The most units, even, with at most so many parameters, a polynomial of degree two in them."""

    def count(units):
        network = CANDIDATES[candidate](units, [])
        network.build((None, COLUMNS))
        return sum(math.prod(variable.shape) for variable in network.trainable_variables)

    counts = np.polynomial.Polynomial.fit([2, 4, 6], [count(units) for units in (2, 4, 6)], 2)
    return 2 * int(max(root.real for root in (counts - parameters).roots()) // 2)


class Trainee:
    """A PINN with a candidate, compiled once for all seeds."""

    def __init__(self, candidate, name, training, jit_compile):
        units = units_of(candidate, training.parameters)

        def kind(_, depth, embedding=None):
            listed = embedding if isinstance(embedding, list) else [embedding] if embedding else []
            return CANDIDATES[candidate](units, listed)

        self.problem, self.training = PROBLEMS[name](kind=kind), training
        self.pinn, self.points = self.problem.make(), self.problem.points(0)
        weights = self.problem.loss_weights
        self.pinn.compile(training.make(), loss_weights=weights, jit_compile=jit_compile)
        training.fit(self.pinn, self.points, training.steps_per_epoch)

    def begin(self, seed):
        """New weights and points, and the optimizer as at first."""
        keras.utils.set_random_seed(seed)
        other = self.problem.make()
        other.predict_fields(self.problem.grid)
        self.pinn.network.set_weights(other.network.get_weights())
        self.points, optimizer = self.problem.points(seed), self.pinn.optimizer
        if isinstance(optimizer, kpinn.optimizers.LevenbergMarquardt):
            optimizer.restart(kpinn.destructure(self.pinn.network)[0])
        else:
            for variable in optimizer.variables:
                variable.assign(ops.zeros_like(variable))

    def error(self, seed, steps):
        """The error after so many steps."""
        self.begin(seed)
        self.training.fit(self.pinn, self.points, steps)
        return self.problem.error(self.pinn)

    def seconds(self, repeats):
        """Those of a few steps."""
        begin = time.process_time()
        for _ in range(repeats):
            self.training.fit(self.pinn, self.points, max(self.training.steps_per_epoch, 5))
        return (time.process_time() - begin) / repeats


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--optimizer", choices=TRAININGS, default="adam")
    parser.add_argument("--problems", nargs="*", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--candidates", nargs="*", choices=CANDIDATES, default=list(CANDIDATES))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--short", action="store_true", help="two steps, no XLA")
    options = parser.parse_args()
    training, columns, costs = TRAININGS[options.optimizer], {}, {}
    keras.config.set_floatx(training.floatx)
    keras.config.set_dtype_policy(training.floatx)
    seeds, steps = (1, 2) if options.short else (options.seeds, training.steps)
    jit_compile = options.optimizer == "adam" and not options.short
    for name in options.problems:
        trainees = {}
        for candidate in options.candidates:
            trainees[candidate] = Trainee(candidate, name, training, jit_compile)
            errors = [trainees[candidate].error(seed, steps) for seed in range(seeds)]
            columns.setdefault(candidate, []).append(f"{statistics.median(errors):.1e}")
            print(name, candidate, *(f"{error:.1e}" for error in errors), flush=True)
        if not costs:  # those of the first problem
            measures = {name: trainee.seconds for name, trainee in trainees.items()}
            times = alternately(measures, 5)
            costs = {
                name: median_ratio(times[name], times[options.candidates[0]]) for name in times
            }
    print(f"| network | step | {' | '.join(options.problems)} |")
    print(f"|{'---|' * (2 + len(options.problems))}")
    for name, errors in columns.items():
        print(f"| {name} | {costs[name]:.2f} | {' | '.join(errors)} |")


if __name__ == "__main__":
    main()
