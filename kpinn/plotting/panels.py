"""Axes of pictures, maps and curves in them, and the files that they are written to."""

import pathlib

from kpinn.backend import look
from kpinn.backend.figures import triangulation
from kpinn.plotting.grid import TALL, WIDE

LONG = 7.0  # inches of the longer side of a map that is very wide or high


def for_maps(grid, axes, count):
    """Axes for maps: those given, or new ones beside each other, or one above the other if wide.

    Args:
        grid: `Grid`.
        axes: what the user gave, or None.
        count: number of maps.
    """
    if axes is not None:
        return look.given(axes, count)
    width, height, panel = (10.0, 3.1, 2.5) if count > 1 else (5.2, 3.6, 3.9)
    ratio, is_wide = grid.ratio, False
    if ratio is not None and WIDE < ratio < TALL:
        height = 0.7 + panel * ratio
    elif ratio is not None:
        is_wide = ratio <= WIDE
        width = LONG + 1.2 if is_wide else count * (LONG / ratio + 1.2)
        height = count * (LONG * max(ratio, 0.1) + 0.5) + 0.2 if is_wide else LONG + 0.7
    layout = "compressed" if grid.covering is not None and count == 1 else "constrained"
    shape = (count, 1) if is_wide else (1, count)
    return look.panels(width, height, shape, layout, sharex=True, sharey=True)


def for_curves(axes, count):
    """Axes for curves: those given, or new ones, of two the second a lower one."""
    if axes is not None:
        return look.given(axes, count)
    if count == 1:
        return look.panels(5.6, 3.4)
    return look.panels(5.6, 4.6, (2, 1), sharex=True, height_ratios=(3, 2))


def draw_map(grid, axes, values, **colours):
    """Draws values over a plane, with the outline of the domain; returns what has the colours."""
    style = {"shading": "gouraud", "rasterized": True, **colours}
    if grid.covering is None:
        mesh = axes.pcolormesh(*grid.ticks, values.T, **style)
    else:
        triangles = triangulation(grid.covering.nodes, grid.covering.simplices)
        mesh = axes.tripcolor(triangles, values, **style)
        axes.plot(*grid.covering.outline(), color=look.EXACT, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)  # the outline is the frame
    axes.set(xlabel=grid.names[0], ylabel=grid.names[1], aspect="equal" if grid.ratio else "auto")
    return mesh


def draw_curves(places, axes, values, colour=None, **style):
    """Draws values along a line; of several named groups each in its colour, with a legend.

    Args:
        places: `Grid` or `Along`.
        axes: of matplotlib.
        values: `(n,)`.
        colour: of all groups; by default each has its own.
        **style: of the lines.
    """
    for index, (label, along, value) in enumerate(places.curves(values)):
        named = {"label": label} if label and colour is None else {}
        shade = look.colour(index) if colour is None else colour
        axes.plot(along, value, **{"color": shade, "linewidth": look.WIDTH} | named | style)
        style = {name: option for name, option in style.items() if name != "label"}


def label_curves(places, axes, ylabel):
    """Names and ends of the axes of curves."""
    axes.set(xlabel=places.names[0], ylabel=ylabel, xlim=places.ends)
    look.grid_lines(axes)


def finished(axes, path):
    """The only axes, or the array of them; saved if there is a path.

    Raises:
        TypeError: if `path` is none.
    """
    if path is not None:
        if not isinstance(path, str | pathlib.Path) or not str(path).strip():
            raise TypeError(f"`path` must be that of a file to write, got {path!r}.")
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        axes[0].figure.savefig(path, dpi=look.DPI)
    return axes[0] if len(axes) == 1 else axes
