"""Equalities and inequalities as constraints, by the method of multipliers."""

import dataclasses

import numpy as np
import tensorflow as tf

from kpinn.objective.inequality import Inequality
from kpinn.objective.weighted_residuals import is_square
from kpinn.options import number, one_of
from kpinn.training.changes import refuse_changes
from kpinn.training.every import Every, residuals_of
from kpinn.training.fit import train_on, training_data
from kpinn.training.weights import checks

SHRINKS = 0.25  # a violation that is no more than so much of the last one: the penalty stays


class AugmentedLagrangian(Every):
    """Turns conditions into constraints, with a multiplier for each residual.

    A penalty alone leaves the residual `h` of a constraint about as large as the other terms of the
    loss can pull; a larger one makes the problem worse conditioned. The augmented Lagrangian has
    the mean of `l h + m h^2 / 2` in its place, with the penalty `m` and multipliers `l`, which
    every so many epochs become `l + m h`: so `h` goes to zero with a moderate penalty. Up to a
    constant it is the mean of `m (h + l / m)^2 / 2`. So the loss weight is `m / 2`, and the targets
    are those of `fit` minus `l / m`; that is a mean square, which all optimizers take. In the logs
    the loss of the condition, and its metrics, are with these targets: `violations` has the size of
    the constraint, and `pinn.evaluate` computes it.

    With the loss `kpinn.losses.Inequality()` the constraint is `h <= 0`, and its multipliers are
    not negative.

    A condition over a set (`@kpinn.condition(over="set")`) has one residual, and one multiplier.
    With `by="condition"` all residuals of a condition have one, for the mean of their squares: with
    `C` this mean, the loss is `l C + m C^2 / 2`, so that the loss weight is `l + m C`, and `l`
    becomes `l + m C`.

    Args:
        conditions: names of the conditions.
        every: epochs from one time to the next: enough for the optimizer to come near the minimum.
        penalty: positive, `m`.
        growth: what the penalty of a condition is multiplied by when its violation is still more
            than a quarter of what it was the last time; one keeps it.
        largest: what a penalty is bounded by.
        by: `"point"` or `"condition"`.

    Attributes:
        multipliers: dict from condition to array `(n, k)`, or to a number by condition. Divided by
            the number of residuals they are those of a sum over points. They begin with zero, also
            where points are replaced.
        penalties: dict from condition to number.
        violations: dict from condition to the root of the mean square of `h` (of an inequality: of
            the larger of `h` and `-l / m`), as it was at the last time.

    Raises:
        ValueError: for numbers out of range; in `fit`, for conditions that there are not, whose
            loss is another one or whose points are drawn anew in each step, and if it would be time
            while a minimizer of scipy works.

    Example:

        walls = kpinn.callbacks.AugmentedLagrangian("walls", every=200, penalty=10.0)
        pinn.fit(points, epochs=10_000, callbacks=[walls])

    References:
        J. Nocedal and S. J. Wright, Numerical Optimization, 2nd edition (2006), framework 17.3.
        D. P. Bertsekas, Constrained Optimization and Lagrange Multiplier Methods (1982), section
        3.1, for inequalities.
        S. Basir and I. Senocak, Physics and equality constrained artificial neural networks:
        application to forward and inverse problems with multi-fidelity data fusion, Journal of
        Computational Physics 463 (2022), 111301.
    """

    def __init__(self, conditions, every=100, penalty=1.0, growth=1.0, largest=1e6, by="point"):
        super().__init__(every)
        self.names = checks.listed(conditions)
        self.penalty = number("penalty", penalty, "(0, inf)")
        self.growth = number("growth", growth, "[1, inf)")
        self.largest = number("largest", largest, "(0, inf)")
        self.by = one_of("by", by, ("point", "condition"))
        self._forget()

    def _forget(self):
        self.multipliers, self.penalties, self.violations = {}, {}, {}
        self._given, self._in_use = {}, {}

    def on_train_begin(self, logs=None):
        """Multipliers of zero, and targets, so that the first step has the same arguments."""
        super().on_train_begin(logs)
        self._refuse(checks.known(self, self.names))
        self._forget()
        self._set(begins=True)

    def _refuse(self, names):
        checks.refuse_minimizers(self)
        data, functions = training_data(self.model), self.model.objective.losses.functions
        for name in names:
            fits = is_square(functions[name]) or isinstance(functions[name], Inequality)
            if not fits or (self.by == "condition" and not is_square(functions[name])):
                raise ValueError(
                    f"AugmentedLagrangian turns {name!r} into a constraint: expected the loss "
                    "'mse' or, with a multiplier for each point, kpinn.losses.Inequality()."
                )
            if name not in data.in_memory(names):
                raise ValueError(
                    f"AugmentedLagrangian has multipliers for the points of {name!r}, which are "
                    "drawn anew in each step: give fit arrays, such as those of sample."
                )

    def weighted(self):
        """See `Every.weighted`."""
        return checks.known(self, self.names)

    def act(self, epoch):
        """Updates multipliers and penalties."""
        self._set(begins=False)

    def _set(self, begins):
        refuse_changes(self.model, "multipliers")
        data = training_data(self.model)
        residuals = residuals_of(self.model, checks.known(self, self.names))
        targets = {}
        for name, residual in residuals.items():
            residual = residual.astype(float)
            if self.by == "condition":
                self._update_one(name, residual, begins)
                continue
            if begins or data.targets.get(name) is not self._in_use.get(name):  # other points
                self._begin(name, residual, data.targets.get(name))
            else:
                self._update(name, residual)
            shift = self.multipliers[name] / self.penalties[name]
            targets[name] = tf.constant(self._given[name] - shift, self.model.problem.dtype)
            self.model.loss_weights[name].assign(self.penalties[name] / 2.0)
        if targets:
            train_on(self.model, dataclasses.replace(data, targets=data.targets | targets))
            self._in_use = targets

    def _begin(self, name, residual, target):
        zeros = np.zeros(residual.shape)
        self._given[name] = zeros if target is None else np.reshape(target, residual.shape)
        self.multipliers[name], self.violations[name] = zeros, np.inf
        self.penalties[name] = self.penalties.get(name, self.penalty)

    def _update(self, name, shifted):
        """Multipliers `l + m h` of `shifted`, the constraint plus `l / m`; the penalty."""
        before = self.multipliers[name] / self.penalties[name]
        loss = self.model.objective.losses.functions[name]
        shifted = np.maximum(shifted, 0.0) if isinstance(loss, Inequality) else shifted
        self.multipliers[name] = self.penalties[name] * shifted
        self._penalise(name, np.sqrt(np.mean((shifted - before) ** 2)))

    def _update_one(self, name, residual, begins):
        """The same of the mean of squares."""
        if begins:
            self.multipliers[name], self.violations[name] = 0.0, np.inf
            self.penalties[name] = self.penalty
        mean = np.mean(residual**2)
        step = self.penalties[name] * mean
        if not begins:
            self.multipliers[name] += step
            self._penalise(name, np.sqrt(mean))
        self.model.loss_weights[name].assign(self.multipliers[name] + self.penalties[name] * mean)

    def _penalise(self, name, violation):
        if violation > SHRINKS * self.violations[name]:
            grown = max(self.penalties[name], self.largest)
            self.penalties[name] = min(self.growth * self.penalties[name], grown)
        self.violations[name] = float(violation)

    def get_state(self):
        """What `Checkpoint` saves."""
        present = training_data(self.model).targets
        return {
            "last": self._last,
            "multipliers": dict(self.multipliers),
            "penalties": dict(self.penalties),
            "violations": dict(self.violations),
            "given": dict(self._given),
            "in_use": [n for n, target in self._in_use.items() if present.get(n) is target],
        }

    def set_state(self, state):
        """Sets what `get_state` returned."""
        self._last, self.multipliers = state["last"], state["multipliers"]
        self.penalties, self.violations = state["penalties"], state["violations"]
        present, self._given = training_data(self.model).targets, state["given"]
        self._in_use = {name: present[name] for name in state["in_use"]}
