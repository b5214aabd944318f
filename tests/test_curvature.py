"""Training by curvature: `PINN.fit` with optimizers that see all parameters at once."""

import functools
import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from problems import Decay

import kpinn
from kpinn.optimizers import BFGS, LBFGS, LevenbergMarquardt, ScipyMinimize, Sequence, SSBroyden
from kpinn.optimizers.flat import join
from kpinn.optimizers.result import ResultCode

OPTIMIZERS = {
    "LevenbergMarquardt": LevenbergMarquardt,
    "SSBroyden": SSBroyden,
    "LBFGS": LBFGS,
    "BFGS": BFGS,
}
each_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)
one_of_each_kind = pytest.mark.parametrize("name", ["LevenbergMarquardt", "SSBroyden"])


TIMES = np.linspace(0.0, 1.0, 12)[:, None]
SAMPLED = np.linspace(0.0, 1.0, 5)[:, None]
POINTS = {"ode": {"t": TIMES}, "samples": {"t": SAMPLED}}
TARGETS = {"samples": np.exp(-2.0 * SAMPLED)}
NOISY = {"samples": np.exp(-2.0 * SAMPLED) + 0.1 * np.cos(40.0 * SAMPLED)}
SAMPLE_WEIGHT = {"ode": np.linspace(0.5, 1.5, 12)}
DATA = (POINTS, TARGETS, SAMPLE_WEIGHT)


def network(units=4, depth=1, dtype="float64"):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    made = kpinn.networks.MLP(units=units, depth=depth)
    keras.config.set_dtype_policy(policy)
    return made


def decay(optimizer, **options):
    keras.utils.set_random_seed(1)
    pinn = Decay(network())
    given = {"loss_weights": {"samples": 3.0}, "metrics": {"samples": ["mae"]}}
    pinn.compile(optimizer, **{"jit_compile": False} | given | options)
    pinn.optimizer.build(pinn.trainable_variables)
    return pinn


def variables(pinn):
    return [*pinn.weights, *pinn.loss_weights.values(), *pinn.optimizer.variables]


@functools.cache
def compiled(name):
    """A model with the values that it had at first: most of the time of a test is the tracing."""
    pinn = decay(OPTIMIZERS[name]() if name in OPTIMIZERS else SEQUENCES[name]())
    return pinn, [variable.numpy() for variable in variables(pinn)]


def fresh(name):
    """A model and an optimizer before their first step."""
    pinn, values = compiled(name)
    for variable, value in zip(variables(pinn), values, strict=True):
        variable.assign(value)
    pinn._state.finished_fits.clear()  # as in another process
    return pinn


def fit(pinn, epochs, data=DATA, **arguments):
    return pinn.fit(data, epochs=epochs, verbose=0, **arguments).history


def theta(pinn):
    return join([variable.value for variable in pinn.trainable_variables]).numpy()


def assert_falls(losses, rounding=1e-12, floor=0.0):
    """No loss is higher than the one before, but for rounding."""
    losses = np.asarray(losses)
    assert np.all(losses[1:] <= losses[:-1] * (1.0 + rounding) + floor)


def at(hook, number, act):
    """A callback that calls `act` in a hook at an epoch."""
    if hook == "on_epoch_begin":
        return keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: act() if epoch == number else None
        )
    return keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: act() if epoch == number else None
    )


# The loss falls ----------------------------------------------------------------------------


@each_optimizer
def test_the_loss_falls_far_and_the_logs_are_those_of_the_weights(name):
    pinn = fresh(name)
    start = pinn.evaluate(*DATA[:2], sample_weight=DATA[2], verbose=0, return_dict=True)
    history = fit(pinn, 80)
    assert set(history) == {"loss", "ode", "samples", "samples_mae", "rate"}
    losses = [start["loss"], *history["loss"]]
    assert_falls(losses)
    limit = {"LevenbergMarquardt": 1e-9, "SSBroyden": 1e-6, "BFGS": 1e-4, "LBFGS": 1e-4}[name]
    assert losses[-1] < limit * start["loss"]
    logs = {key: values[-1] for key, values in history.items()}
    found = pinn.evaluate(*DATA[:2], sample_weight=DATA[2], verbose=0, return_dict=True)
    assert logs == pytest.approx(found, rel=1e-9)
    assert logs["loss"] == pytest.approx(logs["ode"] + 3.0 * logs["samples"], rel=1e-12)
    assert logs["rate"] == float(pinn.rate.numpy())
    result = pinn.optimizer.result
    assert (result.code, result.iterations) == ("iteration_limit", 80)
    assert result.loss == pytest.approx(logs["loss"], rel=1e-12)
    assert result.evaluations >= 80
    np.testing.assert_array_equal(result.theta, theta(pinn))


