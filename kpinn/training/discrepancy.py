"""The weight of measurements with noise, by the discrepancy principle."""

import warnings

import numpy as np

from kpinn.objective.estimate import noise_of_residuals
from kpinn.options import text
from kpinn.options.arrays import numbers
from kpinn.problem.points import check_known
from kpinn.training.changes import refuse_changes
from kpinn.training.every import Every, residuals_of

MOST = 10.0  # by which a weight changes at a time
CLOSE = 0.01  # of the noise, at which the weight stays as it is
FAR = 0.2  # of the noise, above which it is said at the end


class Discrepancy(Every):
    """Weights measurements so that they are fitted as closely as their noise allows.

    An unknown field is found from derivatives of the data, which multiply the noise: data that
    weigh too much are followed into their noise, data that weigh too little are smoothed away. The
    discrepancy principle takes the weight with which the residuals of the data are as large as the
    noise: their root mean square, divided by `noise`, becomes one. Every so many epochs the loss
    weight of the data is multiplied by the square of that number.

    Something has to keep the fit away from the data, such as a condition that asks for a smooth
    unknown field (`k_x`, with a small weight). Without it a large network follows the noise
    whatever the weight is; at the end of `fit` a warning says that the aim was not reached.

    Args:
        condition: name of the condition with the measurements.
        noise: standard deviation of their noise, a number or an array `(n,)` or `(n, k)`.
        every: epochs from one time to the next, enough for the optimizer to come near to a
            minimum.

    Attributes:
        ratio: the root mean square of the residuals, divided by the noise, at the last time.

    Raises:
        ValueError: for a condition that there is not, or noise that is no positive number; in
            `fit`, if it is time while a minimizer of scipy works, whose loss must not change.

    Example:

        weigh = kpinn.callbacks.Discrepancy("samples", noise=0.01)
        pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"smooth": 1e-4})
        pinn.fit((points, {"samples": u}), epochs=200, callbacks=[weigh])

    References:
        V. A. Morozov, On the solution of functional equations by the method of regularization,
        Soviet Mathematics Doklady 7 (1966), 414-417.
        H. W. Engl, M. Hanke and A. Neubauer, Regularization of Inverse Problems, Kluwer (1996),
        section 4.3.
    """

    def __init__(self, condition, noise, every=10):
        super().__init__(every)
        self.condition = text("condition", condition, "samples")
        self.noise = numbers("noise", noise, "(0, inf)")
        self.ratio = None

    def on_train_begin(self, logs=None):
        """Checks that there are such measurements."""
        super().on_train_begin(logs)
        check_known([self.condition], self.model.conditions, "Discrepancy has the condition")
        self.ratio = self._measured()

    def weighted(self):
        """See `Every.weighted`."""
        return [self.condition]

    def act(self, epoch):
        """Updates the weight."""
        refuse_changes(self.model, "loss weights")
        self.ratio = self._measured()
        if abs(self.ratio - 1.0) > CLOSE:
            weight = self.model.loss_weights[self.condition]
            weight.assign(weight * np.clip(self.ratio**2, 1.0 / MOST, MOST))

    def on_train_end(self, logs=None):
        """Warns if the residuals are far from the noise."""
        self.ratio = self._measured()
        if abs(self.ratio - 1.0) > FAR:
            weight = float(self.model.loss_weights[self.condition].numpy())
            advice = "a larger weight for what keeps the solution smooth, or a smaller network"
            warnings.warn(
                f"the residuals of {self.condition!r} are {self.ratio:.2g} times their noise, with "
                f"a loss weight of {weight:.3g}: expected 1. Pass more epochs"
                f"{', ' + advice if self.ratio < 1.0 else ', or a smaller number for noise'}.",
                stacklevel=2,
            )

    def _measured(self):
        """The root mean square of the residuals, divided by the noise."""
        name = self.condition
        residual = residuals_of(self.model, [name])[name]
        noise = noise_of_residuals(f"noise of {name!r}", self.noise, residual.shape)
        return float(np.sqrt(np.mean((residual / noise) ** 2)))
