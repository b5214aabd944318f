"""Integrals against test functions: by mpmath, by hand and by parts."""

import itertools
import math

import mpmath
import numpy as np
import pytest
from keras import ops

import kpinn
from kpinn.operators import WeakForm

EDGES = {"x": [0.0, 0.5, 2.0], "y": [-1.0, -0.2, 0.3, 1.0]}


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


def of_cells(weak):
    """The places of all cells, a dict of `(n, q)`, and the widths."""
    points = dict(weak.points)
    widths = ops.convert_to_tensor(points.pop("widths"))
    return {n: x.numpy() for n, x in weak.places(widths, *points.values()).items()}, widths


def assert_close(found, expected, tolerance=1e-12):
    expected = np.asarray(expected)
    assert np.shape(found) == expected.shape
    limit = tolerance * max(1, np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=limit)


def legendre(k):
    """`P_(k+1) - P_(k-1)`."""
    return lambda s: mpmath.legendre(k + 1, s) - mpmath.legendre(k - 1, s)


def against_legendre(function, edges, count, order=0):
    """Integrals over each cell by mpmath, `(cells, count)`."""
    found = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        half, middle = (mpmath.mpf(high) - low) / 2, (mpmath.mpf(high) + low) / 2
        for k in range(1, count + 1):

            def integrand(s, k=k, half=half, middle=middle):
                test = mpmath.diff(legendre(k), s, order) / half**order
                return function(middle + half * s) * test * half

            found.append(float(mpmath.quad(integrand, [-1, 0, 1])))
    return np.reshape(found, (-1, count))


@pytest.mark.parametrize("order", [0, 1])
def test_integrals_are_those_of_mpmath(order):
    weak = WeakForm({"x": EDGES["x"]}, tests=3, nodes=9)
    places, widths = of_cells(weak)
    found = weak.integrals(np.exp(places["x"]), widths, "x" * order)
    assert_close(found, against_legendre(mpmath.exp, EDGES["x"], 3, order))


def test_cells_are_those_between_the_edges():
    weak = WeakForm(EDGES, tests={"x": 2, "y": 1}, nodes=4)
    places, widths = of_cells(weak)
    assert {name: each.shape for name, each in places.items()} == {"x": (6, 16), "y": (6, 16)}
    cells = itertools.product(*map(itertools.pairwise, EDGES.values()))
    for row, ((low, high), (below, above)) in enumerate(cells):
        assert low < places["x"][row].min() < places["x"][row].max() < high
        assert below < places["y"][row].min() < places["y"][row].max() < above
        assert weak.points["x"][row, 0] == pytest.approx((low + high) / 2)
        sides = [(high - low) / 2] * 2 + [(above - below) / 2] * 2
        np.testing.assert_allclose(widths[row], sides)


def test_test_functions_of_two_coordinates_are_products():
    weak = WeakForm(EDGES, tests={"x": 2, "y": 3}, nodes=9)
    places, widths = of_cells(weak)
    along = against_legendre(mpmath.sin, EDGES["x"], 2)
    across = against_legendre(mpmath.exp, EDGES["y"], 3, 1)
    values = np.sin(places["x"]) * np.exp(places["y"])
    products = np.einsum("ak,bl->abkl", along, across).reshape(6, 6)
    assert_close(weak.integrals(values, widths, "y"), products)
    slopes = against_legendre(mpmath.sin, EDGES["x"], 2, 1)
    products = np.einsum("ak,bl->abkl", slopes, across).reshape(6, 6)
    assert_close(weak.integrals(values, widths, "y x"), products)


def test_an_integral_by_parts_has_no_boundary_terms():
    """u = x^3 y^2: the Laplacian and the flux give the same."""
    weak = WeakForm(EDGES, tests=2)
    (x, y), widths = of_cells(weak)[0].values(), of_cells(weak)[1]
    strong = weak.integrals(6 * x * y**2 + 2 * x**3, widths)
    flux = np.stack([3 * x**2 * y**2, 2 * x**3 * y], axis=-1)
    assert_close(-weak.integrals_with_gradient(flux, widths), strong.numpy())


def test_the_gradient_of_one_coordinate_is_its_derivative():
    weak = WeakForm({"x": EDGES["x"]}, 3)
    places, widths = of_cells(weak)
    found = weak.integrals_with_gradient(places["x"] ** 3, widths)
    assert_close(found, weak.integrals(places["x"] ** 3, widths, "x").numpy())


