"""Gradients of mean squares of derivatives with respect to the parameters, against two witnesses.

One is nested tapes, the other the change of the loss when the parameters move along a direction.
"""

import numpy as np
import tensorflow as tf

from kpinn.checking.comparisons import judge_tapes, on_tapes
from kpinn.checking.differences import LEVELS, difference_in_time
from kpinn.checking.subject import REFUSALS
from kpinn.derivatives.methods.taylor import Taylor

DIRECTIONS = 2


def compare_gradients(check):
    """Gradients by `"taylor"` against differences of the loss, and against tapes.

    Args:
        check: the `CrossCheck`, whose exact values are known.
    """
    names = [name for name, finite in check.finite.items() if finite.all()]
    if not names or not check.best.variables:
        return
    gradients = {}
    try:
        gradients |= _gradients(check, check.best, names, Taylor())
        _compare_with_differences(check, names, gradients)
    except REFUSALS as error:
        last = " ".join(str(error).split("\n")[-2:])  # above it TensorFlow lists calls
        check.add("error", "", f"the gradients, or their tf.function, fail: {last}")
    _compare_with_tapes(check, gradients)


def _losses(check, subject, names, method):
    """The mean square of each derivative, a list of scalar tensors."""
    points, directions = check.where.tensors(subject.dtype)
    requests = [check.requests[name] for name in names]
    values = subject.values(points, requests, directions, method)
    return [tf.reduce_mean(tf.square(values[name])) for name in names]


def _gradients(check, subject, names, method):
    """Dict from name to the gradient of the mean square: dict from variable to array."""
    with tf.GradientTape(persistent=True) as tape:
        losses = _losses(check, subject, names, method)
    found, zero = {}, tf.UnconnectedGradients.ZERO
    for name, loss in zip(names, losses, strict=True):
        parts = tape.gradient(loss, subject.variables, unconnected_gradients=zero)
        parts = {key: tf.convert_to_tensor(part) for key, part in parts.items()}
        found[name] = {key: np.asarray(part, np.float64) for key, part in parts.items()}
    return found


def _flat(parts):
    return np.concatenate([np.ravel(part) for part in parts.values()])


# Differences -------------------------------------------------------------------------------


def _compare_with_differences(check, names, gradients):
    @tf.function(autograph=False)
    def losses():
        return tf.stack(_losses(check, check.best, names, Taylor()))

    generator, failed = np.random.default_rng(check.where.seed), {}
    starts = {name: variable.numpy() for name, variable in check.best.variables.items()}
    for _ in range(DIRECTIONS):
        sizes = {name: np.sqrt(np.mean(np.square(a))) or 0.1 for name, a in starts.items()}
        vector = {n: sizes[n] * generator.normal(size=a.shape) for n, a in starts.items()}
        errors = _errors(check, losses, gradients, vector)
        for name, (error, is_wrong) in errors.items():
            key = "gradient: taylor, differences"
            check.errors[name][key] = max(check.errors[name].get(key, 0.0), error)
            if is_wrong:
                failed[name] = vector
    for name, vector in failed.items():
        parts = {key: {key: part} for key, part in vector.items()}
        wrong = [k for k, p in parts.items() if _errors(check, losses, gradients, p)[name][1]]
        check.add("error", name, _message(check, wrong))


def _errors(check, losses, gradients, vector):
    """By name the relative error, and whether the differences contradict the gradient."""
    slopes, bounds = _slopes(losses, check.best, vector)
    found = {}
    for (name, parts), slope, bound in zip(gradients.items(), slopes, bounds, strict=True):
        exact = sum(np.sum(parts[key] * value) for key, value in vector.items())
        norms = np.linalg.norm(_flat(parts)) * np.linalg.norm(_flat(vector))
        size = max(abs(slope), abs(exact), 1e-3 * norms) or 1.0
        apart = abs(exact - slope)
        found[name] = float(apart / size), apart > 10.0 * bound + 1e5 * check.best.epsilon * size
    return found


def _slopes(losses, subject, vector):
    """Slopes of the losses along a direction of the parameters, and bounds for their errors.

    Args:
        losses: function without arguments that returns a tensor `(k,)`.
        subject: its `Subject`, whose variables are moved, and put back.
        vector: dict from the name of a variable to an array of its shape; others stay.

    Returns:
        Two arrays `(k,)`.
    """
    starts = {name: subject.variables[name].numpy() for name in vector}

    def move(time):
        for name, start in starts.items():
            subject.variables[name].assign(start + time * vector[name])

    def at(time):
        move(time)
        return np.asarray(losses(), np.float64)

    try:
        scale, middle = 1.0, at(0.0)
        for _ in range(LEVELS):  # until no loss changes by much: far points make losses steep
            changes = np.abs([at(time) - middle for time in (-0.25 * scale, 0.25 * scale)])
            if np.all(changes < 0.3 * np.abs(middle) + 1e-300):
                break
            scale /= 2.0
        slopes, bounds, _ = difference_in_time(at, 1, scale, subject.epsilon)
        return slopes, bounds
    finally:
        move(0.0)


def _message(check, wrong):
    message = (
        "the gradient of its mean square with respect to the parameters is not what differences "
        f"of that loss are{', for ' if wrong else ''}{', '.join(wrong[:4])}."
    )
    places = dict.fromkeys(check.tracer.stopped_variables() if check.tracer else [])
    if places:
        return (
            f"{message} {', '.join(places)} holds back the gradient: leave it out, unless it is "
            "meant."
        )
    return message


# Tapes -------------------------------------------------------------------------------------


def _compare_with_tapes(check, gradients):
    method = check.where.method if check.where.method == "forward" else "reverse"
    names = [name for name in gradients if f"taylor, {method}" in check.errors[name]]
    for subject in on_tapes(check) if names else ():
        for name in names:
            try:
                found = _gradients(check, subject, [name], method)[name]
            except LookupError as error:
                if check.where.method == method:
                    check.add("error", name, f"there is no gradient by {method!r}: {error}")
                break
            exact, found = _flat(gradients[name]), _flat(found)
            size = max(np.linalg.norm(exact), np.linalg.norm(found)) or 1.0
            error = float(np.linalg.norm(exact - found) / size)
            judge_tapes(check, name, "gradient: taylor, reverse", error, subject, method)
