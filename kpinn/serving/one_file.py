"""An export in one file: where it goes, and that it gives the numbers of the model."""

import hashlib
import os
import pathlib

import numpy as np

from kpinn.backend.files import written_whole
from kpinn.options import is_path, shown

ROWS = 5, 2  # of the points at which the numbers are compared
ROUNDING = {
    "bfloat16": 0.5,
    "float16": 0.1,
    "float32": 1e-2,
    "float64": 1e-5,
}  # more is a wrong translation


def place(path, suffix):
    """The path of a file; `ValueError` for a name of another kind, so that no model is lost."""
    if not is_path(path) or pathlib.Path(path).suffix != suffix or os.path.isdir(path):
        raise ValueError(
            f"filepath is the name of a file of this machine that ends with {suffix}, such as "
            f"'heat{suffix}', not {shown(path)}."
        )
    return pathlib.Path(os.path.realpath(path))


def write(content, path):
    """Writes bytes whole or not at all; returns their SHA-256."""
    with written_whole(path) as new:
        new.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def check_numbers(what, function, served, specs):
    """Raises `ValueError` unless what was translated gives the numbers of the model.

    They are compared at a few points, for two numbers of points where it may be any: not to
    rounding, which trained weights can make large, but closely enough to find a wrong translation.

    Args:
        what: what was translated, for the error.
        function: from arrays by name to a dict of tensors.
        served: the same function as it was translated, to a dict of numpy arrays.
        specs: dict from inputs to `tf.TensorSpec`.
    """
    generator = np.random.default_rng(0)
    for rows in ROWS:
        arrays = {}
        for name, spec in specs.items():
            shape = [rows if size is None else size for size in spec.shape]
            arrays[name] = generator.uniform(0.1, 0.9, shape).astype(spec.dtype.as_numpy_dtype)
        found, expected = served(arrays), function(arrays)
        for name, values in expected.items():
            values = values.numpy()
            size = np.where(np.isfinite(values), np.abs(values), 0).max(initial=0)
            most = size * ROUNDING[values.dtype.name]
            if found[name].shape != values.shape or not np.allclose(
                found[name], values, rtol=0, atol=most, equal_nan=True
            ):
                raise ValueError(
                    f"{what} gives other values of {name!r} than the model at {rows} points: the "
                    "translation of one of its operations is wrong. Nothing was written."
                )
