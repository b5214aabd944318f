"""Gauss-Newton steps with a trust region, for losses that are sums of squares."""

import functools
import typing

import keras
import tensorflow as tf

from kpinn.optimizers.conjugate_gradients import Products
from kpinn.optimizers.damped_least_squares import ROUNDINGS, epsilon, factorize, needs_triangle
from kpinn.optimizers.flat_optimizer import (
    CONVERGED,
    NO_PROGRESS,
    NONFINITE,
    RUNNING,
    FlatOptimizer,
    Progress,
)

FACTOR = 4.0  # from one trial value of the damping to the next
PATIENCE = 4  # trials after which the factor is squared
PART = 0.25  # of a step, over which a second difference is taken
AGREEMENT = 0.75  # of second differences, above which they are noise
LARGEST = 0.75  # half the acceleration, in parts of the step
MEMORY = 2**31  # bytes
SOLVERS = "dense", "cg"
ITERATIONS = 100  # of conjugate gradients
TOLERANCE = 1e-3  # of conjugate gradients


class _Trial(typing.NamedTuple):
    """A step with a damping, and what came of it."""

    damping: tf.Tensor
    theta: tf.Tensor
    loss: tf.Tensor
    accepted: tf.Tensor


@keras.saving.register_keras_serializable(package="kpinn")
class LevenbergMarquardt(FlatOptimizer):
    """Levenberg-Marquardt: Gauss-Newton steps on the residuals, with a damping that adapts.

    For networks of up to a few thousand parameters; the first choice for accuracy, in float64. A
    step minimises `|J s + r|^2 + damping |s|^2`, where `r` are the weighted residuals, whose
    squares sum to the loss, and `J` their Jacobian (`kpinn.jacobian`). Of the trial values of the
    damping, a factor of 4 apart at first, it takes the smallest with which the loss falls by at
    least `ratio` of what the linear model says. A small ratio, so long steps, is what makes it
    reach rounding: careful steps creep along narrow valleys. A step is bent along the curve that
    the residuals follow (geodesic acceleration) where that lowers the loss.

    Args:
        solver: `"dense"`, by Cholesky's factorisation and, where the damping is small, an
            orthogonal one; or `"cg"`, by conjugate gradients on products with the Jacobian, which
            takes no matrix but is less exact, for larger networks.
        ratio: least decrease of the loss, in parts of the predicted one; between 0 and 1.
        damping: damping of the first step, in parts of the largest squared column norm of `J`.
        trials: most values of the damping in one step.
        memory: most bytes for the matrices of `"dense"`.
        name: name of the optimizer.

    Raises:
        ValueError: for numbers out of range; in `fit`, for losses that are not mean squares, and
            for more parameters than the memory allows.

    Example:

        kpinn.set_float64()
        pinn = Burgers(kpinn.networks.MLP(units=20, depth=3))
        pinn.compile(kpinn.optimizers.LevenbergMarquardt())
        pinn.fit(points, epochs=200)  # an epoch is one step

    References:
        J. J. More, The Levenberg-Marquardt algorithm: implementation and theory, Numerical
        Analysis, Lecture Notes in Mathematics 630 (1978), 105-116.
        M. K. Transtrum and J. P. Sethna, Improvements to the Levenberg-Marquardt algorithm for
        nonlinear least-squares minimization (2012), arXiv:1201.5885.
    """

    least_squares = True

    def __init__(
        self,
        solver="dense",
        ratio=0.1,
        damping=1e-3,
        trials=24,
        memory=MEMORY,
        name="levenberg_marquardt",
    ):
        super().__init__(name)
        if solver not in SOLVERS:
            raise ValueError(f"solver {solver!r} is not one of {', '.join(SOLVERS)}.")
        if not 0.0 < ratio < 1.0:
            raise ValueError(f"ratio is between 0 and 1, not {ratio!r}.")
        if not damping > 0.0:
            raise ValueError(f"damping is positive, not {damping!r}.")
        if int(trials) != trials or trials < 1:
            raise ValueError(f"trials is a positive whole number, not {trials!r}.")
        self.solver, self.ratio, self.damping = solver, ratio, damping
        self.trials, self.memory = trials, memory

    def get_config(self):
        """The arguments."""
        names = ("solver", "ratio", "damping", "trials", "memory")
        return super().get_config() | {name: getattr(self, name) for name in names}

    def initial_state(self, theta):
        """The damping and the scale of the Jacobian; zeros before the first step."""
        size = theta.shape[0]
        needed = 6 * 8 * (size + 1) ** 2  # the factor, and what LAPACK copies
        if self.solver == "dense" and needed > self.memory:
            raise ValueError(
                f"LevenbergMarquardt needs {needed} bytes for {size} parameters, which is more "
                f"than memory={self.memory}: pass solver='cg', which has no matrix, pass "
                f"memory={needed}, or take a smaller network."
            )
        return dict.fromkeys(("damping", "scale"), tf.zeros((), theta.dtype))

    def step(self, objective, theta, state, stale):
        """One iteration; see `FlatOptimizer.step`."""
        residuals = objective.residuals(theta)
        model = self._model(objective, theta, residuals, state)
        loss, scale = tf.reduce_sum(residuals**2), model.scale
        damping = tf.where(state["scale"] > 0.0, state["damping"], self.damping * scale)

        def attempt(damping):
            step, predicted, solve = model.solve(damping)
            straight = _within(theta + step, objective.lower)
            after = objective.residuals(straight)
            change = _acceleration(objective, theta, step, (residuals, after), solve)
            bent = _within(straight + change, objective.lower)
            values = [tf.reduce_sum(r**2) for r in (after, objective.residuals(bent))]
            better = (values[1] < values[0]) | ~tf.math.is_finite(values[0])
            decrease = loss - tf.where(better, values[1], values[0])
            accepted = (decrease >= self.ratio * predicted) & (decrease > 0.0)
            return _Trial(damping, tf.where(better, bent, straight), loss - decrease, accepted)

        limits = model.smallest_damping(), scale * 1e8
        trial, evaluations = _search(attempt, damping, limits, self.trials)
        again = ~trial.accepted & self._may_see_more(damping, state["scale"])
        low = 0.5 * ROUNDINGS * epsilon(theta.dtype) * scale
        damping = tf.where(trial.accepted, trial.damping, tf.where(again, low, damping))
        status = tf.where(trial.accepted | again, RUNNING, NO_PROGRESS)
        status = tf.where(loss == 0.0, CONVERGED, status)
        status = tf.where(tf.math.is_finite(loss), status, NONFINITE)
        theta = tf.where(trial.accepted, trial.theta, theta)
        progress = Progress(tf.where(trial.accepted, trial.loss, loss), 4 * evaluations + 1, status)
        return theta, {"damping": damping, "scale": scale}, progress

    def _model(self, objective, theta, residuals, state):
        """The residuals, linear in the parameters."""
        if self.solver == "dense":
            return factorize(objective.fold_jacobian, theta, state["damping"], state["scale"])
        gradient = objective.vector_jacobian(theta, residuals)
        return Products(
            functools.partial(objective.jacobian_vector, theta),
            functools.partial(objective.vector_jacobian, theta),
            residuals,
            gradient,
            ITERATIONS,
            TOLERANCE,
        )

    def _may_see_more(self, damping, scale):
        """Whether the products of the Jacobian failed, where its triangular factor may not."""
        return tf.constant(self.solver == "dense") & ~needs_triangle(damping, scale, damping.dtype)


