"""What a propagation carries for a list of requests, and how their values are read from it."""

import dataclasses
import numbers

import tensorflow as tf

from kpinn.derivatives.channels.algebra import Algebra, algebra
from kpinn.derivatives.channels.channels_per_point import wants_channels_per_point
from kpinn.derivatives.channels.full_channels import full
from kpinn.derivatives.channels.jets import Jet, channel_of
from kpinn.derivatives.channels.product_rules import scaled, times, total_of
from kpinn.derivatives.channels.symbols import combine, derivative
from kpinn.derivatives.names.operators import SUMS
from kpinn.derivatives.names.requests import axis_order, partials
from kpinn.derivatives.readout import read_out

VALUE = {None: {(): 1}}  # the sum that is the function itself


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
        used = {axis for axes in keys for axis in axes} - space.unseen
        used = sorted(used, key=axis_order)
        variables = {axis: i for i, axis in enumerate(used)}
        values = {f.name: f.value for request in requests for f in request.factors}
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
            else tf.constant([[float(i == axis) for i in range(size)]], points.dtype)
            for axis in self.axes
        ]
        channels = [points]
        for k in range(1, len(self.algebra)):
            parts = (
                times(self.algebra.factors.get(name), scaled(number, vectors[i]))
                for i, name, number in self.algebra.seeds.get(k, ())
            )
            channels.append(total_of(parts))
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
        found = total_of(
            times(
                self.algebra.factors.get(name),
                scaled(number, _of_column(channel_of(outputs, k), column)),
            )
            for k, name, number in self.algebra.read_sum(total)
            if channel_of(outputs, k) is not None
        )
        if found is None:
            return tf.zeros_like(value)
        return found if total == VALUE else tf.broadcast_to(found, tf.shape(value))


def _of_column(channel, column):
    """One column of a channel, which may have a single one that is the same for all."""
    return channel if channel.shape[1] == 1 else channel[:, column : column + 1]


def _sums(request, space, variables, names):
    """What a request reads out: dict from `(column, axes)`, or `(column, operator)`, to a sum.

    `names` is a dict from the names of factors to those in sums.
    """
    found = {}

    def add(key, factor, symbol):
        name, number = (None, factor)
        if not isinstance(factor, numbers.Real):
            name, number = names[factor.name], factor.number
        total = found.setdefault(key, {})
        total[name] = combine([(1, total.get(name, {})), (number, symbol)])

    for factor, term in request.terms:
        for (column, _), total in _sums(term, space, variables, names).items():
            add((column, request.operator), factor, total.get(None, {}))
    for column, axes in () if request.terms else partials(request, space):
        seen = space.unseen.isdisjoint(axes)
        symbol = derivative([variables[axis] for axis in axes]) if seen else {}
        if request.operator in SUMS:
            factor = 2 if request.operator == "biharmonic" and len(set(axes)) == 2 else 1
            add((column, request.operator), factor, symbol)
        else:
            add((column, axes), 1, symbol)
    return {key: {n: s for n, s in total.items() if s} for key, total in found.items()}
