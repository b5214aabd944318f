"""Weights of points by their residuals."""

import abc

import numpy as np

from kpinn.options import number, optional, positive_whole, shown, text
from kpinn.options.arrays import one_or_several
from kpinn.training.candidates import arrays_of
from kpinn.training.every import Every, residuals_of
from kpinn.training.fit import training_data
from kpinn.training.weights import checks

LEAST_SIZE = 1e-300


class PointWeights(Every):
    """Base class: weights of points by a rule, a method of the subclass.

    They begin with one, and with one again where points are replaced. Every so many epochs the rule
    gets the residuals of a condition, minus the targets, and says what the weights of its points
    are from then on. They are multiplied by the sample weights that `fit` was given.

    Args:
        conditions: names of the conditions; by default those of `fit`.
        every: epochs from one time to the next.

    Attributes:
        weights: dict from condition to array `(n,)`.
    """

    at_once = False  # whether the rule is for the first epoch too

    def __init__(self, conditions, every):
        super().__init__(every)
        self.names = checks.listed(conditions)
        self.weights, self._given, self._in_use = {}, {}, {}

    @abc.abstractmethod
    def updated(self, name, weights, residuals):
        """The weights from now on, `(n,)`.

        Args:
            name: name of the condition.
            weights: those until now, `(n,)`.
            residuals: array `(n, k)`.
        """

    def factors(self, weights):
        """What squared residuals count with these weights, `(n,)`."""
        return weights**2

    def on_train_begin(self, logs=None):
        """The first weights, so that the first step has the same arguments as the others."""
        super().on_train_begin(logs)
        checks.refuse_functionals(self, checks.by_point(self, self.names))
        checks.refuse_minimizers(self)
        self.weights, self._given, self._in_use = {}, {}, {}
        self._set(self.at_once)

    def act(self, epoch):
        """Updates the weights."""
        self._set(True)

    def _set(self, by_rule):
        data, names = training_data(self.model), checks.by_point(self, self.names)
        for name, residuals in residuals_of(self.model, names).items():
            given = data.sample_weight.get(name)
            if name not in self.weights or given is not self._in_use.get(name):  # other points
                self.weights[name] = np.ones(len(residuals))
                self._given[name] = 1.0 if given is None else np.ravel(given)
            if by_rule:
                self.weights[name] = self.updated(name, self.weights[name], residuals)
        self.model.replace_weights(
            {
                name: self._given[name] * self.factors(weight)
                for name, weight in self.weights.items()
            }
        )
        self._in_use = training_data(self.model).sample_weight

    def get_state(self):
        """The weights, for `Checkpoint`."""
        present = training_data(self.model).sample_weight
        in_use = {name: present.get(name) is weight for name, weight in self._in_use.items()}
        return {
            "last": self._last,
            "weights": dict(self.weights),
            "given": dict(self._given),
            "in_use": in_use,
        }

    def set_state(self, state):
        """Sets what `get_state` returned."""
        self._last, self.weights, self._given = state["last"], state["weights"], state["given"]
        present, others = training_data(self.model).sample_weight, object()
        self._in_use = {
            n: present.get(n) if same else others for n, same in state["in_use"].items()
        }


class ResidualWeights(PointWeights):
    """Weights points by their residuals (RBA): those that stay large count more and more.

    Each point has a weight `w`, one at the begin of `fit`, that becomes
    `decay * w + rate * |r| / max |r|`, where `r` is the residual minus the target; its squared
    residual counts `w^2` times, beside the sample weights of `fit`. Points that are replaced begin
    with one again.

    Args:
        conditions: names of the conditions; by default those of `fit`.
        every: epochs from one time to the next.
        decay: between 0 and 1.
        rate: positive; weights stay below `max(1, rate / (1 - decay))`.

    Raises:
        ValueError: for numbers out of range; in `fit`, for conditions that there are not or whose
            loss may be negative, and if it would be time while a minimizer of scipy works.

    Example:

        pinn.fit(points, epochs=5_000, callbacks=[kpinn.callbacks.ResidualWeights(every=10)])

    References:
        S. J. Anagnostopoulos, J. D. Toscano, N. Stergiopulos and G. E. Karniadakis,
        Residual-based attention in physics-informed neural networks, Computer Methods in Applied
        Mechanics and Engineering 421 (2024), 116805.
    """

    def __init__(self, conditions=None, every=1, decay=0.999, rate=0.01):
        super().__init__(conditions, every)
        self.decay = number("decay", decay, "[0, 1)")
        self.rate = number("rate", rate, "(0, inf)")

    def updated(self, name, weights, residuals):
        """The formula of the class."""
        size = np.linalg.norm(residuals, axis=1)
        return self.decay * weights + self.rate * size / max(size.max(), LEAST_SIZE)


