"""What the gradient of a PDE's loss costs: operators, methods, widths, dtypes; other frameworks.

One step is the gradient of the mean squared residual with respect to all weights of a tanh network,
through `kpinn.derivatives` in one `tf.function`, with XLA and without. Last comes the sine problem
(101 points, 3 hidden layers of 10 units, value and slope), in milliseconds per epoch of `fit`.

The steps of one operator, width, dtype and number of points are called in turn, never two at once,
those of kpinn in one process, those of each other framework in another. A "merged" operator asks
for the terms with constant factors as one sum, as a `kpinn.PINN` does by itself; an "unknown" one
does so with tensors as factors.

Times are medians with quartiles; "first" is the first call, with tracing and compiling. A ratio is
the median over rounds of the time of "auto" (of taylor, where that is not measured) divided by the
other's, of the faster of XLA and plain on each side. "work" are the passes through the network:
channels of taylor, evaluations per point of finite differences, gradients of "reverse". "error" is
the largest over the requests of the relative root mean square error of the values at 8 points,
without XLA (of the residuals, for a merged operator); its truth shares no code with kpinn
(`operators.py`). "differs" compares the step's result, the gradient, with that of "auto" (for the
sine problem: the loss after as many epochs).

The method "recompute" is `kpinn.Taylor(recompute=True)`.

With `--memory` each step also runs in a new process, and "MB" is the most memory that TensorFlow
allocates while it runs, beside what stays (the weights and the points).

Other frameworks run with the same weights and points: JAX, PyTorch with and without
`torch.compile`, DeepXDE on PyTorch. One that is not installed, fails or crashes is left out with a
line that says so.

It takes long; `--dtypes`, `--points` and others choose what is measured.

Run: python benchmarks/derivatives.py [--quick] [--memory] [--peers] [--json FILE] [--help]
"""

import argparse
import dataclasses
import functools
import itertools
import json
import multiprocessing
import os
import pathlib
import platform
import statistics
import sys

import numpy as np
from operators import OPERATORS, SINE, SINE_CASE, Case
from report import print_head, print_rows, print_summary
from timing import alternately, median_ratio, quartiles
from worker import LostError, RemoteError, Worker

METHODS = ("auto", "taylor", "finite_difference", "reverse", "forward")
# Module, and its functions for operators and for the sine problem.
PEERS = {
    "JAX": ("steps_jax", "steps", "sine"),
    "PyTorch": ("steps_torch", "steps", "sine"),
    "torch.compile": ("steps_torch", "compiled_steps", "compiled_sine"),
    "DeepXDE": ("steps_deepxde", "steps", "sine"),
}
os.environ.setdefault("DDE_BACKEND", "pytorch")  # DeepXDE reads it when it is imported
RATE = 1e-3
MANY = 10  # coordinates: with more of them tracing the method "forward" takes a minute
QUICK = ("u_xx", "burgers_merged", "laplacian_3", "biharmonic", SINE)


class Peers:
    """The other frameworks, each in its process, until it fails to start or crashes.

    Args:
        names: of `PEERS`.
    """

    def __init__(self, names):
        self.workers = {}
        for name in names:
            try:
                self.workers[name] = Worker(PEERS[name][0])
            except RemoteError as error:
                print(f"{name} is left out: {_first_line(error)}", flush=True)

    def close(self):
        """Ends the processes."""
        for worker in self.workers.values():
            worker.close()

    def steps(self, case, *arguments):
        """For each key of a step the framework, the worker, and what its first call returned."""
        made = {}
        self.workers = {name: worker for name, worker in self.workers.items() if worker.alive()}
        for name, worker in list(self.workers.items()):
            function = PEERS[name][1 + (case.operator == SINE)]
            try:
                for key in worker.make(function, case, *arguments):
                    made |= self._first(name, worker, key, case)
            except LostError as error:
                made = {key: each for key, each in made.items() if each[0] != name}
                note(f"{name} is left out from {case} on: {error}")
                del self.workers[name]
        return made

    def _first(self, name, worker, key, case):
        try:
            return {key: (name, worker, *worker.first(key))}
        except RemoteError as error:
            note(f"{key[0]} is left out of {case}: {_first_line(error)}")
            return {}


def _first_line(error):
    return str(error).splitlines()[0]


def note(text):
    """Prints beside the table."""
    print(text, file=sys.stderr, flush=True)


# Measuring ---------------------------------------------------------------------------------


def measure(case, options, worker, peers):
    """The rows of one case."""
    sine = case.operator == SINE
    arguments = (options.epochs, RATE) if sine else ()
    methods = [name for name in options.methods if name != "forward" or case.sizes[0] <= MANY]
    keys = worker.make("sine" if sine else "steps", case, *arguments, methods)
    made = {key: ("kpinn", worker, *worker.first(key)) for key in keys}
    made |= peers.steps(case, *arguments)
    measures = {key: worker.timed(key) for key, (_, worker, *_) in made.items()}
    times = alternately(measures, options.rounds, options.seconds)
    if sine:
        times = {key: [each / options.epochs for each in times[key]] for key in times}
    rows = rows_of(case, made, times)
    for row in rows:
        if row["framework"] == "kpinn" and not sine:
            row |= {what: worker.call(what, case, row["method"]) for what in ("error", "work")}
            if options.memory:
                row["megabytes"] = {v: peak(case, row["method"], v) for v in row["seconds"]}
    return rows


