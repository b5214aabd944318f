"""Kinks of a function: what they hide from derivatives, and how near the points are to them."""

import numpy as np

from kpinn.checking.diagnosis import Tracer
from kpinn.checking.differences import moved
from kpinn.derivatives.methods.finite_difference import FiniteDifference, relative_step, stencil
from kpinn.derivatives.operations import facts_of

SMOOTH = "use a smooth activation, such as tanh, silu, gelu or softplus."


def near_kinks(check, name):
    """Points `(n,)` at which the differences of a derivative go across a kink."""
    reach = {}
    for axes in check.partials(name):
        widths = 2.0 * check.difference(axes)[2].max(axis=1)
        for axis in axes:
            reach[axis] = np.maximum(reach.get(axis, 0.0), widths * check.where.scale(axis))
    rows, places = _crossed(check, reach)
    if rows.any():
        message = (
            f"{rows.sum()} of {len(rows)} points are not compared with differences, whose steps "
            f"go across a kink of {places} there."
        )
        check.add("note", name, message)
    return rows


def _crossed(check, reach):
    """Points at which operations choose otherwise within a distance by axis; the operations."""
    rows, found = np.zeros(len(check.points), bool), {}
    if any(step.moves and facts_of(step.operation).choice for step in check.steps):
        for axis, distance in reach.items():
            distance = np.reshape(distance, (-1, 1))
            low = moved(check.points, axis, -distance, check.directions)
            high = moved(check.points, axis, distance, check.directions)
            found |= check.diagnose(Tracer.crossed, low, high) or {}
            rows = np.logical_or.reduce([rows, *found.values()])
    return rows, _listed(found)


def look_at_kinks(check):
    """Finds what kinks hide from derivatives of order two and above, and from differences."""
    kinks = [check.tracer.where(step.operation) for step in check.steps if _has_kinks(step)]
    high = [name for name in check.requests if check.order(name) > 1]
    zero = [name for name in high if not np.nan_to_num(check.exact[name]).any()]
    for name in zero:
        message = "zero at all points."
        if kinks:
            message += (
                " Between its kinks the model is linear in the coordinates, by "
                f"{_listed(kinks)}, so that an equation of this order cannot see it: {SMOOTH}"
            )
        check.add("warning" if kinks else "note", name, message)
    if kinks and set(high) - set(zero):
        message = (
            f"{_listed(kinks)} has kinks. Derivatives of the second order and above do not see "
            f"the jumps of the first one there: where that matters, {SMOOTH}"
        )
        check.add("note", "", message)
    if kinks and isinstance(check.where.method, FiniteDifference):
        _look_at_steps(check)


def _has_kinks(step):
    """Whether the step has kinks in the coordinates, and not only behind a stop."""
    if not step.moves or not facts_of(step.operation).has_kinks:
        return False
    users = step.operation.outputs[0].consumers()
    return not users or any(user.type != "StopGradient" for user in users)


def _look_at_steps(check):
    """Points at which the finite differences that the model uses go across a kink."""
    method, context, orders = check.where.method, check.own.context, {}
    for axes in [axes for name in check.requests for axes in check.partials(name)]:
        orders |= {axis: max(orders.get(axis, 0), len(axes)) for axis in axes}
    reach = {}
    for axis, order in orders.items():
        step = method.step_for(context.name(axis))
        if step is None:
            relative = relative_step(order, method.accuracy, context.epsilon)
            step = relative * check.where.scale(axis)
        offsets = [abs(offset) for offset, _ in stencil(order, method.accuracy, method.scheme)]
        reach[axis] = max(offsets) * step
    rows, places = _crossed(check, reach)
    if rows.any():
        message = (
            f"at {rows.sum()} of {len(rows)} points the steps of {method} go across a kink of "
            f"{places}: a difference there is an average over both sides."
        )
        check.add("warning", "", message)


def _listed(places):
    """The first three of the places of operations."""
    places = list(dict.fromkeys(places))
    return ", ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")
