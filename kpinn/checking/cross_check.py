"""The check of one model at one set of points: what is known, and what was found."""

import functools
import math

import numpy as np
import tensorflow as tf

from kpinn.checking.diagnosis import Tracer, differs
from kpinn.checking.differences import moved
from kpinn.checking.report import Finding
from kpinn.checking.subject import REFUSALS
from kpinn.derivatives.methods.finite_difference import FiniteDifference
from kpinn.derivatives.methods.taylor import Taylor
from kpinn.derivatives.requests import partials


class CrossCheck:
    """What the comparisons share.

    Args:
        best: the `Subject` in the most precise dtype there is.
        own: the model as it is.
        where: the `Points`.

    Attributes:
        findings: list of `Finding`.
        errors: dict from name to a dict of relative errors, see `Report`.
        exact: dict from name to the values by `"taylor"`, arrays `(n, ...)`.
        sizes: dict from name to what its errors are relative to.
        finite: dict from name to the points where it is finite, boolean arrays `(n,)`.
        confirmed: names of derivatives that differences agree with.
        tracer: the `Tracer` of `best`; `None` for what is differentiated by tapes as a whole.
    """

    def __init__(self, best, own, where):
        self.best, self.own, self.where, self.requests = best, own, where, where.requests
        self.points, self.directions = where.tensors(best.dtype)
        self.findings, self.errors = [], {name: {} for name in where.requests}
        self.exact, self.sizes, self.finite, self.confirmed = {}, {}, {}, set()
        self.tracer = Tracer(best, self.points) if best.traced else None

    def add(self, severity, name, message):
        """Adds a finding; where a message of the engine names operations, with their layers."""
        message = self.tracer.with_layers(message) if self.tracer else message
        self.findings.append(Finding(severity, name, message))

    def values(self, subject, method, names=None):
        """Values by a method as float64 arrays."""
        points, directions = self.where.tensors(subject.dtype)
        requests = [self.requests[name] for name in names or self.requests]
        found = subject.values(points, requests, directions, method)
        return {name: np.asarray(value, np.float64) for name, value in found.items()}

    def error(self, name, found, rows=None):
        """The largest relative error of an array `(n, ...)`, where the exact values are finite."""
        rows = self.finite[name] if rows is None else rows
        apart = np.abs(found - self.exact[name])[rows]
        return float(np.max(apart, initial=0.0) / self.sizes[name])

    def diagnose(self, look, *arguments):
        """What a method of `Tracer` finds; `None` where it cannot propagate."""
        try:
            return look(self.tracer, *arguments) if self.tracer else None
        except REFUSALS:
            return None

    # What is known of the model and the requests ---------------------------------------------

    @functools.cached_property
    def fields(self):
        """The values of all fields, an array `(n, m)`."""
        return np.asarray(self.best.function(self.points), np.float64)

    @functools.cached_property
    def taylor_in_own_dtype(self):
        """The values by `"taylor"` of the model as it is, which show what its dtype loses."""
        return self.values(self.own, Taylor())

    @functools.cached_property
    def steps(self):
        """The operations, see `Step`; empty where they cannot be propagated through."""
        return self.diagnose(Tracer.along, tf.ones_like(self.points), 1) or []

    @functools.cached_property
    def custom_gradients(self):
        """Where a `tf.custom_gradient` of the model ends."""
        return Tracer(self.own, self.points).custom_gradients() if self.own.traced else []

    def partials(self, name):
        """The axes of the partial derivatives that a request is made of."""
        keys = partials(self.requests[name], self.best.context.space)
        return list(dict.fromkeys(axes for _, axes in keys))

    def order(self, name):
        """The order of a request."""
        return max(map(len, self.partials(name)))

    def curve(self, name):
        """Vectors `(n, d)` that have a part along every axis of a request."""
        used = dict.fromkeys(axis for axes in self.partials(name) for axis in axes)
        generator, total = np.random.default_rng(self.where.seed), tf.zeros_like(self.points)
        for axis in used:
            distance = self.where.scale(axis) * generator.uniform(0.5, 1.5)
            total = moved(total, axis, distance, self.directions)
        return total

    # What has to be known before anything is compared ----------------------------------------

    def begin(self):
        """Computes the exact derivatives; whether there is something to compare with."""
        try:
            exact = self.values(self.best, Taylor())
        except REFUSALS as error:
            severity = "note" if isinstance(self.where.method, FiniteDifference) else "error"
            self.add(severity, "", f"there are no derivatives by 'taylor': {error}")
            return False
        if self._points_mix():
            return False
        for name, value in exact.items():
            finite = rows_of(np.isfinite(value), all)
            self.take(name, value, finite)
            if not finite.all():
                self.add("error", name, self._not_finite(name, ~finite))
        return any(finite.any() for finite in self.finite.values())

    def take(self, name, value, finite):
        """Takes an array `(n, ...)` for exact at the points `finite`."""
        self.exact[name], self.finite[name] = value, finite
        size = np.max(np.abs(value[finite]), initial=0.0)
        largest = np.max(np.abs(self.fields[np.isfinite(self.fields)]), initial=0.0) or 1.0
        lengths = [math.prod(map(self.where.scale, axes)) for axes in self.partials(name)]
        natural = largest / min(lengths)  # for a derivative that is zero
        self.sizes[name] = size if size > 1e-10 * natural else natural

    def _not_finite(self, name, rows):
        message = f"it is NaN or infinite at {rows.sum()} of {len(rows)} points."
        how = self.curve(name), self.order(name), rows
        first = self.diagnose(Tracer.first_not_finite, *how)
        return message + (f" The first operation to give such a number: {first}." if first else "")

    def _points_mix(self):
        """Whether the values at one point depend on the others."""
        count = self.points.shape[0]
        rows = np.random.default_rng(self.where.seed).permutation(count)[: (count + 1) // 2]
        whole = self.best.function(self.points)
        for what, part in self._others_changed(rows):
            if differs(whole, part, rows, count):
                message = (
                    f"the values at a point change when other points are {what}, or from call to "
                    "call, so that there is no derivative at a point."
                )
                first = self.diagnose(Tracer.first_mixing, rows)
                if first:
                    message += f" The first operation that does this: {first}."
                self.add("error", "", message)
                return True
        return False

    def _others_changed(self, rows):
        """What is done to all other points, and then the values at the points `rows`."""
        others = np.ones((self.points.shape[0], 1))
        others[rows] = 0.0
        elsewhere = self.points + tf.constant(0.1 * others * self.where.scales, self.best.dtype)
        yield "moved", tf.gather(self.best.function(elsewhere), rows)
        try:
            yield "left out", self.best.function(tf.gather(self.points, rows))
        except REFUSALS:  # a function for a fixed number of points
            return


def rows_of(condition, every):
    """Points at which a condition `(n, ...)` holds for `all` or `any` of the components."""
    reduce = np.all if every is all else np.any
    return reduce(condition.reshape(len(condition), -1), axis=1)
