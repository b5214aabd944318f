"""Points of patches: candidates in proportion to measure, of which those that count are kept."""

import dataclasses

import numpy as np

from kpinn.domains import sampling
from kpinn.domains.patches import shares

PILOT = 4_096  # candidates that tell which share of them counts
CHUNK = 2**22  # candidates that are in memory at once
MOST_CANDIDATES = 2 * 10**8  # that a sample takes
MOST = 2**20  # candidates without a point after which a set is called empty


@dataclasses.dataclass
class Drawn:
    """Points of one patch: `rows (n, axes)` and `normals (n, spatial axes)` or None."""

    rows: np.ndarray
    normals: np.ndarray | None

    def pick(self, which):
        """The points at these places."""
        return Drawn(self.rows[which], None if self.normals is None else self.normals[which])


def together(drawn):
    """Points of several patches as one; with normals if all have them."""
    bare = any(each.normals is None for each in drawn)
    normals = None if bare else np.concatenate([each.normals for each in drawn])
    return Drawn(np.concatenate([each.rows for each in drawn]), normals)


def draw(patches, n, method, rng, what):
    """Exactly `n` points, uniform over the patches, as `Drawn`; one patch after the other.

    Patches without conditions get points in proportion to their measures. With conditions
    candidates do, and points in proportion to the candidates that count.

    Args:
        patches: tuple of `Patch`.
        n: number of points.
        method: a key of `sampling.METHODS`.
        rng: numpy `Generator`.
        what: the set, for errors.

    Raises:
        ValueError: if no candidate counts.
    """
    if not any(patch.is_cut or patch.density for patch in patches):
        return together(_candidates(patches, n, method, rng))
    found, tried = _pilot(patches, rng, what)
    if n * tried > MOST_CANDIDATES * found:
        raise ValueError(
            f"Of {tried} points of the pieces of {what}, {found} lie in it, so that {n} points "
            f"take more than {MOST_CANDIDATES:.0e}. Describe it by shapes that it fills better, "
            "such as a Ring in place of the difference of two Balls, or draw fewer points."
        )
    kept, counts = [], np.zeros(len(patches), int)
    while counts.sum() < n:
        lack = n - counts.sum()
        more = int(lack * tried / found * (1 + 4 / np.sqrt(min(lack, found)))) + 16
        kept.append(_candidates(patches, min(more, CHUNK), method, rng))
        counts += [len(each.rows) for each in kept[-1]]
    joined = [together(each) for each in zip(*kept, strict=True)]
    keep = _shorten(counts, n).tolist()
    return together([each.pick(slice(k)) for each, k in zip(joined, keep, strict=True)])


def check_not_empty(patches, what):
    """Raises `ValueError` if none of many candidates counts; the same ones in each call."""
    if all(patch.is_cut for patch in patches):
        _pilot(patches, np.random.default_rng(0), what)


def evenly(patches, n, what):
    """`draw` by a Halton sequence; the same points in each call."""
    return draw(patches, n, "halton", np.random.default_rng(0), what)


def _pilot(patches, rng, what):
    found, tried = counted(patches, rng)
    if not found:
        raise ValueError(
            f"{what} is empty: none of {tried} points of its pieces lies in it. Check that the "
            "shapes meet, and that the part is not inside of another shape."
        )
    return found, tried


def counted(patches, rng, enough=1):
    """How many candidates count, of how many; more are drawn until enough of them do."""
    found, tried = 0, PILOT
    while patches:
        found = sum(len(each.rows) for each in _candidates(patches, tried, "uniform", rng))
        if tried >= MOST or found >= enough:
            break
        tried *= 16
    return found, tried


def _candidates(patches, n, method, rng):
    counts = sampling.allocate(n, shares(patches)).tolist()
    pairs = zip(patches, counts, strict=True)
    return [of_patch(patch, sampling.unit(k, patch.draws, method, rng)) for patch, k in pairs]


def of_patch(patch, unit):
    """The points of numbers `(n, draws)` that count."""
    rows, normals, counts = patch.candidates(unit)
    drawn = Drawn(rows, normals)
    return drawn if counts is None else drawn.pick(counts)


def of_grid(patch, unit):
    """The points of numbers `(n, numbers)` that count; a density thins no grid."""
    chance = np.zeros((len(unit), patch.draws - patch.numbers))
    return of_patch(patch, np.concatenate([unit, chance], axis=1))


def _shorten(counts, n):
    """Counts with the sum `n`, none more than there are, in proportion."""
    share = np.zeros_like(counts)
    some = counts > 0
    share[some] = np.minimum(sampling.allocate(n, counts[some]), counts[some])
    while share.sum() < n:  # a patch with few points, of which none may be left out
        share[np.argmax(counts - share)] += 1
    return share
