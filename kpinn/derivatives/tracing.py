"""Functions as traced graphs."""

import weakref

import tensorflow as tf

from kpinn.derivatives.keras_private import all_layers


class TraceError(Exception):
    """A function that cannot be traced with a symbolic input."""


_traces = weakref.WeakKeyDictionary()


def trace(function, size, dtype, count=None):
    """The `ConcreteFunction` of `function: (n, size) -> (n, m)`.

    It is traced for any number of points, and if it is for a fixed number only, for `count`. That
    of a Keras layer is kept until its layers change.

    Args:
        function: what is traced; a layer is found by its attribute `_kpinn_layer`.
        size: number of columns of its input.
        dtype: dtype of its input.
        count: number of points.

    Raises:
        TraceError: from what the function raises when it is traced.
    """
    layer = getattr(function, "_kpinn_layer", None)
    if layer is None:  # what a plain function does may change from call to call
        return _trace(function, size, dtype, count)
    parts = tuple((type(part), part.name, part.dtype_policy.name) for part in all_layers(layer))
    names = str(getattr(function, "_kpinn_names", None))
    known, key = _traces.setdefault(layer, {}), (size, dtype, count, parts, names)
    if key not in known:
        with tf.init_scope():  # a trace that outlives the graph that is being built
            known[key] = _trace(function, size, dtype, count)
    return known[key]


def _trace(function, size, dtype, count):
    def call(points):
        return function(points)

    traced = tf.function(call, autograph=False)
    try:
        return traced.get_concrete_function(tf.TensorSpec((None, size), dtype))
    except Exception as error:  # noqa: BLE001  an error of the user's comes again when it is called
        if count is None:
            raise _error(error) from error
    try:
        return traced.get_concrete_function(tf.TensorSpec((count, size), dtype))
    except Exception as error:  # noqa: BLE001
        raise _error(error) from error


def _error(error):
    return TraceError(f"the function cannot be traced ({type(error).__name__}: {error})")
