"""Small trainings with all that changes from step to step, to be broken off and gone on with.

`CASES` has optimizers x points x weights x batches; `train(case, path)` runs one as a script would.
"""

import collections
import dataclasses

import keras
import numpy as np
import tensorflow as tf
from keras import ops

import kpinn

BOX = kpinn.domains.Box(t=(0, 1), x=(0, 1))
EPOCHS = 24


@dataclasses.dataclass(frozen=True)
class Case:
    """A training.

    Attributes:
        optimizers: names of `OPTIMIZERS`, one for each call of `fit`.
        points: a name of `POINTS`.
        weights: a name of `WEIGHTS`.
        batches: a name of `BATCHES`.
    """

    optimizers: tuple
    points: str = "fixed"
    weights: str = "fixed"
    batches: str = "full"

    @property
    def name(self):
        return " / ".join([" + ".join(self.optimizers), self.points, self.weights, self.batches])


def adam():
    return keras.optimizers.Adam(1e-2)


def decaying():
    schedule = keras.optimizers.schedules.ExponentialDecay(2e-2, 10, 0.5)
    return keras.optimizers.Adam(schedule, use_ema=True, ema_overwrite_frequency=7)


def momentum():
    return keras.optimizers.SGD(1e-3, momentum=0.9, nesterov=True, gradient_accumulation_steps=2)


def stages():
    optimizers = [(adam(), 7), (kpinn.optimizers.SSBroyden(), 9)]
    return kpinn.optimizers.Sequence([*optimizers, (kpinn.optimizers.LevenbergMarquardt(), 8)])


OPTIMIZERS = {
    "Adam": adam,
    "Adam, schedule": decaying,
    "SGD": momentum,
    "LBFGS": kpinn.optimizers.LBFGS,
    "BFGS": kpinn.optimizers.BFGS,
    "SSBroyden": kpinn.optimizers.SSBroyden,
    "LM": kpinn.optimizers.LevenbergMarquardt,
    "LM, sketch": lambda: kpinn.optimizers.LevenbergMarquardt(solver="sketch"),
    "SPRING": kpinn.optimizers.SPRING,
    "Sequence": stages,
}


class Drawing(keras.callbacks.Callback):
    """A user's callback: points from a generator of its own, a weight from every global one."""

    def __init__(self, points=False, weights=False, growth=0):
        super().__init__()
        self.generator, self.recent = np.random.default_rng(3), collections.deque(maxlen=3)
        self.points, self.weights, self.growth, self.count = points, weights, growth, 30

    def on_epoch_begin(self, epoch, logs=None):
        if self.points and epoch % 5 == 4:
            self.count += self.growth
            self.model.replace_points({"heat": BOX.sample(self.count, seed=self.generator)})

    def on_epoch_end(self, epoch, logs=None):
        self.recent.append(logs["loss"])
        if self.weights and epoch % 3 == 0:
            drawn = np.random.rand() + float(keras.random.uniform(())) + max(self.recent)
            self.model.loss_weights["start"].assign(5.0 + drawn)


