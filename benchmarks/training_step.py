"""What one training step costs through `fit`: methods, XLA, dtypes, and Keras's own loop.

Everything of one row is measured alternately in this process; numbers are medians, and a ratio is
that of two numbers of one row. A step is the difference of a long and a short `fit`; what a `fit`
takes before its first step, in which conditions are checked at their points, is "start". "taylor /
it" compares the faster of XLA and plain on each side. First is the time of the first call: tracing
and compiling.

Run: python benchmarks/training_step.py [--quick]
"""

import statistics
import sys
import time

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from timing import alternately, timed

import kpinn

QUICK = "--quick" in sys.argv
METHODS = ["taylor", "reverse", "forward", "finite_difference"]


def sine_value(x, u):
    return u - ops.sin(x)


def sine_slope(x, u_x):
    return u_x - ops.cos(x)


def momentum(u, u_t, u_x, u_xx):
    return u_t + u * u_x - 0.01 / np.pi * u_xx


def laplace(laplacian_u):
    return laplacian_u


def sine():
    return "x", [sine_value, sine_slope], {"x": np.arange(101) / 10.0}, (10, 3)


def burgers(points):
    box = kpinn.domains.Box(t=(0, 1), x=(-1, 1))
    return "t x", [momentum], box.sample(points), (20, 6)


def laplacian(dimension, points):
    box = kpinn.domains.Box(x=([0] * dimension, [1] * dimension))
    return f"x[{dimension}]", [laplace], box.sample(points), (64, 4)


PROBLEMS = {
    "sine, 101 points, 3 x 10": (sine, 3_000),
    "Burgers, 1,000 points, 6 x 20": (lambda: burgers(1_000), 100),
    "Burgers, 10,000 points, 6 x 20": (lambda: burgers(10_000), 30),
    "Laplacian in 3 dimensions, 2,000 points, 4 x 64": (lambda: laplacian(3, 2_000), 30),
}


def make(problem, method, jit_compile):
    coordinates, conditions, points, (units, depth) = problem()
    keras.utils.set_random_seed(0)
    network = kpinn.networks.MLP(units=units, depth=depth)
    pinn = kpinn.PINN(network, coordinates, "u", conditions=conditions, method=method)
    pinn.compile(keras.optimizers.Adam(1e-3), jit_compile=jit_compile)
    start = time.perf_counter()
    pinn.fit(points, verbose=0)
    return pinn, points, time.perf_counter() - start


def medians(functions, rounds):
    """Median seconds of each function, called in turn."""
    measures = {name: timed(function) for name, function in functions.items()}
    found = alternately(measures, rounds)
    return {name: statistics.median(times) for name, times in found.items()}


def fits(pinn, points, count):
    """A short and a long `fit`, by their number of steps."""

    def fit(steps):
        return lambda: pinn.fit(points, steps_per_epoch=steps, verbose=0)

    return {steps: fit(steps) for steps in (1, count + 1)}


def steps_and_starts(made, count, rounds):
    """Median milliseconds of a step, and of what comes before the first, of each PINN."""
    every = {(key, n): f for key, it in made.items() for n, f in fits(*it, count).items()}
    seconds = medians(every, rounds)
    steps = {key: (seconds[key, count + 1] - seconds[key, 1]) / count for key in made}
    return {key: (1e3 * step, 1e3 * (seconds[key, 1] - step)) for key, step in steps.items()}


HEAD = "problem", "dtype", "method", "XLA ms", "plain ms", "XLA / plain", "taylor / it", "start ms"
HEAD += "first XLA s", "plain s"


def methods_table():
    print(f"| {' | '.join(HEAD)} |")
    print("|---" * len(HEAD) + "|")
    for title, (problem, count) in PROBLEMS.items():
        count = max(1, count // 10) if QUICK else count
        made, first = {}, {}
        for method in METHODS:
            for jit in (True, False):
                if method == "forward" and jit:
                    continue  # XLA compiles it anew in each step
                *made[method, jit], first[method, jit] = make(problem, method, jit)
        found = steps_and_starts(made, count, 1 if QUICK else 7)
        best = {m: min(found[key][0] for key in found if key[0] == m) for m in METHODS}
        for method in METHODS:
            plain, start = found[method, False]
            xla = found.get((method, True), (np.nan,))[0]
            numbers = [
                f"{xla:.3f}",
                f"{plain:.3f}",
                f"{xla / plain:.2f}",
                f"{best['taylor'] / best[method]:.2f}",
                f"{start:.0f}",
                f"{first.get((method, True), np.nan):.1f}",
                f"{first[method, False]:.1f}",
            ]
            row = [title, keras.config.floatx(), f"`{method}`", *numbers]
            print(f"| {' | '.join(row)} |".replace("nan", "-"), flush=True)


def loops_table():
    """Epochs of one full batch: this library's loop beside Keras's own on the same model."""
    count = 50 if QUICK else 500
    pinn, points, _ = make(sine, "reverse", True)
    tensors = {"x": tf.constant(points["x"][:, None], pinn.dtype)}
    dataset = tf.data.Dataset.from_tensors(tensors).repeat()
    waits = keras.callbacks.Callback()  # a callback that could act after each epoch
    per_epoch = {
        "arrays": lambda: pinn.fit(points, epochs=count, verbose=0),
        "arrays, with a callback": lambda: pinn.fit(
            points, epochs=count, verbose=0, callbacks=[waits]
        ),
        "arrays, as steps of one epoch": lambda: pinn.fit(points, steps_per_epoch=count, verbose=0),
        "Keras's loop, repeated dataset": lambda: pinn.fit(
            dataset, epochs=count, steps_per_epoch=1, verbose=0
        ),
        "Keras's loop, as steps of one epoch": lambda: pinn.fit(
            dataset, steps_per_epoch=count, verbose=0
        ),
    }
    found = medians(per_epoch, 1 if QUICK else 5)
    print("\n| the sine problem, full batches given as | ms per step | ratio |\n|---|---|---|")
    for name, seconds in found.items():
        print(f"| {name} | {1e3 * seconds / count:.3f} | {seconds / found['arrays']:.1f} |")


if __name__ == "__main__":
    methods_table()
    if not QUICK:
        kpinn.set_float64()
        methods_table()
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
    loops_table()
