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
CURVED = {"lbfgs", "bfgs", "ssbroyden", "levenberg", "huber", "kernel", "sketch", "last layer"}
CURVED |= {"spring", "scipy", "stages"}
QUICK = "sgd", "adam", "dataset", "ssbroyden", "levenberg"


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
        assert float(weights) <= allowed and float(logs) <= allowed, (name, weights, logs)


def test_two_replicas_train_as_one_device():
    check(2, QUICK)


def test_four_replicas_train_as_one_device():
    check(4, ["sgd"])


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [2, 3])
def test_every_way_to_train(replicas):
    check(replicas, [name for name in CASES if replicas == 3 or name not in QUICK])


AFTERWARDS = """
import keras, numpy as np, tensorflow as tf
from divided import Mixed, mixed, strategy_of, MIXED, sgd
from problems import BOX, heat_points, small_heat
import kpinn

strategy = strategy_of(2)
POINTS = heat_points(24, 8)

def raises(kind, what, function):
    try:
        function()
    except kind as error:
        assert what in str(error), (what, str(error))
        return
    raise AssertionError(what)

# What there is after a training, and what is saved.
with strategy.scope():
    pinn = mixed(kpinn.optimizers.LBFGS())
    pinn.fit(MIXED, epochs=1, verbose=0, callbacks=[kpinn.callbacks.Checkpoint("saved", every=1)])
one = mixed(kpinn.optimizers.LBFGS())
one.set_weights(pinn.get_weights())
for expected, found in (
    (one.evaluate(MIXED, verbose=0), pinn.evaluate(MIXED, verbose=0)),
    (one.predict_fields(MIXED["heat"], "u, u_t")["u_t"], pinn.predict_fields(MIXED["heat"], "u_t")["u_t"]),
    (one.residuals(MIXED)["centred"], pinn.residuals(MIXED)["centred"]),
    (kpinn.jacobian(one, MIXED)[0], kpinn.jacobian(pinn, MIXED)[0]),
):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
batches = tf.data.Dataset.from_tensor_slices(BOX.sample(9, seed=0)).batch(4)
with strategy.scope():
    heat = small_heat(keras.optimizers.SGD(0.1))
predicted = heat.predict(batches, verbose=0)
np.testing.assert_allclose(predicted["heat"], heat.residuals(BOX.sample(9, seed=0))["heat"])
pinn.export("exported")
served = tf.saved_model.load("exported").signatures["serving_default"]
arrays = {name: tf.constant(MIXED["heat"][name]) for name in "tx"}
u = next(iter(served(**arrays).values()))
np.testing.assert_allclose(u, pinn.predict_fields(arrays, "u")["u"], rtol=1e-12)

# Streams: each replica draws its share, of points that no other one has.
from kpinn.problem.fresh import streams_in
seen = []
class Seen(kpinn.PINN):
    coordinates, fields = "t x", "u"
    @kpinn.condition
    def heat(self, t, u_t):
        tf.numpy_function(lambda t: seen.append(t.copy()), [t], [])
        return u_t - 1.0
with strategy.scope():
    pinn = Seen(kpinn.networks.MLP(units=4, depth=1))
    pinn.compile(keras.optimizers.SGD(0.1), jit_compile=False)
del seen[:]
pinn.fit({"heat": BOX.stream(7, seed=0)}, epochs=2, verbose=0)
drawn = np.concatenate([each.ravel() for each in seen if each.shape == (4, 1)])
assert drawn.size >= 16 and np.unique(drawn).size == drawn.size, drawn

# What is not finite.
bad = {name: dict(arrays) for name, arrays in POINTS.items()}
bad["start"]["x"] = np.nan * bad["start"]["x"]
def of(points):
    return tf.data.Dataset.from_tensors(points)
stream = of(POINTS).repeat(2).concatenate(of(bad))
raises(kpinn.NonFiniteError, "step 3: the array 'x' of the points", lambda: heat.fit(stream, verbose=0))
assert all(np.isfinite(weight).all() for weight in heat.get_weights())

# Refusals.
with strategy.scope():
    raises(ValueError, "XLA cannot read the variables", lambda: small_heat(jit_compile=True))
raises(ValueError, "train_on_batch is Keras's", lambda: heat.train_on_batch(POINTS))
raises(ValueError, "test_on_batch is Keras's", lambda: heat.test_on_batch(POINTS))

class Own(type(heat)):
    def train_step(self, batch):
        return super().train_step(batch)

def own(optimizer="sgd"):
    with strategy.scope():
        pinn = Own(kpinn.networks.MLP(units=4, depth=1))
        pinn.compile(optimizer, jit_compile=False)
    return pinn
def refused(what, pinn, points=POINTS, **arguments):
    raises(ValueError, what, lambda: pinn.fit(points, verbose=0, **arguments))
refused("Own has a train_step of its own", own(), heat_points(24, 7))
refused("not right for LBFGS", own(kpinn.optimizers.LBFGS()))
refused("not right for points from a generator", own(), ((POINTS,) for _ in range(3)))
refused("is drawn inside kpinn's own step", own(), BOX.stream(8))
resample = kpinn.callbacks.Resample(lambda seed: POINTS)
refused("not right for Resample", own(), callbacks=[resample])
pinn, one = own(keras.optimizers.SGD(0.1)), small_heat(keras.optimizers.SGD(0.1))
one = Own(kpinn.networks.MLP(units=4, depth=1))
one.compile(keras.optimizers.SGD(0.1), jit_compile=False)
one.set_weights(pinn.get_weights())
histories = [each.fit(POINTS, epochs=3, verbose=0).history["loss"] for each in (pinn, one)]
np.testing.assert_allclose(*histories, rtol=1e-12)
with tf.distribute.experimental.CentralStorageStrategy().scope():
    raises(ValueError, "made under CentralStorageStrategy", small_heat)
"""


def test_what_follows_a_training_and_what_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    process("-c", AFTERWARDS)


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
