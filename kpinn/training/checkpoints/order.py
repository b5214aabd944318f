"""Where a `Checkpoint` stands among callbacks."""

import keras

from kpinn.training.arguments import listed
from kpinn.training.checkpoints.callback import Checkpoint


def checkpoint_last(callbacks):
    """Callbacks with a `Checkpoint` behind all others, so that it saves what they have done.

    Args:
        callbacks: what `fit` was given.

    Returns:
        A pair: the callbacks, and the `Checkpoint` or `None`.

    Raises:
        ValueError: for several of them, and for Keras's `BackupAndRestore`.
    """
    given = isinstance(callbacks, keras.callbacks.CallbackList)
    flat = listed(callbacks)
    if any(isinstance(each, keras.callbacks.BackupAndRestore) for each in flat):
        raise ValueError(
            "keras.callbacks.BackupAndRestore keeps neither loss weights nor points nor random "
            "generators, and a process that is killed while it saves leaves a file that cannot be "
            "loaded: use kpinn.callbacks.Checkpoint(path, every=...)."
        )
    found = [each for each in flat if isinstance(each, Checkpoint)]
    if len(found) > 1:
        raise ValueError(f"there are {len(found)} Checkpoints: a fit goes on from one.")
    if not found:
        return callbacks, None
    others = [each for each in flat if each is not found[0]]
    if not any(isinstance(each, keras.callbacks.History) for each in others):
        others.append(keras.callbacks.History())
    ordered = [*others, *found]
    if given:
        callbacks.callbacks[:] = ordered
    return (callbacks if given else ordered), found[0]
