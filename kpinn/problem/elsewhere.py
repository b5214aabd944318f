"""The argument `at` of conditions and derived fields: a function that gives fields elsewhere."""

import dataclasses
import math

import tensorflow as tf

from kpinn.derivatives.channels.channels_per_point import wants_channels_per_point
from kpinn.derivatives.columns import float_tensor
from kpinn.derivatives.names.declarations import split_names
from kpinn.options import did_you_mean
from kpinn.options import names as names_of
from kpinn.problem import refusals
from kpinn.problem.arguments import At, order


class Elsewhere:
    """Fields, derivatives and operators at other points than those of a condition.

    It is called with names and with coordinates: numbers, scalar tensors, `(n, 1)`, `(n, q)` for
    `q` points for each point of the condition, or `(1, q)` for the same ones for all. A coordinate
    with `k` components takes `(k,)`, `(n, k)` or `(n, q, k)`. Those that are left out are the
    point's own. What it returns is differentiable in all of them.

    Args:
        evaluation: what has `problem`, `points` `(n, d)`, `arrays`, `method`, and the function
            `values` from arguments to a dict of tensors.
    """

    def __init__(self, evaluation):
        self._evaluation = evaluation

    def __call__(self, requests, **coordinates):
        """The values of the names: a tensor, or a tuple of several.

        Args:
            requests: as in `kpinn.derivatives`, `"u, u_x"`.
            **coordinates: by name.

        Returns:
            For each name `(n, q)`, for a vector or an operator `(n, q, ...)`, without the second
            axis where `q` is 1. Where no coordinate differs from point to point it is evaluated
            once.
        """
        here = self._evaluation
        names, space = here.problem.names, here.problem.space
        asked = _asked(names, requests, {n: array.shape[1] for n, array in here.arrays.items()})
        self._refuse_wrong(requests, asked)
        directions = {name for each in asked for name in each.request.directions}
        given = _coordinates(space, here.points, coordinates)
        given |= {name: here.arrays[name][:, None] for name in directions}
        count, several = _common(given, 0), _common(given, 1)
        if _is_one(count) and wants_channels_per_point():  # each point has rows of its own
            given |= {n: v + 0.0 * here.points[:, None, :1] for n, v in given.items()}
            count = _size(here.points, 0)
        rows = {name: _rows(each, count, several) for name, each in given.items()}
        points = tf.concat([rows[name] for name in space.coordinates], axis=1)
        arrays = {name: rows[name] for name in directions}
        found = dataclasses.replace(here, points=points, arrays=arrays).values(asked)
        sizes = count, several, _size(here.points, 0)
        return _returned([_shaped(found[a.name], a.request.shape(space), *sizes) for a in asked])

    def _refuse_wrong(self, requests, asked):
        here = self._evaluation
        if here.method in ("forward", "reverse"):
            highest = max(order(argument.request) for argument in asked)
            refusals.refuse_stopped(here.problem, here.method, highest, f"at({requests!r})")


class _StandIn:
    """Stands for `Elsewhere` where a condition is looked at, and no network is there.

    Args:
        problem: the `Problem`.
        widths: of the arrays of the points.
        values: a tensor `(n, 1)`, of which nothing is known.
    """

    def __init__(self, problem, widths, values):
        self._problem, self._widths, self._values = problem, widths, values

    def __call__(self, requests, **coordinates):
        """A function of the coordinates, not linear in any, in the shape of what is asked for."""
        names, space = self._problem.names, self._problem.space
        asked = _asked(names, requests, self._widths)
        own = tf.tile(self._values, (1, space.input_size))
        given = _coordinates(space, own, coordinates)
        count, several = _common(given, 0), _common(given, 1)
        rows = [_rows(each, count, several) for each in given.values()]
        total = tf.reduce_sum(tf.sin(tf.concat(rows, axis=1)), axis=1, keepdims=True)
        if _is_one(count):  # the same for all points, and as unknown as others
            total = total + 0.0 * self._values[:1]
        shapes = [each.request.shape(space) for each in asked]
        sizes = count, several, _size(own, 0)
        every = [(tf.tile(total, (1, math.prod(shape))), shape) for shape in shapes]
        return _returned([_shaped(*each, *sizes) for each in every])


