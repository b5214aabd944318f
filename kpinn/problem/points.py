"""Points as users give them, checked and turned into tensors of one shape of structure."""

import dataclasses
import hashlib
import math

import numpy as np
import tensorflow as tf

from kpinn.derivatives.columns import half_range
from kpinn.options import did_you_mean, flag
from kpinn.options.arrays import as_dict, real_array
from kpinn.problem import fresh
from kpinn.problem.arguments import Array, Quantity


@dataclasses.dataclass(frozen=True, eq=False)
class Data:
    """Points, targets and sample weights.

    Equal arrays are one tensor, and stay one where a compiled function takes a `Data`, so that it
    can see which conditions have the same points.

    Attributes:
        points: dict from condition to a dict of tensors `(n, k)`; or one such dict for all
            conditions, whose derivatives are then computed once.
        targets: dict from condition to tensor.
        sample_weight: dict from condition to tensor.
        streams: pairs of a `Stream`, which draws points anew in each step, and the names of the
            conditions that have them (none for all); `points` are those that are in no step.
        at: the run, epoch and step of streams that are still to be drawn, else empty.
        share: the `Share` of a replica, where this is not the whole step.
    """

    points: dict
    targets: dict
    sample_weight: dict
    streams: tuple = ()
    at: tuple = ()
    share: object = None

    @property
    def parts(self):
        """The tuple that Keras takes: points, targets, sample weights."""
        return self.points, self.targets, self.sample_weight

    def in_memory(self, names):
        """The conditions among these whose points are arrays."""
        streamed = {each for _, streamed in self.streams for each in streamed or names}
        return [name for name in names if name not in streamed]

    def __tf_flatten__(self):
        """How `tf.nest` and `tf.function` take it apart: where the tensors are, and each once."""
        found, trees = {}, (*self.parts, dict(enumerate(self.at)))
        places = tuple(_places(part, found) for part in trees)
        return (places, self.streams), tuple(tensor for _, tensor in found.values())

    @classmethod
    def __tf_unflatten__(cls, metadata, components):
        """The inverse of `__tf_flatten__`."""
        places, streams = metadata
        *parts, at = (_filled(part, components) for part in places)
        return cls(*parts, streams, tuple(at.values()))


def _places(tree, found):
    """Nested dicts as pairs, with the numbers of tensors in the place of tensors."""
    if isinstance(tree, dict):
        return tuple((name, _places(part, found)) for name, part in tree.items())
    return found.setdefault(id(tree), (len(found), tree))[0]


def _filled(places, tensors):
    if isinstance(places, int):
        return tensors[places]
    return {name: _filled(part, tensors) for name, part in places}


def is_shared(points):
    """Whether one set of points serves all conditions."""
    return not any(isinstance(value, dict) for value in points.values())


def widths_of(arrays):
    """The number of columns of each array of a set, by name."""
    return {name: 1 if len(a.shape) == 1 else a.shape[1] for name, a in arrays.items()}


def sets_of(problem, points):
    """Pairs of the names of conditions and the arrays on which they are evaluated together.

    Sets whose coordinates are the same tensors are one.

    Args:
        problem: the `Problem`.
        points: as in `Data`.
    """
    if is_shared(points):
        return [(tuple(problem.conditions), points)]
    coordinates, found = problem.space.coordinates, []
    for name, arrays in in_order(problem, points).items():
        for names, others in found:
            if _is_same_set(arrays, others, coordinates):
                names.append(name)
                others.update(arrays)
                break
        else:
            found.append(([name], dict(arrays)))
    return [(tuple(names), arrays) for names, arrays in found]


def _is_same_set(arrays, others, coordinates):
    same = {name for name, array in arrays.items() if others.get(name) is array}
    return same.issuperset(coordinates) and same.issuperset(arrays.keys() & others.keys())


def in_order(problem, found):
    """A dict by condition in the order of the conditions."""
    return {name: found[name] for name in problem.conditions if name in found}


def unpack(x, y=None, sample_weight=None):
    """Splits `points`, `(points, targets)` or `(points, targets, sample_weight)`."""
    if isinstance(x, tuple | list):
        if (y, sample_weight) != (None, None) and len(x) > 1:
            raise ValueError("targets are given twice: in the tuple of points and beside it.")
        x, y, sample_weight = (*x, *(y, sample_weight)[len(x) - 1 :])
    return x, y, sample_weight


