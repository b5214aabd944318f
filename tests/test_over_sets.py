"""Conditions over whole sets of points: one residual, one row of the Jacobian, never divided."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kpinn
from kpinn.networks import MLP

NODES, WEIGHTS = (each[:, None] for each in np.polynomial.legendre.leggauss(12))
UNIT = {"x": (1 + NODES) / 2, "w": WEIGHTS / 2}
INSIDE = {"x": np.linspace(0, 1, 40)[:, None]}


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


class Line(keras.layers.Layer):
    """`u = a + b x`."""

    def build(self, shape):
        self.line = self.add_weight(shape=(2,), initializer="zeros", name="line")
        self.line.assign([0.5, -2.0])

    def call(self, x):
        return self.line[0] + self.line[1] * x


@kpinn.condition(over="set")
def moments(x, u, w):
    """The integral of `u` and that of `u^2`, which are to be 1 and 3."""
    return ops.stack([ops.sum(w * u) - 1.0, ops.sum(w * u**2) - 3.0])


def bend(u_xx):
    return u_xx


def problem():
    return kpinn.PINN(Line(), "x", "u", [bend, moments])


POINTS = {"bend": INSIDE, "moments": UNIT}
A, B = 0.5, -2.0
INTEGRALS = np.array([A + B / 2 - 1, A**2 + A * B + B**2 / 3 - 3])
SLOPES = np.array([[1, 1 / 2], [2 * A + B, A + 2 * B / 3]])


def test_it_has_one_residual():
    found = problem().residuals(POINTS)
    assert found["bend"].shape == (40, 1)
    np.testing.assert_allclose(found["moments"], INTEGRALS[None], atol=1e-14)
    pinn = problem()
    pinn.compile("sgd", loss_weights={"moments": 3.0})
    losses = pinn.evaluate(POINTS, return_dict=True, verbose=0)
    assert losses["moments"] == pytest.approx(np.mean(INTEGRALS**2), rel=1e-12)
    assert losses["loss"] == pytest.approx(3 * np.mean(INTEGRALS**2), rel=1e-12)


def test_it_has_one_row_for_each_column():
    pinn = problem()
    pinn.compile("sgd")
    matrix, residual = kpinn.jacobian(pinn, POINTS)
    assert matrix.shape == (42, 2)
    np.testing.assert_allclose(residual[40:], INTEGRALS / np.sqrt(2), atol=1e-14)
    np.testing.assert_allclose(matrix[40:], SLOPES / np.sqrt(2), atol=1e-14)


@pytest.mark.parametrize("result", ["()", "(1,)", "(1, 1)"])
def test_a_number_is_one_residual(result):
    @kpinn.condition(over="set")
    def mean(u):
        return ops.reshape(ops.mean(u), eval(result))

    found = kpinn.PINN(Line(), "x", "u", [mean]).residuals(INSIDE)["mean"]
    np.testing.assert_allclose(found, [[-0.5]], atol=1e-14)


def test_methods_of_a_class_and_targets():
    class Problem(kpinn.PINN):
        coordinates, fields = "x", "u"

        @kpinn.condition(over="set")
        def mass(self, u, w):
            return ops.sum(w * u)

    pinn = Problem(Line())
    data = {"mass": UNIT}, {"mass": np.array([2.0])}
    np.testing.assert_allclose(pinn.residuals(data)["mass"], [[-2.5]], atol=1e-14)
    pinn.compile(kpinn.optimizers.LevenbergMarquardt())
    pinn.fit(data, epochs=3, verbose=0)
    assert abs(pinn.residuals(data)["mass"]) < 1e-12
    with pytest.raises(ValueError, match="12 rows for the one residual of its set"):
        pinn.fit({"mass": UNIT}, {"mass": np.ones(12)}, verbose=0)


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.05),
    "batches": lambda: keras.optimizers.Adam(0.05),
    "levenberg_marquardt": kpinn.optimizers.LevenbergMarquardt,
    "spring": kpinn.optimizers.SPRING,
    "lbfgs": kpinn.optimizers.LBFGS,
    "scipy": kpinn.optimizers.ScipyMinimize,
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_meets_it(name):
    """With `a + b / 2 = 1` and `a^2 + a b + b^2 / 3 = 3`, so that `b^2 = 24`."""
    adam = name in ("adam", "batches")
    pinn = problem()
    pinn.compile(OPTIMIZERS[name]())
    size = 7 if name == "batches" else None
    pinn.fit(POINTS, epochs=800 if adam and size is None else 150, batch_size=size, verbose=0)
    line = pinn.network.line.numpy()
    assert line[1] == pytest.approx(-np.sqrt(24), rel=1e-4 if adam else 1e-8)
    assert line[0] + line[1] / 2 == pytest.approx(1.0, abs=1e-4 if adam else 1e-8)


def test_a_step_of_a_batch_has_the_whole_set():
    seen = []

    @kpinn.condition(over="set")
    def counted(u):
        seen.append(u.shape[0])
        return ops.mean(u)

    pinn = kpinn.PINN(Line(), "x", "u", [bend, counted])
    pinn.compile("sgd")
    pinn.fit({"bend": INSIDE, "counted": UNIT}, batch_size=8, verbose=0)
    assert 12 in seen and 8 not in seen
    with pytest.raises(ValueError, match="'counted' takes its points together"):
        pinn.fit({"bend": INSIDE, "counted": UNIT}, batch_size={"counted": 8}, epochs=2, verbose=0)
    with pytest.raises(ValueError, match="'counted' takes its points together"):
        pinn.fit(INSIDE, batch_size=8, verbose=0)


def test_predictions_are_of_the_whole_set():
    points = {"x": np.linspace(0, 1, 101)[:, None], "w": np.full((101, 1), 1 / 101)}
    found = problem().residuals({"moments": points}, batch_size=10)["moments"]
    expected = np.mean(A + B * points["x"]) - 1
    assert found.shape == (1, 2) and found[0, 0] == pytest.approx(expected, abs=1e-13)


def test_streams_draw_the_points_of_an_integral():
    @kpinn.condition(over="set")
    def mass(u):
        return ops.mean(u) - 1.0

    pinn = kpinn.PINN(Line(), "x", "u", [mass])
    pinn.compile(keras.optimizers.SGD(0.5))
    stream = kpinn.domains.Box(x=(0, 1)).stream(4_000, seed=0)
    pinn.fit({"mass": stream}, epochs=3, steps_per_epoch=20, verbose=0)
    line = pinn.network.line.numpy()
    assert line[0] + line[1] / 2 == pytest.approx(1.0, abs=0.02)


def test_the_energy_of_a_whole_set_has_a_curvature():
    """A functional of an integral: the square root of `(mean of u)^2 + 1`, least at zero."""

    @kpinn.condition(over="set")
    def energy(u, w):
        return ops.sum(w * u) - 1.0

    pinn = kpinn.PINN(Line(), "x", "u", [energy])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss="log_cosh")
    pinn.fit({"energy": UNIT}, epochs=20, verbose=0)
    assert abs(pinn.residuals({"energy": UNIT})["energy"]) < 1e-6


def test_a_functional_of_the_whole_set_is_minimised():
    """The distance of `u` from `exp(x)`, whose square root is no mean over points."""

    @kpinn.condition(over="set")
    def distance(x, u, w):
        return ops.sqrt(ops.sum(w * (u - ops.exp(x)) ** 2))

    def fitted(optimizer):
        pinn = kpinn.PINN(Line(), "x", "u", [distance])
        pinn.compile(optimizer, loss=kpinn.losses.Mean())
        pinn.fit({"distance": UNIT}, epochs=100, verbose=0)
        return pinn.network.line.numpy()

    best = [4 * np.e - 10, 18 - 6 * np.e]  # of all straight lines
    np.testing.assert_allclose(fitted(kpinn.optimizers.SSBroyden()), best, atol=1e-6)
    with pytest.raises(ValueError, match="functional 'distance' is of all points of a set at once"):
        fitted(kpinn.optimizers.LevenbergMarquardt())


def test_scales_of_features_are_chosen_beside_it():
    """`u'' = 0` with the mean 2 and the first moment 1: `u` is 2 everywhere."""

    @kpinn.condition(over="set")
    def means(x, u, w):
        return ops.stack([ops.sum(w * u), ops.sum(w * x * u)])

    pinn = kpinn.PINN(kpinn.networks.RandomFeatures(12), "x", "u", [bend, means])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt())
    points = {"bend": INSIDE, "means": UNIT}
    pinn.fit((points, {"means": np.array([[2.0, 1.0]])}), epochs=5, verbose=0)
    np.testing.assert_allclose(pinn.predict_fields(INSIDE)["u"], 2.0, atol=1e-8)


def test_exports_have_it(tmp_path):
    pinn = problem()
    pinn.export(tmp_path / "line")
    loaded = tf.saved_model.load(tmp_path / "line")
    points = {name: tf.constant(array) for name, array in UNIT.items()}
    (found,) = loaded.signatures["residual_moments"](**points).values()
    np.testing.assert_allclose(found, INTEGRALS[None], atol=1e-14)


def draws(seed):
    return {"moments": {"x": np.random.default_rng(seed).uniform(size=(99, 1)), "w": np.ones(99)}}


BAD = [
    (lambda: kpinn.condition(over="all"), "over"),
    (
        lambda: kpinn.PINN(Line(), "x", "u", [kpinn.condition(bend_of_all, over="set")]).residuals(
            INSIDE
        ),
        "is over a whole set and returned the shape (None, 1): expected one residual",
    ),
    (
        lambda: fitted(kpinn.callbacks.ResidualSampling(draws, every=1)),
        "draws points of 'moments', which has one residual for them all",
    ),
    (
        lambda: fitted(kpinn.callbacks.ResidualWeights("moments", every=1)),
        "is not one of the conditions with a residual for each point: bend",
    ),
]


def bend_of_all(u_xx):
    return u_xx


def fitted(callback):
    pinn = problem()
    pinn.compile("sgd")
    pinn.fit(POINTS, epochs=3, verbose=0, callbacks=[callback])


@pytest.mark.parametrize("make, message", BAD, ids=[message for _, message in BAD])
def test_what_has_no_meaning_is_refused(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert message in str(error.value)


def test_weights_of_points_are_those_of_the_others():
    weights = kpinn.callbacks.ResidualWeights(every=1)
    fitted(weights)
    assert list(weights.weights) == ["bend"]


def test_a_nan_says_where_it_comes_from():
    @kpinn.condition(over="set")
    def entropy(u):
        return ops.mean(ops.log(u))

    pinn = kpinn.PINN(MLP(4, 1), "x", "u", [entropy])
    pinn.compile("sgd")
    with pytest.raises(ValueError, match="'entropy' is NaN or infinite"):
        pinn.fit({"x": np.linspace(-3, 3, 30)}, verbose=0)


def test_a_nan_that_comes_later_is_that_of_the_set():
    @kpinn.condition(over="set")
    def root(u):
        return ops.sqrt(0.6 + ops.mean(u))

    pinn = kpinn.PINN(Line(), "x", "u", [root])
    pinn.compile(keras.optimizers.SGD(10.0))
    with pytest.raises(kpinn.NonFiniteError, match="residual of condition 'root' is not finite"):
        pinn.fit(UNIT, epochs=5, verbose=0)
