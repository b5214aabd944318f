"""Checkpoints as folders on the disk: written as a whole or not at all, verified when read.

A checkpoint is written into a hidden folder beside its place, every file and the folder are flushed
to the disk, and a rename puts it there: whenever the process is killed, it is there or not. It has
two files: `arrays.npz`, and `manifest.json` with all that is no array, the SHA-256 of the arrays
and that of itself, so that any change of a bit is seen.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import zipfile

import numpy as np

from kpinn.backend.files import UNFINISHED, written_whole
from kpinn.training.checkpoints import plain

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

FORMAT = 1
MANIFEST, ARRAYS = "manifest.json", "arrays.npz"
DELETING = ".deleting-"
ENTRIES = "epoch", "epochs", "is_finished", "description", "content"
_UNREADABLE = (
    *(ValueError, LookupError, TypeError, AttributeError, ArithmeticError),
    *(RecursionError, MemoryError, OSError, EOFError, zipfile.BadZipFile),
)
NAME = re.compile(r"(\d+)-fit-(\d+)-epoch-(\d+)")


class DamagedError(Exception):
    """A checkpoint that is not what was written."""


# A checkpoint as bytes -----------------------------------------------------------------------


def pack(state):
    """The files of a state, a dict from name to bytes.

    Args:
        state: a dict of plain data with `ENTRIES`.

    Raises:
        plain.NotPlainError: for anything else in it.
    """
    arrays, buffer = [], io.BytesIO()
    tree = plain.encode(state, arrays)
    np.savez(buffer, **{str(number): array for number, array in enumerate(arrays)})
    data = buffer.getbuffer()
    manifest = {
        "kpinn": "checkpoint",
        "format": FORMAT,
        "files": {ARRAYS: {"bytes": len(data), "sha256": _digest(data)}},
        "state": tree,
    }
    manifest["sha256"] = _digest(_text(manifest))
    return {ARRAYS: data, MANIFEST: _text(manifest)}


def verify(manifest, arrays):
    """The manifest as a dict, if it is whole and these are the arrays it was written with.

    Args:
        manifest: the bytes of the manifest.
        arrays: the bytes of the arrays.

    Raises:
        DamagedError: which says what is wrong.
    """
    try:
        found = json.loads(manifest)
        known = found["sha256"]
        rest = {key: value for key, value in found.items() if key != "sha256"}
        if _text(found) != manifest or _digest(_text(rest)) != known:
            raise DamagedError(f"{MANIFEST} is not what was written")
        if found["kpinn"] != "checkpoint" or found["format"] != FORMAT:
            raise DamagedError(f"{MANIFEST} has the format {found['format']}, not {FORMAT}")
        size, digest = found["files"][ARRAYS]["bytes"], found["files"][ARRAYS]["sha256"]
    except _UNREADABLE as error:
        raise DamagedError(f"{MANIFEST} cannot be read ({error})") from error
    if len(arrays) != size:
        raise DamagedError(f"{ARRAYS} has {len(arrays)} bytes, not {size}")
    if _digest(arrays) != digest:
        raise DamagedError(f"{ARRAYS} is not what was written")
    return found


def unpack(manifest, arrays):
    """The inverse of `pack`.

    Raises:
        DamagedError: for files that `pack` has not made.
    """
    tree = verify(manifest, arrays)["state"]
    try:
        with zipfile.ZipFile(io.BytesIO(arrays)) as packed:
            if sum(member.file_size for member in packed.infolist()) > len(arrays):
                raise DamagedError(f"{ARRAYS} is compressed")
        with np.load(io.BytesIO(arrays), allow_pickle=False) as found:
            listed = [found[str(number)] for number in range(len(found.files))]
        state = plain.decode(tree, listed)
        if not isinstance(state, dict) or not state.keys() >= {*ENTRIES}:
            raise DamagedError(f"it lacks some of {', '.join(ENTRIES)}")
        return state
    except _UNREADABLE as error:
        raise DamagedError(f"it cannot be read ({error!r})") from error


def _text(manifest):
    return json.dumps(manifest, allow_nan=False, separators=(",", ":")).encode()


def _digest(data):
    return hashlib.sha256(data).hexdigest()


# Folders -------------------------------------------------------------------------------------


def write(root, name, files):
    """Writes a checkpoint; afterwards it is on the disk.

    Args:
        root: the folder of all checkpoints.
        name: that of this one.
        files: dict from name to bytes.

    Raises:
        OSError: if that fails; then nothing is left of it.
    """
    with written_whole(os.path.join(root, name), folder=True) as folder:
        for file, data in files.items():
            _write_file(folder / file, data)


def _write_file(path, data):
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
    finally:
        os.close(handle)


def read(folder):
    """The state of a checkpoint.

    Raises:
        DamagedError: if it is not whole.
    """
    try:
        contents = []
        for name in (MANIFEST, ARRAYS):
            with open(os.path.join(folder, name), "rb") as file:
                contents.append(file.read())
    except OSError as error:
        raise DamagedError(str(error)) from error
    return unpack(*contents)


def listed(root):
    """The checkpoints in a folder: dicts from the number of the `fit` to names, oldest first."""
    found = {}
    for name in sorted(os.listdir(root)):
        if match := NAME.fullmatch(name):
            found.setdefault(int(match[2]), []).append(name)
    return found


def new_name(root, fit, epoch):
    """The name of the next checkpoint: its number, that of the `fit`, and epochs that are done."""
    numbers = [int(match[1]) for name in os.listdir(root) if (match := NAME.fullmatch(name))]
    return f"{max(numbers, default=0) + 1:06d}-fit-{fit}-epoch-{epoch}"


def remove(root, name):
    """Removes a checkpoint, which is hidden before its first file is missing."""
    with contextlib.suppress(OSError):  # what stays does no harm
        os.rename(os.path.join(root, name), os.path.join(root, DELETING + name))
        shutil.rmtree(os.path.join(root, DELETING + name), ignore_errors=True)


def clean(root):
    """Removes what killed processes have left half-written or half-removed."""
    for name in os.listdir(root):
        if name.startswith(DELETING) or (name.startswith(".") and name.endswith(UNFINISHED)):
            shutil.rmtree(os.path.join(root, name), ignore_errors=True)


@contextlib.contextmanager
def locked(root):
    """Keeps other processes from training into the same folder; ends with the process.

    Raises:
        ValueError: if another one does.
    """
    handle = os.open(root, os.O_RDONLY) if fcntl else None
    try:
        if fcntl:
            with contextlib.suppress(OSError):  # a file system without locks
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise ValueError(
                        f"another training writes its checkpoints into {str(root)!r} at this "
                        "moment: wait until it ends, or choose another path."
                    ) from None
        yield
    finally:
        if fcntl:
            os.close(handle)
