"""The table of rules, complete when this is imported."""

from kpinn.derivatives.operations import (
    functions,
    gradient_operations,
    linear_algebra,
    linear_operations,
    products,
    selections,
)
from kpinn.derivatives.operations.rules import RULES

__all__ = [
    "RULES",
    "functions",
    "gradient_operations",
    "linear_algebra",
    "linear_operations",
    "products",
    "selections",
]
