"""Layers whose second derivatives nested tapes get wrong.

`tf.nn.moments` computes the variance as `mean((x - stop_gradient(mean(x)))^2)`. That is neutral
for a first derivative and wrong for every derivative of it: the second derivative with respect to
the inputs, and the gradient of a first derivative with respect to the parameters. It is found in
the traced graph, so that custom layers which call `tf.nn.moments` are found too.
"""

from kpinn.derivatives.tracing import TraceError, trace


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
    try:
        graph = trace(function, size, dtype, count).graph.as_graph_def()
    except TraceError:
        return ()
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    return tuple(sorted({name for nodes in bodies for name in _stopped(nodes)}))


def _stopped(nodes):
    """Names of `StopGradient` nodes that feed a `SquaredDifference`."""
    stops = {node.name for node in nodes if node.op == "StopGradient"}
    for node in nodes:
        if node.op == "SquaredDifference":
            for source in node.input:
                if source.split(":")[0] in stops:
                    yield source.split(":")[0].rpartition("/")[0] or source
