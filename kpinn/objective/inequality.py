"""The loss of an inequality."""

import keras
from keras import ops

from kpinn.objective.functionals import REDUCTIONS
from kpinn.options import one_of
from kpinn.options.configs import FromConfig


@keras.saving.register_keras_serializable(package="kpinn")
class Inequality(FromConfig, keras.losses.Loss):
    """The mean square of what a condition returns, where it is positive: for `residual <= 0`.

    Residuals are `(n, k)`; targets of this shape, if there are any, are subtracted. It is a
    penalty; with `kpinn.callbacks.AugmentedLagrangian` the inequality becomes a constraint.

    Args:
        reduction, name, dtype: those of Keras's losses.

    Raises:
        ValueError: for a reduction that there is not.

    Example:

        def above(x, u):  # an obstacle
            return height(x) - u

        pinn.compile("adam", loss={"above": kpinn.losses.Inequality()})
    """

    def __init__(self, reduction="sum_over_batch_size", name="inequality", dtype=None):
        one_of("reduction", reduction, REDUCTIONS)
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        """Means over the last axis: `(n, k)` to `(n,)`."""
        excess = ops.relu(y_pred - ops.cast(y_true, y_pred.dtype))
        return ops.mean(excess * excess, axis=-1)
