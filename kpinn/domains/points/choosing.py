"""Which candidates become the points of a stream, whose number is the same in each step.

A set of patches gets candidates in proportion to their measures. Of a share that is no whole
number, and of the candidates that count, points are taken by systematic sampling (Madow & Madow,
"On the theory of systematic sampling", 1944): at equal distances from a random begin, so that
each is as likely as any other, and patches keep their shares as well as whole numbers can.
"""

import math

import numpy as np
import tensorflow as tf
from keras import ops

from kpinn.domains.patches import shares
from kpinn.domains.points import drawing

ENOUGH = 1_000  # candidates that count, by which the share that does is known
MOST = 2**23  # candidates in a draw
SPARE = 40  # more that count are expected than needed; that there is none has a chance of e**-40


class Choice:
    """How points of patches are made from numbers of [0, 1), with shapes that are known before.

    Where fewer candidates count than points are wanted, which four standard deviations are to
    prevent, those that count are taken again.

    Args:
        patches: tuple of `Patch`.
        n: number of points.
        what: the set, for errors.

    Attributes:
        candidates: how many there are in each draw.
        numbers: how many numbers of [0, 1) a draw takes.

    Raises:
        ValueError: if it is so thin that too many candidates would be drawn.
    """

    def __init__(self, patches, n, what):
        self.patches, self.n = patches, n
        has_conditions, wanted = any(patch.is_cut or patch.density for patch in patches), n
        if has_conditions:
            wanted = math.ceil((n + 4 * math.sqrt(n) + SPARE) / _rate(patches))
        if wanted > MOST:
            raise ValueError(
                f"{n} points of {what} take {wanted:,} candidates in each step, and at most "
                f"{MOST:,} are drawn: take fewer points, describe the set by shapes that fit it "
                "more closely, or draw on the host (sample, and kpinn.callbacks.Resample)."
            )
        measures = shares(patches)
        expected = wanted * (measures / measures.sum())
        nearest = np.round(expected)
        expected = np.where(np.abs(expected - nearest) < 1e-9 * wanted, nearest, expected)
        self.counts = np.ceil(expected).astype(int).tolist()
        self.candidates = sum(self.counts)
        self.numbers = 2 + sum(k * p.draws for k, p in zip(self.counts, patches, strict=True))
        steps = [np.full(k, e / max(k, 1)) for e, k in zip(expected, self.counts, strict=True)]
        self._edges = np.cumsum(np.concatenate(steps))
        self._all = not has_conditions and self.candidates == n

    def of(self, numbers):
        """Points from a tensor `(numbers,)`: rows `(n, axes)` and normals, or None."""
        found, start = [], 2
        for patch, count in zip(self.patches, self.counts, strict=True):
            stop = start + count * patch.draws
            unit = tf.reshape(numbers[start:stop], (count, patch.draws))
            found.append((count, *patch.candidates(unit, ops)))
            start = stop
        counts, rows, normals, holds = zip(*found, strict=True)
        rows = tf.concat(rows, axis=0)
        has_normals = all(each is not None for each in normals)
        normals = tf.concat(normals, axis=0) if has_normals else None
        if self._all:
            return rows, normals
        given = zip(holds, counts, strict=True)
        holds = [tf.fill((k,), True) if each is None else each for each, k in given]
        chosen = self._chosen(tf.concat(holds, axis=0), numbers[0], numbers[1])
        return tf.gather(rows, chosen), tf.gather(normals, chosen) if has_normals else None

    def _chosen(self, holds, first, second):
        """Numbers of the candidates that become points, `(n,)`, from two random numbers."""
        parts = tf.floor(self._edges + first)  # of shares that are no whole numbers
        kept = holds & (parts > tf.concat([[0.0], parts[:-1]], axis=0))
        rank = tf.cumsum(tf.cast(kept, tf.int32))
        count, index = rank[-1], tf.range(self.candidates)
        # Those that are kept to the front in their order, the others behind them.
        place = tf.where(kept, rank - 1, count + index - rank)
        order = tf.scatter_nd(place[:, None], index, (self.candidates,))
        share = tf.cast(count, tf.float64) / self.n
        wanted = tf.cast((tf.range(self.n, dtype=tf.float64) + second) * share, tf.int32)
        return tf.gather(order, tf.minimum(wanted, tf.maximum(count, 1) - 1))


def _rate(patches):
    """The share of candidates that count; the same in each call."""
    found, tried = drawing.counted(patches, np.random.default_rng(0), ENOUGH)
    return max(found, 1) / tried
