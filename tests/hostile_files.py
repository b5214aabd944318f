"""Makes hostile files: nothing of them is in the repository.

Each line of `FILES` is a name, what it stands for (a CVE of Keras, or a fault of kpinn's own
configs, weights or exports), who loads it, and a function that makes it. A file that would run code
creates `canary`, one that would read elsewhere reads `secret`, both outside of its folder.
"""

import base64
import copy
import dataclasses
import io
import json
import marshal
import os
import pathlib
import shutil
import tarfile
import typing
import zipfile

import h5py
import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import kpinn
from kpinn.serving.folders import MANIFEST, write_manifest

KERAS, KPINN, BOTH = ("keras",), ("kpinn",), ("keras", "kpinn")
HEAT = "config.json"


@keras.saving.register_keras_serializable(package="hostile")
def decay(u, u_x):
    return u_x + u


@dataclasses.dataclass
class Base:
    """Good files, from which bad ones are made.

    Attributes:
        folder: where they are.
        canary: a file that must not appear.
        secret: a file that must not be read.
        config: the config of a PINN.
        weights: bytes of its `.weights.h5`.
    """

    folder: pathlib.Path
    canary: pathlib.Path
    secret: pathlib.Path
    config: dict
    weights: bytes

    @property
    def export(self):
        """The folder of a good export."""
        return self.folder / "export"


class File(typing.NamedTuple):
    """A hostile file."""

    name: str
    stands_for: str
    loaders: tuple
    make: typing.Callable


def make_base(folder, outside):
    """Writes the good files.

    Args:
        folder: a `pathlib.Path` for them.
        outside: another folder, for the canary and the secret.
    """
    secret = outside / "secret.txt"
    secret.write_text("secret\n")
    network = kpinn.networks.MLP(units=3, depth=1)
    pinn = kpinn.PINN(network, "x", "u", conditions=[decay])
    pinn.compile("adam", loss_weights={"decay": 2.0})
    pinn.save(folder / "good.keras")
    pinn.export(folder / "export")
    with zipfile.ZipFile(folder / "good.keras") as archive:
        config = json.loads(archive.read("config.json"))
        weights = archive.read("model.weights.h5")
    return Base(folder, outside / "canary", secret, config, weights)


# Archives -----------------------------------------------------------------------------------


def archive(base, path, config, weights=None, **others):
    """A `.keras` file with a config and further members."""
    text = config if isinstance(config, str | bytes) else json.dumps(config)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        file.writestr("config.json", text)
        file.writestr("model.weights.h5", base.weights if weights is None else weights)
        for name, content in others.items():
            file.writestr(name, content)
    return path


def of_config(change):
    """A maker whose file has a changed config of a PINN; `change` gets it and the base."""

    def make(base, folder):
        config = copy.deepcopy(base.config)
        config = change(config, base) or config
        return archive(base, folder / "model.keras", config)

    return make


def entry(path, value):
    """A maker with one entry of the config replaced, `config.scales` for example."""

    def change(config, base):
        *parents, last = [int(p) if p.isdigit() else p for p in path.split(".")]
        parent = config
        for name in parents:
            parent = parent[name]
        parent[last] = value(base) if callable(value) else value

    return of_config(change)


def network(*layers, **others):
    """A maker with a PINN whose network has these layers; functions get the base."""

    def change(config, base):
        made = [layer(base) if callable(layer) else layer for layer in layers]
        config["config"]["network"]["config"]["layers"][1:] = made
        config["config"]["network"].pop("build_config", None)
        config["config"] |= others

    return of_config(change)


def alone(*layers):
    """A maker with a `Sequential` that is no PINN."""

    def change(config, base):
        found = copy.deepcopy(config["config"]["network"])
        made = [layer(base) if callable(layer) else layer for layer in layers]
        found["config"]["layers"][1:] = made
        found.pop("build_config", None)
        return found

    return of_config(change)


def layer(kind, package="keras.layers", **config):
    """The config of a layer."""
    return {
        "module": package,
        "class_name": kind,
        "config": {"name": "hostile", "trainable": True, "dtype": "float32", **config},
        "registered_name": None,
    }


