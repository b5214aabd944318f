"""An export as an ONNX graph: one set of inputs, everything by name out."""

import contextlib
import logging

import tensorflow as tf

from kpinn.backend.version import __version__
from kpinn.serving import one_file
from kpinn.serving.endpoints import Endpoint
from kpinn.serving.substitutes import without_rare_operations


def place(path):
    """The path of the file; `ValueError` for a name that does not end with .onnx."""
    _packages()
    return one_file.place(path, ".onnx")


def _packages():
    try:
        import onnx
        import onnxruntime
        import tf2onnx
    except ImportError as error:
        raise ImportError(
            f"format='onnx' needs tf2onnx and onnxruntime: pip install 'kpinn[export]' ({error})."
        ) from error
    return onnx, onnxruntime, tf2onnx


def write(served, signature, variables, path):
    """Writes the file, after ONNX Runtime has given the numbers of the model.

    Args:
        served: dict from name to `Endpoint`.
        signature: the `Signature` of the inputs.
        variables: not used: they become constants.
        path: what `place` returned.

    Returns:
        The SHA-256 of the file.
    """
    onnx, _, _ = _packages()
    endpoint, left_out = together(served, signature)
    function, specs = signature.traced(endpoint)
    model = _translated(function, specs)
    _refuse_unknown_operations(model)
    onnx.helper.set_model_props(model, {"kpinn": __version__, "left_out": ", ".join(left_out)})
    content = model.SerializeToString()
    one_file.check_numbers("ONNX Runtime", function, _runner(content, signature.dtype), specs)
    return one_file.write(content, path)


def together(served, signature):
    """All endpoints as one, and the names of those that are left out.

    A graph needs all of its inputs in each call. They are the coordinates, the directions of the
    derivatives that are exported, and what the signature has; a condition that needs further
    arrays is left out.

    Args:
        served: dict from name to `Endpoint`.
        signature: the `Signature`.

    Returns:
        An `Endpoint`, whose outputs are fields, derivatives and `residual_<condition>`, and a list.
    """
    for name in served:
        if name in signature.space.fields:
            raise ValueError(
                f"the field {name!r} is called as the residual of a condition: rename it."
            )
    arrays = dict(served["derivatives"].arrays) if "derivatives" in served else {}
    for endpoint in served.values():
        arrays |= {n: size for n, size in endpoint.arrays.items() if n in signature.given}
    chosen = {n: each for n, each in served.items() if each.arrays.keys() <= arrays.keys()}

    def function(values):
        found = {}
        for name, endpoint in chosen.items():
            for output, value in endpoint.function(values).items():
                found[name if name.startswith("residual_") else output] = value
        return found

    return Endpoint(function, arrays), [name for name in served if name not in chosen]


def _translated(function, specs):
    """The message of an ONNX model."""
    _, _, tf2onnx = _packages()
    call = without_rare_operations(function, specs)

    def served(*values):
        return call(dict(zip(specs, values, strict=True)))

    with _quiet("tf2onnx"):
        traced = tf.function(served, autograph=False)
        model, _ = tf2onnx.convert.from_function(traced, list(specs.values()))
    return model


@contextlib.contextmanager
def _quiet(name):
    """A block in which a package logs nothing: what it cannot translate is looked for after it."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def _refuse_unknown_operations(model):
    onnx, _, _ = _packages()
    for node in model.graph.node:
        if not onnx.defs.has(node.op_type, node.domain):
            raise ValueError(
                f"format='onnx' cannot express the operation {node.op_type} ({node.name!r}). Write "
                "it in terms of others, choose another method for the derivatives, or take "
                "format='tf_saved_model', which has all operations. Nothing was written."
            )


def _runner(content, dtype):
    """A function from arrays to outputs, by name; `ValueError` if ONNX Runtime cannot run it."""
    _, onnxruntime, _ = _packages()
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    try:
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    except Exception as error:  # its own classes, which have no public name
        raise ValueError(
            f"ONNX Runtime cannot run the export in {dtype.name}: {error}. Write that operation in "
            "terms of others, or take format='tf_saved_model'. Nothing was written."
        ) from error
    names = [each.name for each in session.get_outputs()]
    inputs = [each.name for each in session.get_inputs()]

    def run(arrays):
        given = {name: arrays[name] for name in inputs}
        return dict(zip(names, session.run(names, given), strict=True))

    return run
