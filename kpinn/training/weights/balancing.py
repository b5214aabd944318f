"""Weights of conditions by the sizes of gradients."""

from kpinn.options import number, one_of
from kpinn.training.changes import refuse_changes
from kpinn.training.every import Every
from kpinn.training.fit import training_data

LARGEST_WEIGHT = 1e6  # of a condition that is met, beside one that is not


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

    def weighted(self):
        """See `Every.weighted`."""
        return list(self.model.conditions)

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
