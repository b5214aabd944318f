"""Derivatives through linear algebra, against the same in mpmath."""

import numpy as np
import pytest
import references
import tensorflow as tf
from derivative_checks import STRICT, TOLERANCE, check
from mpmath import mp

import kpinn

POINTS = np.array([[0.375, -0.625], [-0.8125, 0.4375]])
DERIVATIVES = ("", "x", "xy", "yyy", "xxyy")
SHIFTS = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 4, 4))


def matrices(size, diagonal=2.0):
    """Matrices `(n, size, size)` of functions of the points, without symmetry."""

    def function(x):
        a, b, c = (tf.constant(shift[:size, :size], x.dtype) for shift in SHIFTS)
        x, y = x[:, :1, None], x[:, 1:, None]
        return diagonal * tf.eye(size, dtype=x.dtype) + a * tf.sin(2.0 * x) + b * x * y + c * y**2

    def exact(point):
        a, b, c = (references.exact(shift[:size, :size]) for shift in SHIFTS)
        x, y = point
        eye = references.exact(diagonal * np.eye(size))
        return mp.matrix((eye + a * mp.sin(2 * x) + b * x * y + c * y**2).tolist())

    return function, exact


def sides(x):
    return tf.stack([tf.exp(x), tf.cos(x[:, ::-1])], axis=2)


def exact_sides(point):
    x, y = point
    return mp.matrix([[mp.exp(x), mp.cos(y)], [mp.exp(y), mp.cos(x)]])


def with_other_triangle(lower):
    """Triangular matrices; the other triangle is not to be read."""
    function, exact = matrices(2)
    i, j = (0, 1) if lower else (1, 0)

    def triangle(point):
        a = exact(point)
        a[i, j] = mp.mpf(0)
        return a

    return function, triangle


def symmetric():
    """Positive definite matrices in the lower triangle; the upper one is not to be read."""
    function, exact = matrices(3, diagonal=4.0)

    def whole(point):
        a = exact(point)
        return mp.matrix([[a[max(i, j), min(i, j)] for j in range(3)] for i in range(3)])

    return function, whole


def of(pair, function, exact):
    """What is computed from matrices, and from a matrix of mpmath."""
    make, truth = pair

    def call(x):
        result = function(make(x), x)
        return tf.reshape(result, (tf.shape(x)[0], int(np.prod(result.shape[1:]))))

    return call, lambda p: np.array(list(exact(truth(p), p)))


