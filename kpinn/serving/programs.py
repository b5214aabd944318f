"""A SavedModel, read as data: whether it does nothing but compute with numbers in memory."""

import math

import tensorflow as tf

from kpinn.serving.operations import ALLOWED, ALLOWED_IN_SAVER, CONSOLE
from kpinn.serving.tensorflow_private import parse_saved_model

LARGEST_PROGRAM = 2**27  # bytes
MOST_NODES = 300_000
MOST_CONSTANTS = 2**28  # bytes
OBJECTS = (
    "bare_concrete_function",
    "captured_tensor",
    "constant",
    "function",
    "user_object",
    "variable",
)
CLASSES = (  # of user objects; TensorFlow makes objects of any other that is registered with it
    "_generic_user_object",
    "signature_map",
    "trackable_dict_wrapper",
    "trackable_list_wrapper",
    "trackable_tuple_wrapper",
)
SAVER = ("SaveV2", "RestoreV2")  # whose first input is the path


def check_program(folder):
    """Raises `ValueError` unless the SavedModel of a folder computes in memory only.

    Every operation of every function is one of `kpinn.serving.operations`, those that save and
    restore variables are called by nothing but TensorFlow's own saver, the variables are as large
    as the stored ones, and nothing else is loaded: no tables, no assets, no classes.

    Args:
        folder: a `pathlib.Path`, whose files do not change meanwhile.
    """
    path = folder / "saved_model.pb"
    if not path.is_file() or path.stat().st_size > LARGEST_PROGRAM:
        raise ValueError(f"{path.name} is missing, or larger than {LARGEST_PROGRAM} bytes.")
    model = parse_saved_model(path.read_bytes())
    if len(model.meta_graphs) != 1 or not model.meta_graphs[0].HasField("object_graph_def"):
        raise ValueError(f"{path.name} is none that pinn.export writes: it has no single program.")
    (graph,) = model.meta_graphs
    _check_objects(graph)
    _check_operations(graph)
    _check_variables(graph.object_graph_def, folder / "variables")


def _check_objects(graph):
    nodes = graph.object_graph_def.nodes
    if len(nodes) > MOST_NODES:
        raise ValueError(f"the export has more than {MOST_NODES} objects.")
    if graph.asset_file_def:
        raise ValueError(f"the export reads the file {graph.asset_file_def[0].filename!r}.")
    for node in nodes:
        kind, name = node.WhichOneof("kind"), node.registered_name or node.registered_saver
        name = "" if (kind, name) == ("constant", "tf.TrackableConstant") else name
        if kind == "user_object" and node.user_object.identifier not in CLASSES:
            name = node.user_object.identifier
        if name or kind not in OBJECTS or node.HasField("serialized_user_proto"):
            raise ValueError(
                f"the export has an object of the kind {name or kind!r}: expected functions and "
                "variables."
            )


# Operations ---------------------------------------------------------------------------------


def _check_operations(graph):
    functions = {f.signature.name: f.node_def for f in graph.graph_def.library.function}
    outer = graph.graph_def.node
    if len(outer) + sum(map(len, functions.values())) > MOST_NODES:
        raise ValueError(f"the export has more than {MOST_NODES} operations.")
    saver = _of_saver(graph, functions)
    constants = _check_nodes("the program", outer, functions, ALLOWED)
    for name, nodes in functions.items():
        allowed = ALLOWED_IN_SAVER if name in saver else ALLOWED
        constants += _check_nodes(name, nodes, functions, allowed)
    if constants > MOST_CONSTANTS:
        raise ValueError(f"the export has constants of {constants} bytes.")


def _of_saver(graph, functions):
    """Names of functions that nothing but the operations of the saver calls."""
    ends = graph.saver_def.save_tensor_name.partition(":")[0], graph.saver_def.restore_op_name
    own = [node for node in graph.graph_def.node if node.name in ends]
    others = [node for node in graph.graph_def.node if node.name not in ends]
    served = _called(others, functions)
    pending = [*graph.object_graph_def.concrete_functions]
    pending += [each.gradient_func for each in graph.graph_def.library.gradient]
    pending += [each.gradient_func for each in graph.graph_def.library.registered_gradients]
    for name in pending:
        served |= {name} | _called(functions.get(name, ()), functions)
    return _called(own, functions) - served


