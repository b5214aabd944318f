"""The derivative engine; it imports nothing else of kpinn.

* `names`: from names to requests.
* `channels`: from requests to channels, and how these go through sums, products and functions.
* `operations`: the one table of what is known of TensorFlow's operations.
* `graphs`: the walk through a traced graph, and what goes through it.
* `propagation`: the three together; `evaluation`: which method runs; `methods`: the others.
* `per_point`: gradients of each point.
* `api`: what users call.
"""

from kpinn.derivatives.api import derivatives as derivatives
from kpinn.derivatives.declarations import independent
from kpinn.derivatives.errors import CustomGradientWarning as CustomGradientWarning
from kpinn.derivatives.errors import DerivativeFallbackWarning as DerivativeFallbackWarning
from kpinn.derivatives.methods.finite_difference import FiniteDifference as FiniteDifference
from kpinn.derivatives.methods.finite_difference import PrecisionWarning as PrecisionWarning
from kpinn.derivatives.methods.stochastic import Stochastic as Stochastic
from kpinn.derivatives.methods.taylor import Taylor as Taylor
from kpinn.derivatives.operations.rules import (
    bilinear,
    composite,
    constant,
    elementwise,
    linear,
)
from kpinn.derivatives.operations.table import register
from kpinn.derivatives.operations.tensorflow_gaps import register_missing_gradients

register_missing_gradients()

for _definer in (register, elementwise, linear, bilinear, constant, composite, independent):
    setattr(derivatives, _definer.__name__, _definer)  # kpinn.derivatives is the function
