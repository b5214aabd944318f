"""What differs between the workers of a `fit`, and what must not."""

import contextlib

import keras

from kpinn.training.arguments import listed
from kpinn.training.tensorflow_private import outside_of_strategies
from kpinn.training.workers.exchange import check_same, is_chief, same_chance, worker_of

WRITERS = keras.callbacks.CSVLogger, keras.callbacks.ModelCheckpoint, keras.callbacks.TensorBoard


def settings_of_worker(pinn, settings):
    """The settings of `fit` for this worker: the chief alone shows the progress and writes files.

    The workers begin with the same state of the global random generators, that of the chief.

    Args:
        pinn: the `PINN`.
        settings: dict of arguments of `keras.Model.fit`.
    """
    same_chance(pinn.distribute_strategy)
    if is_chief(pinn.distribute_strategy):
        return settings
    callbacks = settings["callbacks"]
    kept = [each for each in listed(callbacks) if not isinstance(each, WRITERS)]
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.callbacks[:] = kept
        kept = callbacks
    return settings | {"callbacks": kept, "verbose": 0}


@contextlib.contextmanager
def of_chief(strategy):
    """A block that writes files: its value is whether to run it, which the chief does.

    What it makes are variables of the chief alone, for which it must not wait for other workers.
    """
    several = worker_of(strategy)[1] > 1
    with outside_of_strategies() if several else contextlib.nullcontext():
        yield is_chief(strategy)


def check_data(pinn, arrays):
    """Raises `ValueError` if workers train on other points, or from other weights, than the chief.

    Args:
        pinn: the `PINN`.
        arrays: a `Data`.
    """
    if worker_of(pinn.distribute_strategy)[1] == 1:
        return
    names = "points", "targets", "sample_weights"
    values = dict(zip(names, map(dict, arrays.parts), strict=True))
    weights = [variable.numpy() for variable in pinn.trainable_variables]
    check_same(pinn.distribute_strategy, **values, weights=weights)
