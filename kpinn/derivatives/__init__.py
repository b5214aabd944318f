"""The derivative engine; it imports nothing else of kpinn.

* From names to requests: `declarations`, `space`, `parsing`, `operators`, `requests`,
  `combinations`.
* From requests to channels: `symbols`, `sums`, `algebra`, `plan`.
* Channels through functions: `jets`, `product_rules`, `powers`, `compositions`, `operations`.
* Through a traced graph: `tracing`, `walker`, `emission`, `interpreter`, `propagation`.
* Which method runs: `evaluation`, and beside propagation `black_box` with `methods`.
* What users call: `api`.
"""

from kpinn.derivatives.api import derivatives as derivatives
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

for _definer in (register, elementwise, linear, bilinear, constant, composite):
    setattr(derivatives, _definer.__name__, _definer)  # kpinn.derivatives is the function
