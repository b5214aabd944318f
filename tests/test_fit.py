"""Training by `fit`, with Keras's own habits."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from problems import BOX, Decay, Down, Formula, Heat, heat_points, small_heat

import kpinn
from kpinn.problem.problem import Problem

KEYS = ["heat", "loss", "start"]


def numpy_losses(pinn, points, targets=None, weights=None):
    """Mean squares of the residuals, in numpy."""
    losses = {}
    for name, residual in pinn.residuals(points).items():
        square = np.mean((residual - (targets or {}).get(name, 0.0)) ** 2, axis=1)
        losses[name] = np.mean(square * (weights or {}).get(name, 1.0))
    return losses


def test_history_and_logs_are_those_of_the_conditions():
    pinn, points = small_heat(loss_weights={"start": 10.0}), heat_points()
    history = pinn.fit(points, epochs=5, verbose=0)
    assert isinstance(history, keras.callbacks.History)
    assert sorted(history.history) == KEYS
    assert history.epoch == [0, 1, 2, 3, 4]
    logs = {key: values[-1] for key, values in history.history.items()}
    assert logs["loss"] == pytest.approx(logs["heat"] + 10 * logs["start"], rel=1e-5)


def test_the_loss_before_a_step_is_that_of_numpy():
    points = heat_points()
    targets = {"start": np.full((16, 1), 0.5)}
    weights = {"heat": np.linspace(0.0, 2.0, 64)}
    pinn = small_heat(keras.optimizers.SGD(0.0))
    expected = numpy_losses(pinn, points, targets, weights)
    history = pinn.fit(points, targets, sample_weight=weights, verbose=0).history
    as_tuple = pinn.fit((points, targets, weights), verbose=0).history
    evaluated = pinn.evaluate((points, targets, weights), return_dict=True, verbose=0)
    for name, value in expected.items():
        for found in (history[name][0], as_tuple[name][0], evaluated[name]):
            assert found == pytest.approx(value, rel=1e-5)


LOSSES = {
    "mse": lambda r: np.mean(r**2),
    "mae": lambda r: np.mean(np.abs(r)),
    keras.losses.Huber(delta=0.1): lambda r: np.mean(
        np.where(np.abs(r) < 0.1, r**2 / 2, 0.1 * np.abs(r) - 0.005)
    ),
    keras.losses.MeanSquaredError(reduction="sum"): lambda r: np.sum(r**2),
    kpinn.losses.Mean(): lambda r: np.mean(r),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_by_condition(loss):
    pinn, points = small_heat(), heat_points()
    pinn.compile("sgd", loss={"heat": loss}, metrics={"start": ["mae"]})
    residuals = pinn.residuals(points)
    logs = pinn.evaluate(points, return_dict=True, verbose=0)
    assert logs["heat"] == pytest.approx(LOSSES[loss](residuals["heat"]), rel=1e-4)
    assert logs["start"] == pytest.approx(np.mean(residuals["start"] ** 2), rel=1e-4)
    assert logs["start_mae"] == pytest.approx(np.abs(residuals["start"]).mean(), rel=1e-4)


def test_metrics_are_those_of_keras_in_the_dtype_of_the_network():
    kpinn.set_float64()
    points = heat_points()
    given = ["mae", keras.losses.mean_squared_error, keras.metrics.RootMeanSquaredError()]
    pinn = small_heat(metrics=given)
    logs = pinn.evaluate(points, return_dict=True, verbose=0)
    for name, residual in pinn.residuals(points).items():
        square = np.mean(residual**2)
        assert logs[f"{name}_mae"] == pytest.approx(np.abs(residual).mean(), rel=1e-12)
        assert logs[f"{name}_mean_squared_error"] == pytest.approx(square, rel=1e-12)
        assert logs[f"{name}_root_mean_squared_error"] == pytest.approx(np.sqrt(square), rel=1e-12)
    with pytest.raises(ValueError, match="metrics names 'head'"):
        pinn.compile("adam", metrics={"head": ["mae"]})


def test_conditions_that_are_left_out_are_not_in_the_logs():
    pinn, points = small_heat(metrics={"start": ["mae"]}), heat_points()
    heat = {"heat": points["heat"]}
    assert sorted(pinn.evaluate(heat, return_dict=True, verbose=0)) == ["heat", "loss"]
    history = pinn.fit(points, epochs=2, validation_data=heat, verbose=0).history
    assert sorted(history) == ["heat", "loss", "start", "start_mae", "val_heat", "val_loss"]
    assert history["val_loss"] == history["val_heat"]


def test_settings_of_losses_that_cannot_work():
    pinn = small_heat()
    for arguments, message in [
        ({"loss": {"head": "mse"}}, "loss names 'head', but the conditions are heat, start"),
        ({"loss_weights": {"head": 1.0}}, "loss_weights names 'head'"),
        ({"loss_weights": {"heat": "big"}}, r"loss_weights\['heat'\] is a number in"),
        ({"loss_weights": {"heat": -1.0}}, r"loss_weights\['heat'\] is a number in"),
        ({"loss_weights": {"heat": float("nan")}}, "is a number in .* not nan"),
        ({"loss_weights": [1.0]}, r"loss_weights is \[1.0\]: expected a dict"),
        ({"loss": "sparse_categorical_crossentropy"}, "which compares classes"),
        ({"loss": {"heat": keras.losses.Hinge()}}, "loss of 'heat' .* compares classes"),
        ({"metrics": {"heat": ["accuracy"]}}, "metrics of 'heat' .* no metric of real numbers"),
    ]:
        with pytest.raises(ValueError, match=message):
            pinn.compile("adam", **arguments)


# One path for every way to give points --------------------------------------------------


def as_dataset(points):
    return tf.data.Dataset.from_tensors(points).repeat()


def as_tuples(points):
    return as_dataset(points).map(lambda p: (p, {"start": tf.zeros((16, 1))}))


class AsPyDataset(keras.utils.PyDataset):
    def __init__(self, points):
        super().__init__()
        self.points = points

    def __len__(self):
        return 100

    def __getitem__(self, index):
        return (self.points,)


@pytest.mark.parametrize("wrap", [as_dataset, as_tuples, AsPyDataset])
@pytest.mark.parametrize("steps_per_execution", ["auto", 2])
def test_datasets_train_as_arrays_do(wrap, steps_per_execution):
    points = {
        name: {key: value.astype("float32") for key, value in arrays.items()}
        for name, arrays in heat_points().items()
    }
    losses = []
    for given in (points, wrap(points)):
        keras.utils.set_random_seed(3)
        pinn = small_heat(steps_per_execution=steps_per_execution)
        history = pinn.fit(given, epochs=3, steps_per_epoch=4, verbose=0).history
        losses.append(history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_the_first_batch_of_a_dataset_is_checked():
    points = heat_points()
    del points["start"]
    with pytest.raises(ValueError, match="no points for the condition start"):
        small_heat().fit(as_dataset(points), steps_per_epoch=1, verbose=0)
    with pytest.raises(ValueError, match="dataset of points is empty"):
        small_heat().fit(tf.data.Dataset.from_tensors(points).take(0), verbose=0)


@pytest.mark.parametrize("arguments", [{"jit_compile": True}, {"run_eagerly": True}])
def test_graph_xla_and_eager_train_alike(arguments):
    losses = []
    for settings in ({}, arguments):
        keras.utils.set_random_seed(1)
        history = small_heat(**settings).fit(heat_points(), epochs=4, verbose=0).history
        losses.append(history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


@pytest.mark.xla
def test_xla_is_on_by_default_but_for_forward():
    network = kpinn.networks.MLP(units=4, depth=1)
    for method, jit in (("reverse", True), ("finite_difference", True), ("forward", False)):
        pinn = Heat(network, method=method)
        pinn.compile("adam")
        assert pinn.jit_compile is jit
        pinn.compile("adam", run_eagerly=True)
        assert pinn.jit_compile is False
    with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
        Heat(network, method="forward").compile("adam", jit_compile=True)
    network.layers[0].supports_jit = False
    pinn = Heat(network)
    pinn.compile("adam")
    assert pinn.jit_compile is False


@pytest.mark.parametrize("method", ["forward", "finite_difference"])
def test_other_methods_train_alike(method):
    losses = []
    kpinn.set_float64()
    for chosen in ("reverse", method):
        keras.utils.set_random_seed(1)
        pinn = Heat(kpinn.networks.MLP(units=8, depth=2), method=chosen)
        pinn.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
        losses.append(pinn.fit(heat_points(), epochs=4, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_one_shared_set_of_points_trains_all_conditions():
    points = BOX.sample(20, seed=0)
    losses = []
    for given in (points, {"heat": points, "start": points}):
        keras.utils.set_random_seed(1)
        losses.append(small_heat().fit(given, epochs=4, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


# Mini-batches ---------------------------------------------------------------------------


class Spy(kpinn.PINN):
    """Remembers which points each step took, in variables (graphs have no lists)."""

    coordinates, fields = "x", "u"

    @kpinn.condition
    def first(self, x, u):
        return u * 0.0 + x


@pytest.mark.parametrize(("shuffle", "batch_size"), [(True, 4), (False, 4), (True, 5)])
def test_mini_batches_take_each_point_once_per_epoch(shuffle, batch_size):
    x = np.arange(1.0, 13.0)
    pinn = Spy(Formula(lambda x: x))
    pinn.compile("sgd", loss=kpinn.losses.Mean(), run_eagerly=True, steps_per_execution=1)
    seen = []

    class Remember(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs):
            seen.append(logs["first"] * (batch + 1))

    pinn.fit({"x": x}, epochs=2, batch_size=batch_size, shuffle=shuffle, verbose=0,
             callbacks=[Remember()])  # fmt: skip
    steps = -(-12 // batch_size)
    assert len(seen) == 2 * steps
    means = np.diff(np.reshape(seen, (2, steps)), prepend=0.0)
    if batch_size == 4:
        np.testing.assert_allclose(means.sum(axis=1) * 4, 78.0, rtol=1e-6)
    in_order = np.allclose(means[0], x.reshape(3, 4).mean(axis=1)) if batch_size == 4 else False
    assert in_order == (not shuffle)
    if shuffle:
        assert not np.allclose(means[0], means[1])


def test_mini_batches_of_unequal_sets_and_reproducible_order():
    losses = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(0)
        pinn = small_heat()
        keras.utils.set_random_seed(seed)
        history = pinn.fit(heat_points(50, 7), epochs=3, batch_size=16, verbose=0).history
        losses.append(history["loss"])
    np.testing.assert_array_equal(losses[0], losses[1])
    assert losses[0] != losses[2]


def test_mini_batches_of_other_points_on_the_same_model():
    pinn = small_heat()
    for inside, start, steps in ((50, 7, 4), (60, 9, 4), (20, 40, 3), (50, 7, 4)):
        before = int(pinn.optimizer.iterations)
        losses = pinn.fit(heat_points(inside, start), batch_size=16, verbose=0).history["loss"]
        assert np.isfinite(losses).all()
        assert int(pinn.optimizer.iterations) == before + steps


def test_steps_per_epoch_counts_steps():
    pinn = small_heat()
    pinn.fit(heat_points(), epochs=3, steps_per_epoch=7, verbose=0)
    assert int(pinn.optimizer.iterations) == 21
    pinn.fit(heat_points(), epochs=2, batch_size=16, verbose=0)
    assert int(pinn.optimizer.iterations) == 21 + 2 * 4
    with pytest.raises(ValueError, match="steps_per_epoch is a positive whole number, not 0"):
        pinn.fit(heat_points(), steps_per_epoch=0, verbose=0)
    for wrong in (0, 2.5, {"start": 0}):
        with pytest.raises(ValueError, match="batch_size( of 'start')? is a positive whole number"):
            pinn.fit(heat_points(), batch_size=wrong, verbose=0)


# Traces ---------------------------------------------------------------------------------


class Counted(Heat):
    traces = 0

    def call(self, points, training=None):
        if not tf.executing_eagerly():
            Counted.traces += 1
        return super().call(points, training)


def test_one_trace_for_one_set_of_shapes():
    pinn = Counted(kpinn.networks.MLP(units=4, depth=1))
    pinn.compile("adam")
    Counted.traces = 0
    points = heat_points()
    pinn.fit(points, epochs=2, verbose=0)
    assert Counted.traces == 1
    pinn.fit(points, epochs=30, verbose=0)
    pinn.fit(points, epochs=3, steps_per_epoch=5, verbose=0)
    pinn.fit(points, epochs=2, callbacks=[keras.callbacks.TerminateOnNaN()], verbose=0)
    pinn.loss_weights["heat"].assign(3.0)
    pinn.optimizer.learning_rate = 1e-4
    for scale in (0.9, 1.05):
        fresh = {name: {k: scale * v for k, v in arrays.items()} for name, arrays in points.items()}
        pinn.fit(fresh, verbose=0)
    assert Counted.traces == 1
    more = heat_points(inside=65)
    pinn.fit(more, verbose=0)
    assert Counted.traces == 2


def test_the_minimizer_traces_once(monkeypatch):
    traces, residuals = [], Problem.residuals

    def counted(self, points, step=0):
        traces.extend([] if tf.executing_eagerly() else [points])
        return residuals(self, points, step)

    monkeypatch.setattr(Problem, "residuals", counted)  # a minimizer does not call the model
    pinn = small_heat(kpinn.optimizers.ScipyMinimize())
    pinn.fit(heat_points(), epochs=5, verbose=0)
    pinn.fit(heat_points(), epochs=5, verbose=0)
    assert len(traces) == 1


def test_loss_weights_take_effect_at_once():
    pinn, points = small_heat(keras.optimizers.SGD(0.0)), heat_points()
    before = pinn.fit(points, verbose=0).history
    pinn.loss_weights["start"].assign(5.0)
    after = pinn.fit(points, verbose=0).history
    assert after["loss"][0] == pytest.approx(before["heat"][0] + 5 * before["start"][0], rel=1e-5)
    assert not any("loss_weight" in variable.path for variable in pinn.variables)


# Callbacks ------------------------------------------------------------------------------


class Recorder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.calls = []

    def __getattribute__(self, name):
        if name.startswith("on_") and name.endswith(("begin", "end")):
            return lambda *args, **kwargs: self.calls.append((name, args[0] if args else None))
        return super().__getattribute__(name)


@pytest.mark.parametrize("optimizer", ["adam", "scipy"])
def test_hooks_come_in_the_order_of_keras(optimizer):
    optimizer = kpinn.optimizers.ScipyMinimize() if optimizer == "scipy" else optimizer
    recorder = Recorder()
    small_heat(optimizer).fit(heat_points(), epochs=2, verbose=0, callbacks=[recorder])
    names = [name for name, _ in recorder.calls if not name.startswith("on_batch")]
    epoch = ["on_epoch_begin", "on_train_batch_begin", "on_train_batch_end", "on_epoch_end"]
    assert names == ["on_train_begin", *epoch, *epoch, "on_train_end"]
    assert [e for name, e in recorder.calls if name == "on_epoch_end"] == [0, 1]


def test_steps_per_execution_sets_the_batch_hooks():
    recorder = Recorder()
    pinn = small_heat(steps_per_execution=3)
    pinn.fit(heat_points(), epochs=1, steps_per_epoch=8, verbose=0, callbacks=[recorder])
    ends = [index for name, index in recorder.calls if name == "on_train_batch_end"]
    assert ends == [2, 5, 7]
    assert int(pinn.optimizer.iterations) == 8


def test_many_epochs_in_one_call_report_each_epoch():
    points = heat_points()
    histories = []
    for callbacks in ([], [keras.callbacks.Callback()]):  # a callback that could act
        keras.utils.set_random_seed(1)
        histories.append(
            small_heat().fit(points, epochs=50, verbose=0, callbacks=callbacks).history
        )
    for key in KEYS:
        np.testing.assert_allclose(histories[0][key], histories[1][key], rtol=1e-5)


@pytest.mark.parametrize("verbose", [1, 2])
@pytest.mark.parametrize("optimizer", ["adam", "scipy"])
def test_progress_bar_shows_conditions_and_unknowns(verbose, optimizer, capsys):
    pinn = small_heat(kpinn.optimizers.ScipyMinimize() if optimizer == "scipy" else optimizer)
    pinn.unknown("k", 0.25)
    pinn.fit(heat_points(), epochs=3, verbose=verbose)
    printed = capsys.readouterr().out
    for text in ("Epoch 3/3", "heat: ", "start: ", "loss: ", "k: 0.2500"):
        assert text in printed


def test_early_stopping_restores_the_best_weights():
    pinn, points = small_heat(keras.optimizers.SGD(1e3)), heat_points()
    before = pinn.evaluate(points, return_dict=True, verbose=0)["loss"]
    stop = keras.callbacks.EarlyStopping("loss", patience=2, restore_best_weights=True)
    history = pinn.fit(points, epochs=50, verbose=0, callbacks=[stop])
    assert len(history.epoch) < 50
    assert before == pytest.approx(history.history["loss"][0], rel=1e-5)


def test_learning_rate_scheduler_and_schedules():
    rates = []

    class Rate(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            rates.append(float(self.model.optimizer.learning_rate))

    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    small_heat().fit(heat_points(), epochs=3, verbose=0, callbacks=[schedule, Rate()])
    np.testing.assert_allclose(rates, [0.1, 0.05, 0.1 / 3], rtol=1e-6)
    decay = keras.optimizers.schedules.ExponentialDecay(1e-2, 10, 0.5)
    pinn = small_heat(keras.optimizers.Adam(decay))
    pinn.fit(heat_points(), epochs=20, verbose=0)
    assert float(pinn.optimizer.learning_rate) == pytest.approx(2.5e-3, rel=1e-4)


def test_terminate_on_nan():
    class Broken(Heat):
        @kpinn.condition
        def start(self, x, u):
            return ops.sqrt(u)  # NaN once u is negative

    pinn = Broken(kpinn.networks.MLP(units=4, depth=1))
    pinn.network.layers[-1].bias.assign([5.0])
    pinn.compile(keras.optimizers.SGD(1e3))
    stop = keras.callbacks.TerminateOnNaN()
    history = pinn.fit(heat_points(), epochs=20, verbose=0, callbacks=[stop])
    assert len(history.epoch) < 20


def test_checkpoints_tensorboard_and_csv(tmp_path):
    callbacks = [
        keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras")),
        keras.callbacks.ModelCheckpoint(
            str(tmp_path / "w{epoch}.weights.h5"), save_weights_only=True
        ),
        keras.callbacks.TensorBoard(str(tmp_path / "logs")),
        keras.callbacks.CSVLogger(str(tmp_path / "log.csv")),
    ]
    pinn = small_heat()
    pinn.fit(heat_points(), epochs=2, verbose=0, callbacks=callbacks)
    again = keras.saving.load_model(tmp_path / "2.keras")
    np.testing.assert_array_equal(
        again.predict_fields({"t": [0.5], "x": [0.5]})["u"],
        pinn.predict_fields({"t": [0.5], "x": [0.5]})["u"],
    )
    assert (tmp_path / "w2.weights.h5").exists()
    assert list((tmp_path / "logs").rglob("events*"))
    assert (tmp_path / "log.csv").read_text().startswith("epoch,heat,loss,start")


def test_a_training_of_more_epochs_goes_on_from_a_checkpoint(tmp_path):
    def train(epochs):
        keras.utils.set_random_seed(0)
        pinn = small_heat()
        checkpoint = kpinn.callbacks.Checkpoint(tmp_path, every=2)
        return pinn, pinn.fit(heat_points(), epochs=epochs, verbose=0, callbacks=[checkpoint])

    train(3)
    pinn, history = train(5)
    assert history.epoch == [0, 1, 2, 3, 4]
    keras.utils.set_random_seed(0)
    unbroken = small_heat()
    unbroken.fit(heat_points(), epochs=5, verbose=0)
    for actual, expected in zip(pinn.get_weights(), unbroken.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_backup_and_restore_is_refused(tmp_path):
    backup = keras.callbacks.BackupAndRestore(str(tmp_path))
    with pytest.raises(ValueError, match="neither loss weights.*use kpinn.callbacks.Checkpoint"):
        small_heat().fit(heat_points(), verbose=0, callbacks=[backup])


@pytest.mark.parametrize("optimizer", ["adam", "scipy"])
def test_validation(optimizer):
    pinn = small_heat(kpinn.optimizers.ScipyMinimize() if optimizer == "scipy" else optimizer)
    points, new = heat_points(), heat_points(inside=9)
    history = pinn.fit(points, epochs=4, validation_data=new, validation_freq=2, verbose=0)
    assert len(history.history["val_loss"]) == 2
    evaluated = pinn.evaluate(new, return_dict=True, verbose=0)
    for name in KEYS:
        assert history.history[f"val_{name}"][-1] == pytest.approx(evaluated[name], rel=1e-5)


def test_validation_on_a_dataset_without_end():
    pinn, points = small_heat(), heat_points()
    new = {
        name: {k: v.astype("float32") for k, v in arrays.items()}
        for name, arrays in heat_points(inside=9).items()
    }
    history = pinn.fit(
        points, epochs=2, validation_data=as_dataset(new), validation_steps=2, verbose=0
    )
    evaluated = pinn.evaluate(new, return_dict=True, verbose=0)
    assert history.history["val_loss"][-1] == pytest.approx(evaluated["loss"], rel=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "scipy"])
def test_no_epochs_leave_the_weights(optimizer):
    pinn = small_heat(kpinn.optimizers.ScipyMinimize() if optimizer == "scipy" else optimizer)
    before = pinn.get_weights()
    assert pinn.fit(heat_points(), epochs=0, verbose=1).epoch == []
    for actual, expected in zip(pinn.get_weights(), before, strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_stop_training_and_initial_epoch():
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            self.model.stop_training = epoch == 4

    history = small_heat().fit(
        heat_points(), epochs=10, initial_epoch=2, verbose=0, callbacks=[Stop()]
    )
    assert history.epoch == [2, 3, 4]


# Keras's habits ---------------------------------------------------------------------------


def test_a_users_train_step_is_run():
    class Halved(Heat):
        def train_step(self, data):
            logs = super().train_step(data)
            return logs | {"twice": 2 * logs["loss"]}

    pinn = Halved(kpinn.networks.MLP(units=4, depth=1))
    pinn.compile("adam")
    history = pinn.fit(heat_points(), epochs=2, verbose=0).history
    np.testing.assert_allclose(history["twice"], 2 * np.array(history["loss"]), rtol=1e-6)


def test_regularization_is_part_of_the_loss():
    network = kpinn.networks.MLP(units=4, depth=1, kernel_regularizer=keras.regularizers.L2(0.1))
    pinn = Heat(network)
    pinn.compile(keras.optimizers.SGD(0.0))
    logs = pinn.fit(heat_points(), verbose=0).history
    penalty = 0.1 * np.sum(network.layers[0].kernel.numpy() ** 2)
    assert logs["loss"][0] == pytest.approx(logs["heat"][0] + logs["start"][0] + penalty, rel=1e-5)


@pytest.mark.parametrize(
    "arguments",
    [
        {"ema_momentum": 0.9, "use_ema": True},
        {"gradient_accumulation_steps": 2},
        {"global_clipnorm": 1.0},
        {"weight_decay": 0.01},
    ],
)
def test_options_of_keras_optimizers(arguments):
    pinn, points = small_heat(keras.optimizers.Adam(1e-2, **arguments)), heat_points()
    history = pinn.fit(points, epochs=40, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize("layer", [keras.layers.Dropout(0.1), keras.layers.BatchNormalization()])
def test_layers_without_pointwise_derivatives_are_refused_in_training(layer):
    network = keras.Sequential([keras.layers.Dense(4, "tanh"), layer, keras.layers.Dense(1)])
    pinn = Heat(network)
    assert pinn.residuals(heat_points())["heat"].shape == (64, 1)
    pinn.compile("adam")
    with pytest.raises(ValueError, match=f"{layer.name}.*no pointwise derivative"):
        pinn.fit(heat_points(), verbose=0)


def test_layer_normalization_is_refused_where_tapes_are_wrong():
    def network():
        layers = [keras.layers.Dense(4, "tanh"), keras.layers.LayerNormalization(name="norm")]
        return keras.Sequential([*layers, keras.layers.Dense(1)])

    with pytest.raises(ValueError, match="norm.*condition 'heat'.*method='finite_difference'"):
        Heat(network(), method="reverse")

    def first(u_x):
        return u_x

    pinn = kpinn.PINN(network(), "t x", "u", conditions=[first], method="forward")
    pinn.compile("adam")
    with pytest.raises(ValueError, match="norm.*condition 'first'"):
        pinn.fit(BOX.sample(8), verbose=0)
    for method in ("taylor", kpinn.FiniteDifference(accuracy=4)):
        pinn = Heat(network(), method=method)
        pinn.compile("adam")
        losses = pinn.fit(heat_points(), epochs=30, verbose=0).history["loss"]
        assert losses[-1] < losses[0]


def test_settings_without_meaning_are_refused():
    pinn = small_heat()
    for arguments in ({"validation_split": 0.1}, {"class_weight": {0: 1.0}}):
        with pytest.raises(ValueError, match="no meaning for sets of points"):
            pinn.fit(heat_points(), verbose=0, **arguments)
    with pytest.raises(ValueError, match=r"validation_split is a number in \[0, 1\), not array"):
        pinn.fit(heat_points(), verbose=0, validation_split=np.zeros(2))
    with pytest.raises(ValueError, match="compile the PINN first"):
        Heat(kpinn.networks.MLP(units=4, depth=1)).fit(heat_points())


def test_float64_from_end_to_end():
    kpinn.set_float64()
    pinn, points = small_heat(), heat_points()
    pinn.fit(points, epochs=2, verbose=0)
    assert {variable.dtype for variable in pinn.trainable_variables} == {"float64"}
    assert {metric.dtype for metric in pinn.metrics} == {"float64"}
    assert pinn.predict_fields(points["heat"], "u_xx")["u_xx"].dtype == np.float64
    logs = pinn.evaluate(points, return_dict=True, verbose=0)
    for name, value in numpy_losses(pinn, points).items():
        assert logs[name] == pytest.approx(value, rel=1e-13)


def test_float64_network_under_a_float32_default():
    layers = [
        keras.layers.Dense(4, "tanh", dtype="float64"),
        keras.layers.Dense(1, dtype="float64"),
    ]
    pinn, points = Heat(keras.Sequential(layers)), heat_points()
    pinn.compile("adam")
    pinn.fit(points, epochs=2, verbose=0)
    logs = pinn.evaluate(points, return_dict=True, verbose=0)
    for name, value in numpy_losses(pinn, points).items():
        assert logs[name] == pytest.approx(value, rel=1e-13)


def test_unknowns_are_found():
    """u = exp(-rate t) with rate = 2: the decay rate from samples of the solution."""
    t = np.linspace(0, 1, 20)
    kpinn.set_float64()
    for optimizer, epochs in ((keras.optimizers.Adam(1e-2), 6_000), ("scipy", 200)):
        keras.utils.set_random_seed(0)
        pinn = Decay(kpinn.networks.MLP(units=10, depth=1))
        pinn.compile(kpinn.optimizers.ScipyMinimize() if optimizer == "scipy" else optimizer)
        history = pinn.fit(({"t": t}, {"samples": np.exp(-2 * t)}), epochs=epochs, verbose=0)
        assert float(pinn.unknowns["rate"].numpy()) == pytest.approx(2.0, rel=1e-2)
        assert history.history["rate"][-1] == pytest.approx(float(pinn.unknowns["rate"].numpy()))


def test_positive_unknowns_stay_positive():
    for optimizer in (keras.optimizers.SGD(1.0), kpinn.optimizers.ScipyMinimize()):
        pinn = Down(Formula(lambda x: x))
        pinn.compile(optimizer)
        pinn.fit({"x": [1.0]}, epochs=3, verbose=0)
        assert float(pinn.unknowns["a"].numpy()) == pytest.approx(1e-7, rel=1e-5)
    pinn.compile(kpinn.optimizers.ScipyMinimize("BFGS"))
    with pytest.raises(
        ValueError, match="an unknown has bounds .*, which BFGS does not keep: use one"
    ):
        pinn.fit({"x": [1.0]}, verbose=0)


FREEZING = {
    "adam": lambda: "adam",
    "lbfgs": kpinn.optimizers.LBFGS,
    "levenberg_marquardt": kpinn.optimizers.LevenbergMarquardt,
    "scipy": kpinn.optimizers.ScipyMinimize,
    "sequence": lambda: kpinn.optimizers.Sequence([("adam", 2), (kpinn.optimizers.LBFGS(), 2)]),
}


@pytest.mark.parametrize("name", FREEZING)
@pytest.mark.parametrize("begin", [True, False])
def test_layers_that_were_frozen_or_thawed_ask_for_another_compile(name, begin):
    pinn, points = small_heat(), heat_points(16, 4)
    layer = pinn.network.layers[0]
    layer.trainable = begin
    pinn.compile(FREEZING[name](), jit_compile=False)
    pinn.fit(points, verbose=0)
    layer.trainable = not begin
    what = "frozen" if begin else "thawed"
    with pytest.raises(ValueError, match=f"'.*dense.*/kernel' {what}, .*: compile again after lay"):
        pinn.fit(points, verbose=0)
    kept = layer.get_weights()
    pinn.compile(FREEZING[name](), jit_compile=False)
    pinn.fit(points, epochs=2, verbose=0)
    assert all(map(np.array_equal, kept, layer.get_weights())) is begin


@pytest.mark.parametrize("name", ["adam", "lbfgs"])
@pytest.mark.parametrize("way", ["arrays", "dataset"])
def test_a_callback_cannot_freeze_layers(name, way):
    pinn, points = small_heat(FREEZING[name]()), heat_points(16, 4)

    def freeze(epoch, logs):
        pinn.network.layers[0].trainable = epoch < 2

    points = tf.data.Dataset.from_tensors(points).repeat() if way == "dataset" else points
    callback = keras.callbacks.LambdaCallback(on_epoch_begin=freeze)
    with pytest.raises(ValueError, match="frozen since .* compile again after layers were frozen"):
        pinn.fit(points, epochs=5, steps_per_epoch=1, verbose=0, callbacks=[callback])


def test_layers_may_be_frozen_before_the_first_fit():
    for optimizer in FREEZING.values():
        pinn = small_heat(optimizer())
        pinn.network.layers[0].trainable = False
        kept = pinn.network.layers[0].get_weights()
        pinn.fit(heat_points(16, 4), epochs=2, verbose=0)
        assert all(map(np.array_equal, kept, pinn.network.layers[0].get_weights()))
    pinn.network.trainable = False
    with pytest.raises(ValueError, match="no trainable variable"):
        pinn.fit(heat_points(), verbose=0)


RATE_CALLBACKS = [
    keras.callbacks.ReduceLROnPlateau("loss"),
    keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 * rate),
]


@pytest.mark.parametrize("callback", RATE_CALLBACKS)
def test_callbacks_of_the_learning_rate_need_one(callback):
    optimizers = kpinn.optimizers
    sequence = optimizers.Sequence([("adam", 2), (optimizers.LBFGS(), 2)])
    for optimizer, name in (
        (optimizers.LBFGS(), "LBFGS"),
        (optimizers.LevenbergMarquardt(), "LevenbergMarquardt"),
        (optimizers.ScipyMinimize(), "ScipyMinimize"),
        (sequence, "LBFGS"),
    ):
        pinn = small_heat(optimizer)
        with pytest.raises(ValueError, match=f"sets the learning rate, which {name} does not have"):
            pinn.fit(heat_points(), epochs=4, verbose=0, callbacks=[callback])
    pinn.fit(heat_points(), epochs=2, verbose=0, callbacks=[callback])  # Adam's epochs alone
    spring = small_heat(optimizers.SPRING())
    spring.fit(heat_points(16, 4), epochs=2, verbose=0, callbacks=[RATE_CALLBACKS[1]])
    assert float(spring.optimizer.learning_rate) == pytest.approx(0.05)
    with pytest.raises(ValueError, match="LBFGS has no learning rate"):
        optimizers.LBFGS().learning_rate = 0.1


@pytest.mark.parametrize("form", ["arrays", "dataset"])
def test_targets_of_another_shape_are_refused_everywhere(form):
    """Also where the number of points has no shape in the graph, as in an evaluation."""
    pinn, points = small_heat(), heat_points()
    good, bad = ({"start": np.zeros((16, columns))} for columns in (1, 2))

    def given(targets):
        data = points, targets
        return data if form == "arrays" else tf.data.Dataset.from_tensors(data)

    message = r"targets of 'start' have the shape \(16, 2\), but the condition returns \(16, 1\)"
    for call in (
        lambda targets: pinn.fit(given(targets), verbose=0),
        lambda targets: pinn.evaluate(given(targets), verbose=0),
        lambda targets: pinn.fit(points, verbose=0, validation_data=given(targets)),
    ):
        call(good)
        with pytest.raises(ValueError, match=message):
            call(bad)
