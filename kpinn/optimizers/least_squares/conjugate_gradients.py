"""Damped linear least squares by conjugate gradients, from products with the Jacobian alone."""

import functools
import typing
from collections.abc import Callable

import tensorflow as tf

from kpinn.optimizers.least_squares.linear_model import Memory, Solver
from kpinn.optimizers.least_squares.nystrom import Nystrom, nystrom, nystrom_bytes
from kpinn.options import optional, whole

RANK = 400  # of the preconditioner
ITERATIONS = 100
TOLERANCE = 1e-3


class ConjugateGradients(Solver):
    """Solves without a matrix, by conjugate gradients; less exact.

    Args:
        rank: number of eigenvalues of `J^T J` in the preconditioner, by default 400, 0 for none.
    """

    takes_rank, has_triangle = True, False

    def __init__(self, rank=None):
        super().__init__(optional(whole, "rank", rank, 0))

    def memory(self, parameters, residuals=None):
        """See `Solver.memory`."""
        rank = self._eigenvalues(parameters)
        what = f"a preconditioner of rank {rank} for {parameters} parameters"
        return Memory(nystrom_bytes(parameters, rank), what, "pass a smaller rank")

    def model(self, objective, theta, start, state):
        """See `Solver.model`."""
        times = functools.partial(objective.jacobian_vector, theta)
        transposed = functools.partial(objective.vector_jacobian, theta)
        gradient = transposed(start.residuals) if start.gradient is None else start.gradient
        rank = self._eigenvalues(theta.shape[0])
        preconditioner = nystrom(objective.fold_jacobian, theta, rank) if rank else None
        return ProductsModel(times, transposed, gradient, ITERATIONS, TOLERANCE, preconditioner)

    def _eigenvalues(self, parameters):
        """The rank of the preconditioner."""
        return min(RANK if self.rank is None else self.rank, parameters)


def conjugate_gradients(product, right, iterations, tolerance, inverse=lambda v: v):
    """The solution of a symmetric positive definite system, by Hestenes and Stiefel's method.

    Nocedal & Wright, algorithm 5.3. It also ends where rounding makes a curvature negative.

    Args:
        product: a function from `(p,)` to the matrix times it.
        right: the right-hand side `(p,)`.
        iterations: most iterations.
        tolerance: norm of the residual at the end, in parts of that of the right-hand side.
        inverse: the preconditioner, a function from `(p,)` to about the solution for it.

    Returns:
        The solution `(p,)`.
    """
    first = tf.tensordot(right, right, 1)

    def goes_on(count, x, residual, direction, height):
        return (count < iterations) & (tf.tensordot(residual, residual, 1) > tolerance**2 * first)

    def body(count, x, residual, direction, height):
        image = product(direction)
        curvature = tf.tensordot(direction, image, 1)
        positive = (curvature > 0.0) & (height > 0.0)
        length = tf.where(positive, height / curvature, 0.0)
        x, residual = x + length * direction, residual - length * image
        steepest = inverse(residual)
        after = tf.tensordot(residual, steepest, 1)
        direction = steepest + after / height * direction
        return tf.where(positive, count + 1, iterations), x, residual, direction, after

    direction = inverse(right)
    start = [0, tf.zeros_like(right), right, direction, tf.tensordot(right, direction, 1)]
    return tf.while_loop(goes_on, body, start)[1]


class ProductsModel(typing.NamedTuple):
    """A `LinearModel` that is known by products with its Jacobian.

    Attributes:
        times: `(p,) -> (m,)`, the Jacobian times a vector.
        transposed: `(m,) -> (p,)`, a vector times the Jacobian.
        gradient: `J^T r`, `(p,)`.
        iterations: most iterations of conjugate gradients.
        tolerance: of conjugate gradients.
        preconditioner: `None` or a `nystrom.Nystrom` of `J^T J`.
    """

    times: Callable
    transposed: Callable
    gradient: tf.Tensor
    iterations: int
    tolerance: float
    preconditioner: Nystrom | None = None

    @property
    def scale(self):
        """The curvature along the gradient, an estimate of the largest squared singular value."""
        square = tf.reduce_sum(self.gradient**2)
        return tf.math.divide_no_nan(tf.reduce_sum(self.times(self.gradient) ** 2), square)

    def smallest_damping(self):
        """See `LinearModel.smallest_damping`; below it conjugate gradients would not end."""
        return self.scale * 1e-12

    def solve(self, damping):
        """See `LinearModel.solve`."""
        inverse = self.preconditioner.inverse(damping) if self.preconditioner else lambda v: v

        def solved(right):
            return conjugate_gradients(
                lambda v: self.transposed(self.times(v)) + damping * v,
                right,
                self.iterations,
                self.tolerance,
                inverse,
            )

        step = -solved(self.gradient)
        decrease = -tf.reduce_sum(self.times(step) ** 2) - 2.0 * tf.reduce_sum(self.gradient * step)
        return step, decrease, lambda vector: solved(self.transposed(vector))
