"""Callbacks that weight points and conditions while `fit` goes on."""

import numpy as np

from kpinn.options import names as names_of
from kpinn.options import number, one_of, optional
from kpinn.training.changes import refuse_changes
from kpinn.training.every import Every
from kpinn.training.fit import training_data

LARGEST_WEIGHT = 1e6  # of a condition that is met, beside one that is not


class ResidualWeights(Every):
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
        known = [name for name, found in self.model.conditions.items() if not found.over_set]
        unknown = [name for name in self.names or () if name not in known]
        if unknown or not known:
            raise ValueError(
                f"{(unknown or [None])[0]!r} is not one of the conditions with a residual for each "
                f"point: {', '.join(known) or 'there is none'}."
            )
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
        over_sets = {name for name, found in self.model.conditions.items() if found.over_set}
        for name in self.names or residuals.keys() - over_sets:
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


class LossBalancing(Every):
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
