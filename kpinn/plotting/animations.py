"""Pictures that move."""

import pathlib

import numpy as np

from kpinn.backend import look
from kpinn.backend.figures import animated
from kpinn.options import positive_whole, text
from kpinn.plotting import scales
from kpinn.plotting.grid import Grid, split_prediction, ticks_along
from kpinn.plotting.panels import draw_curves, draw_map, for_curves, for_maps, label_curves
from kpinn.plotting.slice import described

DPI = 90  # of films, which are large files
EDGE = 0.02  # of a map, left free around the outline
BY_PILLOW = (".gif", ".webp", ".apng", ".png")


def animation(
    pinn, domain, name="u", along="t", frames=50, points=101, path=None, fixed=None, fps=20
):
    """A film of a field over one or two axes, in time or along another coordinate.

    Colours and heights are the same in all frames. The domain may move.

    Args:
        pinn: model with `predict_fields(points, name) -> {name: (n, 1)}`.
        domain: `kpinn.domains.Domain`.
        name: field or derivative.
        along: name of the coordinate that is time in the film.
        frames: number of pictures, at equal distances.
        points, fixed: as for `field`; one or two axes are to be left beside `along`.
        path: file to save to: `.gif` needs no more than matplotlib, `.mp4` needs ffmpeg.
        fps: pictures in a second.

    Returns:
        A `matplotlib.animation.FuncAnimation`, which a notebook shows by
        `IPython.display.HTML(animation.to_jshtml())`.

    Raises:
        ImportError: if matplotlib is missing.
        ValueError: if there is no such coordinate, or as for `field`.

    Example:
        >>> plotting.animation(pinn, Box(t=(0, 1)) * disk, "u", path="disk.gif")
    """
    name, fps = text("name", name, "u_x"), positive_whole("fps", fps)
    times = ticks_along(domain, along, frames, "frames")
    at = [{**(fixed or {}), along: time} for time in times]
    grids = [Grid(domain, points, each) for each in at]
    titles = [f"{name}{described(each | {along: float(f'{each[along]:.3g}')})}" for each in at]
    values = split_prediction(pinn, grids, name)
    draw = _curves if len(grids[0].names) == 1 else _maps
    figure, show = draw(grids, name, values, titles)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # which would move the panels from frame to frame
    film = animated(figure, show, len(times), 1000 / fps)
    if path is not None:
        place = pathlib.Path(text("path", str(path), "film.gif"))
        place.parent.mkdir(parents=True, exist_ok=True)
        writer = "pillow" if place.suffix.lower() in BY_PILLOW else None
        film.save(place, writer=writer, fps=fps, dpi=DPI)
    return film


def _maps(grids, _, values, titles):
    (axes,), colours = for_maps(grids[0], None, 1), scales.colours(*values)
    look.colour_bar(draw_map(grids[0], axes, values[0], **colours), axes)
    low = np.min([grid.lower for grid in grids], axis=0)
    high = np.max([grid.upper for grid in grids], axis=0)
    room = EDGE * (high - low) if grids[0].covering is not None else 0.0 * low
    ends = np.stack([low - room, high + room], axis=1)

    def show(frame):
        for artist in [*axes.collections, *axes.lines]:
            artist.remove()
        draw_map(grids[frame], axes, values[frame], **colours)
        axes.set(xlim=ends[0], ylim=ends[1])
        axes.title.set_text(titles[frame])

    show(0)
    return axes.figure, show


def _curves(grids, name, values, titles):
    (axes,), every = for_curves(None, 1), scales.finite(*values)
    low, high = (every.min(), every.max()) if len(every) else (0.0, 1.0)
    room = 0.05 * (high - low) or 1.0

    def show(frame):
        for artist in list(axes.lines):
            artist.remove()
        label_curves(grids[frame], axes, ylabel=name)
        draw_curves(grids[frame], axes, values[frame])
        ends = [grid.ends for grid in grids]
        axes.set(xlim=(np.min(ends), np.max(ends)), ylim=(low - room, high + room))
        axes.title.set_text(titles[frame])

    show(0)
    return axes.figure, show