class SelfAdaptiveWeights(PointWeights):
    """Weights points so that the loss is largest in the weights, where it is least in the network.

    Each point has a weight `w`, one at the begin of `fit`; its squared residual `r^2` counts `w^2`
    times. A step of gradient ascent makes the weight to `w + 2 rate w r^2`: it grows as long as the
    residual is there, and never falls. `ResidualWeights` are relative to the largest residual, and
    forget.

    Args:
        conditions: names of the conditions; by default those of `fit`.
        every: epochs from one time to the next.
        rate: positive.
        largest: what weights are bounded by; a residual that cannot become smaller makes its weight
            grow exponentially.

    Raises:
        ValueError: as `ResidualWeights`.

    Example:

        adaptive = kpinn.callbacks.SelfAdaptiveWeights("start", every=10)
        pinn.fit(points, epochs=5_000, callbacks=[adaptive])

    References:
        L. D. McClenny and U. M. Braga-Neto, Self-adaptive physics-informed neural networks, Journal
        of Computational Physics 474 (2023), 111722 (arXiv:2009.04544, 2020), with the mask `w^2`.
    """

    def __init__(self, conditions=None, every=1, rate=0.1, largest=100.0):
        super().__init__(conditions, every)
        self.rate = number("rate", rate, "(0, inf)")
        self.largest = number("largest", largest, "[1, inf)")

    def updated(self, name, weights, residuals):
        """The formula of the class."""
        slope = 2.0 * weights * np.mean(residuals.astype(float) ** 2, axis=1)
        return np.minimum(weights + self.rate * slope, self.largest)


class CausalWeights(PointWeights):
    """Weights points in time: later ones count when the residuals at earlier times are small.

    The times are divided into slices. With `L_k` the mean square of the residuals in slice `k`,
    those in slice `i` count `exp(-epsilon (L_1 + ... + L_(i - 1)))` times. Points may be in any
    order. The weights are known from the first epoch on.

    Args:
        conditions: names of the conditions, usually that of the equation.
        along: name of the coordinate that is the time.
        epsilon: positive, the larger the stricter; or several that grow, of which the next is
            taken when all weights are above `delta`.
        every: epochs from one time to the next.
        slices: number of slices of equal duration from the first to the last point; with `None`
            each time that occurs is one of its own, for points on a grid of times.
        delta: between 0 and 1.

    Attributes:
        level: the number of the `epsilon` that is in use.

    Raises:
        ValueError: as `ResidualWeights`, and in `fit` for a name that is no coordinate of one
            column.

    Example:

        causal = kpinn.callbacks.CausalWeights("equation", along="t", epsilon=[0.1, 1, 10, 100])
        pinn.fit(points, epochs=20_000, callbacks=[causal])

    The University of Pennsylvania has applied for a patent on causal training (WO 2023/172408 A2,
    inventors P. G. Perdikaris and S. Wang). Whether and where one was granted, and what it covers,
    was not looked up for this documentation.

    References:
        S. Wang, S. Sankaran and P. Perdikaris, Respecting causality for training physics-informed
        neural networks, Computer Methods in Applied Mechanics and Engineering 421 (2024), 116813
        (arXiv:2203.07404, 2022), algorithm 1.
    """

    at_once = True

    def __init__(self, conditions, along="t", epsilon=1.0, every=10, slices=32, delta=0.99):
        super().__init__(conditions, every)
        self.along, self.epsilon = text("along", along, "t"), _growing(epsilon)
        self.slices = optional(positive_whole, "slices", slices)
        self.delta, self.level = number("delta", delta, "(0, 1)"), 0

    def factors(self, weights):
        """The weights themselves."""
        return weights

    def on_train_begin(self, logs=None):
        """The first weights."""
        coordinates = self.model.problem.space.coordinates
        part = coordinates.get(self.along)
        if part is None or part.stop - part.start != 1:
            raise ValueError(
                f"along={self.along!r} is no coordinate of one column: there are "
                f"{', '.join(coordinates)}."
            )
        self.level = 0
        super().on_train_begin(logs)

    def act(self, epoch):
        """Updates the weights, with the next `epsilon` when all are above `delta`."""
        done = all(np.all(weights > self.delta) for weights in self.weights.values())
        if done and self.level + 1 < len(self.epsilon):
            self.level += 1
        super().act(epoch)

    def updated(self, name, weights, residuals):
        """The formula of the class."""
        times = arrays_of(self.model.training_points, [name])[self.along][:, 0]
        slices = slices_of(times, self.slices)
        points = np.maximum(np.bincount(slices), 1)
        losses = np.bincount(slices, np.mean(residuals.astype(float) ** 2, axis=1)) / points
        before = np.concatenate([[0.0], np.cumsum(losses)[:-1]])
        return np.exp(-self.epsilon[self.level] * before)[slices]

    def get_state(self):
        """The weights and the level, for `Checkpoint`."""
        return super().get_state() | {"level": self.level}

    def set_state(self, state):
        """Sets what `get_state` returned."""
        super().set_state(state)
        self.level = state["level"]


def slices_of(times, count):
    """The number of the slice of time that each point is in, `(n,)`.

    Args:
        times: array `(n,)`.
        count: number of slices, or `None` for one for each time that occurs.
    """
    if count is None:
        return np.unique(times, return_inverse=True)[1]
    times = times.astype(float)
    parts = (times - times.min()) / max(np.ptp(times), LEAST_SIZE)
    return np.minimum((count * parts).astype(int), count - 1)


def _growing(epsilon):
    """One positive number, or several that grow, as a list."""
    found = one_or_several("epsilon", epsilon, number, "(0, inf)")
    found = found if isinstance(found, list) else [found]
    if found != sorted(set(found)):
        raise ValueError(f"epsilon grows from one to the next, which {shown(epsilon)} does not.")
    return found
