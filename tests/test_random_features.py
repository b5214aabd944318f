"""Networks that are linear in what is trained: features, their scales, and least squares."""

import math

import keras
import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf
from keras import ops
from smooth_problems import error, features, points, poisson

import kpinn
from kpinn.layers import HardCondition, RandomFeatures
from kpinn.optimizers.least_squares.spectrum import Spectrum, least_squares, spectrum

PI = math.pi
SQUARE = kpinn.domains.Box(x=(0, 1), y=(0, 1))
LINE = kpinn.domains.Box(x=(-1, 1))


@pytest.fixture
def double():
    kpinn.set_float64()


# The layer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["sin", "cos", "tanh", "softplus"])
def test_features_are_functions_of_linear_functions(activation, double):
    layer = RandomFeatures(7, activation, scale=[2.0, 5.0], seed=3)
    x = np.random.default_rng(0).uniform(-2.0, 3.0, (20, 2))
    layer.adapt(x)
    kernel, bias = np.asarray(layer.kernel), np.asarray(layer.bias)
    function = {"softplus": lambda a: np.log1p(np.exp(a))}.get(activation) or getattr(
        np, activation
    )
    np.testing.assert_allclose(layer(x), function(x @ kernel + bias), rtol=1e-12)
    assert np.all(np.abs(kernel) <= np.array([[2.0], [5.0]])) and np.abs(kernel[1]).max() > 2.0
    assert not layer.trainable_variables


@pytest.mark.parametrize("columns", [1, 2, 6])
@pytest.mark.parametrize("interactions", [1, 3])
def test_features_of_few_columns(columns, interactions, double):
    layer = RandomFeatures(300, scale=2.0, seed=0, interactions=interactions)
    layer.build((None, columns))
    seen = np.asarray(layer.kernel) != 0.0
    counts = np.bincount(seen.sum(axis=0), minlength=4)[1:4]
    most = min(columns, interactions)
    assert counts.sum() == 300 and np.all(counts[:most] > 50) and not counts[most:].any()
    assert seen.mean(axis=1).min() > 0.5 * seen.mean()  # each column is seen about as often
    dense = RandomFeatures(300, scale=2.0, seed=0)
    dense.build((None, columns))
    np.testing.assert_array_equal(layer.bias, dense.bias)
    np.testing.assert_array_equal(layer.kernel, seen * np.asarray(dense.kernel))
    again = RandomFeatures.from_config(layer.get_config())
    again.build((None, columns))
    np.testing.assert_array_equal(again.kernel, layer.kernel)


def test_features_of_two_columns_solve_in_six_coordinates(double):
    """lap u = 0 with u = x1 x2 + x3 x4 + x5 x6 on the walls; dense features are far off."""
    box = kpinn.domains.Box(x=([0.0] * 6, [1.0] * 6))

    def exact(x):
        return ops.sum(x[:, ::2] * x[:, 1::2], axis=1, keepdims=True)

    def equation(laplacian_u):
        return laplacian_u

    def walls(x, u):
        return u - exact(x)

    def found(interactions):
        network = features(500, 1.0, interactions=interactions)
        pinn = kpinn.PINN(network, "x[6]", "u", [equation, walls])
        pinn.compile(kpinn.optimizers.LevenbergMarquardt(), jit_compile=False)
        walled = box.boundary("x").sample(700, seed=0)
        pinn.fit({"equation": box.sample(700, seed=0), "walls": walled}, verbose=0)
        new = box.sample(200, seed=1)
        return np.abs(pinn.predict_fields(new)["u"] - exact(new["x"])).max()

    few, every = found(2), found(None)
    assert few < 2e-4 and every > 20.0 * few, (few, every)


def test_other_functions_have_their_centres_in_the_box(double):
    layer = RandomFeatures(50, "tanh", scale=3.0, seed=0)
    x = np.random.default_rng(0).uniform(10.0, 12.0, (200, 1))
    layer.adapt(x)
    centres = -np.asarray(layer.bias) / np.asarray(layer.kernel)[0]
    assert x.min() <= centres.min() and centres.max() <= x.max()


