"""Kinks of a function: what they hide from derivatives, and how near the points are to them."""

import numpy as np

from kpinn.checking.judgement import choice
from kpinn.checking.witness import moved
from kpinn.derivatives.context import Context
from kpinn.derivatives.methods.finite_difference import FiniteDifference, relative_step, stencil
from kpinn.derivatives.operations import facts_of

SMOOTH = "use a smooth activation, such as tanh, silu, gelu or softplus."


def near_kinks(run, name, widths):
    """Points at which the differences of the witness go across a kink.

    Args:
        run: the `Check`.
        name: name of the derivative.
        widths: dict from the axes of a partial derivative to its steps relative to the scales,
            arrays `(n, m)`.

    Returns:
        A boolean array `(n,)`.
    """
    reach, found = {}, {}
    for axes, width in widths.items():
        for axis in axes:
            reach[axis] = np.maximum(reach.get(axis, 0.0), 2.0 * width.max(axis=1))
    for axis, distance in reach.items():
        found |= _crossed(run, axis, distance * run.where.scale(axis))
    rows = np.logical_or.reduce([np.zeros(len(run.points), bool), *found.values()])
    if rows.any():
        message = (
            f"{rows.sum()} of {len(rows)} points are not compared with differences, whose steps "
            f"go across a kink of {_listed(run, found)} there."
        )
        run.add("note", name, message)
    return rows


def _crossed(run, axis, distance):
    """By operation the points at which its choice changes within a distance along an axis."""
    names = {step.operation.name for step in run.steps if step.moves and _chooses(step)}
    if not names:
        return {}
    distance = np.reshape(distance, (-1, 1))
    low, high = (moved(run.points, axis, sign * distance, run.directions) for sign in (-1.0, 1.0))
    return run.diagnose(lambda: run.tracer.near_kinks(low, high, names)) or {}


def _chooses(step):
    return choice(step.operation, step.inputs) is not None


def _has_kinks(step):
    """Whether the step has kinks in the coordinates, and not only behind a stop."""
    if not step.moves or not facts_of(step.operation).has_kinks:
        return False
    users = step.operation.outputs[0].consumers()
    return not users or any(user.type != "StopGradient" for user in users)


def look_at_kinks(run):
    """Finds what kinks hide from derivatives of the second order and above, and from differences.

    Args:
        run: the `Check`.
    """
    kinks = [step.operation.name for step in run.steps if _has_kinks(step)]
    high = [name for name in run.requests if run.order(name) > 1]
    zero = [name for name in high if not np.nan_to_num(run.exact[name]).any()]
    for name in zero:
        if kinks:
            run.add("warning", name, _piecewise_linear(run, kinks))
        else:
            run.add("note", name, "zero at all points.")
    if kinks and set(high) - set(zero):
        message = (
            f"{_listed(run, kinks)} has kinks. Derivatives of the second order and above do not "
            f"see the jumps of the first one there: where that matters, {SMOOTH}"
        )
        run.add("note", "", message)
    if kinks and isinstance(run.where.method, FiniteDifference):
        _look_at_steps(run)


def _piecewise_linear(run, kinks):
    return (
        "zero at all points. Between its kinks the model is linear in the coordinates, by "
        f"{_listed(run, kinks)}, so that an equation of this order cannot see it: {SMOOTH}"
    )


def _look_at_steps(run):
    """Points at which the finite differences that the model uses go across a kink."""
    method, own, found, orders = run.where.method, run.own, {}, {}
    for axes in [axes for name in run.requests for axes in run.partials(name)]:
        for axis in axes:
            orders[axis] = max(orders.get(axis, 0), len(axes))
    for axis, order in orders.items():
        step = method.step_for(Context(own.space, own.epsilon).name(axis))
        if step is None:
            relative = relative_step(order, method.accuracy, own.epsilon)
            step = relative * run.where.scale(axis)
        width = max(abs(offset) for offset, _ in stencil(order, method.accuracy, method.scheme))
        found |= _crossed(run, axis, width * step)
    rows = np.logical_or.reduce([np.zeros(len(run.points), bool), *found.values()])
    if rows.any():
        message = (
            f"at {rows.sum()} of {len(rows)} points the steps of {method} go across a kink of "
            f"{_listed(run, found)}: a difference there is an average over both sides."
        )
        run.add("warning", "", message)


def _listed(run, names):
    """The first three of the operations with these names, and their layers."""
    operations = [step.operation for step in run.steps if step.operation.name in names]
    places = list(dict.fromkeys(map(run.tracer.where, operations)))
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    return ", ".join(places[:3]) + more
