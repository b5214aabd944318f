"""The table of rules, complete when this is imported."""

from kpinn.derivatives import (
    choices,
    functions,
    gradient_operations,
    linear_algebra,
    linear_operations,
    products,
)
from kpinn.derivatives.rules import RULES

__all__ = [
    "RULES",
    "choices",
    "functions",
    "gradient_operations",
    "linear_algebra",
    "linear_operations",
    "products",
]
