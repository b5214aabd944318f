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
    """Quadrature points of a box that is cut into cells, and test functions on them.

    The test functions of a cell are products of `P_(k+1) - P_(k-1)` for `k` from 1 to `tests` along
    each coordinate, of Legendre's polynomials, which are zero at the ends of the cell. So an
    integral by parts has no boundary terms, and needs derivatives of the solution of lower order.
    With `tests="hat"` they are the hats of linear finite elements at the inner edges.

    `weak.points` is a dict from coordinate to the Gauss points of all cells, `(n, 1)`,
    `weak.weights` are their weights `(n, 1)`, whose sum is the volume of the box, and `weak.count`
    is the number of test functions, `m`.

    Args:
        edges: dict from coordinate to the increasing edges of its cells, `{"x": [0, 0.5, 1]}`, in
            the order of the PINN's coordinates.
        tests: number of test functions of a cell along each coordinate, or `"hat"`; or a dict by
            coordinate.
        nodes: Gauss points of a cell along each coordinate; by default 4 more than `tests`.

    Raises:
        ValueError: for edges that do not increase, or sizes below one.

    Example:

        weak = kpinn.operators.WeakForm({"x": np.linspace(0, 1, 9)}, tests=3)

        @kpinn.condition(over="set")
        def poisson(x, u_x):  # u_xx + f = 0
            return weak.integrals(f(x)) - weak.integrals(u_x, "x")

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
        columns = {name: _checked_edges(name, each) for name, each in edges.items()}
        by_name = tests if isinstance(tests, dict) else dict.fromkeys(columns, tests)
        if set(by_name) != set(columns):
            raise ValueError(f"tests has {shown(by_name)}: expected {', '.join(columns)}.")
        self.names = list(columns)
        self._places, self._weights, self._tests = [], [], []
        for name, each in columns.items():
            kind = by_name[name] if by_name[name] == HAT else positive_whole("tests", by_name[name])
            usual = 5 if kind == HAT else kind + 4
            count = usual if nodes is None else positive_whole("nodes", nodes)
            places, weights, functions = _along(each, kind, count)
            self._places.append(places)
            self._weights.append(weights)
            self._tests.append(functions)
        grids = np.meshgrid(*self._places, indexing="ij")
        self.points = {n: g.reshape(-1, 1) for n, g in zip(self.names, grids, strict=True)}
        weights = np.meshgrid(*self._weights, indexing="ij")
        self.weights = math.prod(weights).reshape(-1, 1)
        self.count = math.prod(each[0].shape[1] for each in self._tests)

    def integrals(self, values, derivative=""):
        """Integrals of values times each test function, `(1, m)`.

        Args:
            values: `(n, 1)`, at `points`.
            derivative: the coordinate with respect to which the test functions are
                differentiated, `"x"`; or several, `"x y"`, each once; or none.

        Raises:
            ValueError: for values at other points, or a coordinate that there is not.
        """
        orders = [derivative.split().count(name) for name in self.names]
        if sum(orders) != len(derivative.split()) or max(orders) > 1:
            raise ValueError(
                f"derivative {derivative!r}: expected some of {', '.join(self.names)}, separated "
                "by blanks, each once."
            )
        sizes = [len(places) for places in self._places]
        shape, wanted = tuple(values.shape), (math.prod(sizes), 1)
        if shape not in (wanted, (None, 1)):  # the number of points is not always known
            raise ValueError(
                f"values has the shape {shape}: expected {wanted}, one for each of the points, all "
                "of them in their order."
            )
        found = ops.reshape(values, sizes)
        for order, functions in zip(orders, self._tests, strict=True):
            matrix = ops.convert_to_tensor(functions[order], found.dtype)
            found = ops.tensordot(found, matrix, axes=[[0], [0]])
        return ops.reshape(found, (1, self.count))

    def integrals_with_gradient(self, flux):
        """Integrals of a vector field times the gradient of each test function, `(1, m)`.

        Args:
            flux: `(n, d)`, a column along each coordinate of `edges`.

        Raises:
            ValueError: for another number of columns, or other points.
        """
        if len(flux.shape) != 2 or flux.shape[1] != len(self.names):
            raise ValueError(
                f"flux has the shape {tuple(flux.shape)}: expected (n, {len(self.names)}), a "
                f"column along each of {', '.join(self.names)}."
            )
        return sum(self.integrals(flux[:, i : i + 1], name) for i, name in enumerate(self.names))


def _checked_edges(name, edges):
    edges = float_array(f"edges of {name!r}", edges)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
        raise ValueError(
            f"edges of {name!r} are {shown(edges.tolist())}: expected at least two finite numbers "
            "that increase."
        )
    return edges


def _along(edges, kind, count):
    """Gauss points `(n,)` of the cells along a coordinate, weights, and test functions.

    Those are matrices `(n, m)` with the weights: of the functions and of their derivatives.
    """
    if kind == HAT and len(edges) < 3:
        raise ValueError("tests='hat' needs an edge between two cells: there is one cell.")
    nodes, weights = legendre.leggauss(count)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    places = (middle[:, None] + half[:, None] * nodes).ravel()
    every = (half[:, None] * weights).ravel()
    if kind == HAT:
        functions = _hats(edges, places)
    else:
        orders = range(2)
        local = [_legendre(kind, nodes, order) for order in orders]
        functions = [np.zeros((len(half), count, len(half), kind)) for _ in orders]
        for order, cell in itertools.product(orders, range(len(half))):
            functions[order][cell, :, cell] = local[order] / half[cell] ** order
        functions = [each.reshape(len(places), -1) for each in functions]
    return places, every, [every[:, None] * each for each in functions]


def _legendre(count, nodes, order):
    """`P_(k+1) - P_(k-1)`, or a derivative of it, for `k` from 1, `(nodes, count)`."""
    columns = []
    for k in range(1, count + 1):
        coefficients = np.zeros(k + 2)
        coefficients[k + 1], coefficients[k - 1] = 1.0, -1.0
        columns.append(legendre.legval(nodes, legendre.legder(coefficients, order)))
    return np.stack(columns, axis=1)


def _hats(edges, places):
    """Hats at the inner edges and their slopes, `(nodes, edges - 2)`."""
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    x = places[:, None]
    rises, falls = (x > low) & (x < middle), (x > middle) & (x < high)
    hats = rises * (x - low) / (middle - low) + falls * (high - x) / (high - middle)
    return [hats, rises / (middle - low) - falls / (high - middle)]
