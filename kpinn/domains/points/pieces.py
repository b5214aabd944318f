"""Pieces of patches: conditions on points, and which piece of a patch belongs to what."""

import dataclasses
from collections.abc import Callable

import numpy as np

from kpinn.domains.frames import NORMAL, Frame
from kpinn.options import argument_names

STEP = 1e-9  # of a condition that is true or false: no distance within which it stays the same


@dataclasses.dataclass(frozen=True, eq=False)
class Where:
    """The condition that a function of coordinates, and of the normal `n`, is true."""

    predicate: Callable
    frame: Frame
    names: tuple

    def __call__(self, rows, normals, xp):
        points = {**self.frame.points(rows), NORMAL: normals}
        holds = self.predicate(**{name: points[name] for name in self.names})
        holds = xp.reshape(holds, (-1,))
        small = STEP * xp.ones_like(rows[:, 0])
        return xp.where(holds, -small, small)


@dataclasses.dataclass(frozen=True, eq=False)
class NotAll:
    """The condition that not all of others hold."""

    conditions: tuple

    def __call__(self, rows, normals, xp):
        values = [condition(rows, normals, xp) for condition in self.conditions]
        return -xp.max(xp.stack(values), axis=0)


def where(part, predicate):
    """The condition of `Part.where`, tried on a point.

    Raises:
        TypeError, ValueError: if it is no function of coordinates, or its values are not bools.
    """
    frame, label = part.domain.frame, f"{part}.where()"
    if not callable(predicate):
        raise TypeError(f"{label} takes a function such as `lambda x: x < 0.1`, got {predicate!r}.")
    allowed = (*frame.coordinates, *([NORMAL] if part.has_normals else []))
    names = argument_names(predicate, f"The function of {label}", "x, y")
    if not names or not set(names) <= set(allowed):
        raise ValueError(f"The function of {label} takes some of {allowed}, got {names}.")
    patch = part.patches[0]
    rows, normals, _ = patch.candidates(np.full((2, patch.draws), 0.5))
    points = {**frame.points(rows), NORMAL: normals}
    holds = np.asarray(predicate(**{name: points[name] for name in names}))
    if holds.dtype.kind != "b" or holds.shape not in ((2,), (2, 1)):
        raise ValueError(
            f"The function of {label} returns one truth value for each point, (n, 1) or (n,), "
            f"got {holds.dtype} of shape {holds.shape} for 2 points."
        )
    return Where(predicate, frame, names)


def within(patch, piece):
    """What a patch has in common with a piece of the same patch."""
    return patch.kept(*_further(piece, patch))


def without(patch, pieces):
    """What is left of a patch without pieces of patches; None where nothing is."""
    for piece in pieces:
        if piece.place is patch.place:
            further = _further(piece, patch)
            if not further:
                return None
            patch = patch.kept(NotAll(further))
    return patch


def _further(piece, patch):
    return tuple(condition for condition in piece.keep if condition not in patch.keep)
