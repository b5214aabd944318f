"""Checkpoints: trainings that are broken off and go on to the last bit, and files that are damaged.

The commands in `tests/reliability` do the same with processes that are killed, and at length.
"""

import collections
import os
import pathlib
import random
import shutil
import signal
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import kpinn
from kpinn.callbacks import Checkpoint
from kpinn.training.checkpoints import files, plain

sys.path.insert(0, str(pathlib.Path(__file__).parent / "reliability"))

import bit_flips
import disk_faults
import faults
import trainings

POINTS = {"t": np.linspace(0, 1, 12)}


class StopError(Exception):
    """The power is gone."""


class At(keras.callbacks.Callback):
    """Calls a function at the end of an epoch, before `Checkpoint` hears of it."""

    def __init__(self, epoch, act):
        super().__init__()
        self.epoch, self.act = epoch, act

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            self.act()


def stop():
    raise StopError


def decay(u, u_t):
    return u_t + u


def pinn_of(optimizer="adam", units=4, conditions=(decay,), activation="tanh", **options):
    network = kpinn.networks.MLP(units=units, depth=1, activation=activation)
    pinn = kpinn.PINN(network, "t", "u", conditions=conditions)
    pinn.compile(optimizer, **{"jit_compile": False} | options)
    return pinn


def fit(pinn, path, *callbacks, x=POINTS, epochs=6, **arguments):
    callbacks = [Checkpoint(path, every=2), *callbacks]
    return pinn.fit(x, epochs=epochs, verbose=0, callbacks=callbacks, **arguments)


def weights(pinn):
    return np.concatenate([np.ravel(variable) for variable in pinn.variables])


def names(path):
    return [name for each in files.listed(path).values() for name in each]


def newest(path):
    return files.read(path / names(path)[-1])


# Trainings that go on ------------------------------------------------------------------------


QUICK = (
    1,
    6,
    30,
    35,
    36,
    38,
)  # numbers of cases that are always run; see tests/test_curvature.py too


def marked(number):
    quick = number in QUICK
    return pytest.param(
        trainings.CASES[number],
        id=trainings.CASES[number].name,
        marks=[] if quick else [pytest.mark.slow],
    )


@pytest.mark.parametrize("case", [marked(number) for number in range(len(trainings.CASES))])
def test_a_training_goes_on_to_the_last_bit(case, tmp_path):
    unbroken = trainings.train(case, epochs=12)
    with pytest.raises(StopError):
        trainings.train(case, tmp_path, extra=[At(8, stop)], epochs=12)
    resumed = trainings.train(case, tmp_path, epochs=12)
    assert trainings.same(unbroken, resumed) == (True, True)


def script(path, *callbacks):
    """A script with two calls of `fit`; returns what it has printed, so to say."""
    keras.utils.set_random_seed(0)
    pinn, printed = pinn_of(), []
    for number, optimizer in enumerate([keras.optimizers.Adam(1e-2), keras.optimizers.SGD(0.1)]):
        pinn.compile(optimizer, jit_compile=False)
        history = fit(pinn, path, *(callbacks if number else ()))
        printed += [history.history["loss"], history.epoch, weights(pinn).tolist()]
        printed += [np.random.rand(), random.random(), float(keras.random.uniform(()))]
    return printed


def test_calls_of_fit_that_have_ended_return_at_once(tmp_path, monkeypatch):
    expected = script(tmp_path / "unbroken")
    with pytest.raises(StopError):
        script(tmp_path / "run", At(3, stop))
    assert script(tmp_path / "run") == expected
    with monkeypatch.context() as patch:
        patch.setattr("kpinn.training.epochs.compile_epochs", None)  # no step is made
        assert script(tmp_path / "run") == expected
    assert len(names(tmp_path / "run")) == 4  # two of each call


def test_a_call_goes_on_in_the_same_process(tmp_path):
    pinn = pinn_of()
    with pytest.raises(StopError):
        fit(pinn, tmp_path, At(3, stop))
    assert fit(pinn, tmp_path).epoch == [0, 1, 2, 3, 4, 5]
    assert fit(pinn, tmp_path).epoch == [0, 1, 2, 3, 4, 5]  # another one
    assert set(files.listed(tmp_path)) == {1, 2}


