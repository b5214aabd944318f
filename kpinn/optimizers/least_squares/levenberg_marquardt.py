"""Gauss-Newton steps with a trust region, for losses that are sums of squares."""

import functools
import typing

import keras
import tensorflow as tf

from kpinn.optimizers.flat import epsilon, within
from kpinn.optimizers.flat_optimizer import (
    CONVERGED,
    NO_PROGRESS,
    NONFINITE,
    RUNNING,
    FlatOptimizer,
    Progress,
    check_memory,
)
from kpinn.optimizers.least_squares.bounds import best_end, restricted
from kpinn.optimizers.least_squares.dense import Dense
from kpinn.optimizers.least_squares.factorizations import ROUNDINGS, needs_triangle
from kpinn.optimizers.least_squares.linear_model import Start
from kpinn.optimizers.least_squares.projection import (
    best_last_layer,
    projection,
    projection_bytes,
)
from kpinn.optimizers.least_squares.row_space import RowSpace, collect
from kpinn.optimizers.least_squares.sketch import Sketch
from kpinn.optimizers.least_squares.spectrum import affine_bytes, affine_step, spectrum
from kpinn.options import number, one_of, optional, positive_whole

FACTOR = 4.0  # from one trial value of the damping to the next
PATIENCE = 4  # trials after which the factor is squared
PART = 0.25  # of a step, over which a second difference is taken
AGREEMENT = 0.75  # of second differences, above which they are noise
LARGEST = 0.75  # half the acceleration, in parts of the step
NEGLIGIBLE = 1e-12  # decrease of the loss in parts of it, with which a linear network is done
LIKELY = 1e4  # of that, below which no step will be better
MEMORY = 2**31  # bytes
SOLVERS = {"dense": Dense, "kernel": RowSpace, "sketch": Sketch}


