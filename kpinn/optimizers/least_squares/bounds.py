"""Bounds of parameters in steps of Gauss and Newton, by a set of parameters that are held.

A step that would leave bounds ends on them in one of two ways, of which the better is taken: it is
projected, cut off for the parameters that would leave; or it is shortened for all parameters, to
the first bound, which stays in a valley along which they move together. A parameter on its bound,
where the gradient would push it beyond, is held: the linear model does not see it. It is free again
as soon as the gradient turns.

References:
    D. P. Bertsekas, Projected Newton methods for optimization problems with simple constraints,
    SIAM Journal on Control and Optimization 20 (1982), 221-246, for those that are held.
    Nocedal & Wright, section 16.5, for the steps.
"""

import typing

import tensorflow as tf

from kpinn.optimizers.flat import leaving, within


def restricted(objective, theta, residuals, gradient=None):
    """The objective of a step whose derivatives do not see the parameters that are held.

    Args:
        objective: a `FlatObjective`.
        theta: tensor `(p,)`.
        residuals: the residuals there `(m,)`; or `None`, and then
        gradient: half the gradient there, `(p,)`.

    Returns:
        The `FlatObjective`, and `(p,)` with a one for each parameter that is free, a zero for
        others; the number one if there are no bounds.
    """
    if objective.bounds is None:
        return objective, 1.0
    slope = objective.vector_jacobian(theta, residuals) if gradient is None else gradient
    free = tf.cast(~leaving(theta, -slope, objective.bounds), theta.dtype)

    def fold_jacobian(theta, function, *rest):
        def masked(result, rows, part):
            return function(result, rows * free, part)

        return objective.fold_jacobian(theta, masked, *rest)

    seen = objective._replace(
        fold_jacobian=fold_jacobian,
        jacobian_vector=lambda theta, vector: objective.jacobian_vector(theta, free * vector),
        vector_jacobian=lambda theta, vector: free * objective.vector_jacobian(theta, vector),
    )
    return seen, free


class End(typing.NamedTuple):
    """Where a step ends, or the better one of two ends.

    Attributes:
        theta: `(p,)`.
        loss: there.
        accepted: whether the loss falls by enough, scalar bool.
    """

    theta: tf.Tensor
    loss: tf.Tensor
    accepted: tf.Tensor


def best_end(objective, theta, start, step, predicted, ratio, end):
    """The `End` of a step.

    Args:
        objective: a `FlatObjective`.
        theta: tensor `(p,)`.
        start: the `Start` there.
        step: `(p,)`.
        predicted: what the linear model says that the whole step lowers the loss by.
        ratio: what part of it is enough.
        end: from the parameters after a step, within bounds, to better ones and the loss there.
    """
    straight = within(theta + step, objective.bounds)
    after, value = end(straight)
    if objective.bounds is None:
        return End(after, value, _is_enough(start.loss - value, ratio * predicted))
    whole = tf.reduce_all(straight == theta + step)
    expected = tf.cond(
        whole, lambda: predicted, lambda: _predicted(objective, theta, start, straight)
    )
    projected = End(after, value, _is_enough(start.loss - value, ratio * expected))

    def better():
        moved = _shortened(theta, step, objective.bounds)
        value = _loss(objective, moved)
        enough = _is_enough(start.loss - value, ratio * predicted)
        taken = enough & ~(projected.accepted & (projected.loss < value))
        pairs = zip(End(moved, value, enough), projected, strict=True)
        return End(*(tf.where(taken, new, old) for new, old in pairs))

    return tf.cond(whole, lambda: projected, better)


def _is_enough(decrease, least):
    return (decrease >= least) & (decrease > 0.0)


def _loss(objective, theta):
    if objective.residuals is None:
        return objective.value(theta)
    return tf.reduce_sum(objective.residuals(theta) ** 2)


def _predicted(objective, theta, start, moved):
    """What the linear model says to a step that is cut off, of which that may be the most."""
    change = objective.jacobian_vector(theta, moved - theta)
    if start.residuals is None:
        slope = tf.tensordot(start.gradient, moved - theta, 1)
    else:
        slope = tf.tensordot(start.residuals, change, 1)
    return -2.0 * slope - tf.reduce_sum(change**2)


def _shortened(theta, step, bounds):
    """The parameters where a step meets the first bound, exactly on it."""
    aims = tf.where(step < 0.0, *bounds)
    moves = step != 0.0
    parts = (aims - theta) / tf.where(moves, step, tf.ones_like(step))
    parts = tf.where(moves, parts, tf.constant(float("inf"), theta.dtype))
    part = tf.reduce_min(parts)
    return within(tf.where(parts <= part, aims, theta + part * step), bounds)
