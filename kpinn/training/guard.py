"""What is not finite is noticed after each call, before a callback sees it."""

import keras
import tensorflow as tf

from kpinn.training import recovery
from kpinn.training.nonfinite import NONE, all_finite, marks_of
from kpinn.training.state import state_of


class Guard:
    """Judges the calls of a `fit`.

    Args:
        pinn: the `PINN`, compiled and built.
        callbacks: list of callbacks, one of which may end training where the loss is not finite.

    Attributes:
        policy: `"raise"`, `"stop"` or `"rollback"`.
        weights: the last finite ones, a list of tensors.
        rollbacks: how many there were.
    """

    def __init__(self, pinn, callbacks):
        self.pinn, self.policy, self.rollbacks = pinn, policy_of(pinn, callbacks), 0
        marks = marks_of(pinn)
        marks.step.assign(NONE)
        self.weights = [tf.identity(variable.value) for variable in marks.weights]
        if not all_finite(self.weights):
            recovery.refuse_to_start(marks.weights)

    def call(self, make, schedule, numbers):
        """One call of the function of whole epochs; once more after each rollback.

        Args:
            make: returns what `compile_epochs` does.
            schedule: the `Schedule`.
            numbers: seed, epoch, number of epochs, first step and steps of each.

        Returns:
            How many epochs were done, the logs of them, their names, and `None` or the
            `NonFiniteError` of a step of the last epoch.
        """
        while True:
            run, names = make()
            try:
                arguments = (tf.constant(number, tf.int32) for number in numbers)
                points = state_of(self.pinn).training_data
                done, rows, (bad, finite, weights) = run(points, *arguments)
            except BaseException:  # Ctrl-C too, which may come when the call has returned
                recovery.clean(self)
                raise
            if int(bad) == NONE and finite:
                self.weights = weights
                return int(done), rows.numpy(), names, None
            error = recovery.after_call(self, run, schedule, numbers, int(bad))
            if error is not None:
                return int(done), rows.numpy(), names, error

    def raise_unless_stopped(self, error):
        """Raises an error, unless the policy is to end `fit` without one."""
        if error is not None and self.policy != "stop":
            raise error


def policy_of(pinn, callbacks):
    """What is done about what is not finite: a `TerminateOnNaN` stops, unless it is rolled back."""
    policy = state_of(pinn).settings.nonfinite
    ends = any(isinstance(each, keras.callbacks.TerminateOnNaN) for each in callbacks)
    return "stop" if ends and policy == "raise" else policy
