"""`ScipyMinimize` and the flat parameters."""

import re
import signal

import keras
import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf
from keras import ops
from problems import BOX, Formula, heat_points, small_heat

import kpinn
from kpinn.optimizers import ResultCode, ScipyMinimize
from kpinn.optimizers.scipy.minimize import METHODS, Evaluations, minimize, reading
from kpinn.optimizers.scipy.optimizer import Record

START = np.array([-1.2, 1.0, 0.5])


def rosenbrock(theta):
    return scipy.optimize.rosen(theta), scipy.optimize.rosen_der(theta)


def run(function=rosenbrock, method="L-BFGS-B", iterations=500, callback=lambda x: None, **options):
    optimizer = ScipyMinimize(method, **options)
    evaluate = Evaluations(function, hessian_product=scipy.optimize.rosen_hess_prod)
    return minimize(evaluate, START, optimizer, iterations, callback)


def stop_at_third():
    """A callback of a minimizer that stops it in its third iteration."""
    calls = []

    def callback(theta):
        calls.append(theta)
        if len(calls) == 3:
            raise StopIteration

    return callback


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_minimum(method):
    result = run(method=method)
    assert result.code in ("converged", "no_progress", "iteration_limit")
    np.testing.assert_allclose(result.theta, 1.0, atol=1e-3)
    assert result.loss == pytest.approx(scipy.optimize.rosen(result.theta))


def test_the_best_point_is_kept_not_the_last():
    values = []

    def remembered(theta):
        values.append(rosenbrock(theta)[0])
        return rosenbrock(theta)

    result = run(remembered, iterations=7)
    assert result.loss == min(values)
    assert result.code == "iteration_limit"
    assert result.iterations == 7
    assert result.evaluations == len(values)


def fails_after(count, value):
    calls = []

    def function(theta):
        calls.append(1)
        f, g = rosenbrock(theta)
        if len(calls) <= count:
            return f, g
        return (f, -g) if value is None else (value, g)

    return function


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("iteration_limit", {"iterations": 2}),
        ("iteration_limit", {"maxiter": 2}),
        ("iteration_limit", {"maxiter": 2, "method": "BFGS"}),
        ("iteration_limit", {"maxiter": 2, "method": "Newton-CG"}),
        ("iteration_limit", {"maxiter": 2, "method": "trust-ncg"}),
        ("iteration_limit", {"maxiter": 2, "method": "SLSQP"}),
        ("iteration_limit", {"maxiter": 2, "method": "trust-constr"}),
        ("converged", {"gtol": 1e-3}),
        ("converged", {"gtol": 1e-3, "method": "trust-krylov"}),
        ("no_progress", {"function": fails_after(12, None)}),
        ("no_progress", {"function": fails_after(12, None), "method": "BFGS"}),
        ("evaluation_limit", {"maxfun": 9}),
        ("evaluation_limit", {"maxfun": 9, "method": "TNC"}),
        ("stopped", {"callback": stop_at_third()}),
        ("nonfinite", {"function": fails_after(12, np.nan)}),
        ("nonfinite", {"function": fails_after(12, np.inf)}),
    ],
)
def test_result_codes(code, arguments):
    result = run(**arguments)
    assert result.code == code, result.message
    assert isinstance(result.code, ResultCode)
    method = arguments.get("method", "L-BFGS-B")
    assert result.message.startswith(f"{method} ended after {result.iterations} of ")
    assert np.isfinite(result.loss) and np.isfinite(result.theta).all()


def test_a_code_is_its_text():
    assert f"{ResultCode.NO_PROGRESS}" == str(ResultCode.NO_PROGRESS) == "no_progress"
    with pytest.raises(ValueError, match="'done' is not a valid ResultCode"):
        ResultCode("done")


