"""Functions of the coordinates to put in front of a network."""

import math

import keras
import numpy as np
from keras import ops

from kpinn.options import flag, number, optional, positive_whole, shown, whole
from kpinn.options.arrays import float_array, listed, one_or_several
from kpinn.options.configs import FromConfig


@keras.saving.register_keras_serializable(package="kpinn.layers")
class PeriodicEmbedding(FromConfig, keras.layers.Layer):
    """Cosines and sines in the place of periodic coordinates: the network is exactly periodic.

    A column `x` with the period `P` becomes `cos(2 pi k x / P)` and `sin(2 pi k x / P)` for `k`
    from 1 to `harmonics`; the other columns stay as they are. Whatever follows has the same value
    and the same derivatives of every order at `x` and at `x + P`, so that no condition needs to
    say so. More harmonics let a small network bend more, and are harder to train by
    quasi-Newton optimizers: take one if in doubt.

    With `even=True` the cosines alone are kept, and what follows is an even function of `x` with
    the period `P`: mirrored at `x = 0` and at `x = P / 2`, where its slope is zero. Times
    `sin(2 pi x / P)` it is an odd one, which is zero there. So walls half a period apart hold
    exactly, by reflection.

    Args:
        periods: one period per column, `None` for a column that is not periodic; or a dict from
            the number of a column to its period.
        harmonics: number of multiples of the lowest frequency.
        even: whether the sines are left out, of all columns with a period.
        **kwargs: of `keras.layers.Layer`.

    Input shape: `(n, d)`.

    Output shape: `(n, d + p (2 harmonics - 1))` for `p` periodic columns, in the order of the
    columns; for each of them first the cosines. If even, `(n, d + p (harmonics - 1))`.

    Raises:
        ValueError: for periods that are no positive numbers, or not as many as columns.

    Example:

        embedding = kpinn.layers.PeriodicEmbedding([None, 2.0])  # t, and x in (-1, 1)
        network = kpinn.networks.MLP(units=20, depth=4, embedding=embedding)

        even = kpinn.layers.PeriodicEmbedding([None, 2.0], even=True)  # walls at x = 0 and x = 1
        string = kpinn.networks.MLP(units=20, depth=4, embedding=even)  # held at both ends:
        string = kpinn.layers.HardCondition(string, "t x", distance=lambda x: ops.sin(np.pi * x))

    References:
        Dong & Ni, "A method for representing periodic functions and enforcing exactly periodic
        boundary conditions with deep neural networks" (2021).
    """

    def __init__(self, periods, harmonics=1, even=False, **kwargs):
        super().__init__(**kwargs)
        self.periods = _checked_periods(periods)
        self.harmonics, self.even = positive_whole("harmonics", harmonics), flag("even", even)

    def build(self, input_shape):
        """Checks the number of columns."""
        count = _columns(self, input_shape)
        known = max(self.periods) < count if isinstance(self.periods, dict) else None
        if known is False or (known is None and len(self.periods) != count):
            raise ValueError(
                f"periods={self.periods!r} do not fit points with {count} columns: expected one "
                "period per column, None for one that is not periodic, or a dict from the number "
                "of a column, counted from 0, to its period."
            )

    def call(self, inputs):
        """The columns `(n, ...)`."""
        multiples = 2.0 * math.pi * np.arange(1, self.harmonics + 1)
        found = []
        for column in range(inputs.shape[1]):
            part, period = inputs[:, column : column + 1], self._period(column)
            if period is None:
                found.append(part)
            else:
                angles = part * ops.convert_to_tensor(multiples[None] / period, inputs.dtype)
                found += [ops.cos(angles)] if self.even else [ops.cos(angles), ops.sin(angles)]
        return ops.concatenate(found, axis=1)

    def _period(self, column):
        if isinstance(self.periods, dict):
            return self.periods.get(column)
        return self.periods[column]

    def get_config(self):
        """The arguments."""
        many = dict(self.periods) if isinstance(self.periods, dict) else list(self.periods)
        config = {"periods": many, "harmonics": self.harmonics, "even": self.even}
        return super().get_config() | config


def _checked_periods(periods):
    """A list of positive numbers or `None`, or a dict from columns to positive numbers."""
    if isinstance(periods, dict):
        found = {
            _column(key): number("each of periods", each, "(0, inf)")
            for key, each in periods.items()
        }
    else:
        many = listed(periods) or []
        found = [optional(number, "each of periods", each, "(0, inf)") for each in many]
    if not found or found == [None] * len(found):
        raise ValueError(
            f"periods={shown(periods)}: expected a list with a positive number per column, None "
            "for a column that is not periodic, and at least one that is; or a dict from numbers "
            "of columns to positive numbers."
        )
    return found


def _column(key):
    """The number of a column, which is a text in a file."""
    is_text = isinstance(key, str) and key.isdecimal()
    return whole("a column of periods", int(key) if is_text else key, 0)