def test_more_epochs_than_before(tmp_path):
    def train(path, *epochs):
        for each in epochs:
            keras.utils.set_random_seed(0)
            stopping = keras.callbacks.EarlyStopping("loss", restore_best_weights=True, patience=9)
            pinn = pinn_of(keras.optimizers.SGD(0.5))
            fit(pinn, path, stopping, epochs=each)
        return weights(pinn)

    np.testing.assert_array_equal(train(tmp_path / "a", 3, 5, 9), train(tmp_path / "b", 9))


class Protocol(keras.callbacks.Callback):
    """A user's callback with a state of its own."""

    def __init__(self):
        super().__init__()
        self.hidden = iter(range(100))
        self.count = next(self.hidden)

    def on_epoch_end(self, epoch, logs=None):
        self.count = next(self.hidden)
        self.model.loss_weights["decay"].assign(1.0 + self.count)

    def get_state(self):
        return {"count": self.count}

    def set_state(self, state):
        self.count = state["count"]
        self.hidden = iter(range(self.count + 1, 100))


GENERATOR, SEEN = np.random.default_rng(0), []


class Remembering(keras.callbacks.Callback):
    """Remembers in attributes, objects, closures and globals."""

    def __init__(self):
        super().__init__()
        self.recent, self.variable = collections.deque(maxlen=2), tf.Variable(1.0)
        self.other = keras.metrics.Sum()
        self.generators = [np.random.default_rng(1), random.Random(2)]

    def on_epoch_end(self, epoch, logs=None):
        SEEN.append(logs["loss"])
        self.recent.append(self.generators[0].random() + self.generators[1].random())
        self.variable.assign_add(GENERATOR.random() + len(SEEN))
        self.other.update_state(sum(self.recent))
        self.model.note = getattr(self.model, "note", 0) + 1
        total = float(self.variable) + float(self.other.result()) + self.model.note
        self.model.loss_weights["decay"].assign(total)


@pytest.mark.parametrize("kind", [Protocol, Remembering])
def test_own_callbacks_go_on(kind, tmp_path):
    def train(path, *callbacks):
        keras.utils.set_random_seed(0)
        SEEN.clear()
        GENERATOR.bit_generator.state = np.random.default_rng(0).bit_generator.state
        pinn = pinn_of()
        fit(pinn, path, kind(), *callbacks)
        return [*weights(pinn), float(pinn.loss_weights["decay"]), *SEEN]

    expected = train(tmp_path / "unbroken")
    with pytest.raises(StopError):
        train(tmp_path / "run", At(3, stop))
    assert train(tmp_path / "run") == expected


