"""Derivatives that a function takes by forward accumulators of its own."""

from kpinn.derivatives.graphs.tracing import bodies_of
from kpinn.derivatives.tensorflow_private import made_by_accumulator


def refuse_accumulator(graph):
    """Raises `ValueError` for a function that must not get another accumulator around it.

    Args:
        graph: that of the function, or `None` for none.
    """
    nodes = () if graph is None else [node for body in bodies_of(graph) for node in body]
    for node in nodes:
        if made_by_accumulator(node):
            raise ValueError(
                "the function takes a derivative by a tf.autodiff.ForwardAccumulator, as "
                f"keras.ops.jvp does ({node.name!r}), and method='forward' would put another one "
                "around it: what TensorFlow says of two of them is wrong. Use method='taylor' or "
                "'reverse'."
            )
