"""Callbacks that choose points and weights while `fit` goes on."""

import keras
import numpy as np

from kpinn.options import function, number, one_of, optional, positive_whole
from kpinn.options import names as names_of
from kpinn.problem.points import is_shared, sets_of, unpack
from kpinn.training.changes import refuse_changes
from kpinn.training.fit import training_data

_SAMPLER = "lambda seed: {'heat': box.sample(1_000, seed=seed)}"
TINY = 1e-300
LARGEST_WEIGHT = 1e6  # of a condition that is met, beside one that is not


class _Every(keras.callbacks.Callback):
    """Base class of callbacks that act at the begin of every so many epochs, but not of the first.

    Args:
        every: epochs from one time to the next.
    """

    changes_loss = True  # so that an optimizer which can go no further waits for it
    needs_points = True  # of `fit`, as arrays

    def __init__(self, every):
        super().__init__()
        self.every, self._last = positive_whole("every", every), 0

    def on_train_begin(self, logs=None):
        """Forgets the last time."""
        self._last = 0

    def on_epoch_begin(self, epoch, logs=None):
        """Acts, if it is time; a resumed run catches up on the last time before its begin."""
        due = epoch - epoch % self.every
        if due > self._last:
            self.act(due)
            self._last = due


class Resample(_Every):
    """Trains on fresh points every so many epochs.

    With few points a network of many parameters learns the points and not the equation: the loss
    falls on and the error does not. Optimizers with curvature keep it.

    Args:
        sampler: a function from a whole number, the seed, to what `fit` takes: points, or a tuple
            with targets and sample weights. Conditions that it leaves out keep their points.
        every: epochs from one time to the next.

    Raises:
        ValueError: for another `every` than a positive whole number.

    Example:

        def sample(seed):
            return {"heat": box.sample(4_000, seed=seed)}

        points = sample(0) | {"start": box.face(t=0).sample(200)}
        pinn.fit(points, epochs=200, callbacks=[kpinn.callbacks.Resample(sample, every=5)])
    """

    def __init__(self, sampler, every=1):
        super().__init__(every)
        self.sampler = function("sampler", sampler, _SAMPLER)

    def act(self, epoch):
        """Draws with the number of the epoch as the seed, so that a resumed run draws the same."""
        self.model.replace_points(*unpack(self.sampler(epoch)))


class ResidualSampling(_Every):
    """Trains on points that are denser where the residual is large (RAD).

    Every so many epochs as many points as before are drawn from candidates without putting back,
    with probabilities proportional to `|r|^exponent / mean(|r|^exponent) + constant`. Conditions
    that have the same points, and the same candidates, keep common points: `|r|^2` is the sum of
    theirs, each divided by its mean.

    Args:
        sampler: a function from a whole number, the seed, to candidates, several times as many as
            the points of `fit`: a dict from condition to a dict of arrays, or one dict of arrays if
            all conditions share their points. Conditions that it leaves out keep their points.
        every: epochs from one time to the next.
        exponent: the larger, the denser.
        constant: the larger, the more uniform. With 0 a candidate without a residual is drawn
            only if there are not enough others.

    Raises:
        ValueError: for numbers out of range; in `fit`, for fewer candidates than points, for
            residuals that are not finite, and for conditions with targets or sample weights,
            which belong to their points.

    Example:

        dense = kpinn.callbacks.ResidualSampling(
            lambda seed: {"momentum": box.sample(50_000, seed=seed)}, every=20
        )
        pinn.fit(points, epochs=400, callbacks=[dense])

    References:
        C. Wu, M. Zhu, Q. Tan, Y. Kartha and L. Lu, A comprehensive study of non-adaptive and
        residual-based adaptive sampling for physics-informed neural networks, Computer Methods in
        Applied Mechanics and Engineering 403 (2023), 115671.
    """

    def __init__(self, sampler, every=100, exponent=1.0, constant=1.0):
        super().__init__(every)
        self.sampler = function("sampler", sampler, _SAMPLER)
        self.exponent = number("exponent", exponent, "[0, inf)")
        self.constant = number("constant", constant, "[0, inf)")

    def on_train_begin(self, logs=None):
        """Refuses points that cannot be others."""
        super().on_train_begin(logs)
        data = training_data(self.model)
        bound = {name: "targets" for name in data.targets}
        bound |= {name: "sample weights" for name in data.sample_weight}
        drawn = self.sampler(0) if bound else {}
        for name, what in bound.items():
            if is_shared(drawn) or name in drawn:
                raise ValueError(
                    f"ResidualSampling draws points of {name!r}, which has {what}: they belong to "
                    "the points of fit. Leave the condition out of what the sampler returns, or "
                    "use Resample, whose sampler may return targets and sample weights."
                )

    def act(self, epoch):
        """Draws with the number of the epoch as the seed."""
        candidates, points = self.sampler(epoch), self.model.training_points
        residuals, chosen = self.model.residuals(candidates), {}
        generator = np.random.default_rng(epoch)
        for names in self._together(candidates, points):
            old = points if is_shared(points) else points[names[0]]
            count = len(next(iter(old.values())))
            rows = self._rows([residuals[name] for name in names], count, generator)
            if is_shared(candidates):
                chosen = _taken(candidates, rows)
            else:
                chosen |= {name: _taken(candidates[name], rows) for name in names}
        self.model.replace_points(chosen)

    def _together(self, candidates, points):
        """Lists of conditions that have the same points, and the same candidates for others."""
        before, after = (
            [names for names, _ in sets_of(self.model.problem, each)]
            for each in (points, candidates)
        )
        both = ([name for name in names if name in others] for names in after for others in before)
        return [names for names in both if names]

    def _rows(self, residuals, count, generator):
        """Which candidates are taken, from the residuals of conditions on them."""
        if len(residuals[0]) < count:
            raise ValueError(
                f"the sampler of ResidualSampling gives {len(residuals[0])} candidates for {count} "
                "points: expected several times as many."
            )
        every = [np.float64(r) for r in residuals]
        if not all(np.isfinite(r).all() for r in every):
            raise ValueError(
                "ResidualSampling: the residual is not finite at some of the candidates that the "
                "sampler gives: expected points at which every condition is."
            )
        every = [r / max(np.max(np.abs(r)), TINY) for r in every]  # whose squares are no zeros
        squares = [np.sum(r**2, axis=1) / max(np.mean(r**2), TINY) for r in every]
        sizes = np.sqrt(sum(squares))
        dense = (sizes / max(np.max(sizes), TINY)) ** self.exponent
        # Without a constant those without a residual are drawn too, after all others.
        weights = dense / max(np.mean(dense), TINY) + max(self.constant, TINY)
        return generator.choice(len(weights), count, replace=False, p=weights / weights.sum())


