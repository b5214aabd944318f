"""Estimates along random directions: unbiased, reproducible, with few channels."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import kpinn
from kpinn.derivatives.api import evaluate, parse_all
from kpinn.derivatives.channels.plan import Plan
from kpinn.derivatives.context import Context
from kpinn.derivatives.methods.stochastic import KINDS, randomized
from kpinn.derivatives.names.space import Space

DIMENSION = 4
NAMES = "t x[4]"


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


def polynomial(points):
    """`t + sum of a_ij x_i^2 x_j^2`, whose operators are written down below."""
    x = points[:, 1:]
    return points[:, :1] + tf.reduce_sum(x**2 * tf.linalg.matvec(tf.constant(A), x**2), 1)[:, None]


A = np.random.default_rng(0).uniform(0, 1, (DIMENSION, DIMENSION))
A = (A + A.T) / 2


def expected(points):
    x = points[:, 1:]
    off = A - np.diag(np.diag(A))
    laplacian = 12 * (x**2) @ np.diag(A) + 4 * np.sum(x**2 @ off, axis=1)
    biharmonic = 24 * np.trace(A) + 8 * np.sum(off) * np.ones(len(x))
    return laplacian[:, None], biharmonic[:, None]


def drawn(count=3):
    return np.random.default_rng(1).uniform(-1, 1, (count, 1 + DIMENSION))


def estimates(method, points, count):
    """Values of both operators for the steps 0, 1, ...: `(count, 2, n, 1)`."""
    space = Space(NAMES, "u")
    asked = parse_all("laplacian_u, biharmonic_u, u_t", space)

    @tf.function(autograph=False)
    def at(step):
        context = Context(space, 1e-16, step=step)
        found = evaluate(polynomial, tf.constant(points), asked, {}, method, context)
        return tf.stack([found["laplacian_u"], found["biharmonic_u"]]), found["u_t"]

    values = [at(tf.constant(step)) for step in range(count)]
    for _, u_t in values:
        np.testing.assert_allclose(u_t, 1.0, rtol=1e-12)
    return np.array([value for value, _ in values])


@pytest.mark.parametrize("kind, shared", list(itertools.product(KINDS, (True, False))))
def test_estimates_are_unbiased(kind, shared):
    """The mean over many draws is within four of its standard deviations."""
    points = drawn()
    samples = estimates(kpinn.Stochastic(2, kind, shared=shared), points, 400)
    deviation = samples.std(axis=0) / np.sqrt(len(samples))
    assert np.all(deviation > 1e-3)  # it does draw
    assert np.all(np.abs(samples.mean(axis=0) - np.array(expected(points))) < 4 * deviation)


def test_all_coordinates_are_exact():
    points = drawn()
    found = kpinn.derivatives(
        polynomial, points, "laplacian_u", NAMES, method=kpinn.Stochastic(9, "coordinates")
    )
    np.testing.assert_allclose(found["laplacian_u"], expected(points)[0], rtol=1e-12)


@pytest.mark.parametrize(
    "method, channels",
    [
        (kpinn.Stochastic(16), {"laplacian_u": 18, "u_t": 2, "biharmonic_u": 50}),
        (kpinn.Stochastic(16, "coordinates"), {"laplacian_u": 18}),
    ],
)
def test_channels_do_not_grow_with_the_dimension(method, channels):
    space = Space("t x[100]", "u")
    for name, count in channels.items():
        asked, _ = randomized(parse_all(name, space), space, method)
        assert len(Plan.of(asked, space).algebra) == count


def test_sums_with_other_derivatives():
    points = drawn()
    terms = {"u_t": 2.0, "laplacian_u": -1.0}
    method = kpinn.Stochastic(3)
    found = kpinn.derivatives(
        polynomial, points, {"heat": terms, "laplacian_u": "laplacian_u"}, NAMES, method=method
    )
    np.testing.assert_allclose(found["heat"], 2.0 - found["laplacian_u"], rtol=1e-12)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"directions": 0}, "directions is a positive whole number, not 0"),
        ({"draws": 3}, "draws 3 is unknown: expected one of 1, 2"),
        ({"kind": "normal"}, "kind 'normal' is unknown: expected one of 'rademacher'"),
    ],
)
def test_misuse(arguments, message):
    with pytest.raises(ValueError, match=message):
        kpinn.Stochastic(**arguments)


# In a PINN -----------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="tests")
class Poisson(kpinn.PINN):
    coordinates = "x[6]"
    fields = "u"
    source = 6.0

    @kpinn.condition
    def equation(self, laplacian_u, x):
        return laplacian_u + self.source * keras.ops.ones_like(x[:, :1])


def poisson(**arguments):
    layers = [keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)]
    pinn = Poisson(keras.Sequential([keras.Input((6,)), *layers]), **arguments)
    pinn.compile("sgd", jit_compile=False)
    return pinn


POINTS = {"x": np.random.default_rng(2).uniform(-1, 1, (5, 6))}


def test_each_step_draws_anew_and_training_can_be_repeated():
    method = kpinn.Stochastic(2)
    first, again, other = [poisson(method=m) for m in (method, method, kpinn.Stochastic(2, seed=1))]
    start = first.residuals(POINTS)["equation"]
    np.testing.assert_array_equal(start, first.residuals(POINTS)["equation"])
    for pinn in (again, other):
        pinn.set_weights(first.get_weights())
    losses = [pinn.fit(POINTS, epochs=4, verbose=0).history["loss"] for pinn in (first, again)]
    assert losses[0] == losses[1]
    assert len(set(losses[0])) == 4
    assert other.fit(POINTS, epochs=4, verbose=0).history["loss"] != losses[0]


def test_two_draws_give_an_unbiased_square():
    one, two = (poisson(method=kpinn.Stochastic(1, draws=draws)) for draws in (1, 2))
    exact = poisson()
    for pinn in (one, two, exact):
        pinn.source = 0.0
        pinn.set_weights(exact.get_weights())
    truth = float(np.mean(exact.residuals(POINTS)["equation"] ** 2))
    assert two.residuals(POINTS)["equation"].shape == (5, 2)

    def losses(pinn):
        data = pinn.prepare(POINTS)
        at = tf.function(lambda step: pinn.objective.loss(data, step)[0], autograph=False)
        found = np.array([at(tf.constant(step)) for step in range(150)])
        pinn.optimizer.iterations.assign(7)  # that of the draws of evaluate
        assert pinn.evaluate(POINTS, verbose=0)[0] == pytest.approx(found[7], rel=1e-5)
        return found

    biased, unbiased = losses(one), losses(two)
    assert abs(unbiased.mean() - truth) < 4 * unbiased.std() / np.sqrt(len(unbiased))
    assert biased.mean() - truth > 4 * biased.std() / np.sqrt(len(biased))


def test_a_minimizer_keeps_its_directions():
    pinn = poisson(method=kpinn.Stochastic(2))
    pinn.compile(kpinn.optimizers.ScipyMinimize("L-BFGS-B"))
    losses = pinn.fit(POINTS, epochs=10, verbose=0).history["loss"]
    assert np.all(np.diff(losses) < 0)


def test_saving(tmp_path):
    pinn = poisson(method=kpinn.Stochastic(3, "gaussian", draws=2, shared=False, seed=5))
    pinn.save(tmp_path / "pinn.keras")
    loaded = keras.saving.load_model(tmp_path / "pinn.keras")
    assert loaded.method == pinn.method
    np.testing.assert_array_equal(
        loaded.residuals(POINTS)["equation"], pinn.residuals(POINTS)["equation"]
    )


def test_describe():
    lines = []
    poisson(method=kpinn.Stochastic(3)).describe(print_fn=lines.append)
    assert lines[0].splitlines()[1].split() == "equation laplacian_u stochastic 5 13 14".split()
