"""Whether there is something to compare: finite derivatives of a function of single points."""

import numpy as np
import tensorflow as tf

from kpinn.checking.cross_check import rows_of
from kpinn.checking.diagnosis import Tracer, differs
from kpinn.checking.subject import REFUSALS
from kpinn.derivatives.declarations import is_declared
from kpinn.derivatives.methods.finite_difference import FiniteDifference
from kpinn.derivatives.methods.taylor import Taylor


def has_derivatives(check):
    """Computes the exact derivatives; whether there are some with finite numbers."""
    try:
        exact = check.values(check.best, Taylor())
    except REFUSALS as error:
        severity = "note" if isinstance(check.where.method, FiniteDifference) else "error"
        check.add(severity, "", f"there are no derivatives by 'taylor': {error}")
        return False
    if not is_declared(check.own.function) and _points_mix(check):
        return False
    for name, value in exact.items():
        finite = rows_of(np.isfinite(value), all)
        check.take(name, value, finite)
        if not finite.all():
            message = f"it is NaN or infinite at {(~finite).sum()} of {len(finite)} points."
            how = check.curve(name), check.order(name), ~finite
            if first := check.diagnose(Tracer.first_not_finite, *how):
                message += f" The first operation to give such a number: {first}."
            check.add("error", name, message)
    return any(finite.any() for finite in check.finite.values())


def _points_mix(check):
    """Whether the values at one point depend on the others."""
    count = check.points.shape[0]
    rows = np.random.default_rng(check.where.seed).permutation(count)[: (count + 1) // 2]
    whole = check.best.function(check.points)
    for what, part in _others_changed(check, rows):
        if differs(whole, part, rows, count):
            message = (
                f"the values at a point change when other points are {what}, or from call to "
                "call, so that there is no derivative at a point."
            )
            if first := check.diagnose(Tracer.first_mixing, rows):
                message += f" The first operation that does this: {first}."
            check.add("error", "", message)
            return True
    return False


def _others_changed(check, rows):
    """What is done to all other points, and then the values at the points `rows`."""
    function, others = check.best.function, np.ones((check.points.shape[0], 1))
    others[rows] = 0.0
    moves = tf.constant(0.1 * others * check.where.scales, check.best.dtype)
    yield "moved", tf.gather(function(check.points + moves), rows)
    try:
        yield "left out", function(tf.gather(check.points, rows))
    except REFUSALS:  # a function for a fixed number of points
        return
