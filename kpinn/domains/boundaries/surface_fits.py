"""From a part of a boundary to the planes and quadrics on which it lies.

Whatever a boundary was made of, moved, turned and cut, its patches lie on planes, spheres,
cylinders, cones and ellipsoids. These are found from their points, to rounding; where a curve in
the plane ends is found from the conditions of its patch. A carrier is trimmed only if it goes on
through the domain or other parts of the boundary.
"""

import dataclasses

import numpy as np

from kpinn.domains import sampling
from kpinn.domains.boundaries.surfaces import Surface, carriers, distances, joined, trims
from kpinn.domains.integrating.lines import sections
from kpinn.domains.points import drawing

POINTS = 400  # of a patch, that are fitted
CANDIDATES = 2**14  # for them
PROBES = 2_000  # in the domain, that are looked at
FIT = 1e-12  # largest residual, relative to the size
TOUCHES = 1e-9  # relative to the size: a point so near lies on a carrier
GRID = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Piece:
    """A part of a boundary as surfaces.

    Attributes:
        surfaces: `Surface`s.
        size: the largest distance from them in the domain.
    """

    surfaces: tuple
    size: float

    def distance(self, rows, xp):
        """The distance from all of them together `(n, 1)`, at most about one in the domain."""
        return joined(distances(self.surfaces, rows, xp), xp) / self.size

    def config(self):
        """Plain data."""
        return {"surfaces": [each.config() for each in self.surfaces], "size": self.size}

    @classmethod
    def from_config(cls, config):
        """The inverse of `config`."""
        return cls(tuple(map(Surface.from_config, config["surfaces"])), config["size"])


def piece_of(part):
    """A part of the boundary in space as a `Piece`.

    Args:
        part: a `Part` with normals.

    Raises:
        ValueError: if it lies on no planes and quadrics, or goes on through the domain and there
            is no trim for it.
    """
    domain = part.domain
    inside = drawing.evenly(domain.inside, PROBES, str(domain)).rows
    border = drawing.evenly(domain.border, PROBES, str(domain)).rows
    found = []
    for patch in part.patches:
        for surface in _surfaces(part, patch):
            if not _goes_on(surface, inside, border, domain.size):
                surface = surface.without_trim()
            if not any(_same(surface, other, inside, domain.size) for other in found):
                found.append(surface)
    others = _rows_of_others(part)
    for surface in found:
        _check_alone(part, surface, inside, others)
    size = float(joined(distances(found, inside, np), np).max())
    return Piece(tuple(found), size)


def start_of(domain, name):
    """The start of time as a `Piece`."""
    (axis,) = domain.axes[name]
    linear = np.zeros(domain.frame.width)
    linear[axis] = 1.0
    first = np.zeros(domain.frame.width)
    first[axis] = domain.lower[axis]
    surface = Surface((axis,), 1.0, first, linear)
    return Piece((surface,), float(domain.upper[axis] - domain.lower[axis]))


def _goes_on(surface, inside, border, size):
    """Whether a carrier is met beyond the ends of the piece."""
    if np.any(carriers([surface], inside, np)[0] <= 0):
        return True
    if not surface.is_trimmed:
        return False
    on = np.abs(carriers([surface], border, np)[0]) < TOUCHES * size
    return bool(np.any(on & (trims([surface], border, np) < -TOUCHES)))


def _same(first, second, rows, size):
    both = distances([first, second], rows, np)
    return np.abs(both[:, 0] - both[:, 1]).max() < TOUCHES * size


def _rows_of_others(part):
    """Points of the patches of the boundary of which nothing belongs to the part."""
    places = [patch.place for patch in part.patches]
    others = [patch for patch in part.domain.border if patch.place not in places]
    if not others:
        return np.zeros((0, part.domain.frame.width))
    return drawing.evenly(others, PROBES, str(part.domain)).rows


def _check_alone(part, surface, inside, others):
    crosses = np.any(distances([surface], inside, np) <= 0)
    near = TOUCHES * part.domain.size
    if crosses or np.any(np.abs(distances([surface], others, np)) < near):
        where = "through the domain" if crosses else "on other parts of the boundary"
        raise ValueError(
            f"The surface of {part} goes on {where}, and there is no smooth distance function from "
            "a piece of such a surface yet. Take a condition for this part, without a layer, or "
            "kpinn.layers.HardCondition with a distance of your own."
        )


