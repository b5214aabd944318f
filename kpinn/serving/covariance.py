"""Standard errors of what a PINN has found from measurements with noise."""

import typing
import warnings

import numpy as np
import tensorflow as tf

from kpinn.derivatives.api import resolve
from kpinn.derivatives.names.declarations import split_names
from kpinn.objective.estimate import Estimate, noise_levels, noise_of_residuals
from kpinn.objective.jacobian import parts_of_quantities
from kpinn.objective.leverages import tolerance_of
from kpinn.objective.weighted_residuals import row_factors
from kpinn.options import names as names_of
from kpinn.options import number, optional
from kpinn.options.arrays import numbers
from kpinn.problem.points import check_known, one_set, widths_of
from kpinn.problem.unknowns import entries, on_bounds
from kpinn.serving.jacobian import MEMORY, prepared, weighted_jacobian

FAR = 0.5  # standard errors to the minimum, above which the training has not come to it
FREE = 0.5  # of a number that noise has to leave over, to be estimated
BATCH = 1_000  # points whose fields are looked at together


def covariance(pinn, points, noise, tolerance=None, memory=MEMORY) -> "Covariance":
    """The covariance of the unknowns, and standard errors of fields, after a training.

    The model behind the numbers: conditions that are measurements have residuals with independent
    noise of mean zero and, for each condition, one standard deviation (or one for each point);
    all other conditions are exact, as equations are, and hold up to their weight in the loss. The
    network can represent the solution. The parameters are those that minimise the loss, with the
    weights that it has: `k - k_exact = -G e` for small noise `e`, with the rows `G` of the
    pseudo-inverse of the Jacobian, so that the covariance is `G cov(e) G^T`, whatever the weights
    are. The parameters of the network are eliminated, see `kpinn.objective.estimate`. What is
    systematic is not in it: errors of the equation, of the network and of regularization.

    A prior, `k` of mean `m` and standard deviation `s`, is a measurement too: a condition that
    returns `(k - m) / s`, of noise 1.

    Args:
        pinn: a `kpinn.PINN` that was trained with a loss of mean squares.
        points: those of its training, as in `fit`, with targets and sample weights.
        noise: name of the condition with the measurements, or a list, to estimate the standard
            deviation of the noise from what the fit leaves over; or a dict from name to that
            number, to an array `(n,)` or `(n, k)`, or to `None` to estimate it.
        tolerance: singular values of the Jacobian of the network that are smaller parts of the
            largest are taken for zero: directions in which the training has not moved. By default
            the root of the rounding error, 1.5e-8 in float64.
        memory: most bytes for the Jacobian, see `kpinn.jacobian`.

    Returns:
        A `Covariance`.

    Raises:
        ValueError: as `kpinn.jacobian`; for unknowns that the conditions do not determine; and
            for measurements that the network can follow whatever they are.

    Example:

        pinn.fit((points, {"samples": u}), epochs=200)
        found = kpinn.covariance(pinn, (points, {"samples": u}), "samples")
        print(found)  # c = 0.998 +- 0.004
        print(found.standard_errors["c"], found.noise["samples"])

    References:
        G. A. F. Seber and C. J. Wild, Nonlinear Regression, Wiley (1989), sections 2.1 and 5.8.
        R. Frisch and F. V. Waugh, Partial time regressions as compared with individual trends,
        Econometrica 1 (1933), 387-401, for the elimination.
    """
    tolerance = optional(number, "tolerance", tolerance, "(0, 1)")
    objective, data = prepared(pinn, points)
    tolerance = tolerance_of(objective.dtype) if tolerance is None else tolerance
    names = objective.evaluated(data)
    levels = _levels(noise, names)
    matrix, residuals, shapes = weighted_jacobian(objective, data, memory)
    matrix, residuals = matrix.astype(np.float64), residuals.astype(np.float64)
    columns = _columns(objective)
    estimate = Estimate.of(matrix[:, columns.network], matrix[:, columns.unknowns], tolerance)
    _check_determined(estimate, columns.labels, tolerance)
    sets = _sets(objective, data, dict(zip(names, shapes, strict=True)), levels)
    sets = _with_variances(estimate, residuals, sets)
    found = Covariance(pinn, columns, estimate, sets, objective.theta().numpy())
    _warn_if_far(found, estimate.gains @ residuals)
    return found


