"""Finite differences: every stencil point of every request in one forward pass."""

import collections
import dataclasses
import fractions
import functools
import itertools
import math
import warnings

import keras
import tensorflow as tf

from kpinn.derivatives.context import COMMON
from kpinn.derivatives.precision import EPSILON
from kpinn.options import number, one_of, optional
from kpinn.options.configs import FromConfig

SCHEMES = ("central", "forward", "backward")


class PrecisionWarning(UserWarning):
    """A finite difference that loses digits to rounding."""


@keras.saving.register_keras_serializable(package="kpinn")
@dataclasses.dataclass(frozen=True)
class FiniteDifference(FromConfig):
    """Derivatives by finite differences, as a `method=`.

    All stencil points of all requests go through the function in one batch. A derivative is
    differentiable with respect to the parameters: it is the exact gradient of the difference.

    The default step balances truncation and rounding: for order `k` and accuracy `p` it is
    `(k eps / p) ** (1 / (p + k))` times half the range of the coordinate over the points,
    rounded to a power of two so that `x + h` and `1 / h` are exact. Requests share the step of
    the highest order along their coordinate, and so its points.

    Args:
        accuracy: order of accuracy, 2, 4 or 6.
        scheme: `"central"`, `"forward"` (only points at larger coordinates) or `"backward"`.
        step: `None`, a number for every coordinate, or a dict from the name of a coordinate or
            direction to a number, in units of that coordinate.

    Raises:
        ValueError: for other values. When it is used: for a step so small, or an order so high,
            that rounding leaves nothing; a `PrecisionWarning` where it costs much (see
            `check_precision`).

    Example:

        kpinn.derivatives(network, {"x": x}, "u, u_xx", method=kpinn.FiniteDifference(accuracy=4))

    References:
        B. Fornberg, Generation of finite difference formulas on arbitrarily spaced grids,
        Mathematics of Computation 51 (1988), 699-706.
    """

    accuracy: int = 2
    scheme: str = "central"
    step: float | dict | None = None

    def __post_init__(self):
        one_of("accuracy", self.accuracy, (2, 4, 6))
        one_of("scheme", self.scheme, SCHEMES)
        for step in self.step.values() if isinstance(self.step, dict) else [self.step]:
            optional(number, "step", step, "(0, inf)")

    def get_config(self):
        """The arguments, for serialisation."""
        return dataclasses.asdict(self)

    def step_for(self, name):
        """The step that the user chose for a coordinate or direction, or `None`."""
        return self.step.get(name) if isinstance(self.step, dict) else self.step


# Stencils ----------------------------------------------------------------------------------


@functools.cache
def stencil(order, accuracy, scheme):
    """Offsets and weights of one derivative, for the step one.

    Args:
        order: order of the derivative.
        accuracy: order of accuracy.
        scheme: `"central"`, `"forward"` or `"backward"`.

    Returns:
        A tuple of pairs `(offset, weight)`, integers and exact fractions, zero weights left out.
    """
    if order == 0:
        return ((0, fractions.Fraction(1)),)
    if scheme == "central":
        half = (order + 1) // 2 - 1 + accuracy // 2
        offsets = range(-half, half + 1)
    else:
        sign = 1 if scheme == "forward" else -1
        offsets = [sign * i for i in range(order + accuracy)]
    weights = _weights(list(offsets), order)
    return tuple((o, w) for o, w in zip(offsets, weights, strict=True) if w)


def _weights(offsets, order):
    """Weights that are exact for all polynomials of degree below the number of offsets."""
    size = len(offsets)
    rows = [[fractions.Fraction(o) ** k for o in offsets] for k in range(size)]
    right = [fractions.Fraction(math.factorial(order) if k == order else 0) for k in range(size)]
    for i in range(size):  # Gauss-Jordan elimination on exact fractions
        pivot = next(k for k in range(i, size) if rows[k][i])
        rows[i], rows[pivot], right[i], right[pivot] = rows[pivot], rows[i], right[pivot], right[i]
        scale = rows[i][i]
        rows[i], right[i] = [a / scale for a in rows[i]], right[i] / scale
        for k in range(size):
            if k != i and rows[k][i]:
                factor = rows[k][i]
                rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
                right[k] -= factor * right[i]
    return right


