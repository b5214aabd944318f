"""The exact derivatives of a function by one propagation of jets."""

import dataclasses

import keras
import tensorflow as tf

from kpinn.derivatives.algebra import Algebra, algebra, combine, derivative
from kpinn.derivatives.errors import RefusedError
from kpinn.derivatives.interpreter import interpret
from kpinn.derivatives.jets import Jet, channel_of, full
from kpinn.derivatives.point_gradients import wants_channels_per_point
from kpinn.derivatives.readout import read_out
from kpinn.derivatives.requests import SUMS, axis_order, partials
from kpinn.derivatives.tracing import trace


@keras.saving.register_keras_serializable(package="kpinn")
@dataclasses.dataclass(frozen=True)
class Taylor:
    """Exact derivatives by one propagation of Taylor coefficients; `"taylor"`, the default.

    Args:
        strict: whether to raise an error where an operation of the network has no rule, in place
            of a `kpinn.DerivativeFallbackWarning` and a slower exact method.

    Example:

        values = kpinn.derivatives(network, points, "u_xx", method=kpinn.Taylor(strict=True))
    """

    strict: bool = False

    def get_config(self):
        """The arguments."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        return cls(**config)


def taylor(function, points, requests, directions, space, report):
    """Values of requests.

    Args:
        function: `(n, d) -> (n, m)`.
        points: tensor `(n, d)`.
        requests: list of `Request`.
        directions: dict from name to vectors `(n, d)`.
        space: their `Space`.
        report: called with the description of an operation that has no rule.

    Returns:
        A dict from name to tensor.

    Raises:
        UnsupportedError: for an operation that cannot be propagated through.
        ValueError: for one that must not be.
    """
    plan = Plan.of(requests, space)
    inputs = [plan.seeds(points, directions)]

    def through(**how):
        size, count = points.shape[1], points.shape[0]
        graph = trace(function, size, points.dtype, count, **how).graph
        return interpret(graph, inputs, plan.algebra, report, plan.needed)

    try:
        (outputs,) = through()
    except RefusedError:
        raise
    except (ValueError, tf.errors.InvalidArgumentError):
        if points.shape[0] is None:
            raise
        # A shape that the function works out from a number of points that it does not know.
        (outputs,) = through(exactly=True)
    space.check_output(outputs.shape, points.shape)
    return {request.name: plan.read(request, space, outputs) for request in requests}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What one propagation carries.

    Attributes:
        algebra: the `Algebra` of all requests.
        axes: tuple of axes (columns and names of directions), the variables of the algebra.
        symbols: for each request by name what it reads out, see `_symbols`.
    """

    algebra: Algebra
    axes: tuple
    symbols: dict

    @classmethod
    def of(cls, requests, space):
        """The plan for a list of `Request`."""
        keys = [axes for request in requests for _, axes in partials(request, space)]
        used = sorted({axis for axes in keys for axis in axes}, key=axis_order)
        variables = {axis: i for i, axis in enumerate(used)}
        symbols = {request.name: _symbols(request, space, variables) for request in requests}
        every = [symbol for parts in symbols.values() for symbol in parts.values()]
        carrier = algebra(frozenset(frozenset(symbol.items()) for symbol in every))
        return cls(carrier, tuple(used), symbols)

    def seeds(self, points, directions):
        """The coordinates as a jet `(n, d)`."""
        size = points.shape[1]
        vectors = [
            directions[axis]
            if isinstance(axis, str)
            else tf.one_hot([axis], size, dtype=points.dtype)
            for axis in self.axes
        ]
        channels = [points]
        for k in range(1, len(self.algebra)):
            parts = [_scaled(vectors[i], f) for i, f in self.algebra.seeds.get(k, ())]
            channels.append(sum(parts[1:], parts[0]) if parts else None)
        jet = Jet(self.algebra, tuple(channels))
        return full(jet) if wants_channels_per_point() else jet

    @property
    def needed(self):
        """The channels of the output that are read."""
        every = [symbol for parts in self.symbols.values() for symbol in parts.values()]
        return frozenset(k for symbol in every for k in self.algebra.read(symbol))

    def read(self, request, space, outputs):
        """The value of a request from the function's output."""
        symbols = self.symbols[request.name].items()
        values = {key: self._column(outputs, key[0], symbol) for key, symbol in symbols}
        if request.operator in (*SUMS, "combination"):
            return tf.concat(list(values.values()), axis=1)
        return read_out(request, space, values)

    def _column(self, outputs, column, symbol):
        """One component of the output under an operator, `(n, 1)`."""
        value = _of_column(channel_of(outputs, 0), column)
        parts = [
            _scaled(_of_column(channel_of(outputs, k), column), factor)
            for k, factor in self.algebra.read(symbol).items()
            if channel_of(outputs, k) is not None
        ]
        if not parts:
            return tf.zeros_like(value)
        total = sum(parts[1:], parts[0])
        return total if symbol == {(): 1} else tf.broadcast_to(total, tf.shape(value))


def _of_column(channel, column):
    """One column of a channel, which may have a single one that is the same for all."""
    return channel if channel.shape[1] == 1 else channel[:, column : column + 1]


def _scaled(tensor, factor):
    return tensor if factor == 1 else float(factor) * tensor


def _symbols(request, space, variables):
    """What a request reads out: dict from `(column, axes)` to symbol, or `(column, operator)`."""
    found = {}
    for factor, term in request.terms:
        for (column, _), symbol in _symbols(term, space, variables).items():
            known = found.get((column, request.operator), {})
            found[column, request.operator] = combine([(1, known), (factor, symbol)])
    for column, axes in () if request.terms else partials(request, space):
        symbol = derivative([variables[axis] for axis in axes])
        if request.operator in SUMS:
            factor = 2 if request.operator == "biharmonic" and len(set(axes)) == 2 else 1
            known = found.get((column, request.operator), {})
            found[column, request.operator] = combine([(1, known), (factor, symbol)])
        else:
            found[column, axes] = symbol
    return found