def prepare(problem, x, y=None, sample_weight=None, every=False):
    """Checks arrays and turns them into tensors in the dtype of the network.

    Args:
        problem: the `Problem`.
        x: points; or a tuple with targets and sample weights.
        y: targets.
        sample_weight: sample weights.
        every: whether each condition must have points.

    Returns:
        A `Data`.

    Raises:
        ValueError: by name, for a missing, empty, non-finite or misshapen array.
    """
    x, y, sample_weight = map(as_dict, unpack(x, y, sample_weight))
    x, streams = fresh.streams_in(x) if fresh.has_streams(x) else (x, ())
    names, every = list(problem.conditions), flag("every", every)
    x = {name: as_dict(part) for name, part in x.items()} if isinstance(x, dict) else x
    if not isinstance(x, dict) or not x:
        raise ValueError(
            f"points are {type(x).__name__}: expected a dict of arrays by coordinate, or a dict "
            f"of those by condition ({', '.join(names)})."
        )
    if is_shared(x) and not set(x) <= set(names):
        points = one_set("all conditions", x, problem, names)
        present = names
    else:
        check_known(x, names, "points are given for")
        if every and (missing := [name for name in names if name not in x]):
            raise ValueError(
                f"no points for the condition{'s' * (len(missing) > 1)} {', '.join(missing)}: "
                f"each of {', '.join(names)} needs a dict of arrays."
            )
        kept = {}
        points = {n: one_set(n, x[n], problem, [n], kept) for n in names if n in x}
        present = list(points)
    sizes = {name: _count(points if is_shared(points) else points[name]) for name in present}
    over_sets = [name for name in present if problem.conditions[name].over_set]
    sizes |= dict.fromkeys(over_sets, 1)
    targets = _by_condition("targets", y, present, sizes, problem)
    weights = _by_condition("sample_weight", sample_weight, present, sizes, problem)
    if streams:
        fresh.refuse_values(streams, set(targets) - set(over_sets), set(weights) - set(over_sets))
    return Data(points, targets, weights, streams)


def one_set(where, arrays, problem, conditions, kept=None):
    """The arrays of one set of points as tensors, those that conditions need.

    Args:
        where: what the set is called in errors.
        arrays: dict from name to array.
        problem: the `Problem`.
        conditions: names of the conditions on these points; `None` to keep every array.
        kept: a dict of the tensors of other sets, which are taken for equal arrays; it grows.
    """
    arrays = as_dict(arrays)
    if not isinstance(arrays, dict):
        raise ValueError(
            f"points of {where!r} are {type(arrays).__name__}: expected a dict of arrays by name, "
            f"with {', '.join(problem.space.coordinates)}."
        )
    dtype, arrays = problem.dtype.as_numpy_dtype, _repeated(where, arrays, problem.space)
    arrays = {name: _array(where, name, values, dtype) for name, values in arrays.items()}
    for name, part in problem.space.coordinates.items():
        if name not in arrays:
            raise ValueError(
                f"points of {where!r} lack the {problem.space.kind(name)} {name!r}: there are "
                f"{', '.join(arrays) or 'none'}.{did_you_mean(name, arrays)}"
            )
        if arrays[name].shape[1] != part.stop - part.start:
            raise ValueError(
                f"{problem.space.kind(name)} {name!r} of {where!r} has the shape "
                f"{arrays[name].shape}: expected (n, {part.stop - part.start})."
            )
    counts = {name: len(values) for name, values in arrays.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"the arrays of {where!r} have different numbers of points: {counts}.")
    needed = arrays if conditions is None else _needed(arrays, problem, conditions)
    kept = {} if kept is None else kept
    return {name: _tensor(name, values, kept) for name, values in arrays.items() if name in needed}


def _repeated(where, arrays, space):
    """Arrays with parameters that have one value for all points repeated."""
    if not space.parameters:
        return arrays
    found = {name: real_array(f"{name!r} of {where!r}", values) for name, values in arrays.items()}
    others = [found[n] for n in space.coordinates if n in found and n not in space.parameters]
    counts = [array.shape[0] for array in others if array.ndim]
    for name in found.keys() & space.parameters if counts else ():
        size = space.coordinates[name].stop - space.coordinates[name].start
        if found[name].size == size:
            found[name] = np.broadcast_to(found[name].reshape(1, size), (counts[0], size))
    return found


def _tensor(name, values, kept):
    """The tensor of an array; that of an equal one of the same name, if there is one."""
    key = name, values.shape, hashlib.sha256(np.ascontiguousarray(values)).digest()
    if key not in kept:
        kept[key] = tf.constant(values)
    return kept[key]


def _needed(arrays, problem, conditions):
    """Names of the coordinates, and of the arrays and directions that conditions ask for."""
    widths = {name: array.shape[1] for name, array in arrays.items()}
    needed = set(problem.space.coordinates)
    for name in conditions:
        for argument in problem.arguments_at(problem.conditions[name], widths):
            if isinstance(argument, Array):
                needed.add(argument.name)
            elif isinstance(argument, Quantity):
                needed.update(argument.request.directions)
    return needed


