"""What a step takes by how its mini-batches come: arrays, and datasets made in several ways.

Burgers' equation at 20,000 points with 2,000 of them in a step, and walls at 1,000 with 100, so
that an epoch has ten steps. All is measured alternately in this process; a step is the difference
of a long and a short `fit`, divided by the steps between. A ratio is the median of those to arrays
with a batch size for each set, measured shortly before.

Run: python benchmarks/batches.py [--quick]
"""

import statistics
import sys

import keras
import numpy as np
import tensorflow as tf
from timing import alternately, median_ratio, timed

import kpinn

QUICK = "--quick" in sys.argv
COUNTS = {"momentum": 2_000, "walls": 200} if QUICK else {"momentum": 20_000, "walls": 1_000}
SIZES = {name: count // 10 for name, count in COUNTS.items()}
EPOCHS = 1, 6  # of a short and a long fit
ROUNDS = 1 if QUICK else 5
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
    """A function from a number of epochs to a function that makes them."""
    keras.utils.set_random_seed(0)
    network = kpinn.networks.MLP(units=20, depth=6)
    pinn = kpinn.PINN(network, "t x", "u", conditions=[momentum, walls])
    pinn.compile("adam", steps_per_execution=steps_per_execution)
    return lambda epochs: lambda: pinn.fit(x, epochs=epochs, verbose=0, **arguments)


def main():
    made = {
        "arrays, `batch_size` for each set": fit(POINTS, batch_size=SIZES),
        "arrays, one `batch_size`": fit(POINTS, batch_size=SIZES["momentum"]),
        "`Dataset` of points, shuffled and batched": fit(by_point(), steps_per_epoch=10),
        "`Dataset` of whole batches": fit(by_batch(), steps_per_epoch=10),
        "the same, `steps_per_execution=10`": fit(by_batch(), 10, steps_per_epoch=10),
        "`Dataset` of fresh points": fit(fresh(), steps_per_epoch=10),
    }
    every = {(name, n): f(n) for name, f in made.items() for n in EPOCHS}
    times = alternately({key: timed(function) for key, function in every.items()}, ROUNDS)
    short, long = EPOCHS
    steps = {
        name: [
            (b - a) / (10 * (long - short))
            for a, b in zip(times[name, short], times[name, long], strict=True)
        ]
        for name in made
    }
    first = next(iter(steps.values()))
    print("| mini-batches from | ms per step | ratio |\n|---|---|---|")
    for name, each in steps.items():
        print(f"| {name} | {1e3 * statistics.median(each):.1f} | {median_ratio(each, first):.1f} |")


if __name__ == "__main__":
    main()
