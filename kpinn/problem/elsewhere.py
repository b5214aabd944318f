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
        names: the `Names`.
        points: `(n, d)`, those of the condition.
        arrays: dict from name to what comes with them, `(n, k)`.
        values: what the fields are: a function of points, of arrays with directions, and of the
            arguments that are wanted, to a dict of tensors.
    """

    def __init__(self, names, points, arrays, values):
        self._names, self._points, self._arrays, self._values = names, points, arrays, values

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
        names, space, own = self._names, self._names.space, self._points
        asked = _asked(names, requests, {n: array.shape[1] for n, array in self._arrays.items()})
        directions = {name for each in asked for name in each.request.directions}
        given = _coordinates(space, own, coordinates)
        given |= {name: self._arrays[name][:, None] for name in directions}
        count, several = _common(given, 0), _common(given, 1)
        if _is_one(count) and wants_channels_per_point():  # each point has rows of its own
            given |= {name: values + 0.0 * own[:, None, :1] for name, values in given.items()}
            count = _size(own, 0)
        rows = {name: _rows(values, count, several) for name, values in given.items()}
        points = tf.concat([rows[name] for name in space.coordinates], axis=1)
        found = self._values(points, {name: rows[name] for name in directions}, asked)
        sizes = count, several, _size(own, 0)
        values = [_shaped(found[a.name], a.request.shape(space), *sizes) for a in asked]
        return values[0] if len(values) == 1 else tuple(values)


def of_evaluation(here):
    """The `Elsewhere` of a condition.

    Args:
        here: the evaluation at its points: it has `problem`, `points` `(n, d)`, `arrays`, `method`
            and the function `values` from arguments to a dict of tensors.
    """

    def values(points, arrays, asked):
        if here.method in ("forward", "reverse"):
            highest = max(order(argument.request) for argument in asked)
            names = ", ".join(argument.name for argument in asked)
            refusals.refuse_stopped(here.problem, here.method, highest, f"at({names!r})")
        return dataclasses.replace(here, points=points, arrays=arrays).values(asked)

    return Elsewhere(here.problem.names, here.points, here.arrays, values)


def stand_in(problem, function, widths):
    """A condition or derived field with `at`, as what may be called with a tensor `(n, 1)` for it.

    There is no network where a condition is looked at: `at` is then a function of the coordinates
    and of the tensor, of which nothing is known and which is linear in none.

    Args:
        problem: the `Problem`.
        function: a `Function`.
        widths: dict from the arrays of its points to their numbers of columns.
    """
    space = problem.space

    def call(given):
        unknown = given[At.name]

        def values(points, arrays, asked):
            total = tf.reduce_sum(tf.sin(points), axis=1, keepdims=True) + 0.0 * unknown[:1]
            sizes = {a.name: math.prod(a.request.shape(space)) for a in asked}
            return {name: tf.tile(total, (1, size)) for name, size in sizes.items()}

        own = tf.tile(unknown, (1, space.input_size))
        arrays = {name: tf.tile(unknown, (1, width)) for name, width in widths.items()}
        return function(given | {At.name: Elsewhere(problem.names, own, arrays, values)})

    return call


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