def stand_in(problem, function, widths):
    """A condition or derived field with `at`, as what may be called with a tensor `(n, 1)` for it.

    Args:
        problem: the `Problem`.
        function: a `Function`.
        widths: dict from the arrays of its points to their numbers of columns.
    """
    name = At.name
    return lambda values: function(values | {name: _StandIn(problem, widths, values[name])})


def _asked(names, requests, widths):
    """The `Quantity` of each name; `ValueError` for a name without meaning."""
    listed = split_names(names_of("names of at()", requests, "u, u_x"))
    try:
        return [names.quantity(name, widths) for name in listed]
    except ValueError as error:
        raise ValueError(f"at({requests!r}): {error}") from None


def _coordinates(space, points, given):
    """All coordinates as tensors `(n or 1, q or 1, k)` by name."""
    unknown = [name for name in given if name not in space.coordinates]
    if unknown:
        raise ValueError(
            f"at(..., {unknown[0]}=...): {unknown[0]!r} is no coordinate. There are "
            f"{', '.join(space.coordinates)}.{did_you_mean(unknown[0], space.coordinates)}"
        )
    found = {}
    for name, part in space.coordinates.items():
        size = part.stop - part.start
        if name in given:
            found[name] = _column(name, float_tensor(name, given[name], points.dtype), size)
        else:
            found[name] = points[:, None, part]
    return found


def _column(name, values, size):
    rank = values.shape.rank
    if size == 1 and rank in (0, 2):
        return tf.reshape(values, (1, 1, 1)) if rank == 0 else values[:, :, None]
    if size > 1 and rank in (1, 2, 3) and values.shape[-1] == size:
        return {1: values[None, None], 2: values[:, None], 3: values}[rank]
    wanted = "a number, (n, 1), (n, q) or (1, q)"
    if size > 1:
        wanted = f"({size},), (n, {size}) or (n, q, {size})"
    raise ValueError(
        f"at(..., {name}=...) has the shape {tuple(values.shape)}: expected {wanted}. Nodes (q,) "
        "that all points have in common get the shape (1, q)."
    )


def _common(given, axis):
    """The size that tensors have along an axis after broadcasting; an int where it is known."""
    sizes = {name: each.shape[axis] for name, each in given.items() if each.shape[axis] != 1}
    known = {size for size in sizes.values() if size is not None}
    if len(known) > 1:
        what = "numbers of points" if axis == 0 else "numbers of columns"
        raise ValueError(f"at(): the coordinates have different {what}: {sizes}.")
    if known or not sizes:
        return known.pop() if known else 1
    return tf.shape(given[next(iter(sizes))])[axis]


def _is_one(size):
    return isinstance(size, int) and size == 1


def _size(tensor, axis):
    return tf.shape(tensor)[axis] if tensor.shape[axis] is None else tensor.shape[axis]


def _rows(values, count, several):
    """Values `(n or 1, q or 1, k)` as `(n q, k)`."""
    size = values.shape[2]
    return tf.reshape(tf.broadcast_to(values, (count, several, size)), (-1, size))


def _shaped(values, shape, count, several, points):
    """Values `(count several, *shape)` as `(points, several, *shape)`, see `Elsewhere.__call__`."""
    if shape == (1,):
        shape = (several,)
    elif not _is_one(several):
        shape = (several, *shape)
    values = tf.reshape(values, (count, *shape))
    return tf.broadcast_to(values, (points, *shape)) if _is_one(count) else values


def _returned(found):
    return found[0] if len(found) == 1 else tuple(found)
