"""Methods that see no operations, tapes and differences, and what they would get wrong."""

import tensorflow as tf

from kpinn.derivatives.channels.channels_per_point import channels_only
from kpinn.derivatives.errors import refuse_complex_output
from kpinn.derivatives.graphs.accumulators import refuse_accumulator
from kpinn.derivatives.graphs.lost import refuse_lost
from kpinn.derivatives.graphs.python_calls import refuse_python
from kpinn.derivatives.graphs.random_numbers import refuse_random
from kpinn.derivatives.graphs.stop_gradient import stopped_moments
from kpinn.derivatives.graphs.tracing import trace_or_none
from kpinn.derivatives.methods.finite_difference import FiniteDifference, finite_difference
from kpinn.derivatives.methods.forward import forward
from kpinn.derivatives.methods.reverse import reverse
from kpinn.derivatives.names.requests import partials
from kpinn.derivatives.per_point.independence import refuse_together
from kpinn.derivatives.readout import read_out


def black_box(function, points, requests, directions, method, context):
    """Values of requests by `"reverse"`, `"forward"` or a `FiniteDifference`; see `evaluate`."""
    space = context.space
    function = _Checked(function, space)
    wanted = {key for request in requests for key in partials(request, space)}
    order = max(len(axes) for _, axes in wanted)
    stopped = _refuse_wrong(function.function, points, order, method)
    if isinstance(method, FiniteDifference):
        values = finite_difference(function, points, wanted, directions, method, context)
    else:
        by_tapes = {"reverse": reverse, "forward": forward}[method]
        values = by_tapes(function, points, wanted, directions)
        if stopped:
            values = {key: _prevent(value, key, stopped, method) for key, value in values.items()}
    return {request.name: read_out(request, space, values) for request in requests}


class _Checked:
    """A function with its output checked against the fields."""

    def __init__(self, function, space):
        self.function, self.space = function, space

    def __call__(self, points):
        with channels_only():
            outputs = tf.convert_to_tensor(self.function(points))
        refuse_complex_output(outputs)
        self.space.check_output(outputs.shape, points.shape)
        return outputs


def _refuse_wrong(function, points, order, method):
    """Raises for derivatives that a method gets wrong; returns the names of stopped moments."""
    traced = trace_or_none(function, points.shape[1], points.dtype, points.shape[0])
    if traced is not None:
        refuse_complex_output(traced.graph.outputs[0])
    refuse_together(function, traced, points)
    if order == 0:
        return ()
    graph = None if traced is None else traced.graph
    differences = isinstance(method, FiniteDifference)
    if graph is None and not differences and tf.executing_eagerly():
        spec = tf.TensorSpec(points.shape, points.dtype)
        refuse_python("the function", function, [spec], [True], eager=True, values=[points])
    if differences:
        refuse_random(graph)
        return ()
    if method == "forward":
        refuse_accumulator(graph)
    refuse_lost(graph, points)
    stopped = stopped_moments(graph)
    if stopped and order > 1:
        raise ValueError(stopped_message(stopped, method, f"derivatives of order {order}"))
    return stopped


def stopped_message(stopped, method, what):
    """What to tell a user whose network has a variance with a stopped gradient."""
    return (
        f"{', '.join(map(repr, stopped))} computes a variance by tf.nn.moments, which stops the "
        f"gradient of the mean, so that {what} by method={method!r} would be wrong. Layers such "
        "as LayerNormalization and GroupNormalization do that. Use method='finite_difference', "
        "or a network without the layer."
    )


def _prevent(value, key, stopped, method):
    """First derivatives are right, but their gradient would be wrong: it raises `LookupError`."""
    if not key[1]:
        return value
    message = stopped_message(stopped, method, "the gradient of a first derivative")
    return tf.raw_ops.PreventGradient(input=value, message=message)
