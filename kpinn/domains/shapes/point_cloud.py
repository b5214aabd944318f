"""Point clouds: points that are given, from measurements or another program."""

import functools

import numpy as np

from kpinn.domains import sampling
from kpinn.domains.complexes import distances, simplices
from kpinn.domains.complexes.vertices import column
from kpinn.domains.domain import Domain
from kpinn.domains.frames import NORMAL, Frame, check_name
from kpinn.domains.patches import Patch, constant
from kpinn.domains.points.extras import carried, names_of


class PointCloud(Domain):
    """Given points, with normals and weights if there are any.

    Its `points` are all of them. Samples are drawn from them: without a weight each comes once
    before any comes again.

    Args:
        n: normals, `(points, d)`, of any length other than zero.
        weights: positive numbers `(points,)` with which sums are integrals; 1 each by default.
            Samples have this density.
        **points: `x=[...], y=[...]`, and `t=[...]` if they have a time; `(points, d)` for a vector
            coordinate.

    Raises:
        ValueError: if arrays are not usable, or their lengths differ.

    Example:
        >>> sensors = PointCloud(t=times, x=places)
        >>> data = {**sensors.points, "measured": values}
    """

    is_surface = True

    def __init__(self, /, *, n=None, weights=None, **points):
        if not points:
            raise ValueError("A PointCloud needs points, as in PointCloud(x=[0, 1], y=[0, 1]).")
        columns = {check_name(k): column(f"`{k}` of a PointCloud", v) for k, v in points.items()}
        given = {**columns, **({} if n is None else {NORMAL: column("`n` of a PointCloud", n)})}
        if weights is not None:
            given["weights"] = column("`weights` of a PointCloud", weights)
        lengths = {name: len(values) for name, values in given.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"A PointCloud needs arrays of one length, got {lengths}.")
        self.rows = np.concatenate(list(columns.values()), axis=1)
        frame = Frame({name: values.shape[1] for name, values in columns.items()})
        super().__init__(frame, self.rows.min(axis=0), self.rows.max(axis=0))
        self._normals = None if n is None else _unit(given[NORMAL], frame)
        self._weights = given.get("weights", np.ones((len(self.rows), 1)))[:, 0]
        self._is_weighted = weights is not None
        if np.any(self._weights <= 0):
            raise ValueError(f"`weights` of {self} must be positive, got {self._weights.min()}.")

    @property
    def points(self):
        """All points, dict of arrays `(points, d)`, with their normals `"n"` if there are any."""
        return carried(self, self.rows, self._normals, ())

    @property
    def weights(self):
        """Weights `(points, 1)`."""
        return self._weights[:, None]

    def sample(self, n, method="uniform", seed=None, extras="") -> dict[str, np.ndarray]:
        """Some of the points; see `Region.sample`.

        With the method `"uniform"`, and without weights of the cloud, none comes again before
        each has come.
        """
        if method != "uniform" or self._is_weighted:
            return super().sample(n, method, seed, extras)
        count, rng = sampling.count(n), sampling.generator(seed)
        rounds = -(-count // len(self.rows))
        index = np.concatenate([rng.permutation(len(self.rows)) for _ in range(rounds)])[:count]
        normals = None if self._normals is None else self._normals[index]
        return carried(self, self.rows[index], normals, names_of(extras))

    def level(self, rows, xp):
        """The distance to the nearest point."""
        return distances.distance(self._surface, rows, xp)

    def patches(self):
        """One patch, whose number picks a point."""
        ends = simplices.cumulative(self._weights)

        def picked(values, unit, xp):
            index, _ = simplices.pick(unit[:, 0], ends, xp)
            return xp.take(constant(values, unit), index, axis=0)

        normals = self._normals
        return (
            Patch(
                numbers=1,
                place=lambda unit, xp: picked(self.rows, unit, xp),
                measure=float(np.sum(self._weights)),
                normal=None if normals is None else lambda unit, xp: picked(normals, unit, xp),
            ),
        )

    def boundary_patches(self):
        """None."""
        return ()

    def boundary(self, *names):
        """There is none."""
        raise ValueError(f"{self} has no boundary. Make one PointCloud of points on each part.")

    def rule(self, n):
        """All points with their weights, whatever `n` is."""
        return self.rows, self._normals, self._weights

    def __repr__(self):
        return f"PointCloud({len(self.rows)} points, {' '.join(self.coordinates)})"

    @functools.cached_property
    def _surface(self):
        return distances.without_sides(self.rows[:, None])


def _unit(normals, frame):
    """Normals of unit length, `(points, spatial axes)`, or an error."""
    width, lengths = len(frame.spatial_axes), np.linalg.norm(normals, axis=1, keepdims=True)
    if normals.shape[1] != width or np.any(lengths == 0):
        raise ValueError(
            f"`n` of a PointCloud has the shape (points, {width}) and no zero vectors, got "
            f"{normals.shape} and {np.sum(lengths == 0)} zero vectors."
        )
    return normals / lengths