def test_what_cannot_be_saved_is_said(tmp_path):
    class Reading(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.lines = iter(range(9))

    with pytest.warns(UserWarning, match="Reading.lines is an iterator.*get_state"):
        fit(pinn_of(), tmp_path, Reading())

    class Odd(Protocol):
        def get_state(self):
            return {"model": self.model}

    with pytest.raises(TypeError, match="get_state of Odd returns no plain data"):
        fit(pinn_of(), tmp_path / "odd", Odd())


def test_arguments_of_callbacks_are_those_of_the_script(tmp_path):
    with pytest.raises(StopError):
        fit(pinn_of(), tmp_path, keras.callbacks.EarlyStopping("loss", patience=50), At(3, stop))
    stopping = keras.callbacks.EarlyStopping("loss", patience=40)
    fit(pinn_of(), tmp_path, stopping)
    assert stopping.patience == 40


@pytest.mark.parametrize("is_stream", [False, True])
def test_other_points_are_told_of(is_stream, tmp_path):
    def points(seed):
        t = np.random.default_rng(seed).random((12, 1)).astype("float32")
        return tf.data.Dataset.from_tensors({"decay": {"t": t}}) if is_stream else {"t": t}

    with pytest.raises(StopError):
        fit(pinn_of(), tmp_path, At(3, stop), x=points(0))
    what = "begins with other points" if is_stream else "is given other points than before"
    pinn = pinn_of()
    with pytest.warns(UserWarning, match=what):
        fit(pinn, tmp_path, x=points(1))
    if not is_stream:
        np.testing.assert_array_equal(pinn.training_points["t"], points(0)["t"])


def test_minimizers_of_scipy_begin_anew_and_say_so(tmp_path):
    def train(*callbacks):
        pinn = pinn_of(kpinn.optimizers.ScipyMinimize())
        return fit(pinn, tmp_path, *callbacks), pinn.optimizer.result

    with pytest.raises(StopError):
        train(At(3, stop))
    with pytest.warns(UserWarning, match="ScipyMinimize begins anew at epoch 2.*LBFGS and BFGS"):
        history, result = train()
    assert history.epoch == [0, 1, 2, 3, 4, 5]
    again, restored = train()
    assert again.history == history.history
    assert restored.message == result.message


# Other trainings -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory):
    """The folder of a training that was broken off after three epochs."""
    path = tmp_path_factory.mktemp("broken_off")
    with pytest.raises(StopError):
        fit(pinn_of(), path, At(3, stop))
    return path


def slower(u, u_t):
    return u_t + 0.5 * u


slower.__name__ = "decay"


def further(u):
    return u - 1.0


@pytest.mark.parametrize(
    ("options", "arguments", "message"),
    [
        ({"units": 5}, {}, r"variables was .*network.*units was 4 and is 5"),
        ({"activation": "gelu"}, {}, 'activation was "tanh" and is "gelu"'),
        ({"optimizer": "sgd"}, {}, 'optimizer was .*"Adam".* and is .*"SGD"'),
        ({"optimizer": keras.optimizers.Adam(0.5)}, {}, "learning_rate was 0.001.* and is 0.5"),
        ({"optimizer": kpinn.optimizers.LBFGS()}, {}, 'is {"class": "LBFGS"'),
        ({"conditions": [decay, further]}, {}, "conditions was .*further"),
        ({"conditions": [slower]}, {}, "residuals at given weights.decay was"),
        ({"loss": "mae"}, {}, 'loss.decay.class was "mean_squared_error" and is "mean_abs'),
        ({"loss_weights": {"decay": 3.0}}, {}, "loss_weights.decay was 1.0 and is 3.0"),
        ({}, {"batch_size": 5}, "schedule.batch_size was null and is 5"),
        ({}, {"x": {"t": np.linspace(0, 1, 7)}}, "points.points.t was .12, 1. and is .7, 1."),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(
    broken_off, options, arguments, message, tmp_path
):
    shutil.copytree(broken_off, tmp_path, dirs_exist_ok=True)
    before, pinn = names(tmp_path), pinn_of(**options)
    start = weights(pinn)
    with pytest.raises(ValueError, match=f"of another training: .*{message}.*another path"):
        fit(pinn, tmp_path, **arguments)
    np.testing.assert_array_equal(weights(pinn), start)
    assert names(tmp_path) == before


def test_a_call_that_others_went_on_from_does_not_change(tmp_path):
    pinn = pinn_of()
    fit(pinn, tmp_path)
    fit(pinn, tmp_path)
    with pytest.raises(ValueError, match="had epochs=6.*cannot have epochs=8"):
        fit(pinn_of(), tmp_path, epochs=8)
    for name in files.listed(tmp_path)[1]:
        files.remove(tmp_path, name)
    with pytest.raises(ValueError, match="no checkpoint of the call 1 of fit.*the call 2"):
        fit(pinn_of(), tmp_path)


def test_arguments_are_checked():
    for path in (None, "", 3):
        with pytest.raises(ValueError, match="path is the name of a folder, not"):
            Checkpoint(path)
    with pytest.raises(ValueError, match="every is a positive whole number, not 0"):
        Checkpoint("run", every=0)
    with pytest.raises(ValueError, match="keep is a whole number of at least 2, not 1"):
        Checkpoint("run", keep=1)


def test_one_checkpoint_of_a_pinn(tmp_path):
    with pytest.raises(ValueError, match="there are 2 Checkpoints"):
        fit(pinn_of(), tmp_path, Checkpoint(tmp_path / "other"))
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="Checkpoint is for kpinn.PINN.fit"):
        model.fit(np.ones((3, 1)), np.ones(3), verbose=0, callbacks=[Checkpoint(tmp_path)])


def test_one_process_at_a_time(tmp_path):
    with files.locked(tmp_path), pytest.raises(ValueError, match="another training writes"):
        fit(pinn_of(), tmp_path)


def test_a_checkpoint_does_not_change_a_training(tmp_path):
    def train(*callbacks):
        keras.utils.set_random_seed(0)
        pinn = pinn_of()
        pinn.fit(POINTS, epochs=70, batch_size=5, verbose=0, callbacks=callbacks)
        return [*weights(pinn), np.random.rand()], pinn.history.history

    assert train(Checkpoint(tmp_path, every=9)) == train()


def test_epochs_between_checkpoints_are_one_call(tmp_path, monkeypatch):
    monkeypatch.setattr("kpinn.training.epochs.BLOCK_SECONDS", 100.0)
    pinn, epochs = pinn_of(), []
    write = files.write
    monkeypatch.setattr(files, "write", lambda *args: (epochs.append(args[1]), write(*args)))
    calls = []
    once = type(pinn._state.compiled).once
    monkeypatch.setattr(
        type(pinn._state.compiled), "once", lambda *args: (calls.append(1), once(*args))[1]
    )
    checkpoint = Checkpoint(tmp_path, every=20)
    pinn.fit(POINTS, epochs=60, verbose=0, callbacks=[checkpoint])
    assert [int(name.rpartition("-")[2]) for name in epochs] == [0, 20, 40, 60]
    assert len(calls) < 15


# Files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        None,
        [True, 3, -(2**80), 0.1, float("nan"), float("-inf"), "text", b"\x00\xff", 1 + 2j],
        {"a": (1, (2.5, [3])), 4: {5, 6}, ("b", 7): frozenset({"c"}), "$array": 8},
        [0.1 * i for i in range(50)],
        tuple(range(50)),
        collections.deque([1, 2, 3], maxlen=4),
        np.arange(6.0).reshape(2, 3),
        np.float32(0.1),
        np.array([], np.int8),
        keras.ops.less,
    ],
)
def test_plain_data_is_what_it_was(value):
    arrays = []
    found = plain.decode(plain.encode(value, arrays), arrays)
    assert type(found) is type(value)
    np.testing.assert_equal(found, value)


