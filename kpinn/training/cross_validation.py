"""The weight of measurements with noise of unknown size, by generalised cross-validation."""

import warnings

import numpy as np

from kpinn.objective.leverages import leverages
from kpinn.options import number, text
from kpinn.problem.points import check_known
from kpinn.training.changes import refuse_changes
from kpinn.training.every import Every, residuals_of
from kpinn.training.fit import training_data


class CrossValidation(Every):
    """Chooses the weight of measurements with which those left out would be predicted best.

    The score of a weight is that of generalised cross-validation, `mean(r^2) / (1 - p / n)^2`,
    where `r` are the `n` residuals of the data and `p` is the number of parameters that they
    determine: small weights leave large residuals, large ones follow the noise, which takes
    parameters. Its size need not be known. From the weight that the data have at first, steps by a
    factor go up or down as long as the score falls; then the best weight is kept to the end.

    Something has to keep the fit away from the data, such as a condition that asks for a smooth
    unknown field (`k_x`, with a small weight). `p` is computed from the Jacobian of the residuals
    (`kpinn.jacobian`) and its singular values: for networks of up to some thousand parameters.

    Args:
        condition: name of the condition with the measurements.
        every: epochs with each weight, enough for the optimizer to come near to a minimum.
        factor: from one weight to the next, above one.

    Attributes:
        scores: dict from weight to score.
        parameters: dict from weight to the number of parameters that the data determine.

    Raises:
        ValueError: for a condition that there is not, or numbers out of range; in `fit`, for
            losses that are no mean squares, and if it is time while a minimizer of scipy works,
            whose loss must not change.

    Example:

        choose = kpinn.callbacks.CrossValidation("samples", every=40)
        pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"smooth": 1e-4})
        pinn.fit((points, {"samples": u}), epochs=400, callbacks=[choose])
        print(choose.scores)

    References:
        G. H. Golub, M. Heath and G. Wahba, Generalized cross-validation as a method for choosing a
        good ridge parameter, Technometrics 21 (1979), 215-223.
    """

    def __init__(self, condition, every=40, factor=10**0.5):
        super().__init__(every)
        self.condition = text("condition", condition, "samples")
        self.factor = number("factor", factor, "(1, inf)")
        self.scores, self.parameters = {}, {}
        self._first, self._place, self._places, self._done = 1.0, 0, {}, False

    def on_train_begin(self, logs=None):
        """Begins with the weight that there is."""
        super().on_train_begin(logs)
        check_known([self.condition], self.model.conditions, "CrossValidation has the condition")
        self.model.objective.check_squares(training_data(self.model))
        self.scores, self.parameters = {}, {}
        self._first = float(self.model.loss_weights[self.condition].numpy())
        self._place, self._places, self._done = 0, {}, False

    def weighted(self):
        """See `Every.weighted`."""
        return [self.condition]

    def act(self, epoch):
        """Looks at the present weight, and takes the next one."""
        if self._done:
            return
        refuse_changes(self.model, "loss weights")
        self._places[self._place] = self._measured()
        best = min(self._places, key=self._places.get)
        further = [place for place in (best + 1, best - 1) if place not in self._places]
        self._done = not further
        self._go_to(further[0] if further else best)

    def on_train_end(self, logs=None):
        """Warns if the epochs were too few for a search."""
        if not self._done:
            warnings.warn(
                f"the search for the weight of {self.condition!r} has not ended: it has looked at "
                f"{len(self.scores)} weights, and takes {self.every} epochs for each. Pass more "
                "epochs, or a smaller number for every.",
                stacklevel=2,
            )

    def _go_to(self, place):
        self._place = place
        weight = self._first * self.factor**place
        self.model.loss_weights[self.condition].assign(weight)

    def _measured(self):
        """The score of the present weight."""
        data, name = training_data(self.model), self.condition
        residual = residuals_of(self.model, [name])[name]
        count = float(np.sum(leverages(self.model.objective, data)[name]))
        left = max(1.0 - count / residual.size, np.finfo(np.float64).eps)
        weight = float(self.model.loss_weights[name].numpy())
        self.scores[weight] = float(np.mean(residual**2)) / left**2
        self.parameters[weight] = count
        return self.scores[weight]
