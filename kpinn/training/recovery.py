"""What `fit` does after a step that is not finite.

The weights are the last finite ones again. Then `fit` raises, stops, or goes back and on with a
smaller step, as `compile(nonfinite=...)` says.
"""

import tensorflow as tf

from kpinn.optimizers.flat import assign
from kpinn.optimizers.stages import current
from kpinn.training.culprit import (
    cause,
    settings_that_are_not_finite,
    weights_that_are_not_finite,
)
from kpinn.training.nonfinite import NONE, NonFiniteError, all_finite, marks_of, outside
from kpinn.training.smaller_steps import make_smaller
from kpinn.training.state import state_of

ROLLBACKS = 3  # in one `fit`, or one stage of it


def refuse_to_start(weights):
    """Raises the error about weights that are not finite before the first step."""
    found = weights_that_are_not_finite(weights)
    raise NonFiniteError(f"cannot start: {found} Set other weights, or make the model anew.")


# Whole calls -------------------------------------------------------------------------------


def after_call(guard, function, schedule, numbers, bad):
    """Undoes what was not finite in a call.

    Args:
        guard: the `Guard`.
        function: of `compile_epochs`.
        schedule: the `Schedule`.
        numbers: of the call, see `Guard.call`.
        bad: number of the step in the call, `NONE` if only the weights after it are not finite.

    Returns:
        `None` if the call is to be made again, else a `NonFiniteError`.
    """
    pinn, marks = guard.pinn, marks_of(guard.pinn)
    if marks.later and bad != NONE:
        _restore(marks, marks.begin)
        _repeat(pinn, function, numbers, bad)
    found = _bad_weights(guard)
    marks.step.assign(NONE)
    seed, epoch, _, first, steps = numbers
    epoch, step = epoch + max(bad, 0) // steps, first + max(bad, 0) % steps
    if found is None:
        data = schedule.batch(state_of(pinn).training_data, (seed, epoch, step))
        found = cause(pinn, pinn.objective.drawn(data))
    return _judged(guard, f"epoch {epoch + 1}, step {step + 1}: {found}", bad > 0)


def _repeat(pinn, function, numbers, count):
    """Makes the first steps of a call once more, which are to the last bit what they were."""
    seed, epoch, _, first, steps = numbers
    whole, rest = divmod(count, steps)
    for begin, epochs, part in ((epoch, whole, steps), (epoch + whole, 1, rest)):
        if epochs and part:
            marks_of(pinn).step.assign(NONE)
            numbers = tf.unstack(tf.constant((seed, begin, epochs, first, part), tf.int32))
            function(state_of(pinn).training_data, *numbers)


def clean(guard):
    """Makes the weights finite, if a step that was not has been interrupted."""
    marks = marks_of(guard.pinn)
    if marks.later and int(marks.step.numpy()) != NONE:
        _restore(marks, marks.begin)
    _bad_weights(guard)
    marks.step.assign(NONE)
    _clear_memory(current(guard.pinn.optimizer))


# Batches of Keras's loop -------------------------------------------------------------------


def after_batch(guard, place):
    """Undoes what was not finite in an execution of Keras's loop.

    Args:
        guard: the `Guard`.
        place: the epoch and the step, for the message.

    Returns:
        `None` if training goes on, else a `NonFiniteError`.
    """
    pinn, marks = guard.pinn, marks_of(guard.pinn)
    if outside(pinn) and not marks.flat:
        _restore(marks, marks.begin)
    found = _bad_weights(guard)
    if found is None and marks.sightings.batch is not None:
        found = cause(pinn, marks.sightings.batch)
    found = found or marks.sightings.sentence(state_of(pinn).settings.logs.trackers)
    marks.step.assign(NONE)
    error = _judged(guard, f"{place}: {found}", False)
    if error is None:
        pinn.reset_metrics()  # the losses of the epoch are those from here on
    return error


# Minimizers of scipy -----------------------------------------------------------------------


def after_minimizer(pinn, policy, record, data):
    """Says what ended a minimizer of scipy; the model has the best weights.

    Args:
        pinn: the `PINN`.
        policy: what is to be done; scipy's line searches have shortened the step already.
        record: the `Record` of the run.
        data: the `Data`.

    Raises:
        NonFiniteError: unless the policy is to stop.
    """
    best, found = [tf.identity(v.value) for v in pinn.trainable_variables], None
    if record.bad_theta is not None:
        assign(list(pinn.trainable_variables), record.bad_theta)
        found = cause(pinn, data)
        for variable, value in zip(pinn.trainable_variables, best, strict=True):
            variable.assign(value)
    state_of(pinn).failure = message = f"{record.result.message} {found or ''}".strip()
    pinn.stop_training = True
    if policy != "stop":
        raise NonFiniteError(message)


# What follows ------------------------------------------------------------------------------


def _judged(guard, found, later):
    """Goes back, if that is the policy, and returns `None`; else the error.

    Args:
        guard: the `Guard`.
        found: where and what was not finite, a sentence.
        later: whether a step of the same call was finite before.
    """
    if guard.policy == "rollback" and guard.rollbacks < ROLLBACKS:
        _go_back(guard, later)
        return None
    _clear_memory(current(guard.pinn.optimizer))
    again = f" It came again after {guard.rollbacks} rollbacks." if guard.rollbacks else ""
    error = NonFiniteError(
        f"training is not finite at {found}{again} The model has the last finite weights. "
        "compile(nonfinite='rollback') goes back and on with a smaller step, 'stop' ends fit "
        "without an error."
    )
    state_of(guard.pinn).failure, guard.pinn.stop_training = str(error), True
    return error


def _go_back(guard, later):
    pinn, marks = guard.pinn, marks_of(guard.pinn)
    guard.rollbacks += 1
    if not marks.flat:
        _restore(marks, marks.begin if later else marks.good)
    make_smaller(pinn, current(pinn.optimizer))
    marks = marks_of(pinn)  # others, if the learning rate is a schedule
    for copies in (marks.begin, marks.good):
        for copy, variable in zip(copies or (), marks.variables, strict=copies is not None):
            copy.assign(tf.convert_to_tensor(variable))
    guard.weights = [tf.identity(weight.value) for weight in marks.weights]


def _restore(marks, copies):
    for copy, variable in zip(copies, marks.variables, strict=True):
        variable.assign(copy.value())


def _bad_weights(guard):
    """What made weights not finite, which are the last finite ones then; `None` if they are."""
    marks = marks_of(guard.pinn)
    found = weights_that_are_not_finite(marks.weights)
    if found is None:
        return None
    for variable, value in zip(marks.weights, guard.weights, strict=True):
        variable.assign(value)
    if marks.begin is not None and all_finite([copy.value() for copy in marks.begin]):
        _restore(marks, marks.begin)
    return settings_that_are_not_finite(guard.pinn) or found


def _clear_memory(optimizer):
    """Makes zero what an optimizer remembers and is not finite, after its own arithmetic failed."""
    for variable in optimizer.variables:
        value = tf.convert_to_tensor(variable)
        if value.dtype.is_floating and not all_finite([value]):
            variable.assign(tf.where(tf.math.is_finite(value), value, tf.zeros_like(value)))
