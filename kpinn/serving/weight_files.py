"""Files of weights, looked at before anything is read from them."""

import contextlib
import math

import h5py

from kpinn.backend.keras_private import close_for, opened_file

MOST_OBJECTS = 100_000
EXPANSION = 100  # most bytes of a dataset for each that is stored
SLACK = 2**20  # bytes
FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)


def check_h5(file):
    """Raises `ValueError` unless an HDF5 file holds numbers, all of them in itself.

    No links to other files or places, no data in other files, no filters that HDF5 would load, no
    datasets that are far larger than what is stored of them.

    Args:
        file: an open `h5py.File`.
    """
    waiting, seen = [("", file)], set()
    while waiting:
        path, group = waiting.pop()
        for name in group:
            place = f"{path}/{name}"
            if group.get(name, getclass=True, getlink=True) is not h5py.HardLink:
                raise ValueError(f"{place!r} is a link: expected groups and arrays.")
            child = group[name]
            key = h5py.h5o.get_info(child.id).addr
            if key in seen or len(seen) > MOST_OBJECTS:
                raise ValueError(f"{place!r} is there twice, or the file has too many objects.")
            seen.add(key)
            if isinstance(child, h5py.Group):
                waiting.append((place, child))
            else:
                _check_array(place, child)


def _check_array(place, dataset):
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "biufcV":
        raise ValueError(f"{place!r} is no array of numbers.")
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{place!r} takes its numbers from another file.")
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    if not all(each in FILTERS for each in filters):
        raise ValueError(f"{place!r} is compressed by the unknown filters {filters}.")
    declared = math.prod(dataset.shape or (0,)) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    if declared > EXPANSION * stored + SLACK:
        raise ValueError(f"{place!r} has {declared} bytes, of which {stored} are stored.")


def check_store(store):
    """`check_h5` of what Keras loads from; if it raises, Keras loads nothing more from there.

    Args:
        store: what Keras passes to `load_own_variables`.
    """
    file = opened_file(store)
    if file is None:
        return
    try:
        check_h5(file)
    except (ValueError, OSError, RuntimeError, KeyError, AttributeError) as error:
        refused = ValueError(f"the weights are not loaded: {error}")
        close_for(store, refused)
        raise refused from error


@contextlib.contextmanager
def faults_of(path):
    """A block in which errors of HDF5 for what is no file of weights become `ValueError`."""
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except (OSError, RuntimeError, KeyError, AttributeError, EOFError) as error:
        raise ValueError(f"{path!r} is no file of weights that Keras writes: {error}") from error
