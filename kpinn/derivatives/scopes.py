"""Names of operations that say what they are for."""

COMMON = (
    "kpinn_common_to_all_points"  # a scope: steps of differences, whose choice is no dependence
)
