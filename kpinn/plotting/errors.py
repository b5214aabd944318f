"""Pictures of what is known about errors: against time, and of unknowns."""

import numpy as np

from kpinn.backend import look
from kpinn.options import text
from kpinn.plotting import scales
from kpinn.plotting.grid import Grid, split_prediction, ticks_along
from kpinn.plotting.panels import finished, for_curves
from kpinn.plotting.slice import described
from kpinn.problem.unknowns import entries

SURE = 1.96  # standard errors on both sides, in which 95 % of a normal distribution lie


def error(
    pinn, domain, reference, name="u", along="t", points=51, path=None, fixed=None, axes=None
):
    """Draw how the error of a field depends on time, or on another coordinate.

    At each time it is the root mean square of the error over the rest of the domain, divided by
    that of the reference over all times: so its own root mean square is the relative L2 error, and
    a reference that vanishes at some time divides nothing by zero.

    Args:
        pinn: model with `predict_fields(points, name) -> {name: (n, 1)}`.
        domain: `kpinn.domains.Domain`.
        reference: function of the coordinates, as for `field`.
        name: field or derivative.
        along: name of the coordinate.
        points: points along it, and along each other axis.
        path, fixed: as for `field`; one or two axes are to be left beside `along`.
        axes: those to draw into; by default those of a new figure.

    Returns:
        The matplotlib axes.

    Raises:
        ImportError: if matplotlib is missing.
        ValueError: if there is no such coordinate, or as for `field`.

    Example:
        >>> plotting.error(pinn, box, lambda t, x: np.exp(-t) * np.sin(x), path="error.png")
    """
    name, values = text("name", name, "u_x"), ticks_along(domain, along, points)
    if not callable(reference):
        raise TypeError(f"`reference` must be a function of {domain.coordinates}.")
    grids = [Grid(domain, points, {**(fixed or {}), along: value}) for value in values]
    found = split_prediction(pinn, grids, name)
    expected = [grid.reference(reference) for grid in grids]
    sizes = [each.root_mean_square(part) for each, part in zip(grids, expected, strict=True)]
    parts = zip(grids, found, expected, strict=True)
    errors = np.array([grid.root_mean_square(u - exact) for grid, u, exact in parts])
    size = float(np.sqrt(np.mean(np.square(sizes))))
    if size:
        errors = errors / size
    (drawn,) = for_curves(axes, 1)
    drawn.plot(values, errors, color=look.WRONG, linewidth=look.WIDTH)
    label = "relative L2 error" if size else "L2 error"
    drawn.set(xlabel=along, ylabel=f"{label} of {name}", xlim=values[[0, -1]])
    look.grid_lines(drawn)
    scales.log_axis(drawn, errors)
    total = np.sqrt(np.mean(errors**2))
    drawn.title.set_text(f"{name}{described(fixed)}, {label} {total:.3e}")
    return finished([drawn], path)


def unknowns(pinn, covariance=None, exact=None, path=None, axes=None):
    """Draw the unknowns of an inverse problem, with the intervals in which they lie.

    Bars are 1.96 standard errors long on both sides: if noise is all that is wrong, 95 of 100 of
    them contain the exact value.

    Args:
        pinn: `kpinn.PINN` with unknowns.
        covariance: what `kpinn.covariance` has returned for it, or None.
        exact: dict from unknown to its exact value, or None. With it, values are divided by the
            exact ones.
        path: file to save to.
        axes: those to draw into; by default those of a new figure.

    Returns:
        The matplotlib axes.

    Raises:
        ImportError: if matplotlib is missing.
        ValueError: if there are no unknowns, or exact values do not fit or are zero.

    Example:
        >>> found = kpinn.covariance(pinn, (points, {"samples": u}), "samples")
        >>> plotting.unknowns(pinn, found, exact={"viscosity": 0.01}, path="unknowns.png")
    """
    if not pinn.unknowns:
        raise ValueError("The PINN has no unknowns: declare one by self.unknown(name, initial).")
    labels, values, errors = [], [], []
    for name, variable in pinn.unknowns.items():
        labels += entries(name, variable)
        value = np.ravel(variable.numpy()).astype(float)
        error = np.full(value.shape, np.nan)
        if covariance is not None:
            error = np.ravel(covariance.standard_errors[name]).astype(float)
        scale = 1.0 if exact is None else _exact(exact, name, value)
        values += (value / scale).tolist()
        errors += (error / np.abs(scale)).tolist()
    height = 0.9 + 0.3 * len(labels)
    (drawn,) = look.panels(5.2, height) if axes is None else look.given(axes, 1)
    rows = np.arange(len(labels))
    bars = {"capsize": 3, "elinewidth": look.WIDTH, "markersize": 4, "color": look.FOUND}
    drawn.errorbar(values, rows, xerr=SURE * np.array(errors), fmt="o", **bars)
    if exact is not None:
        drawn.axvline(1.0, color=look.EXACT, linewidth=1.0, linestyle="--")
    drawn.set(yticks=rows, ylim=(len(labels) - 0.5, -0.5))
    drawn.set_yticklabels(labels)
    drawn.set_xlabel("value" if exact is None else "value / exact value")
    look.grid_lines(drawn)
    return finished([drawn], path)


def _exact(exact, name, value):
    if name not in exact:
        raise ValueError(f"`exact` has no {name!r}. It has {list(exact)}.")
    found = np.asarray(exact[name], float)
    if found.size != value.size or not np.all(found):
        raise ValueError(
            f"exact[{name!r}] must be {value.size} number(s) other than zero, got {exact[name]!r}."
        )
    return np.ravel(found)