def _called(nodes, functions):
    """Names of the functions that nodes call, and of those that these call."""
    found, waiting = set(), [nodes]
    while waiting:
        for node in waiting.pop():
            for name in _named(node, functions) - found:
                found.add(name)
                waiting.append(functions.get(name, ()))
    return found


def _named(node, functions):
    names = {node.op} if node.op in functions else set()
    for value in node.attr.values():
        if value.HasField("func"):
            names.add(value.func.name)
        names |= {each.name for each in value.list.func}
    return names


def _check_nodes(where, nodes, functions, allowed):
    """Refuses what is not allowed; returns the bytes of the constants."""
    bytes_of_constants, by_name = 0, {node.name: node for node in nodes}
    for node in nodes:
        if node.op not in allowed and node.op not in functions:
            raise ValueError(_refusal(node.op, node.name, where))
        if node.op == "PrintV2" and node.attr["output_stream"].s not in CONSOLE:
            raise ValueError(_refusal("PrintV2 into a file", node.name, where))
        if node.op in SAVER and by_name.get(_source(node), node).op == "Const":
            raise ValueError(_refusal(f"{node.op} of a fixed path", node.name, where))
        for name in _named(node, functions) - functions.keys():
            raise ValueError(f"{node.name!r} in {where!r} calls {name!r}, which is not there.")
        if node.op == "Const":
            tensor = node.attr["value"].tensor
            bytes_of_constants += _bytes([d.size for d in tensor.tensor_shape.dim], tensor.dtype)
    return bytes_of_constants


def _source(node):
    return node.input[0].partition(":")[0] if node.input else ""


def _refusal(operation, name, where):
    return (
        f"the operation {operation} ({name!r} in {where!r}) is none of those that only compute "
        "with numbers in memory, so that kpinn.load_export does not load it. Operations that call "
        "Python (tf.py_function, tf.numpy_function), read or write files, or look up tables have "
        "no place in an export: write it in terms of keras.ops or tf.math. The list is "
        "kpinn/serving/operations.py."
    )


# Variables ----------------------------------------------------------------------------------


def _check_variables(objects, folder):
    """The stored tensors and the variables take no more bytes than the files have."""
    files = [each.name for each in folder.iterdir()] if folder.is_dir() else []
    for name in files:
        if name != "variables.index" and not name.startswith("variables.data-"):
            raise ValueError(f"variables has {name!r}: expected variables.index and its data.")
    stored = sum((folder / name).stat().st_size for name in files if "data" in name)
    declared = [_variable_bytes(n.variable) for n in objects.nodes if n.HasField("variable")]
    if "variables.index" in files:
        try:
            reader = tf.train.load_checkpoint(str(folder / "variables"))
            dtypes = reader.get_variable_to_dtype_map()
            shapes = reader.get_variable_to_shape_map()
        except (tf.errors.OpError, RuntimeError, ValueError, IndexError) as error:
            raise ValueError(f"variables.index cannot be read: {error}") from error
        tensors = [_bytes(shape, dtypes[name].as_datatype_enum) for name, shape in shapes.items()]
    else:
        tensors = []
    for what, total in (("variables", sum(declared)), ("stored tensors", sum(tensors))):
        if total > stored:
            raise ValueError(f"the export has {what} of {total} bytes, and {stored} bytes of data.")


def _variable_bytes(variable):
    return _bytes([dim.size for dim in variable.shape.dim], variable.dtype)


def _bytes(shape, dtype):
    """Bytes of a tensor; of one with strings or an unknown size, those that are sure."""
    try:
        size = tf.dtypes.as_dtype(dtype).size
    except (TypeError, ValueError, KeyError):
        size = 1
    return math.prod(max(int(each), 0) for each in shape) * max(size, 1)
