"""`scipy.optimize.least_squares` as an optimizer for `PINN.compile`."""

import keras
import numpy as np
import scipy.optimize

from kpinn.optimizers.result import ResultCode
from kpinn.optimizers.scipy.optimizer import (
    EPSILON,
    Record,
    ScipyOptimizer,
    StopError,
    check_gradient,
    counted,
    finite,
    finite_step,
    run,
)

METHODS = ("dogbox", "trf", "lm")
BOUNDED_METHODS = ("dogbox", "trf")
OPTIONS = ("ftol", "xtol", "gtol", "x_scale", "max_nfev", "tr_solver", "tr_options", "verbose")
NONFINITE_TRIALS = 10  # each with at most a quarter of the step before


@keras.saving.register_keras_serializable(package="kpinn")
class ScipyLeastSquares(ScipyOptimizer):
    """Nonlinear least squares by `scipy.optimize.least_squares`, driven by `PINN.fit`.

    The methods of Gauss-Newton type work on the vector of weighted residuals, whose squares add up
    to the loss, and on its Jacobian, see `kpinn.jacobian`. They take far fewer iterations than
    L-BFGS, but each costs a factorization of the Jacobian: they are for networks of up to about a
    thousand parameters and a few thousand residuals, in float64.

    One epoch is one accepted step. After `fit`, `result` tells how it ended and the model has the
    weights of the lowest loss.

    Args:
        method: `"dogbox"` (dogleg in a box, which needs the fewest iterations for PINNs), `"trf"`
            (trust region, reflective) or `"lm"` (Levenberg-Marquardt of MINPACK: at least as many
            residuals as parameters, and no positive unknowns).
        **options: scipy's `ftol`, `xtol`, `gtol`, `x_scale`, `max_nfev`, `tr_solver`,
            `tr_options`, `verbose`.

    Raises:
        ValueError: for another method or option.

    Example:

        kpinn.set_float64()
        ...
        pinn.compile(kpinn.optimizers.ScipyLeastSquares())
        pinn.fit(points, epochs=100)

    References:
        M. A. Branch, T. F. Coleman and Y. Li, A subspace, interior, and conjugate gradient method
        for large-scale bound-constrained minimization problems, SIAM Journal on Scientific
        Computing 21 (1999), 1-23.
        J. J. More, The Levenberg-Marquardt algorithm: implementation and theory, Lecture Notes in
        Mathematics 630 (1978), 105-116.
    """

    least_squares = True

    def __init__(self, method="dogbox", name="scipy_least_squares", **options):
        super().__init__(method, METHODS, options, name)
        unknown = [option for option in options if option not in OPTIONS]
        if unknown:
            raise ValueError(
                f"{', '.join(unknown)} cannot be set: the options are {', '.join(OPTIONS)}. The "
                "loss and its weights are those of PINN.compile."
            )


class ResidualEvaluations:
    """The residuals for scipy, with the checks that it does not make; see `Record`.

    scipy asks for the Jacobian at the start and after each accepted step; before version 1.16, and
    for `"lm"`, it has no other way to tell of one.

    Args:
        residuals: `theta -> (m,)`.
        jacobian: `theta -> (m, p)`.
        record: a `Record`.
    """

    def __init__(self, residuals, jacobian, record=None):
        self.residuals, self.matrix = residuals, jacobian
        self.record, self.nonfinite = Record() if record is None else record, 0
        self.begin(None)

    def begin(self, accepted):
        """Begins anew; `accepted` is called with `theta` after each accepted step."""
        self._accepted, self._point, self._found = accepted, None, None

    def __call__(self, theta):
        """The residuals; not finite ones too, for which scipy shortens the step."""
        residuals = self._evaluated(theta)
        if np.isfinite(residuals).all():
            self.nonfinite = 0
            self.record.add(theta, float(residuals @ residuals))
            return residuals
        self.nonfinite += 1
        if self.record.theta is None or self.nonfinite > NONFINITE_TRIALS:
            finite("residual", residuals, self.record)
        return residuals

    def strict(self, theta):
        """The residuals; raises `StopError` unless they are finite: MINPACK would go on."""
        return finite("residual", self(theta), self.record)

    def loss(self, theta):
        """The sum of squares, of a point that is not a candidate for the best."""
        residuals = self._evaluated(theta)
        return float(residuals @ residuals)

    def _evaluated(self, theta):
        self.record.evaluations += 1
        return np.asarray(self.residuals(finite_step(theta)), dtype=np.float64)

    def jacobian(self, theta):
        """The Jacobian; another point than that of the last call is an accepted one."""
        if self._point is not None and np.array_equal(theta, self._point):
            return self._found
        if self._point is not None:
            self._accepted(theta)
        self._found = finite("Jacobian", self.matrix(theta), self.record)
        self._point = np.array(theta)
        return self._found


