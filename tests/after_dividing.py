"""What there is after a divided training, and what is refused; in a process of its own."""

import contextlib
import re

import keras
import numpy as np
import tensorflow as tf
from divided import FUNCTIONS, MIXED, Branches, mixed, strategy_of
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


# What there is after a training, and what is saved -------------------------------------------

outside = kpinn.optimizers.LBFGS()  # which needs no scope
with strategy.scope():
    pinn = mixed(outside)
    pinn.fit(MIXED, epochs=1, verbose=0, callbacks=[kpinn.callbacks.Checkpoint("saved", every=1)])
one = mixed(kpinn.optimizers.LBFGS())
one.set_weights(pinn.get_weights())


def values(model):
    yield model.evaluate(MIXED, verbose=0)
    yield model.predict_fields(MIXED["heat"], "u_t")["u_t"]
    yield model.residuals(MIXED)["centred"]


for found, expected in zip(values(pinn), values(one), strict=True):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
pinn.export("exported")
served = tf.saved_model.load("exported").signatures["serving_default"]
arrays = {name: tf.constant(MIXED["heat"][name]) for name in "tx"}
(u,) = served(**arrays).values()
np.testing.assert_allclose(u, pinn.predict_fields(arrays, "u")["u"], rtol=1e-12)
with strategy.scope():
    heat = small_heat(keras.optimizers.SGD(0.1))
alone = small_heat(keras.optimizers.SGD(0.1))
alone.set_weights(heat.get_weights())
matrices = [kpinn.jacobian(model, POINTS)[0] for model in (heat, alone)]
np.testing.assert_allclose(*matrices, rtol=1e-12, atol=1e-14)
batches = tf.data.Dataset.from_tensor_slices(BOX.sample(9, seed=0)).batch(4)
predicted = heat.predict(batches, verbose=0)["heat"]
np.testing.assert_allclose(predicted, heat.residuals(BOX.sample(9, seed=0))["heat"], rtol=1e-12)

# Streams: each replica draws its share, of points that no other one has ----------------------

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
pinn.fit({"heat": BOX.stream(7, seed=0)}, epochs=2, verbose=0)
drawn = np.concatenate([each.ravel() for each in seen if each.shape == (4, 1)])
assert drawn.size == 16 and np.unique(drawn).size == drawn.size, drawn

# What is not finite --------------------------------------------------------------------------

bad = {name: dict(arrays) for name, arrays in POINTS.items()}
bad["start"]["x"] = np.nan * bad["start"]["x"]
good, bad = map(tf.data.Dataset.from_tensors, (POINTS, bad))
what = "step 3: the array 'x' of the points"
raises(kpinn.NonFiniteError, what, lambda: heat.fit(good.repeat(2).concatenate(bad), verbose=0))
assert all(np.isfinite(weight).all() for weight in heat.get_weights())


class Logarithm(kpinn.PINN):
    coordinates, fields = "t x", "u"

    @kpinn.condition
    def late(self, t, u_t):
        return u_t + keras.ops.log(0.95 - t)


with strategy.scope():
    pinn = Logarithm(kpinn.networks.MLP(units=4, depth=1))
    pinn.compile(keras.optimizers.SGD(0.01), jit_compile=False)
try:
    pinn.fit({"late": BOX.stream(6, seed=0)}, epochs=100, verbose=0)
except kpinn.NonFiniteError as error:
    where = re.search(
        r"epoch (\d+), step 1: the residual of condition 'late' .* t = (\S+),", str(error)
    )
    assert where and int(where[1]) > 1 and float(where[2]) > 0.95, error
    losses = pinn.history.history["loss"]
    assert len(losses) == int(where[1]) - 1 and np.isfinite(losses).all()
    assert all(np.isfinite(weight).all() for weight in pinn.get_weights())
else:
    raise AssertionError("a residual that is not finite")

# float32 -------------------------------------------------------------------------------------

keras.config.set_floatx("float32")
keras.config.set_dtype_policy("float32")
found = []
for scope in (strategy.scope(), contextlib.nullcontext()):
    keras.utils.set_random_seed(0)
    with scope:
        pinn = mixed(keras.optimizers.SGD(1.0))
    before = pinn.get_weights()
    logs = pinn.fit(MIXED, verbose=0).history
    steps = [one - other for one, other in zip(pinn.get_weights(), before, strict=True)]
    assert all(step.dtype == np.float32 for step in steps)
    found.append((np.concatenate([np.ravel(step) for step in steps]), list(logs.values())))
(gradient, losses), (expected, of_one) = found
np.testing.assert_allclose(losses, of_one, rtol=1e-6)
np.testing.assert_allclose(gradient, expected, atol=1e-6 * np.abs(expected).max())
kpinn.set_float64()

# Refusals ------------------------------------------------------------------------------------

with strategy.scope():
    raises(ValueError, "XLA cannot read the variables", lambda: small_heat(jit_compile=True))
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))
    raises(ValueError, r"pass SGD(..., loss_scale_factor=...)", lambda: small_heat(scaled))
raises(ValueError, "train_on_batch is Keras's", lambda: heat.train_on_batch(POINTS))
raises(ValueError, "test_on_batch is Keras's", lambda: heat.test_on_batch(POINTS))


class Own(type(heat)):
    def train_step(self, batch):
        return super().train_step(batch)


def own(optimizer="sgd"):
    pinn = Own(kpinn.networks.MLP(units=4, depth=1))
    pinn.compile(optimizer, jit_compile=False)
    return pinn


def refused(what, points=POINTS, optimizer=lambda: "sgd", **arguments):
    with strategy.scope():
        pinn = own(optimizer())
    raises(ValueError, what, lambda: pinn.fit(points, verbose=0, **arguments))


refused("Own has a train_step of its own", heat_points(24, 7))
refused("not right for LBFGS", optimizer=kpinn.optimizers.LBFGS)
refused("not right for points from a generator", ((POINTS,) for _ in range(3)))
refused("is drawn inside kpinn's own step", BOX.stream(8))
refused("not right for Resample", callbacks=[kpinn.callbacks.Resample(lambda seed: POINTS)])
with strategy.scope():
    pinn = own(keras.optimizers.SGD(0.1))
one = own(keras.optimizers.SGD(0.1))
one.set_weights(pinn.get_weights())
histories = [each.fit(POINTS, epochs=3, verbose=0).history["loss"] for each in (pinn, one)]
np.testing.assert_allclose(*histories, rtol=1e-12)


class OwnOfFunctions(kpinn.PINN):
    coordinates, fields, parameters = "x", "u", "f"

    def train_step(self, batch):
        return super().train_step(batch)

    @kpinn.condition
    def slope(self, u_x, f):
        return u_x - f


with strategy.scope():
    pinn = OwnOfFunctions(Branches())
    pinn.compile("sgd", jit_compile=False)
raises(ValueError, "whose rows may need each other", lambda: pinn.fit(FUNCTIONS, verbose=0))
with tf.distribute.experimental.CentralStorageStrategy().scope():
    raises(ValueError, "made under CentralStorageStrategy", small_heat)
