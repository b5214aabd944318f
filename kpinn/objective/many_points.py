"""The loss and its gradient at many points, as sums over parts of them.

The parts are shares as those of replicas (`kpinn.problem.shares`), one after the other, so that
more points need no more memory for what a gradient keeps.
"""

import tensorflow as tf

from kpinn.backend.devices import accelerators
from kpinn.derivatives.methods.stochastic import Stochastic
from kpinn.objective.losses import is_of_keras
from kpinn.problem.points import counts, is_shared, widths_of
from kpinn.problem.shares import share_of
from kpinn.problem.together import takes_together

POINTS = 2**14  # most points of a part: on a CPU more at a time are no faster


def by_parts(objective, function):
    """A function of a `Data`, a row `(1 + number of conditions,)` and a gradient `(p,)`, as a sum.

    Args:
        objective: the `Objective`.
        function: takes a `Data`, which may have a `Share`.
    """

    def summed(data):
        count, together = _parts_of(objective, data)
        if count == 1:
            return function(data)

        def add(number, row, gradient):
            found = function(share_of(objective.problem, data, number, count, together))
            return number + 1, row + found[0], gradient + found[1]

        def more(number, row, gradient):
            return number < count

        sizes = 1 + len(objective.problem.conditions), objective.size
        zeros = [tf.zeros((size,), objective.dtype) for size in sizes]
        start = tf.constant(0, tf.int64), *zeros
        return tf.while_loop(more, add, start, parallel_iterations=1)[1:]

    return summed


def _parts_of(objective, data):
    """The number of parts, and the names of the conditions that each of them has whole."""
    names, conditions = objective.evaluated(data), objective.problem.conditions
    sizes = counts(names, data)
    drawn = any(isinstance(conditions[name].method, Stochastic) for name in names)
    few = max(sizes.values()) <= POINTS
    if few or drawn or objective.takes_all or data.share or data.streams or accelerators():
        return 1, set()
    together = of_all_points(objective, data)
    many = sum(sizes[name] for name in together) > POINTS // 8  # once more for each part
    return (1 if many else -(-max(sizes.values()) // POINTS)), together


def of_all_points(objective, data):
    """Names of the conditions that take all their points together."""
    names = objective.evaluated(data)
    return {n for n in names if objective.takes_all or _is_together(objective, n, data)}


def _is_together(objective, name, data):
    widths = widths_of(data.points if is_shared(data.points) else data.points[name])
    key = "together", name, tuple(sorted(widths.items()))
    with tf.init_scope():
        return objective.compiled.once(key, lambda: _has_mean(objective, name, widths))


def _has_mean(objective, name, widths):
    """Whether a condition or its loss takes points together."""
    if objective.problem.takes_together(name, widths):
        return True
    loss, shapes = objective.losses.functions[name], {"residual": (None, 1)}
    if is_of_keras(loss) or type(loss).__module__.startswith("kpinn."):
        return False

    def at_points(values):
        return objective.losses.at_points(name, None, values["residual"])

    return takes_together(at_points, shapes, objective.dtype)
