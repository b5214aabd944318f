"""`kpinn.callbacks.Dashboard`."""

import sys
import time

import keras

from kpinn.backend.notebooks import Output, in_notebook
from kpinn.optimizers.stages import current
from kpinn.options import number, optional
from kpinn.training.every import WEIGHT
from kpinn.training.state import state_of
from kpinn.training.workers.exchange import is_chief

SHOWN, LOGGED = 1.0, 30.0  # seconds from one time to the next, on a screen and in a file
UP, CLEAR = "\x1b[{}A", "\x1b[J"  # of terminals: so many lines up; what is below is blank


class Dashboard(keras.callbacks.Callback):
    """Shows a long training as a table: losses by condition, weights, unknowns, speed, time left.

    In a terminal and in a notebook the table stays where it is and changes. Anywhere else, such as
    in a file of a batch job, a line is written now and then. It stands in the place of Keras's
    progress bar: pass `verbose=0` to `fit`.

    Args:
        seconds: from one time to the next; by default 1 on a screen and 30 elsewhere.
        stream: what is written to; by default `sys.stdout`.

    Raises:
        ValueError: for a number out of range; in `fit`, beside a progress bar.

    Example:

        pinn.fit(points, epochs=100_000, callbacks=[kpinn.callbacks.Dashboard()], verbose=0)
    """

    changes_loss = False
    only_watches = True  # so that many epochs may run in one call

    def __init__(self, seconds=None, stream=None):
        super().__init__()
        self.seconds, self._stream = optional(number, "seconds", seconds, "(0, inf)"), stream

    def on_train_begin(self, logs=None):
        """Looks where it writes to."""
        if self.params.get("verbose"):
            raise ValueError(
                "Dashboard stands in the place of the progress bar: pass verbose=0 to fit."
            )
        self.stream = sys.stdout if self._stream is None else self._stream
        self._output = Output() if self._stream is None and in_notebook() else None
        self._redraws = self._output is None and self.stream.isatty()
        on_screen = self._redraws or self._output is not None
        self._wait = self.seconds or (SHOWN if on_screen else LOGGED)
        self._lines, self._first, self._shown, self._end = 0, None, None, None

    def on_epoch_begin(self, epoch, logs=None):
        """Notes when the first epoch begins."""
        if self._first is None:
            self._first = self._mark = (epoch, time.monotonic())

    def on_epoch_end(self, epoch, logs=None):
        """Shows the state, if it is time."""
        self._end = (epoch + 1, logs or {})
        if time.monotonic() - self._mark[1] >= self._wait and not state_of(self.model).replaying:
            self._show()

    def on_train_end(self, logs=None):
        """Shows how it ended."""
        if self._end is not None:
            self._show(is_last=True)

    def _show(self, is_last=False):
        (epoch, logs), now = self._end, time.monotonic()
        since = self._first if is_last else self._mark
        speed = (epoch - since[0]) / max(now - since[1], 1e-9)
        self._mark = (epoch, now)
        if not is_chief(self.model.distribute_strategy):
            return
        head = self._head(epoch, speed, now - self._first[1], is_last)
        if not self._redraws and self._output is None:
            keys = sorted(logs, key=lambda key: key != "loss")
            values = ", ".join(f"{key} {logs[key]:.4g}" for key in keys)
            print(f"{head}: {values}", file=self.stream, flush=True)
            return
        lines = [head, *table(logs, list(self.model.conditions))]
        if self._output is not None:
            self._output.show(text="\n".join(lines))
            return
        back = UP.format(self._lines) + CLEAR if self._lines else ""
        print(back + "\n".join(lines), file=self.stream, flush=True)
        self._lines = len(lines)

    def _head(self, epoch, speed, spent, is_last):
        epochs = self.params.get("epochs") or epoch
        name = type(current(self.model.optimizer)).__name__
        left = f"{duration(spent)} in all" if is_last else f"{duration(spent)} so far"
        if not is_last and speed:
            left += f", {duration((epochs - epoch) / speed)} left"
        return f"epoch {epoch:,} of {epochs:,}, {name}, {speed:.3g} epochs/s, {left}"


def table(logs, conditions):
    """Lines of a table of the logs: losses with their weights, then all else.

    Args:
        logs: dict from name to number.
        conditions: names of the conditions.
    """
    losses = [key for key in ("loss", *conditions) if key in logs]
    weights = {key: logs.get(WEIGHT + key) for key in losses}
    others = [key for key in logs if key not in losses and key.removeprefix(WEIGHT) not in losses]
    width = max((len(key) for key in (*losses, *others)), default=0)
    lines = []
    for key in losses:
        weight = "" if weights[key] is None else f"   weight {weights[key]:.3g}"
        lines.append(f"  {key:{width}}  {logs[key]:10.3e}{weight}")
    return lines + [f"  {key:{width}}  {logs[key]:10.6g}" for key in others]


def duration(seconds):
    """Seconds as hours, minutes and seconds, `"1:02:03"`."""
    seconds = round(seconds)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"
