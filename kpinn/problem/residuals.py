"""From points to residuals: which derivatives are computed together, and which as one."""

import tensorflow as tf

from kpinn.derivatives.api import Taylor, as_columns
from kpinn.derivatives.methods.stochastic import Stochastic
from kpinn.options import shown
from kpinn.problem import merging, refusals
from kpinn.problem.arguments import Quantity
from kpinn.problem.points import in_order, sets_of, widths_of


def on_set(problem, names, arrays, step):
    """Residuals of conditions on one set of points; see `Problem.residuals_at`."""
    if not isinstance(arrays, dict):
        raise ValueError(f"arrays are {shown(arrays)}: expected a dict of arrays by name.")
    arrays = as_columns(arrays, problem.space, problem.dtype)
    residuals, groups = {}, {}
    for name in names:
        function = problem.conditions[name]
        groups.setdefault(str(function.method), []).append(function)
    for functions in groups.values():
        method = functions[0].method
        found = _merges(problem, functions, arrays)
        asked, combinations = merging.wanted(problem, functions, found, widths_of(arrays))
        values = [problem.values(asked, arrays, m, combinations, step) for m in draws(method)]
        for function in functions:
            merge = found.get(function.name, merging.NOTHING)
            parts = [merge.residual(function, v) for v in values]
            residuals[function.name] = _checked(problem, function, parts, arrays)
    return {name: residuals[name] for name in names}


def draws(method):
    """The methods with which a condition is evaluated: two where it has independent draws."""
    two = isinstance(method, Stochastic) and method.draws == 2
    return [method, method.other] if two else [method]


def _checked(problem, function, parts, arrays):
    points = next(iter(arrays.values()))
    parts = [refusals.checked_residual(function, p, points, problem.dtype) for p in parts]
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis=1)


def _merges(problem, functions, arrays):
    """Derivatives to propagate as one; none in eager mode, where each can be looked at."""
    method = functions[0].method
    if tf.executing_eagerly() or not isinstance(method, Taylor):
        return {}
    widths = widths_of(arrays)
    found = merging.merges(problem, functions, widths)
    for function in functions if found else ():
        known = problem.values(merging.known(problem, function, widths), arrays, method)
        found[function.name] = found[function.name].with_values(known)
    return found


# Several sets of points --------------------------------------------------------------------


def on_sets(problem, points, step):
    """Residuals of conditions, each on its set of points, or all on one.

    Conditions on the same points share one propagation. Sets on which the same is asked of the
    network, such as the fields at the parts of a boundary, go through it together.
    """
    residuals, single = {}, {}
    for names, arrays in sets_of(problem, points):
        arrays = as_columns(arrays, problem.space, problem.dtype)
        if len(names) == 1:
            single[names[0]] = arrays
        else:
            residuals |= problem.residuals_at(names, arrays, step)
    for names in _groups(problem, single):
        if len(names) == 1:
            residuals |= problem.residuals_at(names, single[names[0]], step)
        else:
            residuals |= _together(problem, names, single, step)
    return in_order(problem, residuals)


def _groups(problem, points):
    """Tuples of the names of conditions that are evaluated together."""
    groups = {}
    for name, function in problem.conditions.items():
        if name in points:
            exact = isinstance(function.method, Taylor | str)
            asked = _requests(problem, function, points[name]) if exact else None
            groups.setdefault((str(function.method), asked) if asked else name, []).append(name)
    return [tuple(names) for names in groups.values()]


def _requests(problem, function, arrays):
    """What a condition asks of the network; `None` if its points must be by themselves."""
    asked = []
    for argument in problem.arguments_at(function, widths_of(arrays)):
        if isinstance(argument, Quantity):
            asked.append(argument)
            request = argument.request
            if argument.derived or request.directions or request.operator is not None:
                return None  # these may be merged, or differ from set to set
            if len(request.axes) > 1:
                return None
    known = all(array.shape[0] is not None for array in arrays.values())
    return frozenset(asked) if asked and known else None


def _together(problem, names, sets, step):
    functions = [problem.conditions[name] for name in names]
    joined = {
        key: tf.concat([sets[name][key] for name in names], axis=0)
        for key in problem.space.coordinates
    }
    asked, method = _requests(problem, functions[0], sets[names[0]]), functions[0].method
    counts = [next(iter(sets[name].values())).shape[0] for name in names]
    asked = sorted(asked, key=lambda argument: argument.name)
    values = problem.values(asked, joined, method, step=step)
    split = {key: tf.split(value, counts) for key, value in values.items()}
    residuals = {}
    for i, function in enumerate(functions):
        arrays = sets[function.name]
        arguments = problem.arguments_at(function, widths_of(arrays))
        others = [argument for argument in arguments if argument not in asked]
        own = problem.values(others, arrays, method, step=step)
        own |= {key: part[i] for key, part in split.items()}
        residuals[function.name] = _checked(problem, function, [function(own)], arrays)
    return residuals
