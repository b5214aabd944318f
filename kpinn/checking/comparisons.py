"""Derivatives by `"taylor"` against the witnesses: differences, tapes, and the model as it is used.

Differences know their own error, so that no tolerance is needed; tapes are tried where they are
right. What is wrong is traced to an operation.
"""

import math

import numpy as np
import tensorflow as tf

from kpinn.checking.cross_check import rows_of
from kpinn.checking.diagnosis import Tracer
from kpinn.checking.differences import difference
from kpinn.checking.kinks import near_kinks
from kpinn.checking.subject import REFUSALS
from kpinn.derivatives.methods.stochastic import Stochastic
from kpinn.derivatives.methods.taylor import Taylor
from kpinn.derivatives.readout import read_out
from kpinn.derivatives.requests import SUMS, partials

EXACT = Taylor | Stochastic  # methods that go by Taylor coefficients
MOST_PARTIALS = 200  # of which differences are taken

# Differences -------------------------------------------------------------------------------


def compare_with_differences(check):
    """Compares with extrapolated differences.

    Args:
        check: the `CrossCheck`, whose exact values are known.
    """
    known = _differences(check)
    for name in check.requests:
        if len(check.partials(name)) > MOST_PARTIALS:
            message = f"no differences of its {len(check.partials(name))} partial derivatives."
            check.add("note", name, message)
        elif check.order(name):
            _judge_differences(check, name, known)


def take_differences(check):
    """Takes differences for exact, for a function that has no derivatives in TensorFlow."""
    known = _differences(check)
    for name in check.requests:
        found, error = _read(check, name, known)
        check.take(name, found, np.ones(len(error), bool))
        check.finite[name] = rows_of(error < 0.01 * check.sizes[name], all)


def _differences(check):
    """By axes what `difference` finds, for all requests with few of them."""
    known = {(): (check.fields, np.zeros_like(check.fields), np.zeros_like(check.fields))}
    for name in check.requests:
        every = check.partials(name)
        for axes in every if len(every) <= MOST_PARTIALS else ():
            if axes not in known:
                scales = {axis: check.where.scale(axis) for axis in axes}
                how = axes, check.directions, scales, check.best.epsilon
                known[axes] = difference(check.best.function, check.points, *how)
    return known


def _read(check, name, known):
    """The values of a request by differences, and bounds for their errors."""
    request, space = check.requests[name], check.best.context.space
    keys = partials(request, space)
    values, errors = (
        {key: tf.constant(known[key[1]][i][:, key[0], None]) for key in keys} for i in (0, 1)
    )
    found = np.asarray(read_out(request, space, values))
    largest = max([1.0, *(abs(factor) for factor, _ in request.terms)])
    error = 2.0 * largest * np.asarray(sum(errors.values()))
    return found, np.broadcast_to(error.reshape(-1, *[1] * (found.ndim - 1)), found.shape)


def _judge_differences(check, name, known):
    """One derivative against the differences that its parts have."""
    found, error = _read(check, name, known)
    size, exact = check.sizes[name], check.exact[name]
    near = near_kinks(check, name, {axes: known[axes][2] for axes in check.partials(name)})
    with np.errstate(invalid="ignore"):
        apart = np.abs(exact - found)
        candidates = check.finite[name] & ~near
        judged = candidates & rows_of(error < 0.01 * size, all)
        rounding = 1e5 * check.best.epsilon * size
        wrong = judged & rows_of(apart > 10.0 * error + rounding, any)
    if (unsure := int((candidates & ~judged).sum())) > 0:
        message = f"at {unsure} of {len(judged)} points the error of differences exceeds 1 %."
        check.add("note", name, message)
    if not judged.any():
        return
    check.errors[name]["taylor, differences"] = float(np.max(apart[judged]) / size)
    check.errors[name]["differences"] = float(np.max(error[judged]) / size)
    if not wrong.any():
        check.confirmed.add(name)
        return
    causes = check.diagnose(Tracer.wrong_rules, check.curve(name), check.order(name))
    message = (
        f"'taylor' is not what differences of the values are, at {wrong.sum()} of {judged.sum()} "
        f"points. {causes or ''}"
    )
    severity = "error" if isinstance(check.where.method, EXACT) else "warning"
    check.add(severity, name, message.strip())


# Tapes -------------------------------------------------------------------------------------


