"""Parts: faces, boundaries and pieces of them, from which points are drawn."""

import functools
import operator

import numpy as np

from kpinn.domains import sampling
from kpinn.domains.frames import show
from kpinn.domains.integrating import integration
from kpinn.domains.plots import pictures, pictures3d
from kpinn.domains.points import drawing, grids, pieces
from kpinn.domains.points.extras import carried, names_of
from kpinn.domains.points.streams import Stream


class Part:
    """A part of a domain or of its boundary; `face`, `boundary`, `where` and `+` make it.

    Args:
        domain: the `Domain`.
        patches: a `Patch` for each piece, disjoint up to edges.
        label: how it is written, for errors and `repr`.
        names: by which it was asked for.
        recipe: a function that makes it, and its arguments: what is pickled.

    Raises:
        ValueError: if it is empty.
    """

    def __init__(self, domain, patches, label, names, recipe):
        self.domain = domain
        self.patches = tuple(patches)
        self.label = label
        self.names = tuple(names)
        self._recipe = recipe
        drawing.check_not_empty(self.patches, label)

    @property
    def fixed(self):
        """`{name: value}` of what is fixed; `"x[1]"` names a component of a vector coordinate."""
        first, *others = (patch.fixed for patch in self.patches)
        same = {a: v for a, v in first.items() if all(other.get(a) == v for other in others)}
        return {self.domain.frame.label(axis): value for axis, value in same.items()}

    @property
    def normal(self):
        """Outward unit normal `(d,)` in the order of the spatial axes of a flat face, or None."""
        patch, space = self.patches[0], self.domain.frame.spatial_axes
        flat = len(self.patches) == 1 and any(axis in space for axis in patch.fixed)
        return (
            patch.normal(np.full((1, patch.numbers), 0.5), np)[0] if flat and patch.normal else None
        )

    @property
    def has_normals(self):
        """Whether its points come with outward normals."""
        return all(patch.normal is not None for patch in self.patches)

    @property
    def faces(self):
        """A part for each of its patches."""
        return tuple(_face(self, number) for number in range(len(self.patches)))

    def sample(self, n, method="uniform", seed=None, extras="") -> dict[str, np.ndarray]:
        """Points of the part, uniform in its measure, one patch after the other.

        Args:
            n: number of points, exactly; every face of a box gets one if there are enough. For
                `method="grid"` better the points per coordinate, `{"x": 50, "y": 50}`: each face
                takes those of its free coordinates (edges of a box then come twice).
            method: `"uniform"`, `"latin_hypercube"`, `"sobol"` (balanced best when `n` is a power
                of two), `"halton"`, or `"grid"`: points with equal distances on flat faces and on
                curves, fewer than `n` where a part of a face is cut away.
            seed: int, numpy `Generator`, or None: then `keras.utils.set_random_seed` decides.
            extras: what else the points carry, names with spaces between: `w` (weights `(n, 1)`:
                `sum(w * f)` is the integral of `f`), `distance` (to the boundary in space,
                `(n, 1)`), `tangents` (unit vectors: `s` in the plane, `s1` and `s2` in space).

        Returns:
            Dict of float64 arrays, all the coordinates in the order of the domain, and the
            outward normals `"n"`, `(n, d)`, where the part has them.

        Raises:
            TypeError, ValueError: if an argument is not one of the above.
        """
        sampling.check_method(method)
        names = names_of(extras)
        if method == "grid":
            drawn = grids.on_patches(self.domain.frame, self.patches, n, self.label)
        else:
            n, rng = sampling.count(n, method=method), sampling.generator(seed)
            drawn = drawing.draw(self.patches, n, method, rng, self.label)
        return carried(self, drawn.rows, drawn.normals, names)

    def stream(self, n, seed=None, extras="") -> Stream:
        """Points that `PINN.fit` draws anew in each step, with normals; see `Domain.stream`."""
        return Stream(self, self.patches, n, seed, extras)

    @functools.cached_property
    def area(self):
        """The area of a surface, length of a curve, number of points: a `Measure`.

        It is multiplied by the length of time and the volume of parameters, where there are any.
        """
        return integration.measure(self.patches, self.label)

    def quadrature(self, n) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Nodes and weights with which sums are integrals over the part.

        Args:
            n: number of nodes, about.

        Returns:
            Points as `sample` gives them, with normals, and weights `(m, 1)`.

        Raises:
            ValueError: if there is no rule for such a part.

        Example:
            >>> points, weights = flow.boundary("cylinder").quadrature(400)
            >>> u_n = pinn.predict_fields(points, "u_n")["u_n"]
            >>> flux = np.sum(weights * u_n)
        """
        rows, normals, weights = integration.rule(self.patches, sampling.count(n), self.label)
        return carried(self, rows, normals, ()), weights[:, None]

    def where(self, predicate) -> "Part":
        """The piece of the part in which a function of the coordinates is true.

        Args:
            predicate: a function of some coordinates, and of the normal `n` if it likes, arrays
                `(n, 1)` or `(n, d)`; it returns bools. Written with operators and functions of
                `keras.ops`, it also serves streams of points.

        Returns:
            A `Part`.

        Raises:
            TypeError, ValueError: if it is no such function, or the piece is empty.

        Example:
            >>> left = disk.boundary().where(lambda x: x < 0)
        """
        condition = pieces.where(self, predicate)
        patches, label = [patch.kept(condition) for patch in self.patches], f"{self}.where(...)"
        recipe = (operator.methodcaller("where", predicate), self)
        return Part(self.domain, patches, label, (), recipe)

    def plot(self, axes=None, points=400, normals=True, fixed=None):
        """Draw the points of the part; see `Domain.plot` for arguments, result and errors."""
        return pictures.of_part(self, axes, points, normals, fixed)

    def plot3d(self, plotter=None, points=4_000, opacity=1.0, fixed=None):
        """Draw the part as a surface; see `Domain.plot3d` for arguments, result and errors."""
        return pictures3d.of_part(self, plotter, points, opacity, fixed)

    def __add__(self, other):
        """Both parts; what they have in common counts once."""
        if not isinstance(other, Part):
            return NotImplemented
        if other.domain is not self.domain:
            raise ValueError(
                f"{self} and {other} are parts of different domains. Add parts of one domain, or "
                "join their points by kpinn.domains.concatenate(a, b)."
            )
        more = [pieces.without(patch, self.patches) for patch in other.patches]
        patches, label = [*self.patches, *filter(None, more)], f"({self} + {other})"
        names = self.names + other.names
        return Part(self.domain, patches, label, names, (operator.add, self, other))

    def __repr__(self):
        return self.label

    def __reduce__(self):
        make, *operands = self._recipe
        return make, tuple(operands)


def _face(part, number):
    """The part that is one of the patches of another."""
    patch, frame = part.patches[number], part.domain.frame
    fixed = (f"{frame.label(axis)}={show(value)}" for axis, value in patch.fixed.items())
    label = f"{part.domain}.face({', '.join(fixed)})" if patch.fixed else part.label
    return Part(part.domain, [patch], label, (), (_face, part, number))
