"""Pictures of points, with their weights."""

from collections.abc import Mapping

import numpy as np

from kpinn.backend import look
from kpinn.derivatives.names.declarations import split_names
from kpinn.options import names as names_of
from kpinn.options.arrays import float_array
from kpinn.plotting.panels import finished

EXTRAS = ("n", "w", "distance", "s", "s1", "s2")  # what points of domains carry beside coordinates
AREA = 6.0  # of a marker of mean weight, in square points


def points(points, weights=None, coordinates=None, path=None, axes=None):
    """Draw where points are, each set in its colour, with markers as large as their weights.

    Args:
        points: dict of arrays `(n, 1)`, `(n,)` or `(n, d)`; or a dict of such dicts by condition,
            as `fit` takes it.
        weights: `(n,)` or `(n, 1)`, not negative, or a dict of them by condition: the area of a
            marker; a set without weights has the mean.
        coordinates: names of the one, two or three to draw, `"x y"`. By default all, but for
            normals and what else `sample` adds.
        path: file to save to.
        axes: those to draw into, for three coordinates with `projection="3d"`; by default those of
            a new figure.

    Returns:
        The matplotlib axes.

    Raises:
        ImportError: if matplotlib is missing.
        TypeError, ValueError: for points that cannot be drawn, or weights that do not fit them.

    Example:
        >>> plotting.points(box.sample(500), path="points.png")
        >>> plotting.points(points, {"momentum": sample_weight}, "t x")
    """
    if not isinstance(points, Mapping) or not points:
        raise TypeError(f"`points` must be a dict of arrays, or of dicts of them, got {points!r}.")
    sets = points if all(isinstance(each, Mapping) for each in points.values()) else {"": points}
    rows = {name: _rows(name, own, coordinates) for name, own in sets.items()}
    labels = list(next(iter(rows.values())))
    rows = {name: np.stack([_column(name, own, k) for k in labels]) for name, own in rows.items()}
    sizes = _sizes(rows, weights)
    if axes is None:
        options = {"subplot_kw": {"projection": "3d"}} if len(labels) == 3 else {}
        axes = look.panels(5.6, 1.4 if len(labels) == 1 else 3.8, **options)
    (drawn,) = look.given(axes, 1)
    if (drawn.name == "3d") != (len(labels) == 3):
        raise ValueError(
            f"Axes with projection='3d' are for three coordinates, and these are {labels}."
        )
    for index, (name, own) in enumerate(rows.items()):
        place = own if len(own) > 1 else [*own, np.full(own.shape[1], float(index))]
        style = {"color": look.colour(index), "linewidths": 0, "alpha": 0.8}
        drawn.scatter(*place, s=sizes[name], label=name or None, **style)
    _label(drawn, labels, list(sets))
    return finished([drawn], path)


def _rows(name, own, coordinates):
    """`{label: column (n,)}` of a set."""
    what = f"points[{name!r}]" if name else "points"
    wanted = [key for key in own if key not in EXTRAS]
    if coordinates is not None:
        wanted = split_names(names_of("coordinates", coordinates, "x y"))
    if missing := [key for key in wanted if key not in own]:
        raise ValueError(f"{what} has no {missing}. It has {list(own)}.")
    found = {}
    for key in wanted:
        array = float_array(f"{what}[{key!r}]", own[key])
        array = array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1)
        labels = [key] if array.shape[1] == 1 else [f"{key}[{i}]" for i in range(array.shape[1])]
        found |= dict(zip(labels, array.T, strict=True))
    if not 1 <= len(found) <= 3:
        raise ValueError(
            f"A picture is of one, two or three coordinates, and {what} has {list(found)}. Pass "
            "coordinates='x y'."
        )
    if len({len(column) for column in found.values()}) > 1:
        raise ValueError(f"The arrays of {what} are not of the same length.")
    return found


def _column(name, own, label):
    if label not in own:
        raise ValueError(f"points[{name!r}] has no {label!r}, as the first set has.")
    return own[label]


def _sizes(rows, weights):
    """`{name: areas of markers (n,)}`."""
    given = weights if isinstance(weights, Mapping) else dict.fromkeys(rows, weights)
    if strange := [name for name in given if name not in rows]:
        raise ValueError(f"`weights` has {strange}, which are none of the sets {list(rows)}.")
    found = {}
    for name, own in rows.items():
        if given.get(name) is None:
            found[name] = np.full(own.shape[1], AREA)
            continue
        values = float_array("weights", given[name]).ravel()
        if values.shape != own.shape[1:] or np.any(values < 0) or not values.any():
            raise ValueError(
                f"Expected {own.shape[1]} weights that are not negative, one per point, got the "
                f"shape {values.shape} and the least {values.min(initial=0.0):g}."
            )
        found[name] = AREA * values / values.mean()
    return found


def _label(axes, labels, sets):
    axes.set(xlabel=labels[0])
    if len(labels) == 1:
        axes.set(ylim=(-0.5, len(sets) - 0.5), yticks=range(len(sets)))
        axes.set_yticklabels(sets)
        return
    axes.set(ylabel=labels[1])
    if len(labels) == 3:
        axes.set(zlabel=labels[2])
        axes.locator_params(nbins=4)
    if sets != [""]:
        look.legend(axes, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4)