def rows_of(case, made, times):
    """One row for each method, with what was measured of it."""
    variants = {}
    for name, variant in made:
        variants.setdefault(name, []).append(variant)
    best = {
        name: min((times[name, v] for v in each), key=statistics.median)
        for name, each in variants.items()
    }
    rows, own = [], "auto" if "auto" in variants else "taylor"
    for name, each in variants.items():
        row = dataclasses.asdict(case) | {
            "method": name,
            "framework": made[name, each[0]][0],
            "seconds": {v: times[name, v] for v in each},
            "first_seconds": {v: made[name, v][2] for v in each},
        }
        if own in variants:
            expected = made[own, "XLA"][3]
            row["differs"] = max(difference(made[name, v][3], expected) for v in each)
        if own in variants and name != own:
            row["ratio"] = median_ratio(best[own], best[name])
        rows.append(row)
    return rows


def difference(arrays, expected):
    """The relative difference of two lists of arrays."""
    arrays, expected = (np.concatenate([np.ravel(a) for a in b]) for b in (arrays, expected))
    return float(np.linalg.norm(arrays - expected) / np.linalg.norm(expected))


def peak(case, method, variant):
    """The peak memory of a step in a new process, `None` if it is too much for this machine."""
    try:
        with Worker("steps_kpinn", TF_CPU_ALLOCATOR_USE_BFC="true") as worker:  # which counts
            return worker.call("peak", case, method, variant)
    except LostError as error:
        note(f"{method} with {case}: {error}")
        return None


# The command -------------------------------------------------------------------------------


def parse_options():
    names = [*OPERATORS, SINE]
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = functools.partial(parser.add_argument, nargs="+")
    add("--operators", choices=names, metavar="NAME", help=", ".join(names))
    add("--methods", choices=[*METHODS, "recompute"], default=METHODS)
    add("--widths", type=int, default=[20, 64, 128, 256])
    add("--dtypes", choices=["float32", "float64"], default=["float32"])
    add("--points", type=int, default=[1_000])
    add("--peers", nargs="*", choices=PEERS, help="other frameworks, all of them without a name")
    add = parser.add_argument
    add("--depth", type=int, default=4)
    add("--epochs", type=int, default=2_000, help="of the sine problem")
    add("--rounds", type=int, default=15)
    add("--seconds", type=float, default=3.0, help="for all rounds of one step")
    add("--gigabytes", type=float, default=8.0, help="cases that would need more are left out")
    add("--memory", action="store_true", help="measure peak memory too, in further processes")
    add("--json", type=pathlib.Path, metavar="FILE", help="write all that was measured")
    add("--quick", action="store_true", help="tiny sizes, to see that everything runs")
    options = parser.parse_args()
    if options.peers == []:
        options.peers = list(PEERS)
    options.operators = options.operators or (QUICK if options.quick else names)
    if options.quick:
        options.widths, options.depth, options.points = [8], 1, [50]
        options.dtypes, options.rounds, options.epochs = ["float32"], 2, 20
    return options


def cases(options):
    """Lists of cases that may share a process: TensorFlow keeps all that XLA has compiled."""
    for operator in options.operators:
        if operator == SINE:
            yield [SINE_CASE]
            continue
        for points, dtype in itertools.product(options.points, options.dtypes):
            widths = options.widths
            group = [Case(operator, width, options.depth, dtype, points) for width in widths]
            for case in group:
                if gigabytes(case) > options.gigabytes:
                    note(f"{case} is left out: about {gigabytes(case):.0f} GB")
            yield [case for case in group if gigabytes(case) <= options.gigabytes]


def gigabytes(case):
    """An estimate of what nested tapes need, the most of all methods; `--memory` measures it."""
    order = {1: 1, 2: 1, 3: 4, 4: 12}[OPERATORS[case.operator].order]
    values = (2 * case.sizes[0] + 1) * case.points * case.width * case.depth * order
    return 3e-9 * values * np.dtype(case.dtype).itemsize


def write(path, options, rows):
    """All that was measured, as JSON."""
    for row in rows:
        row["quartiles"] = {v: quartiles(times) for v, times in row["seconds"].items()}
    with Worker("steps_kpinn") as worker:
        versions = worker.call("versions")
    content = {
        "versions": versions,
        "machine": platform.platform(),
        "processors": multiprocessing.cpu_count(),
        "options": {key: value for key, value in vars(options).items() if key != "json"},
        "rows": rows,
    }
    path.write_text(json.dumps(content, indent=1))


def measure_group(group, options, peers):
    """The rows of cases, which it prints; without the rest where a process ends on its own."""
    rows = []
    with Worker("steps_kpinn") as worker:
        for case in group:
            try:
                found = measure(case, options, worker, peers)
            except LostError as error:
                note(f"{case} and those after it are left out: {error}")
                break
            print_rows(found)
            rows += found
    return rows


def main():
    options = parse_options()
    peers = Peers(options.peers or ())
    print_head()
    rows = [row for group in cases(options) for row in measure_group(group, options, peers)]
    peers.close()
    print_summary(rows)
    if options.json:
        write(options.json, options, rows)


if __name__ == "__main__":
    main()
