"""Weights of conditions by their losses, of which the logs tell."""

import abc

import numpy as np
import scipy.special

from kpinn.options import flag, number, optional, whole
from kpinn.training.changes import refuse_changes
from kpinn.training.every import Every
from kpinn.training.weights import checks
from kpinn.training.weights.balancing import LARGEST_WEIGHT

TINY = 1e-300
LEAST_VARIANCE = 1e-30  # whose inverse float32 has room for


class ConditionWeights(Every):
    """Base class: weights of conditions by a rule, a method of the subclass.

    All weights begin with one. Every so many epochs the rule gets the losses of the last epoch, as
    they are in the logs, and says what the weights are from then on; points are not needed.

    Args:
        conditions: names of the conditions; by default those of `fit`. Others keep their weights.
        every: epochs from one time to the next.

    Attributes:
        weights: array `(m,)`, in the order of the conditions.
        first: their losses in the first epoch, `(m,)`.
        recent: their losses when the weights were set last; at first those of the first epoch.
    """

    needs_points = False

    def __init__(self, conditions, every):
        super().__init__(every)
        self.names = checks.listed(conditions)
        self.weights = self.first = self.recent = self._losses = None

    @abc.abstractmethod
    def updated(self, weights, losses):
        """The weights from now on, `(m,)`.

        Args:
            weights: those until now, `(m,)`.
            losses: those of the last epoch, `(m,)`.
        """

    def on_train_begin(self, logs=None):
        """Weights of one."""
        super().on_train_begin(logs)
        names = checks.known(self, self.names)
        checks.refuse_functionals(self, names)
        checks.refuse_minimizers(self)
        self.first = self.recent = self._losses = None
        self._assign(np.ones(len(names)))

    def weighted(self):
        """See `Every.weighted`."""
        return checks.known(self, self.names)

    def on_epoch_end(self, epoch, logs=None):
        """Remembers the losses, and adds the weights to the logs."""
        super().on_epoch_end(epoch, logs)
        self._losses = np.array([logs[name] for name in checks.known(self, self.names)], float)
        if self.first is None:
            self.first, self.recent = self._losses.copy(), self._losses.copy()

    def act(self, epoch):
        """Updates the weights; not before there is a loss."""
        if self._losses is None:
            return
        refuse_changes(self.model, "loss weights")
        if np.any(self._losses < 0):
            raise ValueError(
                f"{type(self).__name__} weights conditions by their losses, of which one is "
                f"negative: {self._losses.min()}. Expected losses such as 'mse'."
            )
        self._assign(self.updated(self.weights, self._losses))
        self.recent = self._losses.copy()

    def _assign(self, weights):
        self.weights = weights
        for name, weight in zip(checks.known(self, self.names), weights, strict=True):
            self.model.loss_weights[name].assign(weight)


class ReLoBRaLo(ConditionWeights):
    """Weights conditions by how little their losses have fallen (relative loss balancing).

    With `L(t)` the losses at time `t` and `b(t, s) = m softmax(L(t) / (temperature L(s)))`, for `m`
    conditions, the weights become

        alpha (rho w + (1 - rho) b(t, 0)) + (1 - alpha) b(t, t - 1),

    where `rho` is drawn each time, one with the probability `rho` and else zero: a random look back
    to the first losses.

    Args:
        conditions: names of the conditions; by default those of `fit`. Others keep their weights.
        every: epochs from one time to the next.
        alpha: between 0 and 1; the larger, the slower.
        temperature: positive; the smaller, the less do conditions count that fall fast.
        rho: probability from 0 to 1 with which the weights are remembered.
        seed: a whole number; by default one from numpy's generator, which
            `keras.utils.set_random_seed` seeds.

    Raises:
        ValueError: for numbers out of range; in `fit`, for conditions that there are not or whose
            loss may be negative, and if it would be time while a minimizer of scipy works.

    Example:

        pinn.fit(points, epochs=20_000, callbacks=[kpinn.callbacks.ReLoBRaLo()])

    References:
        R. Bischof and M. A. Kraus, Multi-objective loss balancing for physics-informed deep
        learning (2021), arXiv:2110.09813.
    """

    def __init__(self, conditions=None, every=1, alpha=0.999, temperature=0.1, rho=0.99, seed=None):
        super().__init__(conditions, every)
        self.alpha = number("alpha", alpha, "[0, 1]")
        self.temperature = number("temperature", temperature, "(0, inf)")
        self.rho = number("rho", rho, "[0, 1]")
        self.seed, self._random = optional(whole, "seed", seed, 0), None

    def on_train_begin(self, logs=None):
        """Weights of one."""
        super().on_train_begin(logs)
        seed = np.random.randint(2**31 - 1) if self.seed is None else self.seed
        self._random = np.random.default_rng(seed)

    def updated(self, weights, losses):
        """The formula of the class."""
        if self._random.uniform() >= self.rho:
            weights = self._balanced(losses, self.first)
        recent = self._balanced(losses, self.recent)
        return self.alpha * weights + (1.0 - self.alpha) * recent

    def _balanced(self, losses, before):
        with np.errstate(over="ignore"):
            ratios = losses / (self.temperature * np.maximum(before, TINY))
        return len(losses) * scipy.special.softmax(np.minimum(ratios, 1.0 / TINY))


