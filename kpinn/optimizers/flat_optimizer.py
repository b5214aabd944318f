"""Optimizers that see all parameters as one vector, and may evaluate the loss as often as needed.

A step is a pure function of the parameters and of a dict of tensors, the state. `FlatOptimizer`
keeps the state in Keras variables, so that it is saved, restored and resumed as that of Adam is.
"""

import abc
import typing
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from kpinn.optimizers.flat import join
from kpinn.optimizers.result import MinimizeResult, ResultCode
from kpinn.options.configs import FromConfig

RUNNING, CONVERGED, NO_PROGRESS, NONFINITE = range(4)
ENDS = ("iteration_limit", "converged", "no_progress", "nonfinite")
MESSAGES = {
    "iteration_limit": "all epochs are done",
    "stopped": "a callback stopped it",
    "interrupted": "an exception ended it",
    "converged": "the gradient is zero to rounding",
    "no_progress": "no step lowers the loss any more, which is usually the rounding floor of the "
    "dtype",
    "nonfinite": "the loss or one of its derivatives is not finite",
}


class FlatObjective(typing.NamedTuple):
    """The loss on fixed points as functions of the flat parameters `(p,)`.

    Where the loss is no sum of squares, there are no residuals, and the Jacobian is a matrix whose
    product with itself is half the curvature of the loss (`kpinn.objective.curvature`).

    Attributes:
        value_and_gradient: `theta -> (loss, gradient (p,))`.
        residuals: `theta -> (m,)`; the sum of their squares is the loss. Or `None`.
        fold_jacobian: `(theta, function, start, merge=None) -> result`; goes through the Jacobian
            of the residuals by chunks of rows with `result = function(result, matrix (k, p),
            (k,))`. With `merge(result, result)` parts of the rows may each begin with `start`.
        jacobian_vector: `(theta, (p,)) -> (m,)`.
        vector_jacobian: `(theta, (m,)) -> (p,)`.
        bounds: lower and upper bounds `(p,)` of the parameters, infinite where there is none; or
            `None`.
        value: `theta -> loss`, where there are no residuals.
        is_affine: `() -> bool`, whether the residuals are known to be affine in the parameters.
        has_affine_network: `() -> bool`, the same of the outputs of the network.
        last_layer: `() -> ` positions `(q,)`, an array of ints, of parameters of a last layer, in
            which the network is affine.
        fold_last_layer: `fold_jacobian` for these columns alone.
        is_not_separable: `() -> str`, why the residuals are not affine in the last layer; empty if
            they are.
    """

    value_and_gradient: Callable
    residuals: Callable | None
    fold_jacobian: Callable
    jacobian_vector: Callable
    vector_jacobian: Callable
    bounds: tuple | None = None
    value: Callable | None = None
    is_affine: Callable = lambda: False
    has_affine_network: Callable = lambda: False
    last_layer: Callable = lambda: np.zeros(0, int)
    fold_last_layer: Callable | None = None
    is_not_separable: Callable = lambda: "there is no network"


def check_memory(optimizer, needed, what, advice):
    """Raises `ValueError` if an optimizer needs more bytes than its `memory`.

    Args:
        optimizer: a `FlatOptimizer` with an attribute `memory`.
        needed: bytes.
        what: what they are for.
        advice: what to do about it, beside the obvious.
    """
    if needed > optimizer.memory:
        raise ValueError(
            f"{type(optimizer).__name__} needs {needed} bytes for {what}, which is more than "
            f"memory={optimizer.memory}: {advice}, pass memory={needed}, or take a smaller network."
        )


class Progress(typing.NamedTuple):
    """What a step did.

    Attributes:
        loss: at the new parameters.
        evaluations: evaluations of the loss, int32.
        status: `RUNNING`, `CONVERGED`, `NO_PROGRESS` or `NONFINITE`, int32.
    """

    loss: tf.Tensor
    evaluations: tf.Tensor
    status: tf.Tensor