@pytest.mark.parametrize("windows", [[3], [2, 4], [1, 1, 2]])
def test_windows_add_up_to_one_and_are_local(windows, double):
    columns = len(windows)
    layer = RandomFeatures(5, scale=4.0, windows=windows, seed=0)
    x = np.random.default_rng(0).uniform(-1.0, 2.0, (50, columns))
    layer.adapt(x)
    weights = np.asarray(layer._weights(tf.constant(x)))
    assert weights.shape == (50, math.prod(windows)) and layer(x).shape == (
        50,
        5 * math.prod(windows),
    )
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-12)
    low, width = layer._windows_of(np.stack([x.min(0), x.max(0)]))
    middle = np.asarray(layer._weights(tf.constant(low + width / 2.0)))
    assert np.all(np.diag(middle) > 0.9**columns)


def test_windows_have_right_derivatives(double):
    network = kpinn.networks.RandomFeatures(6, scale=3.0, windows=[2, 3], seed=0)
    network.build((None, 2))
    network.layers[0].adapt(np.array([[0.0, 0.0], [1.0, 2.0]]))
    network.layers[1].kernel.assign(np.random.default_rng(0).normal(size=(36, 1)))
    report = kpinn.check_derivatives(network, SQUARE.sample(20, seed=0), "u_x, u_y, u_xx, u_xyy")
    assert report.ok, report


def test_the_same_after_saving(tmp_path, double):
    pinn = poisson(features(scale=None))
    pinn.fit(points(), verbose=0)
    pinn.network.save(tmp_path / "n.keras")
    x = {"x": np.linspace(-1.0, 1.0, 9)}
    expected = pinn.predict_fields(x, "u, u_xx")
    network = keras.models.load_model(tmp_path / "n.keras")
    layer = network.layers[-2]
    assert layer.is_adapted and layer.chooses_scale
    again = poisson(network)
    for name, value in again.predict_fields(x, "u, u_xx").items():
        np.testing.assert_array_equal(value, expected[name])
    again.fit(points(seed=1), verbose=0)  # with the scale that it has
    np.testing.assert_array_equal(layer.scale, pinn.network.layers[-2].scale)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": 0}, "units"),
        ({"scale": -1.0}, "scale"),
        ({"scale": [1.0, math.nan]}, "scale is a positive number, not nan"),
        ({"windows": [0, 2]}, "windows is a positive whole number, not 0"),
        ({"windows": "a"}, "windows"),
        ({"interactions": 0}, "interactions is a positive whole number, not 0"),
        ({"activation": "wave"}, "activation"),
        ({"seed": -1}, "seed"),
        ({"outputs": 1.5}, "outputs"),
    ],
)
def test_misuse(options, message):
    with pytest.raises(ValueError, match=message):
        kpinn.networks.RandomFeatures(**options)


def test_numbers_that_do_not_fit_the_columns():
    with pytest.raises(ValueError, match="scale=.1.0, 2.0. does not fit points with 1 columns"):
        features(scale=[1.0, 2.0]).build((None, 1))
    with pytest.raises(ValueError, match=r"data has the shape \(3, 2\): expected \(n, 1\)"):
        layer = RandomFeatures(5, scale=1.0)
        layer.build((None, 1))
        layer.adapt(np.zeros((3, 2)))


# What is proved to be linear ------------------------------------------------------------------


@tf.custom_gradient
def reversed_gradient(x):
    return tf.identity(x), lambda upstream: -upstream


