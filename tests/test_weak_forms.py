"""Integrals against test functions: by mpmath, by hand and by parts."""

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


def assert_close(found, expected, tolerance=1e-13):
    expected = np.asarray(expected)
    np.testing.assert_allclose(
        np.ravel(found), expected, rtol=0, atol=tolerance * max(1, np.abs(expected).max())
    )


def legendre(k):
    """`P_(k+1) - P_(k-1)`."""
    return lambda s: mpmath.legendre(k + 1, s) - mpmath.legendre(k - 1, s)


def against_legendre(function, edges, count, order=0):
    """Integrals over each cell by mpmath, the test functions of a cell one after the other."""
    found = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        half, middle = (mpmath.mpf(high) - low) / 2, (mpmath.mpf(high) + low) / 2
        for k in range(1, count + 1):

            def integrand(s, k=k, half=half, middle=middle):
                test = mpmath.diff(legendre(k), s, order) / half**order
                return function(middle + half * s) * test * half

            found.append(float(mpmath.quad(integrand, [-1, 0, 1])))
    return found


@pytest.mark.parametrize("order", [0, 1])
def test_integrals_are_those_of_mpmath(order):
    weak = WeakForm({"x": EDGES["x"]}, tests=3, nodes=9)
    found = weak.integrals(np.exp(weak.points["x"]), " ".join(["x"] * order))
    assert found.shape == (1, weak.count) == (1, 6)
    assert_close(found, against_legendre(mpmath.exp, EDGES["x"], 3, order), 1e-12)


def test_weights_add_up_to_the_volume_and_points_are_within():
    weak = WeakForm(EDGES, tests={"x": 2, "y": 1})
    assert weak.weights.sum() == pytest.approx(4.0, rel=1e-14)
    assert weak.count == 2 * 2 * 3
    for name, edges in EDGES.items():
        assert edges[0] < weak.points[name].min() < weak.points[name].max() < edges[-1]
    assert np.sum(weak.weights * weak.points["x"] ** 3) == pytest.approx(2.0 * 4.0, rel=1e-14)


def test_test_functions_of_two_coordinates_are_products():
    weak = WeakForm(EDGES, tests={"x": 2, "y": 3}, nodes=9)
    x, y = weak.points["x"], weak.points["y"]
    along = against_legendre(mpmath.sin, EDGES["x"], 2)
    across = against_legendre(mpmath.exp, EDGES["y"], 3, 1)
    found = weak.integrals(np.sin(x) * np.exp(y), "y")
    assert_close(found, np.outer(along, across).ravel(), 1e-12)


def test_an_integral_by_parts_has_no_boundary_terms():
    """u = x^3 y^2: the Laplacian and the flux give the same."""
    weak = WeakForm(EDGES, tests=2)
    x, y = weak.points["x"], weak.points["y"]
    strong = weak.integrals(6 * x * y**2 + 2 * x**3)
    flux = np.concatenate([3 * x**2 * y**2, 2 * x**3 * y], axis=1)
    assert_close(-weak.integrals_with_gradient(flux), np.ravel(strong), 1e-12)


def test_hats_are_those_of_linear_elements():
    weak = WeakForm({"x": [0.0, 0.5, 2.0, 3.0]}, tests="hat")
    x = weak.points["x"]
    assert_close(weak.integrals(np.ones_like(x)), [1.0, 1.25])  # half of the two cells
    slopes = weak.integrals(2 * x, "x")  # minus the integrals of 2 times a hat
    assert_close(slopes, [-2.0, -2.5])
    assert_close(weak.integrals(x), [(0.5**3 / 3) / 0.5 + _falls(0.5, 2.0), 0.0 + _last()])


def _falls(low, high):
    """The integral of x (high - x) / (high - low)."""
    return (high * (high**2 - low**2) / 2 - (high**3 - low**3) / 3) / (high - low)


def _last():
    low, middle = 0.5, 2.0
    rises = ((middle**3 - low**3) / 3 - low * (middle**2 - low**2) / 2) / (middle - low)
    return rises + _falls(2.0, 3.0)


def source(x, y):
    return 2 * math.pi**2 * ops.sin(math.pi * x) * ops.sin(math.pi * y)


@pytest.mark.parametrize("tests", [2, "hat"])
def test_a_weak_form_is_trained_as_a_condition_over_the_set(tests):
    """Poisson's equation in a square: u = sin(pi x) sin(pi y), zero at the walls by the network."""
    edges = np.linspace(0, 1, 7 if tests == "hat" else 4)
    weak = WeakForm({"x": edges, "y": edges}, tests, nodes=6)

    @kpinn.condition(over="set")
    def poisson(x, y, grad_u):
        return weak.integrals(source(x, y)) - weak.integrals_with_gradient(grad_u)

    network = kpinn.layers.HardCondition(
        kpinn.networks.RandomFeatures(20, scale=2.0, seed=0),
        "x y",
        distance=lambda x, y: 16 * x * (1 - x) * y * (1 - y),
    )
    pinn = kpinn.PINN(network, "x y", "u", [poisson])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), jit_compile=False)
    pinn.fit(weak.points, epochs=5, verbose=0)
    assert pinn.result.iterations == 1  # it is linear
    assert pinn.residuals(weak.points)["poisson"].shape == (1, weak.count)
    new = kpinn.domains.Box(x=(0, 1), y=(0, 1)).sample(100, seed=0)
    exact = np.sin(math.pi * new["x"]) * np.sin(math.pi * new["y"])
    assert np.abs(pinn.predict_fields(new)["u"] - exact).max() < 1e-3

    truth = kpinn.manufactured(
        kpinn.PINN,
        lambda x, y: ops.sin(math.pi * x) * ops.sin(math.pi * y),
        coordinates="x y",
        fields="u",
        conditions=[poisson],
    )
    assert np.abs(truth.residuals(weak.points)["poisson"]).max() < 1e-8


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
    (lambda: WeakForm({"x": [0, 1]}).integrals(np.ones((3, 1))), r"expected \(7, 1\)"),
    (lambda: WeakForm({"x": [0, 1]}).integrals(np.ones((7, 1)), "y"), "derivative 'y'"),
    (lambda: WeakForm({"x": [0, 1]}).integrals(np.ones((7, 1)), "x x"), "each once"),
    (lambda: WeakForm({"x": [0, 1]}).integrals_with_gradient(np.ones((7, 2))), "flux has"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