def relative_step(order, accuracy, epsilon):
    """The step that balances `step ** accuracy` and `epsilon / step ** order`."""
    return (order * epsilon / accuracy) ** (1.0 / (accuracy + order))


@functools.cache
def _handicap(order, accuracy, scheme):
    """How many times the truncation and the rounding errors exceed those of central stencils."""

    def errors(scheme):
        terms = stencil(order, accuracy, scheme)
        truncation = abs(sum(weight * offset ** (order + accuracy) for offset, weight in terms))
        return truncation, sum(abs(weight) for _, weight in terms)

    return [float(a / b) for a, b in zip(errors(scheme), errors("central"), strict=True)]


def check_precision(order, accuracy, epsilon, scheme="central", step=None, what="the derivative"):
    """Warns or raises where rounding must cost too much.

    For a function and coordinates of size one, rounding alone leaves the error `epsilon /
    step ** order`, and one-sided stencils a multiple of it. A chosen step whose rounding error is
    more than two digits above the error of the best step warns, more than four digits raises.
    With no step given the error of the best step itself is judged: fewer than three digits left
    warns, fewer than two raises.

    Args:
        order: order of the derivative along one axis.
        accuracy: order of accuracy.
        epsilon: machine epsilon of the dtype.
        scheme: `"central"`, `"forward"` or `"backward"`.
        step: the user's step relative to the scale of the coordinate.
        what: name of the derivative, for the message.

    Raises:
        ValueError: more than four digits lost, or fewer than two left.
    """
    best_step = relative_step(order, accuracy, epsilon)
    truncation, rounding = _handicap(order, accuracy, scheme)
    best = truncation * best_step**accuracy + rounding * epsilon / best_step**order
    if step is None:
        left, message = -math.log10(best), _order_message(order, accuracy, epsilon, best, what)
        fatal, doubtful = left < 2, left < 3
    else:
        lost = math.log10(rounding * epsilon / step**order / best)
        fatal, doubtful = lost > 4, lost > 2
        message = (
            f"the finite-difference step for {what} is {step:.2g} of the coordinate's scale, where "
            f"rounding costs {lost:.1f} digits more than the best step, "
            f"{best_step:.1g} (machine epsilon {epsilon:.1g}): "
            "use step=None, float64, or an exact method."
        )
    if fatal:
        raise ValueError(message)
    if doubtful:
        warnings.warn(message, PrecisionWarning, stacklevel=2)


def _order_message(order, accuracy, epsilon, best, what):
    return (
        f"a finite difference for {what}, with accuracy {accuracy}, has an error of about "
        f"{best:.1g} at the best step for machine epsilon {epsilon:.1g}: use a higher "
        "accuracy, the central scheme, float64, or an exact method."
    )


# Evaluation --------------------------------------------------------------------------------


def finite_difference(function, points, wanted, directions, method, context):
    """Partial derivatives by finite differences.

    Args:
        function: `(n, d) -> (n, m)`.
        points: tensor `(n, d)`.
        wanted: set of `(column, axes)`.
        directions: dict of name to vectors `(n, d)`.
        method: a `FiniteDifference`.
        context: the `Context` of the evaluation.

    Returns:
        A dict from `(column, axes)` to tensors `(n, 1)`.
    """
    counts = {axes: collections.Counter(axes) for _, axes in wanted}
    orders = _orders(counts.values())
    with tf.name_scope(COMMON):
        steps = {
            axis: _step(axis, order, points, directions, method, context)
            for axis, order in orders.items()
        }
    weights = {axes: _product(count, method) for axes, count in counts.items()}
    nodes = sorted({node for terms in weights.values() for node in terms}, key=repr)
    shifted = tf.concat([_shift(points, node, steps, directions) for node in nodes], axis=0)
    outputs = _in_dtype_of(points, _called(function, shifted, len(nodes)), context)
    outputs = tf.reshape(outputs, (len(nodes), -1, outputs.shape[-1]))
    index = {node: i for i, node in enumerate(nodes)}
    return {
        (column, axes): _combine(weights[axes], outputs[:, :, column], index, counts[axes], steps)
        for column, axes in wanted
    }


