"""Curves by their arc length, as Chebyshev polynomials piece by piece.

References:
    L. N. Trefethen, Approximation Theory and Approximation Practice, 2013, chapters 3 and 19.
"""

import dataclasses

import numpy as np
from numpy.polynomial import chebyshev

from kpinn.domains.complexes.simplices import cumulative, pick
from kpinn.domains.patches import constant

DEGREE = 16
NODES = chebyshev.chebpts2(DEGREE + 1)
TO_COEFFICIENTS = np.linalg.inv(chebyshev.chebvander(NODES, DEGREE))
TAIL = 3  # last coefficients, which are rounding where a function is resolved
RESOLVED = 2e-13  # relative
PIECES = 2**12  # most
KINKS = 64  # most
FINEST = 2.0**-30  # of the interval; a kink or a cusp is enclosed in a piece of that length


@dataclasses.dataclass(frozen=True)
class Arcs:
    """A curve in pieces, each a polynomial of the arc length from its start.

    Args:
        coefficients: of Chebyshev polynomials on [-1, 1], `(pieces, DEGREE + 1, d)`.
        lengths: `(pieces,)`.
    """

    coefficients: np.ndarray
    lengths: np.ndarray

    @property
    def length(self):
        """Of the whole curve."""
        return float(np.sum(self.lengths))

    def bounds(self):
        """Lower and upper corner of the bounding box, each `(d,)`, by roots of derivatives."""
        ends = np.array([0.0, *cumulative(self.lengths)])
        values = [self.place(ends, np)]
        for piece in self.coefficients:
            for own in piece.T:
                slope = chebyshev.chebder(own)
                least = 1e-14 * np.abs(slope).max()
                roots = chebyshev.chebroots(chebyshev.chebtrim(slope, least))
                real = roots.real[np.abs(roots.imag) < 1e-6]
                values.append(chebyshev.chebval(real[np.abs(real) <= 1], piece).T)
        return np.concatenate(values).min(axis=0), np.concatenate(values).max(axis=0)

    def place(self, share, xp):
        """Points `(n, d)` at shares `(n,)` of the length, in [0, 1]."""
        return self._evaluate(self.coefficients, share, xp)

    def tangent(self, share, xp):
        """Unit tangents `(n, d)` at shares `(n,)` of the length."""
        vectors = self._evaluate(self._derivative(1), share, xp)
        return vectors / xp.sqrt(xp.sum(vectors * vectors, axis=1, keepdims=True))

    def bend(self, share, xp):
        """Derivatives of the tangents by the length, `(n, d)`."""
        return self._evaluate(self._derivative(2), share, xp)

    def _derivative(self, order):
        slopes = chebyshev.chebder(self.coefficients, order, axis=1)
        return slopes * ((2 / self.lengths) ** order)[:, None, None]

    def _evaluate(self, coefficients, share, xp):
        piece, inside = pick(share, cumulative(self.lengths), xp)
        own = xp.take(constant(coefficients, share), piece, axis=0)
        twice, last, before = (4 * inside - 2)[:, None], 0.0, 0.0
        for degree in range(own.shape[1] - 1, 0, -1):  # Clenshaw's recurrence
            last, before = own[:, degree] + twice * last - before, last
        return own[:, 0] + twice * last / 2 - before


def by_arc_length(function, start, end):
    """The `Arcs` of a curve.

    Args:
        function: from numbers `(n,)` to points `(n, d)`, smooth but for some kinks.
        start, end: of its argument.

    Raises:
        ValueError: if the curve is not resolved by many pieces.
    """
    size = max(1e-300, np.ptp(function(np.linspace(start, end, 257)), axis=0).max())
    waiting, coefficients, lengths, kinks = [(start, end)], [], [], 0
    while waiting:
        a, b = waiting.pop()
        is_last = b - a <= FINEST * (end - start)
        length, piece, resolved = _piece(function, a, b, size, is_last)
        if resolved or is_last:
            coefficients += [piece] if length else []
            lengths += [length] if length else []
            kinks += not resolved
        else:
            waiting += [((a + b) / 2, b), (a, (a + b) / 2)]
        if len(waiting) + len(lengths) > PIECES or kinks > KINKS:
            raise ValueError(
                f"The curve is not resolved by polynomials near {a:.6g}. It must be smooth but "
                f"for at most {KINKS} kinks, without noise or jumps."
            )
    if not lengths:
        raise ValueError("The curve does not move: its length is zero.")
    return Arcs(np.array(coefficients), np.array(lengths))


def _piece(function, a, b, size, is_last):
    """Length of a piece, its coefficients by arc length, and whether these are all it needs.

    One that is not the last, but is cut again, is left as soon as that is known.
    """
    curve = TO_COEFFICIENTS @ function(a + (b - a) * (1 + NODES) / 2)
    if not is_last and np.abs(curve[-TAIL:]).max() > RESOLVED * size:
        return 0.0, None, False
    slope = chebyshev.chebval(NODES, chebyshev.chebder(curve))
    speed = TO_COEFFICIENTS @ np.linalg.norm(slope, axis=0)
    distance = chebyshev.chebint(speed, lbnd=-1)
    length = chebyshev.chebval(1.0, distance)
    if length <= np.finfo("float64").eps * size:  # in a cusp, or where the curve rests
        return 0.0, None, True
    places = _inverse(distance, speed, length * (1 + NODES) / 2)
    by_length = TO_COEFFICIENTS @ chebyshev.chebval(places, curve).T
    # Differentiation multiplies rounding by the square of the degree.
    tails = [by_length[-TAIL:], speed[-TAIL:] / DEGREE]
    resolved = max(np.abs(each).max() for each in tails) <= RESOLVED * size
    return length, by_length, resolved


def _inverse(distance, speed, values):
    """Where an increasing Chebyshev series has values, by Newton's method kept in [-1, 1]."""
    places = NODES.copy()
    smallest = 1e-3 * np.abs(speed[0])
    for _ in range(30):
        step = (chebyshev.chebval(places, distance) - values) / np.maximum(
            chebyshev.chebval(places, speed), smallest
        )
        places = np.clip(places - step, -1, 1)
        if np.abs(step).max() < 1e-15:
            break
    return places
