"""Many parameters and many points: time of a step, memory, and the error against time.

`--case parameters` trains networks of about 100,000 parameters; `--case points` small networks on
262,144 points in each step. Every optimizer trains in a process of its own, so that its memory can
be read. A step takes as many points as the optimizer is made for, and new ones are drawn in between
where points are few. Problems, clock and curves are those of `accuracy.py`; float64.

Run: python benchmarks/large.py [--case parameters] [--problems burgers poisson_5d]
    [--optimizers spring kernel] [--seconds 150] [--short]
"""

import argparse
import functools
import json
import math
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import accuracy
from accuracy_problems import PROBLEMS
from accuracy_problems.problem import merged

import kpinn
from kpinn.optimizers import LBFGS, SPRING, LevenbergMarquardt

MANY_POINTS, ROOM = 2**18, 2**34
SIZES = {"parameters": (182, 4), "points": (20, 4)}  # units and depth
PARTS = 0.25, 0.5, 1.0  # of the time, after which the errors stand in the table


@dataclass(frozen=True)
class Choice:
    """An optimizer, with how it is used: a function that makes it, points, epochs until new ones.

    An epoch is a step, but of Adam `accuracy.STEPS` of them.
    """

    make: Callable
    points: int
    every: int | None = None


def least_squares(solver, **options):
    """What makes a Levenberg-Marquardt optimizer with much room."""
    return functools.partial(LevenbergMarquardt, solver, memory=ROOM, **options)


CHOICES = {
    "parameters": {
        "adam": Choice(functools.partial(accuracy.adam, 1e-3), 4_000, 1),
        "lbfgs": Choice(functools.partial(LBFGS, 100), 4_000, 200),
        "spring": Choice(functools.partial(SPRING, memory=ROOM), 500, 1),
        "kernel": Choice(least_squares("kernel"), 1_000, 5),
        "sketch": Choice(least_squares("sketch", rank=1_000), 4_000, 5),
    },
    "points": {
        "adam": Choice(accuracy.adam, MANY_POINTS),
        "lbfgs": Choice(functools.partial(LBFGS, 100), MANY_POINTS),
        "dense": Choice(least_squares("dense"), MANY_POINTS),
        "sketch": Choice(least_squares("sketch"), MANY_POINTS),
    },
}


def rows_of(points):
    """The number of points of all sets."""
    first = next(iter(points.values()))
    return sum(map(rows_of, points.values())) if isinstance(first, dict) else len(first)


def first_rows(points, share):
    """The first rows of all arrays, so many of each in proportion."""
    if isinstance(points, dict):
        return {name: first_rows(array, share) for name, array in points.items()}
    return points[: math.ceil(share * len(points))]


def several(draw, count, seed):
    """About `count` points of what `draw` gives, the sets in proportion."""
    total = rows_of(draw(seed))
    draws = [draw(seed + 10_000 * number) for number in range(math.ceil(count / total))]
    return first_rows(merged(draws), count / (total * len(draws)))


def trained(case, problem, optimizer, seconds):
    """One training: a dict with the curve of errors, the time of a step and the memory."""
    kpinn.set_float64()
    choice = CHOICES[case][optimizer]
    given = PROBLEMS[problem](*SIZES[case])
    points = functools.partial(several, given.points, choice.points)
    given = replace(given, points=points, fresh=None)
    is_adam, every = accuracy.is_adam(choice.make), choice.every
    if every and not is_adam:
        every *= 2  # which is halved where points are uniform
    run = accuracy.train(given, [(choice.make, 1.0, every)], 0, seconds, uniform=True)
    steps = run["iterations"] - (accuracy.STEPS if is_adam else 1)  # after the first record
    first, last = run["curve"][0][0], run["curve"][-1][0]
    run["step"] = (last - first) / steps if steps else None
    run["mebibytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    run["points"] = rows_of(points(0))
    return run


def error_after(curve, seconds):
    """The last error that was recorded by then, as text."""
    found = [error for time, error, _ in curve if time <= seconds]
    return f"{found[-1]:.1e}" if found else "-"


def row(problem, optimizer, seconds, run):
    """A row of the table."""
    errors = [error_after(run["curve"], part * seconds) for part in PARTS[:-1]]
    return (
        problem,
        f"{run['parameters']}",
        optimizer,
        f"{run['points']}",
        f"{run['iterations']}",
        "-" if run["step"] is None else f"{run['step']:.2g}",
        f"{run['mebibytes']:.0f}",
        *errors,
        f"{run['error']:.1e}",
    )


def in_process(*arguments):
    """The dict of a training that runs in a process of its own."""
    command = [sys.executable, __file__, "--one", *map(str, arguments)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{found.stderr[-2000:]}")
    return json.loads(found.stdout.splitlines()[-1])


def arguments():
    """What was asked for on the command line."""
    names = dict.fromkeys(name for choices in CHOICES.values() for name in choices)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=CHOICES, default=list(CHOICES))
    parser.add_argument("--problems", nargs="+", default=["burgers", "poisson_5d"])
    parser.add_argument("--optimizers", nargs="+", choices=names, default=list(names))
    parser.add_argument("--seconds", type=float, default=150.0, help="of each training")
    parser.add_argument("--short", action="store_true", help="one step of one optimizer")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    given = arguments()
    if given.one:
        case, problem, optimizer, seconds = given.one
        print(json.dumps(trained(case, problem, optimizer, float(seconds))))
        return
    seconds = 1.0 if given.short else given.seconds
    errors = [f"error after {part * seconds:.0f} s" for part in PARTS]
    head = "problem", "parameters", "optimizer", "points", "steps", "s a step", "MiB", *errors
    accuracy.print_row(head)
    accuracy.print_row(["---"] * len(head))
    for case in given.case[:1] if given.short else given.case:
        for problem in given.problems[:1] if given.short else given.problems:
            chosen = [name for name in CHOICES[case] if name in given.optimizers]
            for optimizer in chosen[:1] if given.short else chosen:
                run = in_process(case, problem, optimizer, seconds)
                accuracy.print_row(row(problem, optimizer, seconds, run))


if __name__ == "__main__":
    main()
