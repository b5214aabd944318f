"""Losses beyond those of Keras: of functionals, and of estimates."""

import keras
from keras import ops

from kpinn.options import one_of
from kpinn.options.configs import FromConfig

REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)


@keras.saving.register_keras_serializable(package="kpinn")
class Mean(FromConfig, keras.losses.Loss):
    """The mean of what a condition returns: for a functional to minimise (Deep Ritz).

    The mean over points that are uniform in a domain, times its volume, is the integral of the
    functional's density. Targets, if there are any, are subtracted.

    Example:

        pinn.compile("adam", loss={"energy": kpinn.losses.Mean()})

    References:
        W. E and B. Yu, The Deep Ritz method, Communications in Mathematics and Statistics 6
        (2018), 1-12.
    """

    def __init__(self, reduction="sum_over_batch_size", name="mean", dtype=None):
        one_of("reduction", reduction, REDUCTIONS)
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        """Means over the last axis: `(n, k)` to `(n,)`."""
        return ops.mean(y_pred - ops.cast(y_true, y_pred.dtype), axis=-1)


@keras.saving.register_keras_serializable(package="kpinn")
class Product(FromConfig, keras.losses.Loss):
    """The mean of the product of two independent estimates, which stand side by side.

    The loss of a condition with `kpinn.Stochastic(draws=2)`: its expectation is the square of the
    exact residual. It may be negative.

    Example:

        pinn = Poisson(network, method=kpinn.Stochastic(directions=16, draws=2))
        pinn.compile("adam", loss={"equation": kpinn.losses.Product()})  # as by default
    """

    def __init__(self, reduction="sum_over_batch_size", name="product", dtype=None):
        one_of("reduction", reduction, REDUCTIONS)
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        """Means over the components: `(n, 2 k)` to `(n,)`."""
        first, second = ops.split(y_pred - ops.cast(y_true, y_pred.dtype), 2, axis=-1)
        return ops.mean(first * second, axis=-1)