def least_squares(evaluate, theta, optimizer, iterations, callback):
    """Runs scipy with the checks that it does not make.

    Args:
        evaluate: a `ResidualEvaluations`, whose record has the best point and the result even if
            an exception ends the run.
        theta: start, float64 `(p,)`.
        optimizer: a `ScipyLeastSquares`.
        iterations: the most iterations.
        callback: called with `theta` after each accepted step; may raise `StopIteration`.

    Returns:
        A `MinimizeResult`.

    Raises:
        ValueError: if residuals or Jacobian are not finite at the start or do not fit each other,
            or if `"lm"` has fewer residuals than parameters.
    """
    check_start(evaluate, theta, optimizer.method)
    record, method = evaluate.record, optimizer.method
    options = default_options(method, record.epsilon) | optimizer.options
    evaluate.begin(counted(record, iterations, callback))

    def solve():
        found = scipy.optimize.least_squares(
            evaluate.strict if method == "lm" else evaluate,
            np.array(theta),
            jac=evaluate.jacobian,
            bounds=(-np.inf, np.inf) if record.bounds is None else record.bounds,
            method=method,
            **options,
        )
        return reading(found, optimizer.options)

    return run(solve, record, method, iterations)


def default_options(method, epsilon):
    """Options that let a PINN go on to the rounding floor, and that suit its Jacobian.

    Its columns differ by orders of magnitude, so that the variables are scaled by them. It is
    nearly singular, so that an unregularized step of Gauss and Newton, as the exact solver of
    `"dogbox"` takes it, is of no use.
    """
    # gtol is absolute: it has nothing to do with the dtype
    limits = {"ftol": epsilon, "xtol": epsilon, "gtol": EPSILON, "max_nfev": 2**31 - 1}
    solver = {"tr_solver": "lsmr"} if method == "dogbox" else {}
    return limits | {"x_scale": "jac"} | solver


def reading(found, given):
    """Our code and message for scipy's result.

    Args:
        found: a `scipy.optimize.OptimizeResult`.
        given: dict of the user's options: a tolerance of ours, at the rounding error, says that no
            step lowers the loss.
    """
    text = str(found.get("message", "")).strip().rstrip(".:") or "no message"
    status = found.get("status")
    reached = {1: ("gtol",), 2: ("ftol",), 3: ("xtol",), 4: ("ftol", "xtol")}.get(status, ())
    if status == 1 or any(option in given for option in reached):
        return ResultCode.CONVERGED, f"converged by scipy's tolerances ({text})"
    if status == 0:
        return (
            ResultCode.EVALUATION_LIMIT,
            f"a limit of scipy's options was reached ({text})",
        )
    return ResultCode.NO_PROGRESS, f"no step lowers the loss any more ({text})"


def check_start(evaluate, theta, method):
    """Raises `ValueError` for what cannot work; see `least_squares`."""
    try:
        residuals, matrix = evaluate(theta), evaluate.jacobian(theta)
    except StopError as stop:
        raise ValueError(f"cannot start: {stop}; look at the points and the weights.") from None
    if matrix.shape != (residuals.size, theta.size):
        raise ValueError(
            f"the Jacobian has the shape {matrix.shape}: expected {(residuals.size, theta.size)}, "
            "a row for each residual and a column for each parameter."
        )
    if method == "lm" and residuals.size < theta.size:
        raise ValueError(
            f"lm needs at least as many residuals as parameters, and there are {residuals.size} "
            f"for {theta.size} parameters: give more points, or use one of "
            f"{', '.join(BOUNDED_METHODS)}."
        )
    gradient, value = 2 * matrix.T @ residuals, float(residuals @ residuals)
    check_gradient(evaluate.loss, theta, value, gradient, evaluate.record.epsilon)
