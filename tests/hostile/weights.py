"""Makers of files of weights."""

import h5py
import numpy as np

from hostile.base import BOTH, WEIGHTS, group
from hostile.keras_files import archive, raw


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
            found.append(name)
            if isinstance(item, h5py.Dataset) and "layers/dense" in name
            else None
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


WEIGHT_FILES = [
    *group(
        "CVE-2026-1669",
        WEIGHTS,
        {
            "external link": weights(external_link),
            "soft link": weights(soft_link),
            "external data": weights(external_data),
        },
    ),
    *group(
        "CVE-2026-1669",
        BOTH,
        {
            "external data in a .keras": weights(external_data, "archive"),
        },
    ),
    *group(
        "CVE-2026-1669",
        WEIGHTS,
        {
            "virtual data": weights(virtual_data),
        },
    ),
    *group(
        "CVE-2026-0897",
        WEIGHTS,
        {
            "shape bomb": weights(shape_bomb),
        },
    ),
    *group(
        "CVE-2026-0897",
        BOTH,
        {
            "shape bomb in a .keras": weights(shape_bomb, "archive"),
        },
    ),
    *group(
        "CVE-2026-0897",
        WEIGHTS,
        {
            "gzip bomb": weights(gzip_bomb),
        },
    ),
    *group(
        "weights",
        WEIGHTS,
        {
            "texts": weights(texts),
            "unknown filter": weights(unknown_filter),
            "groups in a circle": weights(cycle),
            "another shape": weights(wrong_shape),
            "weights cut": raw(lambda b: b.weights[:3_000], "model.weights.h5"),
            "weights no HDF5": raw(b"GIF89a", "model.weights.h5"),
            "weights of another format": raw(lambda b: b.weights, "model.h5"),
        },
    ),
]
