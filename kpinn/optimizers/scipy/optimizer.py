"""What the optimizers that hand the loop over to scipy have in common."""

import keras
import numpy as np
import threadpoolctl

from kpinn.optimizers.result import MinimizeResult, ResultCode
from kpinn.options.configs import FromConfig

EPSILON = float(np.finfo(np.float64).eps)
MOST_REJECTED = 60  # trial points in a row where the loss is not finite


class ScipyOptimizer(FromConfig, keras.optimizers.Optimizer):
    """Base class of the optimizers whose iterations are scipy's; one epoch of `fit` is one.

    Args:
        method: name of the method.
        methods: names of those that there are.
        options: dict of scipy's options.
        name: name of the optimizer.

    Raises:
        ValueError: for another method.
    """

    def __init__(self, method, methods, options, name):
        super().__init__(learning_rate=0.0, name=name)
        known = {known.lower(): known for known in methods}
        if not isinstance(method, str) or method.lower() not in known:
            raise ValueError(
                f"method {method!r} is not one of {', '.join(methods)}, those of scipy that use "
                "derivatives of the loss."
            )
        self.method = known[method.lower()]
        self.options = dict(options)
        self.result = None

    def get_config(self):
        """The arguments."""
        return {"method": self.method, "name": self.name, **self.options}

    def update_step(self, gradient, variable, learning_rate):
        """There is no update per batch."""
        raise ValueError(
            f"{type(self).__name__} needs the whole loss at once: use it with kpinn.PINN.fit and "
            "points given as arrays."
        )