@one_of_each_kind
def test_an_inverse_problem_finds_the_unknown(name):
    pinn = fresh(name)
    fit(pinn, 400)
    assert float(pinn.rate.numpy()) == pytest.approx(2.0, rel=1e-2)


@one_of_each_kind
def test_a_positive_unknown_stays_above_its_bound(name):
    pinn, rates = fresh(name), []
    targets = {"samples": np.exp(2.0 * SAMPLED)}  # the best rate is -2
    fit(pinn, 60, (POINTS, targets, SAMPLE_WEIGHT), callbacks=[rate_recorder(pinn, rates)])
    assert min(rates) == rates[-1] == 1e-6
    assert_falls(pinn.history.history["loss"])


def rate_recorder(pinn, rates):
    return keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: rates.append(float(pinn.rate.numpy()))
    )


def poisson(dtype):
    """u_xx = -pi^2 sin(pi x) with u = 0 at both ends by construction."""

    def equation(x, u_xx):
        return u_xx + np.pi**2 * ops.sin(np.pi * x)

    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(dtype)
    inputs = keras.Input((1,), dtype=dtype)
    outputs = inputs * (1.0 - inputs) * network(10, 2, dtype)(inputs)
    return kpinn.PINN(keras.Model(inputs, outputs), "x", "u", [equation])


@pytest.mark.parametrize(
    ("name", "dtype", "epochs", "loss", "error"),
    [
        ("LevenbergMarquardt", "float64", 60, 1e-16, 1e-8),
        ("LevenbergMarquardt", "float32", 60, 1e-6, 1e-4),
        ("LBFGS", "float32", 400, 1e-2, 1e-2),
    ],
)
def test_poisson_to_the_rounding_of_its_dtype(name, dtype, epochs, loss, error):
    pinn, x = poisson(dtype), np.linspace(0.0, 1.0, 40)[:, None]
    pinn.compile(OPTIMIZERS[name](), jit_compile=False)
    losses = fit(pinn, epochs, {"equation": {"x": x}})["loss"]
    assert losses[-1] < loss
    # The residual is a difference of numbers of the size of ten.
    assert_falls(losses, floor=(30.0 * float(np.finfo(dtype).eps)) ** 2, rounding=1e-3)
    between = np.linspace(0.0, 1.0, 101)
    found = pinn.predict_fields({"x": between})["u"]
    assert found.dtype == dtype
    np.testing.assert_allclose(found[:, 0], np.sin(np.pi * between), atol=error)


# How fit is called -------------------------------------------------------------------------


@one_of_each_kind
def test_steps_of_an_epoch_are_epochs(name):
    pinn = fresh(name)
    alone, expected = fit(pinn, 12)["loss"], theta(pinn)
    together = fit(fresh(name), 4, steps_per_epoch=3)["loss"]
    assert together == alone[2::3]
    np.testing.assert_array_equal(theta(pinn), expected)


@one_of_each_kind
def test_callbacks_change_nothing(name):
    """With a callback each epoch is a call of its own; without, many are one."""
    pinn = fresh(name)
    alone, expected = fit(pinn, 20)["loss"], theta(pinn)
    seen = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append((epoch, logs["loss"]))
    )
    assert fit(fresh(name), 20, callbacks=[callback])["loss"] == alone
    assert seen == list(enumerate(alone))
    np.testing.assert_array_equal(theta(pinn), expected)


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({"jit_compile": True}, 1e-4),  # sums in another order, of steps with little damping
        ({"run_eagerly": True}, 1e-9),
    ],
)
@one_of_each_kind
def test_xla_and_eager_mode_equal_graphs(name, options, tolerance):
    losses = fit(fresh(name), 5)["loss"]
    pinn = decay(OPTIMIZERS[name](), **options)
    np.testing.assert_allclose(fit(pinn, 5)["loss"], losses, rtol=tolerance)


