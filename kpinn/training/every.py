"""What callbacks that act every so many epochs have in common."""

import keras

from kpinn.options import positive_whole


class Every(keras.callbacks.Callback):
    """Base class of callbacks that act at the begin of every so many epochs, but not of the first.

    Args:
        every: epochs from one time to the next.
    """

    changes_loss = True  # so that an optimizer which can go no further waits for it
    needs_points = True  # of `fit`, as arrays

    def __init__(self, every):
        super().__init__()
        self.every, self._last = positive_whole("every", every), 0

    def on_train_begin(self, logs=None):
        """Forgets the last time."""
        self._last = 0

    def on_epoch_begin(self, epoch, logs=None):
        """Acts, if it is time; a resumed run catches up on the last time before its begin."""
        due = epoch - epoch % self.every
        if due > self._last:
            self.act(due)
            self._last = due
