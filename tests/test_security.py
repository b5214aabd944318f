"""Files from elsewhere: what is loaded, what is refused, and what the package never does."""

import ast
import copy
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hostile import FILES
from problems import Heat, heat_points, small_heat
from reliability import config_fuzz
from reliability.hostile_files import fault

import kpinn
from kpinn.backend import check_keras, keras_private
from kpinn.options.configs import check_tree
from kpinn.serving import folders, limits
from kpinn.serving.operations import ALLOWED
from kpinn.serving.tensorflow_private import parse_saved_model

PACKAGE = pathlib.Path(kpinn.__file__).parent
TESTS = pathlib.Path(__file__).parent
MODULES = {
    "cloudpickle", "code", "ctypes", "dill", "ftplib", "http", "importlib", "joblib", "marshal",
    "multiprocessing", "pickle", "requests", "runpy", "shelve", "socket", "subprocess", "sympy",
    "urllib", "yaml", "zipimport",
}  # fmt: skip
CALLS = {"__import__", "eval", "exec", "parse_expr", "sympify", "lambdify"}
ATTRIBUTES = {
    "enable_unsafe_deserialization", "func_load", "get_file", "import_module", "popen",
    "system", "unsafe_load",
}  # fmt: skip
SAFE = {"allow_pickle": "False", "safe_mode": "True"}
WHITELIST = {  # what the user names on the command line is imported: python -m kpinn check m:model
    ("__main__.py", "importlib"),
    ("__main__.py", "import_module"),
    # or run in several processes: python -m kpinn workers script.py
    ("training/workers/launcher.py", "ctypes"),
    ("training/workers/launcher.py", "socket"),
    ("training/workers/launcher.py", "subprocess"),
}


# The package ---------------------------------------------------------------------------------


def forbidden(tree):
    """What of a module runs the code of others, or goes to the network."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            yield from (name for name in names if name.split(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").split(".")[0] in MODULES:
                yield node.module
            yield from (a.name for a in node.names if a.name in ATTRIBUTES)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "compile":
            yield "compile"
        elif isinstance(node, ast.Name) and node.id in CALLS:
            yield node.id
        elif isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES:
            yield node.attr
        elif isinstance(node, ast.keyword) and node.arg in SAFE:
            if ast.unparse(node.value) != SAFE[node.arg]:
                yield node.arg


def test_the_package_runs_no_code_of_others():
    found = {
        (str(path.relative_to(PACKAGE)), name)
        for path in PACKAGE.rglob("*.py")
        for name in forbidden(ast.parse(path.read_text(encoding="utf8")))
    }
    assert found == WHITELIST


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from marshal import loads",
        "import urllib.request",
        "eval('1')",
        "f = exec",
        "compile(x, '', 'exec')",
        "importlib.import_module(x)",
        "np.load(x, allow_pickle=True)",
        "load_model(x, safe_mode=False)",
        "keras.config.enable_unsafe_deserialization()",
        "from keras.utils import get_file",
        "os.system(x)",
    ],
)
def test_what_is_forbidden_is_seen(line):
    assert list(forbidden(ast.parse(line)))


def in_a_fresh_process(program, *arguments, folder=TESTS.parent):
    """What a program prints in a new interpreter, which finds kpinn and this folder."""
    header = f"import sys; sys.path[:0] = [{str(TESTS.parent)!r}, {str(TESTS)!r}]\n"
    command = [sys.executable, "-c", header + program, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_nothing_goes_to_the_network(tmp_path):
    program = """
