"""Several processes that train one model: as one does, and with files of the chief alone."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import heat_points, small_heat

import kpinn
from kpinn.training.workers import exchange, launcher

LAUNCHER = [sys.executable, "-P", launcher.__file__]
PRIVATE = "--private-network"

# Who is who ----------------------------------------------------------------------------------


class Placed(tf.distribute.MultiWorkerMirroredStrategy):
    """Says where it is in a cluster, without one."""

    def __init__(self, cluster, job, index):
        spec = tf.train.ClusterSpec(cluster)
        kind = tf.distribute.cluster_resolver.SimpleClusterResolver
        self.resolver = kind(spec, task_type=job, task_id=index)

    cluster_resolver = property(lambda self: self.resolver)


@pytest.mark.parametrize(
    ("cluster", "job", "index", "expected"),
    [
        ({"worker": ["a:1", "b:2"]}, "worker", 1, (1, 2)),
        ({"chief": ["a:1"], "worker": ["b:2", "c:3"]}, "chief", 0, (0, 3)),
        ({"chief": ["a:1"], "worker": ["b:2", "c:3"]}, "worker", 0, (1, 3)),
        ({"worker": ["a:1"]}, "worker", 0, (0, 1)),
        ({}, None, None, (0, 1)),
    ],
)
def test_numbers_of_workers(cluster, job, index, expected):
    strategy = Placed(cluster, job, index)
    assert exchange.worker_of(strategy) == expected
    assert exchange.is_chief(strategy) == (expected[0] == 0)


def test_other_strategies_have_one_worker():
    assert exchange.worker_of(tf.distribute.get_strategy()) == (0, 1)
    assert exchange.told(tf.distribute.get_strategy(), lambda: "what it is") == "what it is"


def test_what_is_told_arrives_as_it_was():
    value = {"a": np.arange(3.0), "b": [None, (1, 2.5), "text", float("inf")], "c": b"\x00\xff"}
    found = exchange.unpacked(exchange.packed(value))
    np.testing.assert_array_equal(found.pop("a"), value.pop("a"))
    assert found == value


# Training ------------------------------------------------------------------------------------

TWO_WORKERS = """
import os, signal, sys, time
import keras, numpy as np, tensorflow as tf
from problems import heat_points, small_heat
import kpinn

folder = sys.argv[1]
kpinn.set_float64()
strategy = tf.distribute.MultiWorkerMirroredStrategy()
number, written = strategy.cluster_resolver.task_id, []

def watch(event, arguments):
    if event == "open" and folder in str(arguments[0]) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        written.append(arguments)
    if event in ("os.mkdir", "os.rename", "os.remove") and folder in str(arguments[0]):
        written.append((event, arguments))

sys.addaudithook(watch)

def made(optimizer, **options):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        return small_heat(optimizer(**options))

pinn = made(keras.optimizers.SGD, learning_rate=0.1)
callbacks = [
    kpinn.callbacks.Checkpoint(f"{folder}/run", every=10),
    keras.callbacks.CSVLogger(f"{folder}/log.csv"),
    keras.callbacks.ModelCheckpoint(f"{folder}/best.keras"),
]
logs = pinn.fit(heat_points(25, 7), epochs=20, callbacks=callbacks, verbose=2).history
pinn.save(f"{folder}/model.keras")
pinn.save_weights(f"{folder}/model.weights.h5")
pinn.export(f"{folder}/export")
assert bool(written) == (number == 0), written
if number == 0:
    np.savez(f"{folder}/result.npz", *pinn.get_weights(), loss=logs["loss"])

second = made(kpinn.optimizers.LBFGS)
second.fit(heat_points(25, 7), epochs=6, verbose=0)
if number == 0:
    np.savez(f"{folder}/second.npz", loss=second.history.history["loss"])

def refused(what, *arguments):
    try:
        pinn.fit(*arguments, verbose=0)
    except ValueError as error:
        assert what in str(error), error
    else:
        raise AssertionError(what)

refused("worker 1 was given other points than worker 0", heat_points(25 + number, 7))

with strategy.scope():
    plain = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    plain.compile("sgd", loss="mse")
try:
    plain.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=1, verbose=0)
except Exception as error:
    print("Keras fails:", str(error).splitlines()[0], flush=True)
else:
    print("Keras trains by itself", flush=True)
if number == 1:
    os.kill(os.getpid(), signal.SIGKILL)
