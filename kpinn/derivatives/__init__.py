"""The derivative engine; it imports nothing else of kpinn."""

from kpinn.derivatives.api import Taylor as Taylor
from kpinn.derivatives.api import derivatives as derivatives
from kpinn.derivatives.errors import DerivativeFallbackWarning as DerivativeFallbackWarning
from kpinn.derivatives.finite_difference import FiniteDifference as FiniteDifference
from kpinn.derivatives.finite_difference import PrecisionWarning as PrecisionWarning
from kpinn.derivatives.tensorflow_gaps import register_missing_gradients

register_missing_gradients()
