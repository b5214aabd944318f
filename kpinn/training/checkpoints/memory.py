"""What callbacks and the model remember beside variables, as far as it has changed in a training.

What has not changed is not saved: so the arguments of a callback stay those of the script.
"""

import hashlib
import json
import warnings

import numpy as np

from kpinn.training.checkpoints import plain
from kpinn.training.checkpoints.places import OF_CALLBACKS, Finder, Place, setter


class Memory:
    """What callbacks and a model remember, from the begin of a training on.

    Args:
        callbacks: list of callbacks.
        model: the model.
        is_quiet: whether to leave warnings to another worker.
    """

    def __init__(self, callbacks, model, is_quiet=False):
        self._warned, self._model, self._is_quiet = set(), model, is_quiet
        self._finder = Finder(callbacks, model, self._warn_of_iterator)
        self._before = {name: _digest(place) for name, place in self._finder.places().items()}

    def changed(self):
        """A dict from names of places to what is there, where it is no longer what it was."""
        found = {}
        for name, place in self._finder.places().items():
            if _digest(place) == self._before.get(name):
                continue
            if place.can_be_set:
                found[name] = place.content
            else:
                self._warn(name, "has changed, and is no attribute of the callback")
        return found

    def restore(self, contents):
        """Puts back what `changed` returned."""
        for name, content in contents.items():
            place = self._finder.places().get(name) or self._new_place(name)
            if place is None or not place.restore(content):
                self._warn(name, "is not there any more, so that it could not be restored")

    def _new_place(self, name):
        """That of an attribute which was not there when the training began; else `None`."""
        root, *path, last = name.split(".")
        owner = self._model if root == "model" else self._finder.roots.get(root)
        for part in path:
            owner = getattr(owner, "__dict__", {}).get(part)
        if owner is None or OF_CALLBACKS & {*path, last}:
            return None
        if last.startswith("_" if owner is self._model else "__"):
            return None
        return Place(None, setter(owner, last))

    def _warn_of_iterator(self, name):
        self._warn(name, "is an iterator, whose position cannot be saved")

    def _warn(self, name, what):
        if name not in self._warned and not self._is_quiet:
            self._warned.add(name)
            warnings.warn(
                f"Checkpoint: {name} {what}; a resumed run may differ. Keep it in an attribute of "
                "the callback as plain data, or give the callback get_state() and "
                "set_state(state).",
                stacklevel=2,
            )


def _digest(place):
    """A digest of what is at a place."""
    try:
        return digest(place.content)
    except plain.NotPlainError as error:
        raise plain.NotPlainError(
            f"get_state of {type(place.value).__name__} returns no plain data ({error}): expected "
            "numbers, strings, arrays, and lists and dicts of those."
        ) from None


def digest(value):
    """A digest of plain data."""
    arrays = []
    found = hashlib.blake2b(json.dumps(plain.encode(value, arrays)).encode(), digest_size=16)
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.digest()
