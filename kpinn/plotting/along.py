"""The points of a picture along a part of a domain that is made of curves."""

import numpy as np

from kpinn.domains.plots import groups
from kpinn.domains.plots.restrictions import restricted
from kpinn.domains.points import drawing, grids
from kpinn.domains.points.extras import carried
from kpinn.options import whole
from kpinn.plotting.places import Places
from kpinn.plotting.slice import described

FEWEST = 8  # points of a piece
NEAR = 0.75  # of two steps, within which the ends of pieces are joined
APART = 1.5  # of a step, beyond which a curve has a gap


class Along(Places):
    """Points at equal distances along the curves of a part, one named group after the other.

    The horizontal axis is the coordinate that varies, if there is only one or it is time or a
    parameter; else the arc length `s`.

    Args:
        part: `kpinn.domains.Part`.
        points: their number, about.
        fixed: `{name: value}` of time and parameters, or None.

    Raises:
        TypeError, ValueError: if the part is not made of curves.
    """

    kind = "along the part"

    def __init__(self, part, points, fixed):
        self.coordinates = part.domain.coordinates
        pieces = _pieces(part, fixed)
        length = sum(patch.measure for _, patch in pieces)
        density = whole("points along a part", points, 2) / length
        counts = [max(FEWEST, round(density * patch.measure)) for _, patch in pieces]
        drawn = [grids.along(piece[1], n) for piece, n in zip(pieces, counts, strict=True)]
        steps = [piece[1].measure / n for piece, n in zip(pieces, counts, strict=True)]
        labels = np.repeat([label for label, _ in pieces], [len(each.rows) for each in drawn])
        every = drawing.together(drawn)
        self.points = carried(part, every.rows, every.normals, ())
        self.size = len(every.rows)
        self.shape = (self.size,)
        self.weights = np.repeat(steps, [len(each.rows) for each in drawn])
        self.where = _where(labels, fixed)
        axis = _axis(part.domain, every.rows)
        self.names = ["s" if axis is None else part.domain.frame.label(axis)]
        lengths, self._breaks = _lengths([each.rows for each in drawn], steps)
        self._along = lengths if axis is None else every.rows[:, axis]
        self.ends = self._along.min() - steps[0] / 2, self._along.max() + steps[-1] / 2
        self._labels = labels
        self.has_groups = len(set(labels.tolist())) > 1

    def curves(self, values):
        """`[(label, places, values)]` of each group, NaN where it has a gap."""
        names = list(dict.fromkeys(self._labels.tolist()))
        found = []
        for name in names:
            own = np.flatnonzero(self._labels == name)
            gaps = np.flatnonzero(self._breaks[own[1:]] | (np.diff(own) > 1)) + 1
            line = [
                np.insert(each[own].astype(float), gaps, np.nan) for each in (self._along, values)
            ]
            found.append((name if self.has_groups else None, *line))
        return found


def _pieces(part, fixed):
    """`[(label, patch)]`, curves all."""
    axes = groups.check_fixed(part.domain, fixed)
    patches = restricted(part.patches, axes, str(part)) if axes else part.patches
    if any(patch.numbers != 1 for patch in patches):
        raise ValueError(
            f"A picture along a part is of curves, and {part} is not made of curves alone. Fix "
            "time or a parameter, as in fixed={'t': 0.5}; surfaces in space are drawn by "
            "kpinn.plotting.surface."
        )
    return [
        (_face(part.domain, patch) if label in part.domain.coordinates else label, patch)
        for label, own in groups.labelled(part, patches).items()
        for patch in own
    ]


def _face(domain, patch):
    """What tells a face of a box from the opposite one, both of which are called `x`."""
    space = domain.frame.spatial_axes
    held = {domain.frame.label(a): v for a, v in patch.fixed.items() if a in space}
    return ", ".join(f"{label} = {value:g}" for label, value in held.items())


def _where(labels, fixed):
    names = np.unique(labels)
    name = f" on {names[0]}" if len(names) == 1 else ""
    return name + described(fixed)


def _axis(domain, rows):
    """The axis to draw against; None for the arc length."""
    varies = np.ptp(rows, axis=0) > 1e-12 * np.max(domain.size)
    others = [axis for axis in domain.frame.other_axes if varies[axis]]
    if others:
        return others[0] if len(others) == 1 else None
    axes = np.flatnonzero(varies)
    only = len(axes) == 1 and np.all(np.diff(rows[:, axes[0]]) > 0)
    return int(axes[0]) if only else None


def _lengths(drawn, steps):
    """Arc lengths `(n,)` of points of pieces one after the other; and where a line breaks."""
    lengths, breaks, start, last = [], [], 0.0, None
    for rows, step in zip(drawn, steps, strict=True):
        chords = np.linalg.norm(np.diff(rows, axis=0), axis=1)
        own = np.concatenate([[0.0], np.cumsum(chords)])
        lengths.append(start + step / 2 + own)
        joined = last is not None and np.linalg.norm(rows[0] - last[0]) < NEAR * (step + last[1])
        breaks.append(np.concatenate([[not joined], chords > APART * step]))
        start, last = lengths[-1][-1] + step / 2, (rows[-1], step)
    return np.concatenate(lengths), np.concatenate(breaks)
