"""Cross-checks of the derivatives of one function at one set of points.

What `"taylor"` gives is compared with nested tapes, where those are right, and with differences
that know their own error (`witness.py`); what disagrees is traced to an operation (`diagnosis.py`).
"""

import math
import warnings

import numpy as np
import tensorflow as tf

from kpinn.checking.as_used import compare_as_used
from kpinn.checking.diagnosis import Tracer, differs
from kpinn.checking.gradient_check import (
    compare_gradients,
    compare_gradients_with_tapes,
)
from kpinn.checking.kinks import look_at_kinks, near_kinks
from kpinn.checking.report import Finding
from kpinn.checking.subject import REFUSALS
from kpinn.checking.witness import moved, witness
from kpinn.derivatives.errors import DerivativeFallbackWarning
from kpinn.derivatives.methods.finite_difference import FiniteDifference, PrecisionWarning
from kpinn.derivatives.methods.stochastic import Stochastic
from kpinn.derivatives.methods.taylor import Taylor
from kpinn.derivatives.readout import read_out
from kpinn.derivatives.requests import partials
from kpinn.derivatives.tracing import TraceError

EXACT = Taylor | Stochastic  # methods that go by Taylor coefficients
MOST_PARTIALS = 200  # of which differences are taken


def check(best, tapes, own, where):
    """Checks all derivatives at one set of points.

    Args:
        best: the `Subject` in the most precise dtype there is.
        tapes: the one that nested tapes are tried on.
        own: the model as it is.
        where: the `Points`.

    Returns:
        A list of `Finding` and a dict from name to relative errors, see `Report`.
    """
    run = Check(best, own, where)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _compare(run, tapes)
    for warning in caught:
        if issubclass(warning.category, DerivativeFallbackWarning | PrecisionWarning):
            run.add("warning", "", run.with_layers(str(warning.message)))
        else:
            warnings.warn(warning.message, warning.category, stacklevel=2)
    return run.findings, run.errors


def _compare(run, tapes):
    if run.begin():
        run.compare_with_differences()
        run.compare_with_tapes(tapes)
        look_at_kinks(run)
        try:
            compare_gradients(run)
        except REFUSALS as error:
            last = " ".join(str(error).split("\n")[-2:])  # above it TensorFlow lists calls
            run.add("error", "", f"the gradients, or their tf.function, fail: {last}")
        compare_gradients_with_tapes(run, tapes)
        compare_as_used(run)
    elif run.by_differences:
        compare_as_used(run)


