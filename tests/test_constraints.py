"""Conditions as equality constraints of `ScipyMinimize`."""

import keras
import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf
from problems import Down, Formula, Poisson, heat_points, poisson_data, small_heat

import kpinn
from kpinn.optimizers import ScipyMinimize
from kpinn.optimizers.scipy.minimize import (
    CONSTRAINED_METHODS,
    METHODS,
    Constraints,
    Evaluations,
    minimize,
)

START = np.array([1.5, 0.3, -0.4])


def quadratic(theta):
    """The squared distance to (2, 0, 0)."""
    difference = theta - np.array([2.0, 0.0, 0.0])
    return difference @ difference, 2 * difference


def constraint(value):
    """Of the sum of squares."""
    return Constraints(
        lambda theta: np.array([theta @ theta - value]),
        lambda theta: 2 * theta[None, :],
        lambda theta, multipliers, vector: 2 * multipliers[0] * vector,
    )


def run(method="SLSQP", constraints=None, iterations=100, callback=lambda x: None):
    evaluate = Evaluations(
        quadratic,
        hessian_product=lambda theta, vector: 2 * vector,
        constraints=constraint(1.0) if constraints is None else constraints,
    )
    optimizer = ScipyMinimize(method, constraints="walls")
    return minimize(evaluate, START, optimizer, iterations, callback)


@pytest.mark.parametrize("method", CONSTRAINED_METHODS)
def test_the_nearest_point_of_a_sphere(method):
    result = run(method)
    np.testing.assert_allclose(result.theta, [1.0, 0.0, 0.0], atol=1e-7)
    assert result.loss == pytest.approx(1.0, abs=1e-9)
    assert abs(result.theta @ result.theta - 1.0) <= 1e-15
    assert result.violation <= 1e-15


@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_constraints_are_met_after_few_iterations_too(iterations):
    result = run(iterations=iterations)
    assert result.code == "iteration_limit"
    assert result.violation <= 1e-15
    assert result.loss == pytest.approx(quadratic(result.theta)[0])


@pytest.mark.parametrize("method", CONSTRAINED_METHODS)
def test_constraints_that_nothing_meets(method):
    result = run(method, constraint(-1.0), iterations=3_000 if method == "SLSQP" else 200)
    assert result.violation > 0.9
    assert result.code in ("infeasible", "iteration_limit")
    assert "the constraints are not met, the largest constrained residual is 1" in result.message


def test_infeasible_is_a_code():
    """Two constraints that contradict each other, which SLSQP finds out at once."""
    twice = Constraints(
        lambda theta: np.array([theta[0], theta[0] - 1.0]),
        lambda theta: np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]),
        lambda theta, multipliers, vector: 0.0 * vector,
    )
    result = run(constraints=twice)
    assert result.code == "infeasible"
    assert "Singular matrix C" in result.message


# Through fit ----------------------------------------------------------------------------


POINTS = poisson_data(2.0, 20)
ENDS = POINTS[0]["walls"]["x"]


def poisson(method="SLSQP", constraints="walls", **arguments):
    pinn = Poisson(kpinn.networks.MLP(units=6, depth=1))
    optimizer = ScipyMinimize(method, constraints=constraints)
    pinn.compile(optimizer, **{"jit_compile": False} | arguments)
    return pinn


@pytest.mark.parametrize("method", CONSTRAINED_METHODS)
def test_walls_are_met_to_rounding_and_the_equation_is_solved(method):
    kpinn.set_float64()
    pinn = poisson(method)
    history = pinn.fit(POINTS, epochs=80, verbose=0).history
    u = pinn.predict_fields({"x": ENDS})["u"][:, 0]
    np.testing.assert_allclose(u, np.sin(ENDS), rtol=0, atol=1e-12)
    assert pinn.optimizer.result.violation <= 1e-12
    x = np.linspace(0.0, 2.0, 50)
    error = pinn.predict_fields({"x": x})["u"][:, 0] - np.sin(x)
    assert np.abs(error).max() < 1e-3
    np.testing.assert_array_equal(history["loss"], history["equation"])
    assert history["walls"][-1] < 1e-6


def test_it_is_the_minimum_under_the_constraint():
    """Against scipy on the destructured loss, with derivatives by differences."""
    kpinn.set_float64()
    x, pinn = np.linspace(0.0, 2.0, 5)[:, None], poisson()
    points = {"equation": {"x": x}, "walls": {"x": ENDS[:1]}}
    theta, apply = kpinn.destructure(pinn)
    tensors = {name: {"x": tf.constant(a["x"].reshape(-1, 1))} for name, a in points.items()}

    @tf.function(autograph=False)
    def residuals(theta):
        return apply(theta, tensors)

    def both(theta):
        found = residuals(tf.constant(theta))
        return float(np.mean(found["equation"].numpy() ** 2)), found["walls"].numpy()[:, 0]

    by_hand = scipy.optimize.minimize(
        lambda theta: both(theta)[0],
        theta.numpy(),
        method="SLSQP",
        jac="3-point",
        constraints=[{"type": "eq", "fun": lambda theta: both(theta)[1]}],
        options={"maxiter": 5, "ftol": 0.0},
    )
    iterates = []

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            iterates.append(kpinn.destructure(pinn)[0].numpy())

    pinn.fit(points, epochs=5, verbose=0, callbacks=[Keep()])
    np.testing.assert_allclose(iterates[-1], by_hand.x, atol=1e-5)
    # the iterate meets the constraint only up to the square of its step; the result is beside it
    violation = abs(both(by_hand.x)[1][0])
    assert violation > 1e-4
    assert pinn.optimizer.result.violation < 1e-14
    assert np.abs(pinn.optimizer.result.theta - iterates[-1]).max() < 10 * violation