def compare_with_tapes(check):
    """Compares with nested tapes, and with a forward accumulator if the model uses one."""
    for method in ("reverse", "forward") if check.where.method == "forward" else ("reverse",):
        for subject in on_tapes(check):
            for name, found in _by_tapes(check, subject, method).items():
                _compare_with_tapes(check, name, found, subject, method)


def on_tapes(check):
    """The subjects that tapes are tried on: custom gradients are in the model itself only."""
    is_custom = check.custom_gradients and check.own is not check.best
    return [check.own, check.best] if is_custom else [check.best]


def _by_tapes(check, subject, method):
    """What tapes give, without the orders at which they are refused."""
    names = [name for name in check.requests if check.order(name)]
    try:
        return check.values(subject, method, names) if names else {}
    except REFUSALS as error:
        if check.where.method == method:
            check.add("error", "", f"method={method!r} is refused: {error}")
        else:
            reason = str(error).partition(". ")[0]
            check.add("note", "", f"tapes are not compared from order 2 on: {reason}.")
    names = [name for name in names if check.order(name) < 2]
    try:
        return check.values(subject, method, names) if names else {}
    except REFUSALS:
        return {}


def _compare_with_tapes(check, name, found, subject, method):
    known = check.finite[name] & rows_of(np.isfinite(found), all)
    if (lost := int((check.finite[name] & ~known).sum())) > 0:
        message = f"{method!r} gives NaN or infinity at {lost} points where 'taylor' does not."
        check.add(_severity_of_tapes(check, name, method), name, message)
    if known.any():
        error = check.error(name, found, known)
        judge_tapes(check, name, f"taylor, {method}", error, subject, method)


def judge_tapes(check, name, key, error, subject, method):
    """Keeps the relative error of tapes in one subject, and says so if it is too large.

    The model itself, tried for its custom gradients, counts where these are others than those of
    its values; elsewhere the copy in float64, which has none and is more precise.
    """
    if key in check.errors[name]:
        return
    in_copy = subject is check.best
    rounding = 0.0 if in_copy else check.error(name, check.taylor_in_own_dtype[name])
    differs = not error <= subject.epsilon**0.5 + 10.0 * rounding
    if differs or in_copy:
        check.errors[name][key] = error
    if differs:
        where = "in the gradient of its mean square, " if key.startswith("gradient") else ""
        right = ", and differences agree with 'taylor'" if name in check.confirmed else ""
        message = f"{where}{method!r} and 'taylor' differ{right}."
        if subject is check.own and check.custom_gradients:
            message += (
                f" {', '.join(check.custom_gradients[:3])} ends a tf.custom_gradient: 'taylor' "
                "differentiates the function itself, tapes use the custom rule, which is another "
                "one or cannot be differentiated again."
            )
        check.add(_severity_of_tapes(check, name, method), name, message)


def _severity_of_tapes(check, name, method):
    """A warning where something else confirms `"taylor"`, and the model does not use tapes."""
    fine = name in check.confirmed and check.where.method != method
    return "warning" if fine else "error"


# As used -----------------------------------------------------------------------------------


def compare_as_used(check):
    """Finds what the model loses by its method and its dtype."""
    method, own = check.where.method, check.own
    if isinstance(method, Stochastic):
        for name, request in check.requests.items():
            if request.operator in SUMS:
                message = "estimates it along random directions; it is checked as it is."
                check.add("note", name, f"{method} {message}")
        method = Taylor()
    if own is check.best and isinstance(method, Taylor):
        return
    how = f"{repr('taylor' if isinstance(method, Taylor) else method)} in {own.dtype.name}"
    try:
        found = check.values(own, method)
    except REFUSALS as error:
        check.add("error", "", f"{how} fails: {error}")
        return
    for name, value in found.items():
        error = check.errors[name]["as used"] = check.error(name, value)
        if not error < 1e-3:
            check.add("warning" if error < 0.5 else "error", name, _lost(how, own, error))


def _lost(how, own, error):
    digits = max(0.0, -math.log10(error)) if np.isfinite(error) else 0.0
    if own.dtype == tf.float64:
        advice = "use an exact method, or another step or accuracy."
    else:
        advice = (
            "use float64 (kpinn.set_float64), or scale the coordinates and the model so that less "
            "cancels."
        )
    return f"{how} keeps {digits:.1f} digits of it: {advice}"
