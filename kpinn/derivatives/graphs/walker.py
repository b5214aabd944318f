"""The one walk through a traced graph; what is done with its operations is an interpretation.

The interpreter issues them again on jets, the proof that points keep apart carries labels from one
to the next, the checks of what mixes points only ask what depends on the points.
"""

import tensorflow as tf

from kpinn.derivatives.tensorflow_private import function_graph

CALLS = ("PartitionedCall", "StatefulPartitionedCall")


def walk(graph, values, interpretation, outputs=None):
    """The outputs of a graph as an interpretation has them.

    Functions that are called are walked through in their place.

    Args:
        graph: the graph of a `ConcreteFunction`.
        values: dict from the names of placeholders, and of other tensors that are not to be
            computed, to what stands for them; it is filled with all that is found.
        interpretation: `(operation, inputs) -> outputs`, lists of what stands for tensors; `None`
            for what is not in `values`.
        outputs: the tensors in question; by default the outputs of the graph.

    Returns:
        A list of what stands for the outputs.
    """
    for operation in needed_operations(graph, outputs):
        if operation.outputs and operation.outputs[0].name in values:
            continue
        inputs = [values.get(tensor.name) for tensor in operation.inputs]
        if operation.type in CALLS:
            called = function_graph(graph, operation.get_attr("f").name)
            found = _called(called, inputs, interpretation)
        else:
            found = interpretation(operation, inputs)
        # TensorFlow appends to the outputs of a function that it has differentiated.
        values.update(zip((tensor.name for tensor in operation.outputs), found, strict=False))
    return [values.get(tensor.name) for tensor in (graph.outputs if outputs is None else outputs)]


def _called(graph, inputs, interpretation):
    names = [tensor.name for tensor in graph.inputs]
    return walk(graph, dict(zip(names, inputs, strict=True)), interpretation)


def needed_operations(graph, outputs=None):
    """The operations that tensors depend on, each after those that it depends on.

    By default these are the outputs and the effects that must happen. Their order is that of the
    graph, but for one that holds a loop that was differentiated: TensorFlow adds inputs to it.
    """
    starts = [tensor.op for tensor in (graph.outputs if outputs is None else outputs)]
    starts += list(graph.control_outputs) if outputs is None else []
    found, seen, waiting = [], set(), [(operation, False) for operation in reversed(starts)]
    while waiting:
        operation, is_ready = waiting.pop()
        if is_ready:
            found.append(operation)
        elif operation.name not in seen:
            seen.add(operation.name)
            before = [*(tensor.op for tensor in operation.inputs), *operation.control_inputs]
            waiting.append((operation, True))
            waiting.extend((each, False) for each in reversed(before))
    places = {operation.name: i for i, operation in enumerate(graph.get_operations())}
    in_order = all(places[t.op.name] < places[o.name] for o in found for t in o.inputs)
    found = sorted(found, key=lambda operation: places[operation.name]) if in_order else found
    return [operation for operation in found if operation.type not in ("Placeholder", "NoOp")]


def depending(operations, names):
    """The names of tensors, and of all real numbers and lists of tensors that depend on them."""
    names = set(names)
    for operation in operations:
        if any(tensor.name in names for tensor in operation.inputs):
            carrying = [
                t for t in operation.outputs if t.dtype.is_floating or t.dtype == tf.variant
            ]
            names |= {tensor.name for tensor in carrying}
    return names