pinn.fit(heat_points(25, 7), epochs=1, verbose=0)
"""


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    """The folder that two workers have trained into, their output and the exit status."""
    folder = tmp_path_factory.mktemp("workers")
    (folder / "script.py").write_text(TWO_WORKERS, encoding="utf8")
    output = tmp_path_factory.mktemp("output")
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    command = [*LAUNCHER, "--workers", "2", PRIVATE, str(folder / "script.py"), str(output)]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True
    )
    return output, done


def test_two_workers_train_as_one_device(two_workers):
    folder, done = two_workers
    kpinn.set_float64()
    sgd, lbfgs = keras.optimizers.SGD(0.1), kpinn.optimizers.LBFGS()
    for name, optimizer, epochs in (("result", sgd, 20), ("second", lbfgs, 6)):
        keras.utils.set_random_seed(0)
        pinn = small_heat(optimizer)
        loss = pinn.fit(heat_points(25, 7), epochs=epochs, verbose=0).history["loss"]
        assert (folder / f"{name}.npz").exists(), done.stderr
        with np.load(folder / f"{name}.npz") as found:
            np.testing.assert_allclose(found["loss"], loss, rtol=1e-13 if epochs == 20 else 1e-10)
            for key in set(found.files) - {"loss"}:
                expected = pinn.get_weights()[int(key.removeprefix("arr_"))]
                np.testing.assert_allclose(found[key], expected, rtol=0.0, atol=1e-13)


def test_only_the_chief_writes_and_shows_the_progress(two_workers):
    folder, done = two_workers
    names = {path.name for path in folder.iterdir()}
    assert names == {
        *("run", "log.csv", "best.keras", "model.keras", "model.weights.h5", "export"),
        *("result.npz", "second.npz"),
    }
    assert [name for name in os.listdir(folder / "run") if name.startswith(".")] == []
    shown = [line for line in done.stdout.splitlines() if "Epoch 20/20" in line]
    assert len(shown) == 1 and shown[0].startswith("[worker 0]")


def test_a_checkpoint_of_two_workers_goes_on_on_one_device(two_workers, tmp_path):
    folder, _ = two_workers
    kpinn.set_float64()
    keras.utils.set_random_seed(0)
    pinn = small_heat(keras.optimizers.SGD(0.1))
    checkpoint = kpinn.callbacks.Checkpoint(folder / "run", every=10)
    others = [keras.callbacks.ModelCheckpoint(tmp_path / "best.keras")]  # of which it remembers
    pinn.fit(heat_points(25, 7), epochs=20, callbacks=[checkpoint, *others], verbose=0)
    with np.load(folder / "result.npz") as found:  # it had ended, so that nothing is computed
        for number, weight in enumerate(pinn.get_weights()):
            np.testing.assert_array_equal(weight, found[f"arr_{number}"])


def test_a_killed_worker_ends_the_other(two_workers):
    _, done = two_workers
    assert done.returncode == 70
    assert "kpinn: worker 1 was killed by signal 9; the other workers are ended." in done.stderr


def test_keras_does_not_train_with_several_workers_by_itself(two_workers):
    """If this fails, Keras has been mended: `kpinn/training/workers/keras_loop.py` can go."""
    _, done = two_workers
    assert "Keras trains by itself" not in done.stdout
    for number in (0, 1):
        assert f"[worker {number}] Keras fails:" in done.stdout


REPLICAS = """
import contextlib, sys
import keras, numpy as np, tensorflow as tf
from problems import BOX, heat_points, small_heat
import kpinn

four = [tf.config.LogicalDeviceConfiguration()] * 4
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], four)
kpinn.set_float64()

def dataset():
    return tf.data.Dataset.from_tensor_slices(BOX.sample(36, seed=0)).shuffle(36, seed=1).batch(9)

def trained(count, epochs, callbacks=(), points=None):
    devices = [f"/cpu:{number}" for number in range(count)]
    scope = tf.distribute.MirroredStrategy(devices).scope() if count > 1 else tf.name_scope("one")
    keras.utils.set_random_seed(0)
    with scope:
        pinn = small_heat(keras.optimizers.SGD(0.05, momentum=0.9))
        weights = pinn.get_weights()
        pinn.set_weights([0.1 * np.cos(np.arange(w.size)).reshape(w.shape) for w in weights])
    points = heat_points(25, 7) if points is None else points
    pinn.fit(points, epochs=epochs, callbacks=list(callbacks), verbose=0)
    return pinn.get_weights()

