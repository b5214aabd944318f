"""What a step takes by how its mini-batches come: arrays, and datasets made in several ways.

Burgers' equation at 10,000 points with 5,000 of them in a step, and walls at 1,000 with 100. All is
measured alternately in this process; a step is the difference of a long and a short `fit`, divided
by the steps between, and ratios are to that of arrays with a batch size for each set.

Run: python benchmarks/batches.py [--quick]
"""

import statistics
import sys

import keras
import numpy as np
import tensorflow as tf
from timing import alternately, timed

import kpinn

QUICK = "--quick" in sys.argv
COUNTS = {"momentum": 1_000, "walls": 200} if QUICK else {"momentum": 10_000, "walls": 1_000}
SIZES = {"momentum": 500, "walls": 20} if QUICK else {"momentum": 5_000, "walls": 100}
STEPS = 10 if QUICK else 40
ROUNDS = 1 if QUICK else 7
BOX = kpinn.domains.Box(t=(0, 1), x=(-1, 1))


def momentum(u, u_t, u_x, u_xx):
    return u_t + u * u_x - 0.01 / np.pi * u_xx


def walls(u):
    return u


def float32(arrays):
    return {name: tf.constant(array, tf.float32) for name, array in arrays.items()}


POINTS = {
    "momentum": float32(BOX.sample(COUNTS["momentum"], seed=0)),
    "walls": float32(
        {n: a for n, a in BOX.boundary("x").sample(COUNTS["walls"]).items() if n != "n"}
    ),
}


def by_point():
    """As one writes it first: a dataset of points, shuffled and put together again."""
    sets = {
        name: tf.data.Dataset.from_tensor_slices(POINTS[name])
        .shuffle(COUNTS[name])
        .repeat()
        .batch(size, drop_remainder=True)
        for name, size in SIZES.items()
    }
    return tf.data.Dataset.zip(sets).prefetch(2)


def by_batch():
    """A dataset of whole batches, as in `docs/training.md`: the order is drawn for all points."""

    def batches(arrays, size):
        count = len(next(iter(arrays.values())))

        def shuffled(arrays):
            rows = tf.reshape(
                tf.random.shuffle(tf.range(count))[: count - count % size], (-1, size)
            )
            return {name: tf.gather(array, rows) for name, array in arrays.items()}

        return tf.data.Dataset.from_tensors(arrays).repeat().map(shuffled).unbatch()

    sets = {name: batches(POINTS[name], size) for name, size in SIZES.items()}
    return tf.data.Dataset.zip(sets).prefetch(2)


def fresh():
    """New points in each step."""

    def draw(_):
        t, x = (tf.random.uniform((SIZES["momentum"], 1)) for _ in range(2))
        s = tf.random.uniform((SIZES["walls"], 1))
        sides = tf.where(tf.random.uniform((SIZES["walls"], 1)) < 0.5, -1.0, 1.0)
        return {"momentum": {"t": t, "x": 2 * x - 1}, "walls": {"t": s, "x": sides}}

    return tf.data.Dataset.range(1).repeat().map(draw).prefetch(2)


def fit(x, steps_per_execution="auto", **arguments):
    """A function from a number of steps to a function that makes them."""
    keras.utils.set_random_seed(0)
    network = kpinn.networks.MLP(units=20, depth=6)
    pinn = kpinn.PINN(network, "t x", "u", conditions=[momentum, walls])
    pinn.compile("adam", steps_per_execution=steps_per_execution)
    return lambda steps: lambda: pinn.fit(x, steps_per_epoch=steps, verbose=0, **arguments)


def main():
    per_execution = STEPS // 2
    made = {
        "arrays, `batch_size` for each set": fit(POINTS, batch_size=SIZES),
        "arrays, one `batch_size`": fit(POINTS, batch_size=SIZES["momentum"]),
        "`Dataset` of points, shuffled and batched": fit(by_point()),
        "`Dataset` of whole batches": fit(by_batch()),
        "the same, `steps_per_execution`": fit(by_batch(), per_execution),
        "`Dataset` of fresh points": fit(fresh()),
    }
    every = {
        (name, n): f(n) for name, f in made.items() for n in (per_execution, 3 * per_execution)
    }
    times = alternately({key: timed(function) for key, function in every.items()}, ROUNDS)
    seconds = {}
    for name in made:
        short, long = (times[name, n] for n in (per_execution, 3 * per_execution))
        steps = [(b - a) / (2 * per_execution) for a, b in zip(short, long, strict=True)]
        seconds[name] = statistics.median(steps)
    first = next(iter(seconds.values()))
    print("| mini-batches from | ms per step | ratio |\n|---|---|---|")
    for name, each in seconds.items():
        print(f"| {name} | {1e3 * each:.1f} | {each / first:.1f} |", flush=True)


if __name__ == "__main__":
    main()
