"""`kpinn.to_xarray`: fields, derivatives and residuals on a grid, with names for all axes."""

import numpy as np

from kpinn.backend.version import __version__
from kpinn.options import check_pinn, shown
from kpinn.options.arrays import real_array
from kpinn.serving.named_values import check_coordinates, named_values


def to_xarray(pinn, grid, names=None):
    """Fields, derivatives and residuals on a grid as an `xarray.Dataset`.

    It is `predict_fields` at every point of a product of coordinates. A vector `v[2]` has another
    axis `v_component` behind those of the coordinates, and a Hessian `hessian_u` also
    `hessian_u_component_2`.

    Args:
        pinn: a `kpinn.PINN`.
        grid: dict from each coordinate and parameter to its values, `(k,)`, an axis of the result,
            or to one number.
        names: `"u, u_x, residual_heat"`, by default all fields; `residual_` stands before the name
            of a condition.

    Returns:
        An `xarray.Dataset`; `to_netcdf` of it writes a file.

    Raises:
        ImportError: without xarray.
        ValueError: for a missing or unknown coordinate, one with several columns, a name without
            meaning, and a condition that needs further arrays.

    Example:

        data = kpinn.to_xarray(pinn, {"t": [0, 1], "x": np.linspace(-1, 1, 201)}, "u, u_x")
        data["u"].sel(t=1).plot()
    """
    try:
        import xarray
    except ImportError as error:
        raise ImportError("kpinn.to_xarray needs xarray: pip install 'kpinn[data]'.") from error
    check_pinn(pinn)
    values = _checked(pinn.problem.space, grid)
    axes = [name for name, each in values.items() if each.ndim == 1]
    lattice = np.broadcast_arrays(*np.meshgrid(*(values[n] for n in axes), indexing="ij"))
    points = {name: each.ravel() for name, each in zip(axes, lattice, strict=True)}
    count = np.prod([values[n].size for n in axes], dtype=int)
    points |= {name: np.full(count, each) for name, each in values.items() if each.ndim == 0}
    shape, data = tuple(values[n].size for n in axes), {}
    for name, found in named_values(pinn, points, names).items():
        inner = found.shape[1:] if found.shape[1:] != (1,) else ()
        labels = [f"{name}_component{f'_{i + 1}' if i else ''}" for i in range(len(inner))]
        data[name] = ((*axes, *labels), found.reshape(shape + inner))
    coordinates = {name: ((name,), v) if v.ndim else v for name, v in values.items()}
    attributes = {"source": f"kpinn {__version__}", "conditions": ", ".join(pinn.conditions)}
    return xarray.Dataset(data, coordinates, attributes)


def _checked(space, grid):
    """The values as arrays, in the order of the grid."""
    if not isinstance(grid, dict):
        raise ValueError(f"grid is a dict from coordinate to values, not {shown(grid)}.")
    check_coordinates(space, grid, "give its values, or a number, in grid")
    values = {}
    for name, part in space.coordinates.items():
        if part.stop - part.start != 1:
            raise ValueError(
                f"the coordinate {name!r} has {part.stop - part.start} columns, which are no axis: "
                "use pinn.predict_fields."
            )
    for name, given in grid.items():
        values[name] = real_array(f"grid {name!r}", given)
        if values[name].ndim > 1 or not values[name].size:
            raise ValueError(
                f"grid has the shape {values[name].shape} for {name!r}: expected (k,) or a number."
            )
    return values
