"""Gradients of mean squares of derivatives with respect to the parameters, against two witnesses.

One is nested tapes, the other the change of the loss when the parameters move along a direction.
"""

import numpy as np
import tensorflow as tf

from kpinn.checking.witness import FIRST, LEVELS, extrapolate, noise_in
from kpinn.derivatives.methods.taylor import Taylor

DIRECTIONS = 2


def losses(subject, requests, points, directions, method):
    """The mean square of each derivative, dict from name to scalar tensor."""
    values = subject.values(requests, points, directions, method)
    return {r.name: tf.reduce_mean(tf.square(values[r.name])) for r in requests}


def gradients(subject, requests, points, directions, method):
    """Dict from name to the gradient of the mean square: dict from variable to array."""
    with tf.GradientTape(persistent=True) as tape:
        found = losses(subject, requests, points, directions, method)
    zero = tf.UnconnectedGradients.ZERO
    parts = {
        name: tape.gradient(loss, subject.variables, unconnected_gradients=zero)
        for name, loss in found.items()
    }
    return {name: {k: _array(part) for k, part in of.items()} for name, of in parts.items()}


def _array(tensor):
    return np.asarray(tf.convert_to_tensor(tensor), np.float64)


def flat(parts):
    """The arrays of a dict as one vector."""
    return np.concatenate([np.ravel(part) for part in parts.values()])


class Slopes:
    """Derivatives of mean squares by `"taylor"` along directions of the parameters.

    Args:
        subject: the `Subject`.
        requests: list of `Request`.
        points: tensor `(n, d)`.
        directions: dict from name to tensor `(n, d)`.
    """

    def __init__(self, subject, requests, points, directions):
        self.subject = subject

        @tf.function(autograph=False)
        def compute():
            return tf.stack(list(losses(subject, requests, points, directions, Taylor()).values()))

        self.compute = compute

    def along(self, vector):
        """The slopes along one direction. The variables are moved, and put back.

        Args:
            vector: dict from the name of a variable to an array of its shape; others stay.

        Returns:
            Two arrays `(requests,)`: slopes and bounds for their errors.
        """
        start = {name: self.subject.variables[name].numpy() for name in vector}
        try:
            return self._along(vector, start)
        finally:
            for name, value in start.items():
                self.subject.variables[name].assign(value)

    def _along(self, vector, start):
        differences, sizes = [], []
        widths = self._first(vector, start) / 2.0 ** np.arange(LEVELS)
        for width in widths:
            low, high = (self._at(time, vector, start) for time in (-width, width))
            differences.append((high - low) / (2.0 * width))
            sizes.append(8.0 * self.subject.epsilon * np.maximum(np.abs(low), np.abs(high)))
        differences, scales = np.array(differences), 1.0 / widths[:, None]
        noise = np.array(sizes) + noise_in(differences, scales)
        limit, error, _ = extrapolate(differences, noise * scales)
        return limit, error

    def _first(self, vector, start):
        """The longest step, over which no loss changes by much: far points make losses steep."""
        width, middle = FIRST, self._at(0.0, vector, start)
        for _ in range(LEVELS):
            ends = [self._at(time, vector, start) for time in (-width, width)]
            if all(np.all(np.abs(end - middle) < 0.3 * np.abs(middle) + 1e-300) for end in ends):
                break
            width /= 2.0
        return width

    def _at(self, time, vector, start):
        for name, value in start.items():
            self.subject.variables[name].assign(value + time * vector[name])
        return np.asarray(self.compute(), np.float64)


def _drawn(variables, generator):
    """A random direction of the parameters, of their size."""
    arrays = {name: variable.numpy() for name, variable in variables.items()}
    sizes = {name: np.sqrt(np.mean(np.square(a))) or 0.1 for name, a in arrays.items()}
    return {name: sizes[name] * generator.normal(size=a.shape) for name, a in arrays.items()}


# Comparisons -------------------------------------------------------------------------------


def compare_gradients(run):
    """Gradients by `"taylor"` against differences of the loss.

    Args:
        run: the `Check`; its `gradients` are set.
    """
    names = [name for name, rows in run.finite.items() if rows.all()]
    variables = run.best.variables
    if not names or not variables:
        return
    requests = [run.requests[name] for name in names]
    run.gradients = gradients(run.best, requests, run.points, run.directions, Taylor())
    slopes = Slopes(run.best, requests, run.points, run.directions)
    generator, failed = np.random.default_rng(run.where.seed), {}
    for _ in range(DIRECTIONS):
        vector = _drawn(variables, generator)
        for name, (error, wrong) in _errors(run, slopes, names, vector).items():
            key = "gradient: taylor, differences"
            run.errors[name][key] = max(run.errors[name].get(key, 0.0), error)
            if wrong:
                failed[name] = vector
    for name, vector in failed.items():
        run.add("error", name, _gradient_message(run, slopes, names, name, vector))


def _errors(run, slopes, names, vector):
    """By name the relative error, and whether the differences contradict the gradient."""
    limits, bounds = slopes.along(vector)
    found = {}
    for name, limit, bound in zip(names, limits, bounds, strict=True):
        parts = run.gradients[name]
        exact = sum(np.sum(parts[key] * value) for key, value in vector.items())
        norms = [np.linalg.norm(flat(part)) for part in (parts, vector)]
        size = max(abs(limit), abs(exact), 1e-3 * norms[0] * norms[1]) or 1.0
        apart = abs(exact - limit)
        found[name] = float(apart / size), apart > 10.0 * bound + 1e5 * run.best.epsilon * size
    return found


def _gradient_message(run, slopes, names, name, vector):
    wrong = [
        key for key, value in vector.items() if _errors(run, slopes, names, {key: value})[name][1]
    ]
    message = (
        "the gradient of its mean square with respect to the parameters is not what differences "
        f"of that loss are{', for ' if wrong else ''}{', '.join(wrong[:4])}."
    )
    stopped = run.tracer.stopped_variables() if run.tracer else []
    places = dict.fromkeys(run.tracer.where(operation) for operation, _ in stopped)
    if places:
        message += (
            f" {', '.join(places)} holds back the gradient: leave it out, unless it is meant."
        )
    return message


def compare_gradients_with_tapes(run, tapes):
    """Gradients by `"taylor"` against those by nested tapes.

    Args:
        run: the `Check`.
        tapes: the `Subject` that tapes are tried on.
    """
    method = run.where.method if run.where.method in ("reverse", "forward") else "reverse"
    names = [n for n in run.gradients if f"taylor, {method}" in run.errors[n]]
    points, directions = run.where.tensors(tapes.dtype)
    for name in names:
        try:
            found = gradients(tapes, [run.requests[name]], points, directions, method)[name]
        except LookupError as error:
            if run.where.method == method:
                run.add("error", name, f"there is no gradient by {method!r}: {error}")
            return
        exact, found = flat(run.gradients[name]), flat(found)
        size = max(np.linalg.norm(exact), np.linalg.norm(found)) or 1.0
        error = np.linalg.norm(exact - found) / size
        run.errors[name]["gradient: taylor, reverse"] = float(error)
        if not error < tapes.epsilon**0.5:
            message = f"in the gradient of its mean square, {run.tapes_differ(name, tapes, method)}"
            run.add(run.severity_of_tapes(method, name), name, message)
