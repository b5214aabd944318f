"""Configs with code, strangers and nonsense in them."""

from hostile.base import BOTH, KPINN, group
from hostile.keras_files import (
    alone,
    bytecode,
    dense,
    entry,
    function,
    gadget,
    get_file,
    lambda_layer,
    lambda_mask,
    lambda_shape,
    layer,
    legacy_h5,
    link_member,
    lookup,
    members,
    nested_lambda,
    network,
    of_config,
    own,
    raw,
    tar,
    tfsm,
    torch_module,
    traversal,
    wrapped_lambda,
)

FIRST = "config.network.config.layers.1"

CONFIGS = [
    *group(
        "CVE-2024-3660",
        BOTH,
        {
            "lambda": alone(lambda_layer),
            "lambda in a PINN": network(lambda_layer, dense()),
            "lambda of a shape": network(lambda_shape, dense()),
            "lambda of a mask": network(lambda_mask, dense()),
            "lambda as activation": entry(f"{FIRST}.config.activation", bytecode),
            "lambda as condition": entry("config.conditions", lambda b: [bytecode(b)]),
            "lambda as loss": entry("compile_config.loss", bytecode),
            "lambda as metric": entry("compile_config.metrics", lambda b: [bytecode(b)]),
            "lambda as initializer": entry(f"{FIRST}.config.kernel_initializer", bytecode),
        },
    ),
    *group(
        "CVE-2025-1550",
        BOTH,
        {
            "os.system": entry(f"{FIRST}.config.activation", function("system", "os")),
            "subprocess": alone(layer("Popen", "subprocess", args=["touch", "x"])),
            "builtins.eval": network(gadget("eval", "builtins")),
            "numpy.load": network(gadget("load", "numpy")),
            "a class of pickle": entry("config.network", layer("Unpickler", "pickle")),
        },
    ),
    *group(
        "CVE-2025-8747",
        BOTH,
        {
            "get_file": network(get_file, dense()),
            "load_model": network(gadget("load_model", "keras.models")),
            "func_load": network(gadget("func_load", "keras.src.utils.python_utils")),
            "load_img": network(gadget("load_img", "keras.preprocessing.image")),
        },
    ),
    *group(
        "CVE-2025-9906",
        BOTH,
        {
            "unsafe": alone(layer("enable_unsafe_deserialization", "keras.config"), lambda_layer),
            "unsafe by a function": network(
                gadget("enable_unsafe_deserialization", "keras.config"), lambda_layer
            ),
        },
    ),
    *group(
        "CVE-2025-49655",
        BOTH,
        {
            "torch": network(torch_module, dense()),
            "jax": network(layer("JaxLayer", call_fn=None), dense()),
            "flax": network(layer("FlaxLayer", module=None), dense()),
        },
    ),
    *group(
        "CVE-2025-9905",
        BOTH,
        {
            "legacy h5": legacy_h5,
        },
    ),
    *group(
        "CVE-2025-12058",
        BOTH,
        {
            "StringLookup": network(lookup("StringLookup"), dense()),
            "IntegerLookup": network(lookup("IntegerLookup"), dense()),
            "TextVectorization": network(lookup("TextVectorization"), dense()),
        },
    ),
    *group(
        "CVE-2026-1462",
        BOTH,
        {
            "TFSMLayer": network(tfsm),
        },
    ),
    *group(
        "CVE-2026-12481",
        BOTH,
        {
            "wrapped lambda": network(wrapped_lambda),
            "nested safe_mode": network(nested_lambda),
        },
    ),
    *group(
        "network",
        BOTH,
        {
            "data set as condition": entry(
                "config.conditions", [function("load_data", "keras.datasets.mnist")]
            ),
            "application": network(gadget("ResNet50", "keras.applications", weights="imagenet")),
        },
    ),
    *group(
        "import",
        BOTH,
        {
            "imported module": network(layer("Hub", "keras_hub.layers")),
            "imported part of Keras": network(layer("Trainer", "keras.src.trainers.trainer")),
            "dotted name": network(layer("datasets.mnist.load_data", "keras")),
            "typespec": entry(
                "config.network",
                {
                    "class_name": "__typespec__",
                    "spec_name": "system",
                    "module": "os",
                    "config": ["id"],
                    "registered_name": None,
                },
            ),
        },
    ),
    *group(
        "config",
        BOTH,
        {
            "condition of Keras": entry("config.conditions", [function("sin", "keras.ops")]),
            "condition that is not registered": entry(
                "config.conditions", [function("growth", "__main__")]
            ),
            "hard condition of Keras": network(
                own(
                    "HardCondition",
                    "kpinn.layers",
                    network=dense(),
                    coordinates="x",
                    distance=function("load_data", "keras.datasets.imdb"),
                )
            ),
        },
    ),
    *group(
        "CVE-2026-12479",
        BOTH,
        {
            "layer name": network(dense(name="../../../canary")),
            "name of the PINN": entry("config.name", "../../../canary"),
        },
    ),
    *group(
        "CVE-2025-12638",
        KPINN,
        {
            "member that climbs": members(traversal),
            "member that is a link": members(link_member),
        },
    ),
    *group(
        "CVE-2024-55459",
        BOTH,
        {
            "tar": raw(tar),
        },
    ),
    *group(
        "config",
        BOTH,
        {
            "scales NaN": entry("config.scales", {"x": float("nan")}),
            "scales text": entry("config.scales", {"x": "1"}),
            "scales negative": entry("config.scales", {"x": -1.0}),
            "scales of a stranger": entry("config.scales", {"__class__": 1.0}),
            "scales a list": entry("config.scales", [1.0]),
            "loss weight NaN": entry("compile_config.loss_weights", {"decay": float("nan")}),
            "loss weight infinite": entry("compile_config.loss_weights.decay", float("inf")),
            "loss weight text": entry("compile_config.loss_weights.decay", "2.0"),
            "loss weight of a stranger": entry("compile_config.loss_weights.other", 1.0),
            "strict text": entry("config.method", own("Taylor", strict="x")),
            "method with another entry": entry("config.method", own("Taylor", code="x")),
            "accuracy 3": entry("config.method", own("FiniteDifference", accuracy=3)),
            "step NaN": entry("config.method", own("FiniteDifference", step={"x": float("nan")})),
            "method unknown": entry("config.method", "os.system"),
            "coordinates a number": entry("config.coordinates", 7),
            "coordinates a path": entry("config.coordinates", "../../etc"),
            "coordinates __class__": entry("config.coordinates", "__class__"),
            "fields a dict": entry("config.fields", {"u": 1}),
            "unknown __class__": entry(
                "config.unknowns", [{"name": "__class__", "initial": 1.0, "positive": False}]
            ),
            "unknown NaN": entry(
                "config.unknowns", [{"name": "k", "initial": float("nan"), "positive": False}]
            ),
            "unknown with more": entry(
                "config.unknowns", [{"name": "k", "initial": 1.0, "positive": True, "x": 1}]
            ),
            "entry of a stranger": entry("config.__class__", "x"),
            "no network": of_config(lambda config, base: config["config"].pop("network") and None),
            "network a text": entry("config.network", "/etc/passwd"),
            "network an optimizer": entry("config.network", own("LBFGS")),
            "mixed precision text": entry("config.allow_mixed_precision", "yes"),
            "dtype text": entry(f"{FIRST}.config.dtype", "string"),
            "dtype of an array": entry(
                "config.network",
                {"class_name": "__numpy__", "config": {"value": [0], "dtype": "V2000000000"}},
            ),
            "run_eagerly text": entry("compile_config.run_eagerly", "x"),
            "compile argument": entry("compile_config.code", "x"),
            "optimizer a layer": entry("compile_config.optimizer", dense()),
        },
    ),
]
