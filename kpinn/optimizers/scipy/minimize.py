"""`scipy.optimize.minimize` as an optimizer for `PINN.compile`."""

import contextlib
import typing
from collections.abc import Callable

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
CONSTRAINED_METHODS = ("SLSQP", "trust-constr")


@keras.saving.register_keras_serializable(package="kpinn")
class ScipyMinimize(ScipyOptimizer):
    """Full-batch minimisation by `scipy.optimize.minimize`, driven by `PINN.fit`.

    One epoch is one iteration of the minimizer. The parameters are one float64 vector on scipy's
    side, whatever dtype the network computes in. After `fit`, `result` tells how it ended and the
    model has the best weights that were found.

    `"Newton-CG"`, `"trust-ncg"`, `"trust-krylov"` and `"trust-constr"` get exact products of the
    Hessian with vectors, which cost two to three gradients each.

    `"SLSQP"` and `"trust-constr"` take conditions as equality constraints: their residuals (minus
    the targets) are to be zero, and are no part of the loss. There may be at most as many of them
    as parameters, and they should not depend on each other, as at points that are given twice.

    Args:
        method: a method of `scipy.optimize.minimize` that uses derivatives: `"L-BFGS-B"`,
            `"BFGS"`, `"CG"`, `"Newton-CG"`, `"trust-ncg"`, `"trust-krylov"`, `"trust-constr"`,
            `"TNC"` or `"SLSQP"`.
        constraints: name of a condition, or a list of names.
        **options: the method's options in scipy's words, such as `maxcor=100` or `gtol=1e-9`.

    Raises:
        ValueError: for any other method, or constraints for a method that takes none.

    Example:

        pinn.compile(kpinn.optimizers.ScipyMinimize("L-BFGS-B", maxcor=50))
        pinn.fit(points, epochs=500)
        print(pinn.optimizer.result.message)

    References:
        R. H. Byrd, P. Lu, J. Nocedal and C. Zhu, A limited memory algorithm for bound constrained
        optimization, SIAM Journal on Scientific Computing 16 (1995), 1190-1208.
    """

    def __init__(self, method="L-BFGS-B", constraints=None, name="scipy_minimize", **options):
        super().__init__(method, METHODS, options, name)
        self.constraints = _names(constraints)
        if self.constraints and self.method not in CONSTRAINED_METHODS:
            raise ValueError(
                f"{self.method} takes no constraints: use one of {', '.join(CONSTRAINED_METHODS)}."
            )

    def get_config(self):
        """The arguments."""
        return super().get_config() | {"constraints": list(self.constraints) or None}


def _names(constraints):
    """A tuple of names from `None`, a name or a list of names."""
    names = () if constraints is None else constraints
    names = [names] if isinstance(names, str) else names
    known = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    if not known or len(set(names)) < len(names):
        raise ValueError(
            f"constraints is {constraints!r}: expected the name of a condition, or a list of "
            "different names."
        )
    return tuple(names)


class Constraints(typing.NamedTuple):
    """Residuals that are to be zero, as functions of the parameters.

    Attributes:
        residuals: `theta -> (q,)`.
        jacobian: `theta -> (q, p)`.
        hessian_product: `(theta, multipliers, vector) -> (p,)`, the Hessian of the sum of
            multipliers times residuals, times the vector.
    """

    residuals: Callable
    jacobian: Callable
    hessian_product: Callable


class Evaluations:
    """The loss for scipy, with the checks that it does not make; see `Record`.

    Args:
        value_and_gradient: `theta -> (loss, gradient)`, a float and an array `(p,)`.
        record: a `Record`.
        hessian_product: `(theta, vector) -> (p,)`, for the methods that need it.
        constraints: `None` or `Constraints`.
    """

    def __init__(self, value_and_gradient, record=None, hessian_product=None, constraints=None):
        self.value_and_gradient = value_and_gradient
        self.record = Record() if record is None else record
        self.hessian_product, self.constraints = hessian_product, constraints

    def __call__(self, theta):
        value, gradient = self.checked(theta)
        self.record.add(theta, value, self.violation(theta))
        return value, gradient

    def violation(self, theta):
        """The largest absolute value of a constrained residual."""
        if self.constraints is None:
            return 0.0
        return float(np.max(np.abs(self.residuals(theta)), initial=0.0))

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

    def residuals(self, theta):
        """The constrained residuals."""
        return finite("constrained residual", self.constraints.residuals(theta), self.record)

    def jacobian(self, theta):
        """The Jacobian of the constrained residuals."""
        found = self.constraints.jacobian(theta)
        return finite("Jacobian of the constraints", found, self.record)

    def constraint_hessian(self, theta, multipliers):
        """The Hessian of the sum of multipliers times residuals, as a linear operator."""

        def product(vector):
            vector = np.reshape(vector, theta.shape)
            return self.constraints.hessian_product(theta, multipliers, vector)

        shape = (theta.size, theta.size)
        return scipy.sparse.linalg.LinearOperator(shape, matvec=product, dtype=np.float64)


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
            right length or is not that of the loss, the Hessian is not that of the loss, or there
            are more constraints than parameters.
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
            constraints=_constraints_of_scipy(evaluate, method),
            options=options,
        )
        return reading(found, method, options)

    return run(solve, record, method, iterations, lambda: correct(evaluate))


def _constraints_of_scipy(evaluate, method):
    if evaluate.constraints is None:
        return ()
    if method == "SLSQP":
        return [{"type": "eq", "fun": evaluate.residuals, "jac": evaluate.jacobian}]
    return scipy.optimize.NonlinearConstraint(
        evaluate.residuals, 0.0, 0.0, jac=evaluate.jacobian, hess=evaluate.constraint_hessian
    )


def correct(evaluate):
    """Moves the best point to one nearby where the constraints are zero up to rounding.

    The iterates meet them only up to the square of a step. The last one is moved too: without that
    a start that happens to meet them would be the best point for long.

    Args:
        evaluate: an `Evaluations`.
    """
    record = evaluate.record
    if evaluate.constraints is None:
        return
    with contextlib.suppress(StopError, np.linalg.LinAlgError):
        if record.last is not None:
            for point in _corrections(evaluate, record.last):
                record.add(*point)
        for point in _corrections(evaluate, record.theta):
            record.replace(*point)


def _corrections(evaluate, theta):
    """Steps of Newton with the least length, which halve the violation at least.

    They are the normal steps of Nocedal & Wright, section 18.5.

    Yields:
        The point, its loss and its violation.
    """
    violation = evaluate.violation(theta)
    while violation > 0.0:
        matrix, residuals = evaluate.jacobian(theta), evaluate.residuals(theta)
        theta, before = theta - np.linalg.lstsq(matrix, residuals, rcond=None)[0], violation
        value, _ = evaluate.checked(theta)
        violation = evaluate.violation(theta)
        if violation > before / 2:
            return
        yield theta, value, violation


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
    if evaluate.constraints is not None and evaluate.residuals(theta).size > theta.size:
        raise ValueError(
            f"there are {evaluate.residuals(theta).size} constrained residuals for {theta.size} "
            "parameters: more equations than parameters cannot be met. Give the constraints fewer "
            "points, or the network more parameters."
        )
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
