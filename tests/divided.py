"""Trainings on one device and divided among replicas, compared; in a process of their own.

Logical devices are made before TensorFlow starts. `python divided.py 2 sgd lbfgs` prints for each
case how far the weights and the logs of two replicas are from those of one device.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from problems import BOX, Heat, heat_points, small_heat

import kpinn

optimizers, callbacks = kpinn.optimizers, kpinn.callbacks


class Mixed(kpinn.PINN):
    """Each way in which a condition has points, and unknowns, of which one runs to its bound."""

    coordinates = "t x"
    fields = "u"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.unknown("c", initial=0.5, positive=True)
        self.unknown("d", initial=0.3, lower=0.2999, upper=1.0)

    @kpinn.condition
    def heat(self, u_t, u_xx, c):
        return u_t - c * u_xx

    @kpinn.condition
    def start(self, x, u, d):
        return u - d * ops.sin(np.pi * x)

    @kpinn.condition(over="set")
    def mass(self, u):
        return ops.sum(u, keepdims=True) / 10.0 - 1.0

    @kpinn.condition
    def centred(self, u, x):
        return u - ops.mean(u) - x


def mixed(optimizer, **settings):
    pinn = Mixed(kpinn.networks.MLP(units=6, depth=1))
    pinn.network.layers[0].kernel.regularizer = keras.regularizers.L2(1e-2)
    pinn.compile(optimizer, jit_compile=False, loss_weights={"start": 3.0}, **settings)
    return pinn


def regularized(optimizer, **settings):
    """With losses of weights and of activities, the latter at the points of every condition."""
    kind = keras.regularizers.L2
    losses = {"kernel_regularizer": kind(1e-2), "activity_regularizer": kind(1e-1)}
    layers = keras.layers.Dense(8, "tanh", **losses), keras.layers.Dense(1)
    pinn = Heat(keras.Sequential([keras.Input((2,)), *layers]))
    pinn.compile(optimizer, jit_compile=False, **settings)
    return pinn


@kpinn.derivatives.independent
class Branches(keras.Model):
    """Has a branch that is evaluated once for four rows, which shares would take apart."""

    def __init__(self):
        super().__init__(dtype="float64")
        self.trunk, self.branch = (kpinn.networks.MLP(4, 1, 3, dtype="float64") for _ in range(2))

    def call(self, rows):
        features = ops.repeat(self.branch(rows[::4, 1:]), 4, axis=0)[: ops.shape(rows)[0]]
        return ops.sum(features * self.trunk(rows[:, :1]), axis=1, keepdims=True)


def by_function(optimizer):
    def slope(u_x, f):
        return u_x - f

    pinn = kpinn.PINN(Branches(), "x", "u", [slope], parameters="f")
    pinn.compile(optimizer, jit_compile=False)
    return pinn


FUNCTIONS = {
    "x": np.tile(np.linspace(0, 1, 4), 5)[:, None],
    "f": np.repeat(np.linspace(-1, 2, 5), 4)[:, None],
}


def spoilt():
    """Weights that are not finite before the fourth epoch."""

    def spoil(epoch, logs):
        if epoch == 3:
            callback.model.network.layers[-1].bias.assign([np.nan])

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=spoil)
    return {"callbacks": [callback]}


MIXED = {
    "heat": BOX.sample(23, seed=0),
    "start": BOX.face(t=0).sample(1, seed=1),  # which all but one replica have none of
    "mass": BOX.sample(9, seed=2),
    "centred": BOX.sample(10, seed=3),
}
WEIGHTED = (
    MIXED,
    {"start": np.full((1, 1), 0.2), "centred": np.linspace(0, 1, 10)[:, None]},
    {"heat": np.linspace(0, 2, 23), "centred": np.linspace(1, 2, 10)},
)
HEAT = heat_points(23, 5)


def mse(reduction):
    return keras.losses.MeanSquaredError(reduction=reduction)


def of_all_points(y_true, y_pred):
    """A loss that is one number for all points."""
    return ops.mean((y_pred - y_true) ** 2)


def dataset():
    return tf.data.Dataset.from_tensor_slices(BOX.sample(25, seed=5)).batch(7)


def generator():
    for i in range(30):
        yield (heat_points(8 + i % 2, 5),)


class Pairs(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return (heat_points(7 + index, 3),)


def sampling():
    return callbacks.ResidualSampling(lambda seed: {"heat": BOX.sample(90, seed=seed)}, every=3)


def sgd(rate=0.02):
    return lambda: keras.optimizers.SGD(rate)


def case(points, optimizer, make=small_heat, epochs=5, fit=dict, **settings):
    return points, optimizer, make, epochs, fit, settings


CASES = {
    "sgd": case(WEIGHTED, sgd(), mixed, 20, metrics=["mae", "RootMeanSquaredError"]),
    "shared": case(BOX.sample(13, seed=4), sgd(), mixed),
    "sum": case(WEIGHTED, sgd(0.002), mixed, loss=mse("sum")),
    "weighted": case(WEIGHTED, sgd(), mixed, loss=mse("mean_with_sample_weight")),
    "own loss": case(MIXED, sgd(), mixed, loss={"heat": of_all_points}),
    "adam": case(
        MIXED,
        lambda: keras.optimizers.Adam(
            0.01, clipnorm=0.1, weight_decay=0.01, use_ema=True, gradient_accumulation_steps=2
        ),
        mixed,
    ),
    "regularizers": case(HEAT, sgd(), regularized),
    "functions": case(FUNCTIONS, sgd(0.1), by_function),
    "loss scale": case(HEAT, lambda: keras.optimizers.SGD(0.02, loss_scale_factor=2.0**10)),
    "rollback": case(HEAT, sgd(), epochs=6, fit=spoilt, nonfinite="rollback"),
    "batches": case(HEAT, sgd(), fit=lambda: {"batch_size": 6}, steps_per_execution=3),
    "some batches": case(MIXED, sgd(), mixed, fit=lambda: {"batch_size": {"heat": 5}}),
    "dataset": case(dataset, sgd(), epochs=3, fit=lambda: {"validation_data": dataset()}),
    "generator": case(generator, sgd(), epochs=3, fit=lambda: {"steps_per_epoch": 5}),
    "sequence of batches": case(lambda: Pairs(), sgd(), epochs=3),
    "eager": case(HEAT, sgd(), epochs=2, run_eagerly=True),
    "validation": case(HEAT, sgd(), fit=lambda: {"validation_data": heat_points(11, 3)}),
    "sampling": case(HEAT, sgd(), fit=lambda: {"callbacks": [sampling()]}),
    "point weights": case(
        HEAT, sgd(), fit=lambda: {"callbacks": [callbacks.ResidualWeights(every=3)]}
    ),
    "balancing": case(HEAT, sgd(), fit=lambda: {"callbacks": [callbacks.LossBalancing(every=3)]}),
    "lbfgs": case(MIXED, optimizers.LBFGS, mixed),
    "bfgs": case(MIXED, optimizers.BFGS, mixed),
    "ssbroyden": case(MIXED, optimizers.SSBroyden, mixed),
    "levenberg": case(HEAT, optimizers.LevenbergMarquardt, epochs=3),
    "huber": case(HEAT, optimizers.LevenbergMarquardt, epochs=3, loss="huber"),
    "kernel": case(HEAT, lambda: optimizers.LevenbergMarquardt("kernel"), epochs=3),
    "sketch": case(HEAT, lambda: optimizers.LevenbergMarquardt("sketch"), epochs=3),
    "last layer": case(HEAT, lambda: optimizers.LevenbergMarquardt(project="last"), epochs=2),
    "spring": case(HEAT, optimizers.SPRING, fit=lambda: {"batch_size": 6}),
    "scipy": case(MIXED, lambda: optimizers.ScipyMinimize("L-BFGS-B"), mixed),
    "stages": case(
        HEAT,
        lambda: optimizers.Sequence([(keras.optimizers.SGD(0.02), 2), (optimizers.LBFGS(), 3)]),
    ),
}


def trained(points, optimizer, make, epochs, fit, settings):
    keras.utils.set_random_seed(0)
    pinn = make(optimizer(), **settings)
    points = points() if callable(points) else points
    return pinn, pinn.fit(points, epochs=epochs, verbose=0, **fit()).history


def compared(name, strategy):
    """The largest difference of a weight, and of a log, in parts of it."""
    one, expected = trained(*CASES[name])
    with strategy.scope():
        several, logs = trained(*CASES[name])
    pairs = zip(one.get_weights(), several.get_weights(), strict=True)
    weights = max(np.max(np.abs(weight - other)) for weight, other in pairs)
    assert expected.keys() == logs.keys()
    of_logs = (np.abs(np.subtract(expected[n], logs[n])) / np.abs(expected[n]) for n in logs)
    return weights, max(map(np.max, of_logs)), expected["loss"][0] - expected["loss"][-1]


def strategy_of(replicas):
    devices = [tf.config.LogicalDeviceConfiguration()] * replicas
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
    kpinn.set_float64()
    strategy = tf.distribute.MirroredStrategy([f"/cpu:{i}" for i in range(replicas)])
    assert strategy.num_replicas_in_sync == replicas
    return strategy


if __name__ == "__main__":
    mirrored = strategy_of(int(sys.argv[1]))
    for each in sys.argv[2:] or CASES:
        difference, of_log, fall = compared(each, mirrored)
        print(f"{each}: weights {difference:.1e}, logs {of_log:.1e}, fall {fall:.1e}", flush=True)
