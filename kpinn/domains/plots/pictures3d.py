"""Surfaces in space as triangles: grids of the unit square on each patch, cut at its conditions."""

import numpy as np

from kpinn.backend.figures import pyvista
from kpinn.backend.look import colour
from kpinn.domains import sampling
from kpinn.domains.integrating.lines import last
from kpinn.domains.plots import groups
from kpinn.options import number

END = 1e-9  # from the ends of an interval of a number, beyond which the map may jump


def of_domain(domain, plotter, points, opacity, fixed):
    """The boundary, or the domain itself if it is a surface; see `Domain.plot3d`."""
    return _plot(domain, groups.of_domain(domain, fixed), plotter, (points, opacity))


def of_part(part, plotter, points, opacity, fixed):
    """A part; see `Part.plot3d`."""
    return _plot(part.domain, groups.of_part(part, fixed), plotter, (points, opacity))


def _plot(domain, shown, plotter, options):
    points, opacity = sampling.count(options[0], "points"), number("opacity", options[1], "[0, 1]")
    found = {label: triangulated(domain, own, points) for label, own in shown.items()}
    package = pyvista()
    plotter = package.Plotter() if plotter is None else plotter
    for index, (label, (vertices, triangles)) in enumerate(found.items()):
        mesh = package.PolyData.from_regular_faces(vertices, triangles)
        plotter.add_mesh(mesh, color=colour(index), label=label, opacity=opacity)
    plotter.add_legend(face="rectangle", bcolor=None)
    labels = [domain.frame.label(axis) for axis in domain.frame.spatial_axes]
    plotter.show_grid(xtitle=labels[0], ytitle=labels[1], ztitle=labels[2])
    return plotter


def triangulated(domain, patches, points):
    """Triangles of the surface that patches make together.

    Args:
        domain: the `Region` that they belong to, of three dimensions of space.
        patches: `Patch`es with two numbers.
        points: before cuts, about; more where patches have more pieces.

    Returns:
        Vertices `(n, 3)` and indices `(m, 3)`.

    Raises:
        ValueError: if they are no surfaces in space.
    """
    space = domain.frame.spatial_axes
    if len(space) != 3 or any(patch.numbers != 2 for patch in patches):
        raise ValueError(
            f"plot3d() draws surfaces in three dimensions of space, and {domain} has none there. "
            "In the plane use plot()."
        )
    vertices, triangles, count = [], [], 0
    for patch in (each.smooth or each for each in patches):
        corners = _cut(patch, _grid(patch, max(1, points // len(patches))))
        vertices.append(patch.place(corners.reshape(-1, 2), np)[:, space])
        triangles.append(count + np.arange(3 * len(corners)).reshape(-1, 3))
        count += 3 * len(corners)
    return np.concatenate(vertices), np.concatenate(triangles)


def _grid(patch, points):
    """Triangles `(m, 3, 2)` of the unit square, none of which goes over a break."""
    pieces = np.prod([len(ends) - 1 for ends in patch.ends])
    steps = max(1, int(np.sqrt(points / pieces)))
    (left, right), (low, high) = (_intervals(ends, steps) for ends in patch.ends)
    (left, low), (right, high) = np.meshgrid(left, low), np.meshgrid(right, high)
    corners = [(left, low), (right, low), (right, high), (left, high)]
    corners = np.stack([np.stack([x.ravel(), y.ravel()], axis=1) for x, y in corners], axis=1)
    return np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])


def _intervals(ends, steps):
    """Starts and ends of equal steps in each of several intervals."""
    ticks = np.linspace(END, 1 - END, steps + 1)
    places = ends[:-1, None] + np.diff(ends)[:, None] * ticks
    return places[:, :-1].ravel(), places[:, 1:].ravel()


def _cut(patch, corners):
    """What conditions leave of triangles `(m, 3, 2)` of the unit square."""
    if not patch.is_cut:
        return corners

    def holds_at(unit):
        return np.all([condition(unit, np) <= 0 for condition in patch.conditions], axis=0)

    def cut(inside, outside):
        return last(holds_at, inside, outside)

    holds = holds_at(corners.reshape(-1, 2)).reshape(-1, 3)
    # Of each triangle the corner that is on its own side comes first, the order stays.
    alone = np.where(np.sum(holds, axis=1) == 1, np.argmax(holds, axis=1), np.argmin(holds, axis=1))
    order = (alone[:, None] + np.arange(3)) % 3
    corners, holds = np.take_along_axis(corners, order[..., None], axis=1), holds.sum(axis=1)
    tips, stumps = corners[holds == 1], corners[holds == 2]
    a, b, c = tips.transpose(1, 0, 2)
    tips = np.stack([a, cut(a, b), cut(a, c)], axis=1)
    a, b, c = stumps.transpose(1, 0, 2)
    first, second = cut(b, a), cut(c, a)
    stumps = [np.stack([first, b, c], axis=1), np.stack([first, c, second], axis=1)]
    return np.concatenate([corners[holds == 3], tips, *stumps])
