"""From points to residuals: which derivatives are computed together, and which as one."""

import tensorflow as tf

from kpinn.derivatives.api import Taylor, as_column
from kpinn.derivatives.methods.stochastic import Stochastic
from kpinn.problem import merging, refusals
from kpinn.problem.points import in_order, sets_of


def residuals_at(pinn, names, arrays):
    """Residuals of conditions on one set of points; see `PINN.residuals_at`."""
    problem, state = pinn._plain.problem, pinn._plain
    arrays = {name: as_column(name, a, problem.dtype) for name, a in arrays.items()}
    residuals, groups = {}, {}
    for name in names:
        groups.setdefault(str(state.methods[name]), []).append(state.conditions[name])
    for functions in groups.values():
        method = state.methods[functions[0].name]
        found = _merges(problem, functions, method, arrays)
        asked, combinations = merging.wanted(functions, found)
        values = [problem.values(asked, arrays, m, combinations) for m in draws(method)]
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
    parts = [refusals.checked_residual(function.name, p, points, problem.dtype) for p in parts]
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis=1)


def _merges(problem, functions, method, arrays):
    """Derivatives to propagate as one; none in eager mode, where each can be looked at."""
    if tf.executing_eagerly() or not isinstance(method, Taylor):
        return {}
    found = merging.merges(problem, functions, arrays)
    for function in functions if found else ():
        known = problem.values(merging.known(problem, function), arrays, method)
        found[function.name] = found[function.name].with_values(known)
    return found


# Several sets of points --------------------------------------------------------------------


def on_sets(pinn, points):
    """Residuals of conditions, each on its set of points, or all on one.

    Conditions on the same points share one propagation. Sets on which the same is asked of the
    network, such as the fields at the parts of a boundary, go through it together.
    """
    residuals, single = {}, {}
    for names, arrays in sets_of(pinn, points):
        if len(names) == 1:
            single[names[0]] = arrays
        else:
            residuals |= pinn.residuals_at(names, arrays)
    for names in _groups(pinn, single):
        if len(names) == 1:
            residuals |= pinn.residuals_at(names, single[names[0]])
        else:
            residuals |= _together(pinn, names, single)
    return in_order(pinn, residuals)


def _groups(pinn, points):
    """Tuples of the names of conditions that are evaluated together."""
    problem, state, groups = pinn._plain.problem, pinn._plain, {}
    for name, function in state.conditions.items():
        if name in points:
            method = state.methods[name]
            asked = _requests(problem, function, points[name]) if _is_exact(method) else None
            groups.setdefault((str(method), asked) if asked else name, []).append(name)
    return [tuple(names) for names in groups.values()]


def _is_exact(method):
    return isinstance(method, Taylor | str)


def _requests(problem, function, arrays):
    """What a condition asks of the network; `None` if its points must be by themselves."""
    asked = []
    for name in function.arguments:
        request = problem.network_request(name)
        if request is not None:
            asked.append(name)
            if request.directions or request.operator is not None or len(request.axes) > 1:
                return None  # these may be merged, or differ from set to set
        elif problem.derived_field(name):
            return None
    known = all(array.shape[0] is not None for array in arrays.values())
    return frozenset(asked) if asked and known else None


def _together(pinn, names, points):
    problem, functions = pinn._plain.problem, [pinn._plain.conditions[name] for name in names]
    sets = {
        name: {key: as_column(key, a, problem.dtype) for key, a in points[name].items()}
        for name in names
    }
    joined = {
        key: tf.concat([sets[name][key] for name in names], axis=0)
        for key in problem.space.coordinates
    }
    asked = _requests(problem, functions[0], sets[names[0]])
    method = pinn._plain.methods[names[0]]
    counts = [next(iter(sets[name].values())).shape[0] for name in names]
    values = problem.values(sorted(asked), joined, method)
    split = {key: tf.split(value, counts) for key, value in values.items()}
    residuals = {}
    for i, function in enumerate(functions):
        arrays = sets[function.name]
        others = [name for name in function.arguments if name not in asked]
        own = problem.values(others, arrays, method) | {key: v[i] for key, v in split.items()}
        residuals[function.name] = _checked(problem, function, [function(own)], arrays)
    return residuals
