"""Layers whose second derivatives nested tapes get wrong.

`tf.nn.moments` computes the variance as `mean((x - stop_gradient(mean(x)))^2)`. That is neutral
for a first derivative and wrong for every derivative of it: the second derivative with respect to
the inputs, and the gradient of a first derivative with respect to the parameters. It is found in
the traced graph, so that custom layers which call `tf.nn.moments` are found too.
"""

from kpinn.derivatives.graphs.tracing import bodies_of


def stopped_moments(graph):
    """Names of the operations of a graph that stop the gradient of a mean in a variance.

    Args:
        graph: of `graph_of`; `None` has none.

    Returns:
        A tuple of names such as `"layer_normalization/moments"`, which begin with the layer's.
    """
    bodies = [] if graph is None else bodies_of(graph)
    return tuple(sorted({name for nodes in bodies for name in _stopped(nodes)}))


def _stopped(nodes):
    """Names of `StopGradient` nodes that feed a `SquaredDifference`."""
    stops = {node.name for node in nodes if node.op == "StopGradient"}
    for node in nodes:
        if node.op == "SquaredDifference":
            for source in node.input:
                if source.split(":")[0] in stops:
                    yield source.split(":")[0].rpartition("/")[0] or source