@one_of_each_kind
def test_mini_batches(name):
    pinn = fresh(name)
    start = pinn.evaluate(*DATA[:2], verbose=0, return_dict=True)["loss"]
    history = fit(pinn, 20, batch_size=6)
    assert len(history["loss"]) == 20
    assert pinn.evaluate(*DATA[:2], verbose=0, return_dict=True)["loss"] < 0.1 * start
    assert int(pinn.optimizer.iterations.numpy()) == 40


@one_of_each_kind
def test_datasets_train_as_arrays_do(name):
    pinn = fresh(name)
    losses = fit(pinn, 6)["loss"]
    dataset, other = tf.data.Dataset.from_tensors(DATA), fresh(name)
    found = fit(other, 6, dataset)["loss"]
    assert other.optimizer.result.code == "iteration_limit"
    assert other.optimizer.result.iterations == 6
    assert other.optimizer.result.loss == pytest.approx(found[-1], rel=1e-12)
    # A quasi-Newton method begins its line search anew where points may be others.
    close = 1e-9 if name == "LevenbergMarquardt" else 0.5
    assert found[0] == pytest.approx(losses[0], rel=1e-9)
    np.testing.assert_allclose(found, losses, rtol=close)


def test_validation():
    pinn = fresh("LevenbergMarquardt")
    validation = {"ode": {"t": TIMES + 0.01}}
    history = fit(pinn, 4, validation_data=validation, validation_freq=2)
    assert len(history["loss"]) == 4
    assert len(history["val_ode"]) == 2
    expected = pinn.evaluate(validation, verbose=0, return_dict=True)["ode"]
    assert history["val_ode"][-1] == pytest.approx(expected, rel=1e-12)


@one_of_each_kind
def test_early_stopping_restores_the_best_weights(name):
    pinn, kept = fresh(name), []
    values = iter([3.0, 2.0, 1.0, 5.0, 6.0, 7.0, 8.0])

    class Odd(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            kept.append(theta(self.model))
            logs["odd"] = next(values)

    stopping = keras.callbacks.EarlyStopping(
        "odd", mode="min", patience=2, restore_best_weights=True
    )
    history = fit(pinn, 7, callbacks=[Odd(), stopping])
    assert len(history["loss"]) == 5
    assert pinn.optimizer.result.code == "stopped"
    assert pinn.optimizer.result.iterations == 5
    np.testing.assert_array_equal(theta(pinn), kept[2])


@one_of_each_kind
def test_checkpoints_have_the_weights_of_their_epoch(name, tmp_path):
    pinn, path = fresh(name), tmp_path / "{epoch}.weights.h5"
    checkpoint = keras.callbacks.ModelCheckpoint(str(path), save_weights_only=True)
    losses = fit(pinn, 4, callbacks=[checkpoint])["loss"]
    for epoch in (2, 4):
        pinn.load_weights(tmp_path / f"{epoch}.weights.h5")
        found = pinn.evaluate(*DATA[:2], sample_weight=DATA[2], verbose=0, return_dict=True)
        assert found["loss"] == pytest.approx(losses[epoch - 1], rel=1e-9)


# Changes from outside ----------------------------------------------------------------------


@one_of_each_kind
def test_loss_weights_assigned_between_two_fits_take_effect(name):
    pinn = fresh(name)
    fit(pinn, 5)
    pinn.loss_weights["samples"].assign(50.0)
    before = pinn.evaluate(*DATA[:2], sample_weight=DATA[2], verbose=0, return_dict=True)["loss"]
    logs = {key: values[-1] for key, values in fit(pinn, 1).items()}
    assert logs["loss"] == pytest.approx(logs["ode"] + 50.0 * logs["samples"], rel=1e-12)
    assert logs["loss"] < before


@each_optimizer
def test_loss_weights_assigned_by_a_callback_take_effect(name):
    pinn = fresh(name)
    change = at("on_epoch_end", 4, lambda: pinn.loss_weights["samples"].assign(50.0))
    history = fit(pinn, 12, callbacks=[change])
    weights = np.array([3.0] * 5 + [50.0] * 7)
    expected = np.array(history["ode"]) + weights * np.array(history["samples"])
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-12)
    after = history["loss"][5:]
    assert_falls(after)
    assert after[-1] < after[0]
    # As if the new weight came with a new fit.
    pinn = fresh(name)
    fit(pinn, 5)
    pinn.loss_weights["samples"].assign(50.0)
    assert fit(pinn, 7)["loss"] == after


