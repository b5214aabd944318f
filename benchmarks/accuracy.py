"""The ladder of accuracy problems: errors that optimizers reach in a given time on this machine.

Every problem of `accuracy_problems` is trained through `compile` and `fit`, in float64, by every
optimizer and from every seed. The error is the relative L2 error on points that were not trained
on (for the inverse problems the largest relative error of an unknown). It is recorded while the
training goes on, outside its time, and the training does not see it: it ends when the time is up
or when the optimizer ends. The time includes tracing and compiling, and the choice of the scale of
random features, which `--features` puts in the place of the networks of smooth problems, as
`--separable` does with separable networks. With `--march` evolution equations are solved in windows
of time by random features, 600 of them without `--features`, see `march.py`.

Run: python benchmarks/accuracy.py [--problems poisson_1d burgers] [--optimizers adam ssbroyden]
    [--seeds 0 1 2] [--seconds 600] [--json FILE] [--uniform] [--stop | --floor]
    [--features 1000 [--interactions 2] [--windows 2 4] | --separable 8] [--project] [--short]
    [--march [WINDOWS]]
"""

import argparse
import functools
import inspect
import json
import math
import pathlib
import statistics
import time

import keras
import march
import numpy as np
from accuracy_problems import PROBLEMS

import kpinn
from kpinn import optimizers

MANY = 10**7  # epochs, which the time limit cuts
SHORT_SECONDS = 0.0  # stops after the first epoch of each stage
STEPS = 50  # of Adam in an epoch, between which nothing is recorded
HEAD = "problem", "parameters", "optimizer", "iterations", "seconds", "error", "target", "met"
ERRORS = 1e-4, 1e-6, 1e-8, 1e-10  # of which --floor says when they were reached
FLOOR_HEAD = "problem", "parameters", "optimizer", "seconds", "floor", "seeds", *map(str, ERRORS)
FEATURES = 600  # of a march, if nothing is said
QUICK = 30.0  # seconds of a training, above which --floor takes the first seed alone


class Clock:
    """Seconds of training, without those of measuring the error."""

    def __init__(self):
        self._start = time.perf_counter()

    @property
    def seconds(self):
        return time.perf_counter() - self._start

    def leave_out(self, function):
        """The value of `function()`, whose time does not count."""
        start = time.perf_counter()
        value = function()
        self._start += time.perf_counter() - start
        return value


class Recorder(keras.callbacks.Callback):
    """Records the error at about 20 times, which lie ever further apart.

    Args:
        problem: the `Problem`.
        clock: a `Clock`.
        seconds: how long the training takes.
        stop: whether to end it when an error is not above the target.
        count: number of times.
    """

    changes_loss = False  # so that an optimizer which can go no further ends the training

    def __init__(self, problem, clock, seconds, stop, count=20):
        super().__init__()
        self.problem, self.clock, self.stop, self.curve = problem, clock, stop, []
        self.times = list(np.geomspace(max(seconds, 1e-3) / 500, max(seconds, 1e-3), count))

    def on_epoch_end(self, epoch, logs=None):
        if self.times and self.clock.seconds >= self.times[0]:
            self.record(self.model, logs["loss"])
            if self.stop and self.met():
                self.model.stop_training = True

    def met(self):
        """Whether the last error is not above the target."""
        return self.curve[-1][1] <= self.problem.target

    def record(self, pinn, loss):
        """Adds `(seconds, error, loss)` to the curve."""
        seconds = self.clock.seconds
        self.times = [each for each in self.times if each > seconds]
        error = self.clock.leave_out(lambda: self.problem.error(pinn))
        self.curve.append((seconds, error, float(loss)))


class TimeLimit(keras.callbacks.Callback):
    """Ends a training when the clock shows so many seconds."""

    changes_loss = False

    def __init__(self, clock, seconds):
        super().__init__()
        self.clock, self.seconds = clock, seconds

    def on_epoch_end(self, epoch, logs=None):
        if self.clock.seconds >= self.seconds:
            self.model.stop_training = True


class CosineDecay(keras.callbacks.Callback):
    """The learning rate of a cosine decay over time, for a number of steps that is not known."""

    def __init__(self, clock, seconds, initial):
        super().__init__()
        self.clock, self.seconds, self.initial = clock, max(seconds, 1e-9), initial

    def on_epoch_begin(self, epoch, logs=None):
        part = min(1.0, self.clock.seconds / self.seconds)
        self.model.optimizer.learning_rate = self.initial * (1 + math.cos(math.pi * part)) / 2


