"""What `kpinn.check_derivatives` takes from a PINN: all that it knows of one is in this module.

Of the PINN it reads `network`, `conditions` (by name, with their `arguments`), `unknowns`,
`coordinates`, `fields`, `_plain.problem` and `_plain.methods` (by condition). Of the `Problem` it
reads `space`, `derived` (by name, with their `arguments`) and `unknowns`, and gives it to
`points.prepare`. It makes another one with scales of the points that are checked, and of that it
uses `dtype`, `epsilon`, `network` and `values`.
"""

import numpy as np
import tensorflow as tf

from kpinn.checking.subject import Points, subject
from kpinn.derivatives.api import Taylor, directions_of, join_points
from kpinn.derivatives.context import Context
from kpinn.derivatives.requests import parse, parse_all
from kpinn.problem import points as data
from kpinn.problem.conditions import Problem


def is_pinn(model):
    """Whether a model is a PINN, whose class is one floor above."""
    return hasattr(model, "conditions") and hasattr(model, "predict_fields")


def of_pinn(pinn, points, requests, seed):
    """The `Subject` of the fields of a PINN, derived ones too, and a list of `Points`.

    Args:
        pinn: the PINN.
        points: as for `fit`.
        requests: names, a dict, or `None` for all that the conditions ask for.
        seed: seed of the choice of points.
    """
    problem = pinn._plain.problem
    prepared = data.prepare(problem, pinn.conditions, points).points
    by_name, parts = data.scales(prepared, problem.space.coordinates), problem.space.coordinates
    scales = [np.full(part.stop - part.start, by_name[name]) for name, part in parts.items()]
    scales, sets = np.concatenate(scales), []
    for asked, arrays, method in _sets(pinn, problem, prepared, requests):
        columns = join_points(arrays, problem.space).numpy().astype(np.float64)
        directions = directions_of(arrays, problem.space)
        directions = {n: v.numpy().astype(np.float64) for n, v in directions.items()}
        sets.append(Points(asked, columns, directions, scales, method, seed))
    names, derived = (pinn.coordinates, pinn.fields), list(problem.derived.values())
    own = Problem(pinn.network, *names, derived, pinn.unknowns, by_name)
    return _subject(own, pinn.network, tf.constant(sets[0].columns, own.dtype)), sets


def _subject(problem, network, points):
    """The fields as a function of the columns, and their derivatives by a method."""

    def split(points):
        return {name: points[:, part] for name, part in problem.space.coordinates.items()}

    def fields(points):
        values = problem.values(list(problem.derived), split(points), Taylor())
        found = [values[name] for name in problem.derived]
        return tf.concat([problem.network(points), *found], axis=1)

    def values(points, requests, directions, method):
        derived = [request.name for request in requests if request.field in problem.derived]
        others = [request for request in requests if request.field not in problem.derived]
        return problem.values(derived, split(points) | directions, method, others)

    context = Context(problem.space, problem.epsilon, problem.scales)
    return subject(fields, points, context, network, values)


def _sets(pinn, problem, prepared, requests):
    """Triples of requests by name, arrays and a method, those of one set of points together."""
    shared, sets, failures = data.is_shared(prepared), {}, []
    for condition, function in pinn.conditions.items():
        arrays = prepared if shared else prepared.get(condition)
        if arrays is None:
            continue
        method = pinn._plain.methods[condition]
        try:
            names = function.arguments if requests is None else requests
            asked = _asked(problem, names, arrays)
        except ValueError as error:  # a direction that other points have
            failures.append(error)
        else:
            key = str(method) if shared else condition
            sets.setdefault(key, ({}, arrays, method))[0].update(asked)
    sets = [part for part in sets.values() if part[0]]
    if not sets:
        raise failures[0] if failures else ValueError("there is nothing to check.")
    return sets


def _asked(problem, requests, arrays):
    """Requests by name, with those that derived fields are made of."""
    directions = directions_of(arrays, problem.space)
    known = {*problem.space.coordinates, *problem.unknowns, *arrays}
    if isinstance(requests, tuple | list):
        requests = [name for name in requests if name not in known]
    waiting = parse_all(requests, problem.space, directions) if requests else []
    found = {}
    while waiting:
        request = waiting.pop(0)
        found[request.name] = request
        if request.field in problem.derived:
            inner = problem.derived[request.field].arguments
            inner = [name for name in inner if name not in known and name not in found]
            waiting += [parse(name, problem.space, directions) for name in inner]
    return found
