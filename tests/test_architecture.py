"""The direction of imports, and the private names of Keras."""

import ast
import pathlib
import random
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import kpinn
from kpinn.backend import keras_private
from kpinn.derivatives.keras_private import all_layers
from kpinn.derivatives.tensorflow_private import (
    VariableWatcher,
    forget_custom_gradients,
    is_watched,
    origin_of_gradient,
    tapes_are_stopped,
    without_retracing_warning,
)
from kpinn.training import tensorflow_private

PACKAGE = pathlib.Path(kpinn.__file__).parent
LEVELS = [  # ground floor to top
    {"backend", "options"},
    {"derivatives", "domains"},
    {"layers", "operators", "optimizers"},
    {"networks"},
    {"problem"},
    {"objective"},
    {"losses", "serving", "checking", "training"},
    {"plotting"},
    {"callbacks"},
    {"pinn"},
    {"scripts"},
    {"__main__"},
]
OPTIONAL = {
    "IPython",
    "ai_edge_litert",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "pyvista",
    "tf2onnx",
    "trimesh",
    "xarray",
}
ROOMS = 20  # most entries of the top floor
SHELL = ("kpinn.pinn", "kpinn.training", "kpinn.backend.keras_private")  # may touch private names
TABLES = ("derivatives/operations",)  # looked up, not read
CHECKS = (  # which raise an error or warn, and of which a step uses nothing
    "derivatives/graphs/python_calls.py",
    "derivatives/per_point/custom_gradients.py",
    "derivatives/per_point/independence.py",
    "options",
    "problem/refusals.py",
    "training/adaptation.py",  # of random features alone
    "training/arguments.py",
    "training/devices.py",
    "training/random_layers.py",
    "training/replicas/checks.py",
    "training/workers",  # of several processes alone
)
PATH = 7_000  # most lines of the other modules that a step of Adam runs through; 4,500 are wanted


def modules():
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        yield name.removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf8"))


def imported(tree):
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.startswith("kpinn.")}


def level(name):
    part = name.split(".")[1]
    return next(i for i, names in enumerate(LEVELS) if part in names)


def test_imports_go_down_only():
    for name, tree in modules():
        if name == "kpinn":
            continue
        for other in imported(tree):
            same_package = name.split(".")[1] == other.split(".")[1]
            assert same_package or level(other) < level(name), f"{name} imports {other}"


def test_the_top_floor_is_small():
    rooms = [p for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()]
    assert len(rooms) <= ROOMS


def test_private_names_of_a_pinn_stay_in_the_shell():
    for name, tree in modules():
        if not name.startswith(SHELL):
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
                    owner = ast.unparse(node.value).rpartition(".")[2]
                    assert owner not in ("pinn", "model"), f"{name}: {ast.unparse(node)}"


def test_there_is_no_import_cycle():
    found = {name: imported(tree) for name, tree in modules() if name != "kpinn"}
    edges = {
        name: {m for m in found for other in others if other == m or other.startswith(m + ".")}
        - {name, name.rpartition(".")[0]}
        for name, others in found.items()
    }
    packages = {name for name in found if any(m.startswith(name + ".") for m in found)}
    done = set()

    def visit(name, trail):
        assert name not in trail, " -> ".join((*trail, name))
        for other in edges[name] - done - packages:
            visit(other, (*trail, name))
        done.add(name)

    for name in edges:
        visit(name, ())


def test_only_optional_packages_are_imported_inside_functions():
    for name, tree in modules():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Import | ast.ImportFrom):
                        names = [getattr(node, "module", None) or node.names[0].name]
                        assert names[0].split(".")[0] in OPTIONAL, f"{name}: {names}"


def test_the_import_loads_nothing_that_is_slow_and_rarely_needed():
    """In a fresh process, in which an import of these fails."""
    blocked = "'scipy.stats', 'scipy.optimize', 'matplotlib'"
    code = f"import sys; sys.modules.update(dict.fromkeys([{blocked}])); import kpinn"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("floatx", ["float32", "float64"])