def _taken(arrays, rows):
    return {name: np.asarray(array)[rows] for name, array in arrays.items()}


class ResidualWeights(_Every):
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
        ValueError: for numbers out of range, or a condition that there is not.

    Example:

        pinn.fit(points, epochs=5_000, callbacks=[kpinn.callbacks.ResidualWeights(every=10)])

    References:
        S. J. Anagnostopoulos, J. D. Toscano, N. Stergiopulos and G. E. Karniadakis,
        Residual-based attention in physics-informed neural networks, Computer Methods in Applied
        Mechanics and Engineering 421 (2024), 116805.
    """

    def __init__(self, conditions=None, every=1, decay=0.999, rate=0.01):
        super().__init__(every)
        conditions = optional(names_of, "conditions", conditions, ["heat"])
        self.names = [conditions] if isinstance(conditions, str) else conditions
        self.decay = number("decay", decay, "[0, 1)")
        self.rate = number("rate", rate, "(0, inf)")
        self.weights, self._given, self._in_use = {}, {}, {}

    def on_train_begin(self, logs=None):
        """Weights of one, so that the first step has the same arguments as the others."""
        super().on_train_begin(logs)
        known = list(self.model.conditions)
        unknown = [name for name in self.names or () if name not in known]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is not one of the conditions {', '.join(known)}.")
        self.weights, self._given, self._in_use = {}, {}, {}
        self._update(lambda weight, size: weight)

    def act(self, epoch):
        """Updates the weights."""
        self._update(
            lambda weight, size: self.decay * weight + self.rate * size / max(size.max(), 1e-300)
        )

    def _update(self, function):
        data = training_data(self.model)
        residuals = self.model.residuals((data.points, data.targets))
        for name in self.names or residuals:
            given, size = data.sample_weight.get(name), np.linalg.norm(residuals[name], axis=1)
            if name not in self.weights or given is not self._in_use.get(name):  # other points
                self.weights[name] = np.ones(len(size))
                self._given[name] = 1.0 if given is None else np.ravel(given)
            self.weights[name] = function(self.weights[name], size)
        self.model.replace_weights(
            {name: self._given[name] * weight**2 for name, weight in self.weights.items()}
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


class LossBalancing(_Every):
    """Weights conditions so that none is drowned by the others.

    The loss weight of a condition becomes the sum of the sizes of all conditions, divided by its
    own size. It is set at the begin of `fit`, and from then on
    `decay * old + (1 - decay) * new`.

    Args:
        rule: what the size is: `"gradient"`, the norm of the gradient of its loss; or `"kernel"`,
            the mean squared norm of the gradients of its residuals (the trace of its neural
            tangent kernel by the number of residuals), which makes residual vectors comparable
            for methods of least squares.
        every: epochs from one time to the next.
        decay: between 0 and 1.

    Raises:
        ValueError: for a rule that there is not, or numbers out of range; in `fit`, if it is time
            while a minimizer of scipy works, whose loss must not change.

    Example:

        balance = kpinn.callbacks.LossBalancing(every=1_000)
        pinn.fit(points, epochs=20_000, callbacks=[balance])

    References:
        S. Wang, S. Sankaran, H. Wang and P. Perdikaris, An expert's guide to training
        physics-informed neural networks (2023), arXiv:2308.08468.
        S. Wang, X. Yu and P. Perdikaris, When and why PINNs fail to train: a neural tangent kernel
        perspective, Journal of Computational Physics 449 (2022), 110768.
    """

    def __init__(self, rule="gradient", every=1_000, decay=0.9):
        super().__init__(every)
        self.rule = one_of("rule", rule, ("gradient", "kernel"))
        self.decay = number("decay", decay, "[0, 1)")

    def on_train_begin(self, logs=None):
        """The first weights."""
        super().on_train_begin(logs)
        self._set(0.0)

    def act(self, epoch):
        """Updates the weights."""
        self._set(self.decay)

    def _set(self, decay):
        refuse_changes(self.model, "loss weights")
        data = training_data(self.model)
        sizes = self._sizes(data)
        least = max(sizes.values()) / LARGEST_WEIGHT
        for name, size in sizes.items():
            weight = self.model.loss_weights[name]
            new = sum(sizes.values()) / max(size, least) if least else 1.0
            weight.assign(decay * weight.value + (1.0 - decay) * new)

    def _sizes(self, data):
        if self.rule == "gradient":
            return self.model.objective.gradient_norms(data)
        return self.model.objective.mean_squared_rows(data)