# Optimizers: each is a list of stages: a function that makes a Keras optimizer, the part of the
# time after which the next stage begins, and the epochs from one draw of points to the next (for
# Adam uniform ones, for the others denser where the residual is large).


def adam(rate=5e-3):
    return keras.optimizers.Adam(rate)


def lbfgs():
    return optimizers.ScipyMinimize("L-BFGS-B", maxcor=100)


OPTIMIZERS = {
    "adam": [(adam, 1.0, 1)],
    "adam_lbfgs": [(adam, 0.1, 1), (lbfgs, 1.0, None)],
    "ssbroyden": [(adam, 0.05, 1), (optimizers.SSBroyden, 1.0, 500)],
    "levenberg_marquardt": [(optimizers.LevenbergMarquardt, 1.0, 10)],
    "least_squares": [(optimizers.LevenbergMarquardt, 1.0, None)],  # with the first points alone
}


def stages_of(name, project):
    """The stages of an optimizer; those of Levenberg-Marquardt without the last layer."""
    for make, *rest in OPTIMIZERS[name]:
        if project and make is optimizers.LevenbergMarquardt:
            make = functools.partial(make, project="last")
        yield make, *rest


def features(count, **options):
    """What takes the place of the network of a problem: so many random features."""

    def network(units, depth, outputs=1, embedding=None, **others):
        return kpinn.networks.RandomFeatures(count, outputs, embedding=embedding, **options)

    return network


def separable(rank):
    """What takes the place of the network of a problem: so many products."""

    def network(units, depth, outputs=1, embedding=None, **options):
        return kpinn.networks.Separable(10, 2, rank, outputs, embedding=embedding)

    return network


def chosen_problems(names, count=None, rank=None, **options):
    """The problems of these names, with random features or products if they are asked for."""
    kind = None if rank is None else separable(rank)
    kind = kind if count is None else features(count, **options)
    for name in names:
        make = PROBLEMS[name]
        if kind is None:
            yield make()
        elif "kind" in inspect.signature(make).parameters:
            yield make(kind=kind)


def is_adam(make):
    """Whether this makes Adam, also with a learning rate of its own."""
    return getattr(make, "func", make) is adam


