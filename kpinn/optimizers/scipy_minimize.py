"""`scipy.optimize.minimize` as an optimizer for `PINN.compile`."""

import dataclasses

import keras
import numpy as np
import scipy.optimize
import threadpoolctl

GRADIENT_METHODS = ("L-BFGS-B", "BFGS", "CG", "Newton-CG", "TNC", "SLSQP", "trust-constr")
BOUNDED_METHODS = ("L-BFGS-B", "TNC", "SLSQP", "trust-constr")


@dataclasses.dataclass(frozen=True)
class MinimizeResult:
    """How a minimisation ended.

    Attributes:
        code: `"iteration_limit"` (all epochs done), `"converged"` (scipy's tolerances are met),
            `"stopped"` (by a callback), `"no_progress"` (the line search found no lower loss:
            usually the rounding floor of the dtype), `"evaluation_limit"` or `"nonfinite"`.
        message: the same in a sentence, with scipy's message.
        loss: the lowest loss, that of the weights which the model has now.
        iterations: accepted iterations.
        evaluations: evaluations of loss and gradient.
        theta: the flat parameters with the lowest loss, float64 `(p,)`.
    """

    code: str
    message: str
    loss: float
    iterations: int
    evaluations: int
    theta: np.ndarray


@keras.saving.register_keras_serializable(package="kpinn")
class ScipyMinimize(keras.optimizers.Optimizer):
    """Full-batch minimisation by `scipy.optimize.minimize`, driven by `PINN.fit`.

    One epoch is one iteration of the minimizer. The parameters are one float64 vector on scipy's
    side, whatever dtype the network computes in. After `fit`, `result` tells how it ended and the
    model has the weights of the lowest loss.

    Args:
        method: a method of `scipy.optimize.minimize` that takes a gradient and no Hessian:
            `"L-BFGS-B"`, `"BFGS"`, `"CG"`, `"Newton-CG"`, `"TNC"`, `"SLSQP"`, `"trust-constr"`.
        **options: the method's options in scipy's words, such as `maxcor=100` or `gtol=1e-9`.

    Raises:
        ValueError: for any other method.

    Example:

        pinn.compile(kpinn.optimizers.ScipyMinimize("L-BFGS-B", maxcor=50))
        pinn.fit(points, epochs=500)
        print(pinn.optimizer.result.message)

    References:
        R. H. Byrd, P. Lu, J. Nocedal and C. Zhu, A limited memory algorithm for bound constrained
        optimization, SIAM Journal on Scientific Computing 16 (1995), 1190-1208.
    """

    def __init__(self, method="L-BFGS-B", name="scipy_minimize", **options):
        super().__init__(learning_rate=0.0, name=name)
        known = {known.lower(): known for known in GRADIENT_METHODS}
        if str(method).lower() not in known:
            raise ValueError(
                f"method {method!r} is not one of {', '.join(GRADIENT_METHODS)}: it must use a "
                "gradient, and no Hessian."
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
            "ScipyMinimize needs the whole loss at once: use it with kpinn.PINN.fit and points "
            "given as arrays."
        )


def default_options(method, epsilon):
    """Options that let a PINN go on to the rounding floor instead of scipy's tolerances."""
    return {
        "L-BFGS-B": {"maxcor": 50, "maxls": 50, "ftol": 0.0, "gtol": 0.0, "maxfun": 2**31 - 1},
        "TNC": {"maxfun": 2**31 - 1},
        "BFGS": {"gtol": epsilon},
        "CG": {"gtol": epsilon},
        "Newton-CG": {"xtol": epsilon},
        "SLSQP": {"ftol": epsilon**2},
        "trust-constr": {"gtol": epsilon, "xtol": epsilon},
    }[method]


