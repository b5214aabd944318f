"""`kpinn.load_export`: a SavedModel is checked before anything of it is loaded."""

import os
import pathlib
import tempfile

import tensorflow as tf

from kpinn.serving.folders import copy_verified, regular_files
from kpinn.serving.programs import check_program

MEMORY = 2**31  # bytes


def load_export(path, sha256=None, memory=MEMORY):
    """Loads what `PINN.export` wrote, after it was checked to be that, and to compute only.

    A SavedModel is a program, and TensorFlow has operations that read and write files and call
    Python. Before anything is loaded, every file is compared with the manifest in the folder, and
    every operation with a list of those that compute with numbers in memory. Neither kpinn classes
    nor those of the user are needed.

    The manifest tells damage. Who can change the files can change the manifest as well; only with
    `sha256`, which has come by another way, it tells that the export is the one that was written.
    It is the list of operations that keeps a foreign export from doing anything but compute; how
    long that takes, and how much memory, it does not know.

    Args:
        path: the folder.
        sha256: what `PINN.export` returned, or `None`.
        memory: most bytes of the files.

    Returns:
        What `tf.saved_model.load` returns: its `signatures` are `"serving_default"`,
        `"derivatives"` and `"residual_<condition>"`.

    Raises:
        ValueError: for a folder that is no export, has changed since, is larger than `memory`, or
            has an operation that is not on the list.

    Example:

        sha256 = pinn.export("heat")
        served = kpinn.load_export("heat", sha256)
        served.signatures["derivatives"](t=t, x=x)["u_xx"]
    """
    if not isinstance(path, str | os.PathLike) or not os.path.isdir(path):
        raise ValueError(f"path is a folder that pinn.export has written, not {path!r}.")
    folder = pathlib.Path(path)
    size = sum((folder / name).stat().st_size for name in regular_files(folder))
    if size > memory:
        raise ValueError(f"{str(path)!r} has {size} bytes, more than memory={memory}.")
    with tempfile.TemporaryDirectory(prefix="kpinn-") as private:
        copy = pathlib.Path(private)
        copy_verified(folder, copy, sha256)
        try:
            check_program(copy)
        except ValueError as error:
            raise ValueError(f"{str(path)!r} is not loaded: {error}") from error
        try:
            return tf.saved_model.load(private)
        except Exception as error:  # of whatever kind TensorFlow finds for a broken program
            raise ValueError(f"{str(path)!r} cannot be loaded: {error}") from error
