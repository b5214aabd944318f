"""Gates: functions of distances which say where in a domain which condition counts.

Distances are dimensionless columns `(n, 1)`, each zero on a part of the boundary. The *order* of a
part says what holds there: 1 for a value, 2 for a derivative too, which then must not be changed by
what is added for other parts.

References:
    Rvachev, Sheiko, Shapiro & Tsukanov, "Transfinite interpolation over implicitly defined sets"
    (2001); Sukumar & Srivastava, "Exact imposition of boundary conditions with distance functions
    in physics-informed deep neural networks" (2022), sections 4 and 5.
"""

import math

from keras import ops

from kpinn.domains.boundaries.surfaces import floor, joined, joined_others


def interpolation(distances, orders):
    """Weights `(n, 1)` of parts, whose sum is one; that of a part is one on it, to its order.

    They are those of inverse distances, `d^-order`, as products.
    """
    powers = [d**order + floor(d) for d, order in zip(distances, orders, strict=True)]
    products = [
        math.prod(
            (power for k, power in enumerate(powers) if k != i), start=ops.ones_like(powers[0])
        )
        for i in range(len(powers))
    ]
    total = sum(products)
    return [product / total for product in products]


def free(distances, orders):
    """What the network is multiplied by `(n, 1)`: zero on all parts to their order, of size one."""
    first = [d for d, order in zip(distances, orders, strict=True) if order == 1]
    gate = len(first) * joined(ops.concatenate(first, axis=1), ops) if first else 1.0
    for distance, order in zip(distances, orders, strict=True):
        gate = gate if order == 1 else gate * distance**order
    return gate


def corrections(own, distances, orders):
    """Where derivatives on surfaces are corrected `(n, k)`: one on each, zero on all others.

    Args:
        own: distances from the surfaces `(n, k)`; on the others of them, it is zero to order 2.
        distances: from parts on which values are given, each `(n, 1)`.
        orders: theirs.
    """
    squared = own * own
    gate = 1 / (1 + squared)
    if own.shape[1] > 1:
        others = joined_others(own, ops) ** 2 + floor(own)
        gate = gate * others / (others + squared)
    for distance, order in zip(distances, orders, strict=True):
        near = distance**order + floor(distance)
        gate = gate * near / (near + (own if order == 1 else squared))
    return gate