class StopError(Exception):
    """Leaves scipy from inside a callback or an evaluation; TNC has no other way out."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Record:
    """Counts evaluations and iterations, and keeps the best point and how the run ended.

    Args:
        epsilon: rounding error of the dtype that the loss is computed in.
        bounds: `None` or a pair of arrays `(p,)`. Points beyond them are never the best.

    Attributes:
        evaluations, iterations: numbers of evaluations and of accepted iterations.
        loss, theta, gradient: of the best point; `theta` is `None` before the first.
        rejected: trial points in a row, up to now, where the loss was not finite.
        bad_theta: the last of them.
        result: how the run ended, `None` before.
    """

    def __init__(self, epsilon=EPSILON, bounds=None):
        self.epsilon, self.bounds = epsilon, bounds
        self.evaluations = self.iterations = 0
        self.loss = np.inf
        self.theta = self.gradient = self.result = self.bad_theta = None
        self.rejected = 0
        self._highest = [-np.inf, -np.inf]  # of the present iteration and the one before

    def add(self, theta, loss, gradient):
        """Keeps a point if it is the best so far."""
        self.rejected = 0
        self._highest[0] = max(self._highest[0], loss)
        if self._inside(theta) and loss < self.loss:
            self.loss, self.theta, self.gradient = loss, np.array(theta), np.array(gradient)

    def accept(self):
        """Counts an iteration."""
        self.iterations += 1
        if np.isfinite(self._highest[0]):  # an iteration may have had rejected points only
            self._highest = [-np.inf, self._highest[0]]

    def reject(self, theta, message):
        """A loss and a gradient for a trial point where they are not finite.

        The loss is higher than at all points of this iteration, and the gradient is that of a
        parabola along the way to the point, so that a line search tries about a quarter of the way
        and a trust region shrinks.

        Args:
            theta: the trial point `(p,)`.
            message: what is not finite.

        Raises:
            StopError: after many such points in a row, and before the first point.
        """
        self.rejected += 1
        self.bad_theta = np.array(theta)
        if self.theta is None or self.rejected > MOST_REJECTED:
            raise StopError(ResultCode.NONFINITE, message)
        way = theta - self.theta
        square, slope = float(way @ way), abs(float(self.gradient @ way))
        slope = max(slope, self.epsilon * abs(self.loss), np.finfo(np.float64).tiny)
        return max(self._highest) + slope, 3.0 * slope / max(square, 1e-300) * way

    def _inside(self, theta):
        if self.bounds is None:
            return True
        lower, upper = self.bounds
        return bool(np.all((theta >= lower) & (theta <= upper)))

    def end(self, code, message):
        """Sets the result, and returns it."""
        counts = self.iterations, self.evaluations
        self.result = MinimizeResult(code, message, self.loss, *counts, self.theta)
        return self.result


def finite(what, values, record):
    """The values as float64; raises `StopError` unless all are finite."""
    values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        message = f"the {what} is not finite at evaluation {record.evaluations}"
        raise StopError(ResultCode.NONFINITE, message)
    return values


def finite_step(values):
    """The point or vector that scipy asks about; raises `StopError` unless it is finite."""
    if not np.isfinite(values).all():
        message = "scipy's next step is not finite, which happens at the rounding floor"
        raise StopError(ResultCode.NO_PROGRESS, message)
    return values


def counted(record, iterations, callback):
    """A callback for scipy that counts iterations and ends the run after the last.

    Args:
        record: a `Record`.
        iterations: the most iterations.
        callback: called with `theta`; may raise `StopIteration`.
    """

    def accepted(theta, *_):
        record.accept()
        try:
            callback(np.array(theta))  # a copy: older versions of scipy write into theta
        except StopIteration:
            raise StopError(ResultCode.STOPPED, "a callback stopped it") from None
        if record.iterations >= iterations:
            message = f"all {iterations} iterations are done"
            raise StopError(ResultCode.ITERATION_LIMIT, message)

    return accepted


def run(solve, record, method, iterations):
    """Runs scipy, whatever way it ends.

    Args:
        solve: calls scipy and returns a `ResultCode` and a message.
        record: a `Record`, which has the best point and the result even if an exception ends it.
        method: name of the method, for the message.
        iterations: the most iterations.

    Returns:
        A `MinimizeResult`.
    """

    def end(code, message):
        done = f"{method} ended after {record.iterations} of {iterations} iterations"
        return record.end(code, f"{done}: {message}.")

    try:
        # Threads of BLAS fight TensorFlow's for the cores, which can make scipy's part of an
        # iteration many times slower.
        with threadpoolctl.threadpool_limits(1, "blas"):
            code, message = _unless_stopped(solve, record)
    except BaseException as error:
        end(ResultCode.INTERRUPTED, f"{type(error).__name__} ended it")
        raise
    return end(code, message)


def _unless_stopped(solve, record):
    try:
        code, message = solve()
    except StopError as stop:
        return stop.code, str(stop)
    if record.rejected and code in (ResultCode.NO_PROGRESS, ResultCode.CONVERGED):
        return ResultCode.NONFINITE, f"no step leads to a finite loss and gradient ({message})"
    return code, message


def check_gradient(loss, theta, value, gradient, epsilon):
    """Raises `ValueError` unless the gradient is that of the loss.

    The slope along the gradient is compared with a central difference; the check is loose
    because a difference is.

    Args:
        loss: function from `theta` to a float.
        theta: a point `(p,)`.
        value: the loss there.
        gradient: the gradient there, `(p,)`.
        epsilon: rounding error of the dtype that the loss is computed in.
    """
    norm, slope = np.linalg.norm(gradient), np.nan
    if norm == 0.0:
        return
    direction = gradient / norm
    for step in _steps(theta, epsilon):
        slope = (loss(theta + step * direction) - loss(theta - step * direction)) / (2 * step)
        if abs(slope - norm) <= 0.5 * norm + 20 * epsilon * abs(value) / step:
            return
    raise ValueError(
        f"the gradient is not that of the loss: along it the loss changes by {slope:.6g} per "
        f"unit, but its norm is {norm:.6g}. A custom gradient, a stop_gradient in a condition, "
        "or a finite difference that rounding has spoilt can do that."
    )


def check_hessian(product, gradient, theta, epsilon):
    """Raises `ValueError` unless Hessian-vector products are changes of the gradient.

    The product with one vector of random signs is compared with central differences.

    Args:
        product: function from `theta` and a vector to the product, `(p,)`.
        gradient: function from `theta` to the gradient, `(p,)`.
        theta: a point `(p,)`.
        epsilon: rounding error of the dtype that the loss is computed in.
    """
    vector = np.random.default_rng(0).choice([-1.0, 1.0], theta.size) / np.sqrt(theta.size)
    found, slope = product(theta, vector), gradient(theta)
    allowed, error = 10 * epsilon**0.25 * np.linalg.norm(found), np.inf
    for step in _steps(theta, epsilon):
        change = gradient(theta + step * vector) - gradient(theta - step * vector)
        error = np.linalg.norm(change / (2 * step) - found)
        if error <= allowed + 20 * epsilon * np.linalg.norm(slope) / step:
            return
    raise ValueError(
        f"products with the Hessian are not changes of the gradient: they differ by {error:.3g} "
        f"for a product of the norm {np.linalg.norm(found):.3g}. A layer with a stop_gradient "
        "(LayerNormalization), an activation with kinks (relu), a custom gradient or finite "
        "differences that rounding has spoilt can do that. Use a method without a Hessian, such "
        "as L-BFGS-B."
    )


def _steps(theta, epsilon):
    """Lengths of steps for differences, from the shortest."""
    scale = max(1.0, np.linalg.norm(theta) / np.sqrt(theta.size))
    return scale * epsilon ** np.array([1 / 3, 1 / 4, 1 / 5])
