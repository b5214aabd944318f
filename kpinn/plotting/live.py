"""`kpinn.callbacks.LivePlot`."""

import io
import pathlib
import time

import keras
import numpy as np

from kpinn.backend import look
from kpinn.backend.files import written_whole
from kpinn.backend.notebooks import Output, in_notebook
from kpinn.options import positive_whole, text
from kpinn.plotting.fields import field as draw_field
from kpinn.plotting.histories import draw_logs
from kpinn.training.every import WEIGHT
from kpinn.training.state import state_of
from kpinn.training.workers.exchange import is_chief

MOST = 2_000  # epochs in a picture; of longer trainings every second, fourth, ... is drawn
SHARE = 0.1  # of the time, which drawing takes at most


class LivePlot(keras.callbacks.Callback):
    """Draws the losses, and a field if one is asked for, again and again while `fit` goes on.

    In a notebook the picture stands below the cell and is replaced; a file, if there is a path, is
    replaced as a whole, for a viewer that watches it. Drawing takes at most a tenth of the time:
    where `every` asks for more, pictures are left out. The last one is drawn when `fit` ends.
    Epochs that run in one call (of small problems, up to 0.2 seconds) are drawn after it.

    Args:
        path: file to write, or None in a notebook.
        every: epochs from one picture to the next.
        domain: `kpinn.domains.Domain` or part over which a field is drawn beside the losses, or
            None.
        field: its name, such as `"u"`.
        fixed: `{name: value}` of the coordinates of the domain that are not drawn.
        points: along each axis, as for `kpinn.plotting.field`.

    Raises:
        ImportError: if matplotlib is missing.
        ValueError: in `fit`, if there is neither a path nor a notebook.

    Example:

        live = kpinn.callbacks.LivePlot("live.png", every=500, domain=box)
        pinn.fit(points, epochs=20_000, callbacks=[live], verbose=0)
    """

    changes_loss = False
    only_watches = True  # so that many epochs may run in one call

    def __init__(self, path=None, every=100, domain=None, field="u", fixed=None, points=51):
        super().__init__()
        self.path = None if path is None else pathlib.Path(text("path", str(path), "live.png"))
        self.every, self.domain = positive_whole("every", every), domain
        self.field, self.fixed, self.points = text("field", field, "u"), fixed, points
        self._output = self._logs = None

    def on_train_begin(self, logs=None):
        """Looks for a place to draw to."""
        if self.path is None and not in_notebook():
            raise ValueError(
                "LivePlot has no place to draw to, since this is no notebook: pass a path, such as "
                "LivePlot('live.png')."
            )
        look.panels(1.0, 1.0)  # matplotlib is missed now, not in an hour
        self._output = Output() if in_notebook() else None
        self._logs, self._epochs, self._step, self._due = {}, [], 1, False
        self._next = 0.0

    def on_epoch_end(self, epoch, logs=None):
        """Remembers the logs, and draws if it is time."""
        if (epoch + 1) % self._step == 0:
            self._remember(epoch + 1, logs or {})
        self._due |= (epoch + 1) % self.every == 0
        if self._due and not state_of(self.model).replaying and time.monotonic() >= self._next:
            self._draw()
            self._due = False

    def on_train_end(self, logs=None):
        """Draws how it ended."""
        if self._epochs:
            self._draw()

    def _remember(self, epoch, logs):
        self._epochs.append(epoch)
        for key, value in logs.items():
            column = self._logs.setdefault(key, [np.nan] * (len(self._epochs) - 1))
            column.append(float(value))
        for column in self._logs.values():
            column.extend([np.nan] * (len(self._epochs) - len(column)))
        if len(self._epochs) > MOST:
            self._step *= 2
            kept = [place for place, each in enumerate(self._epochs) if each % self._step == 0]
            self._epochs = [self._epochs[place] for place in kept]
            self._logs = {key: [c[place] for place in kept] for key, c in self._logs.items()}

    def _draw(self):
        if not is_chief(self.model.distribute_strategy):
            return
        start = time.monotonic()
        figure = self._figure()
        if self._output is not None:
            picture = io.BytesIO()
            figure.savefig(picture, dpi=look.DPI, format="png")
            self._output.show(png=picture.getvalue())
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(self.path) as place:
                figure.savefig(place, dpi=look.DPI)
        end = time.monotonic()
        self._next = end + (end - start) / SHARE

    def _figure(self):
        unknowns = [key for key in self._logs if key.split("[")[0] in self.model.unknowns]
        weights = any(key.startswith(WEIGHT) for key in self._logs)
        count = 1 + weights + bool(unknowns) + (self.domain is not None)
        panels = look.panels((5.2, 8.4, 12.0, 14.0)[count - 1], 3.4, (1, count))
        last = len(panels) - (self.domain is not None)
        logs = {key: np.array(column) for key, column in self._logs.items()}
        draw_logs(logs, unknowns, weights, panels[:last], np.array(self._epochs))
        panels[0].title.set_text(f"epoch {self._epochs[-1]:,}")
        if self.domain is not None:
            where = {"points": self.points, "fixed": self.fixed, "axes": panels[-1]}
            draw_field(self.model, self.domain, self.field, **where)
        return panels[0].figure
