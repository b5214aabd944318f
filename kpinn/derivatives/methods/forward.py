"""Derivatives by one `tf.autodiff.ForwardAccumulator` inside tapes.

Two accumulators are never nested: under a tape TensorFlow then returns right values and wrong
gradients with respect to the parameters (in eager mode wrong values too), so orders above one
are tapes around one accumulator.
"""

import tensorflow as tf

from kpinn.derivatives.methods.reverse import reverse


def forward(function, points, wanted, directions):
    """Partial derivatives, the first order by forward mode; arguments as in `reverse`."""
    values = {}
    columns = {key for key in wanted if not key[1]}
    if columns:
        values.update(reverse(function, points, columns, directions))
    for first in sorted({axes[0] for _, axes in wanted if axes}, key=repr):
        tangent = _tangent(function, points, first, directions)
        rest = {(column, axes[1:]) for column, axes in wanted if axes and axes[0] == first}
        for (column, axes), value in reverse(tangent, points, rest, directions).items():
            values[column, (first, *axes)] = value
    return {key: values[key] for key in wanted}


def _tangent(function, points, axis, directions):
    """The function `(n, d) -> (n, m)` that is the derivative of `function` along `axis`."""
    if isinstance(axis, str):
        vectors = directions[axis]
    else:
        unit = tf.one_hot(axis, points.shape[1], dtype=points.dtype)
        vectors = tf.zeros_like(points) + unit

    def derivative(points):
        with tf.autodiff.ForwardAccumulator(points, vectors) as accumulator:
            outputs = function(points)
        tangents = accumulator.jvp(outputs)  # None: no dependence on the points
        return tf.zeros_like(outputs) if tangents is None else tangents

    return derivative
