"""Evolution equations in short windows of time, one after the other, by random features.

The fields of a window are random features of the local time, zero at its begin, and of a place that
is stretched where the fields at its begin are steep (`Stretch`), so that features and points follow
fronts. What the last window ends with is the start of the next, a condition with a large weight.
Gauss-Newton begins with these values at all times, which are close in a short window, where from
zeros in the whole domain it finds nothing. All windows are one `kpinn.PINN`, compiled once; the
weights of each are kept. Scales are chosen by `pinn.adapt` in the first window. Where the residual
has become `WORSE` times as large, others are tried in that window, and stay if they make it
smaller: the solution is not looked at.
"""

import math

import keras
import numpy as np
from keras import ops

import kpinn
from kpinn.domains import Box
from kpinn.layers import HardCondition, PeriodicEmbedding, Rescale
from kpinn.networks import RandomFeatures

STEPS = 8  # of Gauss and Newton in a window, at most
HALF = 0.5  # of the loss, above which a step was the last one
WEIGHT = 100.0  # of the start, where residuals times the length of the window have one
POINTS = 3  # inside, for each feature
WORSE, FACTOR, BETTER = 10.0, 1.6, 0.8  # residuals, scales that are tried, residuals
WAVES, TAPER = 192, 12.0  # that a stretched place is made of; fewer, or less tapered, leave ripples
PLACES = 1024  # at which fields are looked at to make it


class Stretch(keras.layers.Layer):
    """Replaces the last column `x` by a place that grows fast where a density is large.

    Args:
        lower, upper: ends of the interval, which stay where they are.
        period: whether the density repeats; otherwise it is reflected at both ends.
    """

    def __init__(self, lower, upper, period):
        super().__init__()
        self.lower, self.length, self.period = lower, upper - lower, period
        self.waves = np.pi * (2 if period else 1) / self.length * np.arange(1, WAVES + 1)

    def build(self, input_shape):
        """Makes the coefficients, with which `x` stays as it is."""
        self.coefficients = self.add_weight(
            shape=(2 * WAVES, 1), trainable=False, initializer="zeros", name="coefficients"
        )

    def call(self, inputs):
        """The columns with the stretched place."""
        x = inputs[:, 1:]
        angles = (x - self.lower) * ops.convert_to_tensor(self.waves[None], inputs.dtype)
        waves = ops.concatenate([ops.sin(angles), ops.cos(angles) - 1.0], axis=1)
        return ops.concatenate([inputs[:, :1], x + ops.matmul(waves, self.coefficients)], axis=1)

    def follow(self, density):
        """Makes the slope of the place proportional to a density.

        Args:
            density: `(n,)`, positive, in the middle of `n` equal parts of the interval.
        """
        middle = self.length * (np.arange(len(density)) + 0.5) / len(density)
        angles = np.outer(self.waves, middle)
        taper = np.exp(-TAPER * np.linspace(0.0, 1.0, WAVES) ** 2) / self.waves
        parts = 2.0 * density / density.mean() / len(density)
        sines = taper * (np.cos(angles) @ parts)
        cosines = -taper * (np.sin(angles) @ parts) if self.period else 0.0 * taper
        self.coefficients.assign(np.concatenate([sines, cosines])[:, None])

    def inverse(self, part):
        """The places `(n, 1)` that are stretched to these parts `(n, 1)` of the interval."""
        fine = np.linspace(0.0, self.length, 16 * PLACES)
        places = np.stack([0.0 * fine, self.lower + fine], axis=1)
        stretched = (np.asarray(self(places))[:, 1] - self.lower) / self.length
        return self.lower + np.interp(part, np.maximum.accumulate(stretched), fine)


def density_of(values, slopes, interval, period):
    """Where features are needed: one over the length in which fields change, evened out.

    Args:
        values, slopes: of the fields, `(n, m)`, in the middle of `n` equal parts.
        interval: its length.
        period: whether the fields repeat; otherwise they are reflected at both ends.

    Returns:
        `(n,)`: the length grows from the steepest places with the distance.
    """
    change = np.ptp(values, axis=0)
    change = np.where(change > 0.0, change, 1.0)
    lengths = 1.0 / np.maximum(np.max(np.abs(slopes) / change, axis=1), 1.0 / interval)
    count = len(lengths)
    if not period:
        lengths = np.concatenate([lengths, lengths[::-1]])
    apart = np.abs(np.arange(count)[:, None] - np.arange(len(lengths))[None])
    distances = np.minimum(apart, len(lengths) - apart) * interval / count
    return np.sqrt(np.mean(1.0 / (lengths**2 + distances**2), axis=1))


class Settled(keras.callbacks.Callback):
    """Ends a training when a step leaves more than `HALF` of the loss."""

    changes_loss = False

    def on_train_begin(self, logs=None):
        self.last = np.inf

    def on_epoch_end(self, epoch, logs=None):
        if not logs["loss"] < HALF * self.last:
            self.model.stop_training = True
        self.last = logs["loss"]


