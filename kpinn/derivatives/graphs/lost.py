"""Operations whose derivatives gradient tapes take for zero, without a word.

TensorFlow has no gradient for some functions, such as `tf.numpy_function` or the first argument of
`tf.math.zeta`, and a tape then says `None`, as it does for what does not depend on the coordinates.
They are found in the traced graph by a propagation of first derivatives, which knows the
difference.
"""

import tensorflow as tf

from kpinn.derivatives.channels.algebra import algebra
from kpinn.derivatives.channels.jets import Jet
from kpinn.derivatives.channels.symbols import derivative
from kpinn.derivatives.errors import LostError, UnsupportedError
from kpinn.derivatives.graphs.interpreter import Run
from kpinn.derivatives.graphs.tracing import bodies_of
from kpinn.derivatives.graphs.walker import CALLS
from kpinn.derivatives.operations import TABLE
from kpinn.derivatives.operations.control_flow import CONTROL_FLOW


def refuse_lost(graph, points):
    """Raises `LostError` if tapes would take a derivative of a function for zero.

    Args:
        graph: that of the function `(n, d) -> (n, m)`, see `graph_of`; `None` for none.
        points: tensor `(n, d)`.
    """
    if graph is None or _all_known(graph):
        return
    size = points.shape[1]
    carrier = algebra(frozenset(frozenset(derivative([i]).items()) for i in range(size)))
    units = tf.unstack(tf.eye(size, dtype=points.dtype)[:, None])
    seeds = [units[variable] for (variable,) in carrier.pivots[1:]]
    try:
        Run(carrier, lambda report: None).start(graph, [Jet(carrier, (points, *seeds))])
    except LostError:
        raise
    except (LookupError, UnsupportedError, ValueError, tf.errors.OpError):
        return  # where the propagation ends, nothing more is known


def _all_known(graph):
    """Whether all operations have rules, as those of most networks."""
    kinds = {node.op for nodes in bodies_of(graph) for node in nodes}
    with_rule = {kind for kind, facts in TABLE.items() if facts.rule}
    return kinds <= {*with_rule, *CONTROL_FLOW, *CALLS}
