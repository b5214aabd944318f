"""Residuals in weak form: integrals against test functions over the cells of a box."""

import itertools
import math

import numpy as np
from keras import ops
from numpy.polynomial import legendre

from kpinn.options import positive_whole, shown
from kpinn.options.arrays import as_dict, float_array

HAT = "hat"


class WeakForm:
    """A box that is cut into cells, with test functions and quadrature on each of them.

    The points of a condition in weak form are the cells, and its residuals are integrals over
    them, one for each test function: the values that these need, at the Gauss points of the cell,
    are those of `at`. So cells may be divided into batches, and the Jacobian takes one backward
    pass for each test function of a cell.

    The test functions are products of `P_(k+1) - P_(k-1)` for `k` from 1 to `tests` along each
    coordinate, of Legendre's polynomials, which are zero at the ends of the cell. An integral by
    parts has no boundary terms then, and needs derivatives of the solution of lower order. With
    `tests="hat"` they are the hats of linear finite elements, and a cell is what lies around an
    inner edge, to the next ones.

    `weak.points` is a dict from coordinate to the middles of the cells, `(n, 1)`, with the array
    `widths`, `(n, 2 d)`: how far the cell goes to the left and to the right along each coordinate.

    Args:
        edges: dict from coordinate to the increasing edges of its cells, `{"x": [0, 0.5, 1]}`, in
            the order of the PINN's coordinates.
        tests: number of test functions of a cell along each coordinate, or `"hat"`; or a dict by
            coordinate.
        nodes: Gauss points of a cell along each coordinate, for hats on each side; by default four
            more than `tests`.

    Raises:
        ValueError: for edges that do not increase, or sizes below one.

    Example:

        weak = kpinn.operators.WeakForm({"x": np.linspace(0, 1, 9)}, tests=3)

        def poisson(x, widths, at):  # u_xx + f = 0
            places = weak.places(widths, x)
            flux = at("u_x", **places)
            return weak.integrals(f(**places), widths) - weak.integrals(flux, widths, "x")

        points = {"poisson": weak.points, "walls": {"x": [0.0, 1.0]}}

    References:
        Kharazmi, Zhang & Karniadakis, "hp-VPINNs: variational physics-informed neural networks
        with domain decomposition" (2021).
    """

    def __init__(self, edges, tests=3, nodes=None):
        edges = as_dict(edges)
        if not isinstance(edges, dict) or not edges:
            raise ValueError(
                f"edges is {shown(edges)}: expected a dict such as {{'x': [0.0, 0.5, 1.0]}}."
            )
        by_name = tests if isinstance(tests, dict) else dict.fromkeys(edges, tests)
        if set(by_name) != set(edges):
            raise ValueError(f"tests has {shown(by_name)}: expected {', '.join(edges)}.")
        cells, along = [], []
        for name, each in edges.items():
            kind = by_name[name] if by_name[name] == HAT else positive_whole("tests", by_name[name])
            cells.append(_cells(name, each, kind))
            usual = 5 if kind == HAT else kind + 4
            count = usual if nodes is None else positive_whole("nodes", nodes)
            along.append(_hat(count) if kind == HAT else _legendre(kind, count))
        self.names = list(edges)
        middles = np.meshgrid(*(middle for middle, _ in cells), indexing="ij")
        self.points = {n: m.reshape(-1, 1) for n, m in zip(self.names, middles, strict=True)}
        every = [range(len(middle)) for middle, _ in cells]
        widths = [
            np.concatenate([sides[i] for i, (_, sides) in zip(place, cells, strict=True)])
            for place in itertools.product(*every)
        ]
        self.points["widths"] = np.array(widths)
        grids = np.meshgrid(*(each[0] for each in along), indexing="ij")
        self._places = [grid.reshape(1, -1) for grid in grids]
        weights = np.meshgrid(*(each[1] for each in along), indexing="ij")
        self._weights = math.prod(weights).reshape(1, -1)
        self._tests = [each[2] for each in along]

    def places(self, widths, *middles):
        """The quadrature points of the cells, as `at` takes them.

        Args:
            widths: as it comes with the points, `(n, 2 d)`.
            *middles: the coordinates of the points, `(n, 1)` each, in the order of `edges`.

        Returns:
            A dict from coordinate to a tensor `(n, q)`.

        Raises:
            ValueError: for other coordinates, or widths of another shape.
        """
        if len(middles) != len(self.names):
            raise ValueError(
                f"places got {len(middles)} coordinates beside the widths: expected "
                f"{', '.join(self.names)}."
            )
        pairs = zip(middles, self._sides(widths), self._places, strict=True)
        found = [middle + side * _constant(place, widths) for middle, side, place in pairs]
        return dict(zip(self.names, found, strict=True))

    def integrals(self, values, widths, derivative=""):
        """Integrals of values times each test function over each cell, `(n, m)`.

        Args:
            values: at `places`, `(n, q)`.
            widths: as it comes with the points, `(n, 2 d)`.
            derivative: the coordinate with respect to which the test functions are
                differentiated, `"x"`; or several, `"x y"`, each once; or none.

        Raises:
            ValueError: for values or widths of another shape, or a coordinate that there is not.
        """
        orders = [derivative.split().count(name) for name in self.names]
        if sum(orders) != len(derivative.split()) or max(orders) > 1:
            raise ValueError(
                f"derivative {derivative!r}: expected some of {', '.join(self.names)}, separated "
                "by blanks, each once."
            )
        count = self._weights.shape[1]
        if len(values.shape) != 2 or values.shape[1] != count:
            raise ValueError(
                f"values has the shape {tuple(values.shape)}: expected (n, {count}), at the "
                "places of each cell."
            )
        found = values * _constant(self._weights, values)
        for side, order in zip(self._sides(widths), orders, strict=True):
            found = found if order else found * side  # the slope of a function is one over it
        functions = np.ones((1, 1))
        for each, order in zip(self._tests, orders, strict=True):
            functions = np.kron(functions, each[order])
        return ops.matmul(found, _constant(functions, values))

    def integrals_with_gradient(self, flux, widths):
        """Integrals of a vector field times the gradient of each test function, `(n, m)`.

        Args:
            flux: at `places`, `(n, q, d)`, a column along each coordinate of `edges`; `(n, q)`
                where there is one.
            widths: as it comes with the points, `(n, 2 d)`.

        Raises:
            ValueError: for a flux or widths of another shape.
        """
        if len(flux.shape) == 2 and len(self.names) == 1:  # as `at` gives it
            flux = ops.expand_dims(flux, 2)
        if len(flux.shape) != 3 or flux.shape[2] != len(self.names):
            raise ValueError(
                f"flux has the shape {tuple(flux.shape)}: expected (n, q, {len(self.names)}), a "
                f"column along each of {', '.join(self.names)}."
            )
        return sum(self.integrals(flux[:, :, i], widths, name) for i, name in enumerate(self.names))

    def _sides(self, widths):
        """For each coordinate the width of the cell on the side of each place, `(n, q)`."""
        if len(widths.shape) != 2 or widths.shape[1] != 2 * len(self.names):
            raise ValueError(
                f"widths has the shape {tuple(widths.shape)}: expected (n, {2 * len(self.names)}), "
                "the array that comes with the points of the weak form."
            )
        found = []
        for i, place in enumerate(self._places):
            right = _constant(place > 0, widths)
            left, other = widths[:, 2 * i : 2 * i + 1], widths[:, 2 * i + 1 : 2 * i + 2]
            found.append(left + (other - left) * right)
        return found


