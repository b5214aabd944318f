"""Quasi-Newton methods, whole steps of them compiled.

One step is a line search along minus the approximate inverse Hessian times the gradient, and an
update of that approximation. Loss and gradient at the end of the search are those at the start of
the next step, so that a step takes little more than one evaluation.
"""

import keras
import tensorflow as tf

from kpinn.optimizers.flat import leaving
from kpinn.optimizers.flat_optimizer import (
    CONVERGED,
    NO_PROGRESS,
    NONFINITE,
    RUNNING,
    FlatOptimizer,
    Progress,
)
from kpinn.optimizers.quasi_newton.inverse_hessian import (
    History,
    Move,
    bfgs,
    dense_direction,
    limited_direction,
    ssbroyden,
    update_dense,
    update_limited,
)
from kpinn.optimizers.quasi_newton.line_search import (
    LineSearchResult,
    Trial,
    hager_zhang,
    step_to_bounds,
)
from kpinn.options import number, positive_whole

PATIENCE = 50  # steps without a new lowest loss after which there is no progress


class QuasiNewton(FlatOptimizer):
    """Base class: a line search along a direction that knows the curvature.

    A subclass has the inverse Hessian: `_initial`, `_direction` and `_update`.
    """

    def __init__(self, first_step, tolerance, name):
        super().__init__(name=name)
        self.first_step = number("first_step", first_step, "(0, inf)")
        self.tolerance = number("tolerance", tolerance, "[0, inf)")

    def get_config(self):
        """The arguments."""
        return {
            "first_step": self.first_step,
            "tolerance": self.tolerance,
            "name": self.name,
        }

    def initial_state(self, theta):
        """The state before the first step; shapes and dtypes never change.

        Args:
            theta: the parameters `(p,)`.

        Returns:
            A dict of tensors.
        """
        nowhere = tf.constant(float("inf"), theta.dtype)  # not finite: to be evaluated
        return self._initial(theta) | {
            "loss": nowhere,
            "gradient": tf.zeros_like(theta),
            "direction": tf.zeros_like(theta),
            "count": tf.constant(0),
            "scale": tf.ones((), theta.dtype),
            "fall": nowhere,
            "lowest": nowhere,
            "stalled": tf.constant(0),
        }

    def step(self, objective, theta, state, stale):
        """One search and one update; pure.

        Args:
            objective: a `FlatObjective`.
            theta: the parameters `(p,)`.
            state: the state after the last step, or `initial_state(theta)`.
            stale: bool tensor, true if the loss is another function than in the last step, such
                as after new points. Loss and gradient are evaluated then; the curvature stays.

        Returns:
            The parameters, the state and a `Progress`.
        """
        state, evaluations = self._refreshed(objective, theta, state, stale)
        found, along, count = self._searched(objective, theta, state)
        moved = found.step > 0
        new_theta = tf.where(moved, theta + found.step * along, theta)
        moved &= tf.reduce_any(new_theta != theta)
        # The step that was taken, rounding included.
        s, y = new_theta - theta, found.gradient - state["gradient"]
        curvature = -found.step * tf.tensordot(s, state["gradient"], 1)
        newton = tf.where(count > 0, state["direction"], -state["scale"] * state["gradient"])
        move = Move(s, y, found.gradient, newton, curvature)
        parts, direction, count, scale = self._update(state, move, count)
        improved = found.value < state["lowest"]
        state = parts | {
            "loss": found.value,
            "gradient": found.gradient,
            "direction": direction,
            "count": count,
            "scale": scale,
            "fall": state["loss"] - found.value,
            "lowest": tf.minimum(found.value, state["lowest"]),
            "stalled": tf.where(improved, 0, state["stalled"] + 1),
        }
        lost = (found.evaluations > 0) & ~found.finite  # no trial had a finite loss and slope
        status = tf.where(lost, NONFINITE, self._status(state, moved))
        return new_theta, state, Progress(found.value, evaluations + found.evaluations, status)

    def _refreshed(self, objective, theta, state, stale):
        """The state with loss, gradient and direction of `theta`, and the evaluations it took."""

        def evaluated():
            loss, gradient = objective.value_and_gradient(theta)
            same = (loss == state["loss"]) & tf.reduce_all(gradient == state["gradient"])
            unknown = tf.constant(float("inf"), theta.dtype)
            new = loss, gradient, self._direction(state, gradient), unknown, loss, tf.constant(0)
            # The same points in another `fit`: it goes on to the last bit, as if it were one.
            kept = [tf.where(same, state[k], v) for k, v in zip(keys, new, strict=True)]
            return *kept, tf.constant(1)

        keys = ("loss", "gradient", "direction", "fall", "lowest", "stalled")
        known = tf.math.is_finite(state["loss"]) & ~tf.convert_to_tensor(stale)
        *values, evaluations = tf.cond(
            known, lambda: (*(state[key] for key in keys), tf.constant(0)), evaluated
        )
        return state | dict(zip(keys, values, strict=True)), evaluations

    def _searched(self, objective, theta, state):
        """A line search; if it finds nothing, another one along the gradient.

        Returns:
            A `LineSearchResult`, the direction `(p,)` that it went along, and the number of
            updates that the inverse Hessian still has: none if the direction was the gradient's.
        """
        loss, gradient = state["loss"], state["gradient"]
        downhill = _inside(theta, -state["scale"] * gradient, objective.bounds)
        newton = _inside(theta, state["direction"], objective.bounds)
        descends = tf.tensordot(newton, gradient, 1) < 0
        zero = tf.zeros_like(loss)
        no = tf.constant(False)
        nothing = LineSearchResult(zero, loss, gradient, tf.constant(0), no, no)

        def attempt(along, count, found, _):
            start = Trial(loss, tf.tensordot(gradient, along, 1), gradient)
            first_step = self._first_trial(start.slope, state["fall"], along, count)
            result = self._search(objective, theta, start, along, first_step)
            result = result._replace(evaluations=found.evaluations + result.evaluations)
            again = ~(result.step > 0) & (count > 0)
            return tf.where(again, downhill, along), tf.where(again, 0, count), result, ~again

        along, count = tf.where(descends, newton, downhill), tf.where(descends, state["count"], 0)
        resting = tf.reduce_all(gradient == 0) | ~_finite(loss, gradient)
        along, count, found, _ = tf.while_loop(
            lambda along, count, found, done: ~done, attempt, [along, count, nothing, resting]
        )
        return found, along, count

    def _search(self, objective, theta, start, along, first_step):
        """One line search from `theta` along a direction."""

        def trial(step):
            value, gradient = objective.value_and_gradient(theta + step * along)
            return Trial(value, tf.tensordot(gradient, along, 1), gradient)

        largest = float("inf")
        if objective.bounds is not None:
            largest = step_to_bounds(theta, along, objective.bounds)
        return hager_zhang(trial, start, first_step, largest)

    def _first_trial(self, slope, fall, along, count):
        """The step after which the loss would fall as in the last step, between 0.1 and 1.

        Nocedal & Wright, formula 3.60, for a quadratic. A scaled inverse Hessian is often too
        large along its direction; a trial of one would then cost every other step a second
        evaluation.
        """
        expected = tf.where(fall > 0, -2.02 * fall / slope, tf.ones_like(fall))
        # Without curvature nothing is known of the length.
        unscaled = tf.minimum(self.first_step / tf.norm(along), 1)
        return tf.where(count > 0, tf.clip_by_value(expected, 0.1, 1), unscaled)

    def _status(self, state, moved):
        norm = tf.norm(state["gradient"])
        stalled = ~moved | (state["stalled"] >= PATIENCE)
        status = tf.where(stalled, NO_PROGRESS, RUNNING)
        status = tf.where(norm <= self.tolerance, CONVERGED, status)
        return tf.where(_finite(state["loss"], state["gradient"]), status, NONFINITE)