def _within(theta, lower):
    return theta if lower is None else tf.maximum(theta, lower)


def _acceleration(objective, theta, step, residuals, solve):
    """Half the geodesic acceleration along a step; zero where it is not small or not certain.

    It is what a step of Gauss and Newton says to the second derivative of the residuals along the
    step (Transtrum & Sethna, equation 13). Near the rounding floor that derivative is noise: then
    the second difference over a part of the step is not what the whole step shows.
    """
    before, after = residuals
    ahead, behind = (objective.residuals(theta + side * step) for side in (PART, -PART))
    curvature = (ahead - 2.0 * before + behind) / PART**2
    shown = 2.0 * (after - before) - (ahead - behind) / PART
    certain = tf.norm(curvature - shown) < AGREEMENT * tf.norm(curvature)
    right = objective.vector_jacobian(theta, curvature)
    change = -0.5 * solve(right)
    small = tf.norm(change) < LARGEST * tf.norm(step)
    return tf.where(certain & small, change, 0.0)  # zero too if it is NaN


def _search(attempt, damping, limits, most):
    """The trial with the smallest damping that is accepted, starting from the last damping."""
    first = attempt(damping)
    sign = tf.where(first.accepted, tf.constant(-1.0, damping.dtype), 1.0)

    def following(last, count):
        exponent = tf.cast(1 + (count - 1) // PATIENCE, damping.dtype)
        return last.damping * FACTOR ** (sign * exponent)

    def goes_on(best, last, count):
        # down as long as trials are accepted, up until one is
        damping = following(last, count)
        inside = (damping > limits[0]) & (damping < limits[1]) & (count < most)
        return (last.accepted == first.accepted) & inside

    def body(best, last, count):
        trial = attempt(following(last, count))
        better = trial.accepted | ~first.accepted
        best = tf.nest.map_structure(lambda new, old: tf.where(better, new, old), trial, best)
        return best, trial, count + 1

    best, _, count = tf.while_loop(goes_on, body, [first, first, 1])
    return best, count
