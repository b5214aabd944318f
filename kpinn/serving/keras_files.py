"""`.keras` files, looked at before they are loaded."""

import io
import json
import os
import pathlib
import tempfile
import zipfile

import h5py
import keras

from kpinn.options import is_path
from kpinn.options.configs import check_tree, entries_of
from kpinn.serving import limits
from kpinn.serving.weight_files import check_h5, faults_of

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MEMBERS = {CONFIG, "metadata.json", WEIGHTS}
LARGEST_CONFIG = 2**26  # bytes
EXPANSION, SLACK = 100, 2**20  # bytes of a member for each that is stored
MEMORY = 2**31  # bytes


def load_model(path, custom_objects=None, compile=True, memory=MEMORY):
    """A model from a `.keras` file, by `keras.saving.load_model` after the file was looked at.

    It is for files from elsewhere. Keras runs no code of a file, and so does `kpinn.PINN` when
    Keras loads it; what is added here is that the archive is checked as a whole, before Keras reads
    it: its members, what they unpack to, every class, function and number of the config, and the
    structure of the weights.

    Args:
        path: the file.
        custom_objects: as in Keras.
        compile: as in Keras.
        memory: most bytes of the file, of the weights and of the state of the optimizer.

    Returns:
        The model.

    Raises:
        ValueError: for any other file than one that Keras has written for a model of kpinn, or of
            layers of Keras that compute.

    Example:

        pinn = kpinn.load_model("heat.keras")
    """
    if not isinstance(path, str | os.PathLike) or not os.path.isfile(path):
        raise ValueError(f"path is the name of a .keras file, not {path!r}.")
    if os.path.getsize(path) > memory:
        raise ValueError(f"{str(path)!r} has more than memory={memory} bytes.")
    content = pathlib.Path(path).read_bytes()
    try:
        check_archive(io.BytesIO(content), memory)
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is not loaded: {error}") from error
    with tempfile.TemporaryDirectory(prefix="kpinn-") as folder:
        copy = pathlib.Path(folder) / "model.keras"  # what was checked, whatever becomes of path
        copy.write_bytes(content)
        with limits.memory(memory), limits.limited_variables(memory):
            return keras.saving.load_model(copy, custom_objects=custom_objects, compile=compile)


def check_archive(file, memory=MEMORY):
    """Raises `ValueError` for a `.keras` archive that is not what Keras writes.

    Args:
        file: an open binary file.
        memory: most bytes that its members unpack to.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            _check_members(archive, memory)
            _check_config(archive.read(CONFIG))
            with faults_of(WEIGHTS), h5py.File(io.BytesIO(archive.read(WEIGHTS)), "r") as weights:
                check_h5(weights)
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, RuntimeError) as error:
        raise ValueError(f"it is no archive that Keras writes: {error}") from error


def _check_members(archive, memory):
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(set(names)) < len(names) or set(names) - MEMBERS or not {CONFIG, WEIGHTS} <= set(names):
        raise ValueError(f"it has the members {sorted(names)[:10]}: expected {sorted(MEMBERS)}.")
    for member in members:
        if member.file_size > EXPANSION * member.compress_size + SLACK:
            raise ValueError(
                f"{member.filename!r} unpacks to {member.file_size} bytes from "
                f"{member.compress_size}."
            )
        most = LARGEST_CONFIG if member.filename == CONFIG else memory
        if member.file_size > most:
            raise ValueError(f"{member.filename!r} has {member.file_size} bytes, more than {most}.")


def _check_config(text):
    try:
        config = json.loads(text)
    except RecursionError as error:
        raise ValueError("its config is nested too deeply.") from error
    entries_of(config)
    check_tree(config)


def check_name(path, zipped=None):
    """Raises `ValueError` for a name that `PINN.save` does not write to."""
    if not is_path(path):
        raise ValueError(f"filepath is the name of a file, such as 'heat.keras', not {path!r}.")
    if zipped is not False and not str(path).endswith(".keras"):
        raise ValueError(f"filepath {str(path)!r} does not end in .keras, the format of the file.")


def check_weights_name(path):
    """Raises `ValueError` for a name of another format than `save_weights` and `save` write."""
    if not isinstance(path, str | os.PathLike) or not str(path).endswith(
        (".weights.h5", ".weights.json", ".keras")
    ):
        raise ValueError(
            f"filepath is the name of a .weights.h5 or .keras file, as save_weights and save write "
            f"them, not {path!r}."
        )