def test_the_loss_tracker_can_be_replaced(floatx):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    tracker = keras.metrics.Mean(name="loss", dtype=floatx)
    keras_private.replace_loss_tracker(model, tracker)
    assert keras_private.loss_tracker(model) is tracker
    assert [metric for metric in model.metrics if metric.name == "loss"] == [tracker]
    model.fit(np.ones((4, 1)), np.zeros((4, 1)), verbose=0)
    assert float(tracker.result()) > 0


def test_a_layer_that_is_built_may_be_opened_for_variables():
    layer = keras.layers.Dense(1)
    layer.build((None, 1))
    with keras_private.open_for_variables(layer):
        added = layer.add_weight((2,), name="added", trainable=False)
    assert added in layer.non_trainable_variables
    with pytest.raises(ValueError, match="cannot add new elements of state"):
        layer.add_weight((2,), name="late")


def test_the_global_generators_of_seeds_can_be_made_and_forgotten():
    keras_private.forget_global_seed_generator()
    assert keras_private.existing_global_seed_generator() is None
    made = keras_private.global_seed_generator()
    before = made.state.numpy()
    keras.random.uniform(())
    assert keras_private.existing_global_seed_generator() is made
    assert not np.array_equal(made.state.numpy(), before)


def test_the_generator_of_seeds_in_eager_mode_can_be_set():
    before = tensorflow_private.eager_generator()
    tensorflow_private.set_eager_generator(random.Random(5))
    first = float(tf.random.uniform(()))
    tensorflow_private.set_eager_generator(random.Random(5))
    assert float(tf.random.uniform(())) == first
    tensorflow_private.set_eager_generator(before)


def test_the_global_generator_of_tensorflow_can_be_forgotten():
    tensorflow_private.forget_global_generator()
    assert tensorflow_private.existing_global_generator() is None
    made = tf.random.get_global_generator()
    assert tensorflow_private.existing_global_generator() is made


def test_a_strategy_can_be_left_inside_its_scope():
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope():
        with tensorflow_private.outside_of_strategies():
            assert not tf.distribute.has_strategy() and tf.executing_eagerly()
            assert float(tf.Variable(1.0) + 1.0) == 2.0
        assert tf.distribute.get_strategy() is strategy


def test_losses_of_layers_are_found_and_forgotten():
    layer = keras.layers.Dense(1, activity_regularizer="l2")
    model = keras.Sequential([keras.layers.Dense(1), layer])
    model.build((None, 1))
    keras_private.clear_losses(model)
    assert keras_private.own_losses(layer) == []
    model(np.ones((2, 1)))
    assert len(keras_private.own_losses(layer)) == 1
    assert keras_private.own_losses(model) == []
    keras_private.clear_losses(model)
    assert keras_private.own_losses(layer) == []


def test_a_file_and_a_clone_are_told_apart(tmp_path):
    found = []

    @keras.saving.register_keras_serializable(package="test_architecture")
    class Asks(keras.layers.Dense):
        def get_config(self):
            found.append(keras_private.writes_file())
            return super().get_config()

    model = keras.Sequential([keras.Input((1,)), Asks(1)])
    keras.models.clone_model(model)
    assert found and not any(found)
    found.clear()
    model.save(tmp_path / "model.keras")
    assert any(found)


def test_the_schedule_and_the_steps_of_an_optimizer():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    adam = keras.optimizers.Adam(schedule)
    assert keras_private.schedule_of(adam) is schedule
    for optimizer in (adam, keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())):
        variable = keras.Variable(1.0)
        optimizer.build([variable])
        optimizer.apply([tf.constant(1.0)])
        assert int(keras_private.step_counter(optimizer)) == 1


def test_functions_of_the_same_code_can_be_traced_without_a_warning(caplog):
    def traced():
        def square(x):
            return x**2

        return without_retracing_warning(tf.function(square))

    for _ in range(8):
        traced()(tf.constant(1.0))
    assert "retracing" not in caplog.text


def test_gradients_that_nobody_needs_are_forgotten():
    @tf.custom_gradient
    def same(x):
        return x, lambda upstream: upstream

    graph = tf.function(lambda x: same(x)).get_concrete_function(tf.constant(1.0)).graph
    kinds = [node.attr["_gradient_op_type"].s.decode() for node in graph.as_graph_def().node]
    (name,) = {kind for kind in kinds if kind.startswith("CustomGradient-")}
    assert origin_of_gradient(name)
    forget_custom_gradients(graph)
    with pytest.raises(LookupError):
        origin_of_gradient(name)


