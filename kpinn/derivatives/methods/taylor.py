"""The exact derivatives of a function by one propagation of jets."""

import dataclasses

import keras
import tensorflow as tf

from kpinn.derivatives.algebra import Algebra, algebra, combine, derivative
from kpinn.derivatives.channels_per_point import wants_channels_per_point
from kpinn.derivatives.errors import RefusedError
from kpinn.derivatives.factors import Factor
from kpinn.derivatives.interpreter import interpret
from kpinn.derivatives.jets import Jet, channel_of, full, times
from kpinn.derivatives.operators import SUMS
from kpinn.derivatives.per_point.keeps_rows import keeps_rows
from kpinn.derivatives.readout import read_out
from kpinn.derivatives.requests import axis_order, partials
from kpinn.derivatives.tracing import trace


@keras.saving.register_keras_serializable(package="kpinn")
@dataclasses.dataclass(frozen=True)
class Taylor:
    """Exact derivatives by one propagation of Taylor coefficients; `"taylor"`, the default.

    Args:
        strict: whether to raise an error where an operation of the network has no rule, in place
            of a `kpinn.DerivativeFallbackWarning` and a slower exact method.
        recompute: whether the gradient of a loss computes the derivatives of activations again
            before dense layers, in place of keeping them (rematerialization). Where XLA compiles,
            a step takes less memory and a little more time; without XLA nothing changes.

    Example:

        values = kpinn.derivatives(network, points, "u_xx", method=kpinn.Taylor(strict=True))
    """

    strict: bool = False
    recompute: bool = False

    def get_config(self):
        """The arguments."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        return cls(**config)


def taylor(function, points, requests, directions, space, report, recompute=False):
    """Values of requests.

    Args:
        function: `(n, d) -> (n, m)`.
        points: tensor `(n, d)`.
        requests: list of `Request`.
        directions: dict from name to vectors `(n, d)`.
        space: their `Space`.
        report: called with the description of an operation that has no rule.
        recompute: see `Taylor`.

    Returns:
        A dict from name to tensor.

    Raises:
        UnsupportedError: for an operation that cannot be propagated through.
        ValueError: for one that must not be.
    """

    def through(**how):
        size, count = points.shape[1], points.shape[0]
        graph = trace(function, size, points.dtype, count, **how).graph
        plan = Plan.of(requests, space).on(points)
        if plan.scales_rows() and not keeps_rows(function, size, points.dtype):
            plan = Plan.of(requests, space, apart=True).on(points)
        inputs = [plan.seeds(points, directions)]
        return plan, interpret(graph, inputs, plan.algebra, report, plan.needed, recompute)

    try:
        plan, (outputs,) = through()
    except RefusedError:
        raise
    except (ValueError, tf.errors.InvalidArgumentError):
        if points.shape[0] is None:
            raise
        # A shape that the function works out from a number of points that it does not know.
        plan, (outputs,) = through(exactly=True)
    space.check_output(outputs.shape, points.shape)
    return {request.name: plan.read(request, space, outputs) for request in requests}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What one propagation carries.

    Attributes:
        algebra: the `Algebra` of all requests.
        axes: tuple of axes (columns and names of directions), the variables of the algebra.
        sums: for each request by name what it reads out, see `_sums`.
    """

    algebra: Algebra
    axes: tuple
    sums: dict

    @classmethod
    def of(cls, requests, space, apart=False):
        """The plan for a list of `Request`; `apart` without channels of sums with factors."""
        keys = [axes for request in requests for _, axes in partials(request, space)]
        used = sorted({axis for axes in keys for axis in axes}, key=axis_order)
        variables = {axis: i for i, axis in enumerate(used)}
        values = _factors(requests)
        numbers = {name: i for i, name in enumerate(values)}
        sums = {r.name: _sums(r, space, variables, numbers) for r in requests}
        plain, factored = set(), {}
        for total in (total for parts in sums.values() for total in parts.values()):
            symbols = [frozenset(symbol.items()) for symbol in total.values()]
            if apart or set(total) <= {None}:
                plain |= set(symbols)
            else:
                factored[tuple(zip(total, symbols, strict=True))] = None
        carrier = algebra(frozenset(plain), tuple(factored))
        factors = dict(enumerate(values.values()))
        return cls(carrier.with_factors(factors), tuple(used), sums)

    def on(self, points):
        """The plan for points, with factors that are as many where channels have to be."""
        if not wants_channels_per_point():
            return self
        shape = (tf.shape(points)[0] if points.shape[0] is None else points.shape[0], 1)
        factors = {n: tf.broadcast_to(f, shape) for n, f in self.algebra.factors.items()}
        return dataclasses.replace(self, algebra=self.algebra.with_factors(factors))

    def scales_rows(self):
        """Whether products of channels are multiplied with a factor for each point."""
        factors = self.algebra.factors
        return any(factors[name].shape.rank for name in self.algebra.scaling)

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
            parts = [
                times(self.algebra.factors.get(name), _scaled(vectors[i], number))
                for i, name, number in self.algebra.seeds.get(k, ())
            ]
            channels.append(sum(parts[1:], parts[0]) if parts else None)
        jet = Jet(self.algebra, tuple(channels))
        return full(jet) if wants_channels_per_point() else jet

    @property
    def needed(self):
        """The channels of the output that are read."""
        every = [total for parts in self.sums.values() for total in parts.values()]
        return frozenset(k for total in every for k, *_ in self.algebra.read_sum(total))

    def read(self, request, space, outputs):
        """The value of a request from the function's output."""
        totals = self.sums[request.name].items()
        values = {key: self._column(outputs, key[0], total) for key, total in totals}
        if request.operator in (*SUMS, "combination"):
            return tf.concat(list(values.values()), axis=1)
        return read_out(request, space, values)

    def _column(self, outputs, column, total):
        """One component of the output under an operator, `(n, 1)`."""
        value = _of_column(channel_of(outputs, 0), column)
        parts = [
            times(
                self.algebra.factors.get(name),
                _scaled(_of_column(channel_of(outputs, k), column), number),
            )
            for k, name, number in self.algebra.read_sum(total)
            if channel_of(outputs, k) is not None
        ]
        if not parts:
            return tf.zeros_like(value)
        found = sum(parts[1:], parts[0])
        return found if total == VALUE else tf.broadcast_to(found, tf.shape(value))


