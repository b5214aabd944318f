"""Memory and traces over many steps with fresh points, of Adam, L-BFGS and Levenberg-Marquardt.

    python tests/reliability/soak.py [--steps 1_000_000]

The steps are divided: 97 % are Adam's on arrays, 1 % each of the others, whose steps take longer.
Points are drawn anew every so many epochs, by `Resample`, or come as a dataset. The resident memory
is read after a tenth of the steps of each, when all is compiled, and at the end; traces are the
times that Python calls a condition, which a compiled step never does: nine more calls of `fit` add
one each, that of the check before the first step, and looking at the counter adds one.
"""

import argparse
import gc
import itertools
import os
import time

import keras
import numpy as np
import tensorflow as tf

import kpinn

BOX = kpinn.domains.Box(t=(0, 1), x=(0, 1))
KINDS = {
    "Adam, arrays": (0.97, lambda: keras.optimizers.Adam(1e-3)),
    "Adam, a dataset": (0.01, lambda: keras.optimizers.Adam(1e-3)),
    "LBFGS": (0.01, kpinn.optimizers.LBFGS),
    "LevenbergMarquardt": (0.01, kpinn.optimizers.LevenbergMarquardt),
}


def resident():
    """The resident memory of this process, in MiB."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def sample(seed):
    """Points of a seed."""
    return {"heat": BOX.sample(64, seed=seed), "start": BOX.face(t=0).sample(16, seed=seed)}


class Soak:
    """A model that is trained for a while.

    Args:
        kind: one of `KINDS`.

    Attributes:
        calls: counts how often Python calls a condition.
    """

    def __init__(self, kind):
        keras.utils.set_random_seed(0)
        self.kind, self.epochs, calls = kind, 0, itertools.count()

        def heat(u_t, u_xx):
            next(calls)
            return u_t - u_xx

        def start(x, u):
            return u - keras.ops.sin(np.pi * x)

        network = kpinn.networks.MLP(units=8, depth=2)
        self.pinn = kpinn.PINN(network, "t x", "u", conditions=[heat, start])
        self.calls = calls
        self.pinn.compile(KINDS[kind][1](), jit_compile=kind == "Adam, arrays")

    def run(self, steps):
        """Trains for about so many steps."""
        pinn, first = self.pinn, self.epochs
        if self.kind == "Adam, a dataset":
            dataset = tf.data.Dataset.range(steps).map(_drawn)
            pinn.fit(dataset, verbose=0)
        elif self.kind == "Adam, arrays":
            self.epochs += max(steps // 500, 1)
            resample = kpinn.callbacks.Resample(sample, every=1)
            options = {"initial_epoch": first, "callbacks": [resample]}
            pinn.fit(sample(first), epochs=self.epochs, steps_per_epoch=500, verbose=0, **options)
        else:
            self.epochs += steps
            resample = kpinn.callbacks.Resample(sample, every=20)
            options = {"initial_epoch": first, "callbacks": [resample]}
            pinn.fit(sample(first), epochs=self.epochs, verbose=0, **options)


def _drawn(_):
    x = tf.random.uniform((16, 1))
    return {
        "heat": {"t": tf.random.uniform((64, 1)), "x": tf.random.uniform((64, 1))},
        "start": {"t": tf.zeros((16, 1)), "x": x},
    }


def soak(kind, steps):
    """Trains in ten parts; returns memory and traces after the first and after the last of them.

    Args:
        kind: one of `KINDS`.
        steps: about how many.

    Returns:
        Pairs of MiB and calls of a condition; and the seconds it took.
    """
    model, begin, found = Soak(kind), time.perf_counter(), []
    for part in range(10):
        model.run(max(steps // 10, 1))
        if part in (0, 9):
            gc.collect()
            found.append((resident(), next(model.calls)))
    return found, time.perf_counter() - begin


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    total = parser.parse_args().steps
    print("| steps of | number | MiB | MiB at the end | growth | calls | at the end | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for kind, (part, _) in KINDS.items():
        steps = int(part * total)
        ((low, calls), (high, later)), seconds = soak(kind, steps)
        growth = f"{100 * (high / low - 1):.1f} %"
        row = kind, steps, f"{low:.0f}", f"{high:.0f}", growth, calls, later, f"{seconds:.0f}"
        print(f"| {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    main()
