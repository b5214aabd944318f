"""Pictures of fields and residuals, over domains and along parts."""

import numpy as np

from kpinn.backend import look
from kpinn.domains.parts import Part
from kpinn.options import text
from kpinn.plotting import scales
from kpinn.plotting.along import Along
from kpinn.plotting.grid import Grid
from kpinn.plotting.panels import (
    draw_curves,
    draw_map,
    finished,
    for_curves,
    for_maps,
    label_curves,
)


def field(pinn, domain, name="u", reference=None, points=101, path=None, fixed=None, axes=None):
    """Draw a field or a derivative, beside a reference and the error if there is one.

    Two coordinates make maps (the first one horizontal), one coordinate makes curves. A domain
    other than a box is drawn to scale, with its outline; holes stay holes. Fixed coordinates of
    space make slices of bodies. A part of a boundary makes curves along it, one for each name, and
    the model gets its outward normals.

    Args:
        pinn: model with `predict_fields(points, name) -> {name: (n, 1)}`.
        domain: `kpinn.domains.Domain` to draw over, or a `Part` of one, of curves.
        name: field or derivative, such as `"u"`, `"u_xx"`, or on a boundary `"u_n"`.
        reference: function of one array `(n,)` per coordinate (`(n, d)` for a vector one), in the
            order of the domain; over a box also values on the grid, `(n,)`, `(n, 1)` or shaped as
            the grid, the first coordinate along the first axis.
        points: points along each axis that is drawn, an int or `{"t": 101, "x": 256}`. In a domain
            other than a box an int makes equal steps, as many in all, and finer ones near the
            boundary. Holes of less than a quarter of a step may be missed. Of a part, the number
            of all points.
        path: file to save to.
        fixed: `{name: value}` of the coordinates that are not drawn.
        axes: those to draw into; with a reference a sequence of three, for curves of two. By
            default those of a new figure.

    Returns:
        The matplotlib axes; with a reference an array of them, `(3,)` or `(2,)`.

    Raises:
        ImportError: if matplotlib is missing.
        TypeError, ValueError: if not one or two axes are left, nothing of the domain is, shapes do
            not fit, or `axes` are not as many as the picture has.

    Example:
        >>> axes = plotting.field(pinn, box, "u", lambda t, x: np.exp(-t) * np.sin(x))
        >>> axes[0].figure.savefig("u.png")
        >>> plotting.field(pinn, cube, "u_x", fixed={"z": 0.5}, path="slice.png")
        >>> plotting.field(pinn, flow.boundary("cylinder"), "p", fixed={"t": 2.0}, axes=axes[1])
    """
    places, name = _places(domain, points, fixed), text("name", name, "u_x")
    try:
        values = pinn.predict_fields(places.points, name)[name]
    except ValueError as error:
        raise ValueError(f"name={name!r} cannot be drawn: {error}") from error
    values = places.column(values, f"field {name!r}")
    expected = None if reference is None else places.reference(reference)
    draw = _field_curves if len(places.names) == 1 else _field_maps
    return finished(draw(places, name, values, expected, axes), path)


def residual(pinn, domain, condition, points=101, path=None, fixed=None, axes=None):
    """Draw the absolute residual of a condition on a logarithmic scale.

    Of several components the root of the sum of squares is drawn.

    Args:
        pinn: model with `residuals({condition: points}) -> {condition: (n, k)}`.
        domain: `kpinn.domains.Domain` to draw over, or a `Part` of one, of curves.
        condition: name of the condition; it must need no more than the coordinates, and on a part
            the normals.
        points, path, fixed: as for `field`.
        axes: those to draw into; by default those of a new figure.

    Returns:
        The matplotlib axes.

    Raises:
        ImportError: if matplotlib is missing.
        TypeError, ValueError: if not one or two axes are left, nothing of the domain is, or shapes
            do not fit.

    Example:
        >>> plotting.residual(pinn, box, "momentum", path="residual.png")
        >>> plotting.residual(pinn, box.boundary("x"), "walls", fixed={"t": 0.5})
    """
    places = _places(domain, points, fixed)
    values = np.asarray(pinn.residuals({condition: places.points})[condition], "float64")
    values = places.rows(values, f"the residual of {condition!r}")
    size = np.sqrt(np.sum(values**2, axis=1)).reshape(places.shape)
    if len(places.names) == 1:
        drawn = for_curves(axes, 1)
        label_curves(places, drawn[0], ylabel=f"|{condition}|")
        draw_curves(places, drawn[0], size, None if places.has_groups else look.WRONG)
        scales.log_axis(drawn[0], size)
        _group_legend(places, drawn[0])
    else:
        drawn, colours = for_maps(places, axes, 1), scales.log_colours(size)
        mesh = draw_map(places, drawn[0], np.maximum(size, colours["vmin"]), **colours)
        look.colour_bar(mesh, drawn[0])
    stated = f"root mean square {places.root_mean_square(size):.2e}"
    drawn[0].title.set_text(f"|{condition}|{places.where}, {stated}")
    return finished(drawn, path)


def _places(domain, points, fixed):
    return (Along if isinstance(domain, Part) else Grid)(domain, points, fixed)


def _field_maps(grid, name, values, expected, axes):
    drawn = for_maps(grid, axes, 1 if expected is None else 3)
    drawn[0].title.set_text(f"{name}{grid.where}")
    if expected is None:
        mesh = draw_map(grid, drawn[0], values, **scales.colours(values))
        look.colour_bar(mesh, drawn[0])
        return drawn
    colours, error = scales.colours(values, expected), np.abs(values - expected)
    draw_map(grid, drawn[0], values, **colours)
    mesh = draw_map(grid, drawn[1], expected, **colours)
    look.colour_bar(mesh, list(drawn[:2]))
    look.colour_bar(draw_map(grid, drawn[2], error, cmap=look.ERRORS, vmin=0.0), drawn[2])
    drawn[1].title.set_text("reference")
    drawn[2].title.set_text(f"|error|, {_relative_error(grid, values, expected)}")
    for each in drawn if axes is None else ():
        each.label_outer()
    return drawn


def _field_curves(places, name, values, expected, axes):
    drawn = for_curves(axes, 1 if expected is None else 2)
    upper, lower = drawn[0], drawn[-1]
    label_curves(places, upper, ylabel=name)
    if expected is None:
        draw_curves(places, upper, values)
        _group_legend(places, upper)
        upper.title.set_text(f"{name}{places.where}")
        return drawn
    wide = {} if places.has_groups else {"label": "prediction"}
    draw_curves(places, upper, values, linewidth=2.0, **wide)
    dashed = {"linestyle": "--", "linewidth": 1.0, "label": "reference"}
    draw_curves(places, upper, expected, look.EXACT, **dashed)
    look.legend(upper)
    upper.title.set_text(f"{name}{places.where}, {_relative_error(places, values, expected)}")
    label_curves(places, lower, ylabel="|error|")
    draw_curves(places, lower, np.abs(values - expected), look.WRONG)
    scales.log_axis(lower, np.abs(values - expected))
    if axes is None:
        upper.set_xlabel("")
    return drawn


def _group_legend(places, axes):
    if places.has_groups:
        look.legend(axes)


def _relative_error(places, values, expected):
    size, error = (places.root_mean_square(each) for each in (expected, values - expected))
    if size == 0:
        return f"L2 error {error:.3e} (reference is 0)"
    return f"relative L2 error {error / size:.3e}"