def _array(where, name, values, dtype):
    label = f"{name!r} of {where!r}"
    with np.errstate(over="ignore"):  # too large for the dtype: infinite, which is refused
        array = real_array(label, values).astype(dtype, copy=False)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ValueError(f"{label} has the shape {array.shape}: expected (n, 1) or (n,).")
    if not array.size:
        raise ValueError(f"{label} is empty: its shape is {array.shape}.")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).any(axis=1).sum())
        raise ValueError(f"{label} has NaN or infinity in {bad} of {len(array)} points.")
    return array


def _count(arrays):
    return next(iter(arrays.values())).shape[0]


def _by_condition(what, given, names, sizes, problem):
    """Targets or sample weights as a dict from condition to tensor."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        if len(names) > 1:
            raise ValueError(
                f"{what} of several conditions are a dict by condition ({', '.join(names)}), not "
                f"{type(given).__name__}."
            )
        given = {names[0]: given}
    check_known(given, names, f"{what} are given for")
    dtype = problem.dtype.as_numpy_dtype
    arrays = {}
    for name, values in given.items():
        if values is not None:
            array = _array(what, name, values, dtype)
            if len(array) != sizes[name]:
                over_set = problem.conditions[name].over_set
                count = "the one residual of its set" if over_set else f"{sizes[name]} points"
                raise ValueError(f"{what} of {name!r} have {len(array)} rows for {count}.")
            if what == "sample_weight" and array.shape[1] != 1:
                raise ValueError(
                    f"sample_weight of {name!r} has the shape {array.shape}: expected (n,), one "
                    "weight for each point."
                )
            arrays[name] = tf.constant(array)
    return arrays


def scales(points, coordinates):
    """Half the range of each coordinate over all sets of points, as floats by name.

    They are rounded to powers of two, so that a new random draw has the same scales.
    """
    sets = [points] if is_shared(points) else list(points.values())
    ranges = {
        name: float(half_range(tf.concat([tf.reshape(s[name], (-1,)) for s in sets], axis=0)))
        for name in coordinates
    }
    return {name: 2.0 ** round(math.log2(value)) for name, value in ranges.items()}


def counts(names, data):
    """The number of points of each condition, by name."""
    points, shared = data.points, is_shared(data.points)
    return {name: _count(points if shared else points[name]) for name in names}


def batch(data, rows):
    """Some rows of sets. Equal tensors stay one where they are taken by the same rows.

    Args:
        data: a `Data`.
        rows: dict from condition to an index tensor; conditions that it lacks keep all.
    """
    if not rows:
        return data
    taken = {}

    def some(name, array):
        if name not in rows:
            return array
        key = id(array), id(rows[name])
        if key not in taken:
            taken[key] = tf.gather(array, rows[name])
        return taken[key]

    def every(part):
        return {name: some(name, array) for name, array in part.items()}

    if is_shared(data.points):
        name = next(iter(rows))
        points = {key: some(name, array) for key, array in data.points.items()}
    else:
        points = {
            name: {key: some(name, array) for key, array in arrays.items()}
            for name, arrays in data.points.items()
        }
    return Data(points, every(data.targets), every(data.sample_weight), data.streams)


FEW = 64  # points by which the shapes of residuals and targets are seen


def first_rows(data):
    """The first few rows of each set."""
    return tf.nest.map_structure(lambda array: array[:FEW], data)


def sizes(data):
    """The different numbers of points of the sets."""
    return sorted({int(array.shape[0]) for array in tf.nest.flatten(data)})


def check_known(given, names, what):
    """Raises `ValueError` for a key of `given` that is not a condition."""
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(
            f"{what} {', '.join(map(repr, unknown))}, but the conditions are {', '.join(names)}."
            f"{did_you_mean(unknown[0], names)}"
        )


def minus_target(name, residual, target):
    """A residual `(n, k)` minus its target, which may be `None`.

    Args:
        name: name of the condition.
        residual: its tensor.
        target: a tensor of the same shape.

    Raises:
        ValueError: for another shape.
    """
    if target is None:
        return residual
    check_target(name, residual, target)
    return residual - tf.cast(target, residual.dtype)


def check_target(name, residual, target):
    """Raises `ValueError` for a target of another shape than the residual `(n, k)`."""
    if not tf.TensorShape(residual.shape).is_compatible_with(target.shape):
        raise ValueError(
            f"targets of {name!r} have the shape {tuple(target.shape)}, but the condition returns "
            f"{tuple(residual.shape)}: expected one target for each residual."
        )