def dense(units=1, **config):
    return layer("Dense", units=units, **{"name": "dense", **config})


def function(name, module):
    return {"class_name": "function", "module": module, "config": name, "registered_name": name}


def own(kind, package="kpinn", **config):
    """The config of an object of kpinn."""
    registered = f"{package}>{kind}"
    return {"module": "", "class_name": kind, "config": config, "registered_name": registered}


def bytecode(base):
    """What Keras stores of a lambda: code that creates the canary."""
    source = f"lambda x: (open({str(base.canary)!r}, 'w').close(), x)[1]"
    code = eval(source).__code__
    dumped = base64.b64encode(marshal.dumps(code)).decode()
    return {
        "class_name": "__lambda__",
        "config": {"code": dumped, "defaults": None, "closure": None, "value": [dumped, None, None]},
    }


def lambda_layer(base):
    return layer("Lambda", function=bytecode(base), arguments={})


def lambda_shape(base):
    relu = function("relu", "keras.activations")
    return layer("Lambda", function=relu, output_shape=bytecode(base), arguments={})


def lambda_mask(base):
    relu = function("relu", "keras.activations")
    return layer("Lambda", function=relu, mask=bytecode(base), arguments={})


def wrapped_lambda(base):
    return layer("TimeDistributed", layer=lambda_layer(base), safe_mode=False)


def nested_lambda(base):
    inner = layer("Sequential", "keras", layers=[lambda_layer(base)], safe_mode=False)
    return inner | {"safe_mode": False}


def lookup(name):
    return lambda base: layer(name, vocabulary=str(base.secret))


def get_file(base):
    arguments = {"origin": base.secret.as_uri(), "cache_dir": str(base.canary.parent)}
    return layer("Lambda", function=function("get_file", "keras.utils"), arguments=arguments)


def gadget(name, module, **arguments):
    return layer("Lambda", function=function(name, module), arguments=arguments)


def tfsm(base):
    return layer("TFSMLayer", filepath=str(base.export), call_endpoint="serving_default")


def torch_module(base):
    code = base64.b64encode(b"not a module").decode()
    return layer("TorchModuleWrapper", module={"class_name": "x", "config": {"module": code}})


def nest(depth):
    return lambda base, folder: archive(
        base, folder / "model.keras", '{"a": ' + "[" * depth + "]" * depth + "}"
    )


def raw(content, name="model.keras"):
    """A maker with the bytes of a file."""

    def make(base, folder):
        path = folder / name
        path.write_bytes(content(base) if callable(content) else content)
        return path

    return make


def members(change):
    """A maker whose archive is written by `change(zipfile, base)`."""

    def make(base, folder):
        path = folder / "model.keras"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            change(file, base)
        return path

    return make


