"""SIGTERM and Ctrl-C in a training with checkpoints: it saves at the end of the epoch, and leaves.

An exception from a signal may come between any two instructions of Python, where the state is of
no epoch. So it is only noted, and acted upon where a checkpoint can be written. If the epoch takes
too long, the process leaves without: the last checkpoint is good.
"""

import contextlib
import os
import signal
import sys
import threading
import time

LATE = 5.0  # seconds after which an epoch is left at the end of a batch
LATEST = 9.0  # seconds after which SIGTERM ends the process, wherever it is


class Signals:
    """The signal that has come, if any."""

    def __init__(self):
        self.received, self._since = None, 0.0
        self._before = {}

    def late(self):
        """Whether a signal came so long ago that the end of the epoch is not waited for."""
        return self.received is not None and time.monotonic() - self._since > LATE

    def act(self):
        """Leaves, if a signal has come.

        Raises:
            KeyboardInterrupt, SystemExit: after Ctrl-C and SIGTERM; a handler of the program is
                called instead.
        """
        number, self.received = self.received, None
        if number is not None:
            self._leave(number, None)

    def _leave(self, number, frame):
        before = self._before[number]
        if not callable(before):
            sys.exit(128 + number)
        before(number, frame)  # after Ctrl-C usually that of Python

    def _note(self, number, frame):
        if number == signal.SIGINT and self.received is not None:
            self._leave(number, frame)
        elif self.received is None:
            self.received, self._since = number, time.monotonic()

    @contextlib.contextmanager
    def noted(self):
        """Notes signals, in the main thread; the handlers are put back afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            if before not in (signal.SIG_IGN, None):
                self._before[number] = before
                signal.signal(number, self._note)
        watched = os.name == "posix" and self._before.get(signal.SIGTERM) == signal.SIG_DFL
        try:
            with _ended_after(LATEST) if watched else contextlib.nullcontext():
                yield
        finally:
            for number, before in self._before.items():
                signal.signal(number, before)
            self.act()


@contextlib.contextmanager
def _ended_after(seconds):
    """Ends the process so long after SIGTERM, where a handler of Python may not run for minutes.

    While the main thread is inside TensorFlow no handler runs; another thread reads the numbers of
    signals from a pipe (`signal.set_wakeup_fd`).
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before, left = signal.set_wakeup_fd(writing, warn_on_full_buffer=False), threading.Event()

    def watch():
        number = b"\0"
        while number and number[0] != signal.SIGTERM:
            number = os.read(reading, 1)
        if number and not left.wait(seconds):
            os.write(2, b"kpinn: SIGTERM: the epoch has not ended; the last checkpoint is good.\n")
            os._exit(128 + signal.SIGTERM)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        left.set()
        signal.set_wakeup_fd(before)
        os.close(writing)  # which ends the reading
        thread.join()
        os.close(reading)
