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

    def carrier(self, rows, xp):
        """The normalised distance from the whole carrier, and its gradient where that is zero.

        Args:
            rows: `(n, axes)`.
            xp: `numpy` or `keras.ops`.

        Returns:
            `(n, 1)`, positive in the domain, and `(n, spatial axes)`, of length one on the carrier.
        """
        y = rows - constant(self.point, rows)[None, :]
        linear = constant(self.side * self.linear, rows)
        if self.quadratic is None:
            value = xp.sum(y * linear[None, :], axis=1, keepdims=True)
            return value, columns(0 * y + linear[None, :], self.space, xp)
        product = xp.matmul(y, constant(self.side * self.quadratic, rows))
        value = xp.sum(y * (product + linear[None, :]), axis=1, keepdims=True)
        value = value + self.side * self.constant
        gradient = columns(2 * product + linear[None, :], self.space, xp)
        squared = xp.sum(gradient * gradient, axis=1, keepdims=True)
        length = xp.sqrt(squared - 2 * self.softening * self.side * value)
        return value / length, gradient / length

    def distance(self, rows, xp):
        """The normalised distance from the piece `(n, 1)`; the arguments are those of `carrier`."""
        value, _ = self.carrier(rows, xp)
        trim = self.trim(rows, xp)
        return value if trim is None else self.scale * trimmed(value / self.scale, trim, xp)

    def trim(self, rows, xp):
        """Positive where the piece is, negative beyond its ends `(n, 1)`; None without ends."""
        y = (rows - constant(self.point, rows)[None, :]) / self.scale

        def along(vector):
            return xp.sum(y * constant(vector, rows)[None, :], axis=1, keepdims=True)

        found = []
        if self.reach:
            inside, reach = columns(y, self.space, xp), self.reach / self.scale
            squared = xp.sum(inside * inside, axis=1, keepdims=True)
            found.append((0.25 * reach**2 - squared) / reach)
        if self.half_space:
            vector, shift = self.half_space
            found.append(along(vector) + shift / self.scale)
        for vector, width in self.slabs:
            width = width / self.scale
            found.append((0.25 * width**2 - along(vector) ** 2) / width)
        return functools.reduce(lambda a, b: conjunction(a, b, xp), found) if found else None

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


def joined(distances, xp):
    """The normalised distance from several pieces together: `1 / (sum of 1 / d)`, in pairs."""
    tiny = floor(distances[0])
    while len(distances) > 1:
        pairs = zip(distances[::2], distances[1::2], strict=False)
        odd = distances[len(distances) // 2 * 2 :]
        distances = [a * b / (a + b + tiny) for a, b in pairs] + odd
    return distances[0]


def floor(values):
    """A number that changes nothing where it is added, except zero."""
    return float(np.finfo(keras.backend.standardize_dtype(values.dtype)).eps) ** 2