def _finite(loss, gradient):
    return tf.math.is_finite(loss) & tf.reduce_all(tf.math.is_finite(gradient))


def _inside(theta, direction, bounds):
    """The direction without the parameters that would leave a bound which they are on."""
    if bounds is None:
        return direction
    return tf.where(leaving(theta, direction, bounds), tf.zeros_like(direction), direction)


@keras.saving.register_keras_serializable(package="kpinn")
class LBFGS(QuasiNewton):
    """Quasi-Newton method with limited memory, for any number of parameters.

    The inverse Hessian comes from the last pairs of step and change of the gradient.

    Args:
        memory: number of pairs; each takes room for two copies of the parameters.
        first_step: longest first trial, as a length in the space of the parameters, while there
            is no curvature yet.
        tolerance: it has converged where the norm of the gradient is at most this.
        name: name of the optimizer.

    Raises:
        ValueError: for numbers out of range.

    Example:

        pinn.compile(kpinn.optimizers.LBFGS(memory=100))
        pinn.fit(points, epochs=1000)

    References:
        Nocedal & Wright, algorithms 7.4 and 7.5.
    """

    def __init__(self, memory=50, first_step=1.0, tolerance=0.0, name="lbfgs"):
        super().__init__(first_step, tolerance, name)
        self.memory = positive_whole("memory", memory)

    def get_config(self):
        """The arguments."""
        return {"memory": self.memory, **super().get_config()}

    def _initial(self, theta):
        pairs = tf.zeros((self.memory, theta.shape[0]), theta.dtype)
        return {"s": pairs, "y": pairs, "rho": tf.zeros((self.memory,), theta.dtype)}

    def _direction(self, state, gradient):
        return limited_direction(_history(state), gradient, state["count"], state["scale"])

    def _update(self, state, move, count):
        updated = update_limited(_history(state), move, count, state["scale"])
        return updated.inverse_hessian._asdict(), *updated[1:]


