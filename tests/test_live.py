"""Callbacks that show a training: what they write, when, and that they do not slow it down."""

import io
import re
import sys
import types

import numpy as np
import pytest

import kpinn
from kpinn.callbacks import Dashboard, LivePlot, LossBalancing
from kpinn.training.dashboard import duration, table
from kpinn.training.epochs import BLOCK_SECONDS, Callbacks

pytest.importorskip("matplotlib")

PNG = b"\x89PNG\r\n\x1a\n"
BOX = kpinn.domains.Box(t=(0, 1))
POINTS = {"decay": BOX.sample(8, seed=0), "start": BOX.face(t=0).sample(1)}


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Decay(kpinn.PINN):
    """u_t = -k u, u(0) = 1, with an unknown rate."""

    coordinates, fields = "t", "u"

    def __init__(self, network):
        super().__init__(network)
        self.rate = self.unknown("rate", initial=0.5)

    @kpinn.condition
    def decay(self, u, u_t):
        return u_t + self.rate * u

    @kpinn.condition
    def start(self, u):
        return u - 1.0


@pytest.fixture(scope="module")
def pinn():
    made = Decay(kpinn.networks.MLP(units=4, depth=1))
    made.compile("sgd", jit_compile=False)
    return made


def test_a_terminal_has_a_table_that_changes(pinn):
    stream = Terminal()
    history = pinn.fit(POINTS, epochs=3, verbose=0, callbacks=[Dashboard(1e-9, stream)])
    pictures = stream.getvalue().split("\x1b[5A\x1b[J")  # five lines up, and blank below
    assert all(len(each.splitlines()) == 5 for each in pictures)
    head, *rows = pictures[-1].splitlines()
    assert re.fullmatch(r"epoch 3 of 3, SGD, \S+ epochs/s, \d:\d\d in all", head)
    assert re.match(r"epoch 1 of 3, SGD, \S+ epochs/s, 0:\d\d so far, 0:\d\d left\n", pictures[0])
    shown = {name: float(value) for name, value in map(str.split, rows)}
    assert list(shown) == ["loss", "decay", "start", "rate"]
    last = {name: values[-1] for name, values in history.history.items()}
    assert shown == pytest.approx(last, rel=1e-3)


def test_a_file_has_lines_and_no_control_characters(pinn):
    stream = io.StringIO()
    pinn.fit(POINTS, epochs=2, verbose=0, callbacks=[Dashboard(stream=stream)])
    (line,) = stream.getvalue().splitlines()  # 30 seconds have not passed: the last one
    assert line.startswith("epoch 2 of 2, SGD, ") and ", start " in line and "\x1b" not in line


def test_the_dashboard_stands_in_the_place_of_the_progress_bar(pinn):
    with pytest.raises(ValueError, match="pass verbose=0 to fit"):
        pinn.fit(POINTS, epochs=1, callbacks=[Dashboard()])
    with pytest.raises(ValueError, match="seconds"):
        Dashboard(0)


def test_tables_have_weights_beside_losses():
    logs = {"loss": 0.5, "a": 1e-3, "long_name": 2.0, "weight_a": 12.5, "k": 0.25, "val_loss": 3.0}
    assert table(logs, ["a", "long_name"]) == [
        "  loss        5.000e-01",
        "  a           1.000e-03   weight 12.5",
        "  long_name   2.000e+00",
        "  k                0.25",
        "  val_loss            3",
    ]
    assert [duration(s) for s in (0.4, 61, 3_723)] == ["0:00", "1:01", "1:02:03"]


def test_the_picture_is_replaced_while_fit_goes_on(pinn, tmp_path):
    path, live = tmp_path / "new" / "live.png", LivePlot(tmp_path / "new" / "live.png", 2, BOX)
    history = pinn.fit(POINTS, epochs=3, verbose=0, callbacks=[LossBalancing(every=1), live])
    assert path.read_bytes().startswith(PNG) and list(path.parent.iterdir()) == [path]
    figure = live._figure()  # what was drawn: there is no other way to see it
    losses, weights, unknowns, field = (axes for axes in figure.axes if axes.lines)
    assert losses.get_title() == "epoch 3" and field.get_title() == "u"
    drawn = {line.get_label(): line.get_data() for line in losses.lines}
    assert list(drawn) == ["decay", "loss", "start"]
    np.testing.assert_allclose(drawn["loss"], [[1, 2, 3], history.history["loss"]])
    (rate,) = unknowns.lines
    np.testing.assert_allclose(rate.get_ydata(), history.history["rate"])
    assert {line.get_label() for line in weights.lines} == {"decay", "start"}


def test_long_trainings_are_drawn_by_every_second_epoch(pinn, monkeypatch, tmp_path):
    monkeypatch.setattr("kpinn.plotting.live.MOST", 4)
    live = LivePlot(tmp_path / "live.png", every=100)
    history = pinn.fit(POINTS, epochs=11, verbose=0, callbacks=[live])
    (losses, *_) = live._figure().axes
    line = {line.get_label(): line for line in losses.lines}["loss"]
    x, y = line.get_data()
    assert 2 <= len(x) <= 5 and np.all(np.diff(x) == x[0])
    np.testing.assert_allclose(y, np.take(history.history["loss"], x - 1))


def test_a_script_needs_a_path(pinn):
    with pytest.raises(ValueError, match="no place to draw to.*LivePlot\\('live.png'\\)"):
        pinn.fit(POINTS, epochs=1, verbose=0, callbacks=[LivePlot()])
    with pytest.raises(ValueError, match="every"):
        LivePlot(every=0)


def test_a_notebook_has_one_output_that_is_replaced(pinn, monkeypatch):
    """The functions of IPython are replaced: there is no notebook here."""
    shown = []

    class Handle:
        def update(self, content):
            shown.append(content)

    def display(content, display_id):
        shown.append(content)
        return Handle()

    shell = types.SimpleNamespace(kernel=None)
    package = types.SimpleNamespace(get_ipython=lambda: shell)
    parts = {"Image": lambda data: data, "Pretty": lambda text: text, "display": display}
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(**parts))
    callbacks = [LivePlot(every=1), Dashboard(1e-9)]
    pinn.fit(POINTS, epochs=2, verbose=0, callbacks=callbacks)
    pictures = [each for each in shown if isinstance(each, bytes)]
    tables = [each for each in shown if isinstance(each, str)]
    assert len(pictures) >= 2 and all(each.startswith(PNG) for each in pictures)
    assert tables[-1].startswith("epoch 2 of 2") and len(tables[-1].splitlines()) == 5


def test_epochs_run_together_beside_what_only_watches(pinn, tmp_path):
    """There is no public way to see how many epochs a call has."""
    watching = [Dashboard(), LivePlot(tmp_path / "live.png")]
    assert Callbacks(pinn, watching, 0, 9, 1).block_seconds() == BLOCK_SECONDS
    assert Callbacks(pinn, [*watching, LossBalancing()], 0, 9, 1).block_seconds() == 0.0
    acting = type("Acting", (Dashboard,), {"on_epoch_begin": lambda self, epoch, logs=None: None})
    assert Callbacks(pinn, [acting()], 0, 9, 1).block_seconds() == 0.0


def test_loss_weights_are_in_the_history(pinn):
    history = pinn.fit(POINTS, epochs=2, verbose=0, callbacks=[LossBalancing(every=1)]).history
    for name, variable in pinn.loss_weights.items():
        assert len(history[f"weight_{name}"]) == 2
        assert history[f"weight_{name}"][-1] == float(variable.numpy())