def test_a_model_knows_its_strategy():
    assert not keras_private.made_under_strategy(keras.Sequential([keras.layers.Dense(1)]))
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        assert keras_private.made_under_strategy(keras.Sequential([keras.layers.Dense(1)]))


def test_an_optimizer_of_keras_updates_between_replicas():
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    with strategy.scope():
        variable, optimizer = keras.Variable(1.0), keras.optimizers.SGD(0.5)
        optimizer.build([variable])
        with tensorflow_private.updates_between_replicas():
            optimizer.apply([tf.constant(1.0)])
        assert float(variable.numpy()) == 0.5 and int(optimizer.iterations.numpy()) == 1
    strategy.run(lambda: optimizer.apply([tf.constant(1.0)]))  # as before
    assert float(variable.numpy()) == 0.0


def test_layers_of_a_class_can_be_left_out_of_what_keras_tracks():
    class Other(keras.layers.Dense):
        pass

    outer = keras.layers.Dense(1)
    keras_private.leave_untracked(outer, Other)
    outer.one, outer.two, outer.tracked = Other(1), [Other(1)], keras.layers.Dense(1)
    for layer in (outer, outer.one, *outer.two, outer.tracked):
        layer.build((None, 1))
    assert len(outer.variables) == 4


@pytest.mark.parametrize("graph", [False, True])
def test_the_variables_that_are_read_are_listed(graph):
    trained, frozen = tf.Variable(1.0), tf.Variable(1.0, trainable=False)
    with VariableWatcher() as watcher:
        function = tf.function(lambda: trained * frozen) if graph else lambda: trained * frozen
        function()
    assert [id(variable) for variable in watcher.watched_variables()] == [id(trained)]


def test_whether_tapes_record_is_known():
    assert not tapes_are_stopped()
    with tf.GradientTape(), tf.init_scope():
        assert tapes_are_stopped()


def test_what_a_tape_or_an_accumulator_follows_is_known():
    x = tf.constant(1.0)
    assert not is_watched(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        assert is_watched(2.0 * x) and not is_watched(tf.constant(1.0))
    with tf.autodiff.ForwardAccumulator(x, x):
        assert is_watched(2.0 * x) and not is_watched(tf.constant(1.0))


def test_a_step_of_adam_is_read_in_an_afternoon():
    """The lines of the modules that one step of one condition runs through.

    Tables are left out, and modules which only look whether to refuse something.
    """

    def heat(u_t, u_xx):
        return u_t - u_xx

    pinn = kpinn.PINN(kpinn.networks.MLP(units=4, depth=1), "t x", "u", conditions=[heat])
    pinn.compile("adam", jit_compile=False)
    points, files = {"t": np.ones(3), "x": np.linspace(0, 1, 3)}, set()

    def profile(frame, event, argument):
        files.add(frame.f_code.co_filename)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        pinn.fit(points, verbose=0)
    finally:
        sys.setprofile(before)
    paths = [pathlib.Path(name) for name in files if name.startswith(str(PACKAGE))]
    others = [PACKAGE / name for name in (*TABLES, *CHECKS)]
    paths = [path for path in paths if not any(map(path.is_relative_to, others))]
    assert sum(len(path.read_text(encoding="utf8").splitlines()) for path in paths) <= PATH


def test_all_layers_finds_nested_ones():
    inner = keras.Sequential([keras.layers.Dense(2, name="deep")])
    outer = keras.Sequential([inner, keras.layers.Dense(1, name="shallow")])
    assert {"deep", "shallow"} <= {layer.name for layer in all_layers(outer)}


def test_slow_cases_are_tests():
    folder = pathlib.Path(__file__).parent
    for name in (folder / "slow_cases.txt").read_text(encoding="utf8").splitlines():
        path, function = name.split("[")[0].split("::")
        assert f"def {function}(" in (folder.parent / path).read_text(encoding="utf8"), name