# Carriers ----------------------------------------------------------------------------------


def _drawn(patch):
    """Points of a patch; none where it is empty, up to what is not found."""
    unit = sampling.unit(CANDIDATES, patch.draws, "halton", sampling.generator(0))
    return drawing.of_patch(patch, unit).pick(slice(POINTS))


def _surfaces(part, patch):
    """The surfaces of one patch: several where conditions leave several pieces of a curve."""
    frame, size = part.domain.frame, part.domain.size
    drawn = _drawn(patch)
    rows = drawn.rows
    if not len(rows):
        return []
    space = list(frame.spatial_axes)
    everything = list(range(frame.width))
    carrier = _plane(patch, rows, space, size)
    for axes, is_round in ((space, True), (space, False), (everything, False)):
        carrier = carrier or _quadric(rows, axes, space, is_round)
    if carrier is None:
        raise ValueError(
            f"{part} lies on no plane and no quadric (sphere, cylinder, cone, ellipsoid), so that "
            "there is no distance function for it. Divide it into parts that do, take a condition "
            "for it without a layer, or kpinn.layers.HardCondition."
        )
    _, gradients = carriers([carrier], rows, np)
    outwards = np.sum(gradients[:, 0] * drawn.normals, axis=1)
    if np.any(outwards > 0) and np.any(outwards < 0):
        raise ValueError(f"{part} has the domain on both sides, so that its distance has no sign.")
    carrier = dataclasses.replace(carrier, side=-1.0 if outwards[0] > 0 else 1.0)
    if len(space) == 2:
        return _pieces_of_curve(patch, carrier, space)
    return [_with_rectangle(patch, carrier, space)]


def _plane(patch, rows, space, size):
    """A plane through rows, or None."""
    width = rows.shape[1]
    linear, point = np.zeros(width), rows[0].copy()
    fixed = [axis for axis in space if axis in patch.fixed]
    if fixed:
        linear[fixed[0]], point[fixed[0]] = 1.0, patch.fixed[fixed[0]]
    else:
        points = rows[:, space]
        _, values, vectors = np.linalg.svd(points - points.mean(axis=0))
        if len(values) == len(space) and values[-1] > FIT * size * len(rows) ** 0.5:
            return None
        linear[space], point[space] = vectors[-1], points.mean(axis=0)
    others = [axis for axis in range(width) if axis not in space]
    point[others] = 0.0
    return Surface(tuple(space), 1.0, point, linear)


def _quadric(rows, axes, space, is_round):
    """A quadric through rows, in some axes only, or None; a sphere if `is_round`."""
    middle = rows[:, axes].mean(axis=0)
    scale = np.abs(rows[:, axes] - middle).max()
    z = (rows[:, axes] - middle) / scale
    pairs = [(i, j) for i in range(len(axes)) for j in range(i + 1)]
    square = [np.sum(z * z, axis=1)] if is_round else [z[:, i] * z[:, j] for i, j in pairs]
    features = np.column_stack([*square, z, np.ones(len(z))])
    _, values, vectors = np.linalg.svd(features, full_matrices=False)
    if values[-1] > FIT * len(rows) ** 0.5:
        return None
    small, slope, constant, shift = _at_centre(vectors[-1], len(axes), pairs, is_round)
    width = rows.shape[1]
    point, linear, quadratic = np.zeros(width), np.zeros(width), np.zeros((width, width))
    point[axes] = middle + scale * shift
    linear[axes] = slope * scale
    quadratic[np.ix_(axes, axes)] = small
    inner = np.linalg.eigvalsh(quadratic[np.ix_(space, space)])
    positive = inner[inner > 1e-9 * np.abs(inner).max()]
    softening = float(positive.min()) if len(positive) and not slope.any() else 0.0
    return Surface(
        tuple(space), 1.0, point, linear, quadratic, float(constant * scale**2), softening
    )


