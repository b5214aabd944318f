"""Loses workers in every way: `python tests/reliability/workers.py`.

First single faults of two processes: a worker that is missing, SIGTERM while one waits for the
other inside TensorFlow, a worker that is killed, as on another machine. Then each case of `CASES`
is trained unbroken, and with checkpoints by workers of which a random one is killed at a random
instant, and which are started again until they end: all is compared to the last bit.
"""

import argparse
import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import kills
import tensorflow as tf
import trainings

from kpinn.training.workers import launcher

FAILED_WITHIN, STOPPED_WITHIN = 30.0, 5.0  # seconds
CASES = (
    trainings.Case(("Adam",), "resampled", "balanced", "mini-batches"),
    trainings.Case(("Adam, schedule",), "fixed", "own", "dataset"),
    trainings.Case(("LBFGS",), "by residual", "by point"),
    trainings.Case(("LM",), "own", "own"),
)

# The process that trains ---------------------------------------------------------------------


def child(what, folder):
    """Trains a case and writes its result; or waits for the other worker, which does not come."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    chief = strategy.cluster_resolver.task_id == 0
    print("begins", os.getpid(), flush=True)
    if what == "wait":
        return wait_inside(strategy, chief)
    case = CASES[int(what)]
    path = (
        os.path.join(folder, "run")
        if os.path.exists(os.path.join(folder, "unbroken.npz"))
        else None
    )
    with strategy.scope():
        result = trainings.train(case, path, every=1)
    if chief:
        kills.write(folder, "unbroken" if path is None else "broken", result)


def wait_inside(strategy, chief):
    for step in range(10**6):
        if step == 3 and not chief:
            print("waits", flush=True)
            time.sleep(1000.0)
        strategy.reduce("SUM", tf.constant(1.0), axis=None)


# The process that kills ----------------------------------------------------------------------


class Run:
    """A launcher, and what its workers have said.

    Args:
        arguments: of the script.
        options: of the launcher.
        config: a dict for `TF_CONFIG`, or `None`.
    """

    def __init__(self, *arguments, options=("--workers", "2"), config=None):
        environment = dict(os.environ)
        if config is not None:
            environment["TF_CONFIG"] = json.dumps(config)
        script = [__file__, "--child", *arguments]
        command = [sys.executable, "-P", launcher.__file__, "--private-network", *options, *script]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, env=environment, text=True, **pipes)
        self.pids, self.lines, self.errors = {}, [], []
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.lines)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.errors)),
        ]
        for each in self._readers:
            each.start()

    def _read(self, source, lines):
        for line in source:
            lines.append(line.rstrip())
            name, _, rest = line.strip().partition("] begins ")
            if rest:
                self.pids[name.removeprefix("[")] = int(rest)

    def until(self, is_true):
        """Waits until it is true, or all have ended."""
        kills.wait(self.process, is_true, 300.0)

    def status(self):
        """The exit status, and the seconds until it came."""
        begin = time.monotonic()
        try:
            status = self.process.wait(200.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = "hangs"
        for each in self._readers:
            each.join(5.0)
        return status, time.monotonic() - begin


def kill_until_done(number, folder, most, instants, workers=2):
    """Starts a case until it ends; returns how often, and the worst seconds after a kill."""
    options = "--workers", str(workers)
    run = Run(str(number), folder, options=options)
    status, _ = run.status()
    if status != 0:
        print(*run.errors[-20:], sep="\n")
        raise RuntimeError(f"the unbroken training of case {number} ended with {status}")
    slowest = 0.0
    for starts in range(1, most + 2):
        run = Run(str(number), folder, options=options)
        if starts <= most:
            goal = kills.saved(folder) + instants.randint(0, max(1, trainings.EPOCHS // most))
            run.until(lambda run=run: len(run.pids) == workers)
            run.until(lambda goal=goal: kills.saved(folder) >= goal)
            time.sleep(instants.uniform(0.0, 0.3))
            victim = run.pids[instants.choice(sorted(run.pids))]
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        status, seconds = run.status()
        if status == 0:
            return starts, f"{slowest:.1f} s"
        slowest = max(slowest, seconds)
        if status != launcher.FAILED or seconds > FAILED_WITHIN:
            print(*run.errors[-20:], sep="\n")
            raise RuntimeError(f"case {number}, start {starts}: {status} after {seconds:.1f} s")
    raise RuntimeError(f"case {number} did not end: {run.errors[-5:]}")


def free_cluster():
    with socket.create_server(("", 0)) as first, socket.create_server(("", 0)) as second:
        ports = [each.getsockname()[1] for each in (first, second)]
    return {"worker": [f"127.0.0.1:{port}" for port in ports]}


def alone(cluster, index, wait="120"):
    """A launcher as on another machine."""
    config = {"cluster": cluster, "task": {"type": "worker", "index": index}}
    return Run("wait", "-", options=("--wait", wait), config=config)


def single_faults():
    """Prints what was done, and how and when all ended; returns whether they did as promised."""
    print("| fault | status | seconds | promised |")
    print("|---|---|---|---|")
    return all([_missing(0), _missing(1), _stopped(), _killed(0), _killed(1)])


def _row(what, found, expected, seconds):
    status, taken = found
    print(f"| {what} | {status} | {taken:.1f} | {expected} within {seconds:g} s |", flush=True)
    return status == expected and taken <= seconds


def _missing(index):
    run = alone(free_cluster(), index, "20")
    found = run.status()
    named = any(f"worker {1 - index} (127.0.0.1:" in line for line in run.errors)
    what = f"worker {1 - index} is missing, --wait 20" + ("" if named else ": NOT NAMED")
    return _row(what, found, launcher.MISSING, 30.0) and named


def _stopped():
    run = Run("wait", "-")
    run.until(lambda: any(line.endswith("waits") for line in run.lines))
    time.sleep(1.0)
    run.process.send_signal(signal.SIGTERM)
    found = run.status()
    return _row("SIGTERM while one waits inside TensorFlow", found, 143, STOPPED_WITHIN)


def _killed(index):
    cluster = free_cluster()
    runs = [alone(cluster, number) for number in (0, 1)]
    runs[1].until(lambda: any(line.endswith("waits") for line in runs[1].lines))
    os.kill(runs[index].pids[f"worker {index}"], signal.SIGKILL)
    if index == 0:  # the other one sleeps, and hears of it when it goes on
        runs[1].process.send_signal(signal.SIGTERM)
        return _row("the chief is killed: its own command", runs[0].status(), launcher.FAILED, 5.0)
    own = _row("worker 1 is killed: its own command", runs[1].status(), launcher.FAILED, 5.0)
    what = "worker 1 is killed: the command of worker 0, as on another machine"
    return _row(what, runs[0].status(), launcher.FAILED, FAILED_WITHIN) and own


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, nargs="*", help="numbers; by default all")
    parser.add_argument("--kills", type=int, default=5, help="of each case")
    parser.add_argument("--workers", type=int, default=2, help="of which one is killed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return child(*given.child)
    numbers = range(len(CASES)) if given.cases is None else given.cases
    faults, settings = single_faults(), (given.kills, given.seed)
    columns = "starts", "slowest end"
    kill = functools.partial(kill_until_done, workers=given.workers)
    equal = kills.kill_cases(CASES, list(numbers), kill, settings, columns)
    return 0 if equal and faults else 1


if __name__ == "__main__":
    sys.exit(main())
