"""Kills a training at random instants until it is done: `python tests/reliability/kills.py`.

Each case of `trainings.CASES` is trained in a process of its own, without checkpoints and unbroken;
and with them in processes that are killed by SIGKILL at random instants and started again from the
top until one ends. All variables and logs are compared to the last bit. Then a save is killed in a
forked process before and in every call that writes, flushes or renames, and what is there is read.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import faults
import numpy as np
import trainings

# The process that trains ---------------------------------------------------------------------


def child(number, folder, broken):
    """Trains a case and writes its result; says when the training begins."""
    case = trainings.CASES[number]
    print("begins", flush=True)
    path = os.path.join(folder, "run") if broken else None
    result = trainings.train(case, path, every=1)
    write(folder, "broken" if broken else "unbroken", result)


def write(folder, kind, result):
    """Writes the variables and the logs of a training, for `equal`."""
    arrays = {f"{n}-{k}": a for n, each in enumerate(result[0]) for k, a in enumerate(each)}
    with open(os.path.join(folder, f"{kind}.json"), "w", encoding="utf8") as file:
        json.dump(result[1], file)
    np.savez(os.path.join(folder, f"{kind}.npz"), **arrays)


def start(number, folder, broken):
    arguments = [__file__, "--child", str(number), folder] + ["--broken"] * broken
    environment = os.environ | {"PYTHONWARNINGS": "error::UserWarning:kpinn"}
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, text=True, env=environment
    )
    if process.stdout.readline() != "begins\n":
        raise RuntimeError(f"case {number} did not begin: status {process.wait()}")
    return process


# The process that kills ----------------------------------------------------------------------


def kill_until_done(number, folder, kills, instants):
    """Starts a case until it ends; returns how often it was started, a tuple of one.

    The first `kills` starts are killed at a random time, or shortly after a random epoch was saved.
    """
    begin = time.monotonic()
    status = start(number, folder, False).wait()
    seconds = time.monotonic() - begin
    assert status == 0, f"the unbroken training of case {number} failed"
    epochs = trainings.EPOCHS * len(trainings.CASES[number].optimizers)
    for starts in range(1, kills + 2):
        process = start(number, folder, True)
        if starts > kills:
            break
        if instants.random() < 0.25:
            wait(process, lambda: False, instants.uniform(0.0, 0.7 * seconds))
        else:
            goal = saved(folder) + instants.randint(1, max(1, epochs // kills))
            wait(process, lambda goal=goal: saved(folder) >= goal, 60.0)
            time.sleep(instants.uniform(0.0, 0.1))
        process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            return (starts,)
    if process.wait() != 0:
        raise RuntimeError(f"case {number} failed at start {starts}")
    return (starts,)


def saved(folder):
    """How many checkpoints have been written."""
    path = os.path.join(folder, "run")
    names = os.listdir(path) if os.path.isdir(path) else []
    return max((int(name[:6]) for name in names if name[0] != "."), default=0)


def wait(process, is_time, seconds):
    """Waits until it is time, the process has ended or the seconds are over."""
    end = time.monotonic() + seconds
    while not is_time() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)


def equal(folder):
    """Whether variables, and whether logs agree to the last bit."""
    with (
        np.load(os.path.join(folder, "unbroken.npz")) as first,
        np.load(os.path.join(folder, "broken.npz")) as second,
    ):
        variables = first.files == second.files and all(
            first[name].tobytes() == second[name].tobytes() for name in first.files
        )
    texts = []
    for kind in ("unbroken", "broken"):
        with open(os.path.join(folder, f"{kind}.json"), encoding="utf8") as file:
            texts.append(file.read())
    return variables, texts[0] == texts[1]


def kill_cases(cases, numbers, until_done, settings, columns=("starts",)):
    """Prints a table of trainings that were killed, and returns whether all are equal.

    Args:
        cases: list of `Case`.
        numbers: which of them.
        until_done: such as `kill_until_done`, which returns what `columns` says, the starts first.
        settings: pair of the kills of each case and the seed of their instants.
        columns: heads of the columns.
    """
    heads = ("optimizer / points / weights / batches", *columns, "variables", "logs")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    good, total, (kills, seed) = 0, 0, settings
    for number in numbers:
        folder = tempfile.mkdtemp(prefix="kills-")
        try:
            found = until_done(number, folder, kills, random.Random(seed + number))
            results = equal(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        words = [*map(str, found), *("equal" if each else "DIFFERENT" for each in results)]
        print(f"| {cases[number].name} | {' | '.join(words)} |", flush=True)
        good, total = good + all(results), total + found[0] - 1
    print(f"{good} of {len(numbers)} trainings are equal to the last bit after {total} kills\n")
    return good == len(numbers)


def kill_saves():
    """Kills a save before and in each of its calls; returns whether each left a good checkpoint."""
    calls, outcomes = faults.count_calls(), []
    for number in range(calls):
        for half in (False, True):
            outcomes.append(faults.after_kill_at(number, half))
    unreadable = sum(outcome not in ("old", "new") for outcome in outcomes)
    print(f"{len(outcomes)} kills at the {calls} calls of a save: {outcomes.count('old')} left the")
    print(
        f"old checkpoint, {outcomes.count('new')} the new one, {unreadable} none that can be read"
    )
    return not unreadable


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, nargs="*", help="numbers; by default all")
    parser.add_argument("--kills", type=int, default=4, help="of each case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--broken", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return child(int(given.child[0]), given.child[1], given.broken)
    numbers = range(len(trainings.CASES)) if given.cases is None else given.cases
    saves, settings = kill_saves(), (given.kills, given.seed)
    equal = kill_cases(trainings.CASES, list(numbers), kill_until_done, settings)
    return 0 if equal and saves else 1


if __name__ == "__main__":
    sys.exit(main())
