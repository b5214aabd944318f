"""What `kpinn.check_derivatives` takes from a PINN: all that it knows of one is in this module.

Of the PINN it reads `network` and `problem`.
"""

import numpy as np
import tensorflow as tf

from kpinn.checking.subject import Points, subject
from kpinn.derivatives.api import Taylor, directions_of, join_points, parse_all
from kpinn.derivatives.context import Context
from kpinn.problem import points as data
from kpinn.problem.arguments import Quantity


def is_pinn(model):
    """Whether a model is a PINN, whose class is one floor above."""
    return hasattr(model, "problem") and hasattr(model, "predict_fields")


def of_pinn(pinn, points, requests, seed):
    """The `Subject` of the fields of a PINN, derived ones too, and a list of `Points`.

    Args:
        pinn: the PINN.
        points: as for `fit`.
        requests: names, a dict, or `None` for all that the conditions ask for.
        seed: seed of the choice of points.
    """
    problem = pinn.problem
    prepared = data.prepare(problem, points).points
    by_name, parts = data.scales(prepared, problem.space.coordinates), problem.space.coordinates
    scales = [np.full(part.stop - part.start, by_name[name]) for name, part in parts.items()]
    scales, sets = np.concatenate(scales), []
    for asked, arrays, method in _sets(problem, prepared, requests):
        columns = join_points(arrays, problem.space).numpy().astype(np.float64)
        directions = directions_of(arrays, problem.space)
        directions = {n: v.numpy().astype(np.float64) for n, v in directions.items()}
        sets.append(Points(asked, columns, directions, scales, method, seed))
    own = problem.replaced(scales=by_name)
    return _subject(own, pinn.network, tf.constant(sets[0].columns, own.dtype)), sets


def _subject(problem, network, points):
    """The fields as a function of the columns, and their derivatives by a method."""

    def split(points):
        return {name: points[:, part] for name, part in problem.space.coordinates.items()}

    def fields(points):
        asked = problem.quantities(problem.derived, {})
        values = problem.values(asked, split(points), Taylor())
        found = [values[name] for name in problem.derived]
        return tf.concat([problem.network(points), *found], axis=1)

    def values(points, requests, directions, method):
        parts = {False: [], True: []}
        for request in requests:
            parts[request.field in problem.derived].append(request)
        derived = [Quantity(request.name, request, True) for request in parts[True]]
        return problem.values(derived, split(points) | directions, method, parts[False])

    context = Context(problem.space, problem.epsilon, problem.scales)
    return subject(fields, points, context, network, values)


def _sets(problem, prepared, requests):
    """Triples of requests by name, arrays and a method, those of one set of points together."""
    shared, sets, failures = data.is_shared(prepared), {}, []
    for condition, function in problem.conditions.items():
        arrays = prepared if shared else prepared.get(condition)
        if arrays is None:
            continue
        method = function.method
        try:
            asked = _asked(problem, function, requests, data.widths_of(arrays))
        except ValueError as error:  # a direction that other points have
            failures.append(error)
        else:
            key = str(method) if shared else condition
            sets.setdefault(key, ({}, arrays, method))[0].update(asked)
    sets = [part for part in sets.values() if part[0]]
    if not sets:
        raise failures[0] if failures else ValueError("there is nothing to check.")
    return sets


def _asked(problem, function, requests, widths):
    """Requests by name, with those that derived fields are made of."""
    names = problem.names
    if requests is None:
        waiting = _requests(problem.arguments_at(function, widths))
    else:
        known = {*problem.space.coordinates, *problem.unknowns}
        known |= widths.keys() - problem.space.fields.keys()
        if isinstance(requests, tuple | list):
            requests = [name for name in requests if name not in known]
        directions = names.directions(widths)
        waiting = parse_all(requests, problem.space, directions) if requests else []
    found = {}
    while waiting:
        request = waiting.pop(0)
        found[request.name] = request
        if request.field in problem.derived:
            inner = _requests(problem.derived[request.field].arguments)
            waiting += [each for each in inner if each.name not in found]
    return found


def _requests(arguments):
    return [argument.request for argument in arguments if isinstance(argument, Quantity)]
