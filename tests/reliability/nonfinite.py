"""NaN and infinity at random steps: noticed before the update, weights finite, the culprit named.

    python tests/reliability/nonfinite.py [--models 40] [--steps 5] [--seed 0]
    python tests/reliability/nonfinite.py --overhead

A model has an optimizer, a way of training, and something that is not finite at a random step. The
table has for each kind how many cases there were, how many were noticed at that very step, after
how many all weights and all of the optimizer's variables were finite and, for loss, gradient and
input, the weights those before the step, and in how many the message named the culprit.
"""

import argparse
import collections
import contextlib
import time
import unittest.mock

import keras
import numpy as np
import tensorflow as tf

import kpinn
from kpinn.optimizers.flat_optimizer import RUNNING
from kpinn.problem.points import Data
from kpinn.training.fit import train_on

KINDS = ("loss", "gradient", "input", "weights", "learning rate")
OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(1e-3),
    "sgd": lambda: keras.optimizers.SGD(1e-3, momentum=0.9),
    "adamw": lambda: keras.optimizers.AdamW(1e-3),
    "accumulation": lambda: keras.optimizers.Adam(1e-3, gradient_accumulation_steps=2),
    "lbfgs": kpinn.optimizers.LBFGS,
    "ssbroyden": kpinn.optimizers.SSBroyden,
    "levenberg_marquardt": kpinn.optimizers.LevenbergMarquardt,
    "spring": kpinn.optimizers.SPRING,
}
FLAT = ("lbfgs", "ssbroyden", "levenberg_marquardt", "spring")
WAYS = {
    "plain": {"jit_compile": False},
    "steps of an execution": {"jit_compile": False, "steps_per_execution": 4},
    "eager": {"run_eagerly": True, "jit_compile": False},
    "xla": {"jit_compile": True},
    "dataset": {"jit_compile": False},
}
BOX = kpinn.domains.Box(t=(0, 1), x=(0, 1))


class Faulty:
    """A PINN in which something is not finite at one step.

    Args:
        optimizer: name of the optimizer.
        way: name of the way of training.
        kind: what is not finite.
    """

    def __init__(self, optimizer, way, kind):
        self.kind, self.way, self.late = kind, way, optimizer == "accumulation"
        self.active = tf.Variable(0.0, trainable=False)

        @tf.custom_gradient
        def spoilt(x):
            return tf.identity(x), lambda dy: dy + self.active

        def heat(u_t, u_xx):
            return u_t - u_xx + (self.active if kind == "loss" else 0.0)

        def start(x, u, f):
            u = spoilt(u) if kind == "gradient" else u
            return u - f

        network = kpinn.networks.MLP(units=6, depth=2)
        self.pinn = kpinn.PINN(network, "t x", "u", conditions=[heat, start])
        self.pinn.compile(OPTIMIZERS[optimizer](), **WAYS[way])
        self.points = {"heat": BOX.sample(24, seed=0), "start": BOX.face(t=0).sample(8, seed=0)}
        self.points["start"]["f"] = np.sin(self.points["start"]["x"])
        self.first = self.pinn.get_weights()

    def run(self, step, value):
        """Trains up to a fault, and judges what comes of it.

        Args:
            step: the epoch at whose begin something becomes not finite.
            value: NaN or infinity.

        Returns:
            Whether it was noticed in that step, whether the weights are those before it and all
            variables are finite, whether the message names the culprit, whether the loss of the
            result is finite; and the message. `None` if the optimizer had ended before.
        """
        self.pinn.set_weights(self.first)
        pinn, fault, message = self.pinn, _Fault(self, step, value), ""
        points, arguments = self.points, {}
        if self.way == "dataset":
            points = tf.data.Dataset.from_tensors(points).repeat()
            arguments = {"steps_per_epoch": 1}
        try:
            pinn.fit(points, epochs=step + 3, verbose=0, callbacks=[fault], **arguments)
        except kpinn.NonFiniteError as error:
            message = str(error)
        if fault.before is None:
            return None
        late = self.late and self.kind == "learning rate"  # which updates every other step
        noticed = bool(message) and fault.epoch - step in range(1 + late)
        weights = pinn.get_weights()
        kept = all(np.array_equal(a, b) for a, b in zip(weights, fault.before, strict=True))
        self.end_fault()
        variables = [*weights, *(np.asarray(v) for v in pinn.optimizer.variables)]
        kept &= all(np.isfinite(each).all() for each in variables)
        noticed &= pinn.result.code == "nonfinite"
        return noticed, kept, NAMES[self.kind] in message, np.isfinite(pinn.result.loss), message

    def begin_fault(self, value):
        """Makes it not finite, before the step."""
        pinn = self.pinn
        if self.kind in ("loss", "gradient"):
            self.active.assign(value)
        elif self.kind == "weights":
            pinn.network.layers[-1].kernel.assign(value * tf.ones((6, 1)))
        elif self.kind == "learning rate":
            self.rate = float(pinn.optimizer.learning_rate)
            pinn.optimizer.learning_rate = value
        elif self.kind == "input":
            data = pinn._state.training_data
            points = {name: dict(arrays) for name, arrays in data.points.items()}
            points["start"]["f"] = value * points["start"]["f"]
            train_on(pinn, Data(points, {}, {}))  # replace_points, without its checks

    def end_fault(self):
        """Makes it finite again."""
        self.active.assign(0.0)
        if self.kind == "learning rate":
            self.pinn.optimizer.learning_rate = self.rate


