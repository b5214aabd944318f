"""The one place where compiled functions are kept."""

import tensorflow as tf


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
        options = {"autograph": False, "input_signature": signature, "jit_compile": jit}
        return self.once(key, lambda: tf.function(function, **options))

    def once(self, key, make):
        """What `make()` returned when this key was asked for first."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]
