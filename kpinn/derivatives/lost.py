"""Operations whose derivatives gradient tapes take for zero, without a word.

TensorFlow has no gradient for some functions, such as `tf.numpy_function` or the first argument of
`tf.math.zeta`, and a tape then says `None`, as it does for what does not depend on the coordinates.
They are found in the traced graph by a propagation of first derivatives, which knows the
difference.
"""

import tensorflow as tf

from kpinn.derivatives.algebra import algebra, derivative
from kpinn.derivatives.control_flow import CONTROL_FLOW
from kpinn.derivatives.errors import LostError, UnsupportedError
from kpinn.derivatives.interpreter import interpret
from kpinn.derivatives.jets import Jet
from kpinn.derivatives.operations import RULES
from kpinn.derivatives.tracing import TraceError, trace

_SOURCES = ("Const", "NoOp", "Placeholder", "ReadVariableOp")


def refuse_lost(function, points):
    """Raises `LostError` if tapes would take a derivative of a function for zero.

    Args:
        function: `(n, d) -> (n, m)`.
        points: tensor `(n, d)`.
    """
    try:
        graph = trace(function, points.shape[1], points.dtype, points.shape[0]).graph
        if not _all_known(graph.as_graph_def()):
            columns = range(points.shape[1])
            carrier = algebra(frozenset(frozenset(derivative([i]).items()) for i in columns))
            units = tf.unstack(tf.eye(len(columns), dtype=points.dtype)[:, None])
            seeds = [units[pivot[0]] for pivot in carrier.pivots[1:]]
            interpret(graph, [Jet(carrier, (points, *seeds))], carrier, lambda report: None)
    except LostError:
        raise
    except (LookupError, TraceError, UnsupportedError, ValueError, tf.errors.OpError):
        return  # where the propagation ends, nothing more is known


def _all_known(graph):
    """Whether all operations have rules, as those of most networks."""
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    kinds = {node.op for nodes in bodies for node in nodes}
    return kinds <= {*RULES, *CONTROL_FLOW, *_SOURCES}
