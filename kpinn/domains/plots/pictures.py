"""Pictures of domains and their parts by matplotlib: points by part, with their normals."""

import numpy as np

from kpinn.backend import look
from kpinn.domains import sampling
from kpinn.domains.plots import groups
from kpinn.domains.points import drawing, grids

MARKERS = ("o", "s", "^", "D")  # one for each round of the colours
FINE = 4_096  # places along a curve among which equally spaced ones are chosen
FEWEST = 16  # points of a part of a surface
ARROWS, LEAST = 40, 5  # normals in a picture, and of a part
ARROW = 0.05  # length of a normal, of the size of the picture
WIDE = 0.5  # height over width below which the legend is above the picture


def of_domain(domain, axes, points, normals, fixed):
    """The boundary, and points inside of a domain in the plane; see `Domain.plot`."""
    _check_space(domain, axes)
    shown, points = groups.of_domain(domain, fixed), sampling.count(points, "points")
    drawn, inside = _spread(shown, points), None
    if not domain.is_surface and len(domain.frame.spatial_axes) == 2:
        inside = drawing.evenly(groups.inside(domain, fixed), points, str(domain)).rows
    return _picture(domain.frame, drawn, inside, axes, normals)


def of_part(part, axes, points, normals, fixed):
    """The points of a part; see `Part.plot`."""
    _check_space(part.domain, axes)
    shown, points = groups.of_part(part, fixed), sampling.count(points, "points")
    return _picture(part.domain.frame, _spread(shown, points), None, axes, normals)


def _check_space(domain, axes):
    """Raises `ValueError` if there is no picture of a domain, or none in these axes."""
    dims = len(domain.frame.spatial_axes)
    if dims not in (2, 3):
        raise ValueError(
            f"A picture is of two or three dimensions of space, and {domain} has {dims}. "
            "Draw fields over a line by kpinn.plotting.field."
        )
    if axes is not None and (axes.name == "3d") != (dims == 3):
        raise ValueError(
            f"{domain} has {dims} dimensions of space, so it is drawn into axes that are made "
            f"{'with' if dims == 3 else 'without'} projection='3d'."
        )


def _picture(frame, drawn, inside, axes, normals):
    """Draws `{label: Drawn}`, and rows inside `(n, axes)` if there are any."""
    space, is_ours = frame.spatial_axes, axes is None
    rows = np.concatenate([each.rows for each in drawn.values()])[:, space]
    corners = np.stack([rows.min(axis=0), rows.max(axis=0)])
    size = np.linalg.norm(np.ptp(corners, axis=0))
    axes = _axes(corners) if is_ours else axes
    if inside is not None:
        axes.scatter(*inside[:, space].T, s=4, color=look.PALE, linewidths=0, label="inside")
    for index, (label, each) in enumerate(drawn.items()):
        marker, shade = MARKERS[index // len(look.COLOURS) % len(MARKERS)], look.colour(index)
        axes.scatter(*each.rows[:, space].T, s=7, color=shade, marker=marker, label=label)
        if normals and each.normals is not None and len(each.rows):
            some = each.pick(_some(len(each.rows), len(rows), len(space)))
            _arrows(axes, some.rows[:, space], some.normals, size, shade)
    _finish(axes, frame, corners, is_ours)
    return axes


def _axes(corners):
    """Axes of a new figure, of a shape for points between these corners."""
    spans = np.ptp(corners, axis=0)
    if len(spans) == 3:
        (axes,) = look.panels(6.0, 4.2, subplot_kw={"projection": "3d"})
        return axes
    ratio = spans[1] / spans[0] if spans[0] else 1.0
    if ratio < WIDE:
        width, height = 7.0, 1.2 + 6.2 * ratio
    else:
        width, height = min(6.0, 2.2 + 4.4 / ratio), min(0.8 + 4.0 * ratio, 5.4)
    (axes,) = look.panels(width, height, layout="compressed")
    return axes


def _spread(shown, points):
    """About so many points of `{label: patches}`, evenly spread, as `{label: Drawn}`."""
    patches = [patch for own in shown.values() for patch in own]
    if any(patch.numbers > 1 for patch in patches):
        density = points / sum(patch.measure for patch in patches)
        counts = {k: round(density * sum(p.measure for p in own)) for k, own in shown.items()}
        return {
            label: drawing.evenly(own, max(FEWEST, counts[label]), label)
            for label, own in shown.items()
        }
    curves = [patch for patch in patches if patch.numbers]
    length = sum(len(grids.along(patch, FINE).rows) / FINE * patch.measure for patch in curves)
    spacing = length / points
    return {
        label: drawing.together([_stepped(patch, spacing) for patch in own])
        for label, own in shown.items()
    }


def _stepped(patch, spacing):
    """The points of a curve with this distance between them, at least one if there is any."""
    along = grids.along(patch, FINE)
    step = max(1, round(spacing * FINE / patch.measure)) if patch.numbers else 1
    return along.pick(slice(min(step, len(along.rows)) // 2, None, step))


def _some(count, total, dims):
    """Which of the points of a part get an arrow: of curves in equal steps."""
    share = ARROWS / total
    if dims == 3:
        chosen = min(count, max(LEAST, round(share * count)))
        return np.random.default_rng(0).permutation(count)[:chosen]
    step = max(1, min(round(1 / share), count // LEAST))
    return np.arange((step - 1) // 2, count, step)


def _arrows(axes, rows, normals, size, shade):
    """Normals at points, short beside the part that these belong to.

    Args:
        axes: of matplotlib.
        rows, normals: `(n, d)`.
        size: of the picture.
        shade: their colour.
    """
    own = np.linalg.norm(np.ptp(rows, axis=0))
    length = min(ARROW * size, 0.25 * own) if own else ARROW * size
    if rows.shape[1] == 3:
        axes.quiver(*rows.T, *normals.T, length=length, color=shade, linewidth=0.8)
        return
    style = {"angles": "xy", "scale_units": "xy", "scale": 1.0, "width": 0.0025}
    axes.quiver(*rows.T, *length * normals.T, color=shade, headwidth=5, headlength=6, **style)
    axes.update_datalim(rows + length * normals)


def _finish(axes, frame, corners, is_ours):
    """Labels, equal axes and the legend."""
    labels = [frame.label(axis) for axis in frame.spatial_axes]
    axes.set(xlabel=labels[0], ylabel=labels[1])
    spans, legend = np.ptp(corners, axis=0), {}
    if is_ours:
        legend = {"loc": "upper left", "bbox_to_anchor": (1.02, 1.0)}
    if len(labels) == 3:
        pad = ARROW * np.linalg.norm(spans)
        axes.set(zlabel=labels[2], **_limits(corners, pad))
        axes.set_box_aspect(spans + 2 * pad, zoom=0.85)
        axes.locator_params(nbins=4)
    else:
        axes.set_aspect("equal")
        axes.autoscale_view()
        if is_ours and spans[1] < WIDE * spans[0]:
            legend |= {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "ncols": 6}
    look.legend(axes, **legend)


def _limits(corners, pad):
    """Limits of axes in space, for `axes.set`."""
    ends = np.transpose([corners[0] - pad, corners[1] + pad]).tolist()
    return dict(zip(("xlim", "ylim", "zlim"), ends, strict=True))
