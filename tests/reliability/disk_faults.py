"""A disk that refuses, and signals, in a training: `python tests/reliability/disk_faults.py`.

A small training saves after each epoch. At random calls of its saves the disk is full (ENOSPC),
fails (EIO) or refuses (EACCES, EROFS); files may have no more than some bytes (RLIMIT_FSIZE); the
folder is read-only. `fit` must raise an `OSError` that names the path and the cause, the model must
have its weights, and the last good checkpoint must be found. Then processes get SIGTERM and SIGINT
at random instants: they must end within ten seconds, with a good checkpoint.
"""

import argparse
import contextlib
import errno
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import faults
import keras
import numpy as np
import trainings

import kpinn
from kpinn.training.checkpoints import files

CAUSES = ("ENOSPC", "EIO", "EACCES", "EROFS")
SECONDS = 10  # after which a process must have left


class Refusing(keras.callbacks.Callback):
    """Lets the disk refuse from a call in the save after an epoch on."""

    def __init__(self, epoch, number, cause):
        super().__init__()
        code = getattr(errno, cause)

        def refuse(name, do_half):
            do_half()
            raise OSError(code, os.strerror(code))

        self.epoch, self.faulty = epoch, faults.Faulty(number, refuse)
        self.stack = contextlib.ExitStack()

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            self.stack.enter_context(self.faulty.active())


@contextlib.contextmanager
def limited_files(most):
    """No file may be longer than so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class Limiting(keras.callbacks.Callback):
    """Limits the length of files from the end of an epoch on."""

    def __init__(self, epoch, most):
        super().__init__()
        self.epoch, self.most, self.stack = epoch, most, contextlib.ExitStack()

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            self.stack.enter_context(limited_files(self.most))


def model():
    keras.utils.set_random_seed(0)
    pinn = trainings.model(units=4, depth=1)
    pinn.compile("adam", jit_compile=False)
    return pinn


def outcome(fault, pinn=None):
    """What becomes of a training with a fault: `"good"`, or what is wrong.

    Args:
        fault: a callback with an `ExitStack`, and the number of the epoch after which it acts.
        pinn: the model; by default a new one.
    """
    pinn, root = pinn or model(), tempfile.mkdtemp(prefix="disk-")
    pinn._state.finished_fits.clear()
    checkpoint = kpinn.callbacks.Checkpoint(root, every=1)
    try:
        try:
            pinn.fit(trainings.points(), epochs=6, verbose=0, callbacks=[checkpoint, fault])
            return "passed"  # the call was one that only tidies up
        except OSError as error:
            message = str(error)
        finally:
            fault.stack.close()
        if root not in message or "cannot be written" not in message:
            return f"unclear: {message}"
        if not all(np.isfinite(v.numpy()).all() for v in pinn.trainable_variables):
            return "the weights are lost"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            newest = files.listed(root)[1][-1]
            epoch = files.read(os.path.join(root, newest))["epoch"]
        return "good" if epoch in (fault.epoch, fault.epoch + 1) else f"epoch {epoch} is left"
    finally:
        shutil.rmtree(root, ignore_errors=True)


def refusals(count, seed):
    """Outcomes of faults at random calls, by cause."""
    generator, calls, pinn = random.Random(seed), faults.count_calls(), model()
    found = {cause: [] for cause in (*CAUSES, "RLIMIT_FSIZE")}
    for cause in CAUSES:
        for _ in range(count):
            fault = Refusing(generator.randrange(1, 5), generator.randrange(calls), cause)
            found[cause].append(outcome(fault, pinn))
    for _ in range(count):
        fault = Limiting(generator.randrange(1, 5), generator.randrange(1, 4_000))
        found["RLIMIT_FSIZE"].append(outcome(fault, pinn))
    return found


# Signals -------------------------------------------------------------------------------------


def child(root):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs of a shell may ignore it
    pinn = model()
    checkpoint = kpinn.callbacks.Checkpoint(root, every=50)
    print("begins", flush=True)
    pinn.fit(trainings.points(), epochs=10**9, verbose=0, callbacks=[checkpoint])


def after_signal(number, wait):
    """Seconds from a signal to the end of a process, its status, and the epoch that is saved."""
    root = tempfile.mkdtemp(prefix="signals-")
    process = subprocess.Popen(
        [sys.executable, __file__, "--child", root],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        process.stdout.readline()
        while not files.listed(root):
            time.sleep(0.01)
        time.sleep(wait)
        begin = time.monotonic()
        process.send_signal(number)
        status = process.wait(6 * SECONDS)
        seconds = time.monotonic() - begin
        newest = files.listed(root)[1][-1]
        return seconds, status, files.read(os.path.join(root, newest))["epoch"]
    finally:
        process.kill()
        shutil.rmtree(root, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20, help="faults of each cause")
    parser.add_argument("--signals", type=int, default=10, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return child(given.child)
    good = True
    print("| fault | number | clear error, weights and checkpoint kept | went on | otherwise |")
    print("|---|---|---|---|---|")
    for cause, outcomes in refusals(given.count, given.seed).items():
        others = [each for each in outcomes if each not in ("good", "passed")]
        counts = [len(outcomes), outcomes.count("good"), outcomes.count("passed"), len(others)]
        print(f"| {cause} | {' | '.join(map(str, counts))} |", *others[:1], flush=True)
        good &= not others
    print("\n| signal | number | good checkpoint | status | longest, s |\n|---|---|---|---|---|")
    generator = random.Random(given.seed)
    for number, expected in ((signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)):
        found = [after_signal(number, generator.uniform(0, 2)) for _ in range(given.signals)]
        longest, statuses = max(each[0] for each in found), {each[1] for each in found}
        print(f"| {number.name} | {len(found)} | {len(found)} | {statuses} | {longest:.1f} |")
        good &= longest < SECONDS and statuses <= {expected, 128 + number, 1}
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