@one_of_each_kind
def test_parameters_assigned_by_a_callback_take_effect(name):
    pinn, other = fresh(name), []

    def change():
        for variable in pinn.trainable_variables:
            variable.assign(0.5 * variable)
        other.append(pinn.evaluate(*DATA[:2], sample_weight=DATA[2], verbose=0)[0])

    losses = fit(pinn, 12, callbacks=[at("on_epoch_end", 4, change)])["loss"]
    assert losses[4] < 0.5 * other[0]
    assert_falls([*other, *losses[5:]])
    assert losses[-1] < 0.5 * other[0]
    found = pinn.evaluate(*DATA[:2], sample_weight=DATA[2], verbose=0)[0]
    assert losses[-1] == pytest.approx(found, rel=1e-9)


@one_of_each_kind
def test_parameters_assigned_at_the_end_by_a_callback_stay(name):
    pinn = fresh(name)

    def change():
        for variable in pinn.trainable_variables:
            variable.assign(0.5 * tf.ones_like(variable))

    fit(pinn, 4, callbacks=[at("on_epoch_end", 3, change)])
    np.testing.assert_array_equal(theta(pinn), 0.5)


@one_of_each_kind
def test_other_points_between_two_fits_take_effect(name):
    pinn = fresh(name)
    fit(pinn, 5)
    points = {"ode": {"t": 0.5 * TIMES}, "samples": {"t": SAMPLED}}
    data = (points, NOISY, SAMPLE_WEIGHT)
    before = pinn.evaluate(*data[:2], sample_weight=data[2], verbose=0)[0]
    losses = fit(pinn, 5, data)["loss"]
    assert_falls([before, *losses])
    after = pinn.evaluate(*data[:2], sample_weight=data[2], verbose=0)[0]
    assert losses[-1] == pytest.approx(after, rel=1e-9)


# Resumption --------------------------------------------------------------------------------


@each_optimizer
def test_two_fits_are_one(name):
    pinn = fresh(name)
    whole, expected = fit(pinn, 14)["loss"], theta(pinn)
    pinn = fresh(name)
    parts = fit(pinn, 6)["loss"] + fit(pinn, 14, initial_epoch=6)["loss"]
    assert parts == whole
    np.testing.assert_array_equal(theta(pinn), expected)


