"""The table of rules is complete when this is imported."""

from kpinn.derivatives import (  # noqa: F401  they register rules
    choices,
    functions,
    gradient_operations,
    linear_operations,
    products,
)
from kpinn.derivatives.rules import register as register
