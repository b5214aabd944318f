"""Checks of arguments that several modules share."""

import inspect
import numbers


def positive_whole(name, value):
    """The value as an `int`.

    Args:
        name: what it is called in the error.
        value: a number.

    Raises:
        ValueError: unless it is a positive whole number.
    """
    if not isinstance(value, numbers.Real) or value < 1 or value % 1:
        raise ValueError(f"{name} is a positive whole number, not {value!r}.")
    return int(value)


def argument_names(function, what, example):
    """Names of the arguments of a function that have no default value.

    Args:
        function: a callable that will be called by keywords.
        what: what it is called in the error.
        example: arguments as they should be, for the error.

    Raises:
        ValueError: for an argument that cannot be passed by its name.
    """
    names = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ValueError(f"{what} takes {parameter}: name each argument, such as {example}.")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise ValueError(
                f"{what} takes {parameter.name} by its position only: leave out the '/', so that "
                "it can be passed by its name."
            )
        if parameter.default is parameter.empty:
            names.append(parameter.name)
    return tuple(names)
