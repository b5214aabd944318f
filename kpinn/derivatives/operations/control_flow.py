"""Branches and loops: the functions inside are propagated through in their place."""

import tensorflow as tf

from kpinn.derivatives.channels.full_channels import dense
from kpinn.derivatives.channels.jets import Jet, value_of
from kpinn.derivatives.graphs.walker import depending


def _if(call, condition, *inputs):
    graphs = [call.function("then_branch"), call.function("else_branch")]
    condition = value_of(condition)
    if condition.dtype != tf.bool:
        condition = tf.not_equal(condition, tf.zeros_like(condition))
    return _branches(call, graphs, inputs, lambda first, second: tf.cond(condition, first, second))


def _case(call, index, *inputs):
    names = call.attribute("branches")
    graphs = [call.named_function(function.name) for function in names]
    return _branches(call, graphs, inputs, lambda *few: tf.switch_case(value_of(index), list(few)))


def _branches(call, graphs, inputs, choose):
    """Both branches must return the same: a dense jet wherever one of them may return a jet."""
    jets = {i for i, value in enumerate(inputs) if isinstance(value, Jet)}
    positions = set().union(*(_reached(graph, jets) for graph in graphs))

    def branch(graph):
        return lambda: _flatten(call.algebra, call.walk(graph, inputs), positions)

    flat = choose(*(branch(graph) for graph in graphs))
    return _unflatten(call.algebra, flat, positions, len(call.operation.outputs))


def _while(call, *inputs):
    condition, body = call.function("cond"), call.function("body")
    carried = [i for i, t in enumerate(body.inputs) if body.outputs[i].name != t.name]
    jets = _jets_of_loop(call, body, carried, inputs)
    positions = {k for k, i in enumerate(carried) if i in jets}

    def complete(flat):
        parts = _unflatten(call.algebra, flat, positions, len(carried))
        values = dict(zip(carried, parts, strict=True))
        return [values.get(i, value) for i, value in enumerate(inputs)]

    def again(*flat):
        return value_of(call.walk(condition, complete(flat))[0])

    def step(*flat):
        outputs = call.walk(body, complete(flat))
        return _flatten(call.algebra, [outputs[i] for i in carried], positions)

    start = _flatten(call.algebra, [inputs[i] for i in carried], positions)
    flat = tf.while_loop(
        again,
        step,
        start,
        shape_invariants=_invariants(call, body, carried, positions, start),
        parallel_iterations=call.attribute("parallel_iterations"),
        maximum_iterations=_limit(call, inputs[1]),
    )
    return complete(flat)


def _limit(call, limit):
    """The most steps of a loop, which XLA has to work out beforehand; `None` for any number."""
    number = tf.get_static_value(call.operation.inputs[1])
    if number is None:  # under a persistent tape the loop is in a function that gets the number
        number = tf.get_static_value(limit)
    if number is None:
        return tf.where(limit < 0, limit.dtype.max, limit)
    return None if number < 0 else int(number)


def _jets_of_loop(call, body, carried, inputs):
    """Which variables of a loop become jets: those that depend on a jet after any iteration."""
    jets = {i for i, value in enumerate(inputs) if isinstance(value, Jet)}
    while True:
        reached = {i for i in _reached(body, jets) if i in carried} | jets
        if reached == jets:
            return jets
        jets = reached


def _invariants(call, body, carried, positions, start):
    """Shapes that may change from step to step are those that the body was traced with."""
    shapes = []
    for k, i in enumerate(carried):
        changes = body.inputs[i].shape.as_list() != call.operation.inputs[i].shape.as_list()
        count = len(call.algebra) if k in positions else 1
        given = start[len(shapes)].shape
        shapes += [body.inputs[i].shape if changes else given] * count
    return shapes


def _reached(graph, sources):
    """Positions of the float outputs (or lists) of a graph that depend on inputs `sources`."""
    names = depending(graph.get_operations(), {graph.inputs[i].name for i in sources})
    return {i for i, tensor in enumerate(graph.outputs) if tensor.name in names}


def _flatten(algebra, values, positions):
    """Tensors only: the channels of dense jets at `positions` one after the other."""
    flat = []
    for i, value in enumerate(values):
        if i in positions:
            jet = value if isinstance(value, Jet) else _constant(algebra, value)
            flat.extend(dense(jet).channels)
        else:
            flat.append(value_of(value))
    return flat


def _constant(algebra, value):
    return Jet(algebra, (value, *[None] * (len(algebra) - 1)))


def _unflatten(algebra, flat, positions, count):
    flat = iter(flat if isinstance(flat, list | tuple) else [flat])
    return [
        Jet(algebra, tuple(next(flat) for _ in range(len(algebra))))
        if i in positions
        else next(flat)
        for i in range(count)
    ]


CONTROL_FLOW = {
    "If": _if,
    "StatelessIf": _if,
    "Case": _case,
    "StatelessCase": _case,
    "While": _while,
    "StatelessWhile": _while,
}