class _Trial(typing.NamedTuple):
    """A step with a damping, and what came of it."""

    damping: tf.Tensor
    theta: tf.Tensor
    loss: tf.Tensor
    accepted: tf.Tensor
    finite: tf.Tensor


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

    For losses that are no mean squares the generalised Gauss-Newton matrix takes the place of
    `J^T J`. For a functional (`kpinn.losses.Mean`, Deep Ritz) it is made of second derivatives of
    the density with respect to the condition's arguments, so that a step is an energy natural
    gradient; for other losses of those with respect to the residual.

    Args:
        solver: `"dense"`, by Cholesky's factorisation and, where the damping is small, an
            orthogonal one, whose time grows with the square of the number of parameters;
            `"kernel"`, the same step by matrices of the size of the residuals, for more parameters
            than residuals; or `"sketch"`, the step for random sums of the residuals, others in
            each step, for many of both.
        ratio: least decrease of the loss, in parts of the predicted one; between 0 and 1.
        damping: damping of the first step, in parts of the largest squared column norm of `J`.
        trials: most values of the damping in one step.
        memory: most bytes for the matrices of a step.
        rank: of `"sketch"` the number of sums, by default half the number of parameters.
        project: `"last"` for variable projection, where all residuals are linear in the last layer
            of the network, as those of linear equations are: a step is one of the layers before
            it, with the best weights of the last one. `None` for steps of all parameters.
        name: name of the optimizer.

    Raises:
        ValueError: for numbers out of range; in `fit`, for more parameters or residuals than the
            memory allows, for negative weights, for losses that are not mean squares with
            `"kernel"` and `"sketch"`, and for residuals that are not linear in the last layer with
            `project`.

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
        A. Guzman-Cordero, F. Dangel, G. Goldshlager and M. Zeinhofer, Improving energy natural
        gradient descent through Woodbury, momentum, and randomization (2025), arXiv:2505.12149,
        for `"kernel"`.
        G. Golub and V. Pereyra, The differentiation of pseudo-inverses and nonlinear least squares
        problems whose variables separate, SIAM Journal on Numerical Analysis 10 (1973), 413-432,
        and L. Kaufman, A variable projection method for solving separable nonlinear least squares
        problems, BIT 15 (1975), 49-57, for `project`.
        K. L. Clarkson and D. P. Woodruff, Low-rank approximation and regression in input sparsity
        time, Journal of the ACM 63 (2017), 54, for `"sketch"`.
    """

    convex = True

    def __init__(
        self,
        solver="dense",
        ratio=0.1,
        damping=1e-3,
        trials=24,
        memory=MEMORY,
        rank=None,
        project=None,
        name="levenberg_marquardt",
    ):
        super().__init__(name)
        self.solver = one_of("solver", solver, tuple(SOLVERS))
        self.ratio = number("ratio", ratio, "(0, 1)")
        self.damping = number("damping", damping, "(0, inf)")
        if rank is not None and not SOLVERS[solver].takes_rank:
            raise ValueError(f"rank={rank!r} is for the solver 'sketch', not {solver!r}.")
        self._solver = SOLVERS[solver](rank)
        self.trials = positive_whole("trials", trials)
        self.memory = positive_whole("memory", memory)
        self.rank = self._solver.rank
        self.project = optional(one_of, "project", project, ("last",))
        if self.project and self.solver != "dense":
            raise ValueError(f"project={project!r} is for the solver 'dense', not {solver!r}.")

    def get_config(self):
        """The arguments."""
        names = ("solver", "ratio", "damping", "trials", "memory", "rank", "project")
        return super().get_config() | {name: getattr(self, name) for name in names}

    def initial_state(self, theta):
        """The damping and the scale of the Jacobian, zeros before the first step; see `Solver`."""
        check_memory(self, *self._solver.memory(theta.shape[0]))
        state = dict.fromkeys(("damping", "scale"), tf.zeros((), theta.dtype))
        return state | self._solver.initial_state()

    def step(self, objective, theta, state, stale):
        """One iteration; see `FlatOptimizer.step`."""
        if self.project and not objective.has_affine_network():
            return self._projected(objective, theta, state, stale)
        objective, start = _begin(objective, theta)
        if self.solver != "dense" or not objective.has_affine_network():
            model = self._model(objective, theta, start, state)
            return self._damped(objective, theta, state, start, model)
        check_memory(self, *self._solver.memory(theta.shape[0]))
        fits = affine_bytes(start.residuals.shape[0], theta.shape[0]) <= self.memory
        truncated = functools.partial(self._truncated, objective, theta, state, start)
        if not fits or not objective.is_affine():
            return truncated()
        solved = self._solved(objective, theta, state)
        if objective.bounds is None:
            return solved
        inside = tf.reduce_all(within(solved[0], objective.bounds) == solved[0])
        return tf.cond(inside, lambda: solved, truncated)

    def _solved(self, objective, theta, state):
        """The step to the minimum of residuals that are affine, which ends the training.

        With bounds it ends where it lowers the loss no more: others may be held then, or free.
        """
        matrix, residuals = collect(objective.fold_jacobian, theta)
        moved = theta + affine_step(matrix, residuals)
        losses = [tf.reduce_sum(r**2) for r in (residuals, objective.residuals(moved))]
        lower = losses[1] < losses[0]
        finite = tf.math.is_finite(losses[0]) & tf.math.is_finite(losses[1])
        goes_on = (objective.bounds is not None) & (losses[0] - losses[1] > NEGLIGIBLE * losses[0])
        status = tf.where(finite, tf.where(goes_on, RUNNING, CONVERGED), NONFINITE)
        progress = Progress(tf.where(lower, losses[1], losses[0]), tf.constant(2), status)
        return tf.where(lower, moved, theta), state, progress

    def _projected(self, objective, theta, state, stale):
        """A damped step of the other parameters, with the best ones of the last layer."""
        if reason := objective.is_not_separable():
            raise ValueError(
                f"project={self.project!r} eliminates a last layer in which all residuals are "
                f"linear: {reason}. Pass project=None."
            )
        theta = tf.cond(stale, lambda: best_last_layer(objective, theta)[0], lambda: theta)
        (objective, start), last = _begin(objective, theta), objective.last_layer()
        needed = projection_bytes(start.residuals.shape[0], theta.shape[0], len(last))
        check_memory(self, needed, f"{theta.shape[0]} parameters", "pass project=None")
        model = projection(objective, theta)
        end = functools.partial(_end_projected, objective)
        return self._damped(objective, theta, state, start, model, end)

    def _truncated(self, objective, theta, state, start):
        """A step along the largest singular values where it is good, else a damped one."""
        model = spectrum(objective, theta)
        step, predicted = model.truncated, model.decrease
        given = objective, theta, start, step, predicted, self.ratio
        moved, value, good = best_end(
            *given, lambda theta: (theta, tf.reduce_sum(objective.residuals(theta) ** 2))
        )
        least = tf.maximum(NEGLIGIBLE * start.loss, model.rounding)
        ends = (
            tf.math.is_finite(start.loss)
            & (~good | (start.loss - value <= least))
            & (predicted <= LIKELY * least)
        )
        loss, status = tf.where(good, value, start.loss), tf.where(ends, CONVERGED, RUNNING)
        kept = tf.where(good, moved, theta), state, Progress(loss, tf.constant(2), status)
        damped = functools.partial(self._damped, objective, theta, state, start, model)
        return tf.cond(good | ends, lambda: kept, damped)

    def _damped(self, objective, theta, state, start, model, end=None):
        """The step with the smallest damping that is good.

        Args:
            objective, theta, state, start, model: see `Solver.model`.
            end: from the parameters after a step, and by name the step and the function that the
                model's `solve` returns, to parameters and the loss there; by default those of a
                bent step.
        """
        loss, scale, residuals = start.loss, model.scale, start.residuals
        each = 2 if end else 1 if residuals is None else 4  # evaluations of a trial
        end = end or functools.partial(_end, objective, theta, residuals)
        damping = tf.where(state["scale"] > 0.0, state["damping"], self.damping * scale)

        def attempt(damping):
            step, predicted, *again = model.solve(damping)
            ended = functools.partial(end, step=step, solve=again[0] if again else None)
            given = objective, theta, start, step, predicted, self.ratio
            after, value, accepted = best_end(*given, ended)
            finite = tf.math.is_finite(value) & tf.math.is_finite(predicted)
            return _Trial(damping, after, value, accepted, finite)

        # After other points the last damping may be too small for the present Jacobian.
        damping = tf.maximum(damping, model.smallest_damping())
        limits = model.smallest_damping(), scale * 1e8
        trial, evaluations = _search(attempt, damping, limits, self.trials)
        again = ~trial.accepted & self._may_see_more(start, damping, state["scale"])
        following, another = self._solver.next_state(state, theta, start, trial.accepted)
        low = 0.5 * ROUNDINGS * epsilon(theta.dtype) * scale
        damping = tf.where(trial.accepted, trial.damping, tf.where(again, low, damping))
        status = tf.where(trial.accepted | again | another, RUNNING, NO_PROGRESS)
        lost = ~tf.math.is_finite(loss) | ~(trial.finite | again)  # no trial was finite
        status = tf.where(lost, NONFINITE, status)
        status = tf.where(start.is_stationary, CONVERGED, status)
        theta = tf.where(trial.accepted, trial.theta, theta)
        evaluations = 1 + each * evaluations
        progress = Progress(tf.where(trial.accepted, trial.loss, loss), evaluations, status)
        return theta, {"damping": damping, "scale": scale} | following, progress

    def _model(self, objective, theta, start, state):
        """The `LinearModel` of the residuals."""
        residuals = start.residuals
        if residuals is None and self._solver.needs_residuals:
            raise ValueError(
                f"solver {self.solver!r} needs losses that are mean squares (the default loss, "
                "'mse'): use solver='dense'."
            )
        count = None if residuals is None else residuals.shape[0]
        check_memory(self, *self._solver.memory(theta.shape[0], count))
        return self._solver.model(objective, theta, start, state)

    def _may_see_more(self, start, damping, scale):
        """Whether the products of the Jacobian failed, where its triangular factor may not."""
        has_triangle = tf.constant(start.residuals is not None)
        return has_triangle & ~needs_triangle(damping, scale, damping.dtype)


def _begin(objective, theta):
    """The objective of a step, see `restricted`, and the `Start`."""
    if objective.residuals is None:
        loss, gradient = objective.value_and_gradient(theta)
        objective, free = restricted(objective, theta, None, 0.5 * gradient)
        gradient = free * gradient
        return objective, Start(loss, tf.reduce_all(gradient == 0.0), None, 0.5 * gradient)
    residuals = objective.residuals(theta)
    loss = tf.reduce_sum(residuals**2)
    return restricted(objective, theta, residuals)[0], Start(loss, loss == 0.0, residuals, None)


def _end(objective, theta, residuals, straight, step, solve):
    """The parameters after a step, bent where that is better, and the loss there."""
    if residuals is None:
        return straight, objective.value(straight)
    after = objective.residuals(straight)
    change = _acceleration(objective, theta, step, (residuals, after), solve)
    if objective.bounds is not None:  # a step that was cut off has no curve
        change = tf.where(tf.reduce_all(straight == theta + step), change, 0.0)
    bent = within(straight + change, objective.bounds)
    values = [tf.reduce_sum(r**2) for r in (after, objective.residuals(bent))]
    better = (values[1] < values[0]) | ~tf.math.is_finite(values[0])
    return tf.where(better, bent, straight), tf.where(better, values[1], values[0])


def _end_projected(objective, straight, **_):
    """The parameters after a step, with the best last layer there, and the loss."""
    return best_last_layer(objective, straight)


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
    change = -0.5 * solve(curvature)
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
        better, finite = trial.accepted | ~first.accepted, best.finite | trial.finite
        best = tf.nest.map_structure(lambda new, old: tf.where(better, new, old), trial, best)
        return _Trial(*best[:-1], finite), trial, count + 1

    best, _, count = tf.while_loop(goes_on, body, [first, first, 1])
    return best, count