class SoftAdapt(ConditionWeights):
    """Weights conditions by how fast their losses grow or fall.

    With the slopes `s`, the losses minus those of the last time, the weights become
    `m softmax(beta s)` for `m` conditions: their mean is one.

    Args:
        conditions: names of the conditions; by default those of `fit`. Others keep their weights.
        every: epochs from one time to the next.
        beta: with a positive one, conditions whose losses fall slowest or grow count most.
        normalized: whether slopes are divided by the sum of their sizes. Losses of residuals
            become so small that without it all weights are one.
        loss_weighted: whether the exponentials are multiplied by the losses.

    Raises:
        ValueError: as `ReLoBRaLo`.

    Example:

        adapt = kpinn.callbacks.SoftAdapt(every=10, loss_weighted=True)
        pinn.fit(points, epochs=20_000, callbacks=[adapt])

    References:
        A. A. Heydari, C. A. Thompson and A. Mehmood, SoftAdapt: techniques for adaptive loss
        weighting of neural networks with multi-part loss functions (2019), arXiv:1912.12355,
        section 3.1.
    """

    def __init__(self, conditions=None, every=1, beta=0.1, normalized=True, loss_weighted=False):
        super().__init__(conditions, every)
        self.beta = number("beta", beta)
        self.normalized = flag("normalized", normalized)
        self.loss_weighted = flag("loss_weighted", loss_weighted)

    def updated(self, weights, losses):
        """The formula of the class."""
        slopes = losses - self.recent
        if self.normalized:
            slopes = slopes / max(np.sum(np.abs(slopes)), TINY)
        exponents = self.beta * slopes
        if self.loss_weighted and np.any(losses):
            with np.errstate(divide="ignore"):  # minus infinity for a condition that is met
                exponents = exponents + np.log(losses)
        return len(losses) * scipy.special.softmax(exponents)


class UncertaintyWeights(ConditionWeights):
    """Weights conditions by the uncertainty `s^2` of their residuals, which is learnt.

    The likelihood of residuals with the variance `s^2` makes each loss `L` to
    `L / (2 s^2) + log(s^2) / 2`, so that its weight is `1 / (2 s^2)`. The least of that over `s^2`
    is known, `s^2 = L`. So `s^2` is here the mean of the losses, of which the older ones count
    less, and no parameter: that would need an optimizer of its own beside those that have no
    learning rate, and would follow the same value.

    Args:
        conditions: names of the conditions; by default those of `fit`. Others keep their weights.
        every: epochs from one time to the next.
        decay: from 0 to 1; each time `s^2` becomes `decay s^2 + (1 - decay) L`.

    Raises:
        ValueError: as `ReLoBRaLo`.

    Example:

        pinn.fit(points, epochs=20_000, callbacks=[kpinn.callbacks.UncertaintyWeights(every=10)])

    References:
        A. Kendall, Y. Gal and R. Cipolla, Multi-task learning using uncertainty to weigh losses for
        scene geometry and semantics, IEEE Conference on Computer Vision and Pattern Recognition
        (2018), 7482-7491, equation 7.
    """

    def __init__(self, conditions=None, every=1, decay=0.99):
        super().__init__(conditions, every)
        self.decay, self.variances = number("decay", decay, "[0, 1)"), None

    def on_train_begin(self, logs=None):
        """Weights of one."""
        super().on_train_begin(logs)
        self.variances = None

    def updated(self, weights, losses):
        """The formula of the class; no weight is a million times another one."""
        before = losses if self.variances is None else self.variances
        self.variances = self.decay * before + (1.0 - self.decay) * losses
        least = max(np.max(self.variances) / LARGEST_WEIGHT, LEAST_VARIANCE)
        return 0.5 / np.maximum(self.variances, least)
