"""What callbacks that weight conditions or points are given, checked before the first step."""

from kpinn.objective.functionals import Mean, Product
from kpinn.optimizers.scipy.optimizer import ScipyOptimizer
from kpinn.optimizers.stages import stages
from kpinn.options import names as names_of
from kpinn.problem.points import check_known


def listed(conditions):
    """Names of conditions as a list without repetitions; `None` stays."""
    if conditions is None:
        return None
    names = names_of("conditions", conditions, ["heat"])
    return [names] if isinstance(names, str) else list(dict.fromkeys(names))


def known(callback, names):
    """The conditions that a callback weights: those that it was given, or all of the PINN.

    Raises:
        ValueError: for one that there is not.
    """
    every = callback.model.conditions
    check_known(names or (), every, f"{type(callback).__name__} weights")
    return list(names or every)


def by_point(callback, names):
    """Those of `known` that have a residual for each point.

    Raises:
        ValueError: for one by name that is over a whole set, and if there is none.
    """
    found, conditions = known(callback, names), callback.model.conditions
    over_sets = [name for name in found if conditions[name].over_set]
    rest = [name for name in conditions if not conditions[name].over_set]
    if (names and over_sets) or not rest:
        raise ValueError(
            f"{over_sets[0]!r} is not one of the conditions with a residual for each point: "
            f"{', '.join(rest) or 'there is none'}."
        )
    return [name for name in found if name in rest]


def refuse_functionals(callback, names):
    """Raises `ValueError` for losses that may be negative, which are no sizes of errors."""
    functions = callback.model.objective.losses.functions
    for name in names:
        if isinstance(functions[name], Mean | Product):
            raise ValueError(
                f"{type(callback).__name__} weights {name!r} by its loss, which is "
                f"kpinn.losses.{type(functions[name]).__name__} and may be negative: name the "
                "conditions to be weighted, with this one left out."
            )


def refuse_minimizers(callback):
    """Raises `ValueError` if it would be time while a minimizer of scipy works."""
    begin, epochs = 0, callback.params.get("epochs") or 0
    for optimizer, end in stages(callback.model.optimizer, epochs):
        first = begin - begin % callback.every + callback.every  # not `begin`, where it may change
        if isinstance(optimizer, ScipyOptimizer) and first < end:
            raise ValueError(
                f"{type(optimizer).__name__} needs the same loss in each iteration, and "
                f"{type(callback).__name__} changes it every {callback.every} epochs: use an "
                "optimizer that works in steps, such as kpinn.optimizers.LBFGS, or a larger every."
            )
        begin = end
