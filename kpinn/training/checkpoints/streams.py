"""Datasets and generators in a training that goes on: what was read before is read again.

The loop goes through the epochs that are done, so that whatever decides about the next
batch is as it was: shuffles, repetitions, counters, partial epochs. No step is made, and callbacks
hear nothing of it.
"""

import keras

from kpinn.training.checkpoints.holders import global_random_state
from kpinn.training.checkpoints.memory import digest
from kpinn.training.replicas.strategies import is_divided


class ReadAgain(keras.callbacks.CallbackList):
    """Callbacks that hear nothing of the epochs that are done.

    Args:
        callbacks: list of callbacks.
        done: number of epochs that are done.
        is_last: whether to end the training then.
        after: called afterwards, with whether reading has drawn from global random generators.
        **arguments: of `keras.callbacks.CallbackList`.
    """

    def __init__(self, callbacks, done, is_last, after, **arguments):
        super().__init__(callbacks, **arguments)
        self._done, self._is_last, self._after = done, is_last, after
        self._waiting = None

    def on_train_begin(self, logs=None):
        """Puts a step that only reads in the place of the step."""
        super().on_train_begin(logs)
        if self._done:
            self._random = digest(global_random_state())
            self._waiting, self.callbacks = self.callbacks, []
            if not is_divided(self.model):  # else the loop asks whether it only reads
                self.model.train_function = self._read

    @property
    def is_reading(self):
        """Whether the epoch is done."""
        return self._waiting is not None

    def _read(self, iterator):
        for _ in range(self.model.steps_per_execution):
            iterator.get_next()
        return {}

    def on_epoch_begin(self, epoch, logs=None):
        """Ends the reading before the first epoch that is not done."""
        if epoch >= self._done:
            self._end()
        super().on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch, logs=None):
        """Ends the training where all of it is done."""
        super().on_epoch_end(epoch, logs)
        if self._is_last and epoch + 1 >= self._done:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        """Ends the reading where no epoch came after it."""
        self._end()
        super().on_train_end(logs)

    def _end(self):
        if self._waiting is not None:
            self.callbacks, self._waiting = self._waiting, None
            if not is_divided(self.model):
                self.model.make_train_function(force=True)
            self._after(digest(global_random_state()) != self._random)