def test_float32_and_several_constraints_on_shared_points():
    def grows(u_x, u):
        return u_x - u

    def one(u):
        return u - 1.0

    pinn = kpinn.PINN(kpinn.networks.MLP(units=6, depth=1), "x", "u", conditions=[grows, one])
    pinn.compile(ScipyMinimize("SLSQP", constraints=["one"]), jit_compile=False)
    pinn.fit({"x": [0.0, 0.5]}, epochs=30, verbose=0)
    assert np.abs(pinn.residuals({"x": [0.0, 0.5]})["one"]).max() < 1e-6


def test_a_constraint_needs_no_mean_square():
    """Its loss and its weight are for other optimizers."""
    kpinn.set_float64()
    arguments = {"loss": {"walls": "mae"}, "loss_weights": {"walls": 0.0}}
    pinn = poisson(**arguments)
    pinn.fit(POINTS, epochs=10, verbose=0)
    assert pinn.optimizer.result.violation <= 1e-12


@pytest.mark.parametrize("arguments", [{"jit_compile": True}, {"run_eagerly": True}])
def test_xla_and_eager_mode(arguments):
    kpinn.set_float64()
    pinn = poisson(**arguments)
    pinn.fit(POINTS, epochs=2, verbose=0)
    assert pinn.optimizer.result.violation <= 1e-12


# What does not fit ------------------------------------------------------------------------


@pytest.mark.parametrize("method", [m for m in METHODS if m not in CONSTRAINED_METHODS])
def test_methods_without_constraints(method):
    with pytest.raises(ValueError, match=f"{method} takes no constraints: use one of SLSQP, trus"):
        ScipyMinimize(method, constraints="walls")


@pytest.mark.parametrize("constraints", [3, [3], ["walls", "walls"], {"walls": 1.0, 2: 3}])
def test_constraints_that_are_no_names(constraints):
    with pytest.raises(ValueError, match="expected the name of a condition"):
        ScipyMinimize("SLSQP", constraints=constraints)


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        ("wall", "constraints names 'wall', but the conditions are heat, start"),
        (["heat", "start"], r"all conditions \(heat, start\) are constraints"),
    ],
)
def test_constraints_that_do_not_fit_the_conditions(constraints, message):
    pinn = small_heat(ScipyMinimize("SLSQP", constraints=constraints))
    with pytest.raises(ValueError, match=message):
        pinn.fit(heat_points(), verbose=0)


def test_more_constraints_than_parameters():
    pinn = poisson()
    points = {"equation": {"x": [0.5]}, "walls": {"x": np.linspace(0, 1, 20)}}
    with pytest.raises(ValueError, match="there are 20 constrained residuals for 19 parameters"):
        pinn.fit(points, verbose=0)


def test_sample_weights_of_constraints():
    pinn = small_heat(ScipyMinimize("SLSQP", constraints="start"))
    with pytest.raises(ValueError, match="sample weights of 'start' have no meaning"):
        pinn.fit(heat_points(), sample_weight={"start": np.ones(16)}, verbose=0)


def test_the_configuration_has_the_constraints():
    optimizer = ScipyMinimize("SLSQP", constraints=["walls", "start"], ftol=1e-9)
    again = ScipyMinimize.from_config(optimizer.get_config())
    assert (again.method, again.constraints) == ("SLSQP", ("walls", "start"))
    assert again.options == {"ftol": 1e-9}


def test_positive_unknowns_with_constraints():
    """The bound of the unknown and the constraint together."""
    kpinn.set_float64()

    class Pinned(Down):
        @kpinn.condition
        def pin(self, u):
            return u - 3.0

    pinn = Pinned(Formula(lambda x: x), initial=0.5)
    pinn.compile(ScipyMinimize("SLSQP", constraints="pin"), jit_compile=False)
    pinn.fit({"push": {"x": [1.0]}, "pin": {"x": [1.0]}}, epochs=20, verbose=0)
    assert float(pinn.unknowns["a"].numpy()) == pytest.approx(5e-7, rel=1e-6)
    assert pinn.residuals({"pin": {"x": [1.0]}})["pin"].item() == pytest.approx(0.0, abs=1e-12)
