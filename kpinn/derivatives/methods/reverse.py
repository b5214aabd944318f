"""Derivatives by nested `tf.GradientTape`: one tape per order."""

import tensorflow as tf


def reverse(function, points, wanted, directions):
    """Partial derivatives by reverse mode in reverse mode.

    Args:
        function: `(n, d) -> (n, m)`.
        points: tensor `(n, d)`.
        wanted: set of `(column, axes)`.
        directions: dict of name to vectors `(n, d)`.

    Returns:
        A dict from `(column, axes)` to tensors `(n, 1)`.
    """
    nodes = _nodes(wanted)
    order = max((len(axes) for _, axes in nodes), default=0)
    return _up_to(order, function, tf.identity(points), nodes, directions)


def _nodes(wanted):
    """All derivatives on the way to the wanted ones."""
    return {(column, axes[:k]) for column, axes in wanted for k in range(len(axes) + 1)}


def _up_to(order, function, points, nodes, directions):
    """Values of all nodes of at most this order; the tape of the highest order is outermost."""
    if order == 0:
        outputs = function(points)
        return {(column, ()): outputs[:, column : column + 1] for column, axes in nodes if not axes}
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(points)
        values = _up_to(order - 1, function, points, nodes, directions)
    gradients = {}
    for column, axes in sorted(nodes, key=repr):
        if len(axes) == order:
            parent = (column, axes[:-1])
            if parent not in gradients:
                gradients[parent] = _gradient(tape, values[parent], points)
            values[column, axes] = along(axes[-1], gradients[parent], directions)
    return values


def _gradient(tape, value, points):
    gradient = tape.gradient(value, points)  # None: the value does not depend on the points
    return tf.zeros_like(points) if gradient is None else tf.convert_to_tensor(gradient)


def along(axis, gradient, directions):
    """The component of a gradient `(n, d)` along one axis, `(n, 1)`."""
    if isinstance(axis, str):
        return tf.reduce_sum(gradient * directions[axis], axis=1, keepdims=True)
    return gradient[:, axis : axis + 1]