@each_optimizer
def test_a_saved_training_goes_on_bit_for_bit(name, tmp_path):
    pinn = fresh(name)
    whole, expected = fit(pinn, 14)["loss"], theta(pinn)
    pinn = fresh(name)
    parts = fit(pinn, 6)["loss"]
    pinn.save(tmp_path / "decay.keras")
    loaded = keras.saving.load_model(tmp_path / "decay.keras")
    np.testing.assert_array_equal(theta(loaded), theta(pinn))
    for before, after in zip(pinn.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(after, before)
    parts += fit(loaded, 14, initial_epoch=6)["loss"]
    assert parts == whole
    np.testing.assert_array_equal(theta(loaded), expected)


@one_of_each_kind
def test_an_interrupted_training_is_restored_bit_for_bit(name, tmp_path):
    pinn = fresh(name)
    expected = (fit(pinn, 10), theta(pinn))[1]
    counts = pinn.optimizer.result.iterations, pinn.optimizer.result.evaluations

    def fail():
        raise RuntimeError("the power is gone")

    checkpoint = kpinn.callbacks.Checkpoint(tmp_path, every=2)
    pinn = fresh(name)
    with pytest.raises(RuntimeError, match="power"):
        fit(pinn, 10, callbacks=[checkpoint, at("on_epoch_end", 5, fail)])
    pinn = fresh(name)
    history = fit(pinn, 10, callbacks=[checkpoint])
    assert len(history["loss"]) == 10
    np.testing.assert_array_equal(theta(pinn), expected)
    result = pinn.optimizer.result
    assert (result.iterations, result.evaluations) == counts
    pinn = fresh(name)
    assert fit(pinn, 10, callbacks=[checkpoint]) == history  # at once
    assert pinn.optimizer.result.message == result.message


@pytest.mark.xla
def test_how_a_model_is_compiled_is_saved(tmp_path):
    pinn = Decay(network())
    pinn.compile(LevenbergMarquardt(ratio=0.2, damping=0.5, trials=7, memory=2**20))
    pinn.save(tmp_path / "decay.keras")
    loaded = keras.saving.load_model(tmp_path / "decay.keras")
    assert loaded.optimizer.get_config() == pinn.optimizer.get_config()
    assert loaded.objective.compiled.jit == pinn.objective.compiled.jit


# Ends --------------------------------------------------------------------------------------


def interrupt():
    raise KeyboardInterrupt


@one_of_each_kind
def test_ctrl_c_leaves_the_last_accepted_parameters(name):
    pinn = fresh(name)
    fit(pinn, 4)
    expected, loss = theta(pinn), pinn.optimizer.result.loss
    pinn = fresh(name)
    with pytest.raises(KeyboardInterrupt):
        fit(pinn, 10, callbacks=[at("on_epoch_end", 3, interrupt)])
    np.testing.assert_array_equal(theta(pinn), expected)
    result = pinn.optimizer.result
    assert (result.code, result.iterations, result.loss) == ("interrupted", 4, loss)
    np.testing.assert_array_equal(result.theta, expected)


@one_of_each_kind
def test_ctrl_c_before_the_first_step_leaves_the_parameters(name):
    pinn = fresh(name)
    fit(pinn, 2)
    for variable in pinn.trainable_variables:
        variable.assign(0.25 * tf.ones_like(variable))
    with pytest.raises(KeyboardInterrupt):
        fit(pinn, 3, callbacks=[at("on_epoch_begin", 0, interrupt)])
    np.testing.assert_array_equal(theta(pinn), 0.25)
    assert pinn.optimizer.result.iterations == 0


@one_of_each_kind
def test_a_callback_stops_it(name):
    pinn = fresh(name)

    def stop():
        pinn.stop_training = True

    history = fit(pinn, 9, callbacks=[at("on_epoch_end", 2, stop)])
    assert len(history["loss"]) == 3
    result = pinn.optimizer.result
    assert (result.code, result.iterations) == ("stopped", 3)
    assert isinstance(result.code, ResultCode)


@each_optimizer
def test_a_loss_of_zero_has_converged(name):
    pinn = fresh(name)
    for variable in pinn.network.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    before = theta(pinn)
    data = (POINTS, {"samples": np.zeros((5, 1))}, SAMPLE_WEIGHT)
    history = fit(pinn, 9, data)
    assert history["loss"] == [0.0]
    assert pinn.optimizer.result.code == "converged"
    np.testing.assert_array_equal(theta(pinn), before)


@one_of_each_kind
def test_at_the_rounding_floor_there_is_no_progress(name):
    pinn = fresh(name)
    losses = fit(pinn, 5000, (POINTS, NOISY, SAMPLE_WEIGHT))["loss"]
    assert len(losses) < 5000
    result = pinn.optimizer.result
    assert (result.code, result.iterations) == ("no_progress", len(losses))
    assert result.message.startswith(f"{name} ended after {len(losses)} iterations: ")
    # The gradient is the rounding of its parts, which are as large as the loss.
    matrix, residuals = kpinn.jacobian(pinn, (POINTS, NOISY, SAMPLE_WEIGHT))
    assert np.abs(residuals @ matrix).max() < 1e-6 * np.linalg.norm(residuals)
    # A new fit tries again.
    assert len(fit(pinn, 3, (POINTS, NOISY, SAMPLE_WEIGHT))["loss"]) >= 1


@each_optimizer
def test_a_loss_that_is_not_finite_is_reported(name):
    pinn = fresh(name)
    change = at("on_epoch_end", 2, lambda: pinn.loss_weights["samples"].assign(math.nan))
    with pytest.raises(kpinn.NonFiniteError, match="the loss weight of condition 'samples' is nan"):
        fit(pinn, 9, callbacks=[change])
    assert len(pinn.history.history["loss"]) == 3
    assert pinn.optimizer.result.code == pinn.result.code == "nonfinite"
    assert np.isfinite(pinn.result.loss) and np.isfinite(theta(pinn)).all()


@one_of_each_kind
def test_a_loss_that_depends_on_nothing_ends_at_once(name):
    pinn = fresh(name)
    for weight in pinn.loss_weights.values():
        weight.assign(0.0)
    before = theta(pinn)
    assert fit(pinn, 9)["loss"] == [0.0]
    assert pinn.optimizer.result.code == "converged"
    np.testing.assert_array_equal(theta(pinn), before)


@one_of_each_kind
def test_the_end_is_printed(name, capsys):
    pinn = fresh(name)
    for variable in pinn.network.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    targets = {"samples": np.zeros((5, 1))}
    pinn.fit(POINTS, targets, sample_weight=SAMPLE_WEIGHT, epochs=9, verbose=2)
    assert pinn.optimizer.result.message in capsys.readouterr().out


# Errors before training --------------------------------------------------------------------


class Began(keras.callbacks.Callback):
    """Fails where the training begins: an error comes before that."""

    def on_epoch_begin(self, epoch, logs=None):
        raise AssertionError("the training has begun")


def regularized():
    layers = [
        keras.layers.Dense(3, "tanh", kernel_regularizer="l2"),
        keras.layers.Dense(1),
    ]
    return keras.Sequential([keras.Input((1,)), *layers])


@pytest.mark.parametrize(
    ("make", "weight", "data", "message"),
    [
        (regularized, 1.0, DATA, "regularization losses"),
        (network, -1.0, DATA, "loss weight of 'ode' is negative"),
        (
            network,
            1.0,
            (POINTS, TARGETS, {"ode": np.linspace(-1.0, 1.0, 12)}),
            "sample weights of 'ode' are negative",
        ),
    ],
)
def test_losses_that_are_no_sum_of_squares(make, weight, data, message):
    pinn = Decay(make())
    pinn.compile(LevenbergMarquardt(), jit_compile=False)
    pinn.loss_weights["ode"].assign(weight)
    before = theta(pinn)
    with pytest.raises(ValueError, match=message):
        fit(pinn, 2, data, callbacks=[Began()])
    np.testing.assert_array_equal(theta(pinn), before)


@pytest.mark.parametrize("name", ["LevenbergMarquardt", "SSBroyden", "BFGS"])
def test_more_parameters_than_memory(name):
    pinn = Decay(network())
    pinn.compile(OPTIMIZERS[name](memory=1000), jit_compile=False)
    with pytest.raises(ValueError, match=rf"{name} .* memory=1000\D"):
        fit(pinn, 2, callbacks=[Began()])


@pytest.mark.parametrize("name", ["LBFGS"])
def test_quasi_newton_takes_losses_of_any_kind(name):
    pinn = Decay(regularized())
    pinn.compile(OPTIMIZERS[name](), loss={"ode": "log_cosh"}, jit_compile=False)
    losses = fit(pinn, 30)["loss"]
    found = pinn.evaluate(*DATA[:2], sample_weight=DATA[2], verbose=0)[0]
    assert losses[-1] == pytest.approx(found, rel=1e-5)
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ratio": 0.0}, r"ratio is a number in \(0, 1\), not 0.0"),
        ({"ratio": 1.0}, r"ratio is a number in \(0, 1\), not 1.0"),
        ({"ratio": math.nan}, r"ratio is a number in \(0, 1\)"),
        ({"damping": 0.0}, "damping is a positive number, not 0.0"),
        ({"damping": math.nan}, "damping is a positive number"),
        ({"trials": 0}, "trials is a positive whole number, not 0"),
        ({"trials": 2.5}, "trials is a positive whole number, not 2.5"),
    ],
)
def test_options_of_levenberg_marquardt(options, message):
    with pytest.raises(ValueError, match=message):
        LevenbergMarquardt(**options)