class Covariance:
    """What `kpinn.covariance` returns; printed, it is a table.

    Attributes:
        names: labels of the unknowns, `"k"`, or `"k[0]"` for the entry of an array.
        matrix: their covariance `(q, q)`, in this order.
        standard_errors: dict from unknown to a number, or an array of its shape. One that is on
            its bound is taken as known: it is in no covariance, and has NaN here.
        noise: dict from measurement to the standard deviation of its noise; an array `(n, k)` if
            it was given as such.
    """

    def __init__(self, pinn, columns, estimate, sets, theta):
        self._pinn, self._columns, self._estimate, self._theta = pinn, columns, estimate, theta
        self._rows = np.concatenate([np.arange(each.rows.start, each.rows.stop) for each in sets])
        self._scale = np.sqrt(np.concatenate([each.variances for each in sets]))
        self._estimated = [each.name for each in sets if each.level is None]
        gains = estimate.gains[:, self._rows] * self._scale
        self.names, self.matrix = tuple(columns.labels), gains @ gains.T
        self.noise = {each.name: each.noise for each in sets}
        self.standard_errors = self._by_unknown(np.sqrt(np.diag(self.matrix)))

    def _by_unknown(self, errors):
        found, errors = {}, dict(zip(self.names, errors, strict=True))
        for name, variable in self._pinn.unknowns.items():
            shape = tuple(variable.shape)
            entry = [errors.get(label, np.nan) for label in entries(name, variable)]
            found[name] = float(entry[0]) if shape == () else np.reshape(entry, shape)
        return found

    def fields(self, points, names=None) -> dict[str, np.ndarray]:
        """Standard errors of fields and any of their derivatives at points.

        Args:
            points: dict of arrays `(n,)` or `(n, k)`, as in `pinn.predict_fields`.
            names: `"u, u_x"`; by default all fields.

        Returns:
            A dict from name to numpy array, like that of `pinn.predict_fields`.

        Raises:
            ValueError: if the PINN was trained on.

        Example:

            error = kpinn.covariance(pinn, data, "samples").fields({"x": x}, "k")["k"]
        """
        objective = self._pinn.objective
        if not np.array_equal(objective.theta().numpy(), self._theta):
            raise ValueError(
                "the parameters are others than those of this covariance: call kpinn.covariance "
                "again after a training."
            )
        problem = objective.problem
        names = list(problem.space.fields) if names is None else names
        names = split_names(names_of("names", names, "u, u_x"))
        arrays = one_set("covariance", points, problem, None)
        widths, count = widths_of(arrays), next(iter(arrays.values())).shape[0]
        parts = []
        for start in range(0, count, BATCH):
            part = {name: array[start : start + BATCH] for name, array in arrays.items()}
            parts.append(self._fields(objective, names, part))
        shapes = {q.name: problem.names.shape(q, widths) for q in problem.quantities(names, widths)}
        return {
            name: np.concatenate([part[name] for part in parts]).reshape(count, *shapes[name][1:])
            for name in names
        }

    def _fields(self, objective, names, arrays):
        method, columns, estimate = resolve(self._pinn.method), self._columns, self._estimate
        compute = objective.compiled.graph(
            ("parts of quantities", names, str(method)),
            lambda arrays: parts_of_quantities(objective, names, arrays, method),
        )
        found = {}
        for name, part in zip(names, compute(arrays), strict=True):
            rows = objective.rows(part).numpy().astype(np.float64)
            gains = rows[:, columns.unknowns] @ estimate.gains[:, self._rows]
            gains += estimate.through_network(rows[:, columns.network], self._rows)
            found[name] = np.linalg.norm(gains * self._scale, axis=1)
        return found

    def __str__(self):
        lines = []
        for name, variable in self._pinn.unknowns.items():
            values = np.ravel(variable.numpy()), np.ravel(self.standard_errors[name])
            for label, value, error in zip(entries(name, variable), *values, strict=True):
                lines.append(f"{label} = {value:.6g} +- {error:.2g}")
        for name, level in self.noise.items():
            how = "estimated" if name in self._estimated else "given"
            lines.append(f"noise of {name!r}: {np.sqrt(np.mean(np.square(level))):.3g}, {how}")
        return "\n".join(lines)


# What the rows and columns are --------------------------------------------------------------


class _Columns(typing.NamedTuple):
    """Which parameters are unknowns.

    Attributes:
        labels: of the unknowns that are free, entry by entry.
        unknowns: their positions in the vector of all parameters, an array of ints.
        network: those of the parameters of the network.
    """

    labels: list
    unknowns: np.ndarray
    network: np.ndarray


