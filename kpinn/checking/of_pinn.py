"""What `kpinn.check_derivatives` takes from a PINN: all that it knows of one is in this module.

Of the PINN it reads `network`, `conditions` (by name, with their `arguments`), `unknowns`,
`coordinates` and `fields`, and the methods by condition; of its `Problem` `space`, `network_space`,
`network`, `derived` (by name, with their `arguments`), `dtype`, `epsilon` and `values`.
"""

import numpy as np
import tensorflow as tf

from kpinn.checking.subject import Points, by_coordinate, subject
from kpinn.derivatives.api import Taylor, directions_of, join_points
from kpinn.derivatives.context import Context
from kpinn.derivatives.requests import parse, parse_all
from kpinn.problem import points as data
from kpinn.problem.conditions import Problem


def is_pinn(model):
    """Whether a model is a PINN (the class is one floor above)."""
    return hasattr(model, "conditions") and hasattr(model, "predict_fields")


def of_pinn(pinn, points, requests, seed):
    """What to check, and where.

    Args:
        pinn: the PINN.
        points: as for `fit`.
        requests: names, a dict, or `None` for all that the conditions ask for.
        seed: seed of the choice of points.

    Returns:
        The `Subject` of the fields of the PINN, derived ones too; and a list of `Points`.
    """
    problem = _problem(pinn)
    prepared = data.prepare(problem, pinn.conditions, points).points
    by_name = data.scales(prepared, problem.space.coordinates)
    parts = problem.space.coordinates.items()
    scales = np.concatenate([np.full(part.stop - part.start, by_name[n]) for n, part in parts])
    sets = [
        Points(
            requests=asked,
            columns=join_points(arrays, problem.space).numpy().astype(np.float64),
            directions=_as_float64(directions_of(arrays, problem.space)),
            scales=scales,
            method=method,
            seed=seed,
        )
        for asked, arrays, method in _sets(pinn, prepared, requests)
    ]
    return _subject(pinn, sets[0], scales), sets


def _problem(pinn):
    return pinn._plain.problem


def _method(pinn, condition):
    return pinn._plain.methods[condition]


def _subject(pinn, where, scales):
    """The fields as a function of the columns, and their derivatives by a method."""
    known = _problem(pinn)
    derived, by_name = list(known.derived.values()), by_coordinate(known.space, scales)
    names = pinn.coordinates, pinn.fields
    problem = Problem(pinn.network, *names, derived, pinn.unknowns, by_name)
    space = problem.space

    def split(points):
        return {name: points[:, part] for name, part in space.coordinates.items()}

    def fields(points):
        values = problem.values(list(problem.derived), split(points), Taylor())
        found = [values[name] for name in problem.derived]
        return tf.concat([problem.network(points), *found], axis=1)

    def values(points, requests, directions, method):
        names = [request.name for request in requests if request.field in problem.derived]
        others = [request for request in requests if request.field not in problem.derived]
        return problem.values(names, split(points) | directions, method, others)

    points, _ = where.tensors(problem.dtype)
    context = Context(space, problem.epsilon, by_name)
    return subject(fields, points, context, pinn.network, values)


def _as_float64(tensors):
    return {name: tensor.numpy().astype(np.float64) for name, tensor in tensors.items()}


def _sets(pinn, prepared, requests):
    """Triples of requests by name, arrays and a method, those of one set of points together."""
    shared, sets, failures = data.is_shared(prepared), {}, []
    for condition, function in pinn.conditions.items():
        arrays = prepared if shared else prepared.get(condition)
        if arrays is None:
            continue
        method = _method(pinn, condition)
        key = str(method) if shared else condition
        try:
            names = function.arguments if requests is None else requests
            asked = _asked(_problem(pinn), names, arrays)
        except ValueError as error:  # a direction that other points have
            failures.append(error)
        else:
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
    found = {}
    waiting = parse_all(requests, problem.space, directions) if requests else []
    while waiting:
        request = waiting.pop(0)
        found[request.name] = request
        if request.field in problem.derived:
            inner = problem.derived[request.field].arguments
            inner = [name for name in inner if name not in known and name not in found]
            waiting += [parse(name, problem.space, directions) for name in inner]
    return found
