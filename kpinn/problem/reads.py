"""What conditions read beside their arguments, so that a change of it is noticed.

A compiled function has what it read while it was traced, such as `self.viscosity`, as a constant.
So the attributes, closures and globals that a condition reads are remembered with their values, and
compared before compiled functions are used again. An attribute that is a number and has changed
once is a variable from then on, and changes without another trace.

What a condition reads through what it calls is noticed too: attributes by any method, closures and
globals of functions, methods and properties, unless they are those of a library.
"""

import contextlib
import functools
import inspect
import threading

import tensorflow as tf

from kpinn.problem import outside
from kpinn.problem.snapshots import has_changed, snapshot


class _Active(threading.local):
    """What looks at the reads of the conditions that are traced now in this thread, inner last.

    A condition of one model may ask for residuals of another one, such as a previous solution.
    """

    readers = ()


ACTIVE = _Active()


def attribute(owner, name, value):
    """What an attribute is for the condition that reads it: its value, or a tensor.

    It is asked only while there are readers, which is looked up in each access.
    """
    if name.startswith("__"):
        return value
    *others, reader = ACTIVE.readers
    found = inspect.getattr_static(type(owner), name, None)
    if name not in vars(owner) and (callable(found) or hasattr(found, "__get__")):
        for each in ACTIVE.readers:  # a method or property, which reads others
            each.reads.look_into(getattr(found, "fget", value))
        return value
    if name.startswith("_") and not reader.reads.names(name):
        return value  # of Keras
    for each in others:
        each.reads.read(owner, name, value, feeds=False)
    return reader.attribute(owner, name, value)


class Reads:
    """What the conditions of a model read.

    Args:
        owner: the model, whose attributes that are numbers may become variables.
        dtype: dtype of these variables.
    """

    def __init__(self, owner, dtype):
        self._owner, self._dtype = owner, dtype
        self._seen = {}  # by key: how it is read, and its value then
        self._outside = outside.Outside(self.remember)
        self._variables = {}  # of attributes that are numbers and have changed
        self._never = set()  # attributes that have to be numbers
        self._constant = False

    def recorded(self, function, feeds):
        """A function that remembers what it reads while it is traced.

        Args:
            function: a condition or derived field.
            feeds: whether it may get variables for numbers: powers with such exponents have no
                Taylor coefficients at zero, so that derived fields get none.
        """

        @functools.wraps(function)
        def call(*args, **kwargs):
            if tf.executing_eagerly():
                with self._forgiving():
                    return function(*args, **kwargs)
            reader = _Reader(self, feeds)
            try:
                with self._forgiving(), reader.active(function):
                    return function(*args, **kwargs)
            except Exception:
                if not reader.fed:
                    raise
            for name in reader.fed:  # it needs numbers, for an `if` or a shape
                self.never(name)
            with self._forgiving(), reader.active(function):
                return function(*args, **kwargs)

        return call

    @contextlib.contextmanager
    def constant(self):
        """Numbers are constants in what is traced here, for what outlives the model."""
        before, self._constant = self._constant, True
        try:
            yield
        finally:
            self._constant = before

    def remember(self, key, get, value):
        """Remembers a value and how it is got; the first one counts."""
        if key not in self._seen:
            self._seen[key] = get, snapshot(value)

    def look_into(self, function):
        """Remembers what is outside of a function."""
        self._outside.look_into(function)

    def names(self, name):
        """Whether code that was looked into has a name."""
        return name in self._outside.names

    def read(self, owner, name, value, feeds):
        """What an attribute is: its value, or the tensor of its variable.

        Args:
            owner: the object that has it.
            name: its name.
            value: its value.
            feeds: whether it may be a variable.

        Returns:
            The value or tensor, and whether it is a tensor.
        """
        key = name if owner is self._owner else (id(owner), name)
        self.remember(key, functools.partial(getattr, owner, name, None), value)
        self._outside.look_at(value)
        if key not in self._variables or self._constant:
            return value, False
        if not feeds or not isinstance(value, float):
            self.never(name)
            return value, False
        with tf.init_scope():
            self._variables[name].assign(value)
        return tf.convert_to_tensor(self._variables[name]), True

    def never(self, name):
        """An attribute is a number from now on, whose changes take another trace."""
        self._never.add(name)
        self._variables.pop(name, None)

    def has_read(self, name):
        """Whether a condition has read an attribute."""
        return name in self._seen

    def _changed(self):
        """Keys of what is no longer as it was read."""
        return [key for key, (get, before) in self._seen.items() if has_changed(get(), before)]

    @contextlib.contextmanager
    def _forgiving(self):
        """A call of a condition, which may change what it reads itself, to count its calls."""
        before = set(self._changed())
        try:
            yield
        finally:
            for key in set(self._changed()) - before:
                get, _ = self._seen[key]
                self._seen[key] = get, snapshot(get())

    def refresh(self):
        """Takes notice of changes.

        Returns:
            Whether something has changed, and whether something else than variables.
        """
        stale, changed = False, self._changed()
        for key in changed:
            get, before = self._seen[key]
            now = snapshot(get())
            self._seen[key] = get, now
            stale |= not self._assigned(key, now)
            if isinstance(now, float) and isinstance(before, float):
                self._make_variable(key, now)
        if stale:
            self._seen.clear()
            self._outside.forget()
        return bool(changed), stale

    def _assigned(self, key, value):
        variable = self._variables.get(key)
        if variable is None or not isinstance(value, float):
            self._variables.pop(key, None)
            return False
        variable.assign(value)
        return True

    def _make_variable(self, key, value):
        if isinstance(key, str) and key not in self._never and key not in self._variables:
            self._variables[key] = tf.Variable(value, trainable=False, dtype=self._dtype)


class _Reader:
    """Looks at what one call of a condition reads.

    Attributes:
        fed: names of the attributes that were tensors.
    """

    def __init__(self, reads, feeds):
        self.reads, self.feeds, self.fed = reads, feeds, set()

    def attribute(self, owner, name, value):
        """What an attribute is."""
        found, is_fed = self.reads.read(owner, name, value, self.feeds)
        if is_fed:
            self.fed.add(name)
        return found

    @contextlib.contextmanager
    def active(self, function):
        """While it looks at a call of a function."""
        before, ACTIVE.readers = ACTIVE.readers, (*ACTIVE.readers, self)
        try:
            for each in ACTIVE.readers:
                each.reads.look_into(function)
            yield
        finally:
            ACTIVE.readers = before
