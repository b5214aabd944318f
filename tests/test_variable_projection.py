"""Levenberg-Marquardt without the last layer, which has its best weights in each step."""

import functools

import keras
import mpmath
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from linear_systems import fold, graded

import kpinn
from kpinn.optimizers import LevenbergMarquardt
from kpinn.optimizers.flat_optimizer import FlatObjective
from kpinn.optimizers.least_squares.projection import HELD, projection

PI = np.pi
LINE = kpinn.domains.Box(x=(-1, 1))


def system_of(matrix, residuals, last, chunk):
    """A `FlatObjective` with residuals that are linear."""
    return FlatObjective(
        value_and_gradient=None,
        residuals=lambda theta: tf.linalg.matvec(matrix, theta) + residuals,
        fold_jacobian=lambda theta, *rest: fold(matrix, residuals, chunk, *rest),
        jacobian_vector=None,
        vector_jacobian=None,
        last_layer=lambda: np.array(last),
    )


def by_many_digits(matrix, residuals, damping):
    """The minimum of `|J s + r|^2 + sum damping s^2` and the decrease of that, with 60 digits."""
    with mpmath.workdps(60):
        j, r = mpmath.matrix(matrix.tolist()), mpmath.matrix(residuals.tolist())
        step = mpmath.lu_solve(j.T * j + mpmath.diag(list(damping)), -(j.T * r))
        after = j * step + r
        left = (after.T * after)[0] + sum(d * s**2 for d, s in zip(damping, step, strict=True))
        return np.array([float(s) for s in step]), float((r.T * r)[0] - left)


