"""Damped linear least squares by conjugate gradients, from products with the Jacobian alone."""

import typing
from collections.abc import Callable

import tensorflow as tf


def conjugate_gradients(product, right, iterations, tolerance):
    """The solution of a symmetric positive definite system, by Hestenes and Stiefel's method.

    Nocedal & Wright, algorithm 5.2. It also ends where rounding makes a curvature negative.

    Args:
        product: a function from `(p,)` to the matrix times it.
        right: the right-hand side `(p,)`.
        iterations: most iterations.
        tolerance: norm of the residual at the end, in parts of that of the right-hand side.

    Returns:
        The solution `(p,)`.
    """
    first = tf.tensordot(right, right, 1)

    def goes_on(count, x, residual, direction, square):
        return (count < iterations) & (square > tolerance**2 * first)

    def body(count, x, residual, direction, square):
        image = product(direction)
        curvature = tf.tensordot(direction, image, 1)
        positive = curvature > 0.0
        length = tf.where(positive, square / curvature, 0.0)
        x, residual = x + length * direction, residual - length * image
        after = tf.tensordot(residual, residual, 1)
        direction = residual + after / square * direction
        return tf.where(positive, count + 1, iterations), x, residual, direction, after

    start = [0, tf.zeros_like(right), right, right, first]
    return tf.while_loop(goes_on, body, start)[1]


class Products(typing.NamedTuple):
    """A linear model of residuals that is known by products with its Jacobian.

    Attributes:
        times: `(p,) -> (m,)`, the Jacobian times a vector.
        transposed: `(m,) -> (p,)`, a vector times the Jacobian.
        residuals: `(m,)`.
        gradient: `J^T r`, `(p,)`.
        iterations: most iterations of conjugate gradients.
        tolerance: of conjugate gradients.
    """

    times: Callable
    transposed: Callable
    residuals: tf.Tensor
    gradient: tf.Tensor
    iterations: int
    tolerance: float

    @property
    def scale(self):
        """The curvature along the gradient, an estimate of the largest squared singular value."""
        square = tf.reduce_sum(self.gradient**2)
        return tf.math.divide_no_nan(tf.reduce_sum(self.times(self.gradient) ** 2), square)

    def smallest_damping(self):
        """Below it conjugate gradients would not end."""
        return self.scale * 1e-12

    def solve(self, damping):
        """The minimum of `|J s + r|^2 + damping |s|^2`; see `damped_least_squares.Factor.solve`."""

        def again(right):
            return conjugate_gradients(
                lambda v: self.transposed(self.times(v)) + damping * v,
                right,
                self.iterations,
                self.tolerance,
            )

        step = -again(self.gradient)
        change = self.times(step)
        return step, -tf.reduce_sum(change * (change + 2.0 * self.residuals)), again