@pytest.mark.parametrize(
    ("found", "code", "text"),
    [
        ({"success": True, "status": 77, "message": "fine."}, "converged", r"\(fine\)$"),
        ({"success": False, "status": 77, "message": "odd"}, "no_progress", r"\(odd\)"),
        ({"status": -5, "message": b"bytes"}, "no_progress", "bytes"),
        ({}, "no_progress", "no message"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_what_scipy_has_never_said_has_a_code_too(method, found, code, text):
    read, message = reading(scipy.optimize.OptimizeResult(found), method, {})
    assert read == code
    assert re.search(text, message)


@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize("method", METHODS)
def test_ctrl_c_goes_on_but_leaves_a_result(method):
    evaluate = Evaluations(rosenbrock, hessian_product=scipy.optimize.rosen_hess_prod)
    losses = []

    def callback(theta):
        losses.append(rosenbrock(theta)[0])
        if len(losses) == 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        minimize(evaluate, START, ScipyMinimize(method), 50, callback)
    result = evaluate.record.result
    assert (result.code, result.iterations) == ("interrupted", 3)
    assert "KeyboardInterrupt ended it" in result.message
    assert result.loss <= min(losses)
    assert rosenbrock(result.theta)[0] == result.loss


def test_a_point_beyond_the_bounds_is_never_the_best():
    """Also where a difference that checks the gradient goes beyond them."""
    bounds = np.array([-2.0, 0.5, -2.0]), np.array([0.3, 2.0, 2.0])
    record = Record(bounds=bounds)
    result = minimize(Evaluations(rosenbrock, record), START, ScipyMinimize(), 200, lambda x: None)
    expected = scipy.optimize.minimize(
        rosenbrock, START, jac=True, bounds=np.transpose(bounds), options={"ftol": 0, "gtol": 1e-9}
    )
    np.testing.assert_allclose(result.theta, expected.x, atol=1e-6)
    record.add(np.array([0.4, 1.0, 1.0]), -1.0, np.zeros(3))
    assert record.loss == result.loss


@pytest.mark.parametrize("method", METHODS)
def test_a_callback_stops_every_method(method):
    assert run(method=method, callback=stop_at_third()).code == "stopped"


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: (rosenbrock(x)[0], -rosenbrock(x)[1]), "the gradient is not that of the loss"),
        (lambda x: (rosenbrock(x)[0], 3 * rosenbrock(x)[1]), "the gradient is not that of"),
        (lambda x: (rosenbrock(x)[0], rosenbrock(x)[1][:2]), r"has the shape \(2,\)"),
        (lambda x: (np.nan, rosenbrock(x)[1]), "cannot start: the loss is not finite"),
        (lambda x: (1.0, np.array([np.inf, 0, 0])), "cannot start: the gradient is not finite"),
    ],
)
def test_gradients_that_scipy_would_accept(function, message):
    with pytest.raises(ValueError, match=message):
        run(function)


@pytest.mark.parametrize("method", ["Nelder-Mead", "dogleg", "Adam", None])
def test_methods_that_do_not_fit(method):
    with pytest.raises(ValueError, match="is not one of L-BFGS-B"):
        ScipyMinimize(method)


# Through fit ----------------------------------------------------------------------------


@pytest.mark.parametrize("floatx", ["float32", "float64"])
@pytest.mark.parametrize("jit_compile", [True, False])
def test_fit_lowers_the_loss_and_keeps_the_best_weights(floatx, jit_compile):
    if floatx == "float64":
        kpinn.set_float64()
    pinn, points = small_heat(ScipyMinimize(), jit_compile=jit_compile), heat_points()
    history = pinn.fit(points, epochs=60, verbose=0)
    assert history.epoch == list(range(60))
    assert sorted(history.history) == ["heat", "loss", "start"]
    losses = history.history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    assert (np.diff(losses) <= 0).all()
    result = pinn.optimizer.result
    assert result.code == "iteration_limit"
    evaluated = pinn.evaluate(points, return_dict=True, verbose=0)
    assert evaluated["loss"] == pytest.approx(result.loss, rel=1e-5)
    assert int(pinn.optimizer.iterations) == 60


def test_it_equals_scipy_on_the_destructured_loss():
    """The same minimisation, with scipy called by hand and gradients by differences."""
    kpinn.set_float64()
    x = np.linspace(0.0, 1.0, 5)[:, None]

    def residual(u, u_x):
        return u_x + u - 1.0

    pinn = kpinn.PINN(kpinn.networks.MLP(units=2, depth=1), "x", "u", conditions=[residual])
    theta, apply = kpinn.destructure(pinn)

    def loss(theta):
        return float(np.mean(apply(tf.constant(theta), {"x": tf.constant(x)})["residual"] ** 2))

    options = {"maxiter": 5, "maxcor": 50, "ftol": 0.0, "gtol": 0.0}
    by_hand = scipy.optimize.minimize(
        loss, theta.numpy(), method="L-BFGS-B", jac="3-point", options=options
    )
    pinn.compile(ScipyMinimize(), jit_compile=False)
    pinn.fit({"x": x}, epochs=5, verbose=0)
    np.testing.assert_allclose(pinn.optimizer.result.theta, by_hand.x, rtol=1e-5, atol=1e-6)


def test_callbacks_stop_it_and_the_message_is_printed(capsys):
    pinn, points = small_heat(ScipyMinimize()), heat_points()

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            if epoch == 2:
                self.model.stop_training = True

    history = pinn.fit(points, epochs=20, verbose=2, callbacks=[Stop()])
    assert history.epoch == [0, 1, 2]
    assert pinn.optimizer.result.code == "stopped"
    assert (
        "L-BFGS-B ended after 3 of 20 iterations: a callback stopped it" in capsys.readouterr().out
    )
    early = keras.callbacks.EarlyStopping("loss", min_delta=1e9, patience=2)
    assert len(pinn.fit(points, epochs=20, verbose=0, callbacks=[early]).epoch) == 3


def test_a_callback_may_raise_stop_iteration():
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            raise StopIteration

    pinn = small_heat(ScipyMinimize())
    pinn.fit(heat_points(), epochs=20, verbose=0, callbacks=[Stop()])
    assert pinn.optimizer.result.code == "stopped"


