"""How the pictures of kpinn look: colours, maps, type, frames.

A figure that kpinn makes has all of it, whatever `matplotlib.rcParams` say, and these stay as they
are. In axes that the user has made only the colours of data are from here.
"""

import numpy as np

from kpinn.backend import figures

# Okabe and Ito's colours, which all can tell apart: https://jfly.uni-koeln.de/color/
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
FOUND, WRONG, EXACT = COLOURS[0], COLOURS[1], "#000000"  # predictions, errors, references
DASHES = ("-", "-.")  # one for each round of the colours
PALE = "#999999"  # of what is there for orientation
VALUES, ERRORS = "viridis", "magma"  # of maps, uniform to the eye
# Signed values: blue and orange of the CIE lightness 28, 45, 62, 79, 92 on both sides of 97.
_BLUES = ("#064086", "#0A6DBA", "#3A9BEB", "#92C9FE", "#DAEAFB")
_ORANGES = ("#F8E5D7", "#F4B693", "#D87F56", "#AD4E2E", "#7A2414")
_LIGHTNESS = np.array([28, 45, 62, 79, 92, 97, 102, 115, 132, 149, 166])  # mirrored at 97
DPI = 120  # of files: 10 inches are 1,200 pixels
WIDTH = 1.4  # of lines, in points

_TEXT, _FRAME, _GRID = "#262626", "#7F7F7F", "#E3E3E3"
_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "font.weight": "normal",
    "mathtext.fontset": "dejavusans",
    "text.color": _TEXT,
    "text.usetex": False,
    "axes.facecolor": "white",
    "axes.edgecolor": _FRAME,
    "axes.linewidth": 0.6,
    "axes.titlesize": 9.5,
    "axes.titleweight": "normal",
    "axes.titlecolor": _TEXT,
    "axes.titlelocation": "center",
    "axes.titlepad": 5.0,
    "axes.labelsize": 9.0,
    "axes.labelweight": "normal",
    "axes.labelcolor": _TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
}
_TICKS = {
    "labelsize": 8.0,
    "color": _FRAME,
    "labelcolor": _TEXT,
    "width": 0.6,
    "length": 3.0,
    "direction": "out",
}


def signed():
    """The map of colours for values of both signs, `matplotlib.colors.Colormap`."""
    places = (_LIGHTNESS - _LIGHTNESS[0]) / np.ptp(_LIGHTNESS)
    shades = (*_BLUES, "#F7F7F7", *_ORANGES)
    pairs = list(zip(places.tolist(), shades, strict=True))
    return figures.colour_map("blue_orange", pairs)


def colour(index):
    """The colour of a line or part by its place among them."""
    return COLOURS[index % len(COLOURS)]


def dashes(index):
    """The line style of a line by its place among them, another in each round of the colours."""
    return DASHES[index // len(COLOURS) % len(DASHES)]


def panels(width, height, shape=(1, 1), layout="constrained", **options):
    """A new figure, and axes in it.

    Args:
        width, height: of the figure, in inches.
        shape: rows and columns of axes.
        layout: of matplotlib; `"compressed"` is for axes of equal scale.
        **options: of `Figure.subplots`.

    Returns:
        Array of matplotlib axes `(rows * columns,)`.

    Raises:
        ImportError: if matplotlib is missing.
    """
    with figures.settings(_STYLE):
        made = figures.figure(width, height)
        if layout != "constrained":
            made.set_layout_engine(layout)
        axes = made.subplots(*shape, squeeze=False, **options).ravel()
    for each in axes:
        _finish_ticks(each)
    return axes


def given(axes, count):
    """Axes that the user has made, as an array `(count,)`.

    Raises:
        TypeError, ValueError: if they are no axes, or not so many.
    """
    found = np.array([axes] if hasattr(axes, "plot") else axes, dtype=object).ravel()
    if not all(hasattr(each, "plot") and hasattr(each, "figure") for each in found):
        raise TypeError(f"`axes` must be axes of matplotlib, got {axes!r}.")
    if len(found) != count:
        wanted = "one" if count == 1 else f"{count}, such as those of figure.subplots(1, {count})"
        raise ValueError(f"This picture has {count} panel(s): `axes` must be {wanted}.")
    return found


def grid_lines(axes):
    """Lines behind curves."""
    axes.grid(color=_GRID, linewidth=0.6)


def legend(axes, **options):
    """A legend without a frame, in the colour of the labels of the axes."""
    style = {"frameon": False, "fontsize": 8.0, "handlelength": 1.6, "columnspacing": 1.2}
    return axes.legend(labelcolor=axes.xaxis.label.get_color(), **style | options)


def colour_bar(mesh, axes):
    """A slim colour bar without a frame.

    Args:
        mesh: what has the colours.
        axes: of which it takes the room, one or a list.
    """
    first = np.ravel(axes)[0]
    bar = first.figure.colorbar(mesh, ax=axes, fraction=0.05, pad=0.02, aspect=24)
    bar.outline.set_visible(False)
    text = first.xaxis.label.get_color()
    bar.ax.tick_params(**_TICKS | {"length": 2.0, "color": text, "labelcolor": text})
    bar.ax.tick_params(which="minor", length=1.2, width=0.4, color=text)
    bar.ax.yaxis.offsetText.set(fontsize=_TICKS["labelsize"], color=text)
    return bar


def _finish_ticks(axes):
    """Ticks are made when they are drawn, which is after the context: they are told here."""
    axes.tick_params(**_TICKS)
    minor = {"length": 1.8, "width": 0.4, "labelsize": 7.0}
    axes.tick_params(which="minor", **_TICKS | minor)
    for axis in (axes.xaxis, axes.yaxis):
        axis.offsetText.set(fontsize=_TICKS["labelsize"], color=_TEXT)
    if axes.name == "3d":
        axes.zaxis.offsetText.set(fontsize=_TICKS["labelsize"], color=_TEXT)
        for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
            axis.set_pane_color((1.0, 1.0, 1.0, 0.0))
