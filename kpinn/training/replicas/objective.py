"""What a PINN minimises, evaluated in shares by the replicas of a distribution strategy."""

import dataclasses
import functools

import tensorflow as tf

from kpinn.objective.curvature import roots_of
from kpinn.objective.jacobian import parts_of
from kpinn.objective.many_points import of_all_points
from kpinn.objective.objective import Objective
from kpinn.problem.points import is_shared
from kpinn.problem.shares import share_of
from kpinn.training.replicas.sums import sum_over_replicas


@dataclasses.dataclass(frozen=True, eq=False)
class DividedObjective(Objective):
    """An `Objective` whose functions at given parameters are sums over replicas.

    They are called between the steps of replicas, with the `Data` of the whole step. The other
    functions, at the present parameters, are of the first replica alone.

    Attributes:
        strategy: the `tf.distribute.Strategy`.
    """

    strategy: tf.distribute.Strategy | None = None

    def divided(self, function, data):
        """The sum over replicas of a function of a `Data`, each with its share.

        Args:
            function: returns nested tensors with static shapes.
            data: the `Data` of the whole step.
        """
        together = of_all_points(self, data)

        def of_replica(number):
            return function(self._share(data, number, together))

        return sum_over_replicas(self.strategy, of_replica)

    def drawn(self, data):
        """See `Objective.drawn`: what each replica has drawn, one after the other."""
        if not data.at:
            return data
        together, names = of_all_points(self, data), self.problem.conditions
        shares = [self._share(data, number, together).points for number in range(self._count)]
        streamed = {n for _, streamed in data.streams for n in streamed or names} - together

        def joined(parts):
            return tf.nest.map_structure(lambda *each: tf.concat(each, 0), *parts)

        if is_shared(data.points):
            points = joined(shares) if streamed else shares[0]
        else:
            points = data.points | {name: shares[0][name] for name in together}
            points |= {name: joined([part[name] for part in shares]) for name in streamed}
        return dataclasses.replace(data, points=points, streams=(), at=())

    def outputs(self, data):
        """See `Objective.outputs`."""
        return self.divided(lambda share: self.placed(Objective.outputs(self, share), share), data)

    def placed(self, residuals, share):
        """A dict by condition of what a share has, each at its place in the whole step."""
        return {name: share.share.rows[name].placed(r) for name, r in residuals.items()}

    def step(self, number, share):
        """The number of a step by which the random directions of replicas differ."""
        return number * self._count + share.share.replica

    @property
    def _count(self):
        return self.strategy.num_replicas_in_sync

    def _share(self, data, number, together):
        return share_of(self.problem, data, number, self._count, together)

    def _at(self, theta, key, function, data, *vectors):
        def at(theta, data, *vectors):
            self.assign(theta)
            return self.divided(lambda share: function(share, *vectors), data)

        workers = isinstance(self.strategy, tf.distribute.MultiWorkerMirroredStrategy)
        if workers and not tf.executing_eagerly():
            # A function with an exchange between workers fails in a branch of tf.cond, where
            # TensorFlow 2.21 loses the key of the exchange.
            return at(theta, data, *vectors)
        return self.compiled(key, at)(theta, data, *vectors)

    # The Jacobian ----------------------------------------------------------------------------

    def fold_jacobian(self, theta, data, function, result, merge=None, chosen=None):
        """See `Objective.fold_jacobian`; with `merge` each replica folds its own rows."""
        if merge is None:
            return super().fold_jacobian(theta, data, function, result, chosen=chosen)
        self.assign(theta)
        together = of_all_points(self, data)

        def of_replica(number):
            parts, _ = self._parts_of_share(data, number, together, chosen)
            found = self._folded(parts, function, result, chosen)
            if merge is tf.add:
                return found
            return tf.scatter_nd([[number]], found[None], (self._count, *found.shape))

        found = sum_over_replicas(self.strategy, of_replica)
        return found if merge is tf.add else functools.reduce(merge, tf.unstack(found))

    def _parts(self, theta, data, chosen):
        """As of one device, from all replicas."""

        self.assign(theta)
        together = of_all_points(self, data)

        def of_replica(number):
            parts, rows = self._parts_of_share(data, number, together, chosen)
            return [_placed(*each) for each in zip(parts, rows, strict=True)]

        return sum_over_replicas(self.strategy, of_replica)

    def _parts_of_share(self, data, number, together, chosen):
        """A list of `Part`, and one of their `Rows`, in a replica."""

        def parts(data, number=number):  # in a graph of its own, which is read
            share = self._share(data, number, together)
            roots = None if self.is_squares else roots_of(self, share)
            return parts_of(self, share, roots=roots, chosen=chosen)

        key, given = ("parts", chosen, *sorted(together)), (data, number)
        if isinstance(number, int):  # each replica has a trace of its own
            key, given = (*key, number), (data,)
        found = self.compiled.graph(key, parts)(*given)
        rows = self._share(data, number, together).share.rows
        return found, [rows[name] for name in self.evaluated(data)]


def _placed(part, rows):
    return tf.nest.map_structure(lambda t: None if t is None else rows.placed(t), part)
