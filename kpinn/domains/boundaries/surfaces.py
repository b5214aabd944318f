"""Normalised distance functions: zero on a piece of a boundary, with slope one, and smooth.

A piece lies on a *carrier*, a plane or quadric (lines and conics in the plane), which may go on
beyond its ends; a *trim*, positive on the piece and negative beyond, cuts it off. All functions
take `(rows, xp)`, where `xp` is `numpy` or `keras.ops`, and hold no state, so that they are also
written into files as plain numbers.

References:
    Rvachev, Sheiko, Shapiro & Tsukanov, "Transfinite interpolation over implicitly defined sets"
    (2001); Sukumar & Srivastava, "Exact imposition of boundary conditions with distance functions
    in physics-informed deep neural networks" (2022), sections 3 and 4.
"""

import dataclasses
import functools

import keras
import numpy as np

from kpinn.domains.patches import columns, constant


@dataclasses.dataclass(frozen=True, eq=False)
class Surface:
    """A piece of a boundary.

    The carrier is where `q(y) = y A y + b y + c` is zero, `y` the difference from a point.

    Args:
        space: the axes of space, in which lengths and normals are meant.
        side: 1 or -1: the sign of `q` in the domain.
        point: `(axes,)`.
        linear: `b`, `(axes,)`.
        quadratic: `A`, symmetric `(axes, axes)`, or None for a plane; then `b` has length one.
        constant: `c`.
        softening: a number `s >= 0` so that `|grad q|^2 - 2 s q` is positive in space.
        scale: length of the piece, by which trims are made dimensionless.
        reach: diameter of a ball around `point` outside of which the piece does not go on, or 0.
        half_space: None, or a vector and a number: it is where `y vector + number` is positive.
        slabs: pairs of a vector and a width `w`: it is where `|y vector|` is less than `w / 2`.
    """

    space: tuple
    side: float
    point: np.ndarray
    linear: np.ndarray
    quadratic: np.ndarray | None = None
    constant: float = 0.0
    softening: float = 0.0
    scale: float = 1.0
    reach: float = 0.0
    half_space: tuple | None = None
    slabs: tuple = ()

    @property
    def is_trimmed(self):
        """Whether it is only a part of its carrier."""
        return bool(self.reach or self.half_space or self.slabs)

    def without_trim(self):
        """The whole carrier."""
        return dataclasses.replace(self, reach=0.0, half_space=None, slabs=())

    def fits(self, width):
        """Whether all arrays are for rows of a width."""
        vectors = [self.point, self.linear, *(vector for vector, _ in self.slabs)]
        vectors += [self.half_space[0]] if self.half_space else []
        square = self.quadratic is None or self.quadratic.shape == (width, width)
        axes = all(isinstance(axis, int) and 0 <= axis < width for axis in self.space)
        return square and axes and all(vector.shape == (width,) for vector in vectors)

    def config(self):
        """Plain data."""
        quadratic = None if self.quadratic is None else self.quadratic.tolist()
        return dataclasses.asdict(self) | {
            "space": list(self.space),
            "point": self.point.tolist(),
            "linear": self.linear.tolist(),
            "quadratic": quadratic,
            "half_space": self.half_space and _listed(self.half_space),
            "slabs": [_listed(slab) for slab in self.slabs],
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `config`."""
        arrays = {name: np.array(config[name], "float64") for name in ("point", "linear")}
        if config["quadratic"] is not None:
            arrays["quadratic"] = np.array(config["quadratic"], "float64")
        pairs = {
            "half_space": config["half_space"] and _pair(config["half_space"]),
            "slabs": tuple(map(_pair, config["slabs"])),
        }
        return cls(**config | arrays | pairs | {"space": tuple(config["space"])})


def _listed(pair):
    return [pair[0].tolist(), float(pair[1])]


def _pair(pair):
    return np.array(pair[0], "float64"), float(pair[1])


# Many surfaces at points, as matrices: few operations, whatever their number -----------------


def carriers(surfaces, rows, xp):
    """The normalised distances from whole carriers, and their gradients where they are zero.

    Args:
        surfaces: `k` of them, in the same space.
        rows: `(n, axes)`.
        xp: `numpy` or `keras.ops`.

    Returns:
        `(n, k)`, positive in the domain, and `(n, k, spatial axes)`, of length one on the carrier.
    """
    flat = [i for i, each in enumerate(surfaces) if each.quadratic is None]
    curved = [i for i, each in enumerate(surfaces) if each.quadratic is not None]
    found = []
    if flat:
        found.append(_flat([surfaces[i] for i in flat], rows, xp))
    if curved:
        found.append(_curved([surfaces[i] for i in curved], rows, xp))
    values, gradients = (_in_order(parts, flat + curved, xp) for parts in zip(*found, strict=True))
    return values, gradients


def _flat(surfaces, rows, xp):
    linear = np.stack([each.side * each.linear for each in surfaces], axis=1)
    shift = np.sum(linear * np.stack([each.point for each in surfaces], axis=1), axis=0)
    values = xp.matmul(rows, constant(linear, rows)) - constant(shift, rows)[None, :]
    normals = linear.T[:, list(surfaces[0].space)]
    return values, 0 * values[:, :, None] + constant(normals, rows)[None, :, :]


def _curved(surfaces, rows, xp):
    sides = np.array([each.side for each in surfaces])
    points = constant(np.stack([each.point for each in surfaces]), rows)
    linear = constant(np.stack([each.side * each.linear for each in surfaces]), rows)
    quadratic = constant(np.stack([each.side * each.quadratic for each in surfaces]), rows)
    constants = constant(sides * [each.constant for each in surfaces], rows)
    softening = constant(2 * sides * [each.softening for each in surfaces], rows)
    y = rows[:, None, :] - points[None, :, :]
    product = xp.sum(y[:, :, :, None] * quadratic[None, :, :, :], axis=2)
    values = xp.sum(y * (product + linear[None, :, :]), axis=2) + constants[None, :]
    space = np.array(surfaces[0].space, "int32")
    gradients = xp.take(2 * product + linear[None, :, :], space, axis=2)
    squared = xp.sum(gradients * gradients, axis=2)
    lengths = xp.sqrt(squared - softening[None, :] * values)
    return values / lengths, gradients / lengths[:, :, None]


def trims(surfaces, rows, xp):
    """Dimensionless functions `(n, k)` that are positive on trimmed surfaces, negative beyond."""
    return xp.concatenate([_trim(each, rows, xp) for each in surfaces], axis=1)


def _trim(surface, rows, xp):
    y = (rows - constant(surface.point, rows)[None, :]) / surface.scale

    def along(vector):
        return xp.sum(y * constant(vector, rows)[None, :], axis=1, keepdims=True)

    found = []
    if surface.reach:
        inside, reach = columns(y, surface.space, xp), surface.reach / surface.scale
        squared = xp.sum(inside * inside, axis=1, keepdims=True)
        found.append((0.25 * reach**2 - squared) / reach)
    if surface.half_space:
        vector, shift = surface.half_space
        found.append(along(vector) + shift / surface.scale)
    for vector, width in surface.slabs:
        width = width / surface.scale
        found.append((0.25 * width**2 - along(vector) ** 2) / width)
    return functools.reduce(lambda a, b: conjunction(a, b, xp), found)


def distances(surfaces, rows, xp):
    """The normalised distances from surfaces `(n, k)`; the arguments are those of `carriers`."""
    values, _ = carriers(surfaces, rows, xp)
    ended = [i for i, each in enumerate(surfaces) if each.is_trimmed]
    if not ended:
        return values
    others = [i for i in range(len(surfaces)) if i not in ended]
    scales = constant([surfaces[i].scale for i in ended], rows)[None, :]
    near = xp.take(values, np.array(ended, "int32"), axis=1) / scales
    parts = [scales * trimmed(near, trims([surfaces[i] for i in ended], rows, xp), xp)]
    if others:
        parts.append(xp.take(values, np.array(others, "int32"), axis=1))
    return _in_order(parts, ended + others, xp)


def _in_order(parts, places, xp):
    """Columns that belong to `places`, in the order of these."""
    joint = parts[0] if len(parts) == 1 else xp.concatenate(parts, axis=1)
    if places == sorted(places):
        return joint
    return xp.take(joint, np.argsort(places).astype("int32"), axis=1)


def trimmed(value, trim, xp):
    """The normalised distance from the part of a carrier on which a trim is positive.

    It is `sqrt(value^2 + phi^2)` with `phi = (sqrt(trim^2 + value^4) - trim) / 2`, written so that
    it has the sign of `value` and derivatives on the piece itself.
    """
    on = trim > 0
    positive = xp.where(on, trim, xp.ones_like(trim))
    root = xp.sqrt(positive * positive + value**4)
    ratio = value**3 / (2 * (root + positive))
    beside = value * xp.sqrt(1 + ratio * ratio)
    tolerance = keras.backend.standardize_dtype(value.dtype)
    beside = xp.where(value < -(float(np.finfo(tolerance).eps) ** 0.5), -beside, beside)
    negative = xp.where(on, -xp.ones_like(trim), trim)
    phi = 0.5 * (xp.sqrt(negative * negative + value**4) - negative)
    return xp.where(on, beside, xp.sqrt(value * value + phi * phi))


def conjunction(a, b, xp):
    """Positive where both are, and twice differentiable where both are zero (Rvachev's `R_0^2`)."""
    squared = a * a + b * b
    safe = xp.where(squared > 0, squared, xp.ones_like(squared))
    return (a + b - xp.sqrt(safe)) * squared


def joined(values, xp):
    """The normalised distance from several surfaces together: `1 / (sum of 1 / d)`, `(n, 1)`."""
    while values.shape[1] > 1:
        half = values.shape[1] // 2
        pairs = _joined(values[:, :half], values[:, half : 2 * half])
        odd = values[:, 2 * half :]
        values = xp.concatenate([pairs, odd], axis=1) if odd.shape[1] else pairs
    return values


def joined_others(values, xp):
    """For each of two or more surfaces, the normalised distance from all of the others `(n, k)`."""
    half = values.shape[1] // 2
    first, second, odd = values[:, :half], values[:, half : 2 * half], values[:, 2 * half :]
    if values.shape[1] == 2:
        return xp.concatenate([second, first], axis=1)
    pairs = _joined(first, second)
    pairs = xp.concatenate([pairs, odd], axis=1) if odd.shape[1] else pairs
    others = joined_others(pairs, xp)
    of_pairs = others[:, :half]
    parts = [_joined(second, of_pairs), _joined(first, of_pairs), others[:, half:]]
    return xp.concatenate(parts[: 3 if odd.shape[1] else 2], axis=1)


def _joined(a, b):
    return a * b / (a + b + floor(a))


def floor(values):
    """A number that changes nothing where it is added, except zero."""
    return float(np.finfo(keras.backend.standardize_dtype(values.dtype)).eps) ** 2
