"""Files and folders that are written whole or not at all."""

import contextlib
import os
import pathlib
import secrets
import shutil

UNFINISHED = ".partial"  # end of the name of a folder that a killed process has left


@contextlib.contextmanager
def written_whole(path, folder=False):
    """A place beside `path` to write to, which becomes `path` when the block has ended.

    It is flushed to the disk before. If the block raises, nothing is left of it, and what was at
    `path` stays as it was; a process that is killed may leave the place, whose name begins with a
    dot.

    Args:
        path: name of a file, or of a folder, which may be there.
        folder: whether it is a folder, which is made; a file is for the block to make.

    Returns:
        A context manager, whose value is a `pathlib.Path` with the extension of `path`.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = UNFINISHED + path.suffix
    new = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{kind}")
    try:
        if folder:
            new.mkdir()
        yield new
        for each in (*new.rglob("*"), new):
            _flush(each)
        _take_place(new, path)
    except BaseException:
        _remove(new)
        raise
    _flush(path.parent)


def _flush(path):
    if os.name != "posix" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _take_place(new, path):
    """Renames; a folder cannot be renamed onto one that is not empty."""
    if not path.is_dir():
        (os.rename if new.is_dir() else os.replace)(new, path)
        return
    old = new.with_suffix(".replaced")
    os.rename(path, old)
    try:
        os.rename(new, path)
    except BaseException:
        os.rename(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
