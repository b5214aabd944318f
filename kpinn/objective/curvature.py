"""The curvature of losses that are no mean squares, in the form of residuals.

A loss is a sum over points of `l(y)`, where `y` is what it takes from the network at a point. With
the Jacobian `J` of `y` with respect to the parameters and the Hessian `H` of `l`, the generalised
Gauss-Newton matrix is `J^T H J`. It is a product of a Jacobian with itself: that of `sqrt(H) y`,
where the root is held constant. For a functional (`kpinn.losses.Mean`) `y` are the arguments of the
condition, which makes the step an energy natural gradient; for any other loss it is the residual.
Negative eigenvalues of `H` are left out, unknowns count as constants.

References:
    J. Mueller and M. Zeinhofer, Achieving high accuracy with PINNs via energy natural gradient
    descent, Proceedings of Machine Learning Research 202 (2023), 25471-25485.
    N. N. Schraudolph, Fast curvature matrix-vector products for second-order gradient descent,
    Neural Computation 14 (2002), 1723-1738.
"""

import tensorflow as tf

from kpinn.objective.functionals import Mean
from kpinn.objective.weighted_residuals import (
    is_square,
    point_weights,
)
from kpinn.problem import refusals
from kpinn.problem.arguments import At, Quantity
from kpinn.problem.points import in_order, sets_of, widths_of


def all_squares(losses):
    """Whether the losses of all conditions are mean squares."""
    return all(is_square(loss) for loss in losses.functions.values())


def roots_of(objective, data):
    """The roots of half the Hessians of the loss at the points.

    Args:
        objective: the `Objective`.
        data: a `Data`.

    Returns:
        A dict from condition to a tensor `(n, k^2)`, the rows of symmetric matrices.
    """
    found = {}
    for names, arrays in sets_of(objective.problem, data.points):
        for name in names:
            outputs, residual = _outputs(objective, name, arrays)
            loss = _point_loss(objective, name, data.targets.get(name), residual)
            found[name] = _root(outputs, loss, _weights(objective, name, data, outputs))
    return found


def scaled_outputs(objective, data, roots):
    """Dicts by condition: what the loss depends on times a root `(n, k)`, its points and root."""
    products, points = {}, {}
    for names, arrays in sets_of(objective.problem, data.points):
        arrays = {name: tf.stop_gradient(tf.convert_to_tensor(a)) for name, a in arrays.items()}
        for name in names:
            y, root = _side_by_side(_outputs(objective, name, arrays)[0]), roots[name]
            size = y.shape[1]
            columns = [
                tf.reduce_sum(root[:, size * i : size * (i + 1)] * y, axis=1, keepdims=True)
                for i in range(size)
            ]
            products[name] = tf.concat(columns, axis=1)
            points[name] = [*arrays.values(), root]
    return in_order(objective.problem, products), in_order(objective.problem, points)


def _outputs(objective, name, arrays):
    """What the loss of a condition depends on, a list of tensors, and its residual from these."""
    problem, function = objective.problem, objective.problem.conditions[name]
    arguments = problem.arguments_at(function, widths_of(arrays))
    asked = [argument.name for argument in arguments if isinstance(argument, Quantity)]
    is_mean = isinstance(objective.losses.functions[name], Mean)
    if is_mean and (function.over_set or At() in arguments):
        raise ValueError(
            f"the functional {name!r} is of all points of a set at once, or of values at other "
            "points, so that its curvature is none of single points: use an optimizer without it, "
            "such as kpinn.optimizers.SSBroyden or LBFGS."
        )
    if not is_mean or not asked:
        residual = problem.residuals_at((name,), arrays)[name]
        return [residual], lambda outputs: outputs[0]
    values = problem.values(arguments, arrays, function.method)
    points = next(iter(arrays.values()))

    def residual(outputs):
        found = function(values | dict(zip(asked, outputs, strict=True)))
        return refusals.checked_residual(function, found, points, problem.dtype)

    return [values[argument] for argument in asked], residual


def _point_loss(objective, name, target, residual):
    """The loss at each point as a function of what it depends on."""

    def loss(outputs):
        found = residual(outputs)
        values = objective.losses.at_points(name, target, found)
        if values.shape != found.shape[:1]:
            raise ValueError(
                f"the loss of condition {name!r} has the shape {tuple(values.shape)}: its "
                f"curvature needs one value per point, {tuple(found.shape[:1])}."
            )
        return values

    return loss


def _weights(objective, name, data, outputs):
    weight = data.sample_weight.get(name)
    return point_weights(objective.losses, name, outputs[0], weight, data.share)


def _root(outputs, loss, weights):
    """The symmetric roots of half the weighted Hessians at the points, `(n, k^2)`."""
    outputs = [tf.stop_gradient(output) for output in outputs]
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(outputs)
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(outputs)
            total = tf.reduce_sum(loss(outputs))
        slopes = _gradients(inner, total, outputs)
        sums = [tf.reduce_sum(slopes[:, i]) for i in range(slopes.shape[1])]
    hessian = tf.stack([_gradients(tape, each, outputs) for each in sums], axis=1)
    hessian = 0.5 * tf.reshape(weights, (-1, 1, 1)) * hessian
    values, vectors = tf.linalg.eigh(0.5 * (hessian + tf.linalg.matrix_transpose(hessian)))
    scaled = vectors * tf.sqrt(tf.maximum(values, 0.0))[:, None, :]
    root = tf.matmul(scaled, vectors, transpose_b=True)
    return tf.stop_gradient(tf.reshape(root, (root.shape[0], root.shape[1] ** 2)))


def _gradients(tape, total, outputs):
    """The gradients of a sum over points, `(n, k)`."""
    gradients = tape.gradient(total, outputs, unconnected_gradients="zero")
    return _side_by_side([tf.convert_to_tensor(gradient) for gradient in gradients])


def _side_by_side(outputs):
    return tf.concat([tf.reshape(each, (each.shape[0], -1)) for each in outputs], axis=1)
