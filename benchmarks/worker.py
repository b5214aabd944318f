"""A framework in a process of its own, where its threads and its crashes disturb no other.

`Worker` starts this file as a script with the name of a module. The module's function `steps`
returns a dict from a key to a function without arguments; these stay in the process, and are
called and timed there. The two processes exchange pickled tuples.
"""

import contextlib
import importlib
import os
import pickle
import subprocess
import sys
import time
import traceback

from timing import timed


class LostError(RuntimeError):
    """The process has ended."""


class RemoteError(RuntimeError):
    """An exception in the process."""


class Worker:
    """A process with a module.

    Args:
        module: its name; a file of this folder.
        **environment: variables of its environment, beside those of this process.

    Raises:
        RemoteError: if the module cannot be imported, with `ModuleNotFoundError` in its text.
    """

    def __init__(self, module, **environment):
        self.process = subprocess.Popen(
            [sys.executable, __file__, module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | environment,
        )
        self._answer()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def alive(self):
        """Whether the process has not ended on its own."""
        return self.process.poll() is None

    def close(self):
        """Ends the process."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()

    def call(self, name, *arguments):
        """The result of a function of the module."""
        return self._ask("call", name, arguments)

    def make(self, name, *arguments):
        """Makes the steps that a function of the module returns; a list of their keys."""
        return self._ask("make", name, arguments)

    def first(self, key):
        """Seconds and result, a list of arrays, of the first call of a step."""
        return self._ask("first", key)

    def timed(self, key):
        """The measure of a step for `timing.alternately`."""
        return lambda repeats: self._ask("time", key, repeats)

    def _ask(self, *question):
        try:
            pickle.dump(question, self.process.stdin)
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise LostError(f"the process has ended ({self.process.poll()})") from error
        return self._answer()

    def _answer(self):
        try:
            right, answer = pickle.load(self.process.stdout)
        except EOFError as error:
            raise LostError(f"the process has ended ({self.process.wait()})") from error
        if right:
            return answer
        raise RemoteError(answer)


class _Remote:
    """The other side: one method for each kind of question."""

    def __init__(self, module):
        self.module, self.steps = importlib.import_module(module), {}

    def call(self, name, arguments):
        return getattr(self.module, name)(*arguments)

    def make(self, name, arguments):
        self.steps = self.call(name, arguments)
        return list(self.steps)

    def first(self, key):
        start = time.perf_counter()
        result = self.steps[key]()
        return time.perf_counter() - start, self.module.arrays(result)

    def time(self, key, repeats):
        return timed(self.steps[key])(repeats)


def _attempt(function, *arguments):
    try:
        return True, function(*arguments)
    except Exception as error:
        return False, f"{type(error).__name__}: {error}\n\n{traceback.format_exc()}"


def _serve(module):
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the framework prints must not come between the answers
    done, remote = _attempt(_Remote, module)
    answer = (done, None if done else remote)
    while True:
        pickle.dump(answer, answers)
        answers.flush()
        try:
            kind, *arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        answer = _attempt(getattr(remote, kind), *arguments)


if __name__ == "__main__":
    _serve(sys.argv[1])
