"""What the functions of `kpinn.plotting` draw."""

import pathlib
from collections.abc import Mapping

import numpy as np

from kpinn.backend.figures import figure as new_figure
from kpinn.backend.figures import triangulation
from kpinn.options import text
from kpinn.options.arrays import real_array
from kpinn.plotting.grid import TALL, WIDE, Grid

VALUES, SIGNED, ERRORS = "viridis", "RdBu_r", "magma"
LONG = 7.0  # inches of the longer side of a map that is very wide or high
DECADES = 8  # what a logarithmic map shows below its largest value
RATES = ("learning_rate", "lr")  # schedules write these into the history; they are no losses


def field(pinn, domain, name="u", reference=None, points=101, path=None, fixed=None):
    """Draw a field or a derivative, beside a reference and the error if there is one.

    Two coordinates make maps (the first one horizontal), one coordinate makes curves. A domain
    other than a box is drawn to scale, with its outline; holes stay holes. Fixed coordinates of
    space make slices of bodies.

    Args:
        pinn: model with `predict_fields(points, name) -> {name: (n, 1)}`.
        domain: `kpinn.domains.Domain` to draw over.
        name: field or derivative, such as `"u"` or `"u_xx"`.
        reference: function of one array `(n,)` per coordinate (`(n, d)` for a vector one), in the
            order of the domain; over a box also values on the grid, `(n,)`, `(n, 1)` or shaped as
            the grid, the first coordinate along the first axis.
        points: points along each axis that is drawn, an int or `{"t": 101, "x": 256}`. In a domain
            other than a box an int makes equal steps, as many in all, and more near the boundary.
        path: file to save to.
        fixed: `{name: value}` of the coordinates that are not drawn.

    Returns:
        A matplotlib `Figure`.

    Raises:
        ImportError: if matplotlib is missing.
        ValueError: if not one or two axes are left, nothing of the domain is, or shapes do not fit.

    Example:
        >>> figure = plotting.field(pinn, box, "u", lambda t, x: np.exp(-t) * np.sin(x))
        >>> figure = plotting.field(pinn, cube, "u_x", fixed={"z": 0.5}, path="slice.png")
        >>> figure = plotting.field(pinn, channel - cylinder, "p", fixed={"t": 2.0})
    """
    grid, name = Grid(domain, points, fixed), text("name", name, "u_x")
    try:
        values = pinn.predict_fields(grid.points, name)[name]
    except ValueError as error:
        raise ValueError(f"name={name!r} cannot be drawn: {error}") from error
    values = grid.column(values, f"field {name!r}")
    expected = None if reference is None else grid.reference(reference)
    figure = (_field_curves if len(grid.names) == 1 else _field_maps)(grid, name, values, expected)
    return _save(figure, path)


def residual(pinn, domain, condition, points=101, path=None, fixed=None):
    """Draw the absolute residual of a condition on a logarithmic scale.

    Of several components the root of the sum of squares is drawn.

    Args:
        pinn: model with `residuals({condition: points}) -> {condition: (n, k)}`.
        domain: `kpinn.domains.Domain` to draw over.
        condition: name of the condition; it must need no more than the coordinates.
        points, path, fixed: as for `field`.

    Returns:
        A matplotlib `Figure`.

    Raises:
        ImportError: if matplotlib is missing.
        ValueError: if not one or two axes are left, nothing of the domain is, or shapes do not fit.

    Example:
        >>> figure = plotting.residual(pinn, box, "momentum", path="residual.png")
    """
    grid = Grid(domain, points, fixed)
    values = np.asarray(pinn.residuals({condition: grid.points})[condition], "float64")
    values = grid.rows(values, f"the residual of {condition!r}")
    size = np.sqrt(np.sum(values**2, axis=1)).reshape(grid.shape)
    if len(grid.names) == 1:
        figure = new_figure(6.4, 4.4)
        axes = figure.subplots()
        _curve_axes(grid, axes, ylabel=f"|{condition}|")
        axes.plot(*grid.curve(size), color="C3")
        _log_axis(axes, size)
    else:
        figure, (axes,) = _panels(grid, (6.4, 4.4), panel=5.0)
        colours = _log_colours(size)
        mesh = _map(grid, axes, np.maximum(size, colours["vmin"]), **colours)
        figure.colorbar(mesh, ax=axes)
    axes.set_title(f"|{condition}|{grid.where}, root mean square {grid.root_mean_square(size):.2e}")
    return _save(figure, path)


