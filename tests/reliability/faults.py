"""Faults at the calls of a save: the process is killed there, or the disk refuses."""

import contextlib
import os
import shutil
import signal
import tempfile
import warnings

import numpy as np

from kpinn.training.checkpoints.history import Calls

NAMES = ("mkdir", "open", "write", "fsync", "close", "rename", "unlink", "rmdir")
DESCRIPTION = {"model": "small"}


class KilledError(BaseException):
    """What stands for the end of the process where it must live on."""


class Faulty:
    """Replaces the functions of `os` that change the disk by ones that fail at one call.

    Args:
        number: at which call, counted from zero; `None` for none.
        fail: called with the name of the function and with a function that does half of it, if
            there is one.
        lasting: whether all later calls raise `KilledError`, as in a dead process.
    """

    def __init__(self, number=None, fail=None, lasting=False):
        self.number, self.fail, self.lasting, self.calls = number, fail, lasting, []

    @contextlib.contextmanager
    def active(self):
        before = {name: getattr(os, name) for name in NAMES}
        for name, function in before.items():
            setattr(os, name, self._replaced(name, function))
        try:
            yield self
        finally:
            for name, function in before.items():
                setattr(os, name, function)

    def _replaced(self, name, function):
        def call(*args, **kwargs):
            count = len(self.calls)
            self.calls.append(name)
            if self.lasting and self.number is not None and count > self.number:
                raise KilledError
            if count == self.number:
                self.fail(name, lambda: _half(name, function, args))
            return function(*args, **kwargs)

        return call


def _half(name, function, args):
    if name == "write":
        function(args[0], bytes(args[1])[: len(args[1]) // 2])


def state(epoch, size=300):
    """A state as `Checkpoint` saves it."""
    content = {"weights": np.arange(size) + 0.1 * epoch, "given": None, "text": "x" * 50}
    return {
        "epoch": epoch,
        "epochs": 100,
        "is_finished": False,
        "description": DESCRIPTION,
        "content": content,
    }


@contextlib.contextmanager
def two_saved():
    """The `Calls` of a new folder in which epochs 1 and 2 are saved."""
    root = tempfile.mkdtemp(prefix="checkpoints-")
    try:
        calls = Calls(root, 2)
        for epoch in (1, 2):
            calls.save(1, state(epoch))
        yield calls
    finally:
        shutil.rmtree(root, ignore_errors=True)


def count_calls():
    """How many calls of `NAMES` a save makes."""
    with two_saved() as calls, Faulty().active() as faulty:
        calls.save(1, state(3))
    return len(faulty.calls)


def found(root):
    """`"old"` or `"new"`, as the newest good checkpoint says; or what is wrong."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a damaged one
        try:
            checkpoint = Calls(root, 2).find(1, 100, DESCRIPTION)
        except (UserWarning, ValueError) as error:
            return str(error)
    whole = np.array_equal(
        checkpoint.content["weights"], state(checkpoint.epoch)["content"]["weights"]
    )
    return {2: "old", 3: "new"}.get(checkpoint.epoch, "wrong") if whole else "wrong"


def after_kill_at(number, half):
    """What a process leaves that is killed by SIGKILL at a call of a save.

    Args:
        number: of the call.
        half: whether half of what it writes is written.
    """

    def die(name, do_half):
        if half:
            do_half()
        os.kill(os.getpid(), signal.SIGKILL)

    with two_saved() as calls:
        process = os.fork()
        if not process:
            with Faulty(number, die).active():
                calls.save(1, state(3))
            os._exit(1)
        _, status = os.waitpid(process, 0)
        assert os.WIFSIGNALED(status), f"call {number} was not reached"
        return found(calls.root)


def after_death_at(number, half):
    """The same in this process, where every later call fails."""

    def die(name, do_half):
        if half:
            do_half()
        raise KilledError

    with two_saved() as calls:
        with contextlib.suppress(KilledError), Faulty(number, die, lasting=True).active():
            calls.save(1, state(3))
        return found(calls.root)