def test_hats_are_those_of_linear_elements():
    weak = WeakForm({"x": [0.0, 0.5, 2.0, 3.0]}, tests="hat", nodes=2)
    places, widths = of_cells(weak)
    x = places["x"]
    np.testing.assert_allclose(widths, [[0.5, 1.5], [1.5, 1.0]])
    assert_close(weak.integrals(np.ones_like(x), widths), [[1.0], [1.25]])  # half of two cells
    assert_close(weak.integrals(2 * x, widths, "x"), [[-2.0], [-2.5]])  # minus twice these
    # of x times a hat: (rising + falling part) by the rule of Simpson, which is exact for it
    rising = 0.5 / 6 * (4 * 0.25 * 0.5 + 0.5), 1.5 / 6 * (4 * 1.25 * 0.5 + 2.0)
    falling = 1.5 / 6 * (0.5 + 4 * 1.25 * 0.5), 1.0 / 6 * (2.0 + 4 * 2.5 * 0.5)
    assert_close(weak.integrals(x, widths), np.add(rising, falling)[:, None])


# Conditions ------------------------------------------------------------------------------------


def source(x, y):
    return 2 * math.pi**2 * ops.sin(math.pi * x) * ops.sin(math.pi * y)


def poisson(weak):
    """A condition."""

    def weakly(x, y, widths, at):
        places = weak.places(widths, x, y)
        flux = at("grad_u", **places)
        return weak.integrals(source(**places), widths) - weak.integrals_with_gradient(flux, widths)

    return weakly


@pytest.mark.parametrize("tests", [2, "hat"])
def test_a_weak_form_is_trained(tests):
    """Poisson's equation in a square: u = sin(pi x) sin(pi y), zero at the walls by the network."""
    edges = np.linspace(0, 1, 7 if tests == "hat" else 4)
    weak = WeakForm({"x": edges, "y": edges}, tests, nodes=6)
    features = kpinn.networks.RandomFeatures(20, scale=2.0, seed=0)
    network = kpinn.layers.HardCondition(
        features, "x y", distance=lambda x, y: 16 * x * (1 - x) * y * (1 - y)
    )
    pinn = kpinn.PINN(network, "x y", "u", [poisson(weak)])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), jit_compile=False)
    pinn.fit(weak.points, epochs=5, verbose=0)
    assert pinn.result.iterations == 1  # it is linear
    new = kpinn.domains.Box(x=(0, 1), y=(0, 1)).sample(100, seed=0)
    exact = np.sin(math.pi * new["x"]) * np.sin(math.pi * new["y"])
    assert np.abs(pinn.predict_fields(new)["u"] - exact).max() < 1e-3


def test_a_solution_leaves_nothing_of_a_weak_form():
    weak = WeakForm({"x": [0.0, 0.4, 1.0], "y": [0.0, 1.0]}, 2, nodes=12)
    names = {"coordinates": "x y", "fields": "u", "conditions": [poisson(weak)]}
    for sign, least, most in ((1, 0.0, 1e-12), (-1, 1e-2, np.inf)):

        def solution(x, y, sign=sign):
            return sign * ops.sin(math.pi * x) * ops.sin(math.pi * y)

        truth = kpinn.manufactured(kpinn.PINN, solution, **names)
        found = truth.residuals(weak.points)["weakly"]
        assert found.shape == (2, 4)
        assert least <= np.abs(found).max() < most


SIDES = np.ones((3, 2))
ONE = WeakForm({"x": [0, 1]})  # with 7 nodes
WRONG = [
    (lambda: WeakForm([0, 1]), "edges is"),
    (lambda: WeakForm({}), "edges is"),
    (lambda: WeakForm({"x": [0.0]}), "edges of 'x' are"),
    (lambda: WeakForm({"x": [0.0, 0.0]}), "edges of 'x' are"),
    (lambda: WeakForm({"x": [0.0, math.nan]}), "edges of 'x' are"),
    (lambda: WeakForm({"x": ["a", "b"]}), "edges of 'x' is not an array"),
    (lambda: WeakForm({"x": [0, 1]}, tests=0), "tests is a positive whole"),
    (lambda: WeakForm({"x": [0, 1]}, tests="sine"), "tests is a positive whole"),
    (lambda: WeakForm({"x": [0, 1]}, tests="hat"), "needs an edge between two cells"),
    (lambda: WeakForm({"x": [0, 1]}, tests={"y": 2}), "tests has"),
    (lambda: WeakForm({"x": [0, 1]}, nodes=0), "nodes is a positive whole"),
    (lambda: ONE.integrals(np.ones((3, 1)), SIDES), r"expected \(n, 7\)"),
    (lambda: ONE.integrals(np.ones((3, 7)), np.ones((3, 1))), "widths has the shape"),
    (lambda: ONE.integrals(np.ones((3, 7)), SIDES, "y"), "derivative 'y'"),
    (lambda: ONE.integrals(np.ones((3, 7)), SIDES, "x x"), "each once"),
    (lambda: ONE.integrals_with_gradient(np.ones((3, 7, 2)), SIDES), "flux has the shape"),
    (lambda: ONE.places(SIDES), "places got 0 coordinates"),
    (lambda: ONE.places(np.ones((3, 4)), np.ones((3, 1))), "widths has the shape"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