class _Fault(keras.callbacks.Callback):
    def __init__(self, faulty, step, value):
        super().__init__()
        self.faulty, self.step, self.value = faulty, step, value
        self.epoch, self.before = 0, None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, status = epoch, getattr(self.model.optimizer, "status", None)
        goes_on = status is None or int(status.value.numpy()) == RUNNING
        if epoch == self.step and goes_on:
            self.before = self.model.get_weights()
            self.faulty.begin_fault(self.value)

    def on_epoch_end(self, epoch, logs=None):
        for variable in self.model.trainable_variables:
            assert np.isfinite(variable.numpy()).all(), "a callback saw weights that are not finite"


NAMES = {
    "loss": "condition 'heat'",
    "gradient": "'start'",
    "input": "'f'",
    "weights": "the weights '",
    "learning rate": "learning rate",
}


def draw(count, generator, ways=tuple(WAYS)):
    """Random models that make sense: an optimizer, a way of training and what is not finite."""
    found = []
    while len(found) < count:
        optimizer, way = generator.choice(list(OPTIMIZERS)), generator.choice(ways)
        kind = generator.choice(KINDS)
        makes_sense = kind != "learning rate" or optimizer not in FLAT
        makes_sense &= kind != "input" or way != "dataset"
        if makes_sense:
            found.append((str(optimizer), str(way), str(kind)))
    return found


def results(models, steps, seed, ways=tuple(WAYS)):
    """Yields a model, a step, a value and what `Faulty.run` returns, for each case."""
    generator = np.random.default_rng(seed)
    for model in draw(models, generator, ways):
        keras.utils.set_random_seed(seed)
        faulty = Faulty(*model)
        for _ in range(steps):
            step, value = int(generator.integers(1, 12)), float(generator.choice([np.nan, np.inf]))
            yield model, step, value, faulty.run(step, value)


# What it costs -----------------------------------------------------------------------------


class _Clock(keras.callbacks.Callback):
    """The seconds of the one call of the compiled function, wall clock and processor."""

    def on_train_batch_begin(self, batch, logs=None):
        self.begin = time.perf_counter(), time.process_time()

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter(), time.process_time()
        self.seconds = [b - a for a, b in zip(self.begin, now, strict=True)]


def unguarded(pinn, loss, gradients, batch):
    """`apply_finite` without the question."""
    variables = pinn.trainable_variables
    pinn.optimizer.apply_gradients(zip(gradients, variables, strict=True))


def timed(jit, guarded):
    """A function that trains so many steps and returns the two times of one, in milliseconds."""
    keras.utils.set_random_seed(0)

    def heat(u_t, u_xx):
        return u_t - u_xx

    pinn = kpinn.PINN(kpinn.networks.MLP(units=20, depth=4), "t x", "u", conditions=[heat])
    pinn.compile(keras.optimizers.Adam(1e-3), jit_compile=jit)
    points, clock = BOX.sample(1_000, seed=0), _Clock()

    def run(steps):
        pinn.fit(points, steps_per_epoch=steps, verbose=0, callbacks=[clock])
        return [1e3 * seconds / steps for seconds in clock.seconds]

    names = {"kpinn.pinn.apply_finite": unguarded}
    names |= {f"kpinn.training.nonfinite.Marks.{name}": _nothing for name in ("enter", "note")}
    names["kpinn.training.nonfinite.Marks.goes_on"] = lambda marks: True
    with contextlib.ExitStack() as stack:
        for name, value in {} if guarded else names.items():
            stack.enter_context(unittest.mock.patch(name, value))
        run(10)  # traces
    return run


def _nothing(*arguments):
    """In the place of what is measured."""


def overhead(rounds, models, steps=200):
    """Prints the time of a step with and without the guard, alternating; the least of each model.

    Two compilations of the same model differ by more than the guard costs, so that there are
    several models of each kind; the median of them is shown.
    """
    print("| compiled | guard | wall ms | processor ms |")
    print("|---|---|---|---|")
    for jit in (False, True):
        runs = [(guarded, timed(jit, guarded)) for _ in range(models) for guarded in (False, True)]
        times = [np.min([run(steps) for _ in range(1)], axis=0) for _, run in runs]
        for _ in range(rounds - 1):
            times = [np.minimum(t, run(steps)) for t, (_, run) in zip(times, runs, strict=True)]
        found = {}
        for guarded in (False, True):
            of_kind = [t for t, (kind, _) in zip(times, runs, strict=True) if kind == guarded]
            found[guarded] = np.median(of_kind, axis=0)
            row = " | ".join(f"{value:.4f}" for value in found[guarded])
            print(f"| {'XLA' if jit else 'plain'} | {'with' if guarded else 'without'} | {row} |")
        ratios = " | ".join(f"{100 * r:+.1f} %" for r in found[True] / found[False] - 1)
        print(f"| {'XLA' if jit else 'plain'} | difference | {ratios} |")


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=40)
    parser.add_argument("--steps", type=int, default=5, help="faults of each model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="messages, and cases that failed")
    parser.add_argument("--overhead", action="store_true", help="what the guard costs instead")
    parser.add_argument("--rounds", type=int, default=15, help="of --overhead")
    arguments = parser.parse_args()
    if arguments.overhead:
        overhead(arguments.rounds, 4)
        return
    start, table, ended = time.perf_counter(), collections.defaultdict(list), 0
    for *case, result in results(arguments.models, arguments.steps, arguments.seed):
        if result is None:
            ended += 1
            continue
        *good, message = result
        table[case[0][2]].append(good)
        if arguments.show or not all(good):
            print(*case, good, message)
    print("| not finite | cases | noticed | weights as before | named | result.loss finite |")
    print("|---|---|---|---|---|---|")
    for kind, rows in table.items():
        print(f"| {kind} | {len(rows)} | {' | '.join(str(n) for n in np.sum(rows, axis=0))} |")
    print(f"{ended} where the optimizer had ended before; {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