def _called(function, shifted, number):
    """The outputs at all nodes at once; one after the other where the number of points is fixed."""
    try:
        return function(shifted)
    except (ValueError, tf.errors.InvalidArgumentError):
        if number == 1:
            raise
    return tf.concat([function(part) for part in tf.split(shifted, number)], axis=0)


def evaluations(wanted, method):
    """Number of points of the stencil for a set of `(column, axes)`."""
    counts = [collections.Counter(axes) for _, axes in wanted]
    return len({node for count in counts for node in _product(count, method)})


def _in_dtype_of(points, outputs, context):
    """The outputs in the dtype of the points, whose precision the steps were chosen for."""
    if EPSILON.get(outputs.dtype, 0.0) > context.epsilon:
        raise ValueError(
            f"the function returns {outputs.dtype.name} for points in {points.dtype.name}, so that "
            f"the step of a finite difference would be too small: pass {outputs.dtype.name} "
            "points, or the Keras model itself."
        )
    return tf.cast(outputs, points.dtype)


def _orders(counts):
    """For each axis the highest total order of a derivative that it occurs in."""
    orders = {}
    for count in counts:
        for axis in count:
            orders[axis] = max(orders.get(axis, 0), count.total())
    return orders


def _product(count, method):
    """The weights of a mixed derivative: dict from a node to a fraction, for the steps one.

    A node is a tuple of `(axis, offset)` with offsets other than zero.
    """
    axes = sorted(count, key=repr)
    tables = [stencil(count[axis], method.accuracy, method.scheme) for axis in axes]
    terms = {}
    for choice in itertools.product(*tables):
        node = tuple((a, o) for a, (o, _) in zip(axes, choice, strict=True) if o)
        terms[node] = math.prod((w for _, w in choice), start=fractions.Fraction(1))
    return terms


def _step(axis, order, points, directions, method, context):
    name = context.name(axis)
    order += context.inner_order
    what = f"order {order} along {name!r}"
    check = functools.partial(
        check_precision, order, method.accuracy, context.epsilon, method.scheme, what=what
    )
    scale = context.scale(axis, points, directions)
    least = context.least_step(axis, points)
    chosen = method.step_for(name)
    if chosen is None:
        check()
        step = tf.cast(relative_step(order, method.accuracy, context.epsilon), scale.dtype)
        return _power_of_two(tf.where(least > step, least, step) * scale)
    # Inside a graph the range of the points is not known.
    known, needed = tf.get_static_value(scale), tf.get_static_value(least * scale)
    if needed is not None and chosen < needed:
        raise ValueError(
            f"the finite-difference step {chosen:.2g} for {what} is rounded away at coordinates "
            "of this size: use step=None, float64, or move the origin of the coordinate."
        )
    if known is not None:
        check(step=chosen / float(known))
    return tf.constant(chosen, points.dtype)


def _power_of_two(value):
    """The nearest power of two, exactly: the mantissa bits of the float are cleared."""
    double = value.dtype == tf.float64
    dtype, bits, mantissa = (tf.float64, tf.int64, 52) if double else (tf.float32, tf.int32, 23)
    raised = tf.bitcast(tf.cast(value, dtype) * math.sqrt(2.0), bits)
    cleared = tf.bitwise.bitwise_and(raised, tf.constant(-1 << mantissa, bits))
    return tf.stop_gradient(tf.cast(tf.bitcast(cleared, dtype), value.dtype))


def _shift(points, node, steps, directions):
    for axis, offset in node:
        if isinstance(axis, str):
            points += offset * steps[axis] * directions[axis]
        else:
            unit = tf.one_hot(axis, points.shape[1], dtype=points.dtype)
            points += offset * steps[axis] * unit
    return points


def _combine(terms, outputs, index, count, steps):
    """The weighted sum of outputs `(nodes, n)`, divided by the steps: `(n, 1)`."""
    total = tf.add_n([outputs[index[node]] * float(weight) for node, weight in terms.items()])
    for axis, order in count.items():
        for _ in range(order):
            total /= steps[axis]
    return total[:, None]
