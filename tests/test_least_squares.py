"""`ScipyLeastSquares`."""

import re
import signal

import keras
import numpy as np
import pytest
import scipy.optimize
from problems import Down, Formula, Poisson, heat_points, poisson_data, small_heat, stop_at_third

import kpinn
from kpinn.optimizers import ResultCode, ScipyLeastSquares, ScipyMinimize
from kpinn.optimizers.scipy.least_squares import (
    METHODS,
    ResidualEvaluations,
    least_squares,
    reading,
)
from kpinn.optimizers.scipy.optimizer import Record

START = np.array([-1.2, 1.0])


def rosenbrock(theta):
    return np.array([10.0 * (theta[1] - theta[0] ** 2), 1.0 - theta[0], 0.0])


def rosenbrock_jacobian(theta):
    return np.array([[-20.0 * theta[0], 10.0], [-1.0, 0.0], [0.0, 0.0]])


def exponential(theta):
    """A fit with a residual at the minimum."""
    t = np.linspace(0.0, 1.0, 9)
    return theta[0] * np.exp(theta[1] * t) - 1.0 - np.sin(9.0 * t)


def exponential_jacobian(theta):
    t = np.linspace(0.0, 1.0, 9)
    return np.stack([np.exp(theta[1] * t), theta[0] * t * np.exp(theta[1] * t)], axis=1)


def run(
    method="dogbox",
    residuals=rosenbrock,
    jacobian=rosenbrock_jacobian,
    iterations=100,
    callback=lambda x: None,
    **options,
):
    evaluate = ResidualEvaluations(residuals, jacobian)
    optimizer = ScipyLeastSquares(method, **options)
    return least_squares(evaluate, START, optimizer, iterations, callback)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("residuals", "jacobian"),
    [(rosenbrock, rosenbrock_jacobian), (exponential, exponential_jacobian)],
)
def test_every_method_finds_the_minimum_of_scipy(method, residuals, jacobian):
    points = []
    result = run(method, residuals, jacobian, callback=points.append)
    expected = scipy.optimize.least_squares(
        residuals, START, jac=jacobian, ftol=1e-15, xtol=1e-15, gtol=1e-15
    )
    np.testing.assert_allclose(result.theta, expected.x, atol=1e-6)
    assert result.loss == pytest.approx(2 * expected.cost, rel=1e-12, abs=1e-20)
    assert result.code in ("converged", "no_progress")
    assert len(points) == result.iterations
    losses = [residuals(point) @ residuals(point) for point in points]
    assert (np.diff(losses) <= 0).all()
    assert losses[-1] == pytest.approx(result.loss, rel=1e-13)


@pytest.mark.parametrize("method", METHODS)
def test_iterations_are_the_accepted_steps_of_scipy(method):
    """There is a Jacobian at the start and at each accepted point, of `"lm"` but the last."""
    options = {"x_scale": "jac", "ftol": 1e-6, "xtol": 1e-6, "gtol": 1e-6}
    found = scipy.optimize.least_squares(
        exponential, START, jac=exponential_jacobian, method=method, **options
    )
    result = run(method, exponential, exponential_jacobian, tr_solver=None, **options)
    if method == "lm":
        assert result.iterations in (found.njev - 1, found.njev)
    else:
        assert result.iterations == found.njev - 1
    np.testing.assert_allclose(result.theta, found.x, rtol=1e-12)


def fails_after(count, value=np.nan):
    calls = []

    def residuals(theta):
        calls.append(1)
        return rosenbrock(theta) + (value if len(calls) > count else 0.0)

    return residuals