class _StopError(Exception):
    """Leaves scipy from inside a callback or an evaluation; it has no other way out of TNC."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Evaluations:
    """Counts and checks evaluations, and keeps the best point.

    Args:
        value_and_gradient: `theta -> (loss, gradient)`, a float and an array `(p,)`.
        dtype: dtype that the loss is computed in.
    """

    def __init__(self, value_and_gradient, dtype=np.float64):
        self.value_and_gradient, self.epsilon = value_and_gradient, float(np.finfo(dtype).eps)
        self.count, self.loss, self.theta = 0, np.inf, None

    def __call__(self, theta):
        value, gradient = self.value_and_gradient(theta)
        value, gradient = float(value), np.asarray(gradient, dtype=np.float64)
        self.count += 1
        if gradient.shape != theta.shape:
            raise ValueError(
                f"the gradient has the shape {gradient.shape}: expected {theta.shape}, one entry "
                "per parameter."
            )
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            what = "loss" if not np.isfinite(value) else "gradient"
            raise _StopError("nonfinite", f"the {what} is not finite at evaluation {self.count}")
        if value < self.loss:
            self.loss, self.theta = value, np.array(theta)
        return value, gradient


def minimize(evaluate, theta, optimizer, iterations, callback, bounds=None):
    """Runs scipy with the checks that it does not make.

    Args:
        evaluate: an `Evaluations`, which has the best point even if an exception ends the run.
        theta: start, float64 `(p,)`.
        optimizer: a `ScipyMinimize`.
        iterations: the most iterations.
        callback: called with `theta` after each accepted iteration; may raise `StopIteration`.
        bounds: `None` or a list of `(lower, upper)`.

    Returns:
        A `MinimizeResult`.

    Raises:
        ValueError: if loss or gradient are not finite at the start, or the gradient does not have
            the right length or is not that of the loss.
    """
    check_gradient(evaluate, theta)
    done = 0

    def accepted(point, *_):
        nonlocal done
        done += 1
        try:
            callback(point)
        except StopIteration:
            raise _StopError("stopped", "a callback stopped it") from None
        if done >= iterations:
            raise _StopError("iteration_limit", f"all {iterations} iterations are done")

    options = default_options(optimizer.method, evaluate.epsilon) | optimizer.options
    if optimizer.method != "TNC":
        options.setdefault("maxiter", iterations + 1)
    try:
        # Vectors of a few thousand numbers: threads of BLAS, which also fight TensorFlow's for the
        # cores, would make scipy's part of an iteration many times slower.
        with threadpoolctl.threadpool_limits(1, "blas"):
            found = scipy.optimize.minimize(
                evaluate,
                theta,
                jac=True,
                method=optimizer.method,
                callback=accepted,
                bounds=bounds,
                options=options,
            )
        code, message = _reading(found, options)
    except _StopError as stop:
        code, message = stop.code, str(stop)
    words = f"{optimizer.method} ended after {done} of {iterations} iterations: {message}."
    return MinimizeResult(code, words, evaluate.loss, done, evaluate.count, evaluate.theta)


def _reading(found, options):
    """Our code and message for scipy's result, whose `success` is not evidence of success."""
    text = str(found.message).strip().rstrip(".:") or "no message"
    stalled = options.get("ftol") == 0.0 and "REDUCTION OF F" in text
    if found.success and not stalled:
        return "converged", f"converged by scipy's tolerances ({text})"
    if found.status == 1:
        return "evaluation_limit", f"a limit of scipy's options was reached ({text})"
    return "no_progress", (
        f"no step lowers the loss any more ({text}); in float32 that is usually the rounding "
        "floor, which kpinn.set_float64() lowers"
    )


def check_gradient(evaluate, theta):
    """Raises `ValueError` unless the gradient at the start is finite and that of the loss.

    The slope along the gradient is compared with a central difference; the check is loose
    because a difference is.
    """
    try:
        value, gradient = evaluate(theta)
    except _StopError as stop:
        raise ValueError(f"cannot start: {stop}; look at the points and the weights.") from None
    norm, epsilon = np.linalg.norm(gradient), evaluate.epsilon
    if norm == 0.0:
        return
    direction = gradient / norm
    scale = max(1.0, np.linalg.norm(theta) / np.sqrt(theta.size))
    for step in scale * epsilon ** np.array([1 / 3, 1 / 4, 1 / 5]):
        try:
            upper, lower = (evaluate(theta + s * direction)[0] for s in (step, -step))
        except _StopError:
            continue
        slope, noise = (upper - lower) / (2 * step), 20 * epsilon * abs(value) / step
        if abs(slope - norm) <= 0.5 * norm + noise:
            return
    raise ValueError(
        f"the gradient is not that of the loss: along it the loss changes by {slope:.6g} per "
        f"unit, but its norm is {norm:.6g}. A custom gradient, a stop_gradient in a condition, "
        "or a finite difference that rounding has spoilt can do that."
    )
