"""Steps whose loss or gradient is not finite, as the compiled step sees them.

The step is marked; see `kpinn.training.guard` for what `fit` does then. A condition on the update
would keep it from running beside the gradients, which makes a small step a tenth longer. So the
loop of `fit` ends at the marked step, and `fit` makes the steps before it once more, from a copy.
In Keras's loop, whose batches are gone then, and in an optimizer of kpinn the update is not made.
"""

import contextlib

import keras
import tensorflow as tf

from kpinn.backend.keras_private import step_counter
from kpinn.optimizers.flat_optimizer import NONFINITE, RUNNING, FlatOptimizer
from kpinn.optimizers.stages import current
from kpinn.training.replicas.strategies import by_keras
from kpinn.training.sightings import Sightings
from kpinn.training.state import state_of
from kpinn.training.tensorflow_private import updates_between_replicas

NONE = -1  # no step


class NonFiniteError(ValueError, FloatingPointError):
    """A loss, a gradient or a weight is not finite; the model has finite weights."""


class Marks:
    """What a compiled step says of itself, and copies of what it changes.

    Args:
        pinn: the `PINN`, whose optimizer is built.

    Attributes:
        step: variable; the steps of the optimizer before the first one that was not finite.
        later: whether updates are made all the same, and undone after the call.
        sightings: what is seen of a step of Keras's loop, whose points are gone then, or `None`.
        begin: copies of the weights and of the optimizer's variables at the begin of a call; `None`
            where they are not needed.
        good: the same of an earlier call, in which the loss was finite at the begin.
    """

    def __init__(self, pinn):
        state, self.optimizer = state_of(pinn), current(pinn.optimizer)
        self.flat = isinstance(self.optimizer, FlatOptimizer)
        jit, calls = state.settings.jit_compile and not self.flat, state.loop == "calls"
        self.step = tf.Variable(NONE, trainable=False, dtype=tf.int64)
        self.later = calls and not self.flat
        self.sightings = None if calls else Sightings(jit)
        self.weights = list(pinn.trainable_variables)
        self.variables = [*self.weights, *self.optimizer.variables]
        back = state.settings.nonfinite == "rollback" and not self.flat
        self.begin = self._copies() if self.later or back or outside(pinn) else None
        self.good = self._copies() if back else None

    def _copies(self):
        values = map(tf.convert_to_tensor, self.variables)
        return [tf.Variable(value, trainable=False) for value in values]

    def enter(self):
        """Copies what is there at the begin of a call, in its graph."""
        for copies, values in ((self.good, self.begin), (self.begin, self.variables)):
            for copy, value in zip(copies or (), values or (), strict=copies is not None):
                copy.assign(tf.convert_to_tensor(value))

    def leave(self, first):
        """At the end of a call that began with step `first`.

        Returns:
            The number of the step that was not finite, `NONE` if all were; whether the weights are
            finite; and a list of these.
        """
        bad, last = self.step != NONE, self.step.value()
        if self.flat:
            bad, last = self.optimizer.status.value == NONFINITE, step_counter(self.optimizer) - 1
        step = tf.where(bad, tf.convert_to_tensor(last) - first, NONE)
        weights = [tf.convert_to_tensor(weight) for weight in self.weights]
        return step, all_finite(weights), weights

    def goes_on(self):
        """Whether the loop of a call goes on, scalar bool."""
        return self.optimizer.status.value == RUNNING if self.flat else self.step == NONE

    def note(self, is_bad=True):
        """Marks the step, if it is bad and the first one."""
        first = is_bad & (self.step == NONE)
        step = tf.convert_to_tensor(step_counter(self.optimizer))
        self.step.assign(tf.where(first, step, self.step.value()))


def marks_of(pinn):
    """The `Marks` of the compiled functions that a PINN has now."""
    key = "marks", id(current(pinn.optimizer)), state_of(pinn).loop == "calls"
    with tf.init_scope():
        return state_of(pinn).compiled.once(key, lambda: Marks(pinn))


def outside(pinn):
    """Whether steps are judged by what they leave, as those of an overridden `train_step`.

    So are those in each replica of a strategy, where an update may not be conditional.
    """
    return state_of(pinn).own_step or by_keras(pinn)


def all_finite(tensors):
    """Whether all numbers are finite, scalar bool."""
    floating = [tensor for tensor in tensors if tensor.dtype.is_floating]
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite(tensor)) for tensor in floating])


def apply_finite(pinn, loss, gradients, batch):
    """Applies gradients, unless they or the loss are not finite.

    The square of the gradient's norm must be finite too, which Adam and others keep.

    Args:
        pinn: the `PINN`.
        loss: scalar tensor.
        gradients: list of tensors, one for each trainable variable.
        batch: the `Data` of the step.
    """
    optimizer, variables = current(pinn.optimizer), pinn.trainable_variables

    def apply():
        between = tf.distribute.in_cross_replica_context()
        with updates_between_replicas() if between else contextlib.nullcontext():
            optimizer.apply_gradients(zip(gradients, variables, strict=True))

    def refuse():
        marks.note()
        if marks.sightings is not None:
            marks.sightings.keep(batch, gradients, variables)

    if by_keras(pinn):
        return apply()
    marks, total = marks_of(pinn), [loss]
    if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):  # which skips by itself
        total += [tf.cast(tf.nn.l2_loss(gradient), loss.dtype) for gradient in gradients]
    finite = tf.math.is_finite(tf.add_n(total))
    if marks.later:
        marks.note(~finite)
        return apply()
    if state_of(pinn).loop == "batches":  # of several in one execution none after the first
        finite &= marks.step == NONE
    return tf.cond(finite, apply, refuse)
