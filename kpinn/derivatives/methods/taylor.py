"""Derivatives by Taylor coefficients, as a `method=`, and the choice between them and tapes."""

import dataclasses

import keras

from kpinn.options import flag
from kpinn.options.configs import FromConfig


@keras.saving.register_keras_serializable(package="kpinn")
@dataclasses.dataclass(frozen=True)
class Taylor(FromConfig):
    """Exact derivatives by one propagation of Taylor coefficients; `"taylor"`.

    Args:
        strict: whether to raise an error where an operation of the network has no rule, in place
            of a `kpinn.DerivativeFallbackWarning` and a slower exact method.
        recompute: whether the gradient of a loss computes the derivatives of activations again
            before dense layers, in place of keeping them (rematerialization). Where XLA compiles,
            a step takes less memory and a little more time; without XLA nothing changes.

    Example:

        values = kpinn.derivatives(network, points, "u_xx", method=kpinn.Taylor(strict=True))
    """

    strict: bool = False
    recompute: bool = False

    def __post_init__(self):
        flag("strict", self.strict)
        flag("recompute", self.recompute)

    def get_config(self):
        """The arguments."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Auto(Taylor):
    """`"auto"`: Taylor coefficients, and gradient tapes for the requests that cost less by them."""