def _at_centre(found, size, pairs, is_round):
    """Matrix, slope and constant of a quadric from coefficients, and where its centre is.

    The slope is zero where there is a centre; there the quadric is negative.
    """
    squares = 1 if is_round else len(pairs)
    matrix = found[0] * np.eye(size) if is_round else np.zeros((size, size))
    if not is_round:
        for (i, j), value in zip(pairs, found, strict=False):
            matrix[i, j] += 0.5 * value
            matrix[j, i] += 0.5 * value
    slope = found[squares:-1]
    shift = -0.5 * np.linalg.pinv(matrix, rcond=1e-9) @ slope
    constant = found[-1] + shift @ matrix @ shift + slope @ shift
    slope = slope + 2 * matrix @ shift
    slope[np.abs(slope) < 1e-13 * np.abs(found).max()] = 0.0
    sign = -1.0 if constant > 0 and not slope.any() else 1.0
    return sign * matrix, slope, sign * constant, shift


# Ends --------------------------------------------------------------------------------------


def _pieces_of_curve(patch, carrier, space):
    """A carrier in the plane with the ends of the pieces of it that a patch leaves."""
    number = _number_of_curve(patch, space)
    if number is None:
        return [carrier]

    def full(values):
        unit = np.full((len(values), patch.numbers), 0.5)
        unit[:, number] = values
        return unit

    conditions = [lambda u, c=condition: c(full(u[:, 0]), np) for condition in patch.conditions]
    found = sections(conditions, np.zeros((1, 0)), GRID)
    pieces = list(zip(found.lower[0], found.upper[0], strict=True))
    ends = patch.place(full(np.array([0.0, 1.0])), np)[:, space]
    closed = np.abs(ends[0] - ends[1]).max() < TOUCHES * np.abs(ends).max()
    if closed and pieces[0] == (0.0, 1.0):
        return [carrier]
    if closed and len(pieces) > 1 and pieces[0][0] == 0 and pieces[-1][1] == 1:
        pieces[0] = (pieces.pop()[0] - 1, pieces[0][1])
    found = []
    for lower, upper in pieces:
        places = np.array([lower, 0.5 * (lower + upper), upper])
        found.append(_with_ends(carrier, patch.place(full(places % 1.0 if closed else places), np)))
    return found


def _number_of_curve(patch, space):
    """Which of the numbers of a patch moves a point along its curve in the plane."""
    units = np.full((patch.numbers + 1, patch.numbers), 0.5)
    units[np.arange(patch.numbers), np.arange(patch.numbers)] = 0.3
    rows = patch.place(units, np)[:, space]
    (moving,) = np.nonzero(np.abs(rows[:-1] - rows[-1]).max(axis=1) > 0)
    return int(moving[0]) if len(moving) == 1 else None


def _with_ends(carrier, rows):
    """A carrier between two ends; rows are those of an end, of a place between, of an end."""
    space = list(carrier.space)
    first, middle, last = rows[:, space]
    chord = last - first
    length = float(np.linalg.norm(chord))
    if carrier.quadratic is None:
        point = carrier.point.copy()
        point[space] = 0.5 * (first + last)
        return dataclasses.replace(carrier, point=point, reach=length, scale=length)
    normal = np.array([-chord[1], chord[0]]) / length
    if normal @ (middle - first) < 0:
        normal = -normal
    vector = np.zeros(len(carrier.point))
    vector[space] = normal
    offset = float(normal @ (carrier.point[space] - first))
    return dataclasses.replace(carrier, half_space=(vector, offset), scale=length)


def _with_rectangle(patch, carrier, space):
    """A plane with the sides of the rectangle that a whole patch is, or as it is."""
    if patch.is_cut or patch.grid_axes is None or carrier.quadratic is not None:
        return carrier
    middle = np.full((1, patch.numbers), 0.5)
    sides = []
    for number in range(patch.numbers):
        ends = np.repeat(middle, 2, axis=0)
        ends[:, number] = 0.0, 1.0
        first, last = patch.place(ends, np)
        sides.append(last - first)
    sides = [side for side in sides if np.any(side[space])]
    point = carrier.point.copy()
    point[space] = patch.place(middle, np)[0, space]
    lengths = [float(np.linalg.norm(side)) for side in sides]
    slabs = tuple((side / length, length) for side, length in zip(sides, lengths, strict=True))
    return dataclasses.replace(carrier, point=point, slabs=slabs, scale=max(lengths, default=1.0))
