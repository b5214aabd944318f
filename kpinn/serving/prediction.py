"""Fields, derivatives and residuals at points, in batches."""

import numpy as np
import tensorflow as tf

from kpinn.derivatives.api import directions_of, resolve
from kpinn.derivatives.requests import parse, split_names
from kpinn.problem import refusals
from kpinn.problem.points import in_order, minus_target, one_set, sets_of

BATCH = 16_384


def predict_fields(pinn, points, names, batch_size):
    """See `PINN.predict_fields`."""
    problem, method = pinn._plain.problem, resolve(pinn.method)
    names = split_names(names or list(problem.space.fields))
    arrays = one_set("predict_fields", points, problem)
    for name in names:
        parse(name, problem.space, directions_of(arrays, problem.space))
    key = ("fields", names)
    compute = _graph(pinn, key, arrays, lambda arrays: problem.values(names, arrays, method))
    return _batched(compute, arrays, batch_size)


def residuals(pinn, data, batch_size):
    """See `PINN.residuals`; `data` is a `Data`."""
    found, targets = {}, data.targets
    for names, arrays in sets_of(pinn, data.points):
        found |= _residuals(pinn, names, arrays, batch_size)
    found = in_order(pinn, found)
    return {name: np.asarray(minus_target(name, r, targets.get(name))) for name, r in found.items()}


def _residuals(pinn, names, arrays, batch_size):
    key = ("residuals", names)
    compute = _graph(pinn, key, arrays, lambda arrays: pinn.residuals_at(names, arrays))
    found = _batched(compute, arrays, batch_size)
    for name, residual in found.items():  # in a graph the number of points is not known
        count = min(batch_size, next(iter(arrays.values())).shape[0])
        refusals.check_shape(name, (count, *residual.shape[1:]), count)
    return found


def _graph(pinn, key, arrays, function):
    """`function` as a graph for any number of points, kept by the PINN."""
    if pinn.run_eagerly:
        return function
    specs = {name: tf.TensorSpec((None, a.shape[1]), a.dtype) for name, a in arrays.items()}
    key = (key, tuple(specs.items()))
    return pinn.cached(key, lambda: tf.function(function, input_signature=[specs], autograph=False))


def _batched(compute, arrays, batch_size):
    if batch_size < 1:
        raise ValueError(f"batch_size is at least 1, not {batch_size}.")
    parts = []
    for start in range(0, next(iter(arrays.values())).shape[0], batch_size):
        part = {name: array[start : start + batch_size] for name, array in arrays.items()}
        parts.append({name: value.numpy() for name, value in compute(part).items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
