"""Derivatives by `"taylor"` against the witnesses: differences, tapes, and the model as it is used.

Differences know their own error, so that no tolerance is needed; tapes are tried where they are
right. What is wrong is traced to an operation.
"""

import math

import numpy as np
import tensorflow as tf

from kpinn.checking.cross_check import rows_of
from kpinn.checking.diagnosis import Tracer
from kpinn.checking.kinks import near_kinks
from kpinn.checking.subject import REFUSALS
from kpinn.derivatives.methods.stochastic import Stochastic
from kpinn.derivatives.methods.taylor import Taylor
from kpinn.derivatives.names.operators import SUMS
from kpinn.derivatives.names.requests import partials
from kpinn.derivatives.readout import read_out

MOST_PARTIALS = 200  # of which differences are taken

# Differences -------------------------------------------------------------------------------


def compare_with_differences(check):
    """Compares with extrapolated differences."""
    for name in check.requests:
        if (count := len(check.partials(name))) > MOST_PARTIALS:
            check.add("note", name, f"no differences of its {count} partial derivatives.")
        elif check.order(name):
            _judge_differences(check, name)


def take_differences(check):
    """Takes differences for exact, for a function that has no derivatives in TensorFlow."""
    for name in check.requests:
        found, error = _by_differences(check, name)
        check.take(name, found, np.ones(len(error), bool))
        check.finite[name] = rows_of(error < 0.01 * check.sizes[name], all)


def _by_differences(check, name):
    """The values of a request by differences, and bounds for their errors."""
    request, space = check.requests[name], check.best.context.space
    values, errors = {}, []
    for column, axes in partials(request, space):
        value, error, _ = check.difference(axes)
        values[column, axes] = tf.constant(value[:, column, None])
        errors.append(error[:, column, None])
    found = np.asarray(read_out(request, space, values))
    largest = max([1.0, *(abs(factor) for factor, _ in request.terms)])
    error = 2.0 * largest * sum(errors)
    return found, np.broadcast_to(error.reshape(-1, *[1] * (found.ndim - 1)), found.shape)


def _judge_differences(check, name):
    found, error = _by_differences(check, name)
    size, candidates = check.sizes[name], check.finite[name] & ~near_kinks(check, name)
    with np.errstate(invalid="ignore"):
        judged = candidates & rows_of(error < 0.01 * size, all)
        allowed = 10.0 * error + 1e5 * check.best.epsilon * size
        wrong = judged & rows_of(np.abs(found - check.exact[name]) > allowed, any)
    if (unsure := int((candidates & ~judged).sum())) > 0:
        message = f"at {unsure} of {len(judged)} points the error of differences exceeds 1 %."
        check.add("note", name, message)
    if not judged.any():
        return
    check.errors[name]["taylor, differences"] = check.error(name, found, judged)
    check.errors[name]["differences"] = float(np.max(error[judged]) / size)
    if not wrong.any():
        check.confirmed.add(name)
        return
    causes = check.diagnose(Tracer.wrong_rules, check.curve(name), check.order(name)) or ""
    message = (
        f"'taylor' is not what differences of the values are, at {wrong.sum()} of {judged.sum()} "
        f"points. {causes}"
    )
    is_exact = isinstance(check.where.method, Taylor | Stochastic)
    check.add("error" if is_exact else "warning", name, message.strip())


# Tapes -------------------------------------------------------------------------------------


def compare_with_tapes(check):
    """Compares with nested tapes, or a forward accumulator if the model uses one."""
    method = check.tapes
    for subject in on_tapes(check):
        for name, found in _by_tapes(check, subject).items():
            finite = check.finite[name]
            known = finite & rows_of(np.isfinite(found), all)
            if (lost := int((finite & ~known).sum())) > 0:
                message = (
                    f"{method!r} gives NaN or infinity at {lost} points where 'taylor' does not."
                )
                check.add(_severity_of_tapes(check, name), name, message)
            if known.any():
                error = check.error(name, found, known)
                judge_tapes(check, name, f"taylor, {method}", error, subject)


def on_tapes(check):
    """The subjects that tapes are tried on: custom gradients are in the model itself only."""
    is_custom = check.custom_gradients and check.own is not check.best
    return [check.own, check.best] if is_custom else [check.best]


def _by_tapes(check, subject):
    """What tapes give, without the orders at which they are refused."""
    method, names = check.tapes, [name for name in check.requests if check.order(name)]
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


def judge_tapes(check, name, key, error, subject):
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
        message = f"{where}{check.tapes!r} and 'taylor' differ{right}."
        if subject is check.own and check.custom_gradients:
            message += (
                f" {', '.join(check.custom_gradients[:3])} ends a tf.custom_gradient: 'taylor' "
                "differentiates the function itself, tapes use the custom rule, which is another "
                "one or cannot be differentiated again."
            )
        check.add(_severity_of_tapes(check, name), name, message)


def _severity_of_tapes(check, name):
    """A warning where something else confirms `"taylor"`, and the model does not use tapes."""
    fine = name in check.confirmed and check.where.method != check.tapes
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
    name = "'taylor'" if isinstance(method, Taylor) else repr(method)
    how = f"{name} in {own.dtype.name}"
    try:
        found = check.values(own, method)
    except REFUSALS as error:
        check.add("error", "", f"{how} fails: {error}")
        return
    for name, value in found.items():
        error = check.errors[name]["as used"] = check.error(name, value)
        if not error < 1e-3:
            digits = max(0.0, -math.log10(error)) if np.isfinite(error) else 0.0
            message = f"{how} keeps {digits:.1f} digits of it: {_advice(own.dtype)}"
            check.add("warning" if error < 0.5 else "error", name, message)


def _advice(dtype):
    if dtype == tf.float64:
        return "use an exact method, or another step or accuracy."
    return (
        "use float64 (kpinn.set_float64), or scale the coordinates and the model so that less "
        "cancels."
    )
