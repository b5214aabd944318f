"""The check of one model at one set of points: what is known, and what was found."""

import functools
import math

import numpy as np
import tensorflow as tf

from kpinn.checking.diagnosis import Tracer
from kpinn.checking.differences import difference, moved
from kpinn.checking.report import Finding
from kpinn.checking.subject import REFUSALS
from kpinn.derivatives.methods.taylor import Taylor
from kpinn.derivatives.names.requests import partials


class CrossCheck:
    """What the comparisons share.

    Args:
        best: the `Subject` in the most precise dtype there is.
        own: the model as it is.
        where: the `Points`.

    Attributes:
        findings: list of `Finding`.
        errors: dict from name to a dict of relative errors, see `Report`.
        exact: dict from name to the values that count as exact, arrays `(n, ...)`.
        sizes: dict from name to what errors are relative to.
        finite: dict from name to the points where it is finite, boolean arrays `(n,)`.
        confirmed: names of derivatives that differences agree with.
        tapes: the method by tapes that is compared with, the model's own if it has one.
        tracer: the `Tracer` of `best`; `None` for what is differentiated by tapes as a whole.
    """

    def __init__(self, best, own, where):
        self.best, self.own, self.where, self.requests = best, own, where, where.requests
        self.points, self.directions = where.tensors(best.dtype)
        self.findings, self.errors = [], {name: {} for name in where.requests}
        self.exact, self.sizes, self.finite, self.confirmed = {}, {}, {}, set()
        self.tracer = Tracer(best, self.points) if best.traced else None
        self.tapes = "forward" if where.method == "forward" else "reverse"
        self._differences = {}

    def add(self, severity, name, message):
        """Adds a finding; layers are added to a message of the engine, which names operations."""
        message = self.tracer.with_layers(message) if self.tracer else message
        self.findings.append(Finding(severity, name, message))

    def diagnose(self, look, *arguments):
        """What a method of `Tracer` finds; `None` where it cannot propagate."""
        try:
            return look(self.tracer, *arguments) if self.tracer else None
        except REFUSALS:
            return None

    # Values --------------------------------------------------------------------------------

    def values(self, subject, method, names=None):
        """Values by a method as float64 arrays."""
        points, directions = self.where.tensors(subject.dtype)
        requests = [self.requests[name] for name in names or self.requests]
        found = subject.values(points, requests, directions, method)
        return {name: np.asarray(value, np.float64) for name, value in found.items()}

    def take(self, name, value, finite):
        """Takes an array `(n, ...)` for exact at the points `finite`."""
        self.exact[name], self.finite[name] = value, finite
        size = np.max(np.abs(value[finite]), initial=0.0)
        largest = np.max(np.abs(self.fields[np.isfinite(self.fields)]), initial=0.0) or 1.0
        lengths = [math.prod(map(self.where.scale, axes)) for axes in self.partials(name)]
        natural = largest / min(lengths)  # for a derivative that is zero
        self.sizes[name] = size if size > 1e-10 * natural else natural

    def error(self, name, found, rows=None):
        """The largest relative error of an array `(n, ...)`, by default at the finite points."""
        rows = self.finite[name] if rows is None else rows
        apart = np.abs(found - self.exact[name])[rows]
        return float(np.max(apart, initial=0.0) / self.sizes[name])

    @functools.cached_property
    def fields(self):
        """The values of all fields, an array `(n, m)`."""
        return np.asarray(self.best.function(self.points), np.float64)

    @functools.cached_property
    def taylor_in_own_dtype(self):
        """The values by `"taylor"` of the model as it is, which show what its dtype loses."""
        return self.values(self.own, Taylor())

    def difference(self, axes):
        """A partial derivative of all fields by `difference`."""
        if not axes:
            return self.fields, np.zeros_like(self.fields), np.zeros_like(self.fields)
        if axes not in self._differences:
            scales = {axis: self.where.scale(axis) for axis in axes}
            how = self.points, axes, self.directions, scales, self.best.epsilon
            self._differences[axes] = difference(self.best.function, *how)
        return self._differences[axes]

    # Requests and operations ---------------------------------------------------------------

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

    @functools.cached_property
    def steps(self):
        """The operations, see `Step`; empty where they cannot be propagated through."""
        return self.diagnose(Tracer.along, tf.ones_like(self.points), 1) or []

    @functools.cached_property
    def custom_gradients(self):
        """Where a `tf.custom_gradient` of the model ends."""
        return Tracer(self.own, self.points).custom_gradients() if self.own.traced else []


def rows_of(condition, every):
    """Points at which a condition `(n, ...)` holds for `all` or `any` of the components."""
    reduce = np.all if every is all else np.any
    return reduce(condition.reshape(len(condition), -1), axis=1)
