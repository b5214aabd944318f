"""An export as a SavedModel: a folder with its manifest."""

import os
import pathlib

import tensorflow as tf

from kpinn.backend.files import written_whole
from kpinn.backend.version import __version__
from kpinn.options import is_path, shown
from kpinn.serving.folders import MANIFEST, regular_files, write_manifest
from kpinn.serving.programs import check_program

PARTS = ("fingerprint.pb", "saved_model.pb", MANIFEST)


def place(path):
    """The path of the folder; `ValueError` where something else than an export would be lost."""
    if not is_path(path):
        raise ValueError(
            f"filepath is the name of a folder of this machine, such as 'heat', not {shown(path)}."
        )
    path = pathlib.Path(os.path.realpath(path))
    if path.exists() and not path.is_dir():
        raise ValueError(f"{str(path)!r} is a file: expected the name of a folder.")
    others = [name for name in regular_files(path) if not _is_part(name)] if path.exists() else []
    if others:
        raise ValueError(
            f"{str(path)!r} holds {others[0]!r}, which is no part of an export: export into a new "
            "folder, since all of it is replaced."
        )
    return path


def _is_part(name):
    return name in PARTS or name.startswith("variables/variables.")


def write(served, signature, variables, path):
    """Writes the folder.

    Args:
        served: dict from name to `Endpoint`, which become signatures.
        signature: the `Signature` of their inputs.
        variables: all that the network and the conditions read.
        path: what `place` returned.

    Returns:
        The SHA-256 of the manifest.
    """
    functions = {
        name: (signature.function(each), signature.of(each, scalars=True))
        for name, each in served.items()
    }
    with written_whole(path, folder=True) as folder:
        save(functions, folder, variables)
        check_program(folder)
        facts = {"kpinn": __version__, "tensorflow": tf.__version__}
        return write_manifest(folder, **facts, endpoints=sorted(served))


def save(functions, folder, variables=()):
    """Writes a SavedModel without a manifest.

    Args:
        functions: dict from signature to a function from a dict of tensors to a dict of tensors,
            and the dict from its inputs to `tf.TensorSpec`.
        folder: a `pathlib.Path`.
        variables: all that the functions read.

    Raises:
        OSError: for a full disk, which is an error of TensorFlow's own otherwise.
    """
    module = tf.Module()
    module.weights = list(variables)
    module.served = {name: _traced(*each) for name, each in functions.items()}  # kept alive
    try:
        tf.saved_model.save(module, str(folder), signatures=dict(module.served))
    except tf.errors.OpError as error:
        raise OSError(f"the export could not be written: {error.message}") from error


def _traced(function, specs):
    def served(**arrays):
        return function(arrays)

    return tf.function(served, autograph=False).get_concrete_function(**specs)