def history(history, path=None, unknowns=()):
    """Draw the losses of a training, and the unknowns of an inverse problem beside them.

    The loss axis is logarithmic where all losses are positive. A value `val_...` is a dashed line
    in the colour of its partner; if there are fewer of them (`validation_freq`), they are spread
    evenly over the epochs. Learning rates are left out.

    Args:
        history: `keras.callbacks.History`, or a dict of lists.
        path: file to save to.
        unknowns: keys to draw on a second panel.

    Returns:
        A matplotlib `Figure`.

    Raises:
        ImportError: if matplotlib is missing.
        TypeError, ValueError: if there is nothing to draw, or an unknown is not in the history.

    Example:
        >>> figure = plotting.history(pinn.fit(points, epochs=500), unknowns=["viscosity"])
    """
    logs = _logs(history, unknowns)
    losses = {k: v for k, v in logs.items() if k not in unknowns and k not in RATES}
    figure = new_figure(6.4 + 4.4 * bool(unknowns), 4.2)
    panels = figure.subplots(1, 1 + bool(unknowns), squeeze=False)[0]
    _lines(panels[0], losses)
    _loss_scale(panels[0], np.concatenate([*losses.values(), []]))
    panels[0].set_ylabel("loss")
    if unknowns:
        _lines(panels[1], {key: logs[key] for key in unknowns})
        panels[1].set_ylabel("unknowns")
    return _save(figure, path)


def _panels(grid, size, panel, count=1):
    """A figure with axes for `count` maps, beside each other, or one above the other if wide.

    Args:
        grid: `Grid`.
        size: width and height in inches of the figure of maps that are not drawn to scale.
        panel: width in inches of a map that is.
        count: number of maps.

    Returns:
        Figure and list of axes.
    """
    (width, height), ratio, is_wide = size, grid.ratio, False
    if ratio is not None and WIDE < ratio < TALL:
        height = 0.7 + panel * ratio
    elif ratio is not None:
        is_wide = ratio <= WIDE
        width = LONG + 1.6 if is_wide else count * (LONG / ratio + 1.6)
        height = count * (LONG * ratio + 0.8) if is_wide else LONG + 0.7
    figure = new_figure(width, height)
    if grid.covering is not None and count == 1:
        figure.set_layout_engine("compressed")  # that for axes of equal scale
    shape = (count, 1) if is_wide else (1, count)
    return figure, figure.subplots(*shape, sharex=True, sharey=True, squeeze=False).ravel()


def _save(figure, path):
    if path is not None:
        if not isinstance(path, str | pathlib.Path) or not str(path).strip():
            raise TypeError(f"`path` must be that of a file to write, got {path!r}.")
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
    return figure


def _field_maps(grid, name, values, expected):
    if expected is None:
        figure, (axes,) = _panels(grid, (6.0, 4.2), panel=4.6)
        figure.colorbar(_map(grid, axes, values, **_colours(values)), ax=axes)
        axes.set_title(f"{name}{grid.where}")
        return figure
    figure, (left, middle, right) = _panels(grid, (14.0, 4.0), panel=3.6, count=3)
    colours, error = _colours(values, expected), np.abs(values - expected)
    _map(grid, left, values, **colours)
    figure.colorbar(_map(grid, middle, expected, **colours), ax=[left, middle])
    figure.colorbar(_map(grid, right, error, cmap=ERRORS, vmin=0.0), ax=right)
    left.set_title(f"{name}{grid.where}")
    middle.set_title("reference")
    right.set_title(f"|error|, {_relative_error(grid, values, expected)}")
    for axes in (left, middle, right):
        axes.label_outer()
    return figure


def _field_curves(grid, name, values, expected):
    figure = new_figure(6.4, 4.2 if expected is None else 5.6)
    if expected is None:
        axes = figure.subplots()
        _curve_axes(grid, axes, ylabel=name)
        axes.plot(*grid.curve(values))
        axes.set_title(f"{name}{grid.where}")
        return figure
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _curve_axes(grid, lower, ylabel="|error|")
    upper.set_ylabel(name)
    upper.grid(alpha=0.3)
    upper.plot(*grid.curve(values), linewidth=2.5, label="prediction")
    upper.plot(*grid.curve(expected), "k--", linewidth=1.2, label="reference")
    upper.legend()
    upper.set_title(f"{name}{grid.where}, {_relative_error(grid, values, expected)}")
    lower.plot(*grid.curve(np.abs(values - expected)), color="C3")
    _log_axis(lower, np.abs(values - expected))
    return figure


