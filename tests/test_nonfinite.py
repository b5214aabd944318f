"""Losses, gradients and weights that are not finite: what `fit` notices, says and leaves."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from problems import Heat, heat_points, small_heat
from reliability import nonfinite as command

import kpinn

POINTS = heat_points(24, 8)


def at_epoch(epoch, action):
    """A callback that acts before an epoch."""

    def begin(current, logs):
        if current == epoch:
            action()

    return keras.callbacks.LambdaCallback(on_epoch_begin=begin)


def weights_at(where):
    """A callback that collects the weights at one of its hooks."""

    class Weights(keras.callbacks.Callback):
        found = []

    collect = Weights()
    setattr(collect, where, lambda *_, **__: collect.found.append(collect.model.get_weights()))
    return collect


def same(one, other):
    return all(map(np.array_equal, one, other))


def finite(pinn):
    """The weights and all that the optimizer has."""
    values = [*pinn.get_weights(), *(np.asarray(v) for v in pinn.optimizer.variables)]
    return all(np.isfinite(value).all() for value in values)


class Poisoned(Heat):
    """A residual that becomes NaN in one step of Adam."""

    def __init__(self, network, step, value=np.nan):
        super().__init__(network)
        self.bad = tf.Variable(step, dtype=tf.int64, trainable=False)
        self.value = value

    @kpinn.condition
    def start(self, x, u):
        steps = tf.convert_to_tensor(self.optimizer.iterations) if self.compiled else 0
        factor = tf.where(tf.cast(steps, tf.int64) == self.bad, self.value, 1.0)
        return (u - ops.sin(np.pi * x)) * ops.cast(factor, u.dtype)


def poisoned(step, optimizer="adam", **arguments):
    keras.utils.set_random_seed(0)
    pinn = Poisoned(kpinn.networks.MLP(units=6, depth=1), step)
    pinn.compile(optimizer, **{"jit_compile": False} | arguments)
    return pinn


# Every optimizer and every way -------------------------------------------------------------


@pytest.mark.parametrize("way", ["plain", "eager", "dataset"])
@pytest.mark.parametrize("kind", command.KINDS)
def test_it_is_noticed_before_the_update(kind, way):
    """A part of the command, whose other ways take longer."""
    if (kind, way) != ("input", "dataset"):
        faulty = command.Faulty("adam", way, kind)
        for step, value in ((3, np.nan), (1, np.inf)):
            *good, message = faulty.run(step, value)
            assert all(good), (good, message)


@pytest.mark.parametrize("optimizer", ["lbfgs", "ssbroyden", "levenberg_marquardt", "spring"])
@pytest.mark.parametrize("kind", ["gradient", "weights"])
def test_it_is_noticed_by_the_others(kind, optimizer):
    faulty = command.Faulty(optimizer, "plain", kind)
    *good, message = faulty.run(2, np.nan)
    assert all(good), (good, message)


def test_weights_are_those_before_the_step_in_the_middle_of_a_call():
    """Without a callback many steps are one call; the epochs before are in the history."""
    pinn = poisoned(47)
    with pytest.raises(kpinn.NonFiniteError, match="epoch 48, step 1: the residual of .* 'start'"):
        pinn.fit(POINTS, epochs=90, verbose=0)
    assert len(pinn.history.history["loss"]) == 47
    assert np.isfinite(pinn.history.history["loss"]).all()
    expected = poisoned(-1)
    expected.fit(POINTS, epochs=47, verbose=0)
    assert same(pinn.get_weights(), expected.get_weights())
    assert (pinn.result.code, pinn.result.iterations) == ("nonfinite", 47)
    assert pinn.result.loss == pinn.history.history["loss"][-1]


@pytest.mark.xla
def test_xla_makes_the_steps_before_once_more():
    pinn, expected = poisoned(13, jit_compile=True), poisoned(-1, jit_compile=True)
    with pytest.raises(kpinn.NonFiniteError, match="epoch 2, step 4"):
        pinn.fit(POINTS, epochs=3, steps_per_epoch=10, verbose=0)
    expected.fit(POINTS, epochs=1, steps_per_epoch=10, verbose=0)
    expected.fit(POINTS, epochs=1, steps_per_epoch=3, verbose=0)
    assert same(pinn.get_weights(), expected.get_weights())
    variables = ([np.asarray(v) for v in each.optimizer.variables] for each in (pinn, expected))
    assert same(*variables)


@pytest.mark.parametrize("per_execution", [1, 4, "auto"])
def test_mini_batches_and_executions(per_execution):
    pinn = poisoned(9, steps_per_execution=per_execution)
    with pytest.raises(kpinn.NonFiniteError, match="epoch 2, step 4"):
        pinn.fit(POINTS, epochs=3, batch_size=4, verbose=0)
    assert int(pinn.optimizer.iterations) == 9 and finite(pinn)


def test_several_steps_in_an_execution_of_keras():
    """None of the execution is made after the first that is not finite."""
    pinn = poisoned(5, steps_per_execution=4)
    dataset = tf.data.Dataset.from_tensors(POINTS).repeat()
    with pytest.raises(kpinn.NonFiniteError, match="condition 'start'"):
        pinn.fit(dataset, epochs=2, steps_per_epoch=8, verbose=0)
    assert int(pinn.optimizer.iterations) == 5 and finite(pinn)


def test_a_batch_of_a_dataset_is_to_blame():
    bad = {name: dict(arrays) for name, arrays in POINTS.items()}
    bad["heat"]["x"] = bad["heat"]["x"] + np.where(np.arange(24) == 3, np.inf, 0.0)[:, None]
    batches = tf.data.Dataset.from_tensors(POINTS).repeat(3)
    pinn = small_heat()
    with pytest.raises(kpinn.NonFiniteError, match="'x' of the points of condition 'heat' is"):
        pinn.fit(batches.concatenate(tf.data.Dataset.from_tensors(bad)), verbose=0)
    assert int(pinn.optimizer.iterations) == 3


@pytest.mark.xla
def test_a_batch_of_a_dataset_is_to_blame_under_xla():
    bad = {name: dict(arrays) for name, arrays in POINTS.items()}
    bad["start"]["x"] = np.nan * bad["start"]["x"]
    batches = tf.data.Dataset.from_tensors(POINTS).repeat(3)
    pinn = small_heat(jit_compile=True)
    with pytest.raises(kpinn.NonFiniteError, match="'x' of the points of condition 'start' is not"):
        pinn.fit(batches.concatenate(tf.data.Dataset.from_tensors(bad)), verbose=0)
    assert int(pinn.optimizer.iterations) == 3 and finite(pinn)


def test_a_batch_alone():
    pinn = small_heat()
    points = tf.nest.map_structure(lambda array: tf.constant(array, tf.float32), POINTS)
    pinn.train_on_batch(points)
    before = pinn.get_weights()
    bad = points | {"start": {name: np.nan * array for name, array in points["start"].items()}}
    with pytest.raises(kpinn.NonFiniteError, match="'start'"):
        pinn.train_on_batch(bad)
    assert same(before, pinn.get_weights())
    pinn.train_on_batch(points)
    assert not same(before, pinn.get_weights())


# An overridden train_step ------------------------------------------------------------------


class OwnStep(Heat):
    """Descends by itself, where nothing looks at the gradient before the update."""

    poison = tf.Variable(1.0, trainable=False)

    def train_step(self, batch):
        x, y, sample_weight = batch if isinstance(batch, tuple) else (batch, None, None)
        with tf.GradientTape() as tape:
            residuals = self(x, training=True)
            loss = self.poison * self.compute_loss(x, y, residuals, sample_weight)
        gradients = tape.gradient(loss, [v.value for v in self.trainable_variables])
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return self._step_logs(loss, x, y, sample_weight, residuals)


def test_an_overridden_step_is_undone_when_the_batch_has_ended():
    pinn = OwnStep(kpinn.networks.MLP(units=6, depth=1))
    pinn.compile("adam", jit_compile=False)
    pinn.poison.assign(1.0)
    seen = weights_at("on_train_batch_end")
    poison = at_epoch(4, lambda: pinn.poison.assign(np.nan))
    with pytest.raises(kpinn.NonFiniteError, match="epoch 5, step 1"):
        pinn.fit(POINTS, epochs=9, verbose=0, callbacks=[poison, seen])
    assert len(seen.found) == 4 and same(seen.found[-1], pinn.get_weights()) and finite(pinn)
    pinn.poison.assign(1.0)
    assert np.isfinite(pinn.fit(POINTS, epochs=2, verbose=0).history["loss"]).all()


def test_an_overridden_step_that_calls_the_usual_one():
    class Counts(Poisoned):
        def train_step(self, batch):
            return super().train_step(batch)

    pinn = Counts(kpinn.networks.MLP(units=6, depth=1), 3)
    pinn.compile("adam", jit_compile=False)
    with pytest.raises(kpinn.NonFiniteError, match="residual of condition 'start'"):
        pinn.fit(POINTS, epochs=9, verbose=0)
    assert int(pinn.optimizer.iterations) == 3 and finite(pinn)


# Policies ----------------------------------------------------------------------------------


def test_stop_ends_fit_with_a_result():
    pinn = poisoned(6, nonfinite="stop")
    seen = weights_at("on_epoch_end")
    history = pinn.fit(POINTS, epochs=20, verbose=0, callbacks=[seen]).history["loss"]
    assert np.isfinite(history).tolist() == [True] * 6 + [False]  # the step that was not made
    assert same(seen.found[-1], seen.found[-2]) and finite(pinn)
    assert (pinn.result.code, pinn.result.loss) == ("nonfinite", history[-2])
    assert "condition 'start'" in pinn.result.message


@pytest.mark.parametrize("way", ["arrays", "dataset"])
def test_rollback_goes_on_with_half_the_rate(way):
    """A rate that is far too large ends in overflow; rolled back three times it does not."""
    keras.utils.set_random_seed(0)

    def heat(u_t, u_xx):
        return u_t - u_xx

    def start(x, u):
        return ops.exp(u) - ops.sin(np.pi * x)

    def train(nonfinite):
        pinn = kpinn.PINN(kpinn.networks.MLP(units=8, depth=1), "t x", "u", [heat, start])
        pinn.network.layers[-1].bias.assign([80.0])
        pinn.compile(keras.optimizers.SGD(1.0), jit_compile=False, nonfinite=nonfinite)
        points = tf.data.Dataset.from_tensors(POINTS).repeat() if way == "dataset" else POINTS
        pinn.fit(points, epochs=4, steps_per_epoch=1, verbose=0)
        return pinn

    with pytest.raises(kpinn.NonFiniteError):
        train("raise")
    with pytest.raises(kpinn.NonFiniteError, match="again after 3 rollbacks"):
        train("rollback")


@pytest.mark.parametrize("way", ["arrays", "dataset"])
@pytest.mark.parametrize("rate", ["number", "schedule"])
def test_rollback_restores_weights_optimizer_and_rate(way, rate):
    schedule = keras.optimizers.schedules.ExponentialDecay(1e-2, 100, 0.9)
    pinn = small_heat(
        keras.optimizers.Adam(schedule if rate == "schedule" else 1e-2), nonfinite="rollback"
    )
    spoil = at_epoch(6, lambda: pinn.network.layers[-1].bias.assign([np.nan]))
    points = tf.data.Dataset.from_tensors(POINTS).repeat() if way == "dataset" else POINTS
    history = pinn.fit(points, epochs=12, steps_per_epoch=1, verbose=0, callbacks=[spoil]).history
    assert len(history["loss"]) == 12 and np.isfinite(history["loss"]).all() and finite(pinn)
    assert pinn.result.code == "iteration_limit"
    expected = 5e-3 if rate == "number" else 0.5 * float(schedule(pinn.optimizer.iterations))
    assert float(pinn.optimizer.learning_rate) == pytest.approx(expected)


def test_a_halved_schedule_is_saved(tmp_path):
    pinn = small_heat(
        keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(1e-2, 100, 0.9)),
        nonfinite="rollback",
    )
    spoil = at_epoch(2, lambda: pinn.network.layers[-1].bias.assign([np.nan]))
    pinn.fit(POINTS, epochs=4, verbose=0, callbacks=[spoil])
    pinn.save(tmp_path / "heat.keras")
    loaded = keras.saving.load_model(tmp_path / "heat.keras")
    rates = [float(each.optimizer.learning_rate) for each in (pinn, loaded)]
    assert rates[0] == rates[1]
    assert loaded.get_compile_config()["nonfinite"] == "rollback"


@pytest.mark.parametrize("optimizer", ["lbfgs", "levenberg_marquardt", "spring"])
def test_rollback_of_the_others(optimizer):
    pinn = small_heat(command.OPTIMIZERS[optimizer](), nonfinite="rollback")
    spoil = at_epoch(3, lambda: pinn.network.layers[-1].bias.assign([np.nan]))
    history = pinn.fit(POINTS, epochs=6, verbose=0, callbacks=[spoil]).history["loss"]
    assert len(history) == 6 and np.isfinite(history).all() and finite(pinn)
    assert history[-1] < history[2]
    if optimizer == "spring":
        assert float(pinn.optimizer.learning_rate) == pytest.approx(0.1)


def test_what_nonfinite_may_be():
    with pytest.raises(ValueError, match="nonfinite 'ignore' is unknown: expected one of 'raise'"):
        small_heat(nonfinite="ignore")
    with pytest.raises(ValueError, match=r"nonfinite array.* is unknown"):
        small_heat(nonfinite=np.ones(2))


# Callbacks of Keras ------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["arrays", "dataset"])
def test_terminate_on_nan_ends_fit(way):
    pinn = poisoned(4)
    points = tf.data.Dataset.from_tensors(POINTS).repeat() if way == "dataset" else POINTS
    callbacks = [keras.callbacks.TerminateOnNaN()]
    history = pinn.fit(points, epochs=9, steps_per_epoch=1, verbose=0, callbacks=callbacks)
    assert len(history.epoch) == 5 and finite(pinn)
    assert pinn.result.code == "nonfinite"
    with pytest.raises(RuntimeError, match="NaN"):
        error = keras.callbacks.TerminateOnNaN(raise_error=True)
        poisoned(1).fit(points, epochs=9, steps_per_epoch=1, verbose=0, callbacks=[error])


@pytest.mark.parametrize("nonfinite", ["raise", "stop"])
def test_no_file_has_weights_that_are_not_finite(tmp_path, nonfinite):
    pinn = small_heat(nonfinite=nonfinite)
    save = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True)
    spoil = at_epoch(3, lambda: pinn.network.layers[0].kernel.assign(np.full((2, 8), np.nan)))
    try:
        pinn.fit(POINTS, epochs=6, verbose=0, callbacks=[spoil, save])
    except kpinn.NonFiniteError:
        assert nonfinite == "raise"
    files = list(tmp_path.iterdir())
    assert len(files) == (3 if nonfinite == "raise" else 4)
    for file in files:
        pinn.load_weights(file)
        assert finite(pinn)


def test_weights_that_are_not_finite_at_the_start():
    pinn = small_heat()
    pinn.network.layers[0].kernel.assign(np.full((2, 8), np.nan))
    with pytest.raises(ValueError, match="is NaN or infinite at 64 of 64 points before the first"):
        pinn.fit(heat_points(), verbose=0)
    batches = ((heat_points(),) for _ in range(3))  # which cannot be read before
    with pytest.raises(kpinn.NonFiniteError, match="cannot start: the weights '.*kernel' are not"):
        pinn.fit(batches, steps_per_epoch=1, verbose=0)


# The cause in words ------------------------------------------------------------------------


def trained(condition, points, network=None, **arguments):
    keras.utils.set_random_seed(0)
    network = network or kpinn.networks.MLP(units=4, depth=1)
    pinn = kpinn.PINN(network, "x", "u", conditions=[condition])
    pinn.compile(arguments.pop("optimizer", "adam"), jit_compile=False, **arguments)
    pinn.fit(points, epochs=3, verbose=0)
    return pinn


X = {"x": np.linspace(0.0, 1.0, 5)}


class Root(kpinn.PINN):
    """Where `x` is zero the loss is finite, and its gradient zero times infinity."""

    def __init__(self, root):
        super().__init__(kpinn.networks.MLP(units=4, depth=1), "x", "u")
        self.root, self.a = root, self.unknown("a", 1.0)

    @kpinn.condition
    def law(self, x, u, a):
        return u - ops.where(x > 0, self.root(a * x), 0.0)


WHERE = (
    "gradient with respect to 'a' of condition 'law' is not finite, though the loss is.* double w"
)


@pytest.mark.parametrize(
    "optimizer",
    ["adam", kpinn.optimizers.LBFGS, kpinn.optimizers.LevenbergMarquardt, kpinn.optimizers.SPRING],
)
def test_the_branch_that_where_does_not_take(optimizer):
    pinn = Root(lambda v: v * ops.log(v))
    pinn.compile(optimizer if optimizer == "adam" else optimizer(), jit_compile=False)
    before = pinn.get_weights()
    with pytest.raises(kpinn.NonFiniteError, match=WHERE):
        pinn.fit(X, epochs=3, verbose=0)
    assert same(before, pinn.get_weights())
    assert pinn.result.code == "nonfinite" and np.isfinite(pinn.result.loss)


@pytest.mark.xla
def test_a_gradient_that_only_xla_has():
    pinn = Root(ops.sqrt)
    pinn.compile("adam", jit_compile=True)
    before = pinn.get_weights()
    with pytest.raises(kpinn.NonFiniteError, match=WHERE):
        pinn.fit(X, epochs=3, verbose=0)
    assert same(before, pinn.get_weights())


def test_a_layer_that_overflows():
    class Steep(keras.layers.Layer):
        def call(self, inputs):
            return ops.exp(80.0 * inputs)

    first = keras.layers.Dense(1, kernel_initializer="ones", name="first")
    network = keras.Sequential([keras.Input((1,)), first, Steep(name="steep")])

    def law(u):
        return ops.log(u)

    with pytest.raises(
        kpinn.NonFiniteError, match="'u' of condition 'law' .* Exp in layer 'steep'"
    ):
        trained(law, X, network, optimizer=keras.optimizers.SGD(-1.0))


def test_a_loss_that_overflows():
    def steep(u):
        return 1e15 * ops.exp(u)

    with pytest.raises(kpinn.NonFiniteError, match="norm|too large for float32"):
        trained(steep, X, optimizer=keras.optimizers.SGD(1e-40))


def test_an_update_that_is_not_finite():
    """Adam without epsilon divides zero by zero."""

    def nothing(u):
        return 0.0 * u

    with pytest.raises(kpinn.NonFiniteError, match="the weights '.*' are not finite .* an update"):
        trained(nothing, X, optimizer=keras.optimizers.Adam(epsilon=0.0))


def test_an_overflow_that_a_loss_scale_handles_is_none():
    keras.utils.set_random_seed(0)
    inner = keras.optimizers.SGD(1e-3)
    pinn = small_heat(keras.optimizers.LossScaleOptimizer(inner, initial_scale=3e38))
    history = pinn.fit(POINTS, epochs=3, verbose=0).history["loss"]
    assert np.isfinite(history).all()


def test_a_trial_point_that_is_not_finite_is_none():
    """The first steps try points beyond the logarithm's, as the shorter ones after them show."""

    def logarithm(u, u_x):
        return ops.log(u + 1.0) + 4.0

    for optimizer in (kpinn.optimizers.LBFGS(), kpinn.optimizers.LevenbergMarquardt()):
        pinn = trained(logarithm, X, optimizer=optimizer)
        assert pinn.result.evaluations > pinn.result.iterations + 1  # some were not accepted
        assert pinn.result.code == "iteration_limit"
        assert pinn.result.loss < pinn.history.history["loss"][0]