@each_optimizer
def test_without_fit_they_say_what_they_need(name):
    optimizer = OPTIMIZERS[name]()
    variable = keras.Variable([1.0])
    with pytest.raises(ValueError, match=f"{name} evaluates the loss by itself"):
        optimizer.apply([tf.constant([1.0])], [variable])


# Sequences ---------------------------------------------------------------------------------


def three_stages():
    adam = keras.optimizers.Adam(1e-2)
    return Sequence([(adam, 30), (SSBroyden(), 20), (LevenbergMarquardt(), 10)])


SEQUENCES = {"three stages": three_stages}


def stage_optimizers(pinn):
    return [optimizer for optimizer, _ in pinn.optimizer.stages]


def rates(pinn):
    return [float(optimizer.learning_rate.numpy()) for optimizer in stage_optimizers(pinn)]


def iterations(pinn):
    return [int(optimizer.iterations.numpy()) for optimizer in stage_optimizers(pinn)]


def test_stages_follow_each_other():
    pinn = fresh("three stages")
    history = fit(pinn, 60)
    losses = history["loss"]
    assert len(losses) == 60 and pinn.history.epoch == list(range(60))
    assert iterations(pinn) == [30, 20, 10]
    ends = [losses[0], losses[29], losses[49], losses[59]]
    assert ends[1] < 0.5 * ends[0] and ends[2] < 0.1 * ends[1] and ends[3] < 0.1 * ends[2]
    assert_falls(losses[30:])
    found = pinn.evaluate(*DATA[:2], sample_weight=DATA[2], verbose=0, return_dict=True)
    assert {k: v[-1] for k, v in history.items()} == pytest.approx(found, rel=1e-9)
    assert pinn.optimizer.result is stage_optimizers(pinn)[2].result
    assert (pinn.optimizer.result.code, pinn.optimizer.result.iterations) == ("iteration_limit", 10)


