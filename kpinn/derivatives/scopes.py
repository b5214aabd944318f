"""Names of operations that say what they are for."""

COMMON = "kpinn_common_to_all_points"  # the steps of differences, which follow the range of all
