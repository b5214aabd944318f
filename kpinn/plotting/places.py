"""The points that a picture is drawn from: what lattices, triangles and curves have in common."""

import numpy as np


class Places:
    """Points of a picture, to which values belong.

    Attributes:
        names: labels of the axes of the picture, one for curves, two for maps.
        coordinates: names of the coordinates of the domain.
        points: `{coordinate: (size, d)}`, what a model is asked at.
        size: their number.
        shape: of the values that are drawn.
        where: the fixed values, for titles.
        kind: where the points are, for errors.
        ends: of the only axis, a pair.
        has_groups: whether curves have names.
        weights: of the points in means `(size,)`, or None where all count the same.
    """

    weights, has_groups = None, False

    def rows(self, values, what):
        """`values` as `(n, k)`, or an error."""
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or len(values) != self.size:
            raise ValueError(
                f"Expected {what} with {self.size} values, one per point {self.kind}, got the "
                f"shape {values.shape}."
            )
        return values

    def column(self, values, what):
        """The only column of `values`, in the shape of the picture."""
        return only_column(self.rows(np.asarray(values, "float64"), what), what).reshape(self.shape)

    def reference(self, reference):
        """Values of a reference in the shape of the picture."""
        if callable(reference):
            arrays = [self.points[name] for name in self.coordinates]
            reference = reference(*(a[:, 0] if a.shape[1] == 1 else a for a in arrays))
        values = np.asarray(reference, "float64")
        return self.column(values.ravel() if values.shape == self.shape else values, "a reference")

    def root_mean_square(self, values):
        """Over the points, or over the length or area that they stand for."""
        return float(np.sqrt(np.average(np.square(values), weights=self.weights)))


def only_column(values, what):
    """The column `(n,)` of values `(n, 1)`; `ValueError` if there are several."""
    if values.shape[1] != 1:
        raise ValueError(
            f"A picture shows one number per point, but {what} has {values.shape[1]} components. "
            "Name one of them, such as u_x of grad_u; of a vector field v draw a derived field: "
            "@kpinn.field def first(self, v): return v[:, :1]."
        )
    return values[:, 0]
