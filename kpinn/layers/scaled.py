"""A network of numbers of the size of one, for coordinates and fields in any units."""

import dataclasses
import warnings

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kpinn.derivatives import PrecisionWarning
from kpinn.derivatives.names.declarations import declare
from kpinn.derivatives.precision import EPSILON
from kpinn.domains import Domain
from kpinn.layers.hard import OverNetwork
from kpinn.options import names as names_of
from kpinn.options import shown
from kpinn.options.arrays import float_array

POOR, ABSURD = 1e-4, 1e-2  # rounding of a number over half its range: a warning, an error


@keras.saving.register_keras_serializable(package="kpinn.layers")
class Scaled(OverNetwork):
    """A network whose inputs and outputs are of the size of one, in the units of the user.

    Coordinates between their bounds become numbers between -1 and 1, for which networks are made,
    and numbers between -1 and 1 become fields between theirs. This is the dimensionless form of a
    problem: what is trained are its weights, while points, fields, derivatives, residuals and
    exports stay in the units in which the bounds are given. Bounds are estimates, which nothing
    keeps.

    A hard condition goes around it, with a `distance` of the size of one, `t / 3600`, and scales of
    random features are those in the coordinates between -1 and 1. In `kpinn.networks.Fields` each
    network is scaled by itself. In `kpinn.layers.TimeWindows` the time of the network is the local
    one, between 0 and 1. `kpinn.loss_weights` makes the conditions alike.

    Args:
        network: Keras model or layer `(n, d) -> (n, m)`; its weights are this layer's weights.
        coordinates: dict from each coordinate, in the order of the columns of the input and with
            those of parameters, to a pair of bounds; or a domain of `kpinn.domains`, whose bounding
            box counts. Bounds are numbers, or for `x[3]` lists of these.
        fields: the same for the fields, in the order of the columns of the output. A field that is
            about a number everywhere, with changes of some size, is between that number less and
            more the size.
        **kwargs: of `keras.layers.Layer`; `dtype` is by default that of the network.

    Input shape: `(n, d)`.

    Output shape: `(n, m)`.

    Raises:
        ValueError: for names without meaning, bounds that are none, and where a number is so much
            larger than half its range that rounding leaves less than two digits of it; a
            `kpinn.PrecisionWarning` where it leaves less than four.

    Example:

        network = kpinn.layers.Scaled(
            kpinn.networks.MLP(units=20, depth=3),
            coordinates={"t": (0, 3600), "x": (0, 0.5)},  # seconds, metres
            fields={"T": (293, 373)},  # kelvin
        )

    References:
        Wang, Sankaran, Wang & Perdikaris, "An expert's guide to training physics-informed neural
        networks" (2023), section 4.1, where the equations are made dimensionless by hand.
    """

    inner = ("network",)

    def __init__(self, network, coordinates, fields, **kwargs):
        given = coordinates.bounds if isinstance(coordinates, Domain) else coordinates
        self._inputs, self._outputs = _ranges("coordinates", given), _ranges("fields", fields)
        super().__init__(network, self._inputs.names, self._outputs.names, **kwargs)
        self._space()
        for ranges in (self._inputs, self._outputs):
            ranges.check_precision(self.compute_dtype)

    @property
    def space(self):
        """The `Space` of the coordinates and the fields."""
        return self._space()

    @property
    def field_sizes(self):
        """Dict from field to its middle and half its range, arrays `(k,)`."""
        parts, of = self.space.fields, self._outputs
        return {name: (of.middle[part], of.half[part]) for name, part in parts.items()}

    def call(self, inputs):
        """The fields `(n, m)`."""

        def constant(values):
            return ops.convert_to_tensor(values, inputs.dtype)

        inside = (inputs - constant(self._inputs.middle)) / constant(self._inputs.half)
        outputs = self.network(inside)
        if outputs.shape[1:] != self._outputs.half.shape:
            raise ValueError(
                f"network {self.network.name!r} returns the shape {tuple(outputs.shape)}: expected "
                f"(n, {self._outputs.half.size}), one column per component of {self.fields!r}."
            )
        return constant(self._outputs.middle) + constant(self._outputs.half) * outputs

    def get_config(self):
        """The arguments."""
        ranges = {"coordinates": self._inputs.bounds(), "fields": self._outputs.bounds()}
        return super().get_config() | ranges