def test_an_exception_leaves_the_best_weights():
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            self.best = logs["loss"]
            if epoch == 3:
                raise KeyboardInterrupt

    pinn, points, interrupt = small_heat(ScipyMinimize()), heat_points(), Interrupt()
    with pytest.raises(KeyboardInterrupt):
        pinn.fit(points, epochs=20, verbose=0, callbacks=[interrupt])
    loss = pinn.evaluate(points, return_dict=True, verbose=0)["loss"]
    assert loss == pytest.approx(interrupt.best, rel=1e-5)
    result = pinn.optimizer.result
    assert (result.code, result.iterations) == ("interrupted", 4)
    assert result.loss == pytest.approx(loss, rel=1e-5)


def test_metrics_are_in_the_logs():
    pinn, points = small_heat(ScipyMinimize(), metrics={"start": ["mae"]}), heat_points()
    logs = pinn.fit(points, epochs=3, verbose=0).history
    expected = np.abs(pinn.residuals(points)["start"]).mean()
    assert logs["start_mae"][-1] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 8}, "takes all points in the one step"),
        ({"steps_per_epoch": 2}, "takes all points in the one step"),
    ],
)
def test_settings_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        small_heat(ScipyMinimize()).fit(heat_points(), verbose=0, **arguments)


def test_datasets_are_refused():
    dataset = tf.data.Dataset.from_tensors(heat_points())
    with pytest.raises(ValueError, match="needs points in memory"):
        small_heat(ScipyMinimize()).fit(dataset, verbose=0)


def test_a_stopped_gradient_is_found_before_the_first_step():
    def residual(u):
        return u + 3.0 * ops.stop_gradient(u)

    pinn = kpinn.PINN(Formula(lambda x: x), "x", "u", conditions=[residual])
    pinn.compile(ScipyMinimize(), jit_compile=False)
    with pytest.raises(ValueError, match="stop_gradient in a condition"):
        pinn.fit({"x": [1.0, 2.0]}, verbose=0)


def test_the_options_are_scipys():
    optimizer = ScipyMinimize("bfgs", gtol=1e-3)
    assert optimizer.method == "BFGS"
    again = ScipyMinimize.from_config(optimizer.get_config())
    assert (again.method, again.options) == ("BFGS", {"gtol": 1e-3})


# Flat parameters --------------------------------------------------------------------------


def test_destructure_is_the_model_and_differentiable_in_both():
    kpinn.set_float64()
    network = kpinn.networks.MLP(units=4, depth=2)
    x = np.random.default_rng(0).normal(size=(5, 2))
    expected = network(x).numpy()
    theta, apply = kpinn.destructure(network)
    assert theta.shape == (sum(np.prod(w.shape) for w in network.trainable_variables),)
    np.testing.assert_array_equal(apply(theta, x), expected)

    points = tf.constant(x)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([theta, points])
        total = tf.reduce_sum(apply(theta, points))
    for variable, other in ((theta, "theta"), (points, "x")):
        gradient = tape.gradient(total, variable).numpy().ravel()
        for entry in (0, len(gradient) // 2, len(gradient) - 1):
            step = np.zeros(len(gradient))
            step[entry] = 1e-6
            step = tf.reshape(step, variable.shape)
            moved = [
                apply(theta + sign * step, points)
                if other == "theta"
                else apply(theta, points + sign * step)
                for sign in (1, -1)
            ]
            slope = float(tf.reduce_sum(moved[0] - moved[1])) / 2e-6
            assert gradient[entry] == pytest.approx(slope, rel=1e-6, abs=1e-8)
    network.set_weights([w * 0 for w in network.get_weights()])
    np.testing.assert_array_equal(apply(theta, x), expected)


def test_destructure_shared_weights_and_wrong_theta():
    shared = keras.layers.Dense(3, activation="tanh")
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(1)(shared(shared(inputs))))
    theta, apply = kpinn.destructure(model)
    assert theta.shape == (3 * 3 + 3 + 3 + 1,)
    np.testing.assert_allclose(apply(theta, np.ones((2, 3))), model(np.ones((2, 3))), rtol=1e-6)
    pinn = small_heat()
    theta_of_pinn, apply_pinn = kpinn.destructure(pinn)
    for name, values in apply_pinn(theta_of_pinn, heat_points()).items():
        expected = pinn.residuals(heat_points())[name]
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"theta has the shape \(3,\): expected \(16,\)"):
        apply(tf.zeros(3), np.ones((2, 3)))
    with pytest.raises(ValueError, match="has no parameters yet"):
        kpinn.destructure(keras.Sequential([keras.layers.Dense(1)]))


def test_derivatives_of_the_destructured_network_by_name():
    network = kpinn.networks.MLP(units=4, depth=1)
    points = BOX.sample(5, seed=0)
    expected = kpinn.derivatives(network, points, "u_xx")["u_xx"]
    theta, apply = kpinn.destructure(network)
    points = {name: values.astype("float32") for name, values in points.items()}
    found = kpinn.derivatives(lambda x: apply(theta, x), points, "u_xx")["u_xx"]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