def _constant(array, like):
    return ops.convert_to_tensor(np.asarray(array, "float64"), like.dtype)


def _cells(name, edges, kind):
    """The middles `(n,)` of the cells along a coordinate, and their widths `(n, 2)`."""
    edges = float_array(f"edges of {name!r}", edges)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
        raise ValueError(
            f"edges of {name!r} are {shown(edges.tolist())}: expected at least two finite numbers "
            "that increase."
        )
    gaps = np.diff(edges)
    if kind != HAT:
        return (edges[1:] + edges[:-1]) / 2, np.stack([gaps, gaps], axis=1) / 2
    if len(edges) < 3:
        raise ValueError(f"tests='hat' needs an edge between two cells along {name!r}.")
    return edges[1:-1], np.stack([gaps[:-1], gaps[1:]], axis=1)


def _legendre(count, nodes):
    """Places from -1 to 1, weights, and test functions and slopes there, `(nodes, count)`."""
    places, weights = legendre.leggauss(nodes)
    functions = []
    for order in range(2):
        columns = []
        for k in range(1, count + 1):
            coefficients = np.zeros(k + 2)
            coefficients[k + 1], coefficients[k - 1] = 1.0, -1.0
            columns.append(legendre.legval(places, legendre.legder(coefficients, order)))
        functions.append(np.stack(columns, axis=1))
    return places, weights, functions


def _hat(nodes):
    """The same for a hat, with nodes on each side."""
    places, weights = legendre.leggauss(nodes)
    places, weights = (places + 1) / 2, weights / 2
    places, weights = np.concatenate([places - 1, places]), np.concatenate([weights, weights])
    return places, weights, [1 - np.abs(places)[:, None], -np.sign(places)[:, None]]
