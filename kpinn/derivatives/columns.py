"""Arrays of points as columns: of the coordinates, side by side, and of directions."""

import tensorflow as tf

from kpinn.options import did_you_mean
from kpinn.options.arrays import COMPLEX, real_array


def as_column(name, values, dtype):
    """An array `(n,)` or `(n, k)` as a tensor `(n, k)`; raises `ValueError` for anything else."""
    tensor = float_tensor(name, values, dtype)
    if tensor.shape.rank == 1:
        tensor = tensor[:, None]
    if tensor.shape.rank != 2:
        raise ValueError(f"{name!r} has the shape {tuple(tensor.shape)}: expected (n, 1) or (n,).")
    return tensor


def float_tensor(name, values, dtype):
    """An array as a tensor; raises `ValueError` for what is none."""
    label, many = repr(name), values if isinstance(values, list | tuple) else ()
    if not tf.is_tensor(values) and not any(map(tf.is_tensor, many)):
        return tf.constant(real_array(label, values).astype(dtype.as_numpy_dtype))
    try:
        tensor = tf.convert_to_tensor(values)
        if tensor.dtype.is_complex:
            raise TypeError(COMPLEX)
        return tensor if tensor.dtype == dtype else tf.cast(tensor, dtype)
    except (TypeError, ValueError, tf.errors.OpError) as error:
        reason = str(error).rstrip(".")
        raise ValueError(f"{label} is not an array of real numbers: {reason}.") from error


def join_points(arrays, space):
    """The columns of the coordinates side by side, `(n, d)`.

    Raises:
        ValueError: for a missing coordinate, a wrong number of components or of points.
    """
    columns, counts = [], {}
    for name, part in space.coordinates.items():
        if name not in arrays:
            raise ValueError(
                f"points lack the coordinate {name!r}: there are {', '.join(arrays) or 'none'}."
                f"{did_you_mean(name, arrays)}"
            )
        size = part.stop - part.start
        if arrays[name].shape[-1] != size:
            raise ValueError(
                f"coordinate {name!r} has the shape {tuple(arrays[name].shape)}: expected "
                f"(n, {size})."
            )
        counts[name] = arrays[name].shape[0]
        columns.append(arrays[name])
    if len({count for count in counts.values() if count is not None}) > 1:
        raise ValueError(f"the coordinates have different numbers of points: {counts}.")
    return columns[0] if len(columns) == 1 else tf.concat(columns, axis=1)


def directions_of(arrays, space):
    """Vectors of directions over all coordinates, from those over the spatial ones too."""
    directions = {}
    for name, vectors in arrays.items():
        size = vectors.shape[-1]
        if name not in space.coordinates and size in (space.input_size, len(space.spatial)):
            directions[name] = _over_all(vectors, size, space)
    return directions


def _over_all(vectors, size, space):
    if size == space.input_size:
        return vectors
    zero = tf.zeros_like(vectors[:, :1])
    position = {column: i for i, column in enumerate(space.spatial)}
    columns = [
        vectors[:, position[i] : position[i] + 1] if i in position else zero
        for i in range(space.input_size)
    ]
    return tf.concat(columns, axis=1)


def half_range(values):
    """Half the range of the values; where that is zero their size, but at least one."""
    spread = (tf.reduce_max(values) - tf.reduce_min(values)) / 2.0
    size = tf.maximum(tf.reduce_max(tf.abs(values)), 1.0)
    return tf.where(spread > 0, spread, size)