def _map(grid, axes, values, **colours):
    style = {"shading": "gouraud", "rasterized": True, **colours}
    if grid.covering is None:
        mesh = axes.pcolormesh(*grid.ticks, values.T, **style)
    else:
        triangles = triangulation(grid.covering.nodes, grid.covering.simplices)
        mesh = axes.tripcolor(triangles, values, **style)
        axes.plot(*grid.covering.outline(), "k", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)  # the outline is the frame
    axes.set(xlabel=grid.names[0], ylabel=grid.names[1], aspect="equal" if grid.ratio else "auto")
    return mesh


def _curve_axes(grid, axes, ylabel):
    axes.set(xlabel=grid.names[0], ylabel=ylabel, xlim=grid.ticks[0][[0, -1]])
    axes.grid(alpha=0.3)


def _colours(*arrays):
    """One scale for all arrays: diverging and centred on 0 where there are both signs."""
    values = _finite(*arrays)
    low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
    if low < 0 < high:
        return {"cmap": SIGNED, "vmin": -max(-low, high), "vmax": max(-low, high)}
    return {"cmap": VALUES, "vmin": low, "vmax": high}


def _log_colours(values):
    """Logarithmic colours; zeros get the lowest colour."""
    limits = _log_limits(values)
    if limits is None:
        return {"cmap": ERRORS, "vmin": 0.0, "vmax": 1.0}
    return {"cmap": ERRORS, "norm": "log", "vmin": limits[0], "vmax": limits[1]}


def _log_axis(axes, values):
    """Logarithmic vertical axis, if any value is positive."""
    limits = _log_limits(values)
    if limits is not None:
        axes.set_yscale("log")
        axes.set_ylim(limits[0] / 2, limits[1] * 2)


def _log_limits(values):
    """Ends of a logarithmic scale, which do not follow the dips where `values` cross zero."""
    positive = _positive(values)
    if not len(positive):
        return None
    high = positive.max()
    return min(max(np.quantile(positive, 0.05), high * 10.0**-DECADES), high / 10), high


def _loss_scale(axes, values):
    """Logarithmic; with values <= 0 symmetric logarithmic, or linear if the range is small."""
    sizes, values = _positive(np.abs(values)), _finite(values)
    if not len(sizes):
        return
    if values.min() > 0:
        axes.set_yscale("log")
    elif sizes.max() > 100 * np.quantile(sizes, 0.05, method="lower"):
        axes.set_yscale("symlog", linthresh=sizes.max() * 1e-3)


def _logs(history, unknowns):
    logs = getattr(history, "history", history)
    if not isinstance(logs, Mapping):
        raise TypeError(f"`history` must be a keras History or a dict of lists, got {history!r}.")
    if isinstance(unknowns, str):
        raise TypeError(f"`unknowns` must be a list of keys, as in [{unknowns!r}].")
    missing = [key for key in unknowns if key not in logs]
    if missing:
        raise ValueError(f"The history has no {missing}. It has {list(logs)}.")
    arrays = {key: real_array(f"history[{key!r}]", values) for key, values in logs.items()}
    logs = {key: values.astype("float64").ravel() for key, values in arrays.items()}
    if not any(len(values) for values in logs.values()):
        raise ValueError("The history is empty. Train for at least one epoch first.")
    return logs


def _lines(axes, logs):
    epochs = max((len(values) for values in logs.values()), default=0)
    partners = dict.fromkeys(key.removeprefix("val_") for key in logs)
    colours = {key: f"C{i}" for i, key in enumerate(k for k in partners if k != "loss")}
    for key, values in logs.items():
        partner = key.removeprefix("val_")
        step = epochs // max(len(values), 1)
        axes.plot(
            step * np.arange(1, len(values) + 1),
            values,
            label=key,
            color=colours.get(partner, "black"),
            linewidth=2.5 if partner == "loss" else 1.3,
            linestyle="--" if key != partner else "-",
            marker="." if len(values) == 1 else None,
        )
    axes.grid(alpha=0.3)
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    if logs:
        axes.legend()


def _relative_error(grid, values, expected):
    size, error = (grid.root_mean_square(each) for each in (expected, values - expected))
    if size == 0:
        return f"L2 error {error:.3e} (reference is 0)"
    return f"relative L2 error {error / size:.3e}"


def _finite(*arrays):
    values = np.concatenate([np.ravel(array) for array in arrays])
    return values[np.isfinite(values)]


def _positive(*arrays):
    values = _finite(*arrays)
    return values[values > 0]
