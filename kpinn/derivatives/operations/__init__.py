"""The table of operations, complete when this is imported."""

from kpinn.derivatives.operations import (
    functions,
    general_powers,
    gradient_operations,
    linear_algebra,
    linear_operations,
    products,
    selections,
    sums_over_points,
)
from kpinn.derivatives.operations.table import TABLE, facts_of

__all__ = [
    "TABLE",
    "facts_of",
    "functions",
    "general_powers",
    "gradient_operations",
    "linear_algebra",
    "linear_operations",
    "products",
    "selections",
    "sums_over_points",
]
