"""`kpinn.export_vtk`: a solution on a grid or a mesh as files that ParaView opens."""

import os
import pathlib
from xml.sax.saxutils import quoteattr

import numpy as np

from kpinn.backend.figures import pyvista
from kpinn.backend.files import written_whole
from kpinn.options import check_pinn, is_path, shown, whole
from kpinn.options.arrays import real_array
from kpinn.serving.named_values import check_coordinates, named_values

SUFFIXES = {
    "ImageData": ".vti",
    "PolyData": ".vtp",
    "RectilinearGrid": ".vtr",
    "StructuredGrid": ".vts",
    "UnstructuredGrid": ".vtu",
}


def export_vtk(pinn, grid, path, names=None, times=None, points=51, fixed=None) -> list[str]:
    """Writes fields, derivatives and residuals on a grid or a mesh as VTK files, for ParaView.

    Args:
        pinn: a `kpinn.PINN`.
        grid: a domain of `kpinn.domains` with at most three coordinates, the axes of the files in
            its order; or a pyvista dataset, whose points are those of the coordinates of space.
        path: name of the file, without extension or with that of its kind: `.vtr` of a box,
            `.vtu` of another domain, `.pvd` of a series in time, whose other files are beside it.
        names: `"u, u_x, residual_heat"`, by default all fields; `residual_` stands before the name
            of a condition.
        times: values of the coordinate of time, `(k,)`, for a series.
        points: of a domain, points along its longest axis; the others have equal steps.
        fixed: dict from the coordinates and parameters that neither `grid` nor `times` has to
            their values.

    Returns:
        The names of the files, that which is to be opened first.

    Raises:
        ImportError: without pyvista.
        ValueError: for a coordinate without a value, a name without meaning, and a condition that
            needs further arrays.

    Example:

        kpinn.export_vtk(pinn, channel, "flow", "v, p, residual_momentum", times=[0, 1, 2])
    """
    check_pinn(pinn)
    mesh, axes = _mesh(pinn, grid, whole("points", points, 2))
    fixed = _fixed(pinn, axes, fixed, times)
    path = _path(path, ".pvd" if times is not None else SUFFIXES[type(mesh).__name__])
    if times is None:
        return [_write(pinn, mesh, axes, fixed, path, names)]
    suffix, files = SUFFIXES[type(mesh).__name__], []
    time = _time(pinn, axes)
    moments = real_array("times", times).ravel()
    for number, moment in enumerate(moments):
        each = path.with_name(f"{path.stem}_{number:04d}{suffix}")
        files.append(_write(pinn, mesh, axes, fixed | {time: moment}, each, names))
    lines = [
        f'<DataSet timestep="{moment!r}" part="0" file={quoteattr(os.path.basename(file))}/>'
        for moment, file in zip(moments.tolist(), files, strict=True)
    ]
    head = '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1">\n<Collection>'
    with written_whole(path) as new:
        new.write_text("\n".join([head, *lines, "</Collection>\n</VTKFile>\n"]), encoding="utf8")
    return [str(path), *files]


def _mesh(pinn, grid, points):
    """A pyvista dataset without values, and the names of its axes, one for each column."""
    package, space = pyvista(), pinn.problem.space
    if isinstance(grid, package.DataSet):
        if type(grid).__name__ not in SUFFIXES:
            raise ValueError(f"grid is a {type(grid).__name__}: expected {', '.join(SUFFIXES)}.")
        names = [name for name, part in space.coordinates.items() if part.start in space.spatial]
        axes = [n for n in names for _ in range(*space.coordinates[n].indices(space.input_size))]
        mesh = grid.copy()
        mesh.clear_data()
        return mesh, axes
    if not hasattr(grid, "bounds") or not hasattr(grid, "contains"):
        raise ValueError(
            f"grid is {shown(grid)}: expected a domain of kpinn.domains or a pyvista dataset."
        )
    axes = list(grid.bounds)
    if len(axes) > 3:
        raise ValueError(f"grid has the coordinates {', '.join(axes)}: VTK has three axes at most.")
    lower, upper = np.transpose(list(grid.bounds.values()))
    counts = np.maximum(2, np.round((upper - lower) / (upper - lower).max() * (points - 1)) + 1)
    ticks = [np.linspace(a, b, int(k)) for a, b, k in zip(lower, upper, counts, strict=True)]
    mesh = package.RectilinearGrid(*ticks, *[np.zeros(1)] * (3 - len(axes)))
    inside = np.ravel(grid.contains({n: mesh.points[:, i] for i, n in enumerate(axes)}))
    if not inside.all():
        mesh = mesh.extract_points(inside, adjacent_cells=False)
        mesh.clear_data()  # the numbers that the points had
    if not mesh.n_cells:
        raise ValueError(f"no cell of the grid is inside {grid!r}: expected more points.")
    return mesh, axes


def _fixed(pinn, axes, fixed, times):
    fixed = dict(fixed or {})
    given = {*axes, *fixed, *([] if times is None else [_time(pinn, axes)])}
    advice = "give it by fixed, or as the times of a series"
    check_coordinates(pinn.problem.space, given, advice)
    return fixed


def _time(pinn, axes):
    """The name of the coordinate of time."""
    space = pinn.problem.space
    for name, part in space.coordinates.items():
        of_space = part.start in space.spatial or name in space.parameters
        if not of_space and name not in axes:
            return name
    raise ValueError(
        "times are given, but the PINN has no coordinate of time (t or time) beside those of grid."
    )


def _path(path, suffix):
    if not is_path(path):
        raise ValueError(f"path is the name of a file, such as 'flow{suffix}', not {shown(path)}.")
    path = pathlib.Path(path)
    if path.suffix in (*SUFFIXES.values(), ".pvd", ".vtk") and path.suffix != suffix:
        raise ValueError(f"path ends with {path.suffix}, but what is written is {suffix}.")
    return path if path.suffix == suffix else path.with_name(path.name + suffix)


def _write(pinn, mesh, axes, fixed, path, names):
    """Writes one file; returns its name."""
    points = {
        name: mesh.points[:, [n == name for n in axes] + [False] * (3 - len(axes))]
        for name in dict.fromkeys(axes)
    }
    for name, value in fixed.items():
        row = real_array(f"fixed {name!r}", value).reshape(1, -1)
        points[name] = np.repeat(row, mesh.n_points, axis=0)
    mesh = mesh.copy()
    for name, values in named_values(pinn, points, names).items():
        values = values.reshape(mesh.n_points, -1)
        if values.shape[1] == 2:  # a vector in the plane of the first two axes
            values = np.pad(values, [(0, 0), (0, 1)])
        mesh.point_data[name] = values[:, 0] if values.shape[1] == 1 else values
    with written_whole(path) as new:
        mesh.save(str(new))
    return str(path)
