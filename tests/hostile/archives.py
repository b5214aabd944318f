"""Configs with sizes that no network has, and archives that Keras does not write."""

import json

from hostile.base import BOTH, KPINN, group
from hostile.keras_files import (
    archive,
    bomb_config,
    bomb_weights,
    dense,
    entry,
    layer,
    members,
    nest,
    network,
    own,
    raw,
    twice,
)

SIZES_AND_ARCHIVES = [
    *group(
        "size",
        BOTH,
        {
            "units": network(dense(10**12)),
            "units, not so many": network(dense(4 * 10**6), dense(4 * 10**6)),
            "units negative": network(dense(-1)),
            "input shape": network(dense(3) | {"build_config": {"input_shape": [None, 10**9]}}),
            "units of kpinn": network(
                own("FourierFeatures", "kpinn.layers", units=10**12), dense()
            ),
            "harmonics": network(
                own("PeriodicEmbedding", "kpinn.layers", periods=[1.0], harmonics=10**9), dense()
            ),
            "harmonics as a float": network(
                own("PeriodicEmbedding", "kpinn.layers", periods=[1.0], harmonics=1e9), dense()
            ),
            "directions": entry("config.method", own("Stochastic", directions=10**9)),
            "coordinates": entry("config.coordinates", "x[1000000000]"),
            "fields": entry("config.fields", "u[1000000000]"),
            "copies of many": network(
                dense(100), layer("RepeatVector", n=10**7), layer("Flatten"), dense(name="last")
            ),
            "pictures": network(
                layer("Reshape", target_shape=[1, 1, 1]),
                layer("UpSampling2D", size=[30_000, 30_000]),
                dense(name="last"),
            ),
            "copies": network(layer("RepeatVector", n=10**9)),
            "memory of an optimizer": entry("compile_config.optimizer", own("LBFGS", memory=10**9)),
            "steps": entry("compile_config.steps_per_execution", 10**12),
            "layers": network(*[dense(1, name=f"d{i}") for i in range(20_000)]),
        },
    ),
    *group(
        "size",
        KPINN,
        {
            "nested": nest(100_000),
        },
    ),
    *group(
        "size",
        BOTH,
        {
            "nested 500": entry("config.network", json.loads("[" * 500 + "]" * 500)),
            "long text": entry("config.coordinates", "x " * 10**6),
        },
    ),
    *group(
        "archive",
        KPINN,
        {
            "zip bomb in the config": members(bomb_config),
            "zip bomb in the weights": members(bomb_weights),
        },
    ),
    *group(
        "archive",
        BOTH,
        {
            "cut": raw(lambda b: (b.folder / "good.keras").read_bytes()[:2_000]),
            "empty": raw(b""),
            "text": raw(b"import os; os.system('id')"),
            "members twice": members(twice),
        },
    ),
    *group(
        "archive",
        KPINN,
        {
            "no config": members(lambda file, base: file.writestr("metadata.json", "{}")),
        },
    ),
    *group(
        "archive",
        BOTH,
        {
            "no weights": members(
                lambda file, base: file.writestr("config.json", json.dumps(base.config))
            ),
            "config no JSON": lambda base, folder: archive(
                base, folder / "model.keras", "__import__('os')"
            ),
        },
    ),
]
