"""Loads every hostile file of `tests/hostile`, and says what came of it.

    python tests/reliability/hostile_files.py

For each file: how it ended, the time, and by how many MiB the process grew at most. The exit status
is 1 unless every file is refused by a `ValueError` (of Keras alone, a `TypeError` too), no code of
it runs, nothing outside of its folder is read or written, no socket is made, and it takes at most
10 s and 2 GiB.
"""

import argparse
import collections
import ctypes
import gc
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

import keras
import tensorflow as tf

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import hostile

import kpinn

LONGEST, LARGEST = 10.0, 2048  # seconds, MiB
FORBIDDEN = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn",
    "pickle.", "ctypes.dlopen", "code.__new__", "ftplib.", "http.", "urllib.", "shutil.",
)  # fmt: skip
IN_OPEN, IN_CREATE, IN_NONBLOCK = 0x20, 0x100, 0o4000


class Watcher:
    """Collects what a hostile file must not do; Python's part by an audit hook.

    Files that are opened by C code are seen by the kernel's inotify.
    """

    def __init__(self, outside):
        self.found, self.active, self.outside = [], False, str(outside)
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.inotify = self.libc.inotify_init1(IN_NONBLOCK)
        self.libc.inotify_add_watch(self.inotify, os.fsencode(outside), IN_OPEN | IN_CREATE)
        sys.addaudithook(self.audit)

    def audit(self, event, arguments):
        """The hook, which cannot be removed."""
        if self.active:
            elsewhere = event == "open" and str(arguments[0]).startswith(self.outside)
            if elsewhere or event.startswith(FORBIDDEN) and event != "shutil.rmtree":
                self.found.append(f"{event} {str(arguments)[:100]}")

    def begin(self):
        """Forgets what was."""
        self._events()
        self.found.clear()
        self.active = True

    def end(self):
        """What has happened since `begin`, a list of texts."""
        self.active = False
        return [*self.found, *self._events()]

    def check(self, secret):
        """Raises `RuntimeError` unless it sees what it is there for."""
        for act in (
            secret.read_text,
            lambda: tf.io.read_file(str(secret)),
            lambda: subprocess.run(["true"]),
            lambda: socket.socket().close(),
        ):
            self.begin()
            act()
            if not self.end():
                raise RuntimeError("the watcher is blind")
        self.begin()
        if self.end():
            raise RuntimeError("the watcher sees what is not there")

    def _events(self):
        try:
            return ["inotify"] if os.read(self.inotify, 65536) else []
        except BlockingIOError:
            return []


def loaders(base):
    """The functions that load a file, by name."""
    network = kpinn.networks.MLP(units=3, depth=1)
    pinn = kpinn.PINN(network, "x", "u", conditions=[hostile.decay])
    pinn.compile("adam")
    return {
        "keras": keras.saving.load_model,
        "kpinn": kpinn.load_model,
        "weights": pinn.load_weights,
        "export": served,
    }


def served(path):
    """Loads an export, and calls it: what it would do, it does then."""
    found = kpinn.load_export(path)
    x = tf.constant([[0.5]])
    for signature in found.signatures.values():
        signature(x=x)


def attempt(load, path):
    """How loading ends, in words."""
    try:
        load(path)
    except ValueError as error:
        return "ValueError", str(error)
    except TypeError as error:
        return "TypeError", str(error)
    except Exception as error:  # what must not be
        return f"raw {type(error).__name__}", str(error)
    return "loaded", ""


def peak():
    """The largest size of this process since `forget_peak`, MiB."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def forget_peak():
    """Lets the largest size begin with the present one."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def run(files=hostile.FILES):
    """Loads all files.

    Returns:
        A list of dicts with what is to be known of each.
    """
    rows = []
    with tempfile.TemporaryDirectory() as name:
        inside, outside = pathlib.Path(name) / "inside", pathlib.Path(name) / "outside"
        inside.mkdir()
        outside.mkdir()
        base = hostile.make_base(inside, outside)
        load = loaders(base)
        for kind, good in (("keras", "good.keras"), ("kpinn", "good.keras"), ("export", "export")):
            load[kind](inside / good)  # whatever is imported and traced at first is so now
        gc.freeze()  # else the objects of the imports would be looked through again and again
        watcher = Watcher(outside)
        watcher.check(base.secret)
        for i, file in enumerate(files):
            folder = inside / str(i)
            folder.mkdir()
            path = file.make(base, folder)
            rows += [one(file, kind, load[kind], path, base, watcher) for kind in file.loaders]
            base.canary.unlink(missing_ok=True)
    return rows


def one(file, kind, load, path, base, watcher):
    """Loads one file."""
    forget_peak()
    before, begin = peak(), time.perf_counter()
    watcher.begin()
    ended, message = attempt(load, path)
    events = watcher.end()
    if base.canary.exists():
        events.append("the canary was made")
    return {
        "name": file.name,
        "stands_for": file.stands_for,
        "loader": kind,
        "ended": ended,
        "message": message,
        "events": events,
        "seconds": time.perf_counter() - begin,
        "mebibytes": peak() - before,
        "peak": peak(),
    }


def fault(row):
    """What is wrong with a row; empty if nothing is."""
    refused = (
        row["ended"] == "ValueError" or row["ended"] == "TypeError" and row["loader"] == "keras"
    )
    if not refused:
        return f"{row['ended']}: {row['message'][:200]}"
    if row["events"]:
        return "; ".join(row["events"][:3])
    if row["seconds"] > LONGEST or row["peak"] > LARGEST:
        return f"{row['seconds']:.1f} s, {row['peak']} MiB"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", help="file to write all rows to")
    parser.add_argument("--messages", action="store_true", help="print the messages")
    options = parser.parse_args()
    rows = run()
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows))
    for row in rows:
        print(
            f"{row['stands_for']:15} {row['name']:32} {row['loader']:8} {row['ended']:11}"
            f"{row['seconds']:7.3f} s {row['mebibytes']:5} MiB  {fault(row)}"
        )
        if options.messages:
            print(f"    {row['message'][:300]}")
    faults = [row for row in rows if fault(row)]
    counts = collections.Counter(row["stands_for"] for row in rows)
    print(
        f"\n{len({row['name'] for row in rows})} files of {len(counts)} kinds, {len(rows)} loads, "
        f"{len(faults)} faults, at most {max(row['seconds'] for row in rows):.2f} s and "
        f"{max(row['peak'] for row in rows)} MiB"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
