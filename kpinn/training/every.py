"""What callbacks that act every so many epochs have in common."""

import abc

import keras

from kpinn.options import positive_whole
from kpinn.problem.points import is_shared
from kpinn.training.fit import training_data

WEIGHT = "weight_"  # what the logs call the loss weight of a condition begins with it


class Every(keras.callbacks.Callback, abc.ABC):
    """Base class of callbacks that act at the begin of every so many epochs, but not of the first.

    Args:
        every: epochs from one time to the next.
    """

    changes_loss = True  # so that an optimizer which can go no further waits for it
    needs_points = True  # of `fit`, as arrays

    def __init__(self, every):
        super().__init__()
        self.every, self._last = positive_whole("every", every), 0

    @abc.abstractmethod
    def act(self, epoch):
        """What is done when it is time.

        Args:
            epoch: the number of the epoch that it was time for, a multiple of `every`.
        """

    def on_train_begin(self, logs=None):
        """Forgets the last time."""
        self._last = 0

    def weighted(self):
        """Names of the conditions whose loss weights it changes."""
        return ()

    def on_epoch_end(self, epoch, logs=None):
        """Adds the loss weights that it changes to the logs, under `WEIGHT` and the condition."""
        for name in self.weighted() if logs is not None else ():
            logs[WEIGHT + name] = float(self.model.loss_weights[name].numpy())

    def on_epoch_begin(self, epoch, logs=None):
        """Acts, if it is time; a resumed run catches up on the last time before its begin."""
        due = epoch - epoch % self.every
        if due > self._last:
            self.act(due)
            self._last = due


def residuals_of(pinn, names):
    """The residuals of conditions at the points of `fit`, minus their targets, by name.

    Args:
        pinn: the `PINN`.
        names: names of conditions.

    Returns:
        A dict from name to array `(n, k)`.
    """
    data = training_data(pinn)
    shared = is_shared(data.points)
    points = {name: data.points if shared else data.points[name] for name in names}
    targets = {name: data.targets[name] for name in names if name in data.targets}
    return pinn.residuals((points, targets))
