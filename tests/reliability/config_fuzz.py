"""Random faults in the configs of kpinn's objects: each is loaded, or refused by a `ValueError`.

    python tests/reliability/config_fuzz.py --inputs 100000

A config is that of a real object as it stands in a `.keras` file, with one to three entries, at any
depth, replaced, renamed, removed, added or nested. It prints, for each class, how many were
accepted, how many were refused, and the longest time of computing. The exit status is 1 if one took
longer than a second, or if anything else than a `ValueError` or an object that can be written again
came out.
"""

import argparse
import collections
import copy
import json
import random
import sys
import time

import keras

import kpinn

LONGEST = 1.0  # seconds of computing for one input

VALUES = [
    None, True, False, 0, 1, -1, 2, 7, 10**12, -(10**12), 2**63, 10**400, 0.5, -0.5, 1e308, 1e-320,
    float("nan"), float("inf"), float("-inf"), "", "x", "u", "u_x", "t x", "float16", "string",
    "complex64", "relu", "__class__", "../../etc/passwd", "/etc/passwd", "a b", "é", "\x00",
    "a" * 300,
    [], {}, [[]], [None], ["x"], [1.0, 2.0], {"x": 1.0}, {"class_name": "__lambda__", "config": {}},
    {"class_name": "Lambda", "module": "keras.layers", "config": {}, "registered_name": None},
    {"class_name": "function", "module": "os", "config": "system", "registered_name": "system"},
    {"class_name": "load_data", "module": "keras.datasets.mnist", "config": {}},
    {"class_name": "__numpy__", "config": {"value": [1], "dtype": "V100"}}, [[[[[[[[1]]]]]]]],
]  # fmt: skip


@keras.saving.register_keras_serializable(package="fuzz")
def decay(u, u_t):
    return u_t + u


@keras.saving.register_keras_serializable(package="fuzz")
def distance(t):
    return t


def objects():
    """The objects whose configs are changed, by name."""
    network = kpinn.networks.MLP(units=2, depth=1)
    network.build((None, 1))
    pinn = kpinn.PINN(network, "t", "u", conditions=[decay], method=kpinn.Taylor(strict=True))
    pinn.unknown("k", 0.5, positive=True)
    pinn.compile("adam", loss_weights={"decay": 2.0}, metrics={"decay": ["mae"]})
    optimizers = kpinn.optimizers
    adam = keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(1e-3, 10, 0.9))
    modified, siren = kpinn.networks.ModifiedMLP(units=2, depth=1), kpinn.networks.SIREN(2, 1)
    found = [
        kpinn.Taylor(strict=True),
        kpinn.FiniteDifference(accuracy=4, step={"t": 0.1}),
        kpinn.Stochastic(directions=4),
        kpinn.layers.Derivatives(network, "u, u_t", "t", method=kpinn.Taylor()),
        kpinn.layers.FiniteDifference(network, "u_t", "t", step=0.1),
        kpinn.layers.PeriodicEmbedding([None, 2.0], harmonics=2),
        kpinn.layers.FourierFeatures(4, [1.0, 2.0]),
        kpinn.layers.Rescale([0.0, 1.0], [1.0, 2.0]),
        kpinn.layers.FactorizedDense(3, "tanh"),
        kpinn.layers.RandomFeatures(5, scale=[1.0, 2.0], windows=[1, 2], interactions=1),
        kpinn.layers.Separable(3, 1, 2),
        kpinn.layers.Interpolation([0.0, 1.0, 2.0], [1.0, 2.0, 1.0], [1], "clamp"),
        kpinn.layers.HardCondition(network, "t", 1.0, distance),
        kpinn.layers.Scaled(network, {"t": (0.0, 2.0)}, {"u": (1.0, 3.0)}),
        kpinn.layers.TimeWindows(network, "t", {"u": 1.0}, 2, "u", [0.0, 1.0, 2.0]),
        modified.layers[0],
        siren.layers[0].activation,
        siren.layers[0].kernel_initializer,
        kpinn.losses.Mean(),
        kpinn.losses.Product(),
        optimizers.LBFGS(),
        optimizers.SSBroyden(),
        optimizers.LevenbergMarquardt(project="last"),
        optimizers.SPRING(),
        optimizers.ScipyMinimize(maxcor=5),
        optimizers.Sequence([(adam, 2), (optimizers.BFGS(), 3)]),
        pinn,
    ]
    return {type(each).__name__: each for each in found}