def drawing(problem, make, every, uniform):
    """The callback that draws new points for an optimizer."""
    if is_adam(make):
        return kpinn.callbacks.Resample(problem.fresh_points, every)
    if uniform:
        return kpinn.callbacks.Resample(problem.fresh_points, max(1, every // 2))
    return kpinn.callbacks.ResidualSampling(problem.candidates, every, constant=0.2)


def train(problem, stages, seed, seconds, uniform=False, stop=False, jit_compile="auto"):
    """One training: a dict of what it took and reached, with the curve of errors."""
    keras.utils.set_random_seed(seed)
    points, pinn, iterations = problem.points(seed), problem.make(), 0
    first_error = problem.error(pinn)  # what the exact solution takes does not count
    clock = Clock()
    recorder = Recorder(problem, clock, seconds, stop)
    for make, part, every in stages:
        optimizer = make()
        pinn.compile(optimizer, loss_weights=problem.loss_weights, jit_compile=jit_compile)
        callbacks = [recorder, TimeLimit(clock, part * seconds)]
        if every:
            callbacks.append(drawing(problem, make, every, uniform))
        if is_adam(make):
            rate = float(optimizer.learning_rate.numpy())
            callbacks.append(CosineDecay(clock, part * seconds, rate))
        steps = {"steps_per_epoch": STEPS} if is_adam(make) and seconds else {}
        history = pinn.fit(points, epochs=MANY, verbose=0, callbacks=callbacks, **steps)
        iterations += int(optimizer.iterations.numpy())
        if stop and recorder.curve and recorder.met():
            break
    elapsed = clock.seconds
    recorder.record(pinn, history.history["loss"][-1])
    return {
        "seed": seed,
        "parameters": pinn.count_params(),
        "iterations": iterations,
        "seconds": elapsed,
        "first_error": first_error,
        "error": recorder.curve[-1][1],
        "curve": recorder.curve,
    }


def train_in_windows(problem, seed, seconds, windows, features, jit_compile):
    """The same in windows of time; with 0 windows as many as the problem says."""
    keras.utils.set_random_seed(seed)
    problem.exact(**problem.grid)  # what the exact solution takes does not count
    clock = Clock()
    solution = march.March(problem, windows, features, seed, jit_compile)
    solution.run(clock, seconds)
    elapsed = clock.seconds
    error = problem.error(solution)
    return {
        "seed": seed,
        "parameters": solution.pinn.count_params(),
        "iterations": solution.iterations,
        "seconds": elapsed,
        "error": error,
        "curve": [(elapsed, error, solution.losses[-1])],
    }


def row(problem, optimizer, runs):
    """A row of the table: medians over the seeds, the target and whether it is met."""
    middle = {
        key: statistics.median(run[key] for run in runs)
        for key in ("parameters", "iterations", "seconds", "error")
    }
    met = "yes" if middle["error"] <= problem.target else "no"
    return (
        problem.name,
        f"{middle['parameters']:.0f}",
        optimizer,
        f"{middle['iterations']:.0f}",
        f"{middle['seconds']:.0f}",
        f"{middle['error']:.1e}",
        f"{problem.target:.0e}",
        met,
    )


def floor_row(problem, optimizer, runs):
    """A row of the table of `--floor`: the least error, and the seconds until it was below some.

    Medians over the seeds, and the least errors of all; a dash for what most seeds did not reach.
    """

    def seconds_until(limit):
        found = [next((t for t, e, _ in run["curve"] if e <= limit), math.inf) for run in runs]
        middle = statistics.median(found)
        return f"{middle:.0f}" if math.isfinite(middle) else "-"

    floors = [min(error for _, error, _ in run["curve"]) for run in runs]
    return (
        problem.name,
        f"{statistics.median(run['parameters'] for run in runs):.0f}",
        optimizer,
        f"{statistics.median(run['seconds'] for run in runs):.0f}",
        f"{statistics.median(floors):.1e}",
        ", ".join(f"{floor:.1e}" for floor in floors),
        *map(seconds_until, ERRORS),
    )


def print_row(cells):
    """A row of a Markdown table."""
    print(f"| {' | '.join(cells)} |", flush=True)


def arguments():
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--optimizers", nargs="+", choices=OPTIMIZERS, default=list(OPTIMIZERS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--seconds", type=float, default=600.0, help="of each training")
    parser.add_argument("--json", type=pathlib.Path, help="file for all runs and curves")
    parser.add_argument("--uniform", action="store_true", help="uniform points, twice as often")
    parser.add_argument("--stop", action="store_true", help="end a training at the target")
    parser.add_argument("--floor", action="store_true", help="until when which error was reached")
    parser.add_argument("--features", type=int, help="random features in place of networks")
    parser.add_argument("--project", action="store_true", help="variable projection, if linear")
    parser.add_argument("--interactions", type=int, help="most coordinates of such a feature")
    parser.add_argument("--windows", nargs="+", type=int, help="of them, by column")
    parser.add_argument("--separable", type=int, help="so many products in place of networks")
    parser.add_argument("--march", nargs="?", type=int, const=0, help="so many windows of time")
    parser.add_argument("--short", action="store_true", help="a few steps, optimizers in turn")
    return parser.parse_args()


def trainings(given, seconds):
    """What to do: a problem, the name of the way to solve it, and from a seed to the run."""
    jit_compile = False if given.short else "auto"
    if given.march is not None:
        count = FEATURES if given.features is None else given.features
        for problem in (PROBLEMS[name]() for name in given.problems):
            if problem.evolution:
                how = {"windows": given.march, "features": count, "jit_compile": jit_compile}
                run = functools.partial(train_in_windows, problem, seconds=seconds, **how)
                yield problem, "march", run
        return
    kinds = {"count": given.features, "rank": given.separable}
    options = {"interactions": given.interactions, "windows": given.windows}
    settings = {"uniform": given.uniform, "stop": given.stop, "jit_compile": jit_compile}
    for number, problem in enumerate(chosen_problems(given.problems, **kinds, **options)):
        names = given.optimizers
        for name in [names[number % len(names)]] if given.short else names:
            stages = stages_of(name, given.project)
            yield (
                problem,
                name,
                functools.partial(train, problem, stages, seconds=seconds, **settings),
            )


def main():
    given = arguments()
    kpinn.set_float64()
    seeds, seconds = ([0], SHORT_SECONDS) if given.short else (given.seeds, given.seconds)
    found, head, as_row = [], HEAD, row
    if given.floor:
        head, as_row = FLOOR_HEAD, floor_row
    print_row(head)
    print_row(["---"] * len(head))
    for problem, name, run in trainings(given, seconds):
        runs = []
        for seed in seeds:
            runs.append(run(seed=seed))
            if given.floor and runs[0]["seconds"] > QUICK:
                break
        print_row(as_row(problem, name, runs))
        about = {"problem": problem.name, "target": problem.target, "optimizer": name}
        found.append(about | {"runs": runs})
        if given.json:  # after each, so that nothing is lost
            given.json.write_text(json.dumps(found, indent=1), encoding="utf8")


if __name__ == "__main__":
    main()