def wrong_after(count):
    calls = []

    def jacobian(theta):
        calls.append(1)
        return rosenbrock_jacobian(theta) * (-1 if len(calls) > count else 1)

    return jacobian


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("iteration_limit", lambda: {"iterations": 3}),
        ("converged", lambda: {"gtol": 1e-3}),
        ("converged", lambda: {"xtol": 1e-3}),
        ("no_progress", lambda: {"jacobian": wrong_after(5)}),
        ("evaluation_limit", lambda: {"max_nfev": 5}),
        ("stopped", lambda: {"callback": stop_at_third()}),
        ("nonfinite", lambda: {"residuals": fails_after(8)}),
        ("nonfinite", lambda: {"residuals": fails_after(8, np.inf)}),
    ],
)
def test_result_codes(method, code, arguments):
    result = run(method, **arguments())
    assert result.code == code, result.message
    assert isinstance(result.code, ResultCode)
    assert result.message.startswith(f"{method} ended after {result.iterations} of ")
    assert np.isfinite(result.loss) and np.isfinite(result.theta).all()


@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize("method", METHODS)
def test_ctrl_c_goes_on_but_leaves_a_result(method):
    evaluate = ResidualEvaluations(rosenbrock, rosenbrock_jacobian)

    def callback(theta):
        if evaluate.record.iterations == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        least_squares(evaluate, START, ScipyLeastSquares(method), 50, callback)
    result = evaluate.record.result
    assert (result.code, result.iterations) == ("interrupted", 2)
    assert result.loss == pytest.approx(rosenbrock(result.theta) @ rosenbrock(result.theta))


@pytest.mark.parametrize("method", ["trf", "dogbox"])
def test_a_step_to_where_there_is_no_value_is_shortened(method):
    """The logarithm of a negative number is NaN: scipy tries nearer points."""

    def residuals(theta):
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.log(theta) - 1.0

    evaluate = ResidualEvaluations(residuals, lambda theta: 1 / theta[None, :])
    start = np.array([30.0])  # the first step of Newton leads to -42
    least_squares(evaluate, start, ScipyLeastSquares(method, x_scale=1.0), 50, lambda x: None)
    np.testing.assert_allclose(evaluate.record.theta, np.e, rtol=1e-10)


@pytest.mark.parametrize("method", ["trf", "dogbox"])
@pytest.mark.parametrize("start", [START, np.array([-1.2, 2.0])])
def test_bounds(method, start):
    """A start on the bound too, which scipy moves inside: that is no accepted step."""
    bounds = np.array([-2.0, -1.0]), np.array([0.5, 2.0])
    evaluate = ResidualEvaluations(rosenbrock, rosenbrock_jacobian, Record(bounds=bounds))
    points = []
    least_squares(evaluate, start, ScipyLeastSquares(method), 200, points.append)
    expected = scipy.optimize.least_squares(rosenbrock, START, bounds=bounds, xtol=1e-14)
    np.testing.assert_allclose(evaluate.record.result.theta, expected.x, atol=1e-5)
    assert np.linalg.norm(points[0] - start) > 1e-6