import sys
seen = []
sys.addaudithook(lambda event, arguments: seen.append(event) if "socket" in event else None)
import keras
assert set(seen) <= {"socket.__new__", "socket.bind"}, seen  # urllib3 asks whether there is IPv6
seen.clear()
import kpinn, problems
pinn = problems.small_heat()
pinn.fit(problems.heat_points(), epochs=2, verbose=0)
pinn.save("heat.keras")
pinn.save_weights("heat.weights.h5")
keras.saving.load_model("heat.keras").load_weights("heat.weights.h5")
kpinn.load_model("heat.keras").evaluate(problems.heat_points(), verbose=0)
kpinn.load_export("heat", pinn.export("heat"))
assert not seen, seen
print("done")
"""
    assert "done" in in_a_fresh_process(program, folder=tmp_path)


def test_an_old_keras_is_refused():
    check_keras("3.15.1")
    check_keras("3.16.0.dev2")
    check_keras("4.0")
    for version in ("3.15.0", "3.9.2", "2.15.0"):
        with pytest.raises(ImportError, match="needs Keras 3.15.1 or later, but .* may run code"):
            check_keras(version)


# Hostile files -------------------------------------------------------------------------------


def test_hostile_files_are_refused(tmp_path):
    """All of them, in a process of their own: nothing runs, is read elsewhere, or takes long."""
    program = "import sys; from reliability.hostile_files import main; sys.exit(main())"
    path = tmp_path / "rows.json"
    in_a_fresh_process(program, "--json", str(path))
    rows = json.loads(path.read_text())
    assert not [(row["name"], fault(row)) for row in rows if fault(row)]
    assert len({row["name"] for row in rows}) == len({file.name for file in FILES}) >= 60
    of_files = {file.stands_for for file in FILES}
    assert len([name for name in of_files if name.startswith("CVE-")]) >= 12


def test_random_configs_are_loaded_or_refused():
    counts, longest, faults = config_fuzz.run(400, seed=0, slowly=0.1)
    assert not faults
    assert counts["PINN"]["accepted"] and counts["PINN"]["refused"]
    assert max(longest.values()) < config_fuzz.LONGEST


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"scales": {"x": float("nan")}},
            "kpinn>PINN.*entry 'scales.x' is a positive number, not nan",
        ),
        ({"scales": {"y": 1.0}}, "entry 'scales' names 'y', which is none of the coordinates x"),
        ({"method": kpinn.Taylor}, "entry 'method'"),
        ({"coordinates": 3}, "coordinates are names such as 't x', not 3"),
        ({"wrong": 3}, "wrong"),
        ({"network": "mlp"}, "network is 'mlp': expected a Keras model"),
        (
            {"unknowns": [{"name": "a b", "initial": 1.0, "positive": False}]},
            "unknown 'a b': its name",
        ),
        (
            {"conditions": [{"class_name": "function", "module": "keras.ops", "config": "sin"}]},
            "sin",
        ),
        ({"allow_mixed_precision": "no"}, "allow_mixed_precision is True or False, not 'no'"),
    ],
)
def test_the_entry_is_named(config, message):
    good = config_fuzz.objects()["PINN"].get_config() | {"coordinates": "x"}
    good["conditions"] = [keras.saving.serialize_keras_object(growth)]
    with pytest.raises(ValueError, match=message):
        kpinn.PINN.from_config(good | config)
    assert kpinn.PINN.from_config(good)


@pytest.mark.parametrize(
    ("made", "entry", "value", "message"),
    [
        (
            kpinn.Taylor(),
            "strict",
            "x",
            "config of 'kpinn>Taylor': strict is True or False, not 'x'",
        ),
        (
            kpinn.Stochastic(),
            "seed",
            0.5,
            "'kpinn>Stochastic': seed is zero or a positive whole number, not 0.5",
        ),
        (
            kpinn.optimizers.SPRING(),
            "damping",
            float("inf"),
            "'kpinn>SPRING': damping is a positive number, not inf",
        ),
        (kpinn.optimizers.LBFGS(), "name", 3, "'kpinn>LBFGS': Argument `name` must be a string"),
        (kpinn.losses.Mean(), "code", "x", "'kpinn>Mean': 'code' is no entry: expected some of"),
        (kpinn.layers.Rescale(0.0, 1.0), "dtype", "string", "Rescale.*entry dtype is 'string'"),
        (kpinn.layers.PeriodicEmbedding([1.0]), "harmonics", 1e9, "harmonics.*at most 10000"),
        (kpinn.layers.FactorizedDense(2), "units", 10**12, "units.*at most 10000000"),
    ],
)
def test_the_class_and_the_entry_are_named(made, entry, value, message):
    config = keras.saving.serialize_keras_object(made)
    config["config"][entry] = value
    with pytest.raises(ValueError, match=message):
        keras.saving.deserialize_keras_object(config)


def test_the_memory_of_a_file_is_limited():
    layers = [keras.layers.Dense(10_000, dtype="float32") for _ in range(2)]
    network = keras.Sequential([keras.Input((1,)), *layers, keras.layers.Dense(1)])
    config = keras.saving.serialize_keras_object(network)
    config["config"]["layers"][2]["config"]["units"] = 9_000_000
    with pytest.raises(ValueError, match="variables or values take .* bytes.*kpinn.load_model"):
        with limits.limited_variables(limits.WEIGHTS):
            keras.saving.deserialize_keras_object(config)


def test_good_files_are_loaded_by_both(tmp_path):
    pinn = small_heat()
    pinn.unknown("k", 0.5) if not pinn.optimizer.built else None
    pinn.fit(heat_points(), epochs=2, verbose=0)
    pinn.save(tmp_path / "heat.keras")
    for load in (keras.saving.load_model, kpinn.load_model):
        again = load(tmp_path / "heat.keras")
        for actual, expected in zip(again.get_weights(), pinn.get_weights(), strict=True):
            np.testing.assert_array_equal(actual, expected)
        again.load_weights(tmp_path / "heat.keras")
    with pytest.raises(ValueError, match="more than memory=10"):
        kpinn.load_model(tmp_path / "heat.keras", memory=10)
    with pytest.raises(ValueError, match="name of a .keras file, not 3"):
        kpinn.load_model(3)


# Saving --------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="security")
def growth(u, u_x):
    return u_x - u


class Unregistered(keras.layers.Dense):
    pass


class UnregisteredHeat(Heat):
    pass


def tanh(x):
    return 2.0 * keras.ops.tanh(x)


def wobble(x):
    return keras.ops.sin(x)


def squared(y_true, y_pred):
    return keras.ops.mean((y_true - y_pred) ** 2, axis=-1)


def closure(factor):
    def condition(u, u_x):
        return u_x - factor * u

    return condition


def with_layer(layer):
    return kpinn.PINN(keras.Sequential([layer, keras.layers.Dense(1)]), "x", "u", [growth])


def with_loss(**arguments):
    pinn = with_layer(keras.layers.Dense(3, "tanh"))
    pinn.compile("adam", jit_compile=False, **arguments)
    return pinn


UNSAVABLE = {
    "lambda layer": (lambda: with_layer(keras.layers.Lambda(lambda x: 2.0 * x)), "is a lambda"),
    "activation": (
        lambda: with_layer(keras.layers.Dense(3, lambda x: x**2)),
        "'<lambda>', which is neither",
    ),
    "function": (
        lambda: with_layer(keras.layers.Dense(3, wobble)),
        "'wobble', which is neither registered nor",
    ),
    "namesake": (
        lambda: with_layer(keras.layers.Dense(3, tanh)),
        "'tanh', which is neither registered nor",
    ),
    "layer": (lambda: with_layer(Unregistered(3)), "'Unregistered'.*not registered"),
    "closure": (
        lambda: kpinn.PINN(kpinn.networks.MLP(3, 1), "x", "u", [closure(2.0)]),
        "'condition' is a function that cannot be saved",
    ),
    "hard": (
        lambda: with_layer(
            kpinn.layers.HardCondition(kpinn.networks.MLP(3, 1), "x", distance=lambda x: x)
        ),
        "distance is a function that cannot be saved",
    ),
    "loss": (lambda: with_loss(loss=squared), "'squared'.*not registered"),
    "metric": (lambda: with_loss(metrics=[squared]), "'squared'.*not registered"),
    "class": (lambda: UnregisteredHeat(kpinn.networks.MLP(3, 1)), "class 'UnregisteredHeat'"),
}


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.parametrize("name", UNSAVABLE)
def test_what_could_not_be_loaded_is_not_saved(tmp_path, name):
    make, message = UNSAVABLE[name]
    path, pinn = tmp_path / "pinn.keras", make()
    small_heat().save(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"(?s){message}.*register_keras_serializable"):
        pinn.save(path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_what_is_not_saved_works_all_the_same(tmp_path):
    pinn = with_layer(keras.layers.Lambda(lambda x: 2.0 * x))
    pinn.compile("adam", jit_compile=False)
    points = {"x": np.linspace(0, 1, 5)}
    pinn.fit(points, epochs=2, verbose=0)
    pinn.save_weights(tmp_path / "pinn.weights.h5")
    pinn.load_weights(tmp_path / "pinn.weights.h5")
    served = kpinn.load_export(tmp_path / "served", pinn.export(tmp_path / "served"))
    x = tf.constant([[0.5]])
    found = served.signatures["serving_default"](x=x)["u"]
    np.testing.assert_allclose(found, pinn.predict_fields({"x": x})["u"], rtol=1e-6)


def test_a_custom_object_scope_counts_as_registered(tmp_path):
    with keras.saving.custom_object_scope({"UnregisteredHeat": UnregisteredHeat}):
        UnregisteredHeat(kpinn.networks.MLP(3, 1)).save(tmp_path / "heat.keras")
        assert type(kpinn.load_model(tmp_path / "heat.keras")) is UnregisteredHeat
    clone = keras.models.clone_model(UnregisteredHeat(kpinn.networks.MLP(3, 1)))
    assert type(clone) is UnregisteredHeat


def test_a_file_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    pinn, path = small_heat(), tmp_path / "heat.keras"
    pinn.save(path)
    before = path.read_bytes()

    def fails(self, path, **kwargs):
        pathlib.Path(path).write_bytes(b"half of it")
        raise OSError("No space left on device")

    monkeypatch.setattr(keras.Model, "save", fails)
    with pytest.raises(OSError, match="No space left"):
        pinn.save(path)
    assert path.read_bytes() == before and [each.name for each in tmp_path.iterdir()] == [
        "heat.keras"
    ]


def test_names_that_cannot_be_saved_to(tmp_path):
    for name in ("heat.h5", "heat", "", None, 3, "gs://bucket/heat.keras"):
        with pytest.raises(ValueError, match="filepath"):
            small_heat().save(name)
    small_heat().save(tmp_path / "new" / "heat.keras")
    small_heat().save(tmp_path / "folder", zipped=False)
    assert keras.saving.load_model(tmp_path / "folder").conditions.keys() == {"heat", "start"}


def test_a_copy_does_not_run_code():
    pinn = small_heat()
    again = copy.deepcopy(pinn)
    for actual, expected in zip(again.get_weights(), pinn.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)
    with pytest.raises(ValueError, match="is a lambda"):
        copy.deepcopy(with_layer(keras.layers.Lambda(lambda x: 2.0 * x)))


# Exports -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "heat"
    pinn = small_heat()
    return pinn, folder, pinn.export(folder)


def test_an_export_is_loaded_with_its_endpoints(exported):
    pinn, folder, sha256 = exported
    served = kpinn.load_export(folder, sha256=sha256)
    assert sorted(served.signatures) == [
        "derivatives",
        "residual_heat",
        "residual_start",
        "serving_default",
    ]
    columns = {"t": tf.constant([[0.25], [0.5]]), "x": tf.constant([[0.5], [0.1]])}
    found = dict(served.signatures["derivatives"](**columns))
    found |= served.signatures["serving_default"](**columns)
    for name, values in pinn.predict_fields(columns, "u, u_t, u_xx").items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-6)
    residual = served.signatures["residual_heat"](**columns)["heat"]
    np.testing.assert_allclose(residual, pinn.residuals({"heat": columns})["heat"], rtol=1e-5)
    manifest = json.loads((folder / folders.MANIFEST).read_text())
    assert manifest["endpoints"] == sorted(served.signatures) and len(manifest["files"]) == 4


def test_every_byte_of_an_export_counts(exported, tmp_path):
    _, folder, _ = exported
    copied = tmp_path / "heat"
    shutil.copytree(folder, copied)
    for path in (each for each in copied.rglob("*") if each.is_file()):
        content = path.read_bytes()
        for place in {0, len(content) // 3, len(content) - 1}:
            changed = bytearray(content)
            changed[place] ^= 1 << place % 8
            path.write_bytes(changed)
            with pytest.raises(ValueError, match="heat"):
                kpinn.load_export(copied)
        path.write_bytes(content)
    kpinn.load_export(copied)


def test_an_export_of_others_is_seen_by_its_hash(exported, tmp_path):
    _, folder, sha256 = exported
    with pytest.raises(ValueError, match=f"SHA-256 of its manifest is {sha256}, not 00"):
        kpinn.load_export(folder, sha256="00")
    with pytest.raises(ValueError, match="a folder that pinn.export has written, not 'nowhere'"):
        kpinn.load_export("nowhere")
    with pytest.raises(ValueError, match="more than memory=10"):
        kpinn.load_export(folder, memory=10)


def python_condition(u):
    return tf.ensure_shape(tf.py_function(lambda u: u, [u], u.dtype), u.shape)


def printing_condition(u):
    tf.print("residual", tf.reduce_max(u))
    return u


def test_an_export_that_would_not_be_loaded_is_not_written(tmp_path):
    network = kpinn.networks.MLP(3, 1)
    good = kpinn.PINN(network, "x", "u", [growth])
    sha256 = good.export(tmp_path / "pinn")
    bad = kpinn.PINN(network, "x", "u", [python_condition])
    with pytest.raises(ValueError, match="operation EagerPyFunc .*keras.ops"):
        bad.export(tmp_path / "pinn")
    assert kpinn.load_export(tmp_path / "pinn", sha256)
    assert [each.name for each in tmp_path.iterdir()] == ["pinn"]
    assert good.export(tmp_path / "pinn") and [each.name for each in tmp_path.iterdir()] == ["pinn"]
    printing = kpinn.PINN(network, "x", "u", [printing_condition])
    assert kpinn.load_export(tmp_path / "pinn", printing.export(tmp_path / "pinn"))


def test_an_export_replaces_nothing_but_an_export(tmp_path):
    pinn = kpinn.PINN(kpinn.networks.MLP(3, 1), "x", "u", [growth])
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds 'notes.txt', which is no part of an export"):
        pinn.export(tmp_path)
    with pytest.raises(ValueError, match="is a file: expected the name of a folder"):
        pinn.export(tmp_path / "notes.txt")
    for path in (None, 3, "", "gs://bucket/model"):
        with pytest.raises(ValueError, match="path is the name of a folder"):
            pinn.export(path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    pinn.export(str(tmp_path / "empty"))
    assert (tmp_path / "empty").stat().st_mode & 0o777 == tmp_path.stat().st_mode & 0o777 | 0o055


def full(*arguments, **options):
    raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")


def second_fails():
    calls, rename = [], os.rename

    def renamed(source, target):
        calls.append(source)
        if len(calls) == 2:
            raise OSError("the rename failed")
        rename(source, target)

    return renamed


@pytest.mark.parametrize(
    ("module", "name", "make", "message"),
    [
        (tf.saved_model, "save", lambda: full, "could not be written: No space left"),
        (os, "rename", second_fails, "the rename failed"),
        (os, "fsync", lambda: lambda descriptor: os.stat("/none"), "none"),
    ],
)
def test_an_export_that_fails_leaves_the_old_one(
    tmp_path, monkeypatch, module, name, make, message
):
    pinn = kpinn.PINN(kpinn.networks.MLP(3, 1), "x", "u", [growth])
    sha256 = pinn.export(tmp_path / "pinn")
    pinn.set_weights([2.0 * weight + 1.0 for weight in pinn.get_weights()])
    with monkeypatch.context() as patched:
        patched.setattr(module, name, make())
        with pytest.raises(OSError, match=message):
            pinn.export(tmp_path / "pinn")
    assert kpinn.load_export(tmp_path / "pinn", sha256)
    assert [each.name for each in tmp_path.iterdir()] == ["pinn"]
    assert pinn.export(tmp_path / "pinn") != sha256


def test_the_list_of_operations_has_none_that_does_more():
    parts = """File PyFunc Dataset Iterator Reader Summary Table Save Restore Recv Send Collective
        Remote Debug Decode Queue"""
    for part in parts.split():
        assert not [name for name in ALLOWED if part in name]
    assert all(hasattr(tf.raw_ops, name) for name in ALLOWED)


# Private names -------------------------------------------------------------------------------


def test_a_store_of_weights_can_be_closed(tmp_path):
    class Closing(keras.layers.Dense):
        def load_own_variables(self, store):
            assert keras_private.opened_file(store)["layers"]
            keras_private.close_for(store, ValueError("closed"))

    def model(kind):
        return keras.Sequential([keras.Input((1,)), kind(2), keras.layers.Dense(1)])

    model(keras.layers.Dense).save_weights(tmp_path / "model.weights.h5")
    with pytest.raises(ValueError, match="closed"):
        model(Closing).load_weights(tmp_path / "model.weights.h5")
    assert keras_private.opened_file({}) is None


def test_a_saved_model_is_read_as_data(exported):
    content = (exported[1] / "saved_model.pb").read_bytes()
    assert len(parse_saved_model(content).meta_graphs) == 1
    with pytest.raises(ValueError, match="cannot be read"):
        parse_saved_model(b"\xff" * 100)


@pytest.mark.parametrize(
    ("depth", "message"), [(50, None), (200, "nested too deeply"), (5_000, "nested too deeply")]
)
def test_the_depth_of_a_config_is_limited(depth, message):
    config = {}
    for _ in itertools.repeat(None, depth):
        config = {"a": config}
    if message is None:
        check_tree(config)
    else:
        with pytest.raises(ValueError, match=message):
            check_tree(config)
