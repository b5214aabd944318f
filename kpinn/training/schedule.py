"""Which points each step of an epoch takes."""

import dataclasses
import typing

import tensorflow as tf

from kpinn.problem import fresh
from kpinn.problem.points import batch, counts, is_shared
from kpinn.training.arguments import check_batch_sizes
from kpinn.training.permutations import permuted


class Part(typing.NamedTuple):
    """What a step takes of a set: `size` of `count` points.

    When the set is used up it begins again: in the same order, or in one of its own (`renews`).
    """

    count: int
    size: int
    renews: bool

    @property
    def batches(self):
        """Steps until each point was in one."""
        return -(-self.count // self.size)

    def round(self, step):
        """How often it has begun again in an order of its own."""
        return step // self.batches if self.renews else 0

    def positions(self, step):
        """Where in its order a step takes points; the last is filled up with the first ones."""
        first = (step - self.round(step) * self.batches) * self.size
        return (first + tf.range(self.size)) % self.count


class Schedule:
    """How many steps an epoch has, and which points each step takes.

    Args:
        names: names of the conditions.
        data: a `Data`.
        batch_size: `None` for all points in each step; one for all sets, which then begin again in
            the same order; or a dict by condition, see `PINN.fit`.
        steps_per_epoch: by default as many as it takes until each point was in a step.
        shuffle: whether the points of a mini-batch are drawn in a new order in each epoch.
        whole: names of the conditions of whose own points every step takes all.

    Attributes:
        draws: whether points of streams are drawn here, rather than by each replica.
    """

    def __init__(self, names, data, batch_size, steps_per_epoch, shuffle, whole=()):
        self.names, self.whole = names, whole
        self.batch_size, self.shuffle = batch_size, shuffle
        self._given, self.draws = steps_per_epoch, True
        self.follow(data)

    def follow(self, data):
        """Gives the next epochs the steps that other points need."""
        if isinstance(self.batch_size, dict):
            check_batch_sizes(self.batch_size, data.points, counts(self.names, data))
        parts = self.parts(data).values()
        self.steps = self._given or max((part.batches for part in parts), default=1)

    @property
    def key(self):
        """What a compiled function depends on, beside the shapes of the points."""
        sizes = self.batch_size
        sizes = tuple(sorted(sizes.items())) if isinstance(sizes, dict) else sizes
        return sizes and (sizes, self.shuffle)

    def parts(self, data):
        """The `Part` of each condition of whose points a step does not take all as they are."""
        sizes, found = self.batch_size, counts(data.in_memory(self.names), data)
        if isinstance(sizes, dict):
            kept = {name: size for name, size in sizes.items() if size < found[name]}
            return {name: Part(found[name], size, self.shuffle) for name, size in kept.items()}
        whole = () if is_shared(data.points) else self.whole
        found = {name: count for name, count in found.items() if name not in whole}
        return {n: Part(k, min(k, sizes), False) for n, k in found.items() if sizes is not None}

    def batch(self, data, numbers):
        """The `Data` of one step.

        Args:
            data: the `Data`.
            numbers: seed, epoch and step.
        """
        seed, epoch, step = numbers
        rows, parts = {}, self.parts(data)
        for part in set(parts.values()):
            rows[part] = part.positions(step)
            if self.shuffle:
                first = tf.convert_to_tensor(seed) + 7919 * part.round(step)
                seeds = tf.stack([first, epoch + part.count])
                rows[part] = permuted(rows[part], part.count, seeds)
        data = batch(data, {name: rows[part] for name, part in parts.items()})
        if data.streams and not self.draws:
            return dataclasses.replace(data, at=numbers)
        return fresh.drawn(data, seed, epoch, step) if data.streams else data