class March:
    """The solution of a problem in windows of time.

    Args:
        problem: a `Problem` with an `evolution`.
        windows: their number; 0 for that of the problem.
        features: number of features.
        seed: of features and points.
        jit_compile: as in `compile`.
    """

    def __init__(self, problem, windows, features, seed, jit_compile):
        self.how, self.features, self.seed = problem.evolution, features, seed
        (_, self.end), self.interval = (problem.box.bounds[name] for name in ("t", "x"))
        self.windows = windows or self.how.windows
        self.length = self.end / self.windows
        self.stretch = Stretch(*self.interval, self.how.repeats)
        network = self._network()
        conditions = [self.how.equation, self.how.begin, *self.how.walls]
        self.names = [condition.__name__ for condition in conditions]
        self.pinn = kpinn.PINN(network, "t x", self.how.fields, conditions)
        self.guess = kpinn.PINN(network, "t x", self.how.fields, [self.how.begin])
        weights = {name: WEIGHT for name in self.names}
        weights[self.names[0]] = (self.how.rate * self.length) ** 2
        for pinn, given in ((self.pinn, weights), (self.guess, None)):
            optimizer = kpinn.optimizers.LevenbergMarquardt()
            pinn.compile(optimizer, loss_weights=given, jit_compile=jit_compile)
        self.kept, self.losses, self.usual, self.iterations = [], [], None, 0

    def _network(self):
        """Random features of the local time and of the stretched place."""
        how, (lower, upper), fields = self.how, self.interval, self.how.fields.split()
        if how.period is None:
            embedding = [self.stretch, Rescale([0.0, lower], [self.length, upper])]
        else:
            periodic = PeriodicEmbedding([None, how.period], even=not how.repeats)
            embedding = [self.stretch, Rescale([0.0, -1.0], [self.length, 1.0]), periodic]
        network = RandomFeatures(self.features, len(fields), seed=self.seed, embedding=embedding)
        self.layer = network.layers[-2]
        return HardCondition(network, "t x", distance=how.distance) if how.distance else network

    def run(self, clock, seconds):
        """Solves one window after the other, until the time is up."""
        for number in range(self.windows):
            if number and clock.seconds >= seconds:
                break
            self._solve(number)

    def _solve(self, number):
        self.begin = self._values_at_begin()
        self._follow()
        points = self._points(number)
        if number == 0:
            self.pinn.adapt(points)
        loss = self._fit(points)
        if number == 0 or loss > WORSE**2 * self.usual:
            loss = self.usual = self._with_other_scales(points, loss)
        self.losses.append(loss)
        self.kept.append(self.pinn.network.get_weights())

    def _values_at_begin(self):
        """From places `(n, 1)` to the fields there at the begin of the next window, `(n, m)`."""
        if not self.kept:
            return lambda x: np.asarray(self.how.start(x))
        weights = self.kept[-1]

        def values(x):
            now = self.pinn.network.get_weights()
            self.pinn.network.set_weights(weights)
            found = self._fields(np.full_like(x, self.length), x)
            self.pinn.network.set_weights(now)
            return found

        return values

    def _fields(self, t, x):
        found = self.pinn.predict_fields({"t": t, "x": x}, self.how.fields.split())
        return np.concatenate(list(found.values()), axis=1)

    def _follow(self):
        """Stretches the place by the fields at the begin of a window."""
        lower, length = self.stretch.lower, self.stretch.length
        values = self.begin(lower + length * (np.arange(PLACES)[:, None] + 0.5) / PLACES)
        slopes = np.gradient(values, length / PLACES, axis=0)
        self.stretch.follow(density_of(values, slopes, length, self.how.repeats))

    def _points(self, number):
        """The points of a window, in the same number for all of them."""
        seed = self.seed * self.windows + number
        unit = Box(t=(0.0, self.length), part=(0.0, 1.0))
        inside = unit.sample(POINTS * self.features, "latin_hypercube", seed)
        first = unit.face(t=0.0).sample(self.features, "latin_hypercube", seed)
        found = {}
        for name, points in zip(self.names, (inside, first), strict=False):
            found[name] = {"t": points["t"], "x": self.stretch.inverse(points["part"])}
        found[self.names[1]] = self._with_begin(found[self.names[1]])
        return found | (self.how.data(number * self.length, self.length) if self.how.data else {})

    def _with_begin(self, points):
        """Points with the fields that the window begins with, `u0`, at their places."""
        values = self.begin(points["x"])
        names = [f"{name}0" for name in self.how.fields.split()]
        return points | dict(zip(names, values.T[:, :, None], strict=True))

    def _with_other_scales(self, points, loss):
        """The loss after trying other scales of the time and of the place; the best stay."""
        network, best = self.pinn.network, self.pinn.network.get_weights()
        for columns in (slice(0, 1), slice(1, None)):
            for factor in (FACTOR, 1.0 / FACTOR):
                trial = -math.inf
                while trial < BETTER**2 * loss:
                    if math.isfinite(trial):
                        loss, best = trial, network.get_weights()
                    scale = np.asarray(self.layer.scale).copy()
                    scale[columns] *= factor
                    self.layer.set_scale(scale)
                    trial = self._fit(points)
                network.set_weights(best)
        return loss

    def _fit(self, points):
        """The loss after some steps from the values of the begin."""
        self.guess.fit(self._with_begin(points[self.names[0]]), epochs=2, verbose=0)
        history = self.pinn.fit(points, epochs=STEPS, verbose=0, callbacks=[Settled()])
        self.iterations += len(history.history["loss"])
        return min(history.history["loss"])

    def predict_fields(self, points, names):
        """As that of a `kpinn.PINN`, each time by its window; later than the last by its end."""
        t, x = (np.reshape(points[name], (-1, 1)) for name in ("t", "x"))
        numbers = np.floor(t[:, 0] / self.length + 1e-9).astype(int)
        numbers = np.clip(numbers, 0, len(self.kept) - 1)
        values = np.zeros((len(t), len(self.how.fields.split())))
        for number in np.unique(numbers):
            self.pinn.network.set_weights(self.kept[number])
            rows = numbers == number
            local = np.clip(t[rows] - number * self.length, 0.0, self.length)
            values[rows] = self._fields(local, x[rows])
        self.pinn.network.set_weights(self.kept[-1])  # with which the march goes on
        columns = dict(zip(self.how.fields.split(), values.T[:, :, None], strict=True))
        return {name: columns[name] for name in names.replace(",", " ").split()}
