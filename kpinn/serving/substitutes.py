"""Operations that ONNX and LiteRT lack, in terms of those that they have: one line each."""

import tensorflow as tf

from kpinn.serving.tensorflow_private import frozen

SELU = 1.7580993408473766, 1.0507009873554805  # alpha times scale, and scale


def _softplus(x):
    return tf.maximum(x, 0) + tf.math.log(1 + tf.exp(-tf.abs(x)))


def _elu(x, below=1, above=1):
    return tf.where(x > 0, above * x, below * (tf.exp(tf.minimum(x, 0)) - 1))


SUBSTITUTES = {  # operation: function of its inputs, equal to it up to rounding
    "Asinh": lambda x: tf.sign(x) * tf.math.log(tf.abs(x) + tf.sqrt(x * x + 1)),
    "Cosh": lambda x: (tf.exp(x) + tf.exp(-x)) / 2,
    "Elu": _elu,
    "EluGrad": lambda dy, y: dy * tf.where(y > 0, tf.ones_like(y), y + 1),
    "Erfc": lambda x: 1 - tf.math.erf(x),
    "ReciprocalGrad": lambda y, dy: -dy * y * y,
    "ReluGrad": lambda dy, x: tf.where(x > 0, dy, tf.zeros_like(dy)),
    "RsqrtGrad": lambda y, dy: -dy * y * y * y / 2,
    "Selu": lambda x: _elu(x, *SELU),
    "SeluGrad": lambda dy, y: dy * tf.where(y > 0, SELU[1] * tf.ones_like(y), y + SELU[0]),
    "SigmoidGrad": lambda y, dy: dy * y * (1 - y),
    "Sinh": lambda x: (tf.exp(x) - tf.exp(-x)) / 2,
    "Softplus": _softplus,
    "SoftplusGrad": lambda dy, x: dy * tf.sigmoid(x),
    "Softsign": lambda x: x / (1 + tf.abs(x)),
    "SoftsignGrad": lambda dy, x: dy / (1 + tf.abs(x)) ** 2,
    "SqrtGrad": lambda y, dy: dy / (2 * y),
    "Tan": lambda x: tf.sin(x) / tf.cos(x),
    "TanhGrad": lambda y, dy: dy * (1 - y * y),
}


def _substitute(operation):
    """A function of the inputs of an operation, or `None` to keep it."""
    if operation.type == "StridedSliceGrad":
        return _gradient_of_columns(operation)
    return SUBSTITUTES.get(operation.type)


def _gradient_of_columns(operation):
    """Zeros on both sides, for the gradient of `x[:, i:j]`; `None` for another slice."""
    shape, begin, _, strides, upstream = operation.inputs
    names = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    starts, ends, *others = map(operation.get_attr, names)
    begin, strides = (tf.get_static_value(each) for each in (begin, strides))
    of_columns = starts & ends & 1 and not any(others) and upstream.shape.rank == 2
    if not of_columns or shape.op.type != "Shape" or begin is None or list(strides) != [1, 1]:
        return None
    whole, part = shape.op.inputs[0].shape[1], upstream.shape[1]
    first = 0 if starts & 2 else int(begin[1])
    if whole is None or part is None or first < 0:
        return None
    return lambda *inputs: tf.pad(inputs[-1], [[0, 0], [first, whole - first - part]])


def without_rare_operations(function, specs):
    """A function whose variables are constants, and which has no operation that is named above.

    Args:
        function: from a dict of tensors to a dict of tensors.
        specs: dict from its inputs to `tf.TensorSpec`.

    Returns:
        A function likewise.
    """
    names, outputs = list(specs), []

    def listed(*values):
        found = function(dict(zip(names, values, strict=True)))
        outputs[:] = found
        return list(found.values())

    traced = tf.function(listed, autograph=False).get_concrete_function(*specs.values())
    graph = frozen(traced)
    definition = _substituted(graph.graph)
    ends = [tensor.name for tensor in graph.outputs]

    def call(arrays):
        given = {tensor.name: arrays[n] for tensor, n in zip(graph.inputs, names, strict=True)}
        found = tf.graph_util.import_graph_def(definition, given, ends, name="")
        return dict(zip(outputs, found, strict=True))

    return call


def _substituted(graph):
    """The definition of a graph with other nodes in the place of operations that are lacking."""
    source, definition = graph.as_graph_def(), tf.compat.v1.GraphDef()
    definition.versions.CopyFrom(source.versions)
    definition.library.CopyFrom(source.library)
    for node in source.node:
        node.attr.pop("_gradient_op_type", None)  # nothing is differentiated any more
        operation = graph.get_operation_by_name(node.name)
        known = _substitute(operation)
        definition.node.extend([node] if known is None else _body(node, known, operation.inputs))
    return definition


def _body(node, function, inputs):
    """The nodes of a function in the place of one, whose name the last of them has."""
    with tf.Graph().as_default() as graph:
        outer = [
            tf.compat.v1.placeholder(each.dtype, each.shape, f"input{i}")
            for i, each in enumerate(inputs)
        ]
        tf.identity(function(*outer), name="output")
    renamed = {f"input{i}": name for i, name in enumerate(node.input) if name[0] != "^"}
    nodes = [each for each in graph.as_graph_def().node if each.op != "Placeholder"]
    for each in nodes:
        renamed[each.name] = node.name if each.name == "output" else f"{node.name}/{each.name}"
    for each in nodes:
        each.name = renamed[each.name]
        each.input[:] = [renamed[name.partition(":")[0]] for name in each.input]
    return nodes
