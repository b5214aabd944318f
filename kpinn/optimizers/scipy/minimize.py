"""`scipy.optimize.minimize` as an optimizer for `PINN.compile`."""

import keras
import numpy as np
import scipy  # not scipy.optimize, which is slow to load, and loads when it is first named

from kpinn.optimizers.result import ResultCode
from kpinn.optimizers.scipy.optimizer import (
    Record,
    ScipyOptimizer,
    StopError,
    check_gradient,
    check_hessian,
    counted,
    finite,
    finite_step,
    run,
)

METHODS = (
    "L-BFGS-B",
    "BFGS",
    "CG",
    "Newton-CG",
    "trust-ncg",
    "trust-krylov",
    "trust-constr",
    "TNC",
    "SLSQP",
)
HESSIAN_METHODS = ("Newton-CG", "trust-ncg", "trust-krylov", "trust-constr")
BOUNDED_METHODS = ("L-BFGS-B", "TNC", "SLSQP", "trust-constr")


@keras.saving.register_keras_serializable(package="kpinn")
class ScipyMinimize(ScipyOptimizer):
    """Full-batch minimisation by `scipy.optimize.minimize`, driven by `PINN.fit`.

    One epoch is one iteration of the minimizer. The parameters are one float64 vector on scipy's
    side, whatever dtype the network computes in. After `fit`, `result` tells how it ended and the
    model has the best weights that were found.

    `"Newton-CG"`, `"trust-ncg"`, `"trust-krylov"` and `"trust-constr"` get exact products of the
    Hessian with vectors, which cost two to three gradients each.

    Args:
        method: a method of `scipy.optimize.minimize` that uses derivatives: `"L-BFGS-B"`,
            `"BFGS"`, `"CG"`, `"Newton-CG"`, `"trust-ncg"`, `"trust-krylov"`, `"trust-constr"`,
            `"TNC"` or `"SLSQP"`.
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
        super().__init__(method, METHODS, options, name)


class Evaluations:
    """The loss for scipy, with the checks that it does not make; see `Record`.

    Args:
        value_and_gradient: `theta -> (loss, gradient)`, a float and an array `(p,)`.
        record: a `Record`.
        hessian_product: `(theta, vector) -> (p,)`, for the methods that need it.
    """

    def __init__(self, value_and_gradient, record=None, hessian_product=None):
        self.value_and_gradient = value_and_gradient
        self.record = Record() if record is None else record
        self.hessian_product = hessian_product

    def __call__(self, theta):
        try:
            value, gradient = self.checked(theta)
        except StopError as stop:
            if stop.code is not ResultCode.NONFINITE:
                raise
            return self.record.reject(theta, str(stop))
        self.record.add(theta, value, gradient)
        return value, gradient

    def checked(self, theta):
        """Loss and gradient, of a point that is not a candidate for the best."""
        value, gradient = self.value_and_gradient(finite_step(theta))
        self.record.evaluations += 1
        value = float(finite("loss", value, self.record))
        gradient = finite("gradient", gradient, self.record)
        if gradient.shape != theta.shape:
            raise ValueError(
                f"the gradient has the shape {gradient.shape}: expected {theta.shape}, one entry "
                "per parameter."
            )
        return value, gradient

    def product(self, theta, vector):
        """The product of the Hessian with a vector."""
        vector = np.reshape(finite_step(vector), theta.shape)
        return finite("Hessian", self.hessian_product(theta, vector), self.record)


def default_options(method, epsilon):
    """Options that let a PINN go on to the rounding floor instead of scipy's tolerances."""
    return {
        "L-BFGS-B": {"maxcor": 50, "maxls": 50, "ftol": 0.0, "gtol": 0.0, "maxfun": 2**31 - 1},
        "TNC": {"maxfun": 2**31 - 1},
        "BFGS": {"gtol": epsilon},
        "CG": {"gtol": epsilon},
        "Newton-CG": {"xtol": epsilon},
        "trust-ncg": {"gtol": epsilon},
        "trust-krylov": {"gtol": epsilon},
        "SLSQP": {"ftol": epsilon**2},
        "trust-constr": {"gtol": epsilon, "xtol": epsilon},
    }[method]


def minimize(evaluate, theta, optimizer, iterations, callback):
    """Runs scipy with the checks that it does not make.

    Args:
        evaluate: an `Evaluations`, whose record has the best point and the result even if an
            exception ends the run.
        theta: start, float64 `(p,)`.
        optimizer: a `ScipyMinimize`.
        iterations: the most iterations.
        callback: called with `theta` after each accepted iteration; may raise `StopIteration`.

    Returns:
        A `MinimizeResult`.

    Raises:
        ValueError: if loss or gradient are not finite at the start, the gradient does not have the
            right length or is not that of the loss, or the Hessian is not that of the loss.
    """
    check_start(evaluate, theta, optimizer.method)
    record, method = evaluate.record, optimizer.method
    options = default_options(method, record.epsilon) | optimizer.options
    if method != "TNC":
        options.setdefault("maxiter", iterations + 1)

    @np.errstate(invalid="ignore")  # trlib, at the rounding floor
    def solve():
        found = scipy.optimize.minimize(
            evaluate,
            theta,
            jac=True,
            hessp=evaluate.product if method in HESSIAN_METHODS else None,
            method=method,
            callback=counted(record, iterations, callback),
            bounds=None if record.bounds is None else scipy.optimize.Bounds(*record.bounds),
            options=options,
        )
        return reading(found, method, options)

    return run(solve, record, method, iterations)


def reading(found, method, options):
    """Our code and message for scipy's result, whose `success` is not evidence of success.

    Args:
        found: a `scipy.optimize.OptimizeResult`.
        method: name of the method.
        options: the options that it had.
    """
    text = str(found.get("message", "")).strip().rstrip(".:") or "no message"
    stalled = options.get("ftol") == 0.0 and "REDUCTION" in text
    if found.get("success") and not stalled:
        return ResultCode.CONVERGED, f"converged by scipy's tolerances ({text})"
    if found.get("status") == {"TNC": 3, "SLSQP": 9, "trust-constr": 0}.get(method, 1):
        iterations = found.get("nit", 0) >= options.get("maxiter", np.inf)
        code = ResultCode.ITERATION_LIMIT if iterations else ResultCode.EVALUATION_LIMIT
        return code, f"a limit of scipy's options was reached ({text})"
    return ResultCode.NO_PROGRESS, (
        f"no step lowers the loss any more ({text}); in float32 that is usually the rounding "
        "floor, which kpinn.set_float64() lowers"
    )


def check_start(evaluate, theta, method):
    """Raises `ValueError` for what cannot work; see `minimize`."""
    try:
        value, gradient = evaluate(theta)
        if method in HESSIAN_METHODS:
            evaluate.product(theta, gradient)
    except StopError as stop:
        raise ValueError(f"cannot start: {stop}; look at the points and the weights.") from None
    epsilon = evaluate.record.epsilon

    def loss(point):
        return _or_nan(lambda: evaluate.checked(point)[0])

    def slope(point):
        return _or_nan(lambda: evaluate.checked(point)[1])

    check_gradient(loss, theta, value, gradient, epsilon)
    if method in HESSIAN_METHODS:
        check_hessian(evaluate.product, slope, theta, epsilon)


def _or_nan(function):
    """NaN instead of a `StopError`: a point near the start where the loss has no value."""
    try:
        return function()
    except StopError:
        return np.nan
