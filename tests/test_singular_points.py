"""Derivatives at points where a function is singular in part: what exists there is no NaN."""

import contextlib
import itertools

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kpinn
from kpinn.derivatives.channels.channels_per_point import channels_per_point

VALUES = (-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0)
GRID = np.array(list(itertools.product(VALUES, VALUES)))
ORDERS = [(i, k - i) for k in range(5) for i in range(k + 1)]


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


def power(x, y, i, j):
    """The partial derivative of `x ** y` for a whole `y`; NaN where there is none.

    `D_y^j x^y = x^y log(x)^j`, and `D_x^i` of it by the product rule, written out for a polynomial
    in the logarithm.
    """
    if j and x <= 0:
        return 0.0 if x == 0 and y - i > 0 else np.nan
    terms = {(y, j): 1.0}  # of x^a log(x)^b
    for _ in range(i):
        found = {}
        for (a, b), c in terms.items():
            found[a - 1, b] = found.get((a - 1, b), 0.0) + a * c
            if b:
                found[a - 1, b - 1] = found.get((a - 1, b - 1), 0.0) + b * c
        terms = found
    total = 0.0
    for (a, b), c in terms.items():
        if c:
            if x == 0 and a < 0:
                return np.nan
            total += c * x**a * (np.log(x) ** b if b else 1.0)
    return total


POWERS = {
    "operator": lambda x, y: x**y,
    "tf.pow": tf.pow,
    "tf.math.pow": tf.math.pow,
    "keras": ops.power,
    "with parts that are zero": lambda x, y: (x + 0.0 * y) ** (y + 0.0 * x),
    "columns": lambda x, y: tf.reduce_sum(tf.concat([x, 0.0 * x + 1.0], 1) ** y, 1, True) - 1.0,
}


def names_of(orders):
    return ", ".join(f"u_{'x' * i}{'y' * j}" if i + j else "u" for i, j in orders)


@pytest.mark.parametrize("name", POWERS)
def test_powers_of_two_coordinates(name):
    """All mixed partials to order four, at whole exponents."""
    points = GRID[np.equal(GRID[:, 1], np.round(GRID[:, 1])) & (GRID[:, 1] >= 0)]
    found = kpinn.derivatives(
        lambda p: POWERS[name](*tf.unstack(p[:, :, None], axis=1)), points, names_of(ORDERS), "x y"
    )
    for (i, j), value in zip(ORDERS, found.values(), strict=True):
        expected = np.array([[power(x, y, i, j)] for x, y in points])
        exists = np.isfinite(expected)
        np.testing.assert_allclose(value[exists], expected[exists], rtol=1e-11, atol=1e-12)


def test_gradients_of_powers_with_respect_to_a_variable_exponent():
    exponent = tf.Variable(2.0, dtype=tf.float64)
    points = {"x": np.array([0.0, 0.5, 2.0])}
    with tf.GradientTape() as tape:
        value = kpinn.derivatives(lambda x: x**exponent, points, "u_xx")["u_xx"]
    np.testing.assert_allclose(value, [[2.0]] * 3, rtol=1e-14)
    x = points["x"][1:]
    with tf.GradientTape() as tape:
        points = {"x": x}
        value = kpinn.derivatives(lambda x: x**exponent, points, "u_xx")["u_xx"]
    expected = np.sum(3.0 + 2.0 * np.log(x))  # of p (p - 1) x^(p - 2)
    np.testing.assert_allclose(tape.gradient(value, exponent), expected, rtol=1e-13)


def parts(function):
    return lambda p: function(p[:, :1], p[:, 1:])


