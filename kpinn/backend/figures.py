"""What is asked of the optional packages matplotlib and pyvista, which are imported on use."""

PLOT = "Plots need matplotlib: pip install kpinn[plot]"


def figure(width, height):
    """A `matplotlib.figure.Figure`, which needs neither a display nor pyplot's global state.

    Args:
        width, height: in inches.

    Raises:
        ImportError: if matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(PLOT) from error
    made = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    made.get_layout_engine().set(w_pad=0.08)
    return made


def settings(changed):
    """A context with other `matplotlib.rcParams`, after which they are as before.

    Args:
        changed: dict of those that are others.
    """
    try:
        from matplotlib import rc_context
    except ImportError as error:
        raise ImportError(PLOT) from error
    return rc_context(changed)


def colour_map(name, pairs):
    """A `matplotlib.colors.Colormap` between colours.

    Args:
        name: of the map.
        pairs: list of places from 0 to 1 with their colours, `(0.0, "#FFFFFF")`.
    """
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(name, pairs)


def triangulation(nodes, triangles):
    """A `matplotlib.tri.Triangulation`.

    Args:
        nodes: `(n, 2)`.
        triangles: indices `(m, 3)`.

    Raises:
        ImportError: if matplotlib is missing.
    """
    try:
        from matplotlib.tri import Triangulation
    except ImportError as error:
        raise ImportError(PLOT) from error
    return Triangulation(*nodes.T, triangles)


def animated(figure, show, frames, interval):
    """A `matplotlib.animation.FuncAnimation`.

    Args:
        figure: that moves.
        show: function of the number of a frame, which draws it.
        frames: how many.
        interval: between them, in milliseconds.
    """
    from matplotlib.animation import FuncAnimation

    return FuncAnimation(figure, show, frames=frames, interval=interval)


def pyvista():
    """The package pyvista.

    Raises:
        ImportError: if it is missing.
    """
    try:
        import pyvista
    except ImportError as error:
        raise ImportError("Plots by pyvista need it: pip install kpinn[mesh]") from error
    return pyvista