def test_tensors_are_plain_data():
    for dtype in ("float64", "bfloat16", "int32", "bool"):
        tensor, arrays = tf.cast([[0, 1, 3]], dtype), []
        found = plain.decode(plain.encode(tensor, arrays), arrays)
        assert found.dtype == tensor.dtype
        assert np.array_equal(found, tensor)


@pytest.mark.parametrize("value", [object(), len, [iter(())], {"a": pinn_of}, np.array([None])])
def test_other_objects_are_no_plain_data(value):
    with pytest.raises(plain.NotPlainError):
        plain.encode(value, [])


def test_damage_of_a_checkpoint_is_detected():
    counts = bit_flips.run(500, on_the_disk=50)
    assert {kind: missed for kind, (_, missed) in counts.items()} == dict.fromkeys(counts, 0)
    assert counts["flip"][0] > 300
    assert counts["truncation"][0] > 50


def test_a_death_at_any_call_of_a_save_leaves_a_checkpoint():
    calls = faults.count_calls()
    found = [faults.after_death_at(n, half) for n in range(calls) for half in (False, True)]
    assert set(found) == {"old", "new"}


def test_damaged_checkpoints_are_passed_over(tmp_path):
    expected = (fit(pinn_of(), tmp_path), weights(pinn_of()))
    first, last = names(tmp_path)
    (tmp_path / last / files.ARRAYS).write_bytes(b"")
    (tmp_path / ".000009-fit-1-epoch-9.0a1b2c3d.partial").mkdir()
    with pytest.warns(UserWarning, match=f"{last}: arrays.npz has 0 bytes.*goes on from {first}"):
        history = fit(pinn_of(), tmp_path)
    assert history.history == expected[0].history
    assert last not in names(tmp_path)  # it is removed when there are two others
    assert not list(tmp_path.glob(".*"))
    for name in names(tmp_path):
        (tmp_path / name / files.MANIFEST).unlink()
    with pytest.raises(ValueError, match=r"no checkpoint in .* can be read \(.*No such file"):
        fit(pinn_of(), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("optimizer"),
        lambda content: content.update(variables=content["variables"][1:]),
        lambda content: content.update(variables=[np.zeros(3)] * len(content["variables"])),
        lambda content: content.update(points={"places": [{"t": 7}], "arrays": []}),
        lambda content: content.update(stage=9),
    ],
)
def test_a_checkpoint_that_was_made_up_is_refused(change, broken_off, tmp_path):
    state = newest(broken_off)
    change(state["content"])
    files.write(tmp_path, "000001-fit-1-epoch-2", files.pack(state))
    with pytest.raises(ValueError, match="000001-fit-1-epoch-2' cannot be put back"):
        fit(pinn_of(), tmp_path)


