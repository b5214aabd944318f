"""Memory of `fit`: `python tests/reliability/memory.py --points 1000000 --batch-size 1000`.

Each row is a process of its own. Its peak is that of the whole process; beside it stands what it
takes beyond the process that has only made the model and the points.
"""

import argparse
import gc
import os
import resource
import subprocess
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

STAGES = {
    "points": "model and points",
    "start": "fit(epochs=0): the start check",
    "train": "fit(epochs=1): and the training",
    "12": "fit on sets of 12 sizes",
    "24": "fit on sets of 24 sizes",
}


def heat(u_t, u_xx):
    """The heat equation."""
    return u_t - u_xx


def run(stage, points, batch_size):
    """One stage, in this process; returns the peak of its memory in MiB and its seconds."""
    import numpy as np

    import kpinn

    pinn = kpinn.PINN(kpinn.networks.MLP(units=20, depth=3), "t x", "u", conditions=[heat])
    pinn.compile("adam", jit_compile=False)
    generator, start = np.random.default_rng(0), time.time()

    def sample(count):
        return {name: generator.random((count, 1), np.float32) for name in ("t", "x")}

    many = sample(points)
    if stage in ("start", "train"):
        pinn.fit(many, batch_size=batch_size, epochs=int(stage == "train"), verbose=0)
    if stage.isdigit():
        for size in range(int(stage)):
            pinn.fit(sample(100 + size), epochs=1, verbose=0)
            gc.collect()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.time() - start


def measured(stage, points, batch_size):
    """The peak of a process of its own in MiB, and its seconds."""
    arguments = ["--stage", stage, "--points", str(points), "--batch-size", str(batch_size)]
    done = subprocess.run(
        [sys.executable, __file__, *arguments], capture_output=True, text=True, check=True
    )
    peak, seconds = done.stdout.split()[-2:]
    return float(peak), float(seconds)


def main(arguments=None):
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--batch-size", type=int, default=1_000)
    parser.add_argument("--stage", choices=list(STAGES), help="only this one, in this process")
    options = parser.parse_args(arguments)
    if options.stage:
        print(*run(options.stage, options.points, options.batch_size))
        return
    base = None
    print(f"{options.points} points, batch_size={options.batch_size}")
    print(f"{'':34} {'peak (MiB)':>12} {'beyond (MiB)':>13} {'seconds':>9}")
    for stage, label in STAGES.items():
        peak, seconds = measured(stage, options.points, options.batch_size)
        base = peak if base is None else base
        print(f"{label:34} {peak:12.0f} {peak - base:13.0f} {seconds:9.1f}")


if __name__ == "__main__":
    main()
