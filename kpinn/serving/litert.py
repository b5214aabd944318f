"""An export as a LiteRT (TensorFlow Lite) model, with a signature for each endpoint."""

import pathlib
import re
import tempfile

import tensorflow as tf

from kpinn.serving import one_file
from kpinn.serving.saved_model import save
from kpinn.serving.substitutes import without_rare_operations


def place(path):
    """The path of the file; `ValueError` for a name that does not end with .tflite."""
    _interpreter()
    return one_file.place(path, ".tflite")


def _interpreter():
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ImportError(
            f"format='litert' needs ai-edge-litert: pip install 'kpinn[export]' ({error})."
        ) from error
    return Interpreter


def write(served, signature, variables, path):
    """Writes the file, after the interpreter has given the numbers of the model.

    Args:
        served: dict from name to `Endpoint`, which become signatures.
        signature: the `Signature` of their inputs.
        variables: not used: they become constants.
        path: what `place` returned.

    Returns:
        The SHA-256 of the file.
    """
    if signature.dtype != tf.float32:
        raise ValueError(
            f"format='litert' computes in float32, and this model in {signature.dtype.name}: make "
            "the same PINN with a network in float32, give it the weights by set_weights, and "
            "export that, or take format='onnx' or 'tf_saved_model'. Nothing was written."
        )
    functions = {name: signature.traced(endpoint) for name, endpoint in served.items()}
    content = _translated(functions)
    interpreter = _interpreter()(model_content=content, num_threads=1)
    for name, (function, specs) in functions.items():
        run = interpreter.get_signature_runner(name)
        one_file.check_numbers(f"LiteRT ({name})", function, lambda a, run=run: run(**a), specs)
    return one_file.write(content, path)


def _translated(functions):
    """The bytes of the model."""
    portable = {n: (without_rare_operations(*each), each[1]) for n, each in functions.items()}
    with tempfile.TemporaryDirectory(prefix="kpinn-") as private:
        save(portable, pathlib.Path(private))
        converter = tf.lite.TFLiteConverter.from_saved_model(private)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            return converter.convert()
        except Exception as error:  # its own class, which has no public name
            lacking = sorted(set(re.findall(r"'tf\.(\w+)' op is neither", str(error))))
            what = f"the operation {', '.join(lacking)}" if lacking else f"this model: {error}"
            raise ValueError(
                f"format='litert' cannot express {what}. Write it in terms of others, choose "
                "another method for the derivatives, or take format='onnx' or 'tf_saved_model', "
                "which has all operations. Nothing was written."
            ) from error
