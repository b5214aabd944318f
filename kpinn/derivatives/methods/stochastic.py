"""Estimates of the Laplacian and the biharmonic operator along random directions.

In high dimension the Laplacian takes `d + 2` channels. Its expectation over random directions `v`
with `E[v v^T] = 1` is `E[v^T H v]`, which takes `directions + 2` channels (Hutchinson's estimator;
Hu et al., "Hutchinson trace estimation for high-dimensional and high-order physics-informed neural
networks", 2024). Directions along coordinates give the sum over a random choice of them (Hu et al.,
"Tackling the curse of dimensionality with physics-informed neural networks", 2024; Shi et al.,
"Stochastic Taylor derivative estimator", 2024).
"""

import dataclasses

import keras
import tensorflow as tf

from kpinn.derivatives.names.requests import Request
from kpinn.options import flag, one_of, positive_whole, whole
from kpinn.options.configs import FromConfig

KINDS = ("rademacher", "gaussian", "coordinates")


@keras.saving.register_keras_serializable(package="kpinn")
@dataclasses.dataclass(frozen=True)
class Stochastic(FromConfig):
    """Unbiased estimates of `laplacian_` and `biharmonic_` along random directions.

    All other derivatives are exact, by Taylor coefficients. In `fit` each step draws anew.

    The square of an estimate is not an estimate of the square: its expectation is larger by the
    variance. `draws=2` gives two independent estimates, and the condition's loss becomes the mean
    of the product of its two residuals, which is unbiased (and may be negative).

    Args:
        directions: number of directions.
        kind: `"rademacher"` (entries -1 and 1, the least variance for the Laplacian), `"gaussian"`,
            or `"coordinates"`, a random choice of the coordinates, which suits functions that are
            nearly sums of functions of one coordinate each. The biharmonic operator has no
            Rademacher estimate and takes Gaussian directions.
        draws: 1, or 2 for an unbiased squared residual.
        shared: whether all points of a step have the same directions, which costs less in the
            first layer.
        seed: the draws are the same for the same seed and step.

    Raises:
        ValueError: for numbers or a kind without meaning.

    Example:

        pinn = Poisson(network, method=kpinn.Stochastic(directions=16))
    """

    directions: int = 16
    kind: str = "rademacher"
    draws: int = 1
    shared: bool = True
    seed: int = 0

    def __post_init__(self):
        positive_whole("directions", self.directions)
        one_of("kind", self.kind, KINDS)
        one_of("draws", self.draws, (1, 2))
        flag("shared", self.shared)
        whole("seed", self.seed, 0)

    @property
    def other(self):
        """The same with directions of their own, for a second draw."""
        return dataclasses.replace(self, seed=self.seed + 104_729)

    def get_config(self):
        """The arguments."""
        return dataclasses.asdict(self)


def randomized(requests, space, method):
    """Requests with derivatives along directions in place of the operators.

    Args:
        requests: list of `Request`.
        space: their `Space`.
        method: a `Stochastic`.

    Returns:
        A list of `Request`, and a dict from the name of each set of directions that they need
        (`"laplacian"`, `"biharmonic"`, `"pairs"`) to the names of the directions.
    """
    needed = {}
    changed = [_changed(request, space, method, needed) for request in requests]
    return changed, needed


def _changed(request, space, method, needed):
    terms = _terms(request, space, method, needed)
    if terms is None:
        return request
    return dataclasses.replace(request, operator="combination", axes=(), terms=tuple(terms))


def _terms(request, space, method, needed):
    """The terms of an estimate; `None` for a request without operators to estimate."""
    if request.operator == "combination":
        parts = [(f, t, _terms(t, space, method, needed)) for f, t in request.terms]
        if all(inner is None for _, _, inner in parts):
            return None
        return [
            pair
            for factor, term, inner in parts
            for pair in ([(factor, term)] if inner is None else [(factor * f, t) for f, t in inner])
        ]
    if request.operator == "laplacian":
        return _laplacian(request, space, method, needed)
    if request.operator == "biharmonic":
        return _biharmonic(request, space, method, needed)
    return None


def _laplacian(request, space, method, needed):
    dimension, count = len(space.spatial), _count(space, method)
    if method.kind == "coordinates" and count == dimension:
        return None
    names = needed.setdefault("laplacian", [f"laplacian.{i}" for i in range(count)])
    factor = dimension / count if method.kind == "coordinates" else 1.0 / count
    return [(factor, _along(request, (name, name))) for name in names]


def _biharmonic(request, space, method, needed):
    count = method.directions
    if method.kind == "coordinates":
        names = needed.setdefault("pairs", [f"pairs.{i}" for i in range(2 * count)])
        factor = len(space.spatial) ** 2 / count
        pairs = zip(names[:count], names[count:], strict=True)
        return [(factor, _along(request, (a, a, b, b))) for a, b in pairs]
    names = needed.setdefault("biharmonic", [f"biharmonic.{i}" for i in range(count)])
    return [(1.0 / (3.0 * count), _along(request, (name,) * 4)) for name in names]


def _along(request, axes):
    return Request("_".join((request.field, *axes)), request.field, axes=tuple(sorted(axes)))


def _count(space, method):
    """Number of directions; different coordinates are not more than there are."""
    if method.kind == "coordinates":
        return min(method.directions, len(space.spatial))
    return method.directions


def draw(needed, points, space, method, step):
    """Random directions.

    Args:
        needed: what `randomized` returned.
        points: tensor `(n, d)`.
        space: the `Space`.
        method: a `Stochastic`.
        step: the training step, an integer.

    Returns:
        A dict from name to vectors `(n, d)` or `(1, d)`.
    """
    count, found = 1 if method.shared else tf.shape(points)[0], {}
    for i, (what, names) in enumerate(needed.items()):
        seed = tf.stack([method.seed + 7919 * i, tf.cast(step, tf.int32)])
        vectors = _vectors(what, count, len(names), len(space.spatial), method, seed)
        vectors = _over_all(tf.cast(vectors, points.dtype), space)
        found |= {name: vectors[:, k] for k, name in enumerate(names)}
    return found


def _vectors(what, count, number, dimension, method, seed):
    """Random vectors `(count, number, dimension)`."""
    shape = (count, number, dimension)
    if what == "pairs":
        chosen = tf.random.stateless_uniform(shape[:2], seed, 0, dimension, tf.int32)
        return tf.one_hot(chosen, dimension)
    if method.kind == "coordinates":
        order = tf.argsort(tf.random.stateless_uniform((count, dimension), seed), axis=1)
        return tf.one_hot(order[:, :number], dimension)
    if method.kind == "gaussian" or what == "biharmonic":
        return tf.random.stateless_normal(shape, seed)
    signs = tf.random.stateless_uniform(shape, seed, 0, 2, tf.int32)
    return tf.cast(2 * signs - 1, tf.float32)


def _over_all(vectors, space):
    """Vectors over the spatial coordinates as vectors over all, with zeros for time."""
    columns = [
        tf.one_hot(column, space.input_size, dtype=vectors.dtype) for column in space.spatial
    ]
    return tf.tensordot(vectors, tf.stack(columns), axes=1)