CONDITIONS = {
    "a linear equation": (
        True,
        lambda x, u, u_x, u_xx: u_xx + ops.sin(x) * u_x - u / (1 + x**2) - x,
    ),
    "chosen by the place": (True, lambda x, u, u_x: ops.where(x > 0.5, u, 2.0 * u_x)),
    "a mean over the points": (True, lambda u: u - ops.mean(u)),
    "several columns": (True, lambda u, u_x: ops.concatenate([u, u_x - 1.0], axis=1)),
    "a product": (False, lambda u, u_x: u * u_x),
    "a square": (False, lambda u: u**2),
    "divided by it": (False, lambda x, u: x / (2.0 + u)),
    "its size": (False, lambda u: ops.abs(u)),
    "its largest part": (False, lambda u: ops.maximum(u, 0.0)),
    "chosen by its sign": (False, lambda u: ops.where(u > 0, u, 2.0 * u)),
    "a stopped gradient": (False, lambda u, u_x: ops.stop_gradient(u) + u_x),
    "a gradient of its own": (False, lambda u: reversed_gradient(u)),
    "a function of it": (False, lambda u: ops.exp(u)),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_affine_residuals_are_found(name):
    expected, condition = CONDITIONS[name]
    condition.__name__ = "equation"
    pinn = kpinn.PINN(features(5), "x", "u", [condition])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt())
    data = pinn.prepare({"equation": LINE.sample(6, seed=0)})
    assert pinn.objective.is_affine(data) is expected
    assert pinn.objective.has_affine_network()


def frozen():
    network = kpinn.networks.MLP(units=5, depth=2)
    network.build((None, 1))
    for layer in network.layers[:-1]:
        layer.trainable = False
    return network


