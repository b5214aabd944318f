"""The derivatives of a model by its own method in its own dtype, against the exact ones."""

import math

import numpy as np
import tensorflow as tf

from kpinn.checking.subject import REFUSALS
from kpinn.derivatives.methods.stochastic import Stochastic
from kpinn.derivatives.methods.taylor import Taylor
from kpinn.derivatives.requests import SUMS


def compare_as_used(run):
    """Adds to a `Check` what the model loses by its method and its dtype.

    Args:
        run: the `Check`, whose exact values are known.
    """
    method, own = run.where.method, run.own
    if isinstance(method, Stochastic):
        _look_at_estimates(run, method)
        method = Taylor()
    if own is run.best and isinstance(method, Taylor):
        return
    how = f"{_name(method)} in {own.dtype.name}"
    try:
        found = run.values(own, method)
    except REFUSALS as error:
        run.add("error", "", run.with_layers(f"{how} fails: {error}"))
        return
    for name, value in found.items():
        apart = np.abs(value - run.exact[name])[run.finite[name]]
        error = float(np.max(apart, initial=0.0) / run.sizes[name])
        run.errors[name]["as used"] = error
        if not error < 1e-3:
            run.add("warning" if error < 0.5 else "error", name, _lost(how, own, error))


def _look_at_estimates(run, method):
    for name, request in run.requests.items():
        if request.operator in SUMS:
            message = f"{method} estimates it along random directions; it is checked as it is."
            run.add("note", name, message)


def _name(method):
    """A method as a user writes it."""
    return "'taylor'" if isinstance(method, Taylor) else repr(method)


def _lost(how, own, error):
    digits = max(0.0, -math.log10(error)) if np.isfinite(error) else 0.0
    message = f"{how} keeps {digits:.1f} digits of it: "
    if own.dtype == tf.float64:
        return message + "use an exact method, or another step or accuracy."
    return message + (
        "use float64 (kpinn.set_float64), or scale the coordinates and the model so that less "
        "cancels."
    )