VALUE = {None: {(): 1}}  # the sum that is the function itself


def _of_column(channel, column):
    """One column of a channel, which may have a single one that is the same for all."""
    return channel if channel.shape[1] == 1 else channel[:, column : column + 1]


def _scaled(tensor, factor):
    return tensor if factor == 1 else float(factor) * tensor


def _factors(requests):
    """Dict from name to tensor, the factors of requests that are no numbers."""
    terms = [factor for request in requests for factor, _ in request.terms]
    return {factor.name: factor.value for factor in terms if isinstance(factor, Factor)}


def _sums(request, space, variables, names):
    """What a request reads out: dict from `(column, axes)`, or `(column, operator)`, to a sum.

    `names` is a dict from the names of factors to those in sums.
    """
    found = {}

    def add(key, factor, symbol):
        name, number = (None, factor)
        if isinstance(factor, Factor):
            name, number = names[factor.name], factor.number
        total = found.setdefault(key, {})
        total[name] = combine([(1, total.get(name, {})), (number, symbol)])

    for factor, term in request.terms:
        for (column, _), total in _sums(term, space, variables, names).items():
            add((column, request.operator), factor, total[None])
    for column, axes in () if request.terms else partials(request, space):
        symbol = derivative([variables[axis] for axis in axes])
        if request.operator in SUMS:
            factor = 2 if request.operator == "biharmonic" and len(set(axes)) == 2 else 1
            add((column, request.operator), factor, symbol)
        else:
            add((column, axes), 1, symbol)
    return {key: {n: s for n, s in total.items() if s} for key, total in found.items()}
