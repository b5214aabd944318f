"""Makers of `.keras` files, and of what their configs say."""

import base64
import copy
import io
import json
import marshal
import tarfile
import zipfile

import h5py


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
        "config": {
            "code": dumped,
            "defaults": None,
            "closure": None,
            "value": [dumped, None, None],
        },
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