def places(config, path=()):
    """The paths of all entries of nested data."""
    pairs = config.items() if isinstance(config, dict) else enumerate(config)
    for name, value in pairs:
        yield (*path, name)
        if isinstance(value, dict | list):
            yield from places(value, (*path, name))


def changed(config, generator):
    """A copy with one fault."""
    config = copy.deepcopy(config)
    path = generator.choice(list(places(config)))
    parent = config
    for name in path[:-1]:
        parent = parent[name]
    name, value = path[-1], copy.deepcopy(generator.choice(VALUES))
    kind = generator.choice(["replace"] * 6 + ["remove", "add", "rename", "nest", "double"])
    if kind == "replace":
        parent[name] = value
    elif kind == "nest":
        parent[name] = generator.choice([[parent[name]], {"x": parent[name]}])
    elif kind == "double" and isinstance(parent, list):
        parent.append(parent[name])
    elif isinstance(parent, dict) and kind == "rename":
        parent[generator.choice(["__init__", "x", "self", name.upper()])] = parent.pop(name)
    elif isinstance(parent, dict) and kind == "add":
        parent[generator.choice(["__class__", "x", "self", "seed", "dtype"])] = value
    else:
        parent.pop(name)
    return config


def attempt(whole):
    """Loads a config; returns `"accepted"`, `"refused"` or a text that says what is wrong."""
    try:
        made = keras.saving.deserialize_keras_object(json.loads(json.dumps(whole)))
    except ValueError:
        return "refused"
    except Exception as error:  # what must not be
        return f"{type(error).__name__}: {str(error)[:300]}"
    try:
        if "NaN" in json.dumps(keras.saving.serialize_keras_object(made)):
            return "accepted, with NaN in it"
    except Exception as error:  # what must not be
        return f"accepted, and then {type(error).__name__}: {str(error)[:300]}"
    return "accepted"


def run(inputs, seed, slowly=0.02):
    """Tries random configs.

    Args:
        inputs: how many.
        seed: of the random numbers.
        slowly: the part of them that are of a whole PINN, which takes longer.

    Returns:
        A dict from class to a `Counter` of outcomes, a dict from class to the longest time, and a
        list of `(class, config, what is wrong)`.
    """
    generator = random.Random(seed)
    configs = {n: keras.saving.serialize_keras_object(o) for n, o in objects().items()}
    configs = {name: json.loads(json.dumps(each)) for name, each in configs.items()}
    names = [name for name in configs if name != "PINN"]
    counts, longest = collections.defaultdict(collections.Counter), collections.Counter()
    faults = []
    for _ in range(inputs):
        name = "PINN" if generator.random() < slowly else generator.choice(names)
        whole = dict(configs[name])
        parts = [part for part in ("config", "compile_config") if whole.get(part)]
        for _ in range(generator.choice([1, 1, 2, 3])):
            part = generator.choice(parts)
            whole[part] = changed(whole[part], generator) if whole[part] else {}
        begin = time.process_time()
        outcome = attempt(whole)
        longest[name] = max(longest[name], time.process_time() - begin)
        if outcome not in ("accepted", "refused"):
            faults.append((name, whole, outcome))
            outcome = "fault"
        counts[name][outcome] += 1
    return counts, longest, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts, longest, faults = run(options.inputs, options.seed)
    print(f"{'class':20} {'accepted':>9} {'refused':>9} {'faults':>7} {'longest':>9}")
    for name, count in counts.items():
        figures = f"{count['accepted']:9} {count['refused']:9} {count['fault']:7}"
        print(f"{name:20} {figures} {longest[name]:7.3f} s")
    kinds = {(name, outcome[:40]): (name, whole, outcome) for name, whole, outcome in faults}
    for name, whole, outcome in list(kinds.values())[:20]:
        print(f"\n{name}: {outcome}\n{json.dumps(whole)[:6000]}")
    print(f"\n{options.inputs} inputs, {len(faults)} faults, longest {max(longest.values()):.3f} s")
    return 1 if faults or max(longest.values()) > LONGEST else 0


if __name__ == "__main__":
    sys.exit(main())