FIXED = np.array([[2.0, 0.5], [-0.25, 1.5]])
CASES = {
    "inverse": of(matrices(3), lambda a, x: tf.linalg.inv(a), lambda a, p: a**-1),
    "inverse, adjoint": of(
        matrices(2), lambda a, x: tf.linalg.inv(a, adjoint=True), lambda a, p: a.T**-1
    ),
    "solve": of(
        matrices(2),
        lambda a, x: tf.linalg.solve(a, sides(x)),
        lambda a, p: a**-1 * exact_sides(p),
    ),
    "solve, adjoint": of(
        matrices(2),
        lambda a, x: tf.linalg.solve(a, sides(x), adjoint=True),
        lambda a, p: a.T**-1 * exact_sides(p),
    ),
    "solve, fixed sides": of(
        matrices(2),
        lambda a, x: tf.linalg.solve(a, tf.ones_like(a[:, :, :1])),
        lambda a, p: a**-1 * mp.matrix([1, 1]),
    ),
    "solve, fixed matrix": of(
        matrices(2),
        lambda a, x: tf.transpose(tf.linalg.solve(tf.constant(FIXED, x.dtype), tf.transpose(x**3))),
        lambda a, p: mp.matrix(FIXED.tolist()) ** -1 * mp.matrix([each**3 for each in p]),
    ),
    "lower triangle": of(
        with_other_triangle(lower=True),
        lambda a, x: tf.linalg.triangular_solve(a, sides(x)),
        lambda a, p: a**-1 * exact_sides(p),
    ),
    "upper triangle": of(
        with_other_triangle(lower=False),
        lambda a, x: tf.linalg.triangular_solve(a, sides(x), lower=False),
        lambda a, p: a**-1 * exact_sides(p),
    ),
    "lower triangle, adjoint": of(
        with_other_triangle(lower=True),
        lambda a, x: tf.linalg.triangular_solve(a, sides(x), adjoint=True),
        lambda a, p: a.T**-1 * exact_sides(p),
    ),
    "fixed triangle": of(
        matrices(2),
        lambda a, x: tf.linalg.triangular_solve(tf.constant(FIXED, x.dtype), sides(x)),
        lambda a, p: mp.matrix([[2, 0], [mp.mpf(-0.25), mp.mpf(1.5)]]) ** -1 * exact_sides(p),
    ),
    "cholesky": of(symmetric(), lambda a, x: tf.linalg.cholesky(a), lambda a, p: mp.cholesky(a)),
    "cholesky_solve": of(
        symmetric(),
        lambda a, x: tf.linalg.cholesky_solve(tf.linalg.cholesky(a), tf.ones_like(a[:, :, :1])),
        lambda a, p: a**-1 * mp.matrix([1, 1, 1]),
    ),
    "logdet": of(
        symmetric(), lambda a, x: tf.linalg.logdet(a)[:, None], lambda a, p: [mp.log(mp.det(a))]
    ),
    "slogdet of a negative determinant": of(
        matrices(3, diagonal=-2.0),
        lambda a, x: tf.stack(tf.linalg.slogdet(a), 1),
        lambda a, p: [mp.mpf(-1), mp.log(-mp.det(a))],
    ),
    **{
        f"determinant of size {size}": of(
            matrices(size), lambda a, x: tf.linalg.det(a)[:, None], lambda a, p: [mp.det(a)]
        )
        for size in (1, 2, 3, 4)
    },
    "a negative determinant": of(
        matrices(4),
        lambda a, x: tf.linalg.det(tf.gather(a, [1, 0, 2, 3], axis=1))[:, None],
        lambda a, p: [-mp.det(a)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_against_mpmath(name):
    check(*CASES[name], POINTS, DERIVATIVES, TOLERANCE)


def test_the_determinant_of_a_singular_matrix():
    """Its derivatives are finite, where those of its logarithm are not."""
    kpinn.set_float64()
    points = np.array([[0.5, 0.5], [-0.25, 0.25]])

    def function(x):
        return tf.linalg.det(tf.stack([x, x[:, ::-1]], 1))[:, None]

    found = kpinn.derivatives(function, points, "u, u_x, u_yy", "x y", method=STRICT)
    np.testing.assert_allclose(found["u"], np.zeros((2, 1)), atol=1e-15)
    np.testing.assert_allclose(found["u_x"], 2 * points[:, :1], rtol=1e-14)
    np.testing.assert_allclose(found["u_yy"], [[-2.0], [-2.0]], rtol=1e-14)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradients_and_graphs(jit_compile):
    """The gradient of a second derivative with respect to the matrix of a linear system."""
    kpinn.set_float64()
    weights = tf.Variable(FIXED)

    def network(matrix):
        def function(x):
            scaled = matrix + 0.25 * tf.sin(x)[:, :, None] * x[:, None, :]
            return tf.linalg.solve(scaled, x[:, :, None] ** 2)[:, :, 0]

        return function

    def exact(values):
        matrix = references.exact(values)

        def function(point):
            scaled = matrix + np.array([[mp.sin(a) * b / 4 for b in point] for a in point])
            return np.array(list(mp.matrix(scaled.tolist()) ** -1 * mp.matrix(list(point**2))))

        return function

    @tf.function(jit_compile=jit_compile, autograph=False)
    def gradient():
        with tf.GradientTape() as tape:
            found = kpinn.derivatives(network(weights), POINTS, "u_xx", "x y", "u[2]", STRICT)
            loss = tf.reduce_mean(found["u_xx"] ** 2)
        return tape.gradient(loss, weights)

    expected = references.loss_gradient(lambda values: exact(values[0]), [FIXED], POINTS, (0, 0))
    np.testing.assert_allclose(gradient(), expected[0], rtol=1e-10)


def test_a_metric():
    """The inverse of the Jacobian of polar coordinates, as for equations in curved coordinates."""
    kpinn.set_float64()

    def network(x):
        radius, angle = x[:, :1], x[:, 1:]
        rows = [tf.cos(angle), -radius * tf.sin(angle), tf.sin(angle), radius * tf.cos(angle)]
        inverse = tf.linalg.inv(tf.reshape(tf.concat(rows, 1), (-1, 2, 2)))
        return tf.reshape(inverse, (-1, 4))

    points = {"r": np.array([0.5, 2.0]), "a": np.array([0.3, -1.2])}
    found = kpinn.derivatives(network, points, "u_r, u_aa", fields="u[4]", method=STRICT)
    r, a = points["r"], points["a"]
    zero = np.zeros(2)
    np.testing.assert_allclose(
        found["u_r"], np.stack([zero, zero, np.sin(a) / r**2, -np.cos(a) / r**2], 1), atol=1e-13
    )
    np.testing.assert_allclose(
        found["u_aa"],
        -np.stack([np.cos(a), np.sin(a), -np.sin(a) / r, np.cos(a) / r], 1),
        atol=1e-13,
    )


def test_points_as_a_matrix_are_refused():
    with pytest.raises(ValueError, match="MatMul .* over the points"):
        kpinn.derivatives(
            lambda x: x * tf.linalg.det(tf.matmul(x, x, transpose_b=True)),
            POINTS,
            "u_x",
            "x y",
            fields="u[2]",
        )