@pytest.mark.usefixtures("factorised_on")
@pytest.mark.parametrize("damping", [1e-10, 1e-4, 1.0, 1e4])
@pytest.mark.parametrize("last", [[5, 6], [0, 1, 2], [6, 2, 4], [3]])
@pytest.mark.parametrize("chunk", [4, 100])
def test_a_step_damps_the_other_parameters_alone(damping, last, chunk):
    matrix, residuals = graded(30, 7, 1e3)
    objective = system_of(tf.constant(matrix), tf.constant(residuals), last, chunk)
    model = projection(objective, tf.zeros(7, tf.float64))
    step, decrease = model.solve(tf.constant(damping, tf.float64))
    dampings = np.full(7, damping)
    dampings[last] = HELD**2 * np.sum(matrix**2, axis=0)[last]
    expected, less = by_many_digits(matrix, residuals, dampings)
    np.testing.assert_allclose(step, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
    others = np.setdiff1d(np.arange(7), last)  # what their damping takes is no part of it
    less += damping * float(np.sum(expected[others] ** 2))
    assert float(decrease) == pytest.approx(less, rel=1e-9)


@pytest.mark.usefixtures("factorised_on")
def test_columns_that_are_the_same_keep_a_step_small():
    matrix, residuals = graded(30, 7, 10.0)
    matrix[:, 1] = matrix[:, 0] * (1.0 + 1e-14)
    objective = system_of(tf.constant(matrix), tf.constant(residuals), [0, 1], 100)
    model = projection(objective, tf.zeros(7, tf.float64))
    step = model.solve(tf.constant(1e-8, tf.float64))[0].numpy()
    least = np.linalg.lstsq(matrix, -residuals, rcond=1e-10)[0]
    found = np.linalg.norm(matrix @ step + residuals)
    assert found == pytest.approx(np.linalg.norm(matrix @ least + residuals), rel=1e-6)
    assert np.abs(step).max() < 1e3 * np.abs(least).max()


def poisson(make=lambda: kpinn.networks.MLP(units=10, depth=2), **options):
    kpinn.set_float64()
    keras.utils.set_random_seed(0)
    network = make()

    def equation(x, u_xx):
        return u_xx / PI**2 + ops.sin(PI * x)

    def walls(u):
        return u

    pinn = kpinn.PINN(network, "x", "u", [equation, walls])
    pinn.compile(LevenbergMarquardt(**options), jit_compile=False)
    return pinn


def points():
    edge = {"x": np.array([[-1.0], [1.0]])}
    return {"equation": LINE.sample(60, "latin_hypercube", 0), "walls": edge}


def error(pinn):
    x = np.linspace(-1.0, 1.0, 201)[:, None]
    return np.abs(pinn.predict_fields({"x": x}, "u")["u"] - np.sin(PI * x)).max()


def test_a_linear_equation_needs_few_steps():
    errors = {}
    for project in (None, "last"):
        pinn = poisson(project=project)
        pinn.fit(points(), epochs=10, verbose=0)
        errors[project] = error(pinn)
    assert errors["last"] < 1e-8 < 1e-4 < errors[None]


def test_the_last_layer_is_the_best_one_after_each_step():
    pinn = poisson(project="last")
    pinn.fit(points(), epochs=1, verbose=0)
    matrix, residuals = kpinn.jacobian(pinn, points())
    last = np.asarray(matrix)[:, -11:]
    gradient = last.T @ np.asarray(residuals)
    scale = np.linalg.norm(last, axis=0) * np.linalg.norm(residuals)
    assert np.all(np.abs(gradient) < 1e-4 * scale)


def test_other_points_and_weights_go_on():
    pinn = poisson(project="last")
    pinn.fit(points(), epochs=4, verbose=0)
    before = error(pinn)
    pinn.loss_weights["walls"] = 5.0
    others = points() | {"equation": LINE.sample(80, "latin_hypercube", 1)}
    pinn.fit(others, epochs=6, verbose=0)
    assert error(pinn) < min(before, 1e-8)


def test_unknowns_and_hard_conditions():
    kpinn.set_float64()

    class Rate(kpinn.PINN):
        coordinates, fields = "x", "u"

        def __init__(self, network, **kwargs):
            super().__init__(network, **kwargs)
            self.unknown("rate", initial=1.0, positive=True)

        @kpinn.condition
        def decay(self, u, u_x, rate):
            return u_x + rate * u

        @kpinn.condition
        def seen(self, u):
            return u

    keras.utils.set_random_seed(0)
    network = kpinn.layers.HardCondition(
        kpinn.networks.MLP(units=6, depth=1), "x", value=1.0, distance=lambda x: x
    )
    pinn = Rate(network)
    pinn.compile(LevenbergMarquardt(project="last"), jit_compile=False)
    x = np.linspace(0.0, 1.0, 30)[:, None]
    sets = {"decay": {"x": x}, "seen": {"x": x}}
    pinn.fit(sets, {"seen": np.exp(-3.0 * x)}, epochs=25, verbose=0)
    assert float(pinn.unknowns["rate"].numpy()) == pytest.approx(3.0, rel=1e-4)


def nonlinear(u, u_x):
    return u_x + u**2


def ends_with_tanh():
    dense = functools.partial(keras.layers.Dense, 4, "tanh")
    return keras.Sequential([keras.Input((1,)), dense(), keras.layers.Dense(1, "tanh")])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: {"conditions": [nonlinear]}, "a condition is not linear in the network"),
        (lambda: {"network": ends_with_tanh()}, "does not end with a layer that is linear"),
    ],
)
def test_it_is_refused_where_nothing_is_linear(make, message):
    def law(u, u_x):
        return u_x + u

    given = {"network": kpinn.networks.MLP(units=4, depth=1), "conditions": [law]} | make()
    pinn = kpinn.PINN(given["network"], "x", "u", given["conditions"])
    pinn.compile(LevenbergMarquardt(project="last"), jit_compile=False)
    before = pinn.get_weights()
    with pytest.raises(ValueError, match=message):
        pinn.fit(LINE.sample(10, seed=0), verbose=0)
    for one, other in zip(before, pinn.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_loss_that_is_no_square_is_refused():
    def law(u, u_x):
        return u_x + u

    pinn = kpinn.PINN(kpinn.networks.MLP(units=4, depth=1), "x", "u", [law])
    pinn.compile(LevenbergMarquardt(project="last"), loss=kpinn.losses.Mean(), jit_compile=False)
    with pytest.raises(ValueError, match="project='last' .* not a mean square"):
        pinn.fit(LINE.sample(10, seed=0), verbose=0)


def test_options():
    optimizer = LevenbergMarquardt(project="last")
    assert LevenbergMarquardt.from_config(optimizer.get_config()).project == "last"
    with pytest.raises(ValueError, match="project"):
        LevenbergMarquardt(project="first")
    with pytest.raises(ValueError, match="project='last' is for the solver 'dense'"):
        LevenbergMarquardt("kernel", project="last")


def test_a_network_that_is_linear_as_a_whole_is_solved_as_without_it():
    def features():
        return kpinn.networks.RandomFeatures(30, scale=4.0, seed=0)

    found = []
    for project in (None, "last"):
        pinn = poisson(features, project=project)
        pinn.fit(points(), epochs=5, verbose=0)
        found.append(pinn.get_weights()[-1])
    np.testing.assert_array_equal(*found)
