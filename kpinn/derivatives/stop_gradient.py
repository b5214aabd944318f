"""Layers whose second derivatives nested tapes get wrong.

`tf.nn.moments` computes the variance as `mean((x - stop_gradient(mean(x)))^2)`. That is neutral
for a first derivative and wrong for every derivative of it: the second derivative with respect to
the inputs, and the gradient of a first derivative with respect to the parameters. It is found in
the traced graph, so that custom layers which call `tf.nn.moments` are found too.
"""

import weakref

import tensorflow as tf

from kpinn.derivatives.keras_private import all_layers

_found = weakref.WeakKeyDictionary()


def stopped_moments(function, size, dtype, count=None):
    """Names of the operations of `function` that stop the gradient of a mean in a variance.

    Args:
        function: `(n, size) -> (n, m)`.
        size: number of columns of its input.
        dtype: dtype of its input.
        count: number of points, for a function that can be traced with a fixed number only.

    Returns:
        A tuple of names such as `"layer_normalization/moments"`, which begin with the layer's;
        empty for a function that cannot be traced with a symbolic input.
    """
    layer = getattr(function, "_kpinn_layer", None)
    if layer is None:  # what a plain function does may change from call to call
        return _find(function, size, dtype, count)
    parts = tuple((type(part), part.name) for part in all_layers(layer))
    known, key = _found.setdefault(layer, {}), (size, dtype, count, parts)
    if key not in known:
        known[key] = _find(function, size, dtype, count)
    return known[key]


def _find(function, size, dtype, count):
    graph = _trace(function, (None, size), dtype) or _trace(function, (count, size), dtype)
    if graph is None:
        return ()
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    return tuple(sorted({name for nodes in bodies for name in _stopped(nodes)}))


def _trace(function, shape, dtype):
    def call(points):
        return function(points)

    try:
        traced = tf.function(call, autograph=False).get_concrete_function(
            tf.TensorSpec(shape, dtype)
        )
    except Exception:  # noqa: BLE001  any error of the user's function comes again when it is called
        return None
    return traced.graph.as_graph_def()


def _stopped(nodes):
    """Names of `StopGradient` nodes that feed a `SquaredDifference`."""
    stops = {node.name for node in nodes if node.op == "StopGradient"}
    for node in nodes:
        if node.op == "SquaredDifference":
            for source in node.input:
                if source.split(":")[0] in stops:
                    yield source.split(":")[0].rpartition("/")[0] or source