def test_what_is_no_attribute_of_a_callback_is_not_set(broken_off, tmp_path):
    state, pinn = newest(broken_off), pinn_of()
    hostile = {"model.__class__": 3, "model._state": 4, "History._model.name": "x", "History.a": 5}
    state["content"]["memory"].update(hostile)
    files.write(tmp_path, "000001-fit-1-epoch-2", files.pack(state))
    with pytest.warns(UserWarning) as told:
        fit(pinn, tmp_path)
    said = " ".join(str(each.message) for each in told)
    assert all(name in said for name in ("model.__class__", "model._state"))
    assert pinn.history.a == 5
    assert pinn.name != "x"


@pytest.mark.parametrize("cause", ["ENOSPC", "EROFS"])
def test_a_disk_that_refuses(cause):
    assert disk_faults.outcome(disk_faults.Refusing(2, 4, cause)) == "good"


def test_a_place_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    pinn = pinn_of()
    start = weights(pinn)
    with pytest.raises(OSError, match="cannot be read.*file/run"):
        fit(pinn, tmp_path / "file" / "run")
    np.testing.assert_array_equal(weights(pinn), start)


def test_what_is_not_finite_is_not_written(tmp_path):
    pinn = pinn_of(keras.optimizers.SGD(0.0))
    bias = pinn.network.layers[-1].bias
    spoil = At(3, lambda: bias.assign([np.nan]))
    told = pytest.warns(UserWarning, match="bias is not finite at the end of epoch 4.*not written")
    with told, pytest.raises(FloatingPointError):
        fit(pinn, tmp_path, spoil)
    assert newest(tmp_path)["epoch"] == 2


# Signals -------------------------------------------------------------------------------------


def send(number):
    return lambda: os.kill(os.getpid(), number)


def test_sigterm_saves_and_leaves(tmp_path):
    pinn, before = pinn_of(), signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as left:
        fit(pinn, tmp_path, At(2, send(signal.SIGTERM)))
    assert left.value.code == 143
    assert newest(tmp_path)["epoch"] == 3
    assert signal.getsignal(signal.SIGTERM) == before
    for found, variable in zip(
        newest(tmp_path)["content"]["variables"], pinn.variables, strict=True
    ):
        np.testing.assert_array_equal(found, variable)


def test_ctrl_c_saves_and_leaves(tmp_path, interrupts):
    with pytest.raises(KeyboardInterrupt):
        fit(pinn_of(), tmp_path, At(2, send(signal.SIGINT)))
    assert newest(tmp_path)["epoch"] == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_at_the_end_of_a_stage_is_not_lost(tmp_path):
    stages = [(keras.optimizers.SGD(0.1), 3), (keras.optimizers.SGD(0.2), 3)]
    with pytest.raises(SystemExit):
        fit(pinn_of(kpinn.optimizers.Sequence(stages)), tmp_path, At(2, send(signal.SIGTERM)))
    assert newest(tmp_path)["epoch"] == 4
    with pytest.raises(SystemExit):
        fit(pinn_of(), tmp_path / "last", At(5, send(signal.SIGTERM)))
    assert newest(tmp_path / "last")["is_finished"]


def test_a_handler_of_the_program_is_called(tmp_path):
    called = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: called.append(number))
    try:
        history = fit(pinn_of(), tmp_path, At(2, send(signal.SIGTERM)))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert called == [signal.SIGTERM]
    assert len(history.epoch) == 6