@pytest.mark.parametrize(
    ("first", "epochs", "expected"),
    [
        (0, 1, [1, 0, 0]),
        (0, 30, [30, 0, 0]),
        (0, 31, [30, 1, 0]),
        (0, 70, [30, 20, 20]),
        (25, 35, [5, 5, 0]),
        (30, 52, [0, 20, 2]),
        (58, 61, [0, 0, 3]),
        (65, 67, [0, 0, 2]),
        (10, 10, [0, 0, 0]),
    ],
)
def test_the_epoch_says_which_stage_it_is(first, epochs, expected):
    pinn = fresh("three stages")
    history = fit(pinn, epochs, initial_epoch=first)
    assert len(history.get("loss", ())) == epochs - first
    assert pinn.history.epoch == list(range(first, epochs))
    assert iterations(pinn) == expected


def test_a_sequence_in_parts_is_one():
    pinn = fresh("three stages")
    whole, expected = fit(pinn, 60)["loss"], theta(pinn)
    pinn, parts = fresh("three stages"), []
    for first, last in [(0, 17), (17, 30), (30, 44), (44, 55), (55, 60)]:
        parts += fit(pinn, last, initial_epoch=first)["loss"]
    np.testing.assert_allclose(parts, whole, rtol=0, atol=0)
    np.testing.assert_array_equal(theta(pinn), expected)


def test_a_saved_sequence_goes_on_bit_for_bit(tmp_path):
    pinn = fresh("three stages")
    whole, expected = fit(pinn, 60)["loss"], theta(pinn)
    pinn = fresh("three stages")
    parts = fit(pinn, 40)["loss"]
    pinn.save(tmp_path / "decay.keras")
    loaded = keras.saving.load_model(tmp_path / "decay.keras")
    assert iterations(loaded) == [30, 10, 0]
    for before, after in zip(pinn.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(after, before)
    assert parts + fit(loaded, 60, initial_epoch=40)["loss"] == whole
    np.testing.assert_array_equal(theta(loaded), expected)


def test_an_interrupted_sequence_is_restored(tmp_path):
    pinn = fresh("three stages")
    expected = (fit(pinn, 56), theta(pinn))[1]
    checkpoint = kpinn.callbacks.Checkpoint(tmp_path, every=3)
    pinn = fresh("three stages")
    with pytest.raises(KeyboardInterrupt):
        fit(pinn, 56, callbacks=[checkpoint, at("on_epoch_end", 42, interrupt)])
    pinn = fresh("three stages")
    fit(pinn, 56, callbacks=[checkpoint])
    np.testing.assert_array_equal(theta(pinn), expected)


def test_learning_rate_callbacks_act_on_the_stage():
    pinn = fresh("three stages")
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 1e-3 * (epoch + 1))
    fit(pinn, 5, callbacks=[schedule])
    assert rates(pinn) == pytest.approx([5e-3, 0.0, 0.0])
    pinn = fresh("three stages")
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e9)
    fit(pinn, 4, callbacks=[plateau])
    assert rates(pinn)[0] < 1e-2


def test_a_stage_that_can_go_no_further_ends_early():
    pinn = fresh("three stages")
    for variable in pinn.network.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    data = (POINTS, {"samples": np.zeros((5, 1))}, SAMPLE_WEIGHT)
    fit(pinn, 60, data, initial_epoch=30)
    assert pinn.history.epoch == [30, 50]
    assert iterations(pinn) == [0, 1, 1]
    codes = [optimizer.result.code for optimizer in stage_optimizers(pinn)[1:]]
    assert codes == ["converged", "converged"]


