"""Copies of plain data, by which it is seen that something has changed in place."""

import collections
import types

import keras
import numpy as np
import tensorflow as tf

DEPTH = 4  # of containers and objects in one another, whose contents are compared

_PLAIN = (type(None), bool, int, float, complex, str, bytes, np.generic)
_NOT_DATA = (
    *(types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, type),
    *(tf.Module, tf.Variable, tf.Tensor),
    *(keras.layers.Layer, keras.optimizers.Optimizer, keras.metrics.Metric, keras.Variable),
)


def snapshot(value, depth=DEPTH, copies=True):
    """A copy of plain data that stays as it is; any other object is held.

    Args:
        value: anything.
        depth: of containers and objects in one another.
        copies: whether arrays are copied; not needed for what is compared at once.
    """

    def inner(each):
        return snapshot(each, depth - 1, copies)

    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, types.MethodType):  # made anew each time that it is got
        return ("method", _Held(value.__func__), _Held(value.__self__))
    if isinstance(value, np.ndarray):
        return value.copy() if copies else value
    if depth and isinstance(value, dict):
        return ("dict", *((key, inner(each)) for key, each in value.items()))
    if depth and isinstance(value, list | tuple | collections.deque):
        return ("list", *map(inner, value))
    if depth and isinstance(value, set | frozenset):
        return ("set", frozenset(value))
    if depth and (attributes := attributes_of(value)):
        return ("object", _Held(value), inner(attributes))
    return _Held(value)


def attributes_of(value):
    """The attributes of a plain object by name; none of a layer, tensor, module or function."""
    if isinstance(value, _NOT_DATA):
        return {}
    slots = [name for cls in type(value).__mro__ for name in _slots(cls)]
    found = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    return found | getattr(value, "__dict__", {})


def _slots(cls):
    slots = vars(cls).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else slots


class _Held:
    """An object that is the same only as itself; it is held, so that its address stays its own."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, _Held) and self.value is other.value

    def __hash__(self):
        return id(self.value)


def has_changed(value, before):
    """Whether a value is another than it was when a snapshot of it was taken."""
    if isinstance(before, _Held) and before.value is value:
        return False
    return not _same(snapshot(value, copies=False), before)


def _same(a, b):
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        alike = isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype == b.dtype
        return alike and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    if type(a) is not type(b):
        return False
    return a == b or (a != a and b != b)