for epochs, count in enumerate((1, 2, 4, 2, 1), 1):
    found = trained(count, 5 * epochs, [kpinn.callbacks.Checkpoint(sys.argv[1], every=1)])
for weight, expected in zip(found, trained(1, 25), strict=True):
    np.testing.assert_allclose(weight, expected, rtol=1e-12, atol=1e-14)

for epochs in (3, 6, 9):
    checkpoint = kpinn.callbacks.Checkpoint(sys.argv[1] + " of batches", every=1)
    found = trained(2, epochs, [checkpoint], dataset())
for weight, expected in zip(found, trained(2, 9, points=dataset()), strict=True):
    np.testing.assert_array_equal(weight, expected)
"""


KINDS = """
import contextlib, os, sys
import keras, numpy as np, tensorflow as tf
from problems import BOX, heat_points, small_heat
import kpinn
from kpinn import optimizers

kpinn.set_float64()
several = "TF_CONFIG" in os.environ
strategy = tf.distribute.MultiWorkerMirroredStrategy() if several else None

def own_step(self, batch):
    return kpinn.PINN.train_step(self, batch)

def sgd():
    return keras.optimizers.SGD(0.05, momentum=0.9)

def sequence():
    return optimizers.Sequence([(keras.optimizers.Adam(1e-2), 2), (optimizers.BFGS(), 4)])

def drawn(seed):
    return {"heat": BOX.sample(50, seed=seed)}

def dataset():
    return tf.data.Dataset.from_tensors(heat_points(24, 8)).repeat(2)

callbacks = [
    lambda: kpinn.callbacks.ResidualSampling(drawn, every=2),
    lambda: kpinn.callbacks.LossBalancing(every=2),
]
cases = {
    "mini-batches": (sgd, lambda: heat_points(25, 7), {"batch_size": 4}),
    "callbacks": (sgd, lambda: heat_points(25, 7), {"callbacks": callbacks}),
    "validation": (sgd, lambda: heat_points(25, 7), {"validation_data": heat_points(9, 5)}),
    "dataset": (sgd, dataset, {}),
    "sequence": (sequence, lambda: heat_points(25, 7), {}),
    "ssbroyden": (optimizers.SSBroyden, lambda: heat_points(25, 7), {}),
    "lm": (optimizers.LevenbergMarquardt, lambda: heat_points(25, 7), {}),
    "scipy": (lambda: optimizers.ScipyMinimize("L-BFGS-B"), lambda: heat_points(25, 7), {}),
    "own step": (sgd, lambda: heat_points(24, 8), {}),
    "own step, dataset": (sgd, dataset, {}),
}
found = {}
for name, (optimizer, points, settings) in cases.items():
    keras.utils.set_random_seed(0)
    settings = settings | {"callbacks": [make() for make in settings.get("callbacks", ())]}
    with strategy.scope() if several else contextlib.nullcontext():
        pinn = small_heat(optimizer())
        if name.startswith("own"):
            pinn = type("Own", (type(pinn),), {"train_step": own_step})(pinn.network)
            pinn.compile(optimizer(), jit_compile=False)
        weights = pinn.get_weights()
        pinn.set_weights([0.5 * np.cos(np.arange(w.size)).reshape(w.shape) for w in weights])
    history = pinn.fit(points(), epochs=6, verbose=0, **settings).history
    found |= {f"{name}: {key}": values for key, values in history.items()}
    found |= {f"{name}: weight {n}": w for n, w in enumerate(pinn.get_weights())}
    found[f"{name}: evaluate"] = pinn.evaluate(heat_points(8, 4), verbose=0)
    print(name, flush=True)
if not several or strategy.cluster_resolver.task_id == 0:
    np.savez(sys.argv[1], **found)
"""


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_workers_train_as_one_device_in_every_way(count, tmp_path):
    (tmp_path / "script.py").write_text(KINDS, encoding="utf8")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)
    }
    script, one, several = (str(tmp_path / name) for name in ("script.py", "one.npz", "more.npz"))
    for command in (
        [sys.executable, script, one],
        [*LAUNCHER, "--workers", str(count), PRIVATE, script, several],
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    with np.load(one) as expected, np.load(several) as found:
        assert expected.files == found.files
        for name in expected.files:
            np.testing.assert_allclose(
                found[name], expected[name], rtol=1e-9, atol=1e-10, err_msg=name
            )


@pytest.mark.slow
def test_checkpoints_go_between_numbers_of_replicas(tmp_path):
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    command = [sys.executable, "-c", REPLICAS, str(tmp_path / "run")]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
