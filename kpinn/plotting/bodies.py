"""Fields on surfaces and slices of bodies, by pyvista."""

import numpy as np

from kpinn.backend.figures import pyvista
from kpinn.backend.look import EXACT
from kpinn.domains import sampling
from kpinn.domains.parts import Part
from kpinn.domains.plots import groups, pictures3d
from kpinn.options import text
from kpinn.plotting import scales
from kpinn.plotting.grid import Grid, split_prediction
from kpinn.plotting.places import only_column

BAR = {"vertical": True, "fmt": "%.3g", "label_font_size": 14, "title_font_size": 16}


def surface(pinn, domain, name="u", points=10_000, plotter=None, fixed=None):
    """Draw a field or a derivative as the colours of a surface in space.

    Args:
        pinn: model with `predict_fields(points, name) -> {name: (n, 1)}`.
        domain: `kpinn.domains.Domain` of three dimensions of space, whose boundary is drawn, or a
            `Part` of one.
        name: field or derivative, not along the normal.
        points: of the surface, about.
        plotter: a `pyvista.Plotter` to draw into; by default a new one.
        fixed: `{name: value}` of time and parameters.

    Returns:
        The plotter, whose `show()` shows it and `screenshot(path)` saves it; for the latter alone,
        `pyvista.Plotter(off_screen=True)` needs no display.

    Raises:
        ImportError: if pyvista is missing.
        ValueError: if it is no surface in space, or what is fixed is not time and parameters.

    Example:
        >>> plotting.surface(pinn, wing.boundary("wing"), "p").show()
    """
    is_part, points = isinstance(domain, Part), sampling.count(points, "points")
    whole = domain.domain if is_part else domain
    shown = (groups.of_part if is_part else groups.of_domain)(domain, fixed)
    patches = [patch for own in shown.values() for patch in own]
    vertices, triangles = pictures3d.triangulated(whole, patches, points)
    rows = np.zeros((len(vertices), whole.frame.width))
    rows[:, whole.frame.spatial_axes] = vertices
    for axis, value in (groups.check_fixed(whole, fixed) | dict(patches[0].fixed)).items():
        if axis in whole.frame.other_axes:
            rows[:, axis] = value
    name = text("name", name, "u_x")
    values = np.asarray(pinn.predict_fields(whole.frame.points(rows), name)[name], "float64")
    values = only_column(values.reshape(len(values), -1), f"field {name!r}")
    return _drawn(whole, name, [(vertices, triangles, values)], plotter)


def slices(pinn, domain, at, name="u", points=101, plotter=None, fixed=None):
    """Draw a field or a derivative on planes through a body.

    Args:
        pinn: model with `predict_fields(points, name) -> {name: (n, 1)}`.
        domain: `kpinn.domains.Domain` of three dimensions of space.
        at: where the planes are, `{"z": [0.1, 0.5], "x": 0.0}`.
        name: field or derivative.
        points: along each axis of a plane, as for `field`.
        plotter, fixed: as for `surface`.

    Returns:
        The plotter.

    Raises:
        ImportError: if pyvista is missing.
        ValueError: if it is no body in space, or a plane does not meet it.

    Example:
        >>> plotting.slices(pinn, duct, {"z": [0.1, 0.2, 0.3]}, "w").show()
    """
    space = domain.frame.spatial_axes
    strange = [name for name in at if name not in domain.spatial]
    if len(space) != 3 or strange or not at:
        raise ValueError(
            f"Slices are of bodies in space, at values of {tuple(domain.spatial)}, got {at!r} for "
            f"{domain}. In the plane use kpinn.plotting.field."
        )
    name, fixed = text("name", name, "u_x"), fixed or {}
    planes = [{**fixed, key: value} for key, values in at.items() for value in np.ravel(values)]
    grids = [Grid(domain, points, plane) for plane in planes]
    found = split_prediction(pinn, grids, name)
    meshes = []
    for grid, values in zip(grids, found, strict=True):
        columns = [grid.points[key] for key in domain.spatial]
        meshes.append((np.concatenate(columns, axis=1), _triangles(grid), values.ravel()))
    return _drawn(domain, name, meshes, plotter)


def _drawn(domain, name, meshes, plotter):
    """Draws `[(vertices (n, 3), triangles (m, 3), values (n,))]` with one scale of colours."""
    package, colours = pyvista(), scales.colours(*[values for _, _, values in meshes])
    plotter = package.Plotter() if plotter is None else plotter
    style = {"cmap": colours["cmap"], "clim": (colours["vmin"], colours["vmax"])}
    for vertices, triangles, values in meshes:
        mesh = package.PolyData.from_regular_faces(vertices, triangles)
        mesh.point_data[name] = values
        plotter.add_mesh(mesh, scalars=name, scalar_bar_args=BAR | {"title": name}, **style)
    labels = [domain.frame.label(axis) for axis in domain.frame.spatial_axes]
    plotter.show_grid(xtitle=labels[0], ytitle=labels[1], ztitle=labels[2], color=EXACT)
    return plotter


def _triangles(grid):
    if grid.covering is not None:
        return grid.covering.simplices
    numbers = np.arange(grid.size).reshape(grid.shape)
    a, b, c, d = numbers[:-1, :-1], numbers[1:, :-1], numbers[1:, 1:], numbers[:-1, 1:]
    corners = [np.stack(each, axis=-1).reshape(-1, 3) for each in ((a, b, c), (a, c, d))]
    return np.concatenate(corners)