NETWORKS = {
    "features": (True, lambda: features(5)),
    "with windows": (True, lambda: features(5, windows=[2])),
    "behind an embedding": (
        True,
        lambda: features(5, embedding=kpinn.layers.PeriodicEmbedding([2.0])),
    ),
    "with hard ends": (True, lambda: HardCondition(features(5), "x", distance=lambda x: 1 - x**2)),
    "frozen hidden layers": (True, frozen),
    "an MLP": (False, lambda: kpinn.networks.MLP(units=5, depth=2)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_affine_networks_are_found(name):
    expected, make = NETWORKS[name]
    pinn = poisson(make())
    assert pinn.objective.has_affine_network() is expected
    assert pinn.objective.is_affine(pinn.prepare(points(5))) is expected


def test_an_unknown_is_no_part_of_a_linear_problem():
    class Plate(kpinn.PINN):
        def __init__(self, network):
            super().__init__(network, "x", "u")
            self.unknown("k", 1.0)

        @kpinn.condition
        def bent(self, u_xx, k):
            return k * u_xx - 1.0

    pinn = Plate(features(5))
    pinn.compile(kpinn.optimizers.LevenbergMarquardt())
    data = pinn.prepare(LINE.sample(6, seed=0))
    assert not pinn.objective.is_affine(data) and pinn.objective.has_affine_network()


# Least squares --------------------------------------------------------------------------------


def graded(rows, columns, smallest):
    """A matrix with singular values from one down to the smallest, and a right-hand side."""
    random = np.random.default_rng(0)
    left = np.linalg.qr(random.normal(size=(rows, rows)))[0]
    right = np.linalg.qr(random.normal(size=(columns, columns)))[0]
    count = min(rows, columns)
    matrix = left[:, :count] * np.geomspace(1.0, smallest, count) @ right[:count]
    return matrix, matrix @ random.normal(size=columns) + 1e-3 * random.normal(size=rows)


@pytest.mark.parametrize("smallest", [1e-1, 1e-6])
@pytest.mark.parametrize(("rows", "columns"), [(40, 12), (12, 12), (9, 15)])
def test_least_squares_is_that_of_scipy(rows, columns, smallest):
    matrix, residuals = graded(rows, columns, smallest)
    step = least_squares(matrix, residuals)
    expected = scipy.linalg.lstsq(matrix, -residuals)[0]
    found, best = (np.linalg.norm(matrix @ s + residuals) for s in (step, expected))
    assert found <= best + 1e-12
    if rows >= columns:
        np.testing.assert_allclose(step, expected, rtol=1e-7, atol=1e-7)


def test_dependent_columns_leave_small_parameters():
    matrix, residuals = graded(60, 20, 1e-2)
    matrix = np.concatenate([matrix, matrix[:, :5] * (1 + 1e-13)], axis=1)
    step = least_squares(matrix, residuals)
    best = np.linalg.norm(
        matrix @ scipy.linalg.lstsq(matrix, -residuals, cond=1e-10)[0] + residuals
    )
    assert np.linalg.norm(matrix @ step + residuals) <= best * (1 + 1e-9)
    assert np.abs(step).max() < 1e3


def test_least_squares_without_finite_numbers():
    assert np.isnan(least_squares(np.full((3, 2), np.inf), np.ones(3))).all()


class System:
    """An objective whose residuals are `matrix theta + residuals`, in two blocks."""

    def __init__(self, matrix, residuals):
        self.matrix, self.right = matrix, residuals

    def fold_jacobian(self, theta, function, result, merge=None):
        now = self.matrix @ theta.numpy() + self.right
        for part in (slice(0, 7), slice(7, None)):
            result = function(result, tf.constant(self.matrix[part]), tf.constant(now[part]))
        return result

    def vector_jacobian(self, theta, vector):
        return tf.linalg.matvec(tf.constant(self.matrix), vector, transpose_a=True)


@pytest.mark.parametrize("damping", [1e-20, 1e-8, 1e-2])
def test_a_damped_step_by_singular_values(damping):
    matrix, residuals = graded(30, 8, 1e-4)
    model = spectrum(System(matrix, residuals), tf.zeros(8, tf.float64))
    assert isinstance(model, Spectrum)
    norms = np.linalg.norm(matrix, axis=0)
    stacked = np.concatenate([matrix / norms, math.sqrt(damping) * np.eye(8)])
    right = np.concatenate([residuals, np.zeros(8)])
    expected = scipy.linalg.lstsq(stacked, -right)[0] / norms
    step, decrease, again = model.solve(damping)
    np.testing.assert_allclose(step, expected, rtol=1e-8, atol=1e-10)
    change = residuals @ residuals - np.sum((matrix @ expected + residuals) ** 2)
    assert float(decrease) == pytest.approx(change, rel=1e-8)
    np.testing.assert_allclose(again(tf.constant(residuals)), -expected, rtol=1e-6, atol=1e-8)


def test_a_truncated_step_lowers_the_residuals_as_it_says():
    matrix, residuals = graded(30, 8, 1e-9)
    residuals = matrix @ np.ones(8)  # which can be zero
    theta, losses = tf.zeros(8, tf.float64), [residuals @ residuals]
    for _ in range(6):
        model = spectrum(System(matrix, residuals), theta)
        theta, decrease = theta + model.truncated, model.decrease
        losses.append(float(np.sum((matrix @ theta.numpy() + residuals) ** 2)))
        assert losses[-2] - losses[-1] == pytest.approx(float(decrease), rel=1e-6, abs=1e-28)
        if losses[-1] < 1e-26:
            break
    assert losses[1] <= 1.001e-8 * losses[0] and losses[-1] < 1e-26


# Training -------------------------------------------------------------------------------------


def test_a_linear_problem_is_done_after_one_step(double):
    pinn = poisson(features())
    history = pinn.fit(points(), epochs=50, verbose=0).history["loss"]
    assert len(history) == 1 and history[-1] < 1e-24 and error(pinn) < 1e-12
    assert pinn.result.code == "converged" and pinn.result.iterations == 1


def test_a_matrix_that_does_not_fit_is_folded_in_a_few_steps(double):
    pinn = poisson(features())
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(memory=700_000), loss_weights={"ends": 10.0})
    pinn.fit(points(), epochs=50, verbose=0)
    assert pinn.result.code == "converged" and 1 < pinn.result.iterations < 20
    assert error(pinn) < 1e-12


def test_it_is_the_minimum_where_that_is_not_zero(double):
    pinn = poisson(features(6, scale=3.0))
    pinn.fit(points(40), verbose=0)
    matrix, residuals = kpinn.jacobian(pinn, points(40))
    assert residuals @ residuals > 1e-6
    assert np.linalg.norm(matrix.T @ residuals) < 1e-10 * np.linalg.norm(matrix)


def test_other_points_and_weights_are_solved_anew(double):
    pinn = poisson(features(6, scale=3.0))
    for given, weight in ((points(40), 1.0), (points(40, seed=1), 1.0), (points(40, seed=1), 9.0)):
        pinn.loss_weights["ends"].assign(weight)
        pinn.fit(given, epochs=3, verbose=0)
        matrix, residuals = kpinn.jacobian(pinn, given)
        assert np.linalg.norm(matrix.T @ residuals) < 1e-10 * np.linalg.norm(matrix)


def test_resampled_points_are_solved_again_and_again(double):
    pinn = poisson(features(6, scale=3.0))
    resample = kpinn.callbacks.Resample(lambda seed: points(40, seed), every=2)
    losses = pinn.fit(points(40), epochs=6, verbose=0, callbacks=[resample]).history["loss"]
    assert losses[0] == losses[1] != losses[2] == losses[3] != losses[4]


@pytest.mark.parametrize("form", ["batch_size", "dataset"])
def test_the_minimum_of_a_batch_is_not_the_end(form, double):
    pinn, given, options = poisson(features(6, scale=3.0)), points(40), {"batch_size": 10}
    if form == "dataset":
        data = [points(10, seed) for seed in range(4)]
        given = tf.data.Dataset.from_tensor_slices(
            tf.nest.map_structure(lambda *a: np.stack(a), *data)
        )
        options = {}
    pinn.fit(given, epochs=1, verbose=0, **options)
    assert pinn.result.code == "iteration_limit" and pinn.result.iterations == 4


@pytest.mark.parametrize("power", [2, 3])
def test_a_semilinear_problem_takes_a_few_steps_of_gauss_and_newton(power, double):
    pinn = poisson(features(), power)
    losses = pinn.fit(points(), epochs=50, verbose=0).history["loss"]
    assert len(losses) < 15 and losses[-1] < 1e-24 and error(pinn) < 1e-12
    assert pinn.result.code == "converged"


def test_a_step_that_is_too_long_is_damped(double):
    """From u = 0 the linear model of exp(3 u) says about 1,000 where the solution is 3."""

    def equation(x, u):
        return ops.exp(3.0 * u) - ops.exp(9.0 + x)

    pinn = kpinn.PINN(features(20, scale=2.0), "x", "u", [equation])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt())
    losses = pinn.fit(LINE.sample(60, seed=0), epochs=60, verbose=0).history["loss"]
    assert np.all(np.diff(losses)[:-1] < 0.0)
    x = np.linspace(-1.0, 1.0, 11)
    np.testing.assert_allclose(pinn.predict_fields({"x": x}, "u")["u"][:, 0], 3 + x / 3, rtol=1e-6)


def test_float32_ends_at_its_own_rounding():
    pinn = poisson(features(60))
    pinn.fit(points(), epochs=5, verbose=0)
    assert pinn.result.code == "converged" and error(pinn) < 1e-4


def test_several_fields(double):
    """u' = v, v' = -u from (0, 1): sine and cosine."""

    def motion(u_x, v_x, u, v):
        return ops.concatenate([u_x - v, v_x + u], axis=1)

    def start(u, v):
        return ops.concatenate([u, v - 1.0], axis=1)

    pinn = kpinn.PINN(features(40, 4.0, outputs=2), "x", "u v", [motion, start])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt())
    pinn.fit({"motion": LINE.sample(100, seed=0), "start": {"x": np.zeros((1, 1))}}, verbose=0)
    x = np.linspace(-1.0, 1.0, 21)
    found = pinn.predict_fields({"x": x}, "u, v")
    np.testing.assert_allclose(found["u"][:, 0], np.sin(x), atol=1e-12)
    np.testing.assert_allclose(found["v"][:, 0], np.cos(x), atol=1e-12)
