"""`PINN.export`: a SavedModel with fields, derivatives and residuals."""

import tensorflow as tf

from kpinn.derivatives.api import resolve
from kpinn.derivatives.requests import parse, split_names


def export(pinn, path, derivatives=None):
    """Writes a SavedModel; see `PINN.export`."""
    problem = pinn._plain.problem
    module = tf.Module()
    module.weights = [variable.value for variable in pinn.variables]
    names = split_names(derivatives) if derivatives else asked_derivatives(pinn)
    signatures = {"serving_default": _values_function(pinn, list(problem.space.fields), ())}
    if names:
        signatures["derivatives"] = _values_function(pinn, names, _directions(problem, names))
    for name, function in pinn.conditions.items():
        signatures[f"residual_{name}"] = _residual_function(pinn, name, function)
    module.served = signatures  # keeps the traces alive until they are written
    tf.saved_model.save(module, str(path), signatures=signatures)


def asked_derivatives(pinn):
    """Derivatives that the conditions ask for, without those along directions."""
    problem, names = pinn._plain.problem, {}
    for function in pinn.conditions.values():
        for name in function.arguments:
            if name in function.arrays or name in problem.unknowns:
                continue
            if name not in problem.space.coordinates and name not in problem.space.fields:
                names[name] = None
    return tuple(names)


def _directions(problem, names):
    requests = [parse(name, problem.space) for name in names]
    return tuple(dict.fromkeys(d for request in requests for d in request.directions))


def _values_function(pinn, names, directions):
    problem, method = pinn._plain.problem, resolve(pinn.method)

    def served(**arrays):
        return problem.values(names, arrays, method)

    return _trace(pinn, served, directions)


def _residual_function(pinn, name, function):
    problem = pinn._plain.problem
    arrays = []
    for array in function.arrays:
        known = array in pinn._plain.sizes
        arrays += [array] if known else _directions_or_array(problem, array)

    def served(**arrays):
        return pinn.residuals_at((name,), arrays)

    return _trace(pinn, served, tuple(dict.fromkeys(arrays)))


def _directions_or_array(problem, name):
    try:
        return list(_directions(problem, [name])) or [name]
    except ValueError:
        return [name]


def _trace(pinn, function, arrays):
    problem = pinn._plain.problem
    dtype = problem.dtype
    widths = {name: part.stop - part.start for name, part in problem.space.coordinates.items()}
    for name in arrays:
        default = len(problem.space.spatial) if _is_direction(pinn, name) else 1
        widths[name] = pinn._plain.sizes.get(name, default)
    specs = {name: tf.TensorSpec((None, width), dtype, name) for name, width in widths.items()}
    return tf.function(function, autograph=False).get_concrete_function(**specs)


def _is_direction(pinn, name):
    """Whether some condition differentiates along `name`, rather than asking for its values."""
    return not any(name in function.arguments for function in pinn.conditions.values())
