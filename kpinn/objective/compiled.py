"""The one place where compiled functions are kept."""

import collections
import warnings

import tensorflow as tf

from kpinn.derivatives.tensorflow_private import (
    forget_custom_gradients,
    without_retracing_warning,
)

SHAPES = 6  # of arguments, whose traces are kept
COMPILED = 12  # shapes for which XLA compiles


class Compiled:
    """Functions as graphs, by key, until this is thrown away.

    Args:
        eager: whether functions are run as they are, to debug.
        jit: whether XLA compiles them.
    """

    def __init__(self, eager=False, jit=False):
        self.eager, self.jit, self._kept = eager, jit, {}

    def __call__(self, key, function, signature=None):
        """The function compiled, in eager mode the function.

        Args:
            key: hashable; what is kept under it is returned the next time.
            function: takes and returns tensors.
            signature: as `input_signature` of `tf.function`.
        """
        return function if self.eager else self.graph(key, function, self.jit, signature)

    def graph(self, key, function, jit=False, signature=None):
        """The function as a graph in any case, compiled by XLA if `jit`."""
        return self.once(key, lambda: ByShapes(function, jit, signature))

    def once(self, key, make):
        """What `make()` returned when this key was asked for first."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]


class ByShapes:
    """A compiled function with a trace for each of the last few shapes of its arguments.

    A `tf.function` keeps a trace for all that it has ever met, which is many where sets of points
    grow or shrink. What XLA compiles stays for ever; so it compiles the first shapes only.

    Args:
        function: takes and returns tensors.
        jit: whether XLA compiles it.
        signature: as `input_signature` of `tf.function`; one trace is for all that it allows.
    """

    def __init__(self, function, jit=False, signature=None):
        self._function, self._jit, self._signature = function, jit, signature
        self._kept, self._made = collections.OrderedDict(), 0

    def __call__(self, *arguments):
        """What the function returns."""
        function, is_new = self._of(arguments)
        found = function(*arguments)
        if is_new:
            self._keep(function, arguments)
        return found

    def get_concrete_function(self, *arguments):
        """Its trace for these arguments."""
        function, is_new = self._of(arguments)
        if is_new:
            return self._keep(function, arguments)
        return function.get_concrete_function(*arguments)

    def _of(self, arguments):
        """The function for these arguments, and whether it has no trace yet."""
        key = self._key(arguments)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key], False
        self._made += 1
        if self._jit and self._made > COMPILED:
            self._jit = False
            warnings.warn(
                f"the points have had {COMPILED} different numbers, for each of which XLA compiles "
                "the training anew: from now on it is left out for others. With the same numbers "
                "each time, fit is faster.",
                stacklevel=5,
            )
        options = {"autograph": False, "input_signature": self._signature, "jit_compile": self._jit}
        return without_retracing_warning(tf.function(self._function, **options)), True

    def _key(self, arguments):
        if self._signature is not None:
            return ()
        streams = tuple(getattr(argument, "streams", ()) for argument in arguments)
        return streams, *map(_shape, tf.nest.flatten(arguments))

    def _keep(self, function, arguments):
        """Keeps a function that has been traced; returns its trace."""
        concrete = function.get_concrete_function(*arguments)
        if tf.executing_eagerly():  # else it is a part of another trace
            forget_custom_gradients(concrete.graph)
        self._kept[self._key(arguments)] = function
        if len(self._kept) > SHAPES:
            self._kept.popitem(last=False)
        return concrete


def _shape(value):
    shape = getattr(value, "shape", None)
    return shape if shape is None else tuple(shape)