def test_a_callback_stops_all_stages():
    pinn = fresh("three stages")

    def stop():
        pinn.stop_training = True

    fit(pinn, 60, callbacks=[at("on_epoch_end", 35, stop)])
    assert iterations(pinn) == [30, 6, 0]
    assert stage_optimizers(pinn)[1].result.code == "stopped"


def test_scipy_is_a_stage_too():
    stages = [("adam", 5), (ScipyMinimize("TNC"), 10), (ScipyMinimize("L-BFGS-B"), 5)]
    pinn = decay(Sequence(stages))
    losses = fit(pinn, 20)["loss"]
    assert len(losses) == 20
    assert losses[-1] < 0.1 * losses[4]
    assert iterations(pinn) == [5, 10, 5]
    assert pinn.optimizer.result.message.startswith("L-BFGS-B ended after 5 of 5")
    found = pinn.evaluate(*DATA[:2], sample_weight=DATA[2], verbose=0)[0]
    assert losses[-1] == pytest.approx(found, rel=1e-9)
    with pytest.raises(ValueError, match="ScipyMinimize takes all points"):
        fit(pinn, 20, batch_size=4)


def test_config_of_a_sequence():
    sequence = Sequence([("adam", 3), (LevenbergMarquardt(ratio=0.3), 2)], name="both")
    config = json.loads(json.dumps(keras.optimizers.serialize(sequence)))
    again = keras.optimizers.deserialize(config)
    assert keras.optimizers.serialize(again)["config"]["stages"][1] == config["config"]["stages"][1]
    kinds = [(type(optimizer).__name__, epochs) for optimizer, epochs in again.stages]
    assert kinds == [("Adam", 3), ("LevenbergMarquardt", 2)]
    assert again.name == "both"
    pinn = decay(again)
    assert len(fit(pinn, 5)["loss"]) == 5
    assert iterations(pinn) == [3, 2]


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([], "at least one stage"),
        (["adam"], "stages are pairs .* not 'adam'"),
        ([("adam", 0)], "not .'adam', 0. .epochs"),
        ([("adam", -3)], "epochs .*-3"),
        ([("adam", 2.5)], "epochs .*2.5"),
        ([("adam", math.nan)], "nan"),
        ([("adam", math.inf)], "inf"),
        ([("adam", None)], "stages are pairs .*epochs"),
        ([("adam", "ten")], "stages are pairs .*epochs"),
        ([("nonsense", 3)], "stages are pairs .*nonsense"),
        ([(3, "adam")], "stages are pairs"),
        ([("adam", 3, 4)], "stages are pairs"),
        ([(Sequence([("adam", 1)]), 3)], "optimizer is Sequence"),
    ],
)
def test_stages_without_meaning(stages, message):
    with pytest.raises(ValueError, match=message):
        Sequence(stages)


def test_the_same_optimizer_twice_is_refused():
    """Its state would be saved twice, and its epochs would be counted together."""
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="twice"):
        Sequence([(adam, 3), ("rmsprop", 2), (adam, 3)])


def test_a_sequence_needs_arrays():
    dataset = tf.data.Dataset.from_tensors(DATA)
    pinn = fresh("three stages")
    with pytest.raises(ValueError, match="Sequence needs points in memory"):
        fit(pinn, 3, dataset)
    with pytest.raises(ValueError, match=r"Sequence is driven by kpinn.PINN.fit"):
        three_stages().apply([tf.constant([1.0])], [keras.Variable([1.0])])


class Stuck(kpinn.optimizers.flat_optimizer.FlatOptimizer):
    """Never makes progress."""

    def __init__(self):
        super().__init__("stuck")

    def initial_state(self, theta):
        return {}

    def step(self, objective, theta, state, stale):
        loss, _ = objective.value_and_gradient(theta)
        status = tf.constant(kpinn.optimizers.flat_optimizer.NO_PROGRESS)
        return theta, state, kpinn.optimizers.flat_optimizer.Progress(loss, tf.constant(1), status)


@pytest.mark.parametrize(("batch_size", "epochs"), [(None, 2), (5, 4)])
def test_a_step_without_progress_ends_the_run_only_where_the_points_stay(batch_size, epochs):
    pinn = decay(Stuck())
    history = pinn.fit(POINTS, batch_size=batch_size, epochs=4, verbose=0)
    assert len(history.history["loss"]) == epochs
    assert pinn.optimizer.result.code == ("no_progress" if epochs == 2 else "iteration_limit")
