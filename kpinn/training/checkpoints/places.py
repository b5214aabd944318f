"""Where callbacks and the model keep what they remember: attributes, and what their code reads.

A place has plain data, or an object with a state (`holders`). Attributes of objects are places, in
lists and dicts too; so are closures and globals that the code of a callback reads.
"""

import collections
import dataclasses
import io
import logging
import threading
from collections.abc import Callable

import keras
import numpy as np

from kpinn.problem.outside import Outside
from kpinn.problem.snapshots import attributes_of
from kpinn.training.checkpoints import plain
from kpinn.training.checkpoints.holders import holder

DEPTH = 4  # of objects in one another
MUTABLE = list, dict, set, collections.deque, np.ndarray
_SILENT = io.IOBase, logging.Logger, threading.Thread, threading.Event, type(threading.Lock())
OF_CALLBACKS = {"_model", "model", "params", "_params", "validation_data"}
_OF_MODELS = {"stop_training", "history"}
_ON_THE_DISK = tuple(
    getattr(keras.callbacks, name)
    for name in ("CSVLogger", "ProgbarLogger", "RemoteMonitor", "TensorBoard")
)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a value is.

    Attributes:
        value: plain data, or an object with a state.
        put: function that puts another value there, `None` where it can be changed in place only.
    """

    value: object
    put: Callable | None

    @property
    def content(self):
        """What is to be saved, plain data."""
        found = holder(self.value)
        return self.value if found is None else found.get()

    @property
    def can_be_set(self):
        """Whether another content can be set."""
        return self.put is not None or isinstance(self.value, MUTABLE) or holder(self.value)

    def restore(self, content):
        """Sets the content; returns whether it could be."""
        found = holder(self.value)
        if found is not None:
            found.set(content)
        elif isinstance(self.value, MUTABLE) and _is_alike(self.value, content):
            _replace_in(self.value, content)
        elif self.put is not None:
            self.put(content)
        else:
            return False
        return True


def _is_alike(value, content):
    if isinstance(value, np.ndarray):
        alike = isinstance(content, np.ndarray) and value.flags.writeable
        return alike and (value.shape, value.dtype) == (content.shape, content.dtype)
    return any(isinstance(value, kind) and isinstance(content, kind) for kind in MUTABLE)


def _replace_in(value, content):
    if isinstance(value, np.ndarray):
        value[...] = content
    else:
        value.clear()
        (value.extend if isinstance(value, list | collections.deque) else value.update)(content)


def setter(owner, name):
    """A function that sets an attribute."""
    return lambda value: setattr(owner, name, value)


class Finder:
    """Finds the places of callbacks and a model.

    Args:
        callbacks: list of callbacks.
        model: the model, whose variables are left out, and those of its optimizer.
        on_iterator: called with the name of a place with an iterator, whose state is unknown.
    """

    def __init__(self, callbacks, model, on_iterator):
        self.roots = _named([each for each in callbacks if not isinstance(each, _ON_THE_DISK)])
        self._model, self._on_iterator = model, on_iterator
        self._outside = {name: _outside(callback) for name, callback in self.roots.items()}
        self._found, self._seen = {}, set()

    def places(self):
        """A dict from names to `Place`, as they are now."""
        own = [*self._model.variables, *self._model.optimizer.variables]
        self._found = {}
        self._seen = {id(each) for each in (self._model, *self.roots.values(), *own)}
        for name, value in vars(self._model).items():
            if not name.startswith("_") and name not in _OF_MODELS:
                self._add(f"model.{name}", value, setter(self._model, name), DEPTH)
        for root, callback in self.roots.items():
            if holder(callback) is not None:
                self._found[root] = Place(callback, None)
                continue
            for name, value in vars(callback).items():
                if name not in OF_CALLBACKS:
                    self._add(f"{root}.{name}", value, setter(callback, name), DEPTH)
            for name, get in self._outside[root]:
                self._add(f"{root}({name})", get(), None, DEPTH)
        return self._found

    def _add(self, name, value, put, depth):
        if isinstance(value, _SILENT) or id(value) in self._seen:
            return
        if holder(value) is not None or _is_plain(value):
            if isinstance(value, MUTABLE) or holder(value) is not None:
                self._seen.add(id(value))
            self._found[name] = Place(value, put)
        elif type(value).__module__.startswith(("keras.", "tensorflow.")):
            self._add_variables(name, value)
        elif hasattr(value, "__next__"):
            self._on_iterator(name)
        elif depth:
            self._seen.add(id(value))
            for key, each, put_each in _parts(value):
                self._add(f"{name}{key}", each, put_each, depth - 1)

    def _add_variables(self, name, value):
        """Those of a layer, a metric or an optimizer that belongs to a callback."""
        for number, variable in enumerate(getattr(value, "variables", None) or ()):
            self._add(f"{name}.variables[{number}]", variable, None, 0)


def _named(callbacks):
    """Callbacks by their class, and a number where there are several of one."""
    found, counts = {}, collections.Counter()
    for callback in callbacks:
        kind = type(callback).__name__
        found[f"{kind}[{counts[kind]}]" if counts[kind] else kind] = callback
        counts[kind] += 1
    return found


def _parts(value):
    """The items of a container and the attributes of an object: names, values and setters."""
    if isinstance(value, dict):
        return [(f"[{key!r}]", each, None) for key, each in value.items()]
    if isinstance(value, list | tuple):
        return [(f"[{number}]", each, None) for number, each in enumerate(value)]
    return [(f".{key}", each, setter(value, key)) for key, each in attributes_of(value).items()]


def _outside(callback):
    """Pairs of names, and functions that get what the code of a callback reads."""
    reads, found = {}, []
    outside = Outside(lambda key, get, value: reads.setdefault(key[1], []).append(get))
    for cls in type(callback).__mro__:
        for each in vars(cls).values():
            outside.look_at(getattr(each, "fget", getattr(each, "__func__", each)))
    for each in list(vars(callback).values()):
        if callable(each):
            outside.look_at(each)
    for name in sorted(map(str, reads)):  # globals of a function are found in no fixed order
        for number, get in enumerate(reads[name]):
            found.append((f"{name}#{number}" if number else name, get))
    return found


def _is_plain(value):
    try:
        plain.encode(value, [])
    except plain.NotPlainError:
        return False
    return True