@dataclasses.dataclass(frozen=True, eq=False)
class _Ranges:
    """Bounds of named columns.

    Attributes:
        names: as they are declared, `"t x[3]"`.
        low: array `(d,)`.
        high: array `(d,)`.
    """

    names: str
    low: np.ndarray
    high: np.ndarray

    @property
    def middle(self):
        """The middle of each column, `(d,)`."""
        return self.low + self.half

    @property
    def half(self):
        """Half the range of each column, `(d,)`."""
        return self.high / 2.0 - self.low / 2.0

    def bounds(self):
        """A dict from declared name to its bounds, lists of numbers."""
        parts = zip(self.names.split(), declare(self.names, "name").values(), strict=True)
        return {name: [self.low[part].tolist(), self.high[part].tolist()] for name, part in parts}

    def check_precision(self, dtype):
        """Raises `ValueError`, or warns, where rounding leaves few digits within a range."""
        largest = np.maximum(np.abs(self.low), np.abs(self.high))
        rounding = EPSILON[tf.as_dtype(dtype)] * largest / self.half
        if rounding.max() < POOR:
            return
        for name, part in declare(self.names, "name").items():
            if (worst := rounding[part].max()) >= POOR:
                message = (
                    f"{name!r} is between {shown(self.low[part].tolist())} and "
                    f"{shown(self.high[part].tolist())}: in {dtype} its numbers are rounded by "
                    f"{worst:.0e} of half that range. Measure it from a number within its range, "
                    "as a time from the start, or call kpinn.set_float64() first."
                )
                if worst >= ABSURD:
                    raise ValueError(message)
                warnings.warn(message, PrecisionWarning, stacklevel=4)


def _ranges(what, given):
    """The `_Ranges` of a dict from names to pairs of bounds."""
    if not isinstance(given, dict) or not given:
        raise ValueError(
            f"{what} is {shown(given)}: expected a dict from names to bounds, such as "
            "{'x': (0.0, 0.5)}."
        )
    names, lows, highs = [], [], []
    for name, bounds in zip(names_of(what, list(given), "t x"), given.values(), strict=True):
        low, high = _pair(what, name, bounds)
        size = declare([name], what.removesuffix("s"))
        count = next(iter(size.values())).stop if "[" in name else low.size
        if low.size not in (1, count):
            raise ValueError(f"{what} has {count} components of {name!r}, and {low.size} bounds.")
        names.append(f"{name.partition('[')[0]}[{count}]" if count > 1 else name)
        lows.append(np.broadcast_to(low, count))
        highs.append(np.broadcast_to(high, count))
    return _Ranges(" ".join(names), np.concatenate(lows), np.concatenate(highs))


def _pair(what, name, bounds):
    """The lower and the upper bounds of a name, arrays `(k,)`."""
    try:
        low, high = bounds
        ends = float_array(f"{what}[{name!r}]", low), float_array(f"{what}[{name!r}]", high)
        low, high = (np.atleast_1d(end) for end in np.broadcast_arrays(*ends))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{what}[{name!r}] is {shown(bounds)}: expected a pair of bounds in one unit, such as "
            f"(0.0, 0.5). It said: {error}"
        ) from error
    if low.ndim > 1 or not np.all(np.isfinite(high - low) & (low < high)):
        raise ValueError(
            f"{what}[{name!r}] is {shown(bounds)}: expected finite bounds, the lower one below the "
            "upper."
        )
    return low, high