SINGULAR = {  # a function, a name, a point and the value there
    "root along another coordinate": (lambda x, y: tf.sqrt(x), "u_y", (0.0, 1.0), 0.0),
    "root of one of two": (lambda x, y: x + tf.sqrt(y), "u_x", (1.0, 0.0), 1.0),
    "logarithm": (lambda x, y: x * y + tf.math.log(y), "u_x", (1.0, 0.0), 0.0),
    "zero to the power": (lambda x, y: tf.zeros_like(x) ** y, "u_yy", (0.0, 2.0), 0.0),
    "x log y": (lambda x, y: tf.math.xlogy(x, y), "u_y", (0.0, 2.0), 0.0),
    "x log x": (lambda x, y: tf.math.xlogy(x, x) + y, "u_y", (0.0, 2.0), 1.0),
    "root to the fourth": (lambda x, y: x**0.5 * y, "u_y", (0.0, 2.0), 0.0),
    "modulus cubed": (lambda x, y: tf.abs(x) ** 3.0 * y, "u_xx", (0.0, 2.0), 0.0),
    "angle": (lambda x, y: tf.atan2(y, x), "u_x", (0.0, 2.0), -0.5),
    "angle, twice": (lambda x, y: tf.atan2(y, x), "u_xy", (0.0, 2.0), 0.25),
    "norm on an axis": (
        lambda x, y: tf.norm(tf.concat([x, y], 1), axis=1, keepdims=True),
        "u_xx",
        (0.0, 2.0),
        0.5,
    ),
}


COLUMNS = {
    "split": lambda p: tf.split(p, 2, axis=1)[0],
    "split by sizes": lambda p: tf.split(p, [1, 1], axis=1)[0],
    "gathered": lambda p: tf.gather(p, [0], axis=1),
    "unstacked": lambda p: tf.unstack(p, axis=1)[0][:, None],
    "sliced": lambda p: p[:, 0][:, None],
    "cut": lambda p: tf.slice(p, [0, 0], [-1, 1]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_does_not_depend_on_another_one(name):
    def function(p):
        return tf.sqrt(COLUMNS[name](p)) + 3.0 * p[:, 1:]

    found = kpinn.derivatives(function, np.array([[0.0, 1.0], [4.0, 1.0]]), "u_y, u_yy", "x y")
    np.testing.assert_allclose(found["u_y"], [[3.0], [3.0]], rtol=1e-14)
    np.testing.assert_allclose(found["u_yy"], [[0.0], [0.0]], atol=1e-14)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_does_not_depend_on_another_one_in_a_graph(name, shared):
    """With channels that are one row for all points, and with a row for each."""

    def function(p):
        return tf.sqrt(COLUMNS[name]((p - 1.0) / [2.0, 3.0])) + 3.0 * p[:, 1:]

    @tf.function(autograph=False)
    def derivative(points):
        with contextlib.nullcontext() if shared else channels_per_point():
            return kpinn.derivatives(function, points, "u_y, u_yy", "x y")

    found = derivative(tf.constant([[1.0, 1.0], [4.0, 1.0]]))
    np.testing.assert_allclose(found["u_y"], [[3.0], [3.0]], rtol=1e-6)
    np.testing.assert_allclose(found["u_yy"], [[0.0], [0.0]], atol=1e-6)


def test_a_gradient_goes_through_channels_that_happen_to_be_zero():
    """u = sin(w x) + y with w = 0, picked after the product: d(u_x)/dw = 1."""
    w = tf.Variable(np.zeros((1, 1)))

    def function(p):
        return tf.sin(tf.split(tf.matmul(p[:, :1], w), [1, 0], axis=1)[0]) + p[:, 1:]

    with tf.GradientTape() as tape:
        slope = kpinn.derivatives(function, np.array([[0.5, 1.0]]), "u_x", "x y")["u_x"]
    np.testing.assert_allclose(slope, [[0.0]])
    np.testing.assert_allclose(tape.gradient(slope, w), [[1.0]])


@pytest.mark.parametrize("name", SINGULAR)
def test_what_exists_at_a_singular_point(name):
    function, request, point, expected = SINGULAR[name]
    found = kpinn.derivatives(parts(function), np.array([point, point]), request, "x y")
    np.testing.assert_allclose(found[request], [[expected]] * 2, atol=1e-14)


def test_a_negative_number_has_no_derivative_with_respect_to_the_exponent():
    found = kpinn.derivatives(parts(tf.pow), np.array([[-2.0, 2.0]]), "u, u_x, u_xx, u_y", "x y")
    values = [float(value[0, 0]) for value in found.values()]
    np.testing.assert_allclose(values[:3], [4.0, -4.0, 2.0])
    assert np.isnan(values[3])