class Check:
    """One check.

    Attributes:
        findings: list of `Finding`.
        errors: dict from name to a dict of relative errors.
        exact: dict from name to the values by `"taylor"`, arrays `(n, ...)`.
        sizes: dict from name to what its errors are relative to.
        finite: dict from name to the points where it is finite, boolean arrays `(n,)`.
        confirmed: names of derivatives that differences agree with.
        steps: the operations, see `Step`, empty where they are not known.
        gradients: dict from name to the gradient of its mean square by `"taylor"`.
        by_differences: whether `exact` is by differences, for lack of anything better.
    """

    def __init__(self, best, own, where):
        self.best, self.own, self.where = best, own, where
        self.points, self.directions = where.tensors(best.dtype)
        self.requests = where.requests
        self.findings, self.errors = [], {name: {} for name in where.requests}
        self.exact, self.sizes, self.finite, self.confirmed = {}, {}, {}, set()
        self.steps, self.gradients, self.by_differences = [], {}, False
        try:
            self.tracer = Tracer(best.function, self.points, best.layer)
        except TraceError:  # differentiated by tapes as a whole
            self.tracer = None

    def add(self, severity, name, message):
        """Adds a finding."""
        self.findings.append(Finding(severity, name, message))

    def with_layers(self, message):
        """A message of the engine, which names operations, with the layers of these."""
        return self.tracer.with_layers(message) if self.tracer else message

    def values(self, subject, method, names=None):
        """Values by a method as float64 arrays."""
        points, directions = self.where.tensors(subject.dtype)
        requests = [self.requests[name] for name in names or self.requests]
        found = subject.values(requests, points, directions, method)
        return {name: np.asarray(value, np.float64) for name, value in found.items()}

    # Whether there is something to compare ---------------------------------------------------

    def begin(self):
        """Computes the exact derivatives; whether a comparison makes sense."""
        try:
            self.exact = self.values(self.best, Taylor())
        except REFUSALS as error:
            other = isinstance(self.where.method, FiniteDifference)
            message = self.with_layers(f"there are no derivatives by 'taylor': {error}")
            self.add("note" if other else "error", "", message)
            if other:
                self._take_differences()
            return False
        return not self._points_mix() and self._has_numbers()

    def _has_numbers(self):
        """Finds numbers that are not finite; whether all are at some points."""
        for name, value in self.exact.items():
            self.finite[name] = rows = rows_of(np.isfinite(value), all)
            self.sizes[name] = self._size(name, rows)
            if not rows.all():
                self.add("error", name, self._not_finite(name, ~rows))
        ones = tf.ones_like(self.points)
        self.steps = self.diagnose(lambda: self.tracer.along(ones, 1)[0]) or []
        return any(rows.any() for rows in self.finite.values())

    def diagnose(self, look):
        """What a look at the operations finds; `None` where they cannot be propagated through."""
        try:
            return look() if self.tracer else None
        except REFUSALS:
            return None

    def _points_mix(self):
        """Whether the values at one point depend on the others."""
        count = self.points.shape[0]
        rows = np.random.default_rng(self.where.seed).permutation(count)[: (count + 1) // 2]
        changed = next((what for what, found in self._others_changed(rows) if found), None)
        if changed is None:
            return False
        message = (
            f"the values at a point change when other points are {changed}, or from call to call, "
            "so that there is no derivative at a point."
        )
        operation = self.diagnose(lambda: self.tracer.mixing(rows))
        if operation is not None:
            message += f" The first operation that does this: {self.tracer.where(operation)}."
        self.add("error", "", message)
        return True

    def _others_changed(self, rows):
        """Whether the values at the points `rows` change with the others, by what is done."""
        count, function = self.points.shape[0], self.best.function
        whole = function(self.points)
        others = np.ones((count, 1))
        others[rows] = 0.0
        elsewhere = self.points + tf.constant(0.1 * others * self.where.scales, self.best.dtype)
        yield "moved", differs(whole, tf.gather(function(elsewhere), rows), rows, count)
        try:
            part = function(tf.gather(self.points, rows))
        except REFUSALS:  # a function for a fixed number of points
            return
        yield "left out", differs(whole, part, rows, count)

    def _size(self, name, rows):
        """What errors of a derivative are relative to: its largest value, if that is not zero."""
        size = np.max(np.abs(self.exact[name][rows]), initial=0.0)
        values = np.asarray(self.best.function(self.points))
        largest = np.max(np.abs(values[np.isfinite(values)]), initial=0.0) or 1.0
        lengths = [math.prod(map(self.where.scale, axes)) for axes in self.partials(name)]
        natural = largest / min(lengths)
        return size if size > 1e-10 * natural else natural

    def partials(self, name):
        """The axes of the partial derivatives that a request is made of."""
        keys = partials(self.requests[name], self.best.space)
        return list(dict.fromkeys(axes for _, axes in keys))

    def order(self, name):
        return max(map(len, self.partials(name)))

    def curve(self, name):
        """Vectors `(n, d)` that have a part along every axis of a request."""
        used = dict.fromkeys(axis for axes in self.partials(name) for axis in axes)
        generator, total = np.random.default_rng(self.where.seed), tf.zeros_like(self.points)
        for axis in used:
            distance = self.where.scale(axis) * generator.uniform(0.5, 1.5)
            total = moved(total, axis, distance, self.directions)
        return total

    def _not_finite(self, name, rows):
        message = f"it is NaN or infinite at {rows.sum()} of {len(rows)} points."
        order, curve = self.order(name), self.curve(name)
        first = self.diagnose(lambda: self.tracer.first_not_finite(curve, order, rows))
        if first is not None:
            message += f" The first operation to give such a number: {self.tracer.where(first)}."
        return message

    def _take_differences(self):
        """Takes differences for exact, for a function that has no derivatives in TensorFlow."""
        self.by_differences = True
        known = self._differences()
        for name in self.requests:
            self.exact[name], error = self._read(name, known)
            self.finite[name] = np.ones(len(error), bool)
            self.sizes[name] = self._size(name, self.finite[name])
            self.finite[name] = rows_of(error < 0.01 * self.sizes[name], all)

    # Values ----------------------------------------------------------------------------------

    def compare_with_differences(self):
        """Compares with extrapolated differences."""
        known = self._differences()
        for name in self.requests:
            if len(self.partials(name)) > MOST_PARTIALS:
                message = f"no differences of its {len(self.partials(name))} partial derivatives."
                self.add("note", name, message)
            elif self.order(name):
                self._judge(name, known)

    def _differences(self):
        """By axes what `witness` finds, for all requests with few of them."""
        values = np.asarray(self.best.function(self.points), np.float64)
        known = {(): (values, np.zeros_like(values), np.zeros_like(values))}
        for name in self.requests:
            axes = self.partials(name)
            if len(axes) <= MOST_PARTIALS:
                known |= {each: self._witness(each) for each in axes if each not in known}
        return known

    def _witness(self, axes):
        scales = {axis: self.where.scale(axis) for axis in axes}
        how = (self.directions, scales, self.best.epsilon)
        return witness(self.best.function, self.points, axes, *how)

    def _judge(self, name, known):
        """One derivative against the differences that its parts have."""
        found, error = self._read(name, known)
        size, exact = self.sizes[name], self.exact[name]
        near = near_kinks(self, name, {axes: known[axes][2] for axes in self.partials(name)})
        with np.errstate(invalid="ignore"):
            apart = np.abs(exact - found)
            candidates = self.finite[name] & ~near
            judged = candidates & rows_of(error < 0.01 * size, all)
            rounding = 1e5 * self.best.epsilon * size
            wrong = judged & rows_of(apart > 10.0 * error + rounding, any)
        if (unsure := int((candidates & ~judged).sum())) > 0:
            message = f"at {unsure} of {len(judged)} points the error of differences exceeds 1 %."
            self.add("note", name, message)
        if not judged.any():
            return
        self.errors[name]["taylor, differences"] = float(np.max(apart[judged]) / size)
        self.errors[name]["differences"] = float(np.max(error[judged]) / size)
        if wrong.any():
            severity = "error" if isinstance(self.where.method, EXACT) else "warning"
            self.add(severity, name, self._contradicted(name, wrong, judged))
        else:
            self.confirmed.add(name)

    def _read(self, name, known):
        """The values of a request by differences, and bounds for their errors."""
        keys, space = partials(self.requests[name], self.best.space), self.best.space
        values, errors = (
            {key: tf.constant(known[key[1]][i][:, key[0], None]) for key in keys} for i in (0, 1)
        )
        found = np.asarray(read_out(self.requests[name], space, values))
        largest = max([1.0, *(abs(factor) for factor, _ in self.requests[name].terms)])
        error = 2.0 * largest * np.asarray(sum(errors.values()))
        return found, np.broadcast_to(error.reshape(-1, *[1] * (found.ndim - 1)), found.shape)

    def _contradicted(self, name, wrong, judged):
        message = (
            f"'taylor' is not what differences of the values are, at {wrong.sum()} of "
            f"{judged.sum()} points."
        )
        if self.tracer is None:
            return message
        curve, order = self.curve(name), self.order(name)
        causes = self.diagnose(lambda: self.tracer.wrong_rules(curve, order)) or []
        return f"{message} {self.tracer.explain([step.operation for step in causes])}"

    def compare_with_tapes(self, tapes):
        """Compares with nested tapes, and with a forward accumulator if the model uses one."""
        methods = ("reverse", "forward") if self.where.method == "forward" else ("reverse",)
        for method in methods:
            found = self._by_tapes(tapes, method)
            for name in found:
                self._compare_tapes(name, found[name], tapes, method)

    def _by_tapes(self, tapes, method):
        """What tapes give, without the orders at which they are refused."""
        names = [name for name in self.requests if self.order(name)]
        try:
            return self.values(tapes, method, names) if names else {}
        except REFUSALS as error:
            first = [name for name in names if self.order(name) < 2]
            self._refused(method, error)
        try:
            return self.values(tapes, method, first) if first else {}
        except REFUSALS:
            return {}

    def _refused(self, method, error):
        if self.where.method == method:
            self.add("error", "", self.with_layers(f"method={method!r} is refused: {error}"))
        else:
            reason = str(error).partition(". ")[0]
            self.add("note", "", f"tapes are not compared from order 2 on: {reason}.")

    def _compare_tapes(self, name, found, tapes, method):
        exact, size = self.exact[name], self.sizes[name]
        known = self.finite[name] & rows_of(np.isfinite(found), all)
        if (lost := int((self.finite[name] & ~known).sum())) > 0:
            message = f"{method!r} gives NaN or infinity at {lost} points where 'taylor' does not."
            self.add(self.severity_of_tapes(method, name), name, message)
        if known.any():
            error = float(np.max(np.abs(exact - found)[known]) / size)
            self.errors[name][f"taylor, {method}"] = error
            if error > tapes.epsilon**0.5:
                message = self.tapes_differ(name, tapes, method)
                self.add(self.severity_of_tapes(method, name), name, message)

    def severity_of_tapes(self, method, name):
        """A warning where something else confirms `"taylor"`, and the model does not use tapes."""
        fine = name in self.confirmed and self.where.method != method
        return "warning" if fine else "error"

    def tapes_differ(self, name, tapes, method):
        right = ", and differences agree with 'taylor'" if name in self.confirmed else ""
        message = f"{method!r} and 'taylor' differ{right}."
        custom = []
        if self.tracer:
            points, _ = self.where.tensors(tapes.dtype)
            custom = Tracer(tapes.function, points, tapes.layer).custom_gradients()
        if not custom:
            return message
        return (
            f"{message} {', '.join(custom[:3])} ends a tf.custom_gradient: 'taylor' differentiates "
            "the function itself, tapes use the custom rule, which is another one or cannot be "
            "differentiated again."
        )


def rows_of(condition, every):
    """Points at which a condition `(n, ...)` holds for `all` or `any` of the components."""
    reduce = np.all if every is all else np.any
    return reduce(condition.reshape(len(condition), -1), axis=1)