POINTS = {
    "fixed": lambda: [],
    "resampled": lambda: [kpinn.callbacks.Resample(lambda seed: {"heat": inside(seed)}, every=5)],
    "by residual": lambda: [
        kpinn.callbacks.ResidualSampling(lambda seed: {"heat": inside(seed, 150)}, every=7)
    ],
    "added": lambda: [
        kpinn.callbacks.ResidualSampling(lambda seed: {"heat": inside(seed, 99)}, every=3, add=8)
    ],
    "released": lambda: [
        kpinn.callbacks.RetainResampleRelease(lambda seed: {"heat": inside(seed)}, every=4)
    ],
    "by importance": lambda: [
        kpinn.callbacks.ImportanceSampling(lambda seed: {"heat": inside(seed, 99)}, every=5)
    ],
    "own": lambda: [Drawing(points=True)],
    "growing": lambda: [Drawing(points=True, growth=1)],
}
WEIGHTS = {
    "fixed": lambda: [],
    "balanced": lambda: [kpinn.callbacks.LossBalancing(every=6)],
    "by point": lambda: [kpinn.callbacks.ResidualWeights(every=2)],
    "ReLoBRaLo": lambda: [kpinn.callbacks.ReLoBRaLo(every=3, alpha=0.9, rho=0.5)],
    "SoftAdapt": lambda: [kpinn.callbacks.SoftAdapt(every=3, loss_weighted=True)],
    "uncertainty": lambda: [kpinn.callbacks.UncertaintyWeights(every=3, decay=0.8)],
    "self-adaptive": lambda: [kpinn.callbacks.SelfAdaptiveWeights(every=3)],
    "causal": lambda: [kpinn.callbacks.CausalWeights("heat", epsilon=[1e-6, 0.1, 1], every=3)],
    "Lagrangian": lambda: [
        kpinn.callbacks.AugmentedLagrangian("start", every=3, growth=2.0),
        kpinn.callbacks.CausalWeights("heat", every=5),
    ],
    "Lagrangian by condition": lambda: [
        kpinn.callbacks.AugmentedLagrangian("start", every=3, by="condition", growth=2.0)
    ],
    "own": lambda: [Drawing(weights=True)],
    "plateau": lambda: [
        keras.callbacks.ReduceLROnPlateau("loss", factor=0.7, patience=2, min_delta=10.0),
        keras.callbacks.EarlyStopping(
            "loss", patience=15, min_delta=0.2, restore_best_weights=True
        ),
    ],
}
BATCHES = {
    "full": {},
    "mini-batches": {"batch_size": 11},
    "by set": {"batch_size": {"heat": 7, "start": 5}},
    "steps": {"batch_size": 13, "steps_per_epoch": 2},
    "dataset": {},
    "dataset, steps": {"steps_per_epoch": 3},
}
CASES = (
    Case(("Adam",)),
    Case(("Adam",), "resampled", "balanced", "mini-batches"),
    Case(("Adam",), "by residual", "by point"),
    Case(("Adam",), "own", "own", "steps"),
    Case(("Adam",), "fixed", "plateau", "mini-batches"),
    Case(("Adam",), batches="dataset"),
    Case(("Adam",), "fixed", "own", "dataset, steps"),
    Case(("Adam, schedule",), "resampled", "fixed", "mini-batches"),
    Case(("Adam, schedule",), "fixed", "own", "dataset"),
    Case(("SGD",), "own", "balanced", "steps"),
    Case(("SGD",), "by residual", "own"),
    Case(("LBFGS",)),
    Case(("LBFGS",), "resampled", "by point"),
    Case(("LBFGS",), "by residual", "balanced"),
    Case(("LBFGS",), "growing", "own"),
    Case(("BFGS",), "resampled", "own"),
    Case(("SSBroyden",), "by residual", "by point"),
    Case(("SSBroyden",), "growing", "balanced"),
    Case(("LM",)),
    Case(("LM",), "resampled", "balanced"),
    Case(("LM",), "by residual", "by point"),
    Case(("LM",), "own", "own", "mini-batches"),
    Case(("LM",), batches="dataset"),
    Case(("LM, sketch",), "resampled", "own"),
    Case(("SPRING",), "fixed", "own", "mini-batches"),
    Case(("Sequence",), "resampled", "balanced"),
    Case(("Sequence",), "growing", "by point"),
    Case(("Adam", "LBFGS"), "resampled", "balanced"),
    Case(("Adam", "LM", "SSBroyden"), "by residual", "own"),
    Case(("Adam, schedule", "Adam"), "own", "balanced", "mini-batches"),
    Case(("Adam",), "added", "fixed", "by set"),
    Case(("Adam",), "by importance", "own", "by set"),
    Case(("LBFGS",), "added", "balanced"),
    Case(("LM",), "released", "by point"),
    Case(("SSBroyden",), "by importance"),
    Case(("Adam",), "fixed", "Lagrangian"),
    Case(("Adam", "LM"), "resampled", "ReLoBRaLo", "mini-batches"),
    Case(("LM",), "resampled", "Lagrangian"),
    Case(("Adam",), "resampled", "causal"),
    Case(("LBFGS",), "fixed", "SoftAdapt"),
    Case(("Adam",), "fixed", "uncertainty", "dataset"),
    Case(("SSBroyden",), "resampled", "self-adaptive"),
    Case(("SGD",), "fixed", "Lagrangian by condition", "mini-batches"),
)


class Heat(kpinn.PINN):
    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.unknown("diffusivity", initial=0.3, positive=True)


def model(**options):
    network = kpinn.networks.MLP(**{"units": 6, "depth": 2} | options)
    return Heat(network, coordinates="t x", fields="u", conditions=[heat, start])


def heat(u_t, u_xx, diffusivity):
    return u_t - diffusivity * u_xx


def start(x, u):
    return u - ops.sin(np.pi * x)


def inside(seed, count=30):
    return BOX.sample(count, seed=seed)


def points():
    return {"heat": inside(0), "start": BOX.face(t=0).sample(12, seed=1)}


def dataset(repeated):
    columns = {name: array.astype("float32") for name, array in inside(0, 36).items()}

    def batch(columns):
        return {"heat": columns, "start": {"t": 0.0 * columns["t"], "x": columns["x"]}}

    found = tf.data.Dataset.from_tensor_slices(columns).shuffle(36, seed=4)
    found = found.batch(9, drop_remainder=True).map(batch)
    return found.repeat() if repeated else found


def train(case, path=None, every=2, extra=(), epochs=EPOCHS):
    """Trains as a script that is started from the top.

    Args:
        case: a `Case`.
        path: the folder for checkpoints; `None` for none.
        every: epochs from one to the next.
        extra: further callbacks.
        epochs: of each `fit`.

    Returns:
        Lists of arrays and of histories: all variables at the end of each `fit`, and its logs.
    """
    keras.utils.set_random_seed(0)
    pinn = model()
    variables, histories = [], []
    for name in case.optimizers:
        pinn.compile(OPTIMIZERS[name](), loss_weights={"start": 5.0}, jit_compile=False)
        callbacks = [*POINTS[case.points](), *WEIGHTS[case.weights](), *extra]
        if path is not None:
            callbacks.insert(0, kpinn.callbacks.Checkpoint(path, every=every))
        x = points()
        if case.batches.startswith("dataset"):
            x = dataset(repeated="steps" in case.batches)
        history = pinn.fit(
            x, epochs=epochs, verbose=0, callbacks=callbacks, **BATCHES[case.batches]
        )
        found = [*pinn.variables, *pinn.optimizer.variables, *pinn.loss_weights.values()]
        variables.append([np.asarray(variable) for variable in found])
        histories.append({"epoch": history.epoch, **history.history})
    return variables, histories


def same(first, second):
    """Whether two results of `train` agree to the last bit: the variables, and the logs."""
    (variables, histories), (others, logs) = first, second
    equal = len(variables) == len(others) and all(
        len(a) == len(b)
        and all(
            x.dtype == y.dtype and x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True)
        )
        for a, b in zip(variables, others, strict=True)
    )
    return equal, histories == logs
