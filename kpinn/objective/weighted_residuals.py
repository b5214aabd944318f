"""The residuals of conditions, weighted so that the sum of their squares is the loss.

A residual with the sample weight `s` in a condition with the loss weight `w` and `m` residuals is
`sqrt(w s / m)` times the residual minus its target.
"""

import keras
import numpy as np
import tensorflow as tf

from kpinn.problem.points import in_order, minus_target, sets_of


def weighted_residuals(objective, data, weighted=True):
    """Dicts by condition: residual minus target `(n, k)`, the same weighted, its points.

    Args:
        objective: the `Objective`.
        data: a `Data`.
        weighted: whether the second are weighted.
    """
    if weighted:
        refuse_regularizers(objective, data)
    problem = objective.problem
    differences, products, points = {}, {}, {}
    for names, arrays in sets_of(problem, data.points):
        arrays = {name: tf.stop_gradient(tf.convert_to_tensor(a)) for name, a in arrays.items()}
        for name, residual in problem.residuals_at(names, arrays).items():
            residual = minus_target(name, residual, data.targets.get(name))
            differences[name], weight = residual, data.sample_weight.get(name)
            given = objective, name, residual, weight, data.share
            factor = row_factors(*given) if weighted else 1.0
            products[name] = residual * factor
            points[name] = list(arrays.values())
    return tuple(in_order(problem, found) for found in (differences, products, points))


def refuse_regularizers(objective, data):
    """Raises `ValueError` for losses of layers, which are no residuals."""
    if objective.regularization(data.points):
        raise ValueError(
            "the network has regularization losses (of weights or activities, or by add_loss), "
            "which are no residuals: their part of the loss would be missing. Take them out of "
            "the network, or use an optimizer such as kpinn.optimizers.SSBroyden."
        )


def is_square(loss):
    """Whether a loss is a mean square."""
    return loss is keras.losses.mean_squared_error or type(loss) is keras.losses.MeanSquaredError


def refuse_other_losses(losses, name):
    """Raises `ValueError` unless the loss of a condition is a mean square."""
    loss = losses.functions[name]
    if not is_square(loss):
        given = getattr(loss, "__name__", type(loss).__name__)
        raise ValueError(
            f"the loss of condition {name!r} is {given}: only a mean square is a sum of squares of "
            "residuals. Compile with the loss 'mse'."
        )


def row_factors(objective, name, residual, weight, share=None):
    """The factors of rows, `(n, 1)` or `()`, whose squares are the weights in the loss.

    Args:
        objective: the `Objective`.
        name: name of the condition.
        residual: its residual `(n, k)`.
        weight: its sample weights, or `None`.
        share: the `Share` of a replica, or `None`.
    """
    count, size = residual.shape
    if count is None or size is None:
        raise ValueError(
            f"condition {name!r} has a residual of unknown shape {tuple(residual.shape)}: the "
            "Jacobian needs a known number of points, as arrays have it, or a dataset with "
            "batch(count, drop_remainder=True)."
        )
    losses = objective.losses
    refuse_other_losses(losses, name)
    return tf.sqrt(point_weights(losses, name, residual, weight, share) / size)


def point_weights(losses, name, residual, weight, share=None):
    """What the losses of points are multiplied by, `(n, 1)` or `()`.

    Args:
        losses: the `Losses`.
        name: name of the condition.
        residual: tensor `(n, k)`.
        weight: sample weights, or `None`.
        share: the `Share` of a replica, or `None`.
    """
    factor = tf.cast(tf.convert_to_tensor(losses.weights[name]), residual.dtype)
    rows, reduction = share and share.rows[name], losses.reduction(name)
    count = rows.count if rows else residual.shape[0]
    if weight is not None:
        weight = tf.reshape(tf.cast(weight, factor.dtype), (-1, 1))
    if reduction == "mean_with_sample_weight" and weight is not None:
        factor = factor / (tf.cast(rows.total, factor.dtype) if rows else tf.reduce_sum(weight))
    elif reduction != "sum":
        factor = factor / count
    factor = factor if weight is None else factor * weight
    return rows.weighted(tf.broadcast_to(factor, (residual.shape[0], 1))) if rows else factor


def check_squares(objective, data):
    """Raises `ValueError` unless the loss is a sum of squares of residuals.

    Args:
        objective: the `Objective`.
        data: a `Data`.
    """
    refuse_regularizers(objective, data)
    for name in objective.problem.conditions:
        refuse_other_losses(objective.losses, name)
    check_weights(objective, data)


def check_weights(objective, data):
    """Raises `ValueError` for negative weights, with which the loss is no sum of squares."""
    weights = objective.losses.weights
    negative = [f"loss weight of {name!r} is" for name, w in weights.items() if w.numpy() < 0]
    negative += [
        f"sample weights of {name!r} are"
        for name, weight in data.sample_weight.items()
        if np.any(weight.numpy() < 0)
    ]
    if negative:
        raise ValueError(f"the {negative[0]} negative, so that the loss is no sum of squares.")