@keras.saving.register_keras_serializable(package="kpinn.layers")
class FourierFeatures(FromConfig, keras.layers.Layer):
    """Cosines and sines of random frequencies: a network that learns fast oscillations.

    Points `x` become `cos(2 pi x B)` and `sin(2 pi x B)`. The entries of `B`, `(d, units / 2)`, in
    cycles per unit of length, are drawn once from a normal distribution with the standard deviation
    `scale`. It is the one number to choose: about half of the highest frequency of the solution; a
    solution that is much smoother is learnt worse. With several scales each gets an equal share of
    the units.

    Args:
        units: number of columns of the output, even.
        scale: standard deviation of the frequencies, or a list of such.
        trainable: whether the frequencies are trained.
        seed: of the frequencies; by default from Keras's global seed.
        **kwargs: of `keras.layers.Layer`.

    Input shape: `(n, d)`.

    Output shape: `(n, units)`, first the cosines.

    Raises:
        ValueError: for units that cannot be shared out, or scales that are not positive.

    Example:

        embedding = kpinn.layers.FourierFeatures(units=40, scale=[1.0, 10.0])
        network = kpinn.networks.MLP(units=40, depth=3, embedding=embedding)

    References:
        Tancik et al., "Fourier features let networks learn high frequency functions in low
        dimensional domains" (2020). Several scales: Wang, Wang & Perdikaris, "On the eigenvector
        bias of Fourier feature networks" (2021), where each scale has a pass of its own through
        the network; here they are columns of one input.
    """

    def __init__(self, units, scale=1.0, trainable=False, seed=None, **kwargs):
        super().__init__(trainable=flag("trainable", trainable), **kwargs)
        self.units = positive_whole("units", units)
        self.scale = one_or_several("scale", scale, number, "(0, inf)")
        self.seed, count = optional(whole, "seed", seed, 0), np.size(self.scale)
        if self.units % (2 * count):
            raise ValueError(
                f"units={units} cannot be shared out to a cosine and a sine for each of "
                f"{count} scales: expected a multiple of {2 * count}."
            )

    def build(self, input_shape):
        """Draws the frequencies."""
        scales = np.repeat(np.atleast_1d(self.scale), self.units // 2 // np.size(self.scale))
        normal = keras.initializers.RandomNormal(stddev=1.0, seed=self.seed)

        def draw(shape, dtype=None):
            return normal(shape, dtype) * ops.convert_to_tensor(scales, dtype)

        self.frequencies = self.add_weight(
            shape=(input_shape[-1], self.units // 2),
            initializer=draw,
            trainable=self.trainable,
            name="frequencies",
        )

    def call(self, inputs):
        """The columns `(n, units)`."""
        angles = ops.matmul(inputs, 2.0 * math.pi * self.frequencies)
        return ops.concatenate([ops.cos(angles), ops.sin(angles)], axis=-1)

    def get_config(self):
        """The arguments."""
        scale = self.scale if isinstance(self.scale, float) else list(self.scale)
        return super().get_config() | {"units": self.units, "scale": scale, "seed": self.seed}


@keras.saving.register_keras_serializable(package="kpinn.layers")
class Rescale(FromConfig, keras.layers.Layer):
    """Coordinates between bounds become coordinates between -1 and 1.

    Networks are initialised for inputs of that size. Derivatives stay those with respect to the
    coordinates as they are given. `keras.layers.Rescaling` does the same with a factor and an
    offset, and rounds them to float32 even in a float64 model.

    Args:
        lower: lower bound of each column, a list; or one number for all.
        upper: upper bound of each column, a list; or one number for all.
        **kwargs: of `keras.layers.Layer`.

    Input shape: `(n, d)`.

    Output shape: `(n, d)`.

    Raises:
        ValueError: for bounds that are not finite, or a lower one that is not below the upper.

    Example:

        embedding = kpinn.layers.Rescale([0.0, -5.0], [100.0, 5.0])  # t and x
        network = kpinn.networks.MLP(units=20, depth=4, embedding=embedding)
    """

    def __init__(self, lower, upper, **kwargs):
        super().__init__(**kwargs)
        ends = float_array("lower", lower), float_array("upper", upper)
        try:
            low, high = np.broadcast_arrays(*ends)
        except ValueError as error:
            raise ValueError(f"lower={lower!r}, upper={upper!r} do not fit: {error}") from error
        if low.ndim > 1 or not np.all(np.isfinite(high - low) & (low < high)):
            raise ValueError(
                f"lower={lower!r}, upper={upper!r}: expected finite numbers, one per column of the "
                "points, each lower one below the upper."
            )
        self.lower, self.upper = low.tolist(), high.tolist()

    def build(self, input_shape):
        """Checks the number of columns."""
        count = _columns(self, input_shape)
        if np.shape(self.lower) not in ((), (count,)):
            raise ValueError(
                f"lower={self.lower!r}, upper={self.upper!r} do not fit points with {count} "
                "columns: expected one number per column, or one for all."
            )

    def call(self, inputs):
        """The columns between -1 and 1."""
        low, high = np.array(self.lower), np.array(self.upper)
        middle = ops.convert_to_tensor((low + high) / 2, inputs.dtype)
        return (inputs - middle) / ops.convert_to_tensor((high - low) / 2, inputs.dtype)

    def get_config(self):
        """The arguments."""
        lower, upper = np.array(self.lower).tolist(), np.array(self.upper).tolist()
        return super().get_config() | {"lower": lower, "upper": upper}


def _columns(layer, input_shape):
    if len(input_shape) != 2:
        raise ValueError(
            f"layer {layer.name!r} got an input of the shape {tuple(input_shape)}: expected points "
            "(n, d), one column per component of the coordinates."
        )
    return input_shape[-1]
