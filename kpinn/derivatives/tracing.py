"""Functions as traced graphs."""

import weakref

import tensorflow as tf

from kpinn.derivatives.keras_private import all_layers, in_stateless_scope


class TraceError(Exception):
    """A function that cannot be traced with a symbolic input."""


_traces = weakref.WeakKeyDictionary()


def trace(function, size, dtype, count=None, exactly=False):
    """The `ConcreteFunction` of `function: (n, size) -> (n, m)`.

    It is traced for any number of points, and if it is for a fixed number only, for `count`. That
    of a Keras layer is kept until its layers change.

    Args:
        function: what is traced; a layer is found by its attribute `_kpinn_layer`.
        size: number of columns of its input.
        dtype: dtype of its input.
        count: number of points.
        exactly: whether to trace for that number only.

    Raises:
        TraceError: from what the function raises when it is traced.
    """
    layer = getattr(function, "_kpinn_layer", None)
    if layer is None or in_stateless_scope():  # it may do something else at its next call
        return _trace(function, size, dtype, count, exactly)
    parts = tuple((type(part), part.name, part.dtype_policy.name) for part in all_layers(layer))
    names = str(getattr(function, "_kpinn_names", None))
    known, key = _traces.setdefault(layer, {}), (size, dtype, count, exactly, parts, names)
    if key not in known:
        # Not in tf.init_scope, which would stop the tapes inside of the layer.
        traced = _trace(function, size, dtype, count, exactly)
        if any(tf.is_symbolic_tensor(tensor) for tensor in traced.captured_inputs):
            return traced  # it belongs to the graph that is being built
        known[key] = traced
    return known[key]


def _trace(function, size, dtype, count, exactly):
    def call(points):
        return function(points)

    traced = tf.function(call, autograph=False)
    counts = [count] if exactly else [None, count]
    for number in counts:
        try:
            return traced.get_concrete_function(tf.TensorSpec((number, size), dtype))
        except Exception as error:  # noqa: BLE001  the user's comes again when it is called
            if number == counts[-1]:
                raise _error(error) from error
    return None


def _error(error):
    return TraceError(f"the function cannot be traced ({type(error).__name__}: {error})")