class FlatOptimizer(FromConfig, keras.optimizers.Optimizer, abc.ABC):
    """Base class: a subclass has `initial_state` and `step`, and options in its constructor.

    Args:
        name: name of the optimizer.
    """

    least_squares = False  # whether it needs losses that are mean squares
    convex = False  # whether it needs weights that are not negative
    has_rate = False  # whether it has a learning rate
    inner = ("learning_rate",)

    def __init__(self, name):
        super().__init__(learning_rate=0.0, name=name)
        self.result, self._goes_on = None, False

    @abc.abstractmethod
    def initial_state(self, theta):
        """The state before the first step: a dict of tensors whose shapes stay as they are."""

    @abc.abstractmethod
    def step(self, objective, theta, state, stale):
        """One iteration.

        Args:
            objective: a `FlatObjective`.
            theta: tensor `(p,)`.
            state: dict of tensors.
            stale: scalar bool; whether the points, the weights or the parameters are others than
                after the last step, so that a loss and a gradient of the state are void.

        Returns:
            `(theta, state, Progress)`.
        """

    def build(self, variables):
        """Creates the state."""
        if self.built:
            return
        super().build(variables)
        theta = join([variable.value for variable in variables])
        state = self.initial_state(theta)
        self.state = {name: self._kept(name, value) for name, value in state.items()}
        self.status = self._kept("status", tf.constant(RUNNING))
        self.evaluations = self._kept("evaluations", tf.constant(0))
        self.last_theta = tf.Variable(theta, trainable=False, name="last_theta")
        self.last_loss = tf.Variable(tf.constant(np.inf, theta.dtype), trainable=False)
        self.stale = tf.Variable(True, trainable=False, name="stale")

    def _kept(self, name, value):
        dtype = value.dtype.name
        variable = self.add_variable(value.shape, "zeros", dtype, name=name)
        variable.assign(value)
        return variable

    @property
    def learning_rate(self):
        """That of an optimizer which has one, else zero."""
        return super().learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        if not self.has_rate:
            raise ValueError(
                f"{type(self).__name__} has no learning rate: it finds the length of a step by "
                "itself."
            )
        keras.optimizers.Optimizer.learning_rate.fset(self, value)

    def restart(self, theta):
        """Forgets what it has learnt of the loss, and goes on from the parameters `(p,)`."""
        for name, value in self.initial_state(theta).items():
            self.state[name].assign(value)
        self.status.assign(RUNNING)
        self.stale.assign(True)
        self.last_theta.assign(theta)

    def begin(self, theta, loss=np.inf):
        """Before the first step of a `fit`: points and weights may be others than in the last.

        Args:
            theta: the parameters `(p,)`, where an interruption before the first step leaves them.
            loss: the loss there, if it is known.

        Raises:
            ValueError: for another number of parameters than in the last `fit`.
        """
        if theta.shape != self.last_theta.shape:
            raise ValueError(
                f"{theta.shape[0]} parameters are trained, and {type(self).__name__} has begun "
                f"with {self.last_theta.shape[0]}: compile again after layers were frozen or "
                "thawed."
            )
        if self._goes_on:
            return
        self.last_theta.assign(theta)
        self.last_loss.assign(loss)
        self.status.assign(RUNNING)
        self.stale.assign(True)
        self.result = None
        self._begun = int(self.iterations.numpy()), int(self.evaluations.value.numpy())

    def run_state(self):
        """What the next step of a run depends on beside `variables`, a dict of plain data."""
        return {
            "theta": self.last_theta.numpy(),
            "loss": float(self.last_loss.numpy()),
            "stale": bool(self.stale.numpy()),
            "begun": self._begun,
        }

    def go_on(self, run):
        """Continues a run of which the variables are there: `begin` leaves it as it is.

        Args:
            run: what `run_state` returned.
        """
        self.last_theta.assign(run["theta"])
        self.last_loss.assign(run["loss"])
        self.stale.assign(run["stale"])
        self._begun, self._goes_on = run["begun"], True

    def has_ended(self):
        """Whether no further step would lower the loss."""
        return int(self.status.value.numpy()) != RUNNING

    def end(self, running):
        """Sets `result` after the last step of a `fit`.

        Args:
            running: the code, if the last step did not end it.
        """
        self._goes_on = False
        iterations, evaluations = self._begun
        status = int(self.status.value.numpy())
        code = running if status == RUNNING else ENDS[status]
        done = int(self.iterations.numpy()) - iterations
        self.result = MinimizeResult(
            ResultCode(code),
            f"{type(self).__name__} ended after {done} iterations: {MESSAGES[code]}.",
            float(self.last_loss.numpy()),
            done,
            int(self.evaluations.value.numpy()) - evaluations,
            self.last_theta.numpy().astype(np.float64),
        )

    def take_step(self, objective, theta, stale, passing=False):
        """`step` on the state in the variables; returns the new parameters and the loss.

        Args:
            objective: a `FlatObjective`.
            theta: the parameters `(p,)`.
            stale: scalar bool, whether the points or weights are others than in the last step.
            passing: scalar bool, whether each step has points of its own, of which a minimum is
                not the end.
        """
        stale = stale | self.stale | tf.reduce_any(theta != self.last_theta)
        before = {name: variable.value for name, variable in self.state.items()}
        moved, after, progress = self.step(objective, theta, before, stale)

        def keep():
            for name, variable in self.state.items():
                variable.assign(after[name])
            self.last_theta.assign(moved)
            self.last_loss.assign(progress.loss)

        with tf.control_dependencies([moved]):  # a step that fails is none
            self.iterations.assign_add(1)
        self.evaluations.assign_add(progress.evaluations)
        lost = stale & (progress.status == NO_PROGRESS)  # there may be some on other points
        lost |= passing & (progress.status == CONVERGED)
        self.status.assign(tf.where(lost, RUNNING, progress.status))
        finite = progress.status != NONFINITE
        tf.cond(finite, keep, lambda: None)  # nothing that is not finite is kept
        self.stale.assign(~finite)
        return tf.where(finite, moved, theta), progress.loss

    def get_config(self):
        """The arguments."""
        return {"name": self.name}

    def update_step(self, gradient, variable, learning_rate):
        """There is no update from a gradient alone."""
        raise ValueError(
            f"{type(self).__name__} evaluates the loss by itself: use it with kpinn.PINN.fit."
        )
