"""Arrays of points as columns: of the coordinates, side by side, and of directions."""

import tensorflow as tf

from kpinn.options import did_you_mean
from kpinn.options.arrays import COMPLEX, real_array


def as_columns(arrays, space, dtype):
    """Arrays by name as tensors `(n, k)`; one value of a parameter is repeated for all points."""
    if not space.parameters:
        return {name: as_column(name, values, dtype) for name, values in arrays.items()}
    columns = {n: as_column(n, v, dtype) for n, v in arrays.items() if n not in space.parameters}
    first = next((columns[name] for name in space.coordinates if name in columns), None)
    for name in arrays.keys() & space.parameters:
        values = float_tensor(name, arrays[name], dtype)
        size = space.coordinates[name].stop - space.coordinates[name].start
        if first is not None and values.shape.num_elements() in (size, None):  # one, or not known
            count = tf.shape(first)[0] if first.shape[0] is None else first.shape[0]
            values = tf.broadcast_to(tf.reshape(values, (-1, size)), (count, size))
        columns[name] = as_column(name, values, dtype)
    return {name: columns[name] for name in arrays}


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
                f"points lack the {space.kind(name)} {name!r}: there are "
                f"{', '.join(arrays) or 'none'}.{did_you_mean(name, arrays)}"
            )
        size = part.stop - part.start
        if arrays[name].shape[-1] != size:
            raise ValueError(
                f"{space.kind(name)} {name!r} has the shape {tuple(arrays[name].shape)}: expected "
                f"(n, {size})."
            )
        counts[name] = arrays[name].shape[0]
        columns.append(arrays[name])
    if len({count for count in counts.values() if count is not None}) > 1:
        raise ValueError(f"the coordinates have different numbers of points: {counts}.")
    return columns[0] if len(columns) == 1 else tf.concat(columns, axis=1)


def directions_of(arrays, space):
    """Vectors of directions over all columns, from those over some of them (`Space.bases`)."""
    directions, bases = {}, space.bases
    for name, vectors in arrays.items():
        if name not in space.coordinates and vectors.shape[-1] in bases:
            directions[name] = _over_all(vectors, bases[vectors.shape[-1]], space.input_size)
    return directions


def _over_all(vectors, columns, size):
    if len(columns) == size:
        return vectors
    zero = tf.zeros_like(vectors[:, :1])
    position = {column: i for i, column in enumerate(columns)}
    parts = [
        vectors[:, position[i] : position[i] + 1] if i in position else zero for i in range(size)
    ]
    return tf.concat(parts, axis=1)


def half_range(values):
    """Half the range of the values; where that is zero their size, but at least one."""
    spread = (tf.reduce_max(values) - tf.reduce_min(values)) / 2.0
    size = tf.maximum(tf.reduce_max(tf.abs(values)), 1.0)
    return tf.where(spread > 0, spread, size)
