"""Fields, derivatives and residuals at points by one list of names, as files of grids have them."""

from kpinn.derivatives.names.declarations import split_names
from kpinn.options import did_you_mean
from kpinn.options import names as names_of

RESIDUAL = "residual_"  # before the name of a condition, as in an export


def named_values(pinn, points, names):
    """Values at points.

    Args:
        pinn: a `kpinn.PINN`.
        points: dict from name to array, the coordinates.
        names: `"u, u_x, residual_heat"`, or `None` for the fields.

    Returns:
        A dict from name to numpy array `(n, ...)`, in the order of the names.

    Raises:
        ValueError: for a name without meaning, and a condition that needs more than `points`.
    """
    fields = pinn.problem.space.fields
    listed = list(fields) if names is None else split_names(names_of("names", names, "u, u_x"))
    starts = [name for name in listed if name.startswith(RESIDUAL)]
    conditions = {n: n.removeprefix(RESIDUAL) for n in starts if n not in fields}
    rest = [name for name in listed if name not in conditions]
    found = pinn.predict_fields(points, rest) if rest else {}
    for name, condition in conditions.items():
        found[name] = pinn.residuals({condition: points})[condition]
    return {name: found[name] for name in listed}


def check_coordinates(space, given, advice):
    """Raises `ValueError` unless exactly the coordinates of a `Space` are given.

    Args:
        space: the `Space`.
        given: names.
        advice: how a missing one is given.
    """
    known = space.coordinates
    for name in given:
        if name not in known:
            raise ValueError(
                f"{name!r} is no coordinate of the PINN: there are {', '.join(known)}."
                f"{did_you_mean(name, known)}"
            )
    for name in known:
        if name not in given:
            raise ValueError(f"the coordinate {name!r} has no value: {advice}.")
