"""What a checkpoint costs: `python tests/reliability/checkpoint_cost.py`.

For each network and optimizer the median time of a checkpoint and of Keras's `save_weights`, whose
files are not flushed to the disk; and the time of a training with a
checkpoint at the begin and the end beside that of one without, in which many epochs are one call.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import trainings

import kpinn

NETWORKS = ((20, 4), (50, 4), (200, 4))
OPTIMIZERS = ("Adam", "LBFGS", "LM")
LARGEST = 5_000  # parameters for Levenberg-Marquardt


class Timed(kpinn.callbacks.Checkpoint):
    """Takes the time of each save."""

    def _save(self, *args, **kwargs):
        begin = time.perf_counter()
        super()._save(*args, **kwargs)
        self.seconds = [*getattr(self, "seconds", ()), time.perf_counter() - begin]


def seconds(function, count):
    """The median time of a function."""
    found = []
    for _ in range(count):
        begin = time.perf_counter()
        function()
        found.append(time.perf_counter() - begin)
    return statistics.median(found)


def model(units, depth, optimizer):
    keras.utils.set_random_seed(0)
    pinn = trainings.model(units=units, depth=depth)
    pinn.compile(trainings.OPTIMIZERS[optimizer](), jit_compile=False)
    return pinn


def saves(units, depth, optimizer, count, folder):
    """Milliseconds of a checkpoint and of `save_weights`."""
    pinn, points = model(units, depth, optimizer), trainings.points()
    timed = Timed(os.path.join(folder, "run"), every=1)
    pinn.fit(points, epochs=count, verbose=0, callbacks=[timed])
    weights = seconds(lambda: pinn.save_weights(os.path.join(folder, "x.weights.h5")), count)
    return 1e3 * statistics.median(timed.seconds), 1e3 * weights


def trainings_beside(epochs, folder):
    """CPU seconds of a training without and with a checkpoint at its begin and its end."""
    pinn, points = model(20, 2, "Adam"), trainings.points()
    pinn.fit(points, epochs=50, verbose=0)  # traces and compiles
    checkpoint, found = kpinn.callbacks.Checkpoint(os.path.join(folder, "t"), every=epochs), []
    for callbacks in 3 * [[], [checkpoint]]:  # in turn; a further call of fit begins anew
        begin = time.process_time()
        pinn.fit(points, epochs=epochs, verbose=0, callbacks=callbacks)
        found.append(time.process_time() - begin)
    return statistics.median(found[::2]), statistics.median(found[1::2])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20, help="checkpoints of each network")
    parser.add_argument("--epochs", type=int, default=10_000)
    given = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="cost-")
    print(
        "| network | optimizer | checkpoint ms | save_weights ms | ratio |\n|---|---|---|---|---|"
    )
    try:
        for units, depth in NETWORKS:
            for optimizer in OPTIMIZERS:
                if optimizer == "LM" and depth * units**2 > LARGEST:
                    continue
                own, weights = saves(units, depth, optimizer, given.count, folder)
                ratio = own / weights
                print(
                    f"| {depth} x {units} | {optimizer} | {own:.0f} | {weights:.0f} | {ratio:.2f} |"
                )
                shutil.rmtree(os.path.join(folder, "run"))
        without, beside = trainings_beside(given.epochs, folder)
        part = 100 * (beside / without - 1)
        print(f"\n{given.epochs} epochs of Adam: {without:.2f} s of CPU, {beside:.2f} s with two")
        print(f"checkpoints, {part:.1f} % more")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
