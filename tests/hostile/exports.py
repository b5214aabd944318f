"""Makers of exports: other programs, and other files beside a manifest."""

import json
import os
import shutil

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from hostile.base import EXPORT, group
from kpinn.serving.folders import MANIFEST, write_manifest


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
    (name,) = [
        f.signature.name for f in graph.graph_def.library.function if "restore" in f.signature.name
    ]
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


OPERATIONS = """
    PyFuncStateless MatchingFiles ImmutableConst SaveV2 MergeV2Checkpoints TextLineDataset
    TFRecordDatasetV2 WholeFileReaderV2 CreateSummaryFileWriter DebugIdentityV2 CopyHost
    RemoteCall Send Recv CollectiveReduceV2 DataServiceDatasetV4 XlaCustomCallV2
    InitializeTableFromTextFileV2 Hostile
""".split()
EXPORTS = [
    *group(
        "SavedModel",
        EXPORT,
        {
            "ReadFile": of_module(reads),
            "ReadFile in a loop": of_module(reads_in_loop),
            "WriteFile": of_module(writes),
            "PyFunc": of_module(calls_python),
            "EagerPyFunc": of_module(calls_python_eagerly),
            "PrintV2 into a file": of_module(prints),
            "RestoreV2": of_module(restores),
            "table of a file": of_module(looks_up, [table]),
        },
    ),
    *group("SavedModel", EXPORT, {name: operation(name) for name in OPERATIONS}),
    *group(
        "SavedModel",
        EXPORT,
        {
            "the saver is called": program(calls_saver),
            "an absent function is called": program(missing_function),
            "large constant": program(large_constant),
            "large variable": program(large_variable),
            "class of its own": program(own_class),
            "saver of its own": program(own_saver),
            "asset": program(asset),
            "of TensorFlow 1": program(version_one),
        },
    ),
    *group(
        "manifest",
        EXPORT,
        {
            "no manifest": folder_of(lambda path, base: (path / MANIFEST).unlink()),
            "wrong hash": manifest(wrong_hash),
            "names that climb": manifest(other_names),
            "a name less": manifest(cut),
            "manifest no JSON": manifest(lambda content: "x"),
            "manifest a list": manifest(lambda content: "[]"),
            "manifest nested": manifest(lambda content: "[" * 200_000),
            "manifest of the future": manifest(lambda content: json.dumps(content | {"format": 2})),
            "a bit of the program": flipped("saved_model.pb"),
            "a bit of the variables": flipped("variables/variables.data-00000-of-00001"),
            "a bit of the fingerprint": flipped("fingerprint.pb"),
            "a file more": folder_of(lambda path, base: (path / "hostile.so").write_bytes(b"x")),
            "a file less": folder_of(
                lambda path, base: (path / "variables/variables.index").unlink()
            ),
            "link": folder_of(link),
            "link of a folder": folder_of(folder_link),
            "pipe": folder_of(pipe),
            "large file": folder_of(sparse),
        },
    ),
]