def zeros(file, name, size, kind=b" "):
    with file.open(name, "w", force_zip64=True) as member:
        for _ in range(size // 2**20):
            member.write(kind * 2**20)


def bomb_config(file, base):
    file.writestr("model.weights.h5", base.weights)
    zeros(file, "config.json", 2**27)


def bomb_weights(file, base):
    file.writestr("config.json", json.dumps(base.config))
    zeros(file, "model.weights.h5", 2**27, b"\0")


def traversal(file, base):
    good(file, base)
    file.writestr("assets/../../../canary", "x")


def link_member(file, base):
    good(file, base)
    info = zipfile.ZipInfo("assets/link")
    info.external_attr = 0o120777 << 16
    file.writestr(info, str(base.secret))


def good(file, base):
    file.writestr("metadata.json", "{}")
    file.writestr("config.json", json.dumps(base.config))
    file.writestr("model.weights.h5", base.weights)


def twice(file, base):
    good(file, base)
    file.writestr("config.json", "{}", zipfile.ZIP_STORED)


def tar(base):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as file:
        file.add(base.secret, arcname="../../canary")
    return content.getvalue()


def legacy_h5(base, folder):
    """A whole model in the old format, with a lambda."""
    path = folder / "model.h5"
    layers = [layer("InputLayer", batch_shape=[None, 1]), lambda_layer(base)]
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "3.15.1"
        file.create_group("model_weights")
    return path


# Weights ------------------------------------------------------------------------------------


def weights(change, where="file"):
    """A maker of weights that `change(h5py.File, base, folder)` has changed."""

    def make(base, folder):
        path = folder / "model.weights.h5"
        path.write_bytes(base.weights)
        with h5py.File(path, "r+") as file:
            change(file, base, folder)
        if where == "archive":
            return archive(base, folder / "model.keras", base.config, path.read_bytes())
        return path

    return make


def first_array(file):
    """The path of the first array of the network."""
    found = []
    file.visititems(
        lambda name, item: (
            found.append(name) if isinstance(item, h5py.Dataset) and "layers/dense" in name else None
        )
    )
    return found[0]


def replaced(file, **options):
    name = first_array(file)
    del file[name]
    return file.create_dataset(name, **options)


def external_link(file, base, folder):
    name = first_array(file)
    del file[name]
    with h5py.File(folder / "other.h5", "w") as other:
        other["x"] = np.ones((1, 3))
    file[name] = h5py.ExternalLink(str(folder / "other.h5"), "/x")


def soft_link(file, base, folder):
    name = first_array(file)
    file["other"] = np.ones((1, 3))
    del file[name]
    file[name] = h5py.SoftLink("/other")


def external_data(file, base, folder):
    replaced(file, shape=(1, 3), dtype="uint8", external=[(str(base.secret), 0, 3)])


def virtual_data(file, base, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["x"] = np.ones((1, 3))
    layout = h5py.VirtualLayout((1, 3), "float32")
    layout[:] = h5py.VirtualSource(folder / "other.h5", "x", (1, 3))
    name = first_array(file)
    del file[name]
    file.create_virtual_dataset(name, layout)


def shape_bomb(file, base, folder):
    replaced(file, shape=(3 * 2**28,), dtype="float32", chunks=(2**20,), compression="gzip")


def gzip_bomb(file, base, folder):
    replaced(file, data=np.zeros(2**24, "float32"), compression="gzip", compression_opts=9)


def texts(file, base, folder):
    replaced(file, data=["a", "b", "c"], dtype=h5py.string_dtype())


def unknown_filter(file, base, folder):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((1, 3))
    plist.set_filter(32_000, h5py.h5z.FLAG_OPTIONAL)  # lzf, which is no part of HDF5
    name = first_array(file)
    del file[name]
    space = h5py.h5s.create_simple((1, 3))
    parent, _, last = name.rpartition("/")
    h5py.h5d.create(file[parent].id, last.encode(), h5py.h5t.IEEE_F32LE, space, plist)


def cycle(file, base, folder):
    file["network/again"] = file["/"] if "network" in file else file["/"]


def wrong_shape(file, base, folder):
    replaced(file, data=np.ones((5, 5), "float32"))


# Exports ------------------------------------------------------------------------------------


def program(change, manifest=True):
    """A maker with a changed `saved_model.pb`; `change` gets the meta graph and the base."""

    def make(base, folder):
        path = folder / "export"
        shutil.copytree(base.export, path)
        model = saved_model_pb2.SavedModel()
        model.ParseFromString((path / "saved_model.pb").read_bytes())
        change(model.meta_graphs[0], base)
        (path / "saved_model.pb").write_bytes(model.SerializeToString())
        (path / MANIFEST).unlink()
        write_manifest(path)
        return path

    return make


def served(graph):
    """The nodes of a function that an endpoint calls."""
    names = [name for name in graph.object_graph_def.concrete_functions if "served" in name]
    functions = {f.signature.name: f for f in graph.graph_def.library.function}
    return functions[names[0]].node_def


def operation(name, **attributes):
    """A maker with one more operation in a function that is served."""

    def change(graph, base):
        node = served(graph).add(op=name, name="hostile")
        for key, value in attributes.items():
            node.attr[key].s = value

    return program(change)


def of_module(body, tables=()):
    """A maker with a SavedModel of TensorFlow's own; `body` gets a tensor and the base."""

    def make(base, folder):
        path, module = folder / "export", tf.Module()
        module.tables = [table(base) for table in tables]
        run = tf.function(lambda x: {"u": body(x, base, *module.tables)}, autograph=False)
        concrete = run.get_concrete_function(tf.TensorSpec((None, 1), name="x"))
        tf.saved_model.save(module, str(path), signatures=concrete)
        write_manifest(path)
        return path

    return make


def reads(x, base):
    text = tf.io.read_file(str(base.secret))
    return x + tf.cast(tf.strings.length(text), tf.float32)


def writes(x, base):
    with tf.control_dependencies([tf.io.write_file(str(base.canary), "x")]):
        return tf.identity(x)


def reads_in_loop(x, base):
    return tf.while_loop(lambda x: tf.reduce_sum(x) < 1e6, lambda x: [reads(x, base)], [x])[0]


def calls_python(x, base):
    return tf.numpy_function(lambda x: x, [x], tf.float32)


def calls_python_eagerly(x, base):
    return tf.py_function(lambda x: x, [x], tf.float32)


def prints(x, base):
    printing = tf.print(x, output_stream=f"file://{base.canary}")
    with tf.control_dependencies([printing]):
        return tf.identity(x)


def restores(x, base):
    arguments = {"tensor_names": ["a"], "shape_and_slices": [""], "dtypes": [tf.float32]}
    return x + tf.raw_ops.RestoreV2(prefix=str(base.secret), **arguments)[0]


def table(base):
    line, text = tf.lookup.TextFileIndex.LINE_NUMBER, tf.lookup.TextFileIndex.WHOLE_LINE
    source = tf.lookup.TextFileInitializer(str(base.secret), tf.string, text, tf.int64, line)
    return tf.lookup.StaticHashTable(source, 0)


def looks_up(x, base, found):
    return x + tf.cast(found.lookup(tf.constant("secret")), tf.float32)


def calls_saver(graph, base):
    (name,) = [f.signature.name for f in graph.graph_def.library.function if "restore" in f.signature.name]
    node = served(graph).add(op="StatefulPartitionedCall", name="hostile")
    node.attr["f"].func.name = name


def large_constant(graph, base):
    tensor = served(graph).add(op="Const", name="hostile").attr["value"].tensor
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=10**12)
    tensor.float_val.append(0.0)


def large_variable(graph, base):
    for node in graph.object_graph_def.nodes:
        if node.HasField("variable"):
            node.variable.shape.dim[0].size = 10**12


def own_class(graph, base):
    node = graph.object_graph_def.nodes.add()
    node.user_object.identifier = "_tf_keras_model"
    node.user_object.metadata = json.dumps({"class_name": "Lambda"})


def own_saver(graph, base):
    graph.object_graph_def.nodes[0].registered_saver = "hostile"


def asset(graph, base):
    found = graph.asset_file_def.add(filename="../../secret.txt")
    found.tensor_info.name = "x:0"


def version_one(graph, base):
    graph.ClearField("object_graph_def")
    graph.collection_def["saved_model_main_op"].node_list.value.append("init")
    graph.graph_def.node.add(op="WriteFile", name="init")


def missing_function(graph, base):
    served(graph).add(op="PartitionedCall", name="hostile").attr["f"].func.name = "absent"


def folder_of(change):
    """A maker with a changed folder of an export, without a new manifest."""

    def make(base, folder):
        path = folder / "export"
        shutil.copytree(base.export, path)
        change(path, base)
        return path

    return make


def manifest(change):
    """A maker with another text of the manifest; `change` gets its content."""

    def make(path, base):
        text = (path / MANIFEST).read_text()
        (path / MANIFEST).write_text(change(json.loads(text)))

    return folder_of(make)


def flipped(name):
    def change(path, base):
        content = bytearray((path / name).read_bytes())
        content[len(content) // 2] ^= 1
        (path / name).write_bytes(content)

    return folder_of(change)


def link(path, base):
    (path / "fingerprint.pb").unlink()
    (path / "fingerprint.pb").symlink_to(base.secret)


def folder_link(path, base):
    shutil.copytree(path / "variables", base.folder / "elsewhere", dirs_exist_ok=True)
    shutil.rmtree(path / "variables")
    (path / "variables").symlink_to(base.folder / "elsewhere")


def pipe(path, base):
    os.mkfifo(path / "assets" / "pipe") if (path / "assets").exists() else os.mkfifo(path / "pipe")


def sparse(path, base):
    with open(path / "variables" / "variables.data-00000-of-00001", "r+b") as file:
        file.truncate(3 * 2**31)


def other_names(content):
    content["files"]["../../../etc/hostname"] = content["files"]["saved_model.pb"]
    return json.dumps(content)


def cut(content):
    content["files"].pop("saved_model.pb")
    return json.dumps(content)


def wrong_hash(content):
    content["files"]["saved_model.pb"]["sha256"] = "0" * 64
    return json.dumps(content)


BIG = {"build_config": {"input_shape": [None, 10**9]}}
FIRST, LAST = "config.network.config.layers.1", "config.network.config.layers.2"

FILES = [
    # Code ----------------------------------------------------------------------------------
    File("lambda", "CVE-2024-3660", BOTH, alone(lambda_layer)),
    File("lambda in a PINN", "CVE-2024-3660", BOTH, network(lambda_layer, dense())),
    File("lambda of a shape", "CVE-2024-3660", BOTH, network(lambda_shape, dense())),
    File("lambda of a mask", "CVE-2024-3660", BOTH, network(lambda_mask, dense())),
    File("lambda as activation", "CVE-2024-3660", BOTH, entry(f"{FIRST}.config.activation", bytecode)),
    File("lambda as condition", "CVE-2024-3660", BOTH, entry("config.conditions", lambda b: [bytecode(b)])),
    File("lambda as loss", "CVE-2024-3660", BOTH, entry("compile_config.loss", bytecode)),
    File("lambda as metric", "CVE-2024-3660", BOTH, entry("compile_config.metrics", lambda b: [bytecode(b)])),
    File("lambda as initializer", "CVE-2024-3660", BOTH, entry(f"{FIRST}.config.kernel_initializer", bytecode)),
    File("os.system", "CVE-2025-1550", BOTH, entry(f"{FIRST}.config.activation", function("system", "os"))),
    File("subprocess", "CVE-2025-1550", BOTH, alone(layer("Popen", "subprocess", args=["touch", "x"]))),
    File("builtins.eval", "CVE-2025-1550", BOTH, network(gadget("eval", "builtins"))),
    File("numpy.load", "CVE-2025-1550", BOTH, network(gadget("load", "numpy"))),
    File("a class of pickle", "CVE-2025-1550", BOTH, entry("config.network", layer("Unpickler", "pickle"))),
    File("get_file", "CVE-2025-8747", BOTH, network(get_file, dense())),
    File("load_model", "CVE-2025-8747", BOTH, network(gadget("load_model", "keras.models"))),
    File("func_load", "CVE-2025-8747", BOTH, network(gadget("func_load", "keras.src.utils.python_utils"))),
    File("load_img", "CVE-2025-8747", BOTH, network(gadget("load_img", "keras.preprocessing.image"))),
    File("unsafe", "CVE-2025-9906", BOTH,
         alone(layer("enable_unsafe_deserialization", "keras.config"), lambda_layer)),
    File("unsafe by a function", "CVE-2025-9906", BOTH,
         network(gadget("enable_unsafe_deserialization", "keras.config"), lambda_layer)),
    File("torch", "CVE-2025-49655", BOTH, network(torch_module, dense())),
    File("jax", "CVE-2025-49655", BOTH, network(layer("JaxLayer", call_fn=None), dense())),
    File("flax", "CVE-2025-49655", BOTH, network(layer("FlaxLayer", module=None), dense())),
    File("legacy h5", "CVE-2025-9905", BOTH, legacy_h5),
    File("StringLookup", "CVE-2025-12058", BOTH, network(lookup("StringLookup"), dense())),
    File("IntegerLookup", "CVE-2025-12058", BOTH, network(lookup("IntegerLookup"), dense())),
    File("TextVectorization", "CVE-2025-12058", BOTH, network(lookup("TextVectorization"), dense())),
    File("TFSMLayer", "CVE-2026-1462", BOTH, network(tfsm)),
    File("wrapped lambda", "CVE-2026-12481", BOTH, network(wrapped_lambda)),
    File("nested safe_mode", "CVE-2026-12481", BOTH, network(nested_lambda)),
    File("data set as condition", "network", BOTH,
         entry("config.conditions", [function("load_data", "keras.datasets.mnist")])),
    File("application", "network", BOTH,
         network(gadget("ResNet50", "keras.applications", weights="imagenet"))),
    File("imported module", "import", BOTH, network(layer("Hub", "keras_hub.layers"))),
    File("imported part of Keras", "import", BOTH, network(layer("Trainer", "keras.src.trainers.trainer"))),
    File("dotted name", "import", BOTH, network(layer("datasets.mnist.load_data", "keras"))),
    File("typespec", "import", BOTH,
         entry("config.network", {"class_name": "__typespec__", "spec_name": "system", "module": "os",
                                  "config": ["id"], "registered_name": None})),
    File("condition of Keras", "config", BOTH,
         entry("config.conditions", [function("sin", "keras.ops")])),
    File("condition that is not registered", "config", BOTH,
         entry("config.conditions", [function("growth", "__main__")])),
    File("hard condition of Keras", "config", BOTH,
         network(own("HardCondition", "kpinn.layers", network=dense(), coordinates="x",
                     distance=function("load_data", "keras.datasets.imdb")))),
    # Places --------------------------------------------------------------------------------
    File("layer name", "CVE-2026-12479", BOTH, network(dense(name="../../../canary"))),
    File("name of the PINN", "CVE-2026-12479", BOTH, entry("config.name", "../../../canary")),
    File("member that climbs", "CVE-2025-12638", KPINN, members(traversal)),
    File("member that is a link", "CVE-2025-12638", KPINN, members(link_member)),
    File("tar", "CVE-2024-55459", BOTH, raw(tar)),
    # Numbers and names of our own ----------------------------------------------------------
    File("scales NaN", "config", BOTH, entry("config.scales", {"x": float("nan")})),
    File("scales text", "config", BOTH, entry("config.scales", {"x": "1"})),
    File("scales negative", "config", BOTH, entry("config.scales", {"x": -1.0})),
    File("scales of a stranger", "config", BOTH, entry("config.scales", {"__class__": 1.0})),
    File("scales a list", "config", BOTH, entry("config.scales", [1.0])),
    File("loss weight NaN", "config", BOTH, entry("compile_config.loss_weights", {"decay": float("nan")})),
    File("loss weight infinite", "config", BOTH, entry("compile_config.loss_weights.decay", float("inf"))),
    File("loss weight text", "config", BOTH, entry("compile_config.loss_weights.decay", "2.0")),
    File("loss weight of a stranger", "config", BOTH, entry("compile_config.loss_weights.other", 1.0)),
    File("strict text", "config", BOTH, entry("config.method", own("Taylor", strict="x"))),
    File("method with another entry", "config", BOTH, entry("config.method", own("Taylor", code="x"))),
    File("accuracy 3", "config", BOTH, entry("config.method", own("FiniteDifference", accuracy=3))),
    File("step NaN", "config", BOTH,
         entry("config.method", own("FiniteDifference", step={"x": float("nan")}))),
    File("method unknown", "config", BOTH, entry("config.method", "os.system")),
    File("coordinates a number", "config", BOTH, entry("config.coordinates", 7)),
    File("coordinates a path", "config", BOTH, entry("config.coordinates", "../../etc")),
    File("coordinates __class__", "config", BOTH, entry("config.coordinates", "__class__")),
    File("fields a dict", "config", BOTH, entry("config.fields", {"u": 1})),
    File("unknown __class__", "config", BOTH,
         entry("config.unknowns", [{"name": "__class__", "initial": 1.0, "positive": False}])),
    File("unknown NaN", "config", BOTH,
         entry("config.unknowns", [{"name": "k", "initial": float("nan"), "positive": False}])),
    File("unknown with more", "config", BOTH,
         entry("config.unknowns", [{"name": "k", "initial": 1.0, "positive": True, "x": 1}])),
    File("entry of a stranger", "config", BOTH, entry("config.__class__", "x")),
    File("no network", "config", BOTH, of_config(lambda config, base: config["config"].pop("network") and None)),
    File("network a text", "config", BOTH, entry("config.network", "/etc/passwd")),
    File("network an optimizer", "config", BOTH, entry("config.network", own("LBFGS"))),
    File("mixed precision text", "config", BOTH, entry("config.allow_mixed_precision", "yes")),
    File("dtype text", "config", BOTH, entry(f"{FIRST}.config.dtype", "string")),
    File("dtype of an array", "config", BOTH,
         entry("config.network", {"class_name": "__numpy__", "config": {"value": [0], "dtype": "V2000000000"}})),
    File("run_eagerly text", "config", BOTH, entry("compile_config.run_eagerly", "x")),
    File("compile argument", "config", BOTH, entry("compile_config.code", "x")),
    File("optimizer a layer", "config", BOTH, entry("compile_config.optimizer", dense())),
    # Sizes ---------------------------------------------------------------------------------
    File("units", "size", BOTH, network(dense(10**12))),
    File("units, not so many", "size", BOTH, network(dense(4 * 10**6), dense(4 * 10**6))),
    File("units negative", "size", BOTH, network(dense(-1))),
    File("input shape", "size", BOTH, network(dense(3) | BIG)),
    File("units of kpinn", "size", BOTH,
         network(own("FourierFeatures", "kpinn.layers", units=10**12), dense())),
    File("harmonics", "size", BOTH,
         network(own("PeriodicEmbedding", "kpinn.layers", periods=[1.0], harmonics=10**9), dense())),
    File("harmonics as a float", "size", BOTH,
         network(own("PeriodicEmbedding", "kpinn.layers", periods=[1.0], harmonics=1e9), dense())),
    File("directions", "size", BOTH, entry("config.method", own("Stochastic", directions=10**9))),
    File("coordinates", "size", BOTH, entry("config.coordinates", "x[1000000000]")),
    File("fields", "size", BOTH, entry("config.fields", "u[1000000000]")),
    File("copies", "size", BOTH, network(layer("RepeatVector", n=10**9))),
    File("memory of an optimizer", "size", BOTH,
         entry("compile_config.optimizer", own("LBFGS", memory=10**9))),
    File("steps", "size", BOTH, entry("compile_config.steps_per_execution", 10**12)),
    File("layers", "size", BOTH, network(*[dense(1, name=f"d{i}") for i in range(20_000)])),
    File("nested", "size", KPINN, nest(100_000)),
    File("nested 500", "size", BOTH,
         entry("config.network", json.loads("[" * 500 + "]" * 500))),
    File("long text", "size", BOTH, entry("config.coordinates", "x " * 10**6)),
    # Archives ------------------------------------------------------------------------------
    File("zip bomb in the config", "archive", KPINN, members(bomb_config)),
    File("zip bomb in the weights", "archive", KPINN, members(bomb_weights)),
    File("cut", "archive", BOTH, raw(lambda b: (b.folder / "good.keras").read_bytes()[:2_000])),
    File("empty", "archive", BOTH, raw(b"")),
    File("text", "archive", BOTH, raw(b"import os; os.system('id')")),
    File("members twice", "archive", BOTH, members(twice)),
    File("no config", "archive", KPINN, members(lambda file, base: file.writestr("metadata.json", "{}"))),
    File("no weights", "archive", BOTH,
         members(lambda file, base: file.writestr("config.json", json.dumps(base.config)))),
    File("config no JSON", "archive", BOTH,
         lambda base, folder: archive(base, folder / "model.keras", "__import__('os')")),
    # Weights -------------------------------------------------------------------------------
    File("external link", "CVE-2026-1669", ("weights",), weights(external_link)),
    File("soft link", "CVE-2026-1669", ("weights",), weights(soft_link)),
    File("external data", "CVE-2026-1669", ("weights",), weights(external_data)),
    File("external data in a .keras", "CVE-2026-1669", BOTH, weights(external_data, "archive")),
    File("virtual data", "CVE-2026-1669", ("weights",), weights(virtual_data)),
    File("shape bomb", "CVE-2026-0897", ("weights",), weights(shape_bomb)),
    File("shape bomb in a .keras", "CVE-2026-0897", BOTH, weights(shape_bomb, "archive")),
    File("gzip bomb", "CVE-2026-0897", ("weights",), weights(gzip_bomb)),
    File("texts", "weights", ("weights",), weights(texts)),
    File("unknown filter", "weights", ("weights",), weights(unknown_filter)),
    File("groups in a circle", "weights", ("weights",), weights(cycle)),
    File("another shape", "weights", ("weights",), weights(wrong_shape)),
    File("weights cut", "weights", ("weights",), raw(lambda b: b.weights[:3_000], "model.weights.h5")),
    File("weights no HDF5", "weights", ("weights",), raw(b"GIF89a", "model.weights.h5")),
    File("weights of another format", "weights", ("weights",), raw(lambda b: b.weights, "model.h5")),
    # Exports -------------------------------------------------------------------------------
    File("ReadFile", "SavedModel", ("export",), of_module(reads)),
    File("ReadFile in a loop", "SavedModel", ("export",), of_module(reads_in_loop)),
    File("WriteFile", "SavedModel", ("export",), of_module(writes)),
    File("PyFunc", "SavedModel", ("export",), of_module(calls_python)),
    File("EagerPyFunc", "SavedModel", ("export",), of_module(calls_python_eagerly)),
    File("PrintV2 into a file", "SavedModel", ("export",), of_module(prints)),
    File("RestoreV2", "SavedModel", ("export",), of_module(restores)),
    File("table of a file", "SavedModel", ("export",), of_module(looks_up, [table])),
    *(
        File(name, "SavedModel", ("export",), operation(name))
        for name in (
            "PyFuncStateless", "MatchingFiles", "ImmutableConst", "SaveV2", "MergeV2Checkpoints",
            "TextLineDataset", "TFRecordDatasetV2", "WholeFileReaderV2", "CreateSummaryFileWriter",
            "DebugIdentityV2", "CopyHost", "RemoteCall", "Send", "Recv", "CollectiveReduceV2",
            "DataServiceDatasetV4", "XlaCustomCallV2", "InitializeTableFromTextFileV2", "Hostile",
        )
    ),
    File("the saver is called", "SavedModel", ("export",), program(calls_saver)),
    File("an absent function is called", "SavedModel", ("export",), program(missing_function)),
    File("large constant", "SavedModel", ("export",), program(large_constant)),
    File("large variable", "SavedModel", ("export",), program(large_variable)),
    File("class of its own", "SavedModel", ("export",), program(own_class)),
    File("saver of its own", "SavedModel", ("export",), program(own_saver)),
    File("asset", "SavedModel", ("export",), program(asset)),
    File("of TensorFlow 1", "SavedModel", ("export",), program(version_one)),
    File("no manifest", "manifest", ("export",), folder_of(lambda path, base: (path / MANIFEST).unlink())),
    File("wrong hash", "manifest", ("export",), manifest(wrong_hash)),
    File("names that climb", "manifest", ("export",), manifest(other_names)),
    File("a name less", "manifest", ("export",), manifest(cut)),
    File("manifest no JSON", "manifest", ("export",), manifest(lambda content: "x")),
    File("manifest a list", "manifest", ("export",), manifest(lambda content: "[]")),
    File("manifest nested", "manifest", ("export",), manifest(lambda content: "[" * 200_000)),
    File("manifest of the future", "manifest", ("export",),
         manifest(lambda content: json.dumps(content | {"format": 2}))),
    File("a bit of the program", "manifest", ("export",), flipped("saved_model.pb")),
    File("a bit of the variables", "manifest", ("export",),
         flipped("variables/variables.data-00000-of-00001")),
    File("a bit of the fingerprint", "manifest", ("export",), flipped("fingerprint.pb")),
    File("a file more", "manifest", ("export",),
         folder_of(lambda path, base: (path / "hostile.so").write_bytes(b"x"))),
    File("a file less", "manifest", ("export",),
         folder_of(lambda path, base: (path / "variables/variables.index").unlink())),
    File("link", "manifest", ("export",), folder_of(link)),
    File("link of a folder", "manifest", ("export",), folder_of(folder_link)),
    File("pipe", "manifest", ("export",), folder_of(pipe)),
    File("large file", "manifest", ("export",), folder_of(sparse)),
]  # fmt: skip
