"""Whether a value at a point depends on other points, tried on numbers."""

import numpy as np
import tensorflow as tf

from kpinn.derivatives.errors import FAILURES
from kpinn.derivatives.per_point.copies import at_once

SCALES = (1.0, 30.0, 1000.0)  # of the normal distributions from which points are drawn
ROUNDING = 100.0  # machine epsilons


def drawn(generator, count, size, known=None):
    """Functions that draw points `(count, size)`: of several sizes, and like known points."""

    def like_known():
        rows = known[generator.integers(len(known), size=count)]
        spread = np.ptp(known, axis=0) + 0.1 * np.abs(known).max(axis=0)
        return rows + 0.05 * spread * generator.uniform(-1.0, 1.0, rows.shape)

    found = [lambda: generator.uniform(0.5, 1.5, (count, size))]
    found += [lambda s=s: s * generator.standard_normal((count, size)) for s in SCALES]
    return found if known is None else [*found, like_known]


def depends(function, draws, epsilon, digits=None):
    """Whether some row of the outputs depends on another row of the inputs.

    Args:
        function: from an array `(n, d)` to an array `(n, ...)`, the same for the same input.
        draws: functions that draw arrays `(n, d)`.
        epsilon: machine epsilon of the function.
        digits: see `subsets`.

    Returns:
        True or False; `None` if it could be called on none of them, or is constant there.
    """
    verdict = None
    for draw in draws:
        try:
            found = _depends_at(function, draw, epsilon, digits)
        except FAILURES:  # numbers outside of the domain of the function
            continue
        if found:
            return True
        verdict = found if verdict is None else verdict
    return verdict


def _depends_at(function, draw, epsilon, digits):
    rows = draw()
    count, values = len(rows), function(rows)
    if values.shape[:1] != (count,) or not np.array_equal(values, function(rows), equal_nan=True):
        return None  # no row for each point, or random numbers: others look at that
    answers = False
    for changed in subsets(count, digits):
        others = function(np.where(changed[:, None], draw(), rows))
        if differs(others[~changed], values[~changed], ROUNDING * epsilon):
            return True
        answers = answers or differs(others[changed], values[changed], ROUNDING * epsilon)
    return False if answers else None


def subsets(count, digits=None):
    """Boolean arrays `(n,)`, such that for each two points one holds the first and not the second.

    They are those whose number has a certain digit in the binary system.

    Args:
        count: number of points.
        digits: number of digits that are looked at, the lowest ones first; by default all.
    """
    numbers = np.arange(count)
    for bit in range(max(count - 1, 1).bit_length() if digits is None else digits):
        ones = (numbers >> bit & 1).astype(bool)
        yield from (part for part in (ones, ~ones) if part.any() and not part.all())


def differs(found, expected, tolerance):
    """Whether arrays differ by more than a part of the largest number of each column."""
    finite = np.isfinite(expected)
    if not np.array_equal(finite, np.isfinite(found)):
        return True
    size = np.abs(np.where(finite, expected, 0.0)).max(axis=0, keepdims=True, initial=0.0)
    apart = np.abs(np.where(finite, found, 0.0) - np.where(finite, expected, 0.0))
    return bool(np.any(apart > tolerance * size))


def gradients_reach(function, draws, dtype):
    """Whether the gradient of some rows of the outputs reaches other rows of the inputs.

    Args:
        function: from a tensor `(n, d)` to a tensor `(n, ...)`.
        draws: functions that draw arrays `(n, d)`, of which the first that can be used is.
        dtype: dtype of the tensors.
    """

    def gradients(rows):
        return _gradients(function, tf.constant(rows, dtype), np.ones(len(rows)))

    def tried():
        for draw in draws:
            try:
                rows = draw()
                parts = [_reach(function, tf.constant(rows, dtype), c) for c in subsets(len(rows))]
                return any(parts) or depends(gradients, [draw], _epsilon(dtype)) is True
            except FAILURES:
                continue
        return False

    return at_once(tried)


def _reach(function, rows, changed):
    found = _gradients(function, rows, 1.0 - changed)
    return found[changed].max() > ROUNDING * _epsilon(rows.dtype) * found[~changed].max()


def _epsilon(dtype):
    return np.finfo(dtype.as_numpy_dtype).eps


def _gradients(function, rows, weights):
    """The sizes of the gradients of a weighted sum over the rows of the outputs, an array."""
    with tf.GradientTape() as tape:
        tape.watch(rows)
        values = function(rows)
        varied = np.random.default_rng(0).uniform(0.5, 1.5, values.shape)
        varied *= weights.reshape([-1] + [1] * (values.shape.rank - 1))
        total = tf.reduce_sum(tf.cast(varied, values.dtype) * values)
    found = tape.gradient(total, rows, unconnected_gradients="zero")
    return np.nan_to_num(np.abs(np.asarray(tf.convert_to_tensor(found), np.float64)))
