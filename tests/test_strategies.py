"""Distribution strategies: several replicas train as one device, and what is refused by name."""

import os
import pathlib
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from divided import CASES
from problems import BOX, heat_points, small_heat

import kpinn
from kpinn.domains.points.extras import WEIGHT
from kpinn.problem.shares import share_of

FOLDER = pathlib.Path(__file__).parent
EXACT = 1e-13  # for sums; where curvature makes more of rounding:
CURVED = {"lbfgs", "bfgs", "ssbroyden", "levenberg", "huber", "kernel", "sketch", "spring"}
CURVED |= {"scipy", "stages"}
QUICK = "sgd", "regularizers", "functions", "dataset", "levenberg"


def process(*arguments):
    """What a script prints, in a process of its own: logical devices come before TensorFlow."""
    paths = [str(FOLDER), *(path or os.getcwd() for path in sys.path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check(replicas, names):
    printed = process(str(FOLDER / "divided.py"), str(replicas), *names)
    found = re.findall(r"^(.+): weights (\S+), logs (\S+), fall (\S+)$", printed, re.M)
    assert [name for name, *_ in found] == list(names)
    for name, weights, logs, fall in found:
        allowed = 1e-9 if name in CURVED else EXACT
        assert float(fall) > 1e-4, (name, fall)  # it trains
        if name == "last layer":  # whose best weights are not unique to rounding
            assert float(logs) <= 1e-5, (name, logs)
        else:
            assert float(weights) <= allowed and float(logs) <= allowed, (name, weights, logs)


def test_two_replicas_train_as_one_device():
    check(2, QUICK)


def test_four_replicas_train_as_one_device():
    check(4, ["sgd"])


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [2, 3])
def test_every_way_to_train(replicas):
    check(replicas, [name for name in CASES if replicas == 3 or name not in QUICK])


def test_what_follows_a_training_and_what_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    process(str(FOLDER / "after_dividing.py"))


@pytest.mark.parametrize("optimizer", ["adam", kpinn.optimizers.LBFGS])
def test_a_strategy_of_one_device_loses_nothing(optimizer):
    """The loop of whole epochs, with XLA where it would be without a strategy."""
    losses, loops = [], []

    class Loop(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            loops.append(self.model._state.loop)

    for strategy in (None, tf.distribute.OneDeviceStrategy("/cpu:0")):
        optimizer_of = (lambda: optimizer) if optimizer == "adam" else optimizer
        with strategy.scope() if strategy else tf.name_scope("none"):
            pinn = small_heat(optimizer_of())
            for weight in pinn.trainable_variables:
                weight.assign(0.1 * np.ones(weight.shape))
            history = pinn.fit(heat_points(25, 7), epochs=3, verbose=0, callbacks=[Loop()])
        losses.append(history.history["loss"])
    assert losses[0] == losses[1] and loops == ["calls", "calls"]


@pytest.mark.parametrize("kind", ["MirroredStrategy", "OneDeviceStrategy"])
def test_an_optimizer_of_another_scope_is_refused(kind):
    strategy = getattr(tf.distribute, kind)(*([["/cpu:0"]] if kind[0] == "M" else ["/cpu:0"]))
    outside = keras.optimizers.Adam(0.1)
    with strategy.scope():
        pinn, inside = small_heat(), keras.optimizers.Adam(0.1)
    for optimizer in (outside, kpinn.optimizers.Sequence([(outside, 2)])):
        with pytest.raises(ValueError, match=f"Adam was not made in the scope of the {kind} in"):
            pinn.compile(optimizer)
    with pytest.raises(ValueError, match="the model outside of it: make both in the same scope"):
        small_heat(inside)
    for optimizer in (inside, "adam", kpinn.optimizers.LBFGS()):  # which needs no scope
        pinn.compile(optimizer, jit_compile=False)


def test_derivatives_are_checked_within_the_scope_of_a_strategy():
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        report = kpinn.check_derivatives(small_heat(), heat_points(8, 4))
    assert report.ok and "gradient: taylor, differences" in report.errors["u_xx"]


@pytest.mark.parametrize("count", [1, 2, 7, 12])
@pytest.mark.parametrize("replicas", [1, 2, 4, 5])
def test_shares_have_each_row_once(count, replicas):
    pinn = small_heat()
    points = {"heat": BOX.sample(count, seed=0), "start": BOX.face(t=0).sample(3, seed=1)}
    data = pinn.prepare(points, None, {"heat": np.arange(1.0, count + 1)})
    found, together = [], []
    for replica in range(replicas):
        share = share_of(pinn.problem, data, replica, replicas, {"start"})
        rows = share.share.rows["heat"]
        assert share.points["heat"]["t"].shape[0] == -(-count // replicas)
        assert share.points["start"]["x"].shape[0] == 3
        found.append(rows.placed(share.points["heat"]["t"]))
        together.append(share.share.rows["start"].placed(share.points["start"]["x"]))
        assert float(rows.total) == count * (count + 1) / 2
    np.testing.assert_array_equal(sum(found), points["heat"]["t"].astype("float32"))
    np.testing.assert_array_equal(sum(together), points["start"]["x"].astype("float32"))


def test_a_part_of_a_stream_has_the_weights_of_the_whole():
    stream = BOX.stream(12, seed=0, extras=WEIGHT)
    parts = [stream.draw(0, 0, 0, 0, replica, 3)[WEIGHT] for replica in range(4)]
    assert float(tf.reduce_sum(parts)) == pytest.approx(1.0)
