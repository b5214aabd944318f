"""Streams: points that are drawn anew in each step of a training, inside the compiled step.

Numbers come from Philox, a generator that counts instead of remembering: those of a step are a
function of a key and of the number of the step (Salmon, Moraes, Dror & Shaw, "Parallel random
numbers: as easy as 1, 2, 3", 2011). They are drawn as bits, which are the same on every device and
with XLA, and points are computed in float64 by the functions that `sample` uses.
"""

import hashlib
import operator

import numpy as np
import tensorflow as tf
from keras import ops

from kpinn.domains import sampling
from kpinn.domains.points.choosing import Choice
from kpinn.domains.points.extras import WEIGHT, carried, names_of

FIXED = -1  # the epoch of points that are in no step


class Stream:
    """Points that are drawn anew in each step; `stream` of a domain or of a part makes it.

    Args:
        source: the `Domain` or `Part`.
        patches: its patches, each a `Patch`.
        n: number of points.
        seed: int, or None.
        extras: what else the points carry, as in `sample`.

    Raises:
        TypeError, ValueError: for other arguments, a source that is empty or so thin that too many
            candidates would be drawn, and one that cannot be drawn inside a compiled step.

    Example:
        >>> pinn.fit({"heat": disk.stream(4096), "edge": disk.boundary().stream(256)}, epochs=9)
        >>> disk.stream(4096, seed=0).points(epoch=0, step=0)["x"].shape
        (4096, 1)
    """

    def __init__(self, source, patches, n, seed=None, extras=""):
        self.source, self.patches, self.n = source, tuple(patches), sampling.count(n)
        self.seed = None if seed is None else sampling.count(seed, "seed", smallest=0)
        self.extras = names_of(extras)
        source.sample(1, seed=0, extras=extras)  # whose errors say what is wrong with it
        self._choice = Choice(self.patches, self.n, str(source))
        self._key = self._made_key(np.random.randint(2**31 - 1) if seed is None else self.seed)
        self._function = tf.function(self._at, autograph=False)
        self._refuse_untraced()

    def draw(self, run, number, epoch, step, replica=0, n=None):
        """The points of a step, in eager mode or in any graph.

        Args:
            run: scalar int tensor, by which runs differ; it counts where there is no seed.
            number: int, by which sets without a seed differ.
            epoch: scalar int tensor.
            step: scalar int tensor, its number in the epoch.
            replica: int or scalar int tensor, by which replicas differ, below `2**16`.
            n: number of points, by default that of the stream.

        Returns:
            Dict of float64 tensors `(n, d)`.
        """
        key = self._key
        if self.seed is None:
            key = tf.cast(run, tf.int64) * 2**32 + number * 2**16
        counter = tf.cast(epoch, tf.int64) * 2**32 + tf.cast(step, tf.int64)
        return self._at(tf.stack([key + tf.cast(replica, tf.int64), counter]), n)

    def points(self, epoch=None, step=0):
        """The points of a step, if there is a seed; by default points that are in no step.

        These are what `evaluate`, `residuals`, validation and the checks before a training take:
        the same in each call.

        Args:
            epoch: number of the epoch, the first is 0.
            step: number of the step in the epoch.

        Returns:
            Dict of float64 arrays, as of `sample`.

        Raises:
            ValueError: for a step of a stream without a seed, which each `fit` draws anew.
        """
        if epoch is not None and self.seed is None:
            raise ValueError(
                f"{self} has no seed, so that each fit draws other points. To see those of a step, "
                f"pass a seed: stream({self.n}, seed=0)."
            )
        epoch = FIXED if epoch is None else sampling.count(epoch, "epoch", smallest=0)
        counter = epoch * 2**32 + sampling.count(step, "step", smallest=0)
        found = self._function(tf.constant([self._key, counter], tf.int64))
        return {name: array.numpy() for name, array in found.items()}

    def __eq__(self, other):
        """Whether a step that was compiled for the other draws what this one does."""
        return isinstance(other, Stream) and self.recipe == other.recipe

    def __hash__(self):
        return hash(self.recipe)

    def __repr__(self):
        seed = "" if self.seed is None else f", seed={self.seed}"
        return f"{self.source}.stream({self.n}{seed})"

    def __reduce__(self):
        """Without a seed it is made with one, so that no random number is drawn for it."""
        make = operator.methodcaller("stream", self.n, 0, " ".join(self.extras))
        return make, (self.source,), {"seed": self.seed, "_key": self._key}

    @property
    def recipe(self):
        """What makes it, by which streams are compared."""
        parts = tuple(map(id, (self._domain, *self.patches)))
        return parts, self.n, self.seed, self.extras

    def _made_key(self, seed):
        """Negative, while those of runs without a seed are not."""
        text = f"{seed} {self.n} {self.source}"
        digest = hashlib.sha256(text.encode()).digest()
        return -(2**16) * (1 + int.from_bytes(digest[:5], "big"))

    def _at(self, seed, n=None):
        """The points of `(key, counter)`, int64."""
        same = n is None or n == self.n
        choice = self._choice if same else Choice(self.patches, n, str(self.source))
        bits = tf.random.stateless_uniform(
            (choice.numbers,), seed, minval=None, maxval=None, dtype=tf.uint64, alg="philox"
        )
        bits = tf.cast(tf.bitwise.right_shift(bits, tf.constant(11, tf.uint64)), tf.int64)
        rows, normals = choice.of(tf.cast(bits, tf.float64) * 2.0**-53)
        points = carried(self.source, rows, normals, self.extras, ops)
        if not same and WEIGHT in self.extras:
            points[WEIGHT] *= n / self.n
        return points

    @property
    def _domain(self):
        return getattr(self.source, "domain", self.source)

    def _refuse_untraced(self):
        try:
            self._function.get_concrete_function(tf.TensorSpec((2,), tf.int64))
        except Exception as error:  # whatever a function of a user raises for a tensor
            raise ValueError(
                f"{self.source} cannot be drawn inside a compiled step "
                f"({type(error).__name__}: {str(error).strip().splitlines()[0]}). Write its "
                "functions with operators and keras.ops instead of numpy, or draw on the host: "
                "sample, and kpinn.callbacks.Resample for other points every so many epochs."
            ) from error
