"""The manifest of a folder: the hashes of what is in it."""

import hashlib
import json
import os
import pathlib

MANIFEST = "kpinn_manifest.json"
FORMAT = 1
CHUNK = 2**20  # bytes
LARGEST_MANIFEST = 2**20  # bytes


def write_manifest(folder, **facts):
    """Writes a file with the size and the SHA-256 of every file of a folder.

    Args:
        folder: a `pathlib.Path`.
        **facts: what else to write, as JSON.

    Returns:
        The SHA-256 of the manifest itself, in hexadecimal digits.
    """
    files = {}
    for each in sorted(folder.rglob("*")):
        if each.is_file():
            files[each.relative_to(folder).as_posix()] = {
                "size": each.stat().st_size,
                "sha256": _sha256(each),
            }
    content = {"format": FORMAT, **facts, "files": files}
    text = json.dumps(content, indent=1, allow_nan=False).encode()
    (folder / MANIFEST).write_bytes(text)
    return hashlib.sha256(text).hexdigest()


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def regular_files(folder):
    """Names of the files in a folder and in the folders in it, with `/` between.

    Raises:
        ValueError: for a link, a device, or anything else that is no file and no folder.
    """
    found, waiting = [], [pathlib.PurePosixPath()]
    while waiting:
        inner = waiting.pop()
        with os.scandir(folder / inner) as entries:
            for entry in entries:
                name = inner / entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(name)
                elif entry.is_file(follow_symlinks=False):
                    found.append(str(name))
                else:
                    raise ValueError(
                        f"{str(folder)!r} has {str(name)!r}, which is no file but a link or a "
                        "device: expected the folder as pinn.export wrote it."
                    )
    return sorted(found)


def copy_verified(folder, target, sha256=None):
    """Copies the files of a folder and checks on the way that they are those of its manifest.

    Whoever reads the copy reads what was checked, whatever becomes of the folder meanwhile.

    Args:
        folder: a `pathlib.Path` with a manifest.
        target: an empty folder, a `pathlib.Path`.
        sha256: that of the manifest, or `None` if it is not known.

    Raises:
        ValueError: for a manifest that is none or another one, and a file that is missing, is not
            named there, or has another content.
    """
    expected = _read_manifest(folder, sha256)
    found = [name for name in regular_files(folder) if name != MANIFEST]
    for name in {*found, *expected}:
        if name not in found or name not in expected:
            missing = "is missing" if name in expected else "is not one of its files"
            raise ValueError(f"{str(folder)!r} is not as it was exported: {name!r} {missing}.")
    for name in found:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        size, digest = _copy(folder / name, target / name, expected[name]["size"])
        if size != expected[name]["size"] or digest != expected[name]["sha256"]:
            raise ValueError(
                f"{str(folder)!r} is not as it was exported: {name!r} has another content than its "
                "manifest says. It is damaged or was changed; export it again."
            )


def _copy(source, target, most):
    """Copies at most `most` bytes and one; returns the number and the SHA-256."""
    digest, size = hashlib.sha256(), 0
    descriptor = os.open(source, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with open(descriptor, "rb") as file, open(target, "xb") as copy:
        while size <= most and (part := file.read(min(CHUNK, most + 1 - size))):
            size += len(part)
            digest.update(part)
            copy.write(part)
    return size, digest.hexdigest()


def _read_manifest(folder, sha256):
    """The dict from name to size and hash."""
    path = folder / MANIFEST
    if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST_MANIFEST:
        raise ValueError(
            f"{str(folder)!r} has no {MANIFEST}, which pinn.export writes: it is no export of "
            "kpinn, or of an older version. Export it again."
        )
    text = path.read_bytes()
    found = hashlib.sha256(text).hexdigest()
    if sha256 is not None and found != str(sha256).strip().lower():
        raise ValueError(
            f"{str(folder)!r} is not the export that is expected: the SHA-256 of its manifest is "
            f"{found}, not {sha256}."
        )
    try:
        content = json.loads(text)
        files = content["files"]
        whole = content["format"] == FORMAT and all(
            type(each["size"]) is int and each["size"] >= 0 and type(each["sha256"]) is str
            for each in files.values()
        )
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{MANIFEST} of {str(folder)!r} cannot be read: {error!r}.") from error
    if not whole:
        raise ValueError(f"{MANIFEST} of {str(folder)!r} is none of format {FORMAT}.")
    return files