def _columns(objective):
    labels, free, all_unknowns = [], [], []
    numbers = {id(variable): i for i, variable in enumerate(objective.variables)}
    for name, variable in objective.problem.unknowns.items():
        if id(variable) not in numbers:  # it is frozen
            continue
        places = objective.positions((numbers[id(variable)],))
        all_unknowns.extend(places)
        held = np.ravel(on_bounds(variable))
        labels += np.array(list(entries(name, variable)))[~held].tolist()
        free.extend(places[~held])
    network = np.setdiff1d(np.arange(objective.size), np.array(all_unknowns, int))
    return _Columns(labels, np.array(free, int), network)


class _Set(typing.NamedTuple):
    """The measurements of a condition.

    Attributes:
        name: of the condition.
        rows: where they are, a slice.
        weights: their weights in the loss, `(m,)`.
        level: the standard deviations `(m,)` that were given, or `None`.
        noise: the standard deviation as it is reported.
        variances: of the weighted residuals, `(m,)`.
    """

    name: str
    rows: slice
    weights: np.ndarray
    level: np.ndarray | None
    noise: object = None
    variances: np.ndarray | None = None


def _levels(noise, names):
    """A dict from measurement to what was given for its noise, in the order of the conditions."""
    if not isinstance(noise, dict):
        given = names_of("noise", noise, "samples")
        noise = dict.fromkeys([given] if isinstance(given, str) else given)
    check_known(noise, names, "noise names")
    if not noise:
        raise ValueError("noise is an empty dict: expected the name of a condition with data.")
    return {name: noise[name] for name in names if name in noise}


def _sets(objective, data, shapes, levels):
    """A list of `_Set`, without the variances."""
    found, start = [], 0
    for name, (count, size) in shapes.items():
        rows, start = slice(start, start + count * size), start + count * size
        if name not in levels:
            continue
        like = tf.zeros((count, size), objective.dtype)
        factors = row_factors(objective, name, like, data.sample_weight.get(name))
        squares = np.square(factors.numpy().astype(np.float64))
        weights = np.broadcast_to(squares, (count, size)).ravel()
        given = levels[name]
        level, label = None, f"noise of {name!r}"
        if given is not None:
            positive = numbers(label, given, "(0, inf)")
            level = noise_of_residuals(label, positive, (count, size)).ravel()
        found.append(_Set(name, rows, weights, level, given))
    return found


def _with_variances(estimate, residuals, sets):
    """The sets with the variances of their noise, which are estimated where none are given."""
    known = [(each.rows, each.weights * each.level**2) for each in sets if each.level is not None]
    others = [each for each in sets if each.level is None]
    asked = [(each.rows, each.weights) for each in others]
    variances, free = noise_levels(estimate.basis, residuals, known, asked)
    for each, left in zip(others, free, strict=True):
        if left < FREE:
            raise ValueError(
                f"the parameters can follow all {each.weights.size} measurements of "
                f"{each.name!r}: nothing is left over to estimate the noise from. Pass its "
                f"standard deviation, noise={{{each.name!r}: 0.01}}, more points of the equations, "
                "or a smaller network."
            )
    found = dict(zip([each.name for each in others], variances, strict=True))
    return [
        each._replace(
            noise=float(np.sqrt(found[each.name])) if each.level is None else each.noise,
            variances=each.weights * (found[each.name] if each.level is None else each.level**2),
        )
        for each in sets
    ]


# Checks -------------------------------------------------------------------------------------


def _check_determined(estimate, labels, tolerance):
    """Raises `ValueError` for unknowns that change no residual which the network cannot undo."""
    lost = estimate.determined <= tolerance
    missing = len(labels) - len(lost)  # fewer residuals than unknowns
    if missing > 0 or lost.any():
        parts = np.abs(estimate.combinations[lost]).max(axis=0, initial=0.0)
        names = [label for label, part in zip(labels, parts, strict=True) if part > 0.1] or labels
        raise ValueError(
            f"the conditions at these points do not determine {', '.join(names)}: the network can "
            "undo what a change of it, or of these together, does to the residuals. Pass all "
            "points of the training, more measurements or more points of the equations, or a "
            "smaller network."
        )


def _warn_if_far(found, step):
    """Warns where the minimum is far from where the training has ended, in standard errors."""
    errors = np.sqrt(np.diag(found.matrix))
    far = np.abs(step) > FAR * np.maximum(errors, np.finfo(np.float64).tiny)
    if far.any():
        moves = [
            f"{label} by {-each:.2g} (standard error {error:.2g})"
            for label, each, error, out in zip(found.names, step, errors, far, strict=True)
            if out
        ]
        warnings.warn(
            "the training has not come to the minimum, to which standard errors belong: a step of "
            f"Gauss and Newton would still move {', '.join(moves)}. Train on, for example by "
            "kpinn.optimizers.LevenbergMarquardt.",
            stacklevel=3,
        )