@pytest.mark.parametrize(
    ("found", "code", "text"),
    [
        ({"status": 77, "message": "odd"}, "no_progress", r"\(odd\)$"),
        ({"status": -1, "message": "improper"}, "no_progress", "improper"),
        ({}, "no_progress", "no message"),
    ],
)
def test_what_scipy_has_never_said_has_a_code_too(found, code, text):
    read, message = reading(scipy.optimize.OptimizeResult(found), {})
    assert read == code
    assert re.search(text, message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"jacobian": lambda x: -rosenbrock_jacobian(x)}, "the gradient is not that of the loss"),
        ({"jacobian": lambda x: rosenbrock_jacobian(x)[:2]}, r"has the shape \(2, 2\): expected"),
        ({"residuals": fails_after(0)}, "cannot start: the residual is not finite"),
        ({"jacobian": lambda x: np.inf * rosenbrock_jacobian(x)}, "cannot start: the Jacobian is"),
        (
            {
                "method": "lm",
                "residuals": lambda x: rosenbrock(x)[:1],
                "jacobian": lambda x: rosenbrock_jacobian(x)[:1],
            },
            "lm needs at least as many residuals as parameters, and there are 1 for 2",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_cannot_start(arguments, message):
    with pytest.raises(ValueError, match=message):
        run(**arguments)


@pytest.mark.parametrize("method", ["L-BFGS-B", "newton", None])
def test_methods_that_do_not_fit(method):
    with pytest.raises(ValueError, match="is not one of dogbox, trf, lm"):
        ScipyLeastSquares(method)


@pytest.mark.parametrize("option", ["loss", "jac", "bounds", "callback", "maxiter"])
def test_options_that_do_not_fit(option):
    with pytest.raises(ValueError, match=f"{option} cannot be set: the options are ftol, xtol"):
        ScipyLeastSquares("trf", **{option: None})


# Through fit ----------------------------------------------------------------------------


POINTS = poisson_data(1.0, 50)
ENDS = POINTS[0]["walls"]["x"]


def poisson(method="dogbox", units=8, **arguments):
    pinn = Poisson(kpinn.networks.MLP(units=units, depth=1))
    pinn.compile(ScipyLeastSquares(method), **{"jit_compile": False} | arguments)
    return pinn


@pytest.mark.parametrize("method", METHODS)
def test_poisson_is_solved_far_below_what_gradients_reach(method):
    kpinn.set_float64()
    pinn = poisson(method, loss_weights={"walls": 10.0})
    history = pinn.fit(POINTS, epochs=150, verbose=0)
    losses = history.history["loss"]
    assert history.epoch == list(range(len(losses)))
    assert min(losses) < 1e-9
    assert (np.diff(losses) <= 0).all()
    result = pinn.optimizer.result
    assert result.loss == losses[-1] and result.iterations == len(losses)
    assert int(pinn.optimizer.iterations) == len(losses)
    logs = pinn.evaluate(POINTS, return_dict=True, verbose=0)
    assert logs["loss"] == pytest.approx(losses[-1], rel=1e-6)
    assert history.history["walls"][-1] == pytest.approx(logs["walls"], rel=1e-6)
    x = np.linspace(0.0, 1.0, 50)
    error = pinn.predict_fields({"x": x})["u"][:, 0] - np.sin(x)
    assert np.abs(error).max() < 1e-4


def test_fewer_iterations_than_with_gradients():
    kpinn.set_float64()
    pinn = poisson("dogbox")
    by_squares = pinn.fit(POINTS, epochs=40, verbose=0).history["loss"][-1]
    keras.utils.set_random_seed(0)
    pinn = poisson()
    pinn.compile(ScipyMinimize("L-BFGS-B"), jit_compile=False)
    assert by_squares < 0.01 * pinn.fit(POINTS, epochs=40, verbose=0).history["loss"][-1]


@pytest.mark.parametrize("method", METHODS)
def test_float32(method):
    pinn = poisson(method)
    losses = pinn.fit(POINTS, epochs=60, verbose=0).history["loss"]
    assert min(losses) < 1e-4
    assert pinn.optimizer.result.code in ("iteration_limit", "no_progress")


def test_xla_and_eager_mode():
    kpinn.set_float64()
    found = []
    for arguments in ({"jit_compile": True}, {"run_eagerly": True}, {"jit_compile": False}):
        keras.utils.set_random_seed(0)
        found.append(poisson(units=3, **arguments).fit(POINTS, epochs=3, verbose=0).history["loss"])
    np.testing.assert_allclose(found, found[:1] * 3, rtol=1e-6)


def test_weights_and_targets_are_those_of_the_loss():
    """With all weights on the walls the equation is left alone."""
    kpinn.set_float64()
    pinn = poisson(loss_weights={"equation": 0.0})
    pinn.fit((*POINTS, {"walls": [1.0, 0.0]}), epochs=30, verbose=0)
    u = pinn.predict_fields({"x": ENDS})["u"][:, 0]
    assert u[0] == pytest.approx(0.0, abs=1e-8)
    assert abs(u[1] - np.sin(1.0)) > 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_a_callback_stops_it(method):
    pinn = poisson(method)
    early = keras.callbacks.EarlyStopping("loss", min_delta=1e9, patience=2)
    history = pinn.fit(POINTS, epochs=20, verbose=0, callbacks=[early])
    assert len(history.epoch) == 3
    assert pinn.optimizer.result.code == "stopped"


@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize("method", METHODS)
def test_ctrl_c_leaves_the_best_weights(method):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            self.best = logs["loss"]
            if epoch == 3:
                signal.raise_signal(signal.SIGINT)

    pinn, interrupt = poisson(method), Interrupt()
    with pytest.raises(KeyboardInterrupt):
        pinn.fit(POINTS, epochs=20, verbose=0, callbacks=[interrupt])
    loss = pinn.evaluate(POINTS, return_dict=True, verbose=0)["loss"]
    assert loss == pytest.approx(interrupt.best, rel=1e-4)
    assert pinn.optimizer.result.code == "interrupted"


@pytest.mark.parametrize("method", ["trf", "dogbox"])
def test_positive_unknowns_stay_positive(method):
    kpinn.set_float64()
    pinn = Down(Formula(lambda x: x))
    pinn.compile(ScipyLeastSquares(method), jit_compile=False)
    history = pinn.fit({"x": [1.0]}, epochs=60, verbose=0).history
    assert float(pinn.unknowns["a"].numpy()) == pytest.approx(1e-7, rel=1e-2)
    assert min(history["a"]) >= 1e-7


def test_lm_has_no_bounds():
    pinn = Down(Formula(lambda x: x))
    pinn.compile(ScipyLeastSquares("lm"), jit_compile=False)
    with pytest.raises(ValueError, match="lm does not have: use one of dogbox, trf"):
        pinn.fit({"x": [1.0, 2.0]}, verbose=0)


@pytest.mark.parametrize(
    ("compiled", "fitted", "message"),
    [
        ({"loss": {"heat": "mae"}}, {}, "only a mean square is a sum of squares"),
        ({"loss_weights": {"heat": -1.0}}, {}, "loss weight of 'heat' is negative"),
        ({}, {"sample_weight": {"start": -np.ones(16)}}, "sample weights of 'start' are negative"),
        ({}, {"batch_size": 8}, "ScipyLeastSquares takes all points in the one step"),
    ],
)
def test_what_is_no_sum_of_squares(compiled, fitted, message):
    pinn = small_heat(ScipyLeastSquares(), **compiled)
    with pytest.raises(ValueError, match=message):
        pinn.fit(heat_points(), verbose=0, **fitted)


def test_regularizers_are_refused():
    layers = [keras.Input((1,)), keras.layers.Dense(3, "tanh", kernel_regularizer="l2")]
    pinn = Poisson(keras.Sequential([*layers, keras.layers.Dense(1)]))
    pinn.compile(ScipyLeastSquares(), jit_compile=False)
    with pytest.raises(ValueError, match="Take the regularizers out of the network"):
        pinn.fit(POINTS, verbose=0)


def test_a_matrix_that_does_not_fit_into_memory():
    pinn = Poisson(kpinn.networks.MLP(units=3_000, depth=2))
    pinn.compile(ScipyLeastSquares(), jit_compile=False)
    points = {"equation": {"x": np.linspace(0, 1, 60)}, "walls": {"x": ENDS}}
    with pytest.raises(ValueError, match="the Jacobian of 62 residuals and 9012001 parameters"):
        pinn.fit(points, verbose=0)


def test_the_configuration_has_the_options():
    optimizer = ScipyLeastSquares("DOGBOX", gtol=1e-3)
    again = ScipyLeastSquares.from_config(optimizer.get_config())
    assert (again.method, again.options) == ("dogbox", {"gtol": 1e-3})
