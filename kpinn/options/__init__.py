"""What constructors and methods are given, and configs that come from files: what is allowed."""

from kpinn.options.checks import (
    argument_names,
    check_pinn,
    did_you_mean,
    flag,
    function,
    is_path,
    keras_layer,
    names,
    number,
    of_keras,
    one_of,
    optional,
    positive_whole,
    shown,
    text,
    whole,
)

__all__ = [
    "argument_names",
    "check_pinn",
    "did_you_mean",
    "flag",
    "function",
    "is_path",
    "keras_layer",
    "names",
    "number",
    "of_keras",
    "one_of",
    "optional",
    "positive_whole",
    "shown",
    "text",
    "whole",
]
