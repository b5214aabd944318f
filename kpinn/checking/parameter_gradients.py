"""Gradients of mean squares of derivatives with respect to the parameters, against two witnesses.

One is the change of the loss when the parameters move along a direction, the other nested tapes.
"""

import numpy as np
import tensorflow as tf

from kpinn.checking.comparisons import judge_tapes, on_tapes
from kpinn.checking.diagnosis import Tracer
from kpinn.checking.differences import difference_in_time
from kpinn.checking.subject import REFUSALS
from kpinn.derivatives.methods.taylor import Taylor

DIRECTIONS = 2


def compare_gradients(check):
    """Gradients by `"taylor"` against differences of the loss, and against tapes."""
    names = [name for name, finite in check.finite.items() if finite.all()]
    if not names or not check.best.variables:
        return
    gradients = {}
    try:
        gradients |= _gradients(check, check.best, names, Taylor())
        _compare_with_differences(check, gradients)
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
    """Dict from name to the gradient of the mean square, an array for each variable."""
    with tf.GradientTape(persistent=True) as tape:
        losses = _losses(check, subject, names, method)
    variables = [variable for _, variable in subject.variables]
    found, zero = {}, tf.UnconnectedGradients.ZERO
    for name, loss in zip(names, losses, strict=True):
        parts = tape.gradient(loss, variables, unconnected_gradients=zero)
        found[name] = [np.asarray(tf.convert_to_tensor(part), np.float64) for part in parts]
    return found


def _flat(parts):
    return np.concatenate([np.ravel(part) for part in parts])


# Differences -------------------------------------------------------------------------------


def _compare_with_differences(check, gradients):
    @tf.function(autograph=False)
    def losses():
        return tf.stack(_losses(check, check.best, list(gradients), Taylor()))

    generator, failed = np.random.default_rng(check.where.seed), {}
    starts = [variable.numpy() for _, variable in check.best.variables]
    sizes = [np.sqrt(np.mean(np.square(start))) or 0.1 for start in starts]
    for _ in range(DIRECTIONS):
        vector = [
            s * generator.normal(size=np.shape(a)) for s, a in zip(sizes, starts, strict=True)
        ]
        for name, (error, is_wrong) in _errors(check, losses, gradients, vector).items():
            row, key = check.errors[name], "gradient: taylor, differences"
            row[key] = max(row.get(key, 0.0), error)
            if is_wrong:
                failed[name] = vector
    for name, vector in failed.items():
        wrong = []
        for i, (variable, _) in enumerate(check.best.variables):
            alone = [part if j == i else np.zeros_like(part) for j, part in enumerate(vector)]
            if _errors(check, losses, gradients, alone)[name][1]:
                wrong.append(variable)
        check.add("error", name, _message(check, wrong))


def _errors(check, losses, gradients, vector):
    """By name the relative error along a direction, and whether it is too large."""
    slopes, bounds = _slopes(losses, check.best, vector)
    vector, found = _flat(vector), {}
    for (name, parts), slope, bound in zip(gradients.items(), slopes, bounds, strict=True):
        gradient = _flat(parts)
        exact, norms = gradient @ vector, np.linalg.norm(gradient) * np.linalg.norm(vector)
        size = max(abs(slope), abs(exact), 1e-3 * norms) or 1.0
        apart = abs(exact - slope)
        found[name] = (
            float(apart / size),
            apart > 10.0 * bound + 1e5 * check.best.epsilon * size,
        )
    return found


def _slopes(losses, subject, vector):
    """Slopes `(k,)` of losses along a direction of the parameters, and bounds for their errors."""
    pairs = zip(subject.variables, vector, strict=True)
    moving = [(variable, variable.numpy(), part) for (_, variable), part in pairs if np.any(part)]

    def at(time):
        for variable, start, part in moving:
            variable.assign(start + time * part)
        return np.asarray(losses(), np.float64)

    try:
        slopes, bounds, _ = difference_in_time(at, 1, 1.0, subject.epsilon)
    finally:
        for variable, start, _ in moving:
            variable.assign(start)
    return slopes, bounds


def _message(check, wrong):
    message = (
        "the gradient of its mean square with respect to the parameters is not what differences "
        f"of that loss are{', for ' if wrong else ''}{', '.join(wrong[:4])}."
    )
    if places := check.diagnose(Tracer.stops):
        held = "holds back the gradient: leave it out, unless it is meant."
        return f"{message} {', '.join(places[:3])} {held}"
    return message


# Tapes -------------------------------------------------------------------------------------


def _compare_with_tapes(check, gradients):
    method = check.tapes
    names = [name for name in gradients if f"taylor, {method}" in check.errors[name]]
    for subject in on_tapes(check):
        for name in names:
            try:
                found = _flat(_gradients(check, subject, [name], method)[name])
            except LookupError as error:
                if check.where.method == method:
                    check.add("error", name, f"there is no gradient by {method!r}: {error}")
                break
            exact = _flat(gradients[name])
            size = max(np.linalg.norm(exact), np.linalg.norm(found)) or 1.0
            error = float(np.linalg.norm(exact - found) / size)
            judge_tapes(check, name, f"gradient: taylor, {method}", error, subject)
