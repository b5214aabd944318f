"""The share of a step that one of several replicas has.

The points of each set are divided among the replicas, as evenly as whole numbers can. All shares
have as many rows: the last row of a smaller one is another replica's, and does not count. A
condition that takes its points together has all of them on each replica, and of its residuals those
count that are in the share. So each row counts once, and what all replicas add up to is the whole.
"""

import dataclasses
import typing

import numpy as np
import tensorflow as tf

from kpinn.problem import fresh
from kpinn.problem.points import batch, counts, is_shared


class Rows(typing.NamedTuple):
    """Which residuals of a condition a replica has, `k` of all `count`.

    Attributes:
        positions: `(k,)`, where they are among all.
        counted: `(k,)`, which of them count.
        count: how many there are in all.
        total: the sum of all sample weights, `None` without.
    """

    positions: tf.Tensor
    counted: tf.Tensor
    count: int
    total: tf.Tensor | None = None

    def weighted(self, values):
        """A tensor `(k, ...)` with zeros in the place of what does not count."""
        shape = (-1,) + (1,) * (values.shape.rank - 1)
        return values * tf.reshape(tf.cast(self.counted, values.dtype), shape)

    def placed(self, values):
        """A tensor `(k, ...)` at its place in one of all rows `(count, ...)`, else zeros."""
        shape = (self.count, *values.shape[1:])
        return tf.scatter_nd(tf.reshape(self.positions, (-1, 1)), self.weighted(values), shape)


class Share(typing.NamedTuple):
    """Who a share is for.

    Attributes:
        replica: number of the replica, from 0.
        replicas: how many there are.
        rows: dict from condition to its `Rows`.
    """

    replica: int | tf.Tensor
    replicas: int
    rows: dict

    def once(self, value):
        """The value on the first replica, zero on others: what all of them have counts once."""
        return value * tf.cast(tf.equal(self.replica, 0), value.dtype)

    def part(self, name, values, weight, reduction):
        """The part of the loss of a condition that comes from its points here.

        Args:
            name: name of the condition.
            values: the losses at the points, `(k,)`; or one loss of all points.
            weight: sample weights, or `None`.
            reduction: that of the Keras loss.
        """
        if values.shape.rank == 0:
            return self.once(values)
        rows = self.rows[name]
        values = rows.weighted(values)
        if weight is not None:
            values = values * tf.reshape(tf.cast(weight, values.dtype), tf.shape(values))
        if reduction == "mean_with_sample_weight" and weight is not None:
            return tf.reduce_sum(values) / tf.cast(rows.total, values.dtype)
        return tf.reduce_sum(values) / (1 if reduction == "sum" else rows.count)


def share_of(problem, data, replica, replicas, together):
    """The `Data` of a replica, which has a `Share`.

    Args:
        problem: the `Problem`.
        data: the `Data` of a step.
        replica: number of the replica, an int or a scalar int32 tensor.
        replicas: how many there are.
        together: names of conditions that have all points on each replica.
    """
    names = [n for n in problem.conditions if is_shared(data.points) or n in data.points]
    drawn = [set(streamed or names) for _, streamed in data.streams]
    together = {n for group in [*drawn, *({n} for n in names)] if group & together for n in group}
    sizes, known, rows = counts(names, data), {}, {}
    for name in names:
        count = 1 if problem.conditions[name].over_set else sizes[name]
        key = count, name in together
        if key not in known:
            known[key] = _rows(count, replica, replicas, whole=name in together)
        weight = data.sample_weight.get(name)
        rows[name] = known[key]._replace(total=None if weight is None else tf.reduce_sum(weight))
    taken = {name: rows[name].positions for name in names if name not in together}
    streamed = set().union(*drawn)
    if together and taken and is_shared(data.points):
        data = dataclasses.replace(data, points={name: dict(data.points) for name in names})
    found = batch(data, {name: part for name, part in taken.items() if name not in streamed})
    if data.streams:
        part = replica, {name: -(-sizes[name] // replicas) for name in taken}
        found = fresh.drawn(found, *data.at, part)
    return dataclasses.replace(found, share=Share(replica, replicas, rows))


def _rows(count, replica, replicas, whole):
    first, stop = replica * count // replicas, (replica + 1) * count // replicas
    numbers = np.arange(count if whole else -(-count // replicas), dtype=np.int32)
    positions = numbers if whole else first + numbers
    counted = (positions >= first) & (positions < stop)
    return Rows(positions if whole else positions % count, counted, count)
