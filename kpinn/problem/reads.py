"""What conditions read beside their arguments, so that a change of it is noticed.

A compiled function has what it read while it was traced, such as `self.viscosity`, as a constant.
So the attributes, closures and globals that a condition reads are remembered with their values, and
compared before compiled functions are used again. An attribute that is a number and has changed
once is a variable from then on, and changes without another trace.

What a condition reads through what it calls is noticed too: attributes by any method, closures and
globals of functions that stand in the same module.
"""

import contextlib
import functools
import inspect
import threading
import types

import numpy as np
import tensorflow as tf

DEPTH = 4  # of containers and objects in one another, whose contents are compared


class _Active(threading.local):
    """What looks at the reads of the condition that is traced now, in this thread."""

    reader = None


_ACTIVE = _Active()


def attribute(owner, name, value):
    """What an attribute is for the condition that reads it: its value, or a tensor."""
    reader = _ACTIVE.reader
    if reader is None or name.startswith("_") or not _is_stored(owner, name):
        return value
    return reader.attribute(owner, name, value)


def _is_stored(owner, name):
    """Whether an attribute is a value, and no method or property, which read others."""
    if name in vars(owner):
        return True
    found = inspect.getattr_static(type(owner), name, None)
    return not callable(found) and not hasattr(found, "__get__")


class Reads:
    """What the conditions of a model read.

    Args:
        owner: the model, whose attributes that are numbers may become variables.
        dtype: dtype of these variables.
    """

    def __init__(self, owner, dtype):
        self._owner, self._dtype = owner, dtype
        self._seen = {}  # by key: how it is read, and its value then
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
                return function(*args, **kwargs)
            self._remember_outside(function)
            reader = _Reader(self, feeds)
            try:
                with reader.active():
                    return function(*args, **kwargs)
            except Exception:
                if not reader.fed:
                    raise
            for name in reader.fed:  # it needs numbers, for an `if` or a shape
                self.never(name)
            with reader.active():
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
            self._seen[key] = get, _snapshot(value)

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
        if isinstance(value, types.FunctionType):
            self._remember_outside(value)
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

    def _remember_outside(self, function, seen=()):
        """The closure and the globals of a function, and the attributes of a callable object.

        `seen` are functions that are being looked at.
        """
        inner = inspect.unwrap(function)
        if isinstance(inner, functools.partial):
            given = inner.args, inner.keywords
            self.remember((id(inner), "given"), lambda: given, given)
            return self._remember_outside(inner.func, seen)
        if not inspect.isroutine(inner):
            self.remember((id(inner), "self"), functools.partial(vars, inner), vars(inner))
            inner = type(inner).__call__
        inner = getattr(inner, "__func__", inner)
        if not isinstance(inner, types.FunctionType) or inner in seen:
            return
        found = dict(zip(inner.__code__.co_freevars, inner.__closure__ or (), strict=True))
        gets = {name: functools.partial(_content, cell) for name, cell in found.items()}
        for name in _names(inner.__code__) & inner.__globals__.keys():
            gets[name] = functools.partial(inner.__globals__.get, name)
        for name, get in gets.items():
            value = get()
            self.remember((id(inner), name), get, value)
            if getattr(value, "__globals__", None) is inner.__globals__:
                self._remember_outside(value, (*seen, inner))

    def has_read(self, name):
        """Whether a condition has read an attribute."""
        return name in self._seen

    def refresh(self):
        """Takes notice of changes; returns whether something else has changed than variables."""
        stale = False
        for key, (get, before) in self._seen.items():
            now = _snapshot(get())
            if not _same(now, before):
                self._seen[key] = get, now
                stale |= not self._assigned(key, now)
                if isinstance(now, float) and isinstance(before, float):
                    self._make_variable(key, now)
        if stale:
            self._seen.clear()
        return stale

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
    def active(self):
        """While it looks."""
        before, _ACTIVE.reader = _ACTIVE.reader, self
        try:
            yield
        finally:
            _ACTIVE.reader = before


def _content(cell):
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _names(code):
    """Names that a function and the functions within it read, attributes too."""
    inner = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return {*code.co_names, *(name for each in inner for name in _names(each))}


# Values that are compared ------------------------------------------------------------------


def _snapshot(value, depth=DEPTH):
    """A copy of plain data that stays as it is, by which changes are seen; else the object."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if depth and isinstance(value, dict):
        return ("dict", *((key, _snapshot(each, depth - 1)) for key, each in value.items()))
    if depth and isinstance(value, list | tuple):
        return ("list", *(_snapshot(each, depth - 1) for each in value))
    if depth and isinstance(value, set | frozenset):
        return ("set", frozenset(value))
    if depth and _is_plain_object(value):
        return ("object", _Held(value), _snapshot(vars(value), depth - 1))
    plain = value is None or isinstance(value, bool | int | float | complex | str | bytes)
    return value if plain or isinstance(value, np.generic) else _Held(value)


def _is_plain_object(value):
    """Whether an object's attributes are all that it is: no layer, tensor, module or function."""
    known = tf.Module | tf.Variable | tf.Tensor | types.ModuleType | type
    return hasattr(value, "__dict__") and not callable(value) and not isinstance(value, known)


class _Held:
    """An object that is the same only as itself; it is held, so that its address stays its own."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, _Held) and self.value is other.value

    def __hash__(self):
        return id(self.value)


def _same(a, b):
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        alike = isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype == b.dtype
        return alike and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    if type(a) is not type(b):
        return False
    return a == b or (a != a and b != b)