def _history(state):
    return History(state["s"], state["y"], state["rho"])


class DenseQuasiNewton(QuasiNewton):
    """Base class of methods that keep the whole inverse Hessian."""

    def __init__(self, first_step=1.0, tolerance=0.0, memory=2**31, name=None):
        super().__init__(first_step, tolerance, name or type(self).__name__.lower())
        self.memory = positive_whole("memory", memory)

    def get_config(self):
        """The arguments."""
        return {"memory": self.memory, **super().get_config()}

    def _initial(self, theta):
        size = theta.shape[0]
        needed = size**2 * theta.dtype.size
        if needed > self.memory:
            raise ValueError(
                f"{type(self).__name__} keeps a matrix of {size} x {size} {theta.dtype.name} "
                f"numbers, {needed / 2**20:.0f} MiB, which is more than memory={self.memory} "
                f"bytes. Use kpinn.optimizers.LBFGS, or memory={needed} if there is room for "
                "about three such matrices."
            )
        return {"inverse_hessian": tf.eye(size, dtype=theta.dtype)}

    def _direction(self, state, gradient):
        return dense_direction(state["inverse_hessian"], gradient, state["count"], state["scale"])

    def _update(self, state, move, count):
        updated = self._update_matrix(state["inverse_hessian"], move, count, state["scale"])
        return {"inverse_hessian": updated.inverse_hessian}, *updated[1:]


@keras.saving.register_keras_serializable(package="kpinn")
class BFGS(DenseQuasiNewton):
    """The method of Broyden, Fletcher, Goldfarb and Shanno, with the whole inverse Hessian.

    Args:
        first_step: longest first trial, as a length in the space of the parameters, while there
            is no curvature yet.
        tolerance: it has converged where the norm of the gradient is at most this.
        memory: the most bytes of the inverse Hessian, a matrix `(p, p)`; about three times as
            many are in use during a step.
        name: name of the optimizer.

    Raises:
        ValueError: for numbers out of range; in `fit`, for more parameters than the memory
            allows.

    Example:

        pinn.compile(kpinn.optimizers.BFGS())
        pinn.fit(points, epochs=1000)

    References:
        Nocedal & Wright, algorithm 6.1.
    """

    _update_matrix = staticmethod(update_dense(bfgs))


@keras.saving.register_keras_serializable(package="kpinn")
class SSBroyden(DenseQuasiNewton):
    """The self-scaled Broyden method, in which scaling and the kind of update follow the step.

    Args: those of `BFGS`.

    Raises: as `BFGS`.

    Example:

        pinn.compile(kpinn.optimizers.SSBroyden())
        pinn.fit(points, epochs=5000)

    References:
        M. Al-Baali, E. Spedicato and F. Maggioni, Broyden's quasi-Newton methods for a nonlinear
        system of equations and unconstrained optimization: a review and open problems,
        Optimization Methods and Software 29 (2014), 937-954.
        J. F. Urban, P. Stefanou and J. A. Pons, Unveiling the optimization process of physics
        informed neural networks, Journal of Computational Physics 523 (2025), 113656.
        E. Kiyani et al., Optimizing the optimizer for physics-informed neural networks and
        Kolmogorov-Arnold networks (2025).
    """

    _update_matrix = staticmethod(update_dense(ssbroyden))
